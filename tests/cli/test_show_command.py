"""`foretrace show`: what a recording holds, and the same in other forms; what `record` and `diff` do with forms."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.main import cli
from foretrace.record import Recorder, Scope
from foretrace.record.sink import tail_of
from foretrace.trace import Trace, binary_to_wire, read_binary, read_jsonl

SOURCE = "def half(n):\n    return n // 2\n\ndef odd(n):\n    return half(n) * 2 != n\n"


def show(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["show", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of two calls, in `calls.ftb`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(SOURCE)
    space: dict[str, object] = {}
    exec(compile(SOURCE, str(tmp_path / "program.py"), "exec"), space)
    with Recorder(Scope(include=(str(tmp_path),)), output="calls.ftb"):
        space["odd"](3)  # type: ignore[operator]
        with pytest.raises(TypeError):
            space["half"]("x")  # type: ignore[operator]
    return Path("calls.ftb")


def test_a_recording_is_listed(file: Path) -> None:
    result = show(file)
    assert result.stdout.splitlines() == [
        "trace  steps  outcome   entry  file",
        "    1      6  returned  odd    program.py",
        "    2      3  raised    half   program.py",
    ]
    assert result.stderr == "2 traces, 9 steps; show one with: --trace N\n"
    first = json.loads(show(file, "--json").stdout.splitlines()[0])
    assert first == {
        "v": 1, "trace": 1, "entry": "odd", "path": os.path.abspath("program.py"), "steps": 6, "outcome": "returned",
        "detail": "", "threads_unrecorded": 0,
    }  # fmt: skip


def test_one_trace_is_shown_as_record_shows_it(file: Path) -> None:
    lines = show(file, "--trace", "2").stdout.splitlines()
    assert lines[0] == f"{os.path.abspath('program.py')}::half(n='x')"
    assert lines[-1].startswith("  raises = TypeError(")
    (trace,) = read_jsonl(show(file, "--trace", "1", "--json").stdout.splitlines())
    assert trace.result == "True"


def read(path: Path) -> list[Trace]:
    data = path.read_bytes()
    return list(read_binary(data)) if path.suffix == ".ftb" else list(read_jsonl(data.decode().splitlines()))


def test_forms_are_exchanged(file: Path) -> None:
    for start in (file, Path("a.jsonl")):
        for target in ("a.jsonl", "b.ftb", "b.txt"):
            if Path(target) != start:
                assert show(start, "-o", target).stderr == f"2 traces, 9 steps written to {target}\n"
        assert [t.frames for t in read(Path("a.jsonl"))] == [t.frames for t in read(file)]
        assert [t.frames for t in read(Path("b.ftb"))] == [t.frames for t in read(file)]
        assert Path("b.txt").read_bytes() == binary_to_wire(file.read_bytes())
    assert show(file, "--trace", "2", "--form", "wire", "-o", "two").exit_code == 0
    assert Path("b.txt").read_text().endswith(Path("two").read_text())


def test_parquet(file: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for start in (file, Path("a.jsonl")):
        assert show(file, "-o", "a.jsonl").exit_code == show(start, "-o", "x.parquet").exit_code == 0
        assert parquet.read_table("x.parquet")["trace"].to_pylist() == [0] * 6 + [1] * 3


def test_parquet_without_pyarrow_says_what_to_install(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    result = show(file, "-o", "x.parquet")
    assert (result.exit_code, Path("x.parquet").exists()) == (2, False)
    assert 'pip install "foretrace[arrow]"' in result.stderr


def test_what_was_interrupted_is_shown_with_its_tail_and_made_whole(file: Path) -> None:
    """The process died: half of the data is in the tail."""
    data = file.read_bytes()
    whole, cut = data.index(b"n // 2") + 60, len(data) - 1
    file.write_bytes(data[:whole])
    tail_of(file).write_bytes((whole << 20 | cut - whole).to_bytes(8, "little") + data[whole:cut])
    assert "    2      3  truncated (cut off)  half   program.py\n" in show(file).stdout
    assert show(file, "-o", "whole.ftb").exit_code == 0
    assert [t.header.detail for t in read(Path("whole.ftb"))] == ["", "cut off"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.ftb"], "no trace at none.ftb"),
        (["calls.ftb", "--trace", "3"], "there is no trace 3"),
        (["calls.ftb", "--trace", "0"], "not in the range"),
        (["calls.ftb", "--form", "wire"], "name the file too: -o FILE"),
        (["calls.ftb", "-o", "calls.ftb"], "is what is being read"),
        (["calls.ftb", "-o", "none/x.ftb"], "cannot use none/x.ftb"),
        (["empty"], "empty is empty"),
        (["text"], "the text that a model reads"),
        (["program.py"], "line 1 is not part of a trace"),
        (["odd"], "not UTF-8"),
    ],
)
def test_a_users_error_is_a_message(file: Path, arguments: list[str], complaint: str) -> None:
    Path("empty").touch()
    Path("odd").write_bytes(b"\xff\xfe")
    show(file, "--form", "wire", "-o", "text")
    result = show(*arguments)
    assert complaint in result.stderr
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("name", ["real.ftb", "real.jsonl", "real"])
def test_record_writes_the_form_that_the_suffix_says_and_diff_reads_it(file: Path, name: str) -> None:
    run = CliRunner().invoke
    recorded = run(
        cli, ["record", "program.py::odd", "--args", "3", "-o", name, "--cpu-seconds", "5", "--max-bytes", "10000"]
    )
    assert (recorded.exit_code, recorded.stderr) == (0, f"6 steps written to {name}\n")
    assert Path(name).read_bytes().startswith(b"FTB" if name == "real.ftb" else b'{"v"')
    assert show(name).stdout.splitlines()[1] == "    1      6  returned  odd    program.py"
    assert "right throughout" in run(cli, ["diff", name, name]).stdout


def test_record_has_budgets_of_characters_and_of_processor_time(file: Path) -> None:
    Path("loop.py").write_text("def f():\n    while True:\n        x = 1\n")
    run = CliRunner().invoke
    cut = run(cli, ["record", "loop.py::f", "--max-bytes", "1000", "--form", "wire", "-o", "x"])
    assert cut.exit_code == 4
    assert Path("x").read_text().startswith("<|begin_of_text|>")
    assert "bytes" in run(cli, ["record", "loop.py::f", "--max-bytes", "1000"]).stdout.splitlines()[-1]
    Path("loop.py").write_text("def f():\n    while True:\n        x = sum(range(100_000))\n")
    spent = run(cli, ["record", "loop.py::f", "--cpu-seconds", "0.05"])
    assert spent.stdout.splitlines()[-1].endswith(": cpu")
    assert run(cli, ["record", "loop.py::f", "--form", "wire"]).exit_code == 2
