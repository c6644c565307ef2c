"""Documents: the kinds of a known trace token by token; what is too long; texts, narrations."""

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from foretrace.data.kinds import Kind
from foretrace.data.render import render, render_narration, render_text
from foretrace.data.shards import Document
from foretrace.data.small import SmallTokenizer
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import FormatError
from foretrace.record import record_program
from foretrace.record.narrate import narrate
from foretrace.trace import Limits, Token, Trace, binary_to_wire, from_text, to_binary, to_segments

TOKENIZER = Tokenizer.load(packaged_checkpoints()["tiny"])
SOURCE = (
    "def f(d, k):\n    try:\n        return d[k]\n    except KeyError:\n        return g(k)\ndef g(x):\n    return x + 1\n"
)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record_program(SOURCE, "f", "{1: 2}, 3")


def runs(document: Document) -> list[tuple[str, str]]:
    """Neighbouring tokens of one kind, as text."""
    bounds = [0, *(np.flatnonzero(np.diff(document.kinds)) + 1).tolist(), len(document)]
    tokens = document.tokens.tolist()
    return [
        (Kind(document.kinds[start]).name, "".join(TOKENIZER.decode(tokens[start:end]))) for start, end in pairwise(bounds)
    ]


FRAMES = [
    ("EVENT", "<|line_sep|>"),
    ("LOCALS", '{"d": "..", "k": ".."}'),
    ("EVENT", "<|action_sep|>"),
    ("SOURCE", "    try:\n"),
    ("EVENT", "<|frame_sep|><|line_sep|>"),
    ("LOCALS", '{"d": "..", "k": ".."}'),
    ("EVENT", "<|action_sep|>"),
    ("SOURCE", "        return d[k]\n"),
    ("EVENT", "<|frame_sep|><|exception_sep|><|action_sep|>"),
    ("SOURCE", "        return d[k]\n"),
    ("EVENT", "<|arg_sep|>"),
    ("VALUE", '"KeyError(3)"'),
    ("EVENT", "<|frame_sep|><|line_sep|>"),
    ("LOCALS", '{"d": "..", "k": ".."}'),
    ("EVENT", "<|action_sep|>"),
    ("SOURCE", "    except KeyError:\n"),
    ("EVENT", "<|frame_sep|><|line_sep|>"),
    ("LOCALS", '{"d": "..", "k": ".."}'),
    ("EVENT", "<|action_sep|>"),
    ("SOURCE", "        return g(k)\n"),
    ("EVENT", "<|frame_sep|><|call_sep|>"),
    ("LOCALS", '{"x": "3"}'),
    ("EVENT", "<|action_sep|>"),
    ("SOURCE", "def g(x):\n"),
    ("EVENT", "<|frame_sep|><|line_sep|>"),
    ("LOCALS", '{"x": ".."}'),
    ("EVENT", "<|action_sep|>"),
    ("SOURCE", "    return x + 1\n"),
    ("EVENT", "<|frame_sep|><|return_sep|><|action_sep|>"),
    ("SOURCE", "    return x + 1\n"),
    ("EVENT", "<|arg_sep|>"),
    ("VALUE", '"4"'),
    ("EVENT", "<|frame_sep|><|return_sep|><|action_sep|>"),
    ("SOURCE", "        return g(k)\n"),
    ("EVENT", "<|arg_sep|>"),
    ("VALUE", '"4"'),
    ("EVENT", "<|frame_sep|><|end_of_text|>"),
]
MARKED = SOURCE.replace("k):\n", "k):  # << START_OF_TRACE\n", 1)
CALL = ("LOCALS", '{"d": "{1: 2}", "k": "3"}')


def test_kinds_of_a_trace(trace: Trace) -> None:
    prompt = (
        f"<|begin_of_text|><|trace_context_start|>{MARKED}<|frame_sep|><|call_sep|>{CALL[1]}<|action_sep|>def f(d, k):\n"
    )
    document = render(TOKENIZER, trace)
    assert document is not None
    assert runs(document) == [("PROMPT", prompt + "<|frame_sep|>"), *FRAMES]
    assert document.tokens.dtype == np.uint16
    assert document.tokens.tolist() == TOKENIZER.encode(to_segments(trace))


def test_kinds_of_a_trace_whose_context_is_learnt(trace: Trace) -> None:
    document = render(TOKENIZER, trace, context=True)
    assert document is not None
    assert runs(document) == [
        ("PROMPT", "<|begin_of_text|>"),
        ("EVENT", "<|trace_context_start|>"),
        ("TEXT", MARKED),
        ("EVENT", "<|frame_sep|><|call_sep|>"),
        CALL,
        ("EVENT", "<|action_sep|>"),
        ("SOURCE", "def f(d, k):\n"),
        ("EVENT", "<|frame_sep|><|line_sep|>"),
        *FRAMES[1:],
    ]


def test_a_trace_and_its_binary_form_give_the_same(trace: Trace) -> None:
    document = render(TOKENIZER, trace)
    again = render(TOKENIZER, from_text(binary_to_wire(to_binary([trace])).decode()))
    assert document is not None
    assert again is not None
    assert (again.tokens == document.tokens).all()
    assert (again.kinds == document.kinds).all()


def test_what_is_too_long_is_dropped(trace: Trace) -> None:
    document = render(TOKENIZER, trace)
    assert document is not None
    assert render(TOKENIZER, trace, len(document)) is not None
    assert render(TOKENIZER, trace, len(document) - 1) is None


def test_a_literal_special_token_in_a_program_is_text() -> None:
    source = "def f():\n    return '<|frame_sep|><|end_of_text|>'\n"
    document = render(TOKENIZER, record_program(source, "f", ""))
    assert document is not None
    assert document.tokens.tolist().count(TOKENIZER.id_of(Token.END_OF_TEXT)) == 1
    assert ("VALUE", "\"'<|frame_sep|><|end_of_text|>'\"") in runs(document)


def test_a_trace_that_was_cut_has_no_end() -> None:
    trace = record_program("def f():\n    while True:\n        pass\n", "f", "", Limits(max_events=5))
    document = render(TOKENIZER, trace)
    assert document is not None
    assert document.tokens[-1] == TOKENIZER.id_of(Token.FRAME_SEP)


def test_what_is_no_trace_is_a_clear_error() -> None:
    with pytest.raises(FormatError, match="call frame"):
        render(TOKENIZER, [Token.BEGIN_OF_TEXT, Token.TRACE_CONTEXT_START, "x = 1", Token.FRAME_SEP])


def test_a_large_vocabulary_has_wider_ids(trace: Trace) -> None:
    letters = [chr(i) for i in range(ord("a"), ord("z") + 1)]
    wide = SmallTokenizer(["".join(word) for word in product(letters, letters, letters, "abcd")])
    document = render(wide, trace)
    assert document is not None
    assert document.tokens.dtype == np.uint32


def test_a_narration(trace: Trace) -> None:
    narration = narrate(trace)
    document = render_narration(TOKENIZER, SOURCE, narration)
    assert document is not None
    assert runs(document) == [
        ("PROMPT", f"<|begin_of_text|>```python\n{SOURCE}```\n\n"),
        ("TEXT", narration + "<|end_of_text|>"),
    ]
    assert render_narration(TOKENIZER, SOURCE, narration, len(document) - 1) is None
    learnt = render_narration(TOKENIZER, "s = '''```'''\n", narration, context=True)
    assert learnt is not None
    assert runs(learnt)[1] == ("TEXT", f"````python\ns = '''```'''\n````\n\n{narration}<|end_of_text|>")


def test_a_text() -> None:
    [document] = render_text(TOKENIZER, "x = 12")
    assert runs(document) == [("PROMPT", "<|begin_of_text|>"), ("TEXT", "x = 12<|end_of_text|>")]


@pytest.mark.parametrize("size", [2, 3, 7, 100])
def test_a_long_text_is_cut_into_pieces(size: int) -> None:
    text = Path(__file__).read_text()[:500]
    [whole] = render_text(TOKENIZER, text)
    pieces = render_text(TOKENIZER, text, size)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(piece.kinds[0] == Kind.PROMPT and (piece.kinds[1:] == Kind.TEXT).all() for piece in pieces)
    joined = np.concatenate([piece.tokens for piece in pieces])
    assert len(whole) - len(joined) <= 1  # a last token alone would be predicted from nothing
    assert (joined == whole.tokens[: len(joined)]).all()
