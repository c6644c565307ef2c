"""The command line as a user has it: output, exit codes, error messages, JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foretrace.cli.main import COMMANDS

PROGRAM = "def double(text, n=2):\n    out = text * n\n    return out\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def foretrace(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foretrace", *map(str, arguments)]
    environment = {"PATH": "/usr/bin:/bin", "NO_COLOR": "1", "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, env=environment | variables, timeout=120)


def test_help_is_quick_and_lists_every_command() -> None:
    best = 10.0
    for _ in range(3):
        started = time.perf_counter()
        result = foretrace("--help")
        best = min(best, time.perf_counter() - started)
    assert result.returncode == 0
    assert all(name in result.stdout for name in COMMANDS)
    assert "Examples:" in result.stdout
    assert best < 2  # a guard against importing torch; bench/startup.py measures


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = foretrace(name, "--help")
    assert result.returncode == 0
    assert "foretrace" in result.stdout


def test_record_shows_each_line_with_its_effect(program: Path) -> None:
    result = foretrace("record", f"{program}::double", "--args", "'ab'")
    assert result.returncode == 0
    assert "out = 'abab'" in result.stdout
    assert result.stdout.rstrip().endswith("returns = 'abab'")
    assert "\x1b" not in result.stdout


def test_record_writes_json_lines_that_diff_reads(program: Path, tmp_path: Path) -> None:
    for name, argument in (("a", "'x'"), ("b", "'y'")):
        assert foretrace("record", f"{program}::double", "--args", argument, "-o", tmp_path / name).returncode == 0
    same = foretrace("diff", tmp_path / "a", tmp_path / "a")
    assert same.returncode == 0
    assert "right throughout" in same.stdout
    other = foretrace("diff", tmp_path / "a", tmp_path / "b", "--json")
    assert other.returncode == 1
    record = json.loads(other.stdout)
    assert record["v"] == 1
    assert record["first"]["variable"] == "text"


def test_predict_and_diff_with_the_packaged_model(program: Path) -> None:
    predicted = foretrace("predict", f"{program}::double", "--args", "'ab'", "--json", "--budget", "300")
    lines = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert lines[0]["kind"] == "predicted"
    assert lines[0]["model"] == "tiny"
    assert lines[1]["set"] == {"text": "'ab'", "n": "2"}
    assert predicted.returncode in (0, 1, 4)
    compared = foretrace("diff", f"{program}::double", "--args", "'ab'", "--budget", "300")
    assert "lines right" in compared.stdout
    assert compared.returncode in (0, 1, 4)


def test_doctor_uses_what_it_checks() -> None:
    result = foretrace("doctor", "--json")
    checks = {r["check"]: r["state"] for r in map(json.loads, result.stdout.splitlines())}
    assert checks["recorder"] == checks["model tiny"] == checks["prediction"] == "ok"
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["record", "nowhere.py::f"], 2, "cannot read nowhere.py"),
        (["record", "nowhere.py"], 2, "write FILE::FUNCTION"),
        (["record", "{program}::dubble"], 2, "did you mean 'double'"),
        (["predict", "{program}::dubble"], 2, "did you mean 'double'"),
        (["record", "{program}::double"], 2, "do not bind"),
        (["predict", "{program}::double"], 2, "do not bind"),
        (["predict", "{program}::double", "--args", "'a", "--model", "tiny"], 2, "do not parse"),
        (["predict", "{program}::double", "--args", "1", "--model", "tinny"], 2, "no model called 'tinny'"),
        (["predict", "{program}::double", "--args", "1", "--model", "./none"], 3, "no checkpoint folder"),
        (["predict", "{program}::double", "--budget", "many"], 2, "write 4096 or 4k"),
        (["diff", "none.jsonl", "none.jsonl"], 2, "foretrace record"),
        (["eval", "run", "cruxeval"], 2, "there is no benchmark 'cruxeval'; did you mean cruxeval-o"),
        (["train", "huge"], 2, "No such command 'huge'"),
        (["train", "tiny", "midtrain.stesp=3"], 2, "did you mean 'steps'"),
        (["train", "tiny", "train.steps=many"], 2, "train.steps"),
        (["recrod"], 2, "Did you mean 'record'"),
        (["record", "{program}::double", "--seconds", "nan"], 2, "nan is not a number"),
        (["record", "{program}::double", "--memory", "-1"], 2, "not in the range"),
        (["record", "{program}::double", "--max-events", "0"], 2, "not in the range"),
        (["predict", "{program}::double", "--temperature", "nan"], 2, "nan is not a number"),
    ],
)
def test_a_users_error_is_a_message_and_a_code(program: Path, arguments: list[str], code: int, complaint: str) -> None:
    if arguments[0] == "train":
        pytest.importorskip("torch")
    result = foretrace(*(a.replace("{program}", str(program)) for a in arguments))
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == code


def test_an_error_is_json_too_where_json_was_asked_for(program: Path) -> None:
    ended = foretrace("record", f"{program}::missing", "--json")
    assert ended.returncode == 2
    assert json.loads(ended.stdout) == {
        "v": 1,
        "error": "UsageError",
        "message": ended.stderr.removeprefix("error: ").rstrip("\n"),
        "exit_code": 2,
    }


def test_source_that_does_not_parse(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("x = 1\ndef f(:\n")
    for command in ("record", "predict"):
        result = foretrace(command, f"{file}::f")
        assert result.returncode == 2
        assert "does not parse at line 2" in result.stderr


def test_limits_end_a_program_with_exit_code_4(tmp_path: Path) -> None:
    file = tmp_path / "loop.py"
    file.write_text("def f():\n    while True:\n        x = 1\n")
    result = foretrace("record", f"{file}::f", "--max-events", "50")
    assert result.returncode == 4
    assert "stopped after 50 steps: events" in result.stdout


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_checkpoint_names_the_file(program: Path, tmp_path: Path, broken: str) -> None:
    from foretrace.engine.load import packaged_checkpoints

    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for file in packaged_checkpoints()["tiny"].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / broken).write_bytes((folder / broken).read_bytes()[:50])
    damaged = foretrace("predict", f"{program}::double", "--args", "1", "--model", folder)
    assert damaged.returncode == 3
    assert broken.split(".")[0] in damaged.stderr
    (folder / broken).unlink()
    missing = foretrace("predict", f"{program}::double", "--args", "1", "--model", folder)
    assert missing.returncode == 3
    assert f"lacks {broken}" in missing.stderr


def test_a_wrong_option_is_json_too(program: Path) -> None:
    result = foretrace("record", f"{program}::double", "--json", "--memory", "-1")
    assert json.loads(result.stdout)["exit_code"] == result.returncode == 2


def test_a_terminal_that_knows_no_arrows_gets_escapes(program: Path) -> None:
    result = foretrace("record", f"{program}::double", "--args", "'a'", PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "\\u2192" in result.stdout
