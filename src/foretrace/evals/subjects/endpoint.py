"""A model on an OpenAI-compatible server under test: texts by chat or completion, traces by token ids.

    subject = connect("http://localhost:8000/v1,model=cwm,system=cwm.txt,thinking=yes,concurrency=32")

    model=NAME               one that it serves; its first, if it is not said
    api=chat|completions     how texts are asked for  [chat]
    system=FILE              a system message: CWM reasons well only after the sentences of its prompting guide
    thinking=yes|no          has the chat template begin a thought, or not; left to the server if it is not said
    concurrency=8  timeout=600  prices=IN+OUT  cost=MOST      of a million tokens each; nothing is asked once it is reached
    tokenizer=FOLDER  context=TOKENS                          for traces; see engine/remote.py

The key is in $OPENAI_API_KEY. A thought, wherever the server puts it, stands in the answer between <think> and </think>.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

from foretrace.endpoint import Endpoint
from foretrace.endpoint.answer import field_of
from foretrace.endpoint.threads import in_threads
from foretrace.engine.load import parse_options
from foretrace.errors import EndpointError, UsageError
from foretrace.evals.subjects import Request
from foretrace.evals.subjects.engine import answer_with, seed_of
from foretrace.evals.types import MOST_CHARACTERS, Answer, Question, Sampling, Style
from foretrace.forager.format import THINK, UNTHINK

_ENGINE = ("tokenizer", "context")
_OPTIONS = ("model", "api", "system", "thinking", "concurrency", "timeout", "prices", "cost", *_ENGINE)
_STREAMED = 4096
"""Answers of more tokens are had in pieces, so that the timeout is that of a piece."""
_TOO_LONG = re.compile(r"answered 4(00|13)\b.*(context[ _]?(length|window)|max_model_len)", re.DOTALL | re.IGNORECASE)
"""A server's word that a question does not fit: the model has no answer, which is its failure and not the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSubject:
    """A model on a server."""

    endpoint: Endpoint
    system: str = ""
    thinking: bool | None = None
    for_engine: Mapping[str, str]
    """Options of the engine that asks it for traces."""
    kind = "endpoint"
    is_costly = True
    samples = None

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self.endpoint.model

    def describe(self) -> Mapping[str, Any]:
        """How it is asked; of the weights nothing is known."""
        api = "chat" if self.endpoint.chat else "completions"
        settings = {"api": api, "system": self.system, "thinking": self.thinking}
        return {"sha256": "", "where": self.endpoint.url, "settings": settings}

    def answer(self, requests: Iterable[Request], style: Style, sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
        """As they come in. What failed to the last try is an answer with an error."""
        waiting = iter(requests)
        first = next(waiting, None)
        if first is None:
            return iter(())
        every = chain([first], waiting)
        if first.question.text or first.question.chat:
            work = partial(self._answer, sampling=sampling)
            return in_threads(work, every, threads=self.endpoint.concurrency, name="endpoint", wait=False, in_order=False)
        return answer_with(self._engine(), every, sampling)

    def _engine(self) -> Any:
        from foretrace.engine.remote import RemoteEngine

        return RemoteEngine.connect(self.endpoint.url, model=self.endpoint.model, **self.for_engine)

    def _answer(self, request: Request, *, sampling: Sampling) -> tuple[Request, Answer]:
        began = time.perf_counter()
        fields: dict[str, Any] = {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens}
        if sampling.temperature > 0:
            fields |= {"top_p": sampling.top_p, "seed": seed_of(sampling, request)}
        ask = self._chat if self.endpoint.chat else self._complete
        try:
            answer = ask(request.question, fields)
        except EndpointError as error:
            fits = _TOO_LONG.search(str(error)) is None
            answer = Answer(text="", error=str(error) or "no answer") if fits else Answer(text="", is_truncated=True)
        return request, replace(answer, seconds=time.perf_counter() - began)

    def _complete(self, question: Question, fields: dict[str, Any]) -> Answer:
        if not question.text:
            raise UsageError("this can only be asked in a chat: api=chat")
        stops = {"stop": list(question.stop)} if question.stop else {}
        found = self.endpoint.complete(question.text, **fields, **stops)
        return Answer(
            text=found.text,
            is_truncated=found.finish_reason == "length",
            prompt_tokens=found.prompt_tokens,
            tokens=found.completion_tokens,
            cost=self.endpoint.price_of(found.prompt_tokens, found.completion_tokens),
        )

    def _chat(self, question: Question, fields: dict[str, Any]) -> Answer:
        messages = [{"role": "system", "content": self.system}] if self.system else []
        messages.append({"role": "user", "content": question.chat or question.text})
        if self.thinking is not None:
            fields = fields | {"chat_template_kwargs": {"enable_thinking": self.thinking}}
        is_long = fields["max_tokens"] > _STREAMED
        reply = self.endpoint.converse(messages, stream=is_long, characters=MOST_CHARACTERS if is_long else None, **fields)
        return Answer(
            text=_with_thought(reply.thought, reply.text, bool(self.thinking), reply.finish_reason),
            is_truncated=reply.finish_reason == "length",
            prompt_tokens=reply.prompt_tokens,
            tokens=reply.completion_tokens,
            cost=reply.cost,
        )


def _with_thought(thought: str, text: str, thinks: bool, finish: str) -> str:
    """A thought and what was said after it, as one text.

    A template that begins a thought has its tag in the prompt: then the answer has only the one that ends it, or none if it
    was cut within the thought.
    """
    if thought:
        ended = bool(text) or finish != "length"
        return f"{THINK}{thought}\n{UNTHINK}\n{text}" if ended else THINK + thought
    if thinks and not text.lstrip().startswith(THINK.strip()):
        return THINK + text
    return text


def connect(model: str) -> EndpointSubject:
    """The subject that `URL,option=value,…` names.

    Raises:
        UsageError: an option is unknown or no finite number, or the server must be told which model.
        EndpointError: the server cannot be reached.

    """
    url, options = parse_options(model, _OPTIONS)
    api, thinking = options.get("api", "chat"), options.get("thinking")
    if api not in ("chat", "completions") or thinking not in (None, "yes", "no"):
        raise UsageError(f"{model}: api is chat or completions, thinking is yes or no")
    try:
        first, _, second = options.get("prices", "0+0").partition("+")
        settings: dict[str, Any] = {
            "concurrency": int(options.get("concurrency", "8")),
            "timeout": _finite(options.get("timeout", "600")),
            "prices": (_finite(first), _finite(second or first)),
            "cost_limit": _finite(options["cost"]) if "cost" in options else None,
        }
    except ValueError as error:
        raise UsageError(f"{model}: {error}") from error
    endpoint = Endpoint(url, model=options.get("model", ""), chat=api == "chat", **settings)
    if not endpoint.model:
        endpoint.model = _first_model(endpoint)
    return EndpointSubject(
        endpoint=endpoint,
        system=_read(options["system"]) if "system" in options else "",
        thinking=None if thinking is None else thinking == "yes",
        for_engine={name: options[name] for name in _ENGINE if name in options},
    )


def _finite(text: str) -> float:
    """A number; with an endless or undefined one no limit would ever be reached."""
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text!r} is no finite number")
    return value


def _first_model(endpoint: Endpoint) -> str:
    listed = field_of(endpoint.get("/models"), "data", list, f"{endpoint.url}/models")
    if not listed:
        raise EndpointError(f"{endpoint.url} serves no model")
    return str(field_of(listed[0], "id", str, "a model"))


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"system={file}: cannot be read: {error}") from error
