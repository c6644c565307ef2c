"""An answer that comes in pieces, put together to what it would have been in one piece.

    answer = Assembly()
    for event in read_events(chunks):       # of server-sent events, as bytes that may be cut anywhere
        answer.add(event)
    answer.body()                           # {"choices": [{"message": …, "finish_reason": …}], "usage": …}

Of a broken stream nothing is kept: half an answer is no answer.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from foretrace.endpoint.answer import shown
from foretrace.endpoint.reply import text_of
from foretrace.errors import EndpointError

_TEXTS = ("content", "reasoning_content", "reasoning")
_DONE = "[DONE]"


def read_events(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The JSON of each event, up to the one that says it is the last.

    Raises:
        EndpointError: the stream ends before, or an event is no JSON.

    """
    rest = b""
    data: list[str] = []
    for chunk in chunks:
        # Lines end at line feeds and nowhere else: JSON may hold the other characters that Python splits lines at
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif not line and data:
                text, data = "\n".join(data), []
                if text == _DONE:
                    return
                yield _event(text)
    raise EndpointError("the stream broke off")


def _event(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EndpointError(f"a piece of the stream is not JSON: {shown(text)}") from error


class Assembly:
    """Pieces of an answer of `/chat/completions`, put together."""

    def __init__(self, on_text: Callable[[str], None] | None = None) -> None:
        self.events = 0
        self.size = 0
        """Characters so far, of texts and of arguments."""
        self._on_text = on_text
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[Any, dict[str, Any]] = {}
        self._finish_reason = ""
        self._rest: dict[str, Any] = {}

    def add(self, event: Any) -> None:
        """Takes the next piece.

        Raises:
            EndpointError: it is an error of the server's, or nothing that is known.

        """
        if not isinstance(event, dict) or event.get("error"):
            raise EndpointError(f"the stream brought an error: {shown(event)}")
        self.events += 1
        self._rest |= {name: event[name] for name in ("model", "usage") if event.get(name)}
        try:
            for choice in event.get("choices") or []:
                self._add_choice(choice)
        except (AttributeError, TypeError) as error:
            raise EndpointError(f"a piece of the stream has another form than OpenAI's: {shown(event)}") from error

    def _add_choice(self, choice: dict[str, Any]) -> None:
        if choice.get("index"):
            return  # another answer beside the first: nobody asked for one
        delta = choice.get("delta") or {}
        for name in _TEXTS:
            text = text_of(delta.get(name))
            if text:
                self._texts.setdefault(name, []).append(text)
                self.size += len(text)
                if self._on_text and name == "content":
                    self._on_text(text)
        for piece in delta.get("tool_calls") or []:
            self._add_call(piece)
        self._finish_reason = choice.get("finish_reason") or self._finish_reason

    def _add_call(self, piece: dict[str, Any]) -> None:
        """Pieces of a call have its index; some servers leave it out, and begin each call with an id."""
        key = piece.get("index")
        if key is None:
            key = piece.get("id") or next(reversed(self._calls), 0)
        call = self._calls.setdefault(key, {"id": "", "type": "function", "name": "", "arguments": []})
        function = piece.get("function") or {}
        call["id"] = call["id"] or piece.get("id") or ""
        call["name"] = call["name"] or function.get("name") or ""
        arguments = function.get("arguments")
        if arguments:
            call["arguments"].append(arguments if isinstance(arguments, str) else json.dumps(arguments))
            self.size += len(call["arguments"][-1])

    @property
    def finished(self) -> bool:
        """Whether the server said that the answer is whole."""
        return bool(self._finish_reason)

    def body(self, finish_reason: str = "") -> dict[str, Any]:
        """The answer; cut by the reader if it gives a reason of its own."""
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
                }
                for call in self._calls.values()
            ]
        return {"choices": [{"message": message, "finish_reason": finish_reason or self._finish_reason}]} | self._rest
