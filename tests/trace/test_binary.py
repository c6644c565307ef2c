"""Binary v1: exact, joined or cut off, and the same from either reader."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.errors import FormatError
from foretrace.record import record_program
from foretrace.trace import (
    Event,
    Frame,
    Header,
    Outcome,
    Trace,
    binary,
    binary_to_wire,
    read_binary,
    to_binary,
    to_segments,
    to_text,
)

Reader = Callable[..., Iterator[Trace]]
TRACE = record_program(
    "def f(n):\n    a = 1\n    del n\n    n = [a]\n    for x in g(n):\n        a += x\n    return a\ndef g(s):\n    yield from s\n",
    "f",
    "2",
)
TEXTS = st.text(st.characters(codec=None), max_size=5)


@pytest.fixture(params=["python", "native"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Reader:
    if request.param == "python":
        monkeypatch.setattr(binary, "_binary", None)
    elif binary._binary is None:
        pytest.skip("the reader in C was not built")
    return read_binary


def test_traces_come_back_exactly_and_streams_may_be_joined(read: Reader) -> None:
    data = to_binary([TRACE, TRACE])
    assert list(read(data)) == [TRACE, TRACE]
    assert list(read(data + data)) == [TRACE] * 4


@given(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=4), min_size=1, max_size=6))
def test_any_sequence_of_states_comes_back_from_both_readers(states: list[dict[str, str]]) -> None:
    frames = [Frame(Event.CALL if i == 0 else Event.LINE, "f", 0, 1, "x", locals=s) for i, s in enumerate(states)]
    trace = Trace(Header(source="x", entry="f", arguments=dict(states[0])), tuple(frames))
    data = to_binary([trace])
    assert list(read_binary(data)) == list(binary._Reader(data).traces(False)) == [trace]


def test_frames_that_do_not_follow_from_the_source_come_back(read: Reader) -> None:
    frames = (
        Frame(Event.CALL, "f", 0, 1, "def f():", locals={}),
        Frame(Event.LINE, "g", 0, 0, "not there", locals={"a": "1"}),
    )
    trace = Trace(Header(source="def f():\n    pass", entry="f", kind="predicted", model="tiny"), frames)
    assert list(read(to_binary([trace]))) == [trace]


def test_files_beside_the_entrys_come_back(read: Reader) -> None:
    frames = (
        Frame(Event.CALL, "f", 0, 1, "import b", locals={}),
        Frame(Event.CALL, "h", 1, 1, "def h():", locals={}, path="b.py"),
        Frame(Event.RETURN, "h", 1, 1, "def h():", value="1", path="b.py"),
    )
    header = Header(source="import b", entry="f", path="a.py", files={"b.py": "def h():"}, outcome=Outcome.TRUNCATED)
    assert list(read(to_binary([Trace(header, frames)]))) == [Trace(header, frames)]


def test_every_cut_keeps_the_frames_before_it(read: Reader) -> None:
    data = to_binary([TRACE])
    for end in range(len(data)):
        traces = list(read(data[:end], partial=True))
        assert len(traces) <= 1
        for trace in traces:
            assert trace.frames == TRACE.frames[: len(trace)]
            assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "cut off")
    with pytest.raises(FormatError, match=r"partial=True|byte"):
        list(read(data[:-4]))


def test_damage_is_a_clear_error_that_names_its_place(read: Reader) -> None:
    data = to_binary([TRACE])
    with pytest.raises(FormatError, match="the record at byte 0 is not one of a trace"):
        list(read(b"\x07" + data))
    with pytest.raises(FormatError, match="kind"):
        list(read(data + b"\x09"))


def test_wire_text_is_the_same_from_either_reader(read: Reader) -> None:
    assert binary_to_wire(to_binary([TRACE])).decode() == to_text(to_segments(TRACE))
