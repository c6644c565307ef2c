"""Arrow tables: the columns say what the frames say, natively and without the extension."""

from pathlib import Path
from typing import Any

import pytest

from foretrace.errors import FormatError, UsageError
from foretrace.record import Recorder, Scope, record_program
from foretrace.trace import Frame, Header, Trace, arrow, read_binary, to_binary

pytest.importorskip("pyarrow")

SOURCE = """def count(n):
    for i in range(n):
        yield i

def fails(text):
    raise KeyError(text)

def f(text):
    got = []
    for i in count(2):
        got.append(i)
    try:
        fails(text)
    except KeyError as error:
        return got, str(error)
"""


@pytest.fixture(params=["native", "python"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(arrow, "_binary", None)
    elif arrow._binary is None:
        pytest.skip("the extension was not built")
    return str(request.param)


def rows(traces: list[Trace]) -> list[dict[str, Any]]:
    """The same from the frames."""
    return [
        {
            "trace": number,
            "event": frame.event.value,
            **{name: getattr(frame, name) for name in ("function", "depth", "line", "source")},
            "locals": frame.locals,
            "value": frame.value,
            **{name: getattr(frame, name) for name in ("unwind", "suspended", "resumed")},
            "path": frame.path or trace.header.path,
        }
        for number, trace in enumerate(traces)
        for frame in trace.frames
    ]


def parsed(table: Any) -> list[dict[str, Any]]:
    import json

    return [row | {"locals": None if row["locals"] is None else json.loads(row["locals"])} for row in table.to_pylist()]


@pytest.mark.usefixtures("how")
def test_a_table_says_what_the_frames_say(tmp_path: Path) -> None:
    data = to_binary(record_program(SOURCE, "f", text) for text in ("'a'", "'é\\n'", "'\\x00'"))
    table = arrow.to_table(data)
    table.validate(full=True)
    assert parsed(table) == rows(list(read_binary(data)))
    assert {name for name in table.column_names if table[name].null_count} == {"locals", "value"}
    arrow.write_parquet(table, tmp_path / "x.parquet")
    import pyarrow.parquet

    assert parsed(pyarrow.parquet.read_table(tmp_path / "x.parquet")) == parsed(table)


@pytest.mark.usefixtures("how")
def test_files_and_traces_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def one(x):\n    return x\n")
    space: dict[str, Any] = {}
    for name, text in (("one.py", None), ("two.py", "def two(x):\n    return one(x)\n")):
        (tmp_path / name).write_text(text or (tmp_path / name).read_text())
        exec(compile((tmp_path / name).read_text(), str(tmp_path / name), "exec"), space)
    with Recorder(Scope(include=(str(tmp_path),))) as recorder:
        space["one"](1)
        space["two"](2)
    table = arrow.to_table(recorder.data)
    assert parsed(table) == rows(recorder.traces)
    assert table["trace"].to_pylist() == [0] * 3 + [1] * 6
    assert len(set(table["path"].to_pylist())) == 2


@pytest.mark.usefixtures("how")
def test_what_arrow_cannot_hold_is_replaced() -> None:
    trace = record_program("def f(x):\n    return x\n", "f", "'a'")
    frames = (*trace.frames[:-1], Frame("return", "f", 0, 2, "    return x", value="'\udc80b'"))  # type: ignore[arg-type]
    table = arrow.to_table(to_binary([Trace(trace.header, frames)]))
    table.validate(full=True)
    assert table["value"].to_pylist()[-1] == "'\ufffdb'"


@pytest.mark.usefixtures("how")
def test_nothing_is_a_table_too() -> None:
    assert arrow.to_table(b"").num_rows == 0
    assert "locals" in arrow.to_table(to_binary([])).column_names


@pytest.mark.usefixtures("how")
def test_what_is_cut_off_is_an_error_or_partial() -> None:
    trace = record_program(SOURCE, "f", "'a'")
    data = to_binary([trace])[:-8]
    with pytest.raises(FormatError):
        arrow.to_table(data)
    assert 0 < arrow.to_table(data, partial=True).num_rows <= len(trace)


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r'pip install "foretrace\[arrow\]"'):
        arrow.to_table(to_binary([Trace(Header(source="", entry="f"), ())]))
