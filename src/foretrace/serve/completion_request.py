"""What `/v1/completions` may be asked: vLLM's names, of which the ones that traces need are all there.

    asked = read_completion(body, tokenizer, context=4096)
    asked.prompts, asked.max_tokens       # token ids of each prompt; and the settings of all

Names that would change the answer and that we do not have (`suffix`, `best_of`, penalties, …) are refused unless they are
set to what changes nothing, as some clients do.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import ForetraceError
from foretrace.serve.problem import Problem
from foretrace.serve.schema import Schema, check, with_defaults
from foretrace.trace import Token
from foretrace.trace.wire import from_text

MAX_CHOICES = 64
"""Sequences of one request."""
MAX_TEXT = 200_000
"""Characters of a prompt."""
MAX_IDS = 1 << 17
_MOST_TOP = 20
_MAX_TOKENS = 16
"""Tokens to write where a request says nothing: OpenAI's."""

_ID: Schema = {"type": "integer", "minimum": 0}
_IDS: Schema = {"type": "array", "minItems": 1, "maxItems": MAX_IDS, "items": _ID}
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}


def _optional(kind: str, default: Any, description: str, **limits: Any) -> Schema:
    return {"type": [kind, "null"], "default": default, "description": description, **limits}


def _many(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MAX_CHOICES, "items": item}


def _only(*values: Any) -> Schema:
    """A field that changes nothing with these values, and is not offered with others."""
    return {"enum": [None, *values], "description": "Not offered; accepted where it changes nothing."}


_FLAG = "boolean"
COMPLETION: Schema = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {
        "model": _optional("string", None, "The model that is served; may be left out."),
        "prompt": {
            "anyOf": [_TEXT, _IDS, _many(_TEXT), _many(_IDS)],
            "description": "A text, token ids, or a list of either. Special tokens of traces have their names in a text.",
        },
        "max_tokens": _optional("integer", None, "Tokens to write, at most; 16 if not given.", minimum=0, maximum=1 << 20),
        "temperature": _optional("number", 1.0, "0: always the likeliest token.", minimum=0, maximum=100),
        "top_p": _optional("number", 1.0, "Of the likeliest tokens that have this mass.", exclusiveMinimum=0, maximum=1),
        "seed": _optional("integer", None, "The same seed draws the same.", minimum=-(1 << 63), maximum=(1 << 63) - 1),
        "stop": {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 200},
                {"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
                {"type": "null"},
            ],
            "default": None,
            "description": "Texts at which to end; the answer ends before them.",
        },
        "stop_token_ids": {
            "type": ["array", "null"],
            "maxItems": 256,
            "items": _ID,
            "default": None,
            "description": "Tokens at which to end; they are written, but have no text.",
        },
        "ignore_eos": _optional(_FLAG, False, "Go on after the token that ends a text."),
        "include_stop_str_in_output": _optional(_FLAG, False, "End after the stop text instead of before it."),
        "n": _optional("integer", 1, "Choices for each prompt.", minimum=1, maximum=MAX_CHOICES),
        "echo": _optional(_FLAG, False, "Begin each choice with its prompt."),
        "logprobs": _optional(
            "integer",
            None,
            "Log probabilities of each token and of so many of the likeliest.",
            minimum=0,
            maximum=_MOST_TOP,
        ),
        "prompt_logprobs": _optional(
            "integer", None, "The same of the prompt's tokens; not while streaming.", minimum=0, maximum=_MOST_TOP
        ),
        "stream": _optional(_FLAG, False, "Send what is written as it is, as server-sent events."),
        "stream_options": {
            "type": ["object", "null"],
            "properties": {"include_usage": {"type": [_FLAG, "null"]}},
            "additionalProperties": False,
            "default": None,
            "description": "include_usage: a last event tells how many tokens there were.",
        },
        "return_token_ids": _optional(_FLAG, False, "Also give prompt_token_ids and token_ids."),
        "return_tokens_as_token_ids": _optional(_FLAG, False, "Name tokens in log probabilities by id: token_id:17."),
        "skip_special_tokens": _optional(_FLAG, False, "Leave special tokens out of the text. Traces need them."),
        "spaces_between_special_tokens": _optional(_FLAG, False, "Accepted; there never are any."),
        "add_special_tokens": _optional(_FLAG, True, "Begin a text prompt with <|begin_of_text|> unless it does already."),
        "cache_salt": _optional("string", None, "Accepted and not used.", maxLength=1000),
        "user": _optional("string", None, "Accepted and not used.", maxLength=1000),
        "suffix": _only(""),
        "best_of": _only(1),
        "top_k": _only(0, -1),
        "min_p": _only(0, 0.0),
        "repetition_penalty": _only(1, 1.0),
        "presence_penalty": _only(0, 0.0),
        "frequency_penalty": _only(0, 0.0),
        "logit_bias": {
            "type": ["object", "null"],
            "properties": {},
            "additionalProperties": False,
            "description": "Not offered.",
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A request that can be answered. Fields as in `COMPLETION`, where they are described."""

    prompts: tuple[list[int], ...]
    n: int
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    """Of the first choice; each further one has the next."""
    stop: tuple[str, ...]
    stop_token_ids: frozenset[int]
    """With the token that ends a text, unless that is ignored."""
    end: int
    """The token that ends a text."""
    include_stop: bool
    echo: bool
    logprobs: int | None
    prompt_logprobs: int | None
    stream: bool
    include_usage: bool
    return_token_ids: bool
    tokens_as_ids: bool
    skip_special_tokens: bool

    @property
    def scores_prompt(self) -> int | None:
        """How many of the likeliest tokens are wanted at each token of the prompt; None: nothing is."""
        wanted = [k for k in (self.prompt_logprobs, self.logprobs if self.echo else None) if k is not None]
        return max(wanted, default=None)


def read_completion(body: Mapping[str, Any], tokenizer: Tokenizer, context: int) -> CompletionRequest:
    """The request that a body makes.

    Raises:
        Problem: 400; it makes none, or one that the model's context of `context` tokens does not hold.

    """
    check(body, COMPLETION, "")
    fields = with_defaults(body, COMPLETION)
    prompts = _prompts(fields["prompt"], tokenizer, add_begin=fields["add_special_tokens"])
    if fields["max_tokens"] is None:
        fields["max_tokens"] = max(1, min(_MAX_TOKENS, context - max(map(len, prompts))))
    _check_sizes(fields, prompts, context)
    stop, end = fields["stop"] or [], tokenizer.id_of(Token.END_OF_TEXT)
    seed = secrets.randbits(62) if fields["seed"] is None else fields["seed"]
    return CompletionRequest(
        prompts=tuple(prompts),
        n=fields["n"],
        max_tokens=fields["max_tokens"],
        temperature=float(fields["temperature"]),
        top_p=float(fields["top_p"]),
        seed=seed,
        stop=tuple([stop] if isinstance(stop, str) else stop),
        stop_token_ids=frozenset([*(fields["stop_token_ids"] or []), *([] if fields["ignore_eos"] else [end])]),
        end=end,
        include_stop=fields["include_stop_str_in_output"],
        echo=fields["echo"],
        logprobs=fields["logprobs"],
        prompt_logprobs=fields["prompt_logprobs"],
        stream=fields["stream"],
        include_usage=bool((fields["stream_options"] or {}).get("include_usage")),
        return_token_ids=fields["return_token_ids"],
        tokens_as_ids=fields["return_tokens_as_token_ids"],
        skip_special_tokens=fields["skip_special_tokens"],
    )


def _check_sizes(fields: Mapping[str, Any], prompts: Sequence[Sequence[int]], context: int) -> None:
    if len(prompts) * fields["n"] > MAX_CHOICES:
        raise Problem(400, f"{len(prompts)} prompts of n={fields['n']} are more than {MAX_CHOICES} choices", param="n")
    longest = max(map(len, prompts))
    if longest + max(1, fields["max_tokens"]) > context:
        raise Problem(
            400,
            f"the context holds {context} tokens; the prompt has {longest}, and max_tokens is {fields['max_tokens']}",
            param="max_tokens" if longest < context else "prompt",
            code="context_length_exceeded",
        )
    if fields["stream"] and fields["prompt_logprobs"] is not None:
        raise Problem(400, "prompt_logprobs are not given while streaming", param="prompt_logprobs")
    if fields["stream_options"] and not fields["stream"]:
        raise Problem(400, "stream_options are of streams only: set stream to true", param="stream_options")


def _prompts(given: Any, tokenizer: Tokenizer, *, add_begin: bool) -> list[list[int]]:
    """Token ids of one prompt or of many."""
    many = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    return [_encoded(one, tokenizer, add_begin) if isinstance(one, str) else _checked(one, tokenizer) for one in many]


def _checked(ids: list[int], tokenizer: Tokenizer) -> list[int]:
    strange = next((i for i in ids if i >= tokenizer.vocab_size), None)
    if strange is not None:
        raise Problem(400, f"there is no token {strange}: the model has {tokenizer.vocab_size}", param="prompt")
    return ids


def _encoded(text: str, tokenizer: Tokenizer, add_begin: bool) -> list[int]:
    segments = from_text(text)
    if add_begin and segments[:1] != [Token.BEGIN_OF_TEXT]:
        segments.insert(0, Token.BEGIN_OF_TEXT)
    try:
        return tokenizer.encode(segments)
    except ForetraceError as error:
        raise Problem(400, str(error), param="prompt") from error
