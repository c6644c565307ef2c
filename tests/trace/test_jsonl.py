"""JSON Lines v1: exact, several in one file, honest about what is cut off."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.errors import FormatError
from foretrace.record import record_program
from foretrace.trace import Event, Frame, Header, Outcome, Trace, read_jsonl, write_jsonl

TRACE = record_program("def f(n):\n    a = 1\n    del n\n    n = [a]\n    return g(n)\ndef g(x):\n    return x\n", "f", "2")


def text_of(*traces: Trace) -> str:
    file = io.StringIO()
    for trace in traces:
        write_jsonl(trace, file)
    return file.getvalue()


def test_traces_come_back_exactly() -> None:
    assert list(read_jsonl(io.StringIO(text_of(TRACE, TRACE)))) == [TRACE, TRACE]


def test_only_changes_are_written() -> None:
    lines = [json.loads(line) for line in text_of(TRACE).splitlines()]
    assert lines[0]["v"] == 1
    assert lines[3]["set"] == {"a": "1"}
    assert lines[4]["del"] == ["n"]


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4), min_size=1, max_size=6))
def test_any_sequence_of_states_comes_back(states: list[dict[str, str]]) -> None:
    frames = [Frame(Event.CALL if i == 0 else Event.LINE, "f", 0, 1, "x", locals=s) for i, s in enumerate(states)]
    trace = Trace(Header(source="x", entry="f"), tuple(frames))
    [back] = read_jsonl(io.StringIO(text_of(trace)))
    assert back == trace
    assert [list(f.state) for f in back.frames] == [list(s) for s in states]


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_cut_file_is_an_error_or_truncated(cut: int) -> None:
    lines = text_of(TRACE).splitlines(keepends=True)[:cut]
    with pytest.raises(FormatError, match="ends within a trace"):
        list(read_jsonl(lines))
    half = [*lines[:-1], lines[-1][: len(lines[-1]) // 2]] if cut > 1 else lines
    [back] = read_jsonl(half, partial=True)
    assert back.header.outcome is Outcome.TRUNCATED
    assert back.frames == TRACE.frames[: len(back)]


def test_a_header_cut_off_loses_only_its_own_trace() -> None:
    text = text_of(TRACE) + text_of(TRACE)[:30]
    assert list(read_jsonl(io.StringIO(text), partial=True)) == [TRACE]
    with pytest.raises(FormatError, match=f"line {len(TRACE) + 3} "):
        list(read_jsonl(io.StringIO(text)))


def test_another_version_is_named() -> None:
    with pytest.raises(FormatError, match=r"version 2, this program reads 1$"):
        list(read_jsonl(['{"v": 2}']))


@pytest.mark.parametrize("line", ["[]", "{}", "nonsense", '{"v": 2}', "[" * 100_000])
def test_another_file_is_a_clear_error(line: str) -> None:
    with pytest.raises(FormatError, match="line 1"):
        list(read_jsonl([line]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"line": 1', '"line": 1e999'),
        ('"args": {', '"args": null, "x": {'),
        ('"detail": ""', '"detail": null'),
        ('"src": "', '"src": 1, "x": "'),
    ],
)
def test_a_damaged_field_is_a_clear_error(old: str, new: str) -> None:
    text = io.StringIO()
    write_jsonl(record_program("def f(x):\n    return x\n", "f", "1"), text)
    assert old in text.getvalue()
    with pytest.raises(FormatError, match="is not part of a trace"):
        list(read_jsonl(text.getvalue().replace(old, new).splitlines()))
