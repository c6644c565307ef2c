"""What a server answers: read with care, because servers differ and proxies answer web pages."""

from dataclasses import dataclass
from typing import Any

from foretrace.errors import EndpointError


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that a model wrote."""

    text: str
    finish_reason: str
    """`stop`, `length`, …; empty where the server does not say."""
    prompt_tokens: int
    """0 where the server does not count."""
    completion_tokens: int
    model: str
    """The one that answered, by its own account."""
    logprobs: tuple[tuple[str, float], ...] | None = None
    """Each token with its log-probability, where they were asked for."""


@dataclass(slots=True)
class Usage:
    """What an endpoint has been used for so far: answered requests, tokens, and the cost at the prices given."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def read_completion(body: Any, *, chat: bool, logprobs: bool) -> Completion:
    """A completion from the JSON that a server sent; an EndpointError names a field that is missing or of another type."""
    choices = _field(body, "choices", list, "the answer")
    if not choices:
        raise EndpointError("the answer has no completion: its `choices` are empty")
    choice = choices[0]
    holder = _field(choice, "message", dict, "`choices[0]`") if chat else choice
    text = _field(holder, *("content", str, "`choices[0].message`") if chat else ("text", str, "`choices[0]`"))
    counts = body.get("usage") if isinstance(body.get("usage"), dict) else {}
    prompt, completion = (n if isinstance(n := counts.get(f"{k}_tokens"), int) else 0 for k in ("prompt", "completion"))
    found = _read_logprobs(choice, chat) if logprobs else None
    return Completion(text, str(choice.get("finish_reason") or ""), prompt, completion, str(body.get("model") or ""), found)


def _read_logprobs(choice: Any, chat: bool) -> tuple[tuple[str, float], ...]:
    found, where = _field(choice, "logprobs", dict, "`choices[0]`"), "`choices[0].logprobs`"
    if chat:
        items = _field(found, "content", list, where)
        return tuple((_field(i, "token", str, where), _field(i, "logprob", (int, float), where)) for i in items)
    tokens, values = _field(found, "tokens", list, where), _field(found, "token_logprobs", list, where)
    if len(tokens) != len(values):
        raise EndpointError(f"{where} has {len(tokens)} tokens and {len(values)} values")
    return tuple((str(token), float(value or 0.0)) for token, value in zip(tokens, values, strict=True))


def _field(holder: Any, name: str, kind: Any, where: str) -> Any:
    """The field `name`, if it is there and of the type."""
    if not isinstance(holder, dict):
        raise EndpointError(f"{where} is not a JSON object but {shown(holder)}")
    if name not in holder:
        raise EndpointError(f"{where} has no `{name}`, only {', '.join(map(repr, holder)) or 'nothing'}: {shown(holder)}")
    if not isinstance(holder[name], kind):
        raise EndpointError(f"`{name}` of {where} is not a {getattr(kind, '__name__', 'number')} but {shown(holder[name])}")
    return holder[name]


def shown(value: object) -> str:
    """A piece of what a server sent, short enough for a message."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= 200 else text[:200] + "…"
