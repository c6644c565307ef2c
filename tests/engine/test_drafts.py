"""Drafts: what is foreseen of a trace, and that no text whatever upsets the drafter."""

import json
from dataclasses import replace

import numpy as np
import pytest

from foretrace.corpus import synthesise
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Prompt, build_prompt
from foretrace.engine.drafts import Recall, TraceDrafter, rest_of_locals, rest_of_value
from foretrace.engine.guesses import UNKNOWN, Text
from foretrace.errors import ForetraceError
from foretrace.record import record_program
from foretrace.trace import Limits, Segment, Token, Trace, to_segments

TOKENIZER = Tokenizer.train([], vocab_size=800)
LOOP = "def f(xs):\n    n = 0\n    for x in xs:\n        n = g(n, x)\n    return n\n\ndef g(a, b):\n    c = a\n    c += b\n    return c\n"


def unforeseen(source: str, arguments: str, limit: int = 12) -> list[list[Segment]]:
    """What of a real trace each pass had to find out by itself: the token after the accepted part of each draft."""
    trace = record_program(source, "f", arguments)
    prompt = build_prompt(source, "f", arguments)
    rest = TOKENIZER.encode(to_segments(trace))[len(TOKENIZER.encode(prompt.segments)) :]
    drafter, found, at = TraceDrafter(TOKENIZER, prompt), [], 0
    while at < len(rest):
        draft = list(drafter.propose(limit))
        assert len(draft) <= limit
        accepted = next((i for i, token in enumerate(draft) if at + i >= len(rest) or token != rest[at + i]), len(draft))
        new = rest[at : at + accepted + 1]
        if accepted < limit:
            found.append(TOKENIZER.decode(new[-1:]))
        for token in new:
            drafter.advance(token)
        at += len(new)
    return found


def test_a_loop_over_known_items_is_foreseen_but_for_what_must_be_computed() -> None:
    hard = [s for [s] in unforeseen(LOOP, "[3, 5, 8]") if not isinstance(s, Token)]
    assert len(hard) <= 10  # the sums 3, 8 and 16, and what first is new: the call and its arguments
    assert {"3", "8"} <= set("".join(hard))


def test_straight_lines_are_foreseen_whole() -> None:
    source = "def f(a, b):\n    c = b\n    d = a\n    e = 'text'\n    return e\n"
    hard = [s for [s] in unforeseen(source, "1, [2]", limit=1000)]
    assert hard == [*[Token.LINE_SEP] * 3, Token.RETURN_SEP, Token.END_OF_TEXT]  # one pass a frame: the event of the next


def test_a_loop_that_has_no_more_items_is_seen_from_its_variable() -> None:
    source = "def f(xs):\n    for x in xs.values():\n        pass\n    return 1\n"
    assert "return " not in [s for [s] in unforeseen(source, "{1: 2, 3: 4}")]


def true_traces() -> list[tuple[str, str, Trace]]:
    found = []
    for seed in range(21_000_000, 21_000_080):
        program = synthesise(seed)
        if program.entry == "f":
            try:
                trace = record_program(program.source, "f", program.arguments, Limits(seconds=1, max_events=100))
            except ForetraceError:
                continue
            found.append((program.source, program.arguments, trace))
    return found


def test_most_of_true_traces_is_foreseen() -> None:
    tokens = passes = proposed = 0
    for source, arguments, trace in true_traces():
        prompt = build_prompt(source, "f", arguments)
        rest = TOKENIZER.encode(to_segments(trace))[len(TOKENIZER.encode(prompt.segments)) :]
        drafter, at = TraceDrafter(TOKENIZER, prompt), 0
        while at < len(rest):
            draft = list(drafter.propose(12))
            accepted = next((i for i, t in enumerate(draft) if at + i >= len(rest) or t != rest[at + i]), len(draft))
            for token in rest[at : at + accepted + 1]:
                drafter.advance(token)
            at, passes, proposed = at + accepted + 1, passes + 1, proposed + len(draft)
        tokens += len(rest)
    assert tokens / passes > 7.5
    assert (proposed + passes) / tokens < 1.12


def test_any_text_can_be_followed() -> None:
    rng = np.random.default_rng(3)
    for source, arguments, trace in true_traces()[:20]:
        prompt = build_prompt(source, "f", arguments)
        rest = TOKENIZER.encode(to_segments(trace))[len(TOKENIZER.encode(prompt.segments)) :]
        for noise in (0.02, 0.3):
            drafter = TraceDrafter(TOKENIZER, prompt)
            specials = len(TOKENIZER.specials)
            for token in rest[:200]:
                assert all(0 <= t < TOKENIZER.vocab_size for t in drafter.propose(8))
                strange = int(rng.integers(0, TOKENIZER.vocab_size if rng.random() < 0.5 else specials))
                drafter.advance(strange if rng.random() < noise else token)


def test_a_drafter_goes_on_where_its_frames_end() -> None:
    trace = record_program(LOOP, "f", "[3, 5]")
    prompt = build_prompt(LOOP, "f", "[3, 5]")
    ids = TOKENIZER.encode(to_segments(trace))
    followed = TraceDrafter(TOKENIZER, prompt)
    for token in ids[len(TOKENIZER.encode(prompt.segments)) :][:400]:
        followed.advance(token)
        frames = len(followed._follower.parser.frames)
        if token == TOKENIZER.id_of(Token.FRAME_SEP):
            known = with_frames(LOOP, trace, frames)
            assert TraceDrafter(TOKENIZER, known).propose(1000) == followed.propose(1000)


def with_frames(source: str, trace: Trace, count: int) -> Prompt:
    segments = to_segments(trace)
    ends = [i for i, s in enumerate(segments) if s is Token.FRAME_SEP]
    prompt = build_prompt(source, "f", "[3, 5]")
    return replace(prompt, frames=trace.frames[:count], segments=tuple(segments[: ends[count] + 1]))


NAMES = {"a": Text("..", True), "b": UNKNOWN, "c": Text("[1, ", False), "d": Text("'x\\n'", True)}


@pytest.mark.parametrize(
    ("written", "rest", "ends"),
    [
        ("", '{"a": "..", "b": "', False),
        ("{", '"a": "..", "b": "', False),
        ('{"', 'a": "..", "b": "', False),
        ('{"a": "..", "b": "7', '", "c": "[1, ', False),
        ('{"a": "..", "b": "\'', "", False),
        ('{"a": "..", "b": "\'q\'', '", "c": "[1, ', False),
        ('{"a": "..", "b": "..", "c": "[1, 2', "", False),
        ('{"a": "..", "b": "..", "c": "[1, 2]', '", "d": "\'x\\\\n\'"}', True),
        ('{"a": "..", "b": "..", "c": "[', "1, ", False),
        ('{"a": "..", "b": "..", "c": "[]"', ', "d": "\'x\\\\n\'"}', True),
        ('{"a": "..", "c": "', "[1, ", False),
        ('{"new": "3', '", "a": "..", "b": "', False),
        ('{"d": "..', '"}', True),
        ('{"d": ".."', "}", True),
        ('{"z', "", False),
        ("no json", "", False),
    ],
)
def test_the_rest_of_locals(written: str, rest: str, ends: bool) -> None:
    assert rest_of_locals(written, NAMES, {}) == (rest, ends)
    if ends:
        json.loads(written + rest)


def test_a_number_is_whole_when_it_is_as_long_as_before() -> None:
    assert rest_of_value("12", UNKNOWN, before="117") == ("", False)
    assert rest_of_value("123", UNKNOWN, before="117") == ('"', True)
    assert rest_of_locals("", {}, {}) == ("{}", True)


def test_what_followed_before_is_recalled_as_far_as_it_agreed() -> None:
    recall = Recall([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2])
    assert recall.continuation(10) == [3, 4]
    for token in (3, 4):
        recall.add(token)
    assert recall.continuation(10) == [5, 6, 7, 8]
    assert recall.continuation(3) == [5, 6, 7]
    recall.add(50)
    assert recall.continuation(3) == ()
