"""`foretrace eval`: what a terminal shows, what is kept in a folder, and what is said when something is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.eval_command import SUBCOMMANDS
from foretrace.cli.main import cli

FEW = ("--count", "6", "--max-tokens", "300")
MANY = ("--count", "130", "--max-tokens", "60")


def evaluate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["eval", *map(str, arguments)], env={"COLUMNS": "120", "FORETRACE_EVALDATA": "nowhere"})


def fails(*arguments: str | Path) -> str:
    """The message of a command that fails as a user's mistake does: without a traceback."""
    result = evaluate(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result.stderr


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the packaged model and of two controls, on a few calls that end or do not."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("tiny", "control:gold", "control:constant"):
        result = evaluate("run", "halting:trace", *FEW, "--model", model, "-o", folder / model.split(":")[-1])
        assert result.exit_code == 0, result.output
    return folder


def test_every_command_explains_itself() -> None:
    for name in SUBCOMMANDS:
        result = evaluate(name, "--help")
        assert result.exit_code == 0
        assert "Usage:" in result.stdout


def test_a_score_is_told_with_all_that_belongs_to_it(runs: Path) -> None:
    result = evaluate("run", "halting:trace", *FEW, "-o", runs / "tiny")  # nothing is left to do
    assert result.exit_code == 0
    for told in (
        "pass@1, strict",
        "pass@1, official",
        "unparsable",
        "truncated",
        "broken",
        "n 6, samples 1, T 0.0",
        "data ",
    ):
        assert told in result.stdout
    assert "a page with plots: foretrace eval report" in result.stdout


def test_json_has_the_same_in_a_line_a_part(runs: Path) -> None:
    [told] = lines(evaluate("report", runs / "gold", "--json"))
    assert (told["name"], told["model"], told["settings"]["n"]) == ("halting:trace", "control:gold", 6)
    assert told["passes"]["strict"]["1"]["value"] == 1.0
    [again] = lines(evaluate("run", "halting:trace", *FEW, "--model", "control:gold", "-o", runs / "gold", "--json"))
    assert again == told


def test_runs_are_compared(runs: Path) -> None:
    [told] = lines(evaluate("compare", runs / "constant", runs / "gold", "--json"))
    assert told["items"] == 6
    assert told["rules"]["strict"]["value"] == 0.5  # always saying yes is right half the time
    assert "against  halting:trace, control:constant" in evaluate("compare", runs / "constant", runs / "gold").stdout
    assert "no part called 'fidelity'" in fails("compare", runs / "gold", runs / "tiny", "fidelity")


def test_what_there_is_is_listed() -> None:
    assert "cruxeval-o " in evaluate("list").stdout
    told = evaluate("list", "cruxeval-o").stdout
    for part in ("CRUXEval-O", "cruxeval.jsonl (800 rows, MIT)", "style: direct", "style: trace", "note: "):
        assert part in told
    named = [each["name"] for each in lines(evaluate("list", "--json"))]
    assert len(named) == len(set(named)) > 2


def test_the_selftest_tells_what_it_tried() -> None:
    told = lines(evaluate("selftest", "halting", "--count", "4", "--json"))
    assert [(check["name"], check["gold"], check["wrong"]) for check in told] == [("halting", [4, 4], [0, 4])]
    missing = evaluate("selftest", "cruxeval-o")
    assert missing.exit_code == 1  # it was asked for, and could not be tried
    assert "- cruxeval-o                      skipped: no cruxeval.jsonl in nowhere" in missing.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Missing argument"),
        (["run", "cruxeval-oh"], "did you mean cruxeval-o"),
        (["run", "cruxeval-o:telepathy"], "it has: direct, cot, trace"),
        (["run", "cruxeval-o"], "no cruxeval.jsonl in nowhere; fetch it from"),
        (["run", "halting", "--model", "control:best"], "there is no control 'best'"),
        (["run", "halting", "--window", "2025"], "write the first day and the day after the last"),
        (["run", "halting", "--window", "2025-02-01..2024-10-01"], "is no window"),
        (["run", "halting", "--window", "2024-10-01..2025-02-01"], "the items of halting are not chosen by --window"),
        (["run", "cruxeval-o", "--count", "5"], "the items of cruxeval-o are not chosen by --count"),
        (["run", "halting:trace", "--samples", "3"], "3 samples at temperature 0 are copies of one"),
        (["run", "halting", "--temperature", "nan"], "not a number"),
        (["compare", ".", "."], "is no run; make one"),
        (["report", "."], "is no run; make one"),
        (["selftest", "nonsense"], "there is no benchmark 'nonsense'"),
        (["cruxeval"], "No such command 'cruxeval'"),
    ],
)
def test_mistakes_are_told(arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in " ".join(fails(*arguments).split())


def test_ctrl_c_keeps_what_there_is_and_the_same_command_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "foretrace", "eval", "run", "halting:trace", *MANY, "-o", str(run)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    samples, end = run / "halting.trace" / "samples.jsonl", time.monotonic() + 60
    while time.monotonic() < end and not (samples.exists() and samples.read_bytes().count(b"\n")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"what came until then is in {run}" in errors
    assert "Traceback" not in errors
    before = samples.read_bytes()
    assert 0 < before.count(b"\n") < 130
    kept = [json.loads(line) for line in before.splitlines()]
    result = evaluate("run", "halting:trace", *MANY, "--limit", str(len(kept)), "-o", run, "--json")
    assert result.exit_code == 0, result.output
    assert samples.read_bytes().startswith(before)
