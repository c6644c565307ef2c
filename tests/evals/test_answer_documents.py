"""Predicted traces as answers: what is read from documents, honest or not."""

import random

import pytest

from foretrace.engine import build_prompt
from foretrace.evals.benchmarks.fidelity import FIDELITY, HISTORY, item_of
from foretrace.evals.benchmarks.halting import HALTING
from foretrace.evals.benchmarks.probes import PROBES
from foretrace.evals.documents import frames_of, prompt_of, read_result, read_trace, write_result
from foretrace.evals.types import Item, Setting
from foretrace.record import record_program
from foretrace.trace import Outcome, Token, to_segments, to_text

SOURCE = "def f(n):\n    if n:\n        n = g(n)\n    return n\n\ndef g(n):\n    return n - 1\n"
REAL = record_program(SOURCE, "f", "3")
DOCUMENT = to_text(to_segments(REAL))
END = Token.END_OF_TEXT.value


def test_a_document_is_read_as_the_trace_it_was() -> None:
    trace = read_trace(DOCUMENT, build_prompt(SOURCE, "f", "3"))
    assert trace is not None
    assert (trace.frames, trace.header.outcome, trace.result) == (REAL.frames, Outcome.RETURNED, "2")
    assert read_trace(DOCUMENT, build_prompt(SOURCE, "f", "4")) is None  # of another call
    assert read_trace(DOCUMENT.replace("n - 1", "n - 2"), build_prompt(SOURCE, "f", "3")) is None
    assert prompt_of(REAL).segments == build_prompt(SOURCE, "f", "3").segments


def test_the_end_of_an_inner_call_is_no_end() -> None:
    frames = frames_of(DOCUMENT)
    inner = next(at for at, frame in enumerate(frames) if frame[0] is Token.RETURN_SEP)
    cut = DOCUMENT.split(Token.FRAME_SEP.value)
    text = Token.FRAME_SEP.value.join(cut[: inner + 2]) + Token.FRAME_SEP.value + END
    assert read_result(text) is None
    assert read_trace(text).header.detail.startswith("format")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value", ["'bca'", "[1, {2: 'x'}]", "'<|end_of_text|>'", "'…\\ud800'", '"\\\\"', "", "..", "'a\\nb'"]
)
def test_what_a_control_says_is_read(value: str) -> None:
    assert read_result(write_result(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8",
        END,
        DOCUMENT.removesuffix(END),  # never said to have ended
        DOCUMENT.replace('"2"', '{"a": 1}'),
        DOCUMENT.replace('"2"', "[" * 100_000),
        DOCUMENT.replace(Token.BEGIN_OF_TEXT.value, ""),
        "x" * 5_000_000,
        f"<|begin_of_text|><|trace_context_start|>{'(' * 5000}<|frame_sep|>{END}",
        "<|begin_of_text|><|trace_context_start|>def f():  # << START_OF_TRACE\n<|frame_sep|><|return_sep|>" + END,
    ],
)
def test_what_tells_no_result_has_none(text: str) -> None:
    assert read_result(text) is None


def test_noise_is_read_without_harm() -> None:
    rng = random.Random(0)
    tokens = [token.value for token in Token]
    for _ in range(300):
        at, length = rng.randrange(len(DOCUMENT)), rng.randrange(40)
        noise = rng.choice(("", rng.choice(tokens), '"', "{}", "\\", "\x00", "…"))
        text = DOCUMENT[:at] + noise + DOCUMENT[at + length :]
        trace = read_trace(text)
        assert trace is None or trace.frames
        frames_of(text)


LINE = '<|line_sep|>{"n": "3"}<|action_sep|>    if n:\n<|frame_sep|>'


@pytest.mark.parametrize(
    "rest",
    [
        LINE * 3000,  # for ever at one line
        LINE.replace("    if n:", "nowhere") * 3000,
        '<|call_sep|>{"n": "3"}<|action_sep|>def f(n):\n<|frame_sep|>' * 3000,
        LINE.replace('"3"', f'"{"(" * 50_000}"'),
        LINE.replace('{"n": "3"}', "{" + ",".join(f'"v{at}": "{at}"' for at in range(5000)) + "}"),
        "<|frame_sep|>" * 5000,
        '<|return_sep|><|action_sep|>    return n\n<|arg_sep|>"2"<|frame_sep|>' + LINE + END,
    ],
)
def test_hostile_documents_win_nothing(rest: str) -> None:
    """The beginning is the right one, so that all of it is read."""
    text = to_text(build_prompt(SOURCE, "f", "3").segments) + rest
    row = {"source": SOURCE, "entry": "f", "arguments": "3"}
    probe = {"kind": "output", "line": 0, "time": 0, "variable": ""}
    asked = (
        (FIDELITY, item_of("x", REAL)),
        (HISTORY, item_of("x", REAL)),
        (HALTING, Item(id="x", row=row | {"ends": True, "proof": ""})),
        (PROBES, Item(id="x", row=row | {"probe": probe, "answer": "2"})),
    )
    for benchmark, item in asked:
        with benchmark.scorer(Setting(isolation="process")) as score:
            verdict = score(item, text)
        assert (verdict.strict, verdict.official) == (False, False), benchmark.name
