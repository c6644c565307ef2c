"""Other whole values that a model held possible, most likely first.

A best-first search over tokens: the likeliest unfinished text is extended by each of its likeliest next tokens, until enough
values have ended. The probability of a text only falls as it grows, so what ends first is the likeliest.

    other_values(engine, prompt, known, frame, "n", count=3)      # [Alternative(text='3', probability=0.31), …]
"""

import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as counter
from math import exp

from foretrace.engine.steps import REST_OF_STRING, FrameReader, extended, previous_state
from foretrace.engine.types import Engine, Prompt
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame, frame_segments
from foretrace.trace.wire import UNCHANGED, _undotted

MOST_QUESTIONS = 256
"""Next tokens that one search asks for at most."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A value that could stand where another does."""

    text: str
    probability: float


def other_values(
    engine: Engine, prompt: Prompt, known: Sequence[Frame], frame: Frame, name: str, count: int
) -> list[Alternative]:
    """At most `count` other values of the local `name` of a frame, or, if that is empty, of what it returns or raises.

    Args:
        engine: is asked for next tokens, at most `MOST_QUESTIONS` times.
        prompt, known: what the frame follows.
        frame: its event is taken as given, and what stands in it before the value.
        name: of a local.
        count: how many.

    Raises:
        UsageError: the frame has no such local.

    """
    tokenizer = engine.tokenizer
    *_, segments = frame_segments([*known, frame])
    ids = tokenizer.encode(segments)
    _, places = FrameReader(tokenizer).places(ids)
    if name not in places:
        there = ", ".join(map(repr, places)) or "none"
        raise UsageError(f"the frame at line {frame.line} has no value called {name!r}; those it has: {there}")
    place = places[name]
    own = frame.value if frame.locals is None else frame.locals[name]
    before = previous_state(known, len(known), frame.depth).get(name) if frame.event is Event.LINE else None
    found: dict[str, float] = {}
    start = [*tokenizer.encode(extended(prompt, known).segments), *ids[: place.tokens.start]]
    for text, probability in _whole_texts(engine, start, place.lead, count + 2):
        if name:
            text = before if text == UNCHANGED and before is not None else _undotted(text)
        if text != own:
            found[text] = found.get(text, 0.0) + probability  # one text can be written in several ways
        if len(found) >= count:
            break
    return [Alternative(text, share) for text, share in sorted(found.items(), key=lambda item: -item[1])]


def _whole_texts(engine: Engine, start: list[int], lead: bytes, width: int) -> Iterator[tuple[str, float]]:
    """Texts of JSON strings that can follow `start` and, after it, the bytes `lead`, likeliest first, with probabilities."""
    special = frozenset(engine.tokenizer.specials.values())
    order, questions = counter(), 0
    waiting: list[tuple[float, int, list[int], bytes]] = [(0.0, next(order), [], b"")]
    while waiting:
        cost, _, tokens, written = heapq.heappop(waiting)
        if whole := REST_OF_STRING.match(written, len(lead)) if len(written) > len(lead) else None:
            try:
                yield json.loads(b'"' + whole[0]), exp(-cost)
            except ValueError:
                pass  # no value: an escape that JSON lacks, or a piece of a character
            continue
        if questions == MOST_QUESTIONS:
            continue  # what has ended already may still come
        questions += 1
        for token, logprob in engine.top_next([*start, *tokens], width):
            longer = written + engine.tokenizer.spelling(token)
            agrees = longer.startswith(lead) or lead.startswith(longer)
            if token not in special and agrees and longer != written:
                heapq.heappush(waiting, (cost - logprob, next(order), [*tokens, token], longer))
