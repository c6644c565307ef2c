"""What a model writes on its own while it learns: held-out documents, continued from their prompts, and the real ones.

A loss given the true past says little of a model that lives with its own mistakes. Here only the prompt is given.

    records, shares = predict_samples(greedy(model), tokenizer, documents, max_tokens=256)
    records[0]["sample"]["first_difference"]    # {"at": 3, "predicted": "line  return n  n = 3", "real": …}
    shares                                      # {"sample_exact_frames": 0.81, "sample_exact": 0.5}
"""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch

from foretrace.data.kinds import Kind
from foretrace.data.shards import Document
from foretrace.data.special import ChatToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.model.decode import Cache, advance
from foretrace.model.transformer import CausalLM
from foretrace.trace import EVENT_TOKENS, Segment, Token, to_text

SAMPLES = "samples.jsonl"
"""File of a run's folder."""

Generate = Callable[[Sequence[int], int, Collection[int]], list[int]]
"""Of a prompt's ids, at most so many that follow, up to the first that is in a collection, itself included."""

_ENDS = (Token.END_OF_TEXT, ChatToken.END_OF_TURN)
_EVENTS: dict[Segment, str] = {token: event.value for event, token in EVENT_TOKENS.items()}
_UNCHANGED = ".."


def greedy(model: CausalLM) -> Generate:
    """The likeliest token each time, with a cache; under autocast, if that is on."""

    @torch.no_grad()
    def generate(prompt: Sequence[int], max_tokens: int, stop: Collection[int]) -> list[int]:
        room = model.config.max_position_embeddings - len(prompt)
        cache, written = Cache(model.config), list[int]()
        tokens = torch.tensor([list(prompt)], device=next(model.parameters()).device)
        while len(written) < min(max_tokens, room) and not (written and written[-1] in stop):
            tokens = model.logits(advance(model, tokens, cache)[:, -1]).argmax(-1)[:, None]
            written.append(int(tokens))
        return written

    return generate


def predict_samples(
    generate: Generate, tokenizer: Tokenizer, documents: Sequence[Document], max_tokens: int
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Continues `documents` by `max_tokens` at most.

    Returns:
        A record a document for `samples.jsonl`, and numbers for `metrics.jsonl`: the share of real frames (lines, in a
        document that is no trace) at whose place the same one was predicted, and of documents without a mistake.

    """
    stop = {tokenizer.id_of(end) for end in _ENDS if end in tokenizer.specials}
    records, hits = [], list[list[bool]]()
    for document in documents:
        ids = document.tokens.tolist()
        start = _prompt_length(tokenizer, document)
        real = _until(ids[start : start + max_tokens], stop)
        ours = _steps(tokenizer.decode(generate(ids[:start], len(real), stop)))
        theirs = _steps(tokenizer.decode(real))
        if len(real) == max_tokens and real[-1] not in stop:
            theirs = theirs[:-1] or theirs  # a last one that the limit may have cut
        hits.append([at < len(ours) and ours[at] == step for at, step in enumerate(theirs)])
        records.append({"sample": _compare(to_text(tokenizer.decode(ids[:start])), ours, theirs, hits[-1])})
    frames = [hit for document_hits in hits for hit in document_hits]
    exact = [all(document_hits) for document_hits in hits]
    return records, {"sample_exact_frames": float(np.mean(frames)), "sample_exact": float(np.mean(exact))}


def _compare(
    prompt: str, ours: Sequence[Sequence[Segment]], theirs: Sequence[Sequence[Segment]], hits: Sequence[bool]
) -> dict[str, Any]:
    predicted, real = ([_readable(step) for step in steps] for steps in (ours, theirs))
    difference = None
    if not all(hits):
        at = hits.index(False)
        difference = {"at": at, "predicted": predicted[at] if at < len(predicted) else None, "real": real[at]}
    return {"prompt": prompt, "predicted": predicted, "real": real, "first_difference": difference}


def _prompt_length(tokenizer: Tokenizer, document: Document) -> int:
    """Tokens that are given: all before the first prediction; of a trace the first call frame, even where the context
    is learnt, too; of a text that has no prompt its first half.
    """
    ids = document.tokens.tolist()
    start = int(np.argmax(document.kinds != Kind.PROMPT))
    call, end = (tokenizer.specials.get(token) for token in (Token.CALL_SEP, Token.FRAME_SEP))
    if call in ids and end in ids[ids.index(call) :]:
        start = max(start, ids.index(end, ids.index(call)) + 1)
    return start if start > 1 else len(ids) // 2


def _until(ids: list[int], stop: Collection[int]) -> list[int]:
    return ids[: next((at + 1 for at, i in enumerate(ids) if i in stop), len(ids))]


def _steps(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Frames of a trace, or lines of a text; what is left at the end is a step, too."""
    steps: list[list[Segment]] = [[]]
    is_trace = any(segment in _EVENTS for segment in segments)
    for segment in segments:
        pieces = [segment] if is_trace or segment in _ENDS else segment.splitlines(keepends=True)
        for piece in pieces:
            steps[-1].append(piece)
            if piece == Token.FRAME_SEP or (not is_trace and piece.endswith("\n")):
                steps.append([])
    return steps if steps[-1] else steps[:-1]


def _readable(step: Sequence[Segment]) -> str:
    """A frame as `line  n += 1  n = 2`; anything else as the text that it is."""
    match step:
        case [Token.CALL_SEP | Token.LINE_SEP as event, state, Token.ACTION_SEP, source, Token.FRAME_SEP]:
            return f"{_EVENTS[event]}  {source.strip()}  {_state(state)}".rstrip()
        case [
            Token.RETURN_SEP | Token.EXCEPTION_SEP as event,
            Token.ACTION_SEP,
            source,
            Token.ARG_SEP,
            value,
            Token.FRAME_SEP,
        ]:
            return f"{_EVENTS[event]}  {source.strip()}  {_value(value)}"
    return to_text(step).rstrip("\n")


def _state(text: str) -> str:
    """`{"n": "2", "m": ".."}` as `n = 2`: what has not changed is left out."""
    try:
        return ", ".join(f"{name} = {value}" for name, value in json.loads(text).items() if value != _UNCHANGED)
    except (ValueError, AttributeError):
        return text


def _value(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text
