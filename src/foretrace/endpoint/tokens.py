"""Completions by token ids, with log-probabilities, as vLLM answers them.

OpenAI's own answer has texts, from which tokens cannot be told, and leaves special tokens out. vLLM and SGLang give
`token_ids` where `return_token_ids` asks for them; vLLM also scores the prompt itself (`prompt_logprobs`).

    answer = endpoint.post("/completions", {"model": "m", "prompt": [1, 2, 3], "logprobs": 2, **TOKEN_FIELDS})
    read_tokens(answer).tokens
"""

from dataclasses import dataclass
from typing import Any

from foretrace.endpoint.answer import shown
from foretrace.errors import EndpointError

TOKEN_FIELDS = {
    "add_special_tokens": False,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "return_token_ids": True,
    "return_tokens_as_token_ids": True,
}
"""What a request asks for so that nothing comes between tokens and ids."""
_BY_ID = "token_id:"


@dataclass(frozen=True, slots=True)
class TokenCompletion:
    """Tokens that a model wrote."""

    tokens: list[int]
    """The one that it stopped at is the last."""
    logprobs: list[float]
    """Of each token, in nats."""
    top: list[dict[int | str, float]]
    """At each token, the likeliest ones and their log-probabilities: by id, or by text where the server gives no ids."""
    finish_reason: str
    """`stop`, `length`, …"""
    prompt: list[dict[int, float]] | None
    """At each token of the prompt but the first: log-probabilities of the actual one and of the likeliest; if given."""


def read_tokens(body: Any) -> TokenCompletion:
    """The tokens in an answer.

    Raises:
        EndpointError: it has no token ids or no log-probabilities, or is none at all. The message goes on after the name
            of the server.

    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise EndpointError(f"answers, but no completion: {shown(body)}")
    choice = choices[0]
    if not isinstance(choice.get("token_ids"), list):
        raise _no_token_ids(str(choice.get("text")))
    if not isinstance(choice.get("logprobs"), dict):
        raise EndpointError(
            "answers, but gives no log-probabilities\n  I asked for logprobs; without them nothing can be said of how sure "
            "the model is. Try vLLM, or foretrace serve"
        )
    try:
        return _completion(choice, choice["logprobs"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EndpointError(f"answers in another form than vLLM's: {shown(choice)}") from error


def _completion(choice: dict[str, Any], found: dict[str, Any]) -> TokenCompletion:
    """Anything may be raised if the choice has another form."""
    tokens = [int(token) for token in choice["token_ids"]]
    stop = choice.get("stop_reason", choice.get("matched_stop"))  # vLLM's name, SGLang's
    if isinstance(stop, int) and tokens[-1:] != [stop]:
        tokens.append(stop)
    logprobs = [float(value) for value in found["token_logprobs"][: len(tokens)]]
    top = [{_key(token): float(value) for token, value in some.items()} for some in found["top_logprobs"][: len(tokens)]]
    if not len(tokens) == len(logprobs) == len(top):
        raise ValueError("log-probabilities are missing")
    scored = choice.get("prompt_logprobs")
    prompt = scored and [{int(token): float(entry["logprob"]) for token, entry in some.items()} for some in scored[1:]]
    return TokenCompletion(tokens, logprobs, top, str(choice.get("finish_reason") or ""), prompt)


def _no_token_ids(text: str) -> EndpointError:
    if "<|" in text:
        what = f"gives no token ids\n  the reply is text only: {shown(text)!r}."
    else:
        what = "drops trace tokens\n  the reply has no <|frame_sep|>; servers remove special tokens unless told otherwise."
    return EndpointError(
        f"answers, but {what}\n  I asked for skip_special_tokens=false and return_token_ids=true; this server ignores them. "
        "Try vLLM, or foretrace serve"
    )


def _key(token: str) -> int | str:
    return int(token.removeprefix(_BY_ID)) if token.startswith(_BY_ID) else token
