"""The wire format: CWM's bytes exactly, and the inverse on hostile text."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.errors import FormatError
from foretrace.record import record_program
from foretrace.trace import (
    Event,
    Frame,
    Header,
    Limits,
    Outcome,
    Token,
    Trace,
    from_segments,
    from_text,
    to_segments,
    to_text,
)

HOSTILE = st.text(
    st.sampled_from(list("<|>\\_frame sepat.'\"{}:,\n\0é\ud800")) | st.characters(), max_size=30
) | st.sampled_from(
    [
        "<|frame_sep|>",
        "<\\|frame_sep|>",
        "<\\\\|end_of_text|>",
        "..",
        '{"a": ".."}',
        "  # << START_OF_TRACE",
        "  # << START_OF_TRACE\\",
        "....",
    ]
)
LINE = HOSTILE.map(lambda text: text.replace("\n", ""))


def document(source: str, entry: str, arguments: str) -> str:
    return to_text(to_segments(record_program(source, entry, arguments)))


def test_the_example_of_the_report_comes_out_exactly() -> None:
    source = "def f(a,b):\n    y = a\n    for i in range(b):\n        y += y * i\n    return y\n\ndef main():\n    return f(1,3)\n"
    expected = (
        "<|begin_of_text|><|trace_context_start|>"
        + source.replace("def main():", "def main():  # << START_OF_TRACE")
        + "<|frame_sep|>"
        + "<|call_sep|>{}<|action_sep|>def main():\n<|frame_sep|>"
        + "<|line_sep|>{}<|action_sep|>    return f(1,3)\n<|frame_sep|>"
        + '<|call_sep|>{"a": "1", "b": "3"}<|action_sep|>def f(a,b):\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": ".."}<|action_sep|>    y = a\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "1"}<|action_sep|>    for i in range(b):\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "..", "i": "0"}<|action_sep|>        y += y * i\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "..", "i": ".."}<|action_sep|>    for i in range(b):\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "..", "i": "1"}<|action_sep|>        y += y * i\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "2", "i": ".."}<|action_sep|>    for i in range(b):\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "..", "i": "2"}<|action_sep|>        y += y * i\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "6", "i": ".."}<|action_sep|>    for i in range(b):\n<|frame_sep|>'
        + '<|line_sep|>{"a": "..", "b": "..", "y": "..", "i": ".."}<|action_sep|>    return y\n<|frame_sep|>'
        + '<|return_sep|><|action_sep|>    return y\n<|arg_sep|>"6"<|frame_sep|>'
        + '<|return_sep|><|action_sep|>    return f(1,3)\n<|arg_sep|>"6"<|frame_sep|>'
        + "<|end_of_text|>"
    )
    assert document(source, "main", "") == expected


def test_a_scope_shows_all_its_locals_again_after_a_call() -> None:
    text = document("def g():\n    return 1\ndef f(x):\n    y = g()\n    return y\n", "f", "5")
    assert '<|line_sep|>{"x": "5", "y": "1"}<|action_sep|>    return y' in text


def test_a_truncated_trace_has_no_end() -> None:
    trace = record_program("def f(n):\n    while True:\n        n += 1\n", "f", "0", Limits(max_events=5))
    segments = to_segments(trace)
    assert segments[-1] is Token.FRAME_SEP
    assert from_segments(segments).header.outcome is Outcome.TRUNCATED


def without_flags(frame: Frame) -> Frame:
    """What the wire can say of a frame."""
    return replace(frame, suspended=False, resumed=False)


SOURCES = [
    ("def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n", "4"),
    ("def g(n):\n    for i in range(n):\n        yield i\ndef f(n):\n    return [x for x in g(n)]\n", "2"),
    (
        "def g(x):\n    return 1 / x\ndef f(x):\n    try:\n        return g(x)\n    except ZeroDivisionError as e:\n        return str(e)\n",
        "0",
    ),
    ("def g(x):\n    return {}[x]\ndef h(x):\n    return g(x)\ndef f(x):\n    return h(x)\n", "'k'"),
    ("def f(x):\n    x = x\n    x = x\n    if x:\n        x = x\n    x = x\n    return x\n", "1"),
    ("def f(s):\n    t = '<|frame_sep|>' + s\n    return t\n", "'<\\\\|action_sep|>'"),
    ("def f(a):\n    b = sorted(a, key=lambda x: -x)\n    class C:\n        y = 1\n    return b, C.y\n", "[1, 2]"),
]


@pytest.mark.parametrize(("source", "arguments"), SOURCES)
def test_real_traces_survive_the_wire(source: str, arguments: str) -> None:
    trace = record_program(source, "f", arguments)
    segments = to_segments(trace)
    assert from_text(to_text(segments)) == segments
    back = from_segments(segments)
    assert [without_flags(f) for f in back.frames] == [without_flags(f) for f in trace.frames]
    assert back.header.outcome is trace.header.outcome
    assert back.header.source == source


@given(st.dictionaries(HOSTILE, HOSTILE, max_size=4), LINE, HOSTILE)
def test_hostile_text_survives_the_wire(state: dict[str, str], line: str, value: str) -> None:
    source = f"{line}\n{line} x\n{line}"
    header = Header(source=source, entry="f", outcome=Outcome.RETURNED)
    swapped = dict(zip(state, reversed(state.values()), strict=True))
    frames = (
        Frame(Event.CALL, "f", 0, 1, line, locals=state),
        Frame(Event.LINE, "f", 0, 1, line, locals=swapped),
        Frame(Event.LINE, "f", 0, 1, line, locals=swapped),
        Frame(Event.RETURN, "f", 0, 1, line, value=value),
    )
    for entry_line in (1, 2, 3):
        segments = to_segments(Trace(header, frames), entry_line)
        assert from_text(to_text(segments)) == segments
        assert from_segments(segments).header.source == source
    back = from_segments(to_segments(Trace(header, frames)))
    assert [(f.event, f.source, f.locals, f.value) for f in back.frames] == [
        (f.event, f.source, f.locals, f.value) for f in frames
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "starts with"),
        ("<|begin_of_text|><|trace_context_start|>x<|frame_sep|>", "start marker"),
        ("<|begin_of_text|><|trace_context_start|>x  # << START_OF_TRACE<|frame_sep|>", "no frames"),
        ("<|begin_of_text|><|trace_context_start|>x  # << START_OF_TRACE<|frame_sep|><|call_sep|>{}", "cut off"),
        (
            "<|begin_of_text|><|trace_context_start|>x  # << START_OF_TRACE<|frame_sep|><|call_sep|>[]<|action_sep|>x\n<|frame_sep|>",
            "JSON object",
        ),
        (
            "<|begin_of_text|><|trace_context_start|>x  # << START_OF_TRACE<|frame_sep|><|line_sep|>{}<|action_sep|>x\n<|frame_sep|>",
            "before the first call",
        ),
        (
            "<|begin_of_text|><|trace_context_start|>x  # << START_OF_TRACE<|frame_sep|><|call_sep|>{}<|action_sep|>x\n<|frame_sep|>"
            '<|return_sep|><|action_sep|>x\n<|arg_sep|>"1"<|frame_sep|><|call_sep|>{}<|action_sep|>x\n<|frame_sep|>',
            "after the entry function",
        ),
    ],
)
def test_text_that_is_no_trace_is_a_clear_error(text: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        from_segments(from_text(text))


TREES = st.recursive(
    st.sampled_from(["pass", "boom", "caught"]), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8
)


def nested(tree: object, name: str) -> str:
    """Source of a function whose calls, raises and handlers have the shape of `tree`."""
    if tree == "pass":
        return f"def {name}():\n    return '{name}'\n"
    if tree == "boom":
        return f"def {name}():\n    x = '{name}'\n    raise KeyError(x)\n"
    if tree == "caught":
        return f"def {name}():\n    try:\n        raise KeyError(1)\n    except KeyError as e:\n        return repr(e)\n"
    assert isinstance(tree, list)
    calls = [f"{name}_{i}" for i in range(len(tree))]
    body = f"    {calls[0]}()\n" + "".join(
        f"    try:\n        x = {call}()\n    except ValueError:\n        x = 1\n    except KeyError:\n        x = 2\n"
        for call in calls[1:]
    )
    return (
        "".join(nested(t, c) for t, c in zip(tree, calls, strict=True)) + f"def {name}():\n    x = 0\n{body}    return x\n"
    )


@given(TREES)
def test_exceptions_through_any_nesting_survive_the_wire(tree: object) -> None:
    trace = record_program(nested(tree, "f"), "f", "")
    back = from_segments(to_segments(trace))
    assert back.frames == trace.frames
    assert back.header.outcome is trace.header.outcome


def test_a_document_that_ends_too_early_is_truncated_and_says_so() -> None:
    trace = record_program("def g():\n    return 1\ndef f():\n    return g()\n", "f", "")
    segments = to_segments(Trace(trace.header, trace.frames[:-1]))
    assert segments[-1] is Token.END_OF_TEXT
    header = from_segments(segments).header
    assert header.outcome is Outcome.TRUNCATED
    assert header.detail.startswith("format")


def test_lone_surrogates_are_escaped_so_that_utf_8_can_carry_them() -> None:
    frames = (
        Frame(Event.CALL, "f", 0, 1, "x", locals={"a": "\udc80"}),
        Frame(Event.RETURN, "f", 0, 1, "x", value="\ud800 "),
    )
    text = to_text(to_segments(Trace(Header(source="x", entry="f"), frames)))
    back = from_segments(from_text(text.encode().decode()))
    assert (back.frames[0].locals, back.frames[1].value) == (frames[0].locals, frames[1].value)


def test_the_marker_in_a_predicted_line_is_accepted() -> None:
    segments = to_segments(record_program("def f():\n    return 1\n", "f", ""))
    assert segments[6:8] == [Token.ACTION_SEP, "def f():\n"]
    segments[7] = "def f():  # << START_OF_TRACE\n"
    assert from_segments(segments).frames[0].source == "def f():"


def test_an_entry_line_outside_the_source_is_a_clear_error() -> None:
    with pytest.raises(FormatError, match="line 9, the source has 3 lines"):
        to_segments(record_program("def f():\n    return 1\n", "f", ""), 9)
