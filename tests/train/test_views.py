"""Views of executions: what is cut from a known trace, and what is not."""

import numpy as np
import pytest

from foretrace.data.render import render, render_text
from foretrace.data.tokenizer import Tokenizer
from foretrace.record.program import record_program
from foretrace.trace import Limits, Trace, to_text
from foretrace.train.views import CUTS, Ids, Pair

SMALL = Tokenizer.train([], vocab_size=700)


@pytest.fixture(params=["small", "bpe"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param == "small":
        return SMALL
    pytest.importorskip("tokenizers")
    return Tokenizer.train(["for x in range(3): return x + 1\n"] * 3, vocab_size=400, kind="bpe")


def traced(source: str, arguments: str, **limits: int) -> Trace:
    return record_program(source, "f", arguments, Limits(**limits))


def ids(tokenizer: Tokenizer, trace: Trace) -> Ids:
    document = render(tokenizer, trace)
    assert document is not None
    return document.tokens.astype(np.int64)


def cut(views: str, tokenizer: Tokenizer, trace: Trace) -> list[tuple[str, str]]:
    """The pairs of a trace, as text."""
    tokens = ids(tokenizer, trace)
    pairs = CUTS[views](tokens, tokenizer)
    texts = [to_text(tokenizer.decode(tokens[view].tolist())) for pair in pairs for view in pair]
    return list(zip(texts[::2], texts[1::2], strict=True))


LOOP = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
MARKED = LOOP.replace("def f(n):", "def f(n):  # << START_OF_TRACE", 1)


def test_a_call_is_paired_with_its_result(tokenizer: Tokenizer) -> None:
    [(given, wanted)] = cut("call-result", tokenizer, traced(LOOP, "2"))
    first = '<|call_sep|>{"n": "2"}<|action_sep|>def f(n):\n<|frame_sep|>'
    assert given == f"<|begin_of_text|><|trace_context_start|>{MARKED}<|frame_sep|>{first}"
    assert wanted == '<|arg_sep|>"1"<|frame_sep|>'


def test_what_a_call_raised_is_its_result_too(tokenizer: Tokenizer) -> None:
    [(_, wanted)] = cut("call-result", tokenizer, traced("def f(n):\n    return 1 // n\n", "0"))
    assert wanted.startswith("<|arg_sep|>")
    assert "division" in wanted or "ZeroDivision" in wanted


def test_a_trace_that_was_cut_off_has_no_result() -> None:
    trace = traced(
        "def g(n):\n    return n\n\ndef f(n):\n    while g(n):\n        n += 1\n    return n\n", "1", max_events=20
    )
    assert cut("call-result", SMALL, trace) == []


@pytest.mark.parametrize("views", CUTS)
def test_what_is_no_whole_trace_has_no_views(views: str) -> None:
    [text] = render_text(SMALL, LOOP, 4096)
    assert CUTS[views](text.tokens.astype(np.int64), SMALL) == []
    assert CUTS[views](np.zeros(1, np.int64), SMALL) == []
    tokens = ids(SMALL, traced(LOOP, "2"))
    for start, stop in ((5, None), (0, 20), (0, 60)):
        assert views == "next-state" or CUTS[views](tokens[start:stop], SMALL) == []


def test_each_line_that_changes_something_is_paired_with_what_is_after_it(tokenizer: Tokenizer) -> None:
    pairs = cut("next-state", tokenizer, traced(LOOP, "2"))
    after = ['{"n": "..", "total": "0"}', '{"n": "..", "total": "..", "i": "0"}', '{"n": "..", "total": "..", "i": "1"}']
    # total += 0 changes nothing
    after += ['{"n": "..", "total": "1", "i": ".."}']
    assert [wanted for _, wanted in pairs] == [f"<|line_sep|>{text}<|action_sep|>" for text in after]
    call = '<|call_sep|>{"n": "2"}<|action_sep|>def f(n):\n<|frame_sep|>'
    line = '<|line_sep|>{"n": ".."}<|action_sep|>    total = 0\n<|frame_sep|>'
    assert pairs[0][0] == call + line
    assert all(given.startswith(pairs[i][0]) for i, (given, _) in enumerate(pairs[1:]))


NESTED = """def g(x):
    y = x + 1
    return y

def f(n):
    a = n
    b = g(a)
    c = b * 2
    return c
"""


def test_a_state_is_never_paired_across_scopes(tokenizer: Tokenizer) -> None:
    pairs = cut("next-state", tokenizer, traced(NESTED, "3"))
    states = [wanted.removeprefix("<|line_sep|>").removesuffix("<|action_sep|>") for _, wanted in pairs]
    assert states == ['{"n": "..", "a": "3"}', '{"x": "..", "y": "4"}', '{"n": "..", "a": "..", "b": "..", "c": "8"}']
    starts = [given.split("<|action_sep|>")[0] for given, _ in pairs]
    assert starts == ['<|call_sep|>{"n": "3"}', '<|call_sep|>{"x": "3"}', '<|line_sep|>{"n": "3", "a": "3", "b": "4"}']


def test_after_an_exception_nothing_is_cut_until_the_scope_is_known_again() -> None:
    source = "def f(n):\n    try:\n        n = n // 0\n    except ZeroDivisionError:\n        n = 7\n        m = 8\n    return n\n"
    assert cut("next-state", SMALL, traced(source, "3")) == []


def test_a_text_that_looks_like_the_wire_is_not_taken_for_it() -> None:
    source = "def f(s):\n    t = s\n    u = 1\n    pass\n    return t\n"
    trace = traced(source, repr('": "..", "<|frame_sep|><|arg_sep|>'))
    [(_, first), (_, second)] = cut("next-state", SMALL, trace)
    assert '"t": ' in first
    assert '"u": "1"' in second
    assert len(cut("call-result", SMALL, trace)) == 1


def test_views_are_stretches_of_the_document() -> None:
    for views, function in CUTS.items():
        tokens = ids(SMALL, traced(NESTED, "3"))
        pairs = function(tokens, SMALL)
        assert pairs, views
        for pair in pairs:
            assert isinstance(pair, Pair)
            assert all(0 <= view.start < view.stop <= len(tokens) for view in pair)
