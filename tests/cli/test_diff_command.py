"""Both traces of one call; the demo; where `--debug` may stand. With the packaged model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from foretrace.cli import demo_command
from foretrace.cli.diff_command import predict_and_record
from foretrace.cli.main import cli, main
from foretrace.errors import UsageError
from foretrace.examples import EXAMPLES
from foretrace.trace import Limits

SOURCE = "class Box:\n    def get(self):\n        return 1\n\ndef f(x):\n    return len(x)\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(("arguments", "entry"), [("[0, 0]", "f"), ("[0] * 2", "main")])
def test_both_traces_are_of_the_same_call(file: Path, arguments: str, entry: str) -> None:
    """A call that is not made of literals is predicted, and so also recorded, through a wrapper."""
    predicted, real = predict_and_record(f"{file}::f", arguments, "tiny", 64, False, Limits())
    assert predicted.frames[0] == real.frames[0]
    assert predicted.header.source == real.header.source
    assert (real.header.entry, real.result) == (entry, "2")


def test_demo_compares_every_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_command, "BUDGET", 200)  # this is about the form; `make demo` is the whole
    result = CliRunner().invoke(cli, ["demo", "--json"])
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r["example"] for r in records] == [f"{e.name}.py" for e in EXAMPLES]
    for record in records:
        assert record["v"] == 1
        assert record["agrees"] == (record["first"] is None)
        assert set(record) == {
            "v", "example", "agrees", "first", "predicted_steps", "real_steps", "lines", "values", "divergences",
        }  # fmt: skip
    assert "6 programs" in result.stderr


def test_errors_keep_their_exit_code_within_click() -> None:
    result = CliRunner().invoke(cli, ["predict", "nowhere.py::f"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: cannot read nowhere.py: No such file or directory\n"


def test_an_output_that_cannot_be_written(file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["record", f"{file}::f", "--args", "[]", "-o", str(tmp_path / "none" / "out")])
    assert result.exit_code == 2
    assert "error: cannot use" in result.stderr
    assert "No such file or directory" in result.stderr


def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["--debug", "predict", "nowhere.py::f"], ["predict", "nowhere.py::f", "--debug"]):
        monkeypatch.setattr("sys.argv", ["foretrace", *arguments])
        with pytest.raises(UsageError, match="nowhere"):
            main()


def test_predict_says_that_nothing_ran(file: Path) -> None:
    result = CliRunner().invoke(cli, ["predict", f"{file}::f", "--args", "[1]", "--budget", "100"])
    assert "model tiny" in result.stdout
    assert result.stderr == "nothing was executed.\n"
