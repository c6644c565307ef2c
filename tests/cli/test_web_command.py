"""`foretrace web` and `foretrace demo --web`, without a browser: what they serve, write and refuse."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.main import cli
from foretrace.record.program import record_program
from foretrace.trace import write_jsonl

ORACLE = "oracle:err=0.08,seed=5,kinds=value"
SOURCE = "def double(n):\n    m = n * 2\n    return m\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["web", *arguments])


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "double.py"
    path.write_text(SOURCE)
    return path


def test_the_page_is_served_and_looked_at() -> None:
    result = run("--check", "--model", ORACLE)
    assert result.exit_code == 0, result.output
    assert "page ok: 25 steps; the prediction first goes wrong at step 5, line 4" in result.output
    assert "/?token=" in result.output


def test_the_demo_serves_the_same_page() -> None:
    result = CliRunner().invoke(cli, ["demo", "--check", "--model", "oracle:err=0"])
    assert result.exit_code == 0, result.output
    assert "page ok: 25 steps; the prediction is right" in result.output


def test_a_call_a_recording_and_a_replay_are_shown(program: Path, tmp_path: Path) -> None:
    result = run(f"{program}::double", "--args", "3", "--model", "oracle:err=0", "--check")
    assert "page ok: 4 steps; nothing real is known" in result.output
    real = tmp_path / "real.jsonl"
    with real.open("w") as file:
        write_jsonl(record_program(SOURCE, "double", "4"), file)
    assert "page ok: 4 steps; the prediction is right" in run(str(real), "--model", "oracle:err=0", "--check").output
    assert "page ok: 4 steps" in run("--model", f"replay:{real}", "--check").output


def test_one_file_is_written(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    result = run(f"{program}::double", "--args", "3", "--model", "oracle:err=0", "--export", str(out))
    assert result.exit_code == 0, result.output
    assert "double.py ▸ double" in out.read_text(encoding="utf-8")


def test_a_saved_session_is_opened(tmp_path: Path) -> None:
    from foretrace.debug import save_session
    from foretrace.engine import load_predictor
    from foretrace.web.opening import Opener
    from foretrace.web.running import Running

    session = Opener(predictor=load_predictor(ORACLE, real=Running().run)).example()
    session.seek(7)
    path = tmp_path / "session.jsonl"
    with path.open("w") as file:
        save_session(session, file)
    assert "page ok: 25 steps" in run(str(path), "--model", ORACLE, "--check").output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "neither FILE::FUNCTION nor a file"),
        (["nowhere.py::f"], 2, "cannot read nowhere.py"),
        (["--model", "tinny"], 2, "did you mean 'tiny'?"),
        (["--no-run", "--allow-run"], 2, "contradict each other"),
        (["--no-run", "--model", ORACLE], 5, "running code is off here"),
        (["--host", "0.0.0.0", "--model", ORACLE], 5, "running code is off here"),
        (["--host", "nowhere.invalid", "--model", "replay:nowhere.jsonl"], 2, "no trace at nowhere.jsonl"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], code: int, message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.output


def test_a_prediction_is_no_reality(tmp_path: Path) -> None:
    from dataclasses import replace

    trace = record_program(SOURCE, "double", "4")
    path = tmp_path / "predicted.jsonl"
    with path.open("w") as file:
        write_jsonl(replace(trace, header=replace(trace.header, kind="predicted")), file)
    assert json.loads(path.read_text().split("\n")[0])["kind"] == "predicted"
    result = run(str(path), "--model", ORACLE)
    assert (result.exit_code, "--model replay:" in result.output) == (2, True)
