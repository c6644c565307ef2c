"""`foretrace rl`: a small run of the packaged model, looked at, done again, drawn, exported."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from click.testing import CliRunner, Result

from foretrace.cli.main import cli
from foretrace.cli.rl_live import LiveRun, sparkline
from foretrace.data.reading import Example, read
from foretrace.data.units import find_units

SETTINGS = [
    "tasks.programs.source=synthesised:12",
    "held_out.fresh.source=fresh:2",
    "held_out.programs.source=synthesised:2",
    "run.budget=200",
    "run.updates=1",
    "run.mode=sync",
    "run.ahead=3",
    "run.collecting.group_size=4",
    "run.collecting.width=12",
    "run.collecting.max_tokens=500",
]


def invoke(*arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == code, found.output
    return found


def lines(found: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.stdout.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rl") / "run"
    records = lines(invoke("rl", "run", "output", "--work", str(folder), "--json", *SETTINGS))
    assert [record["step"] for record in records] == [0, 1, 1]
    assert set(records[0]["held_out"]) == {"fresh", "programs"}
    assert records[1]["update_tokens"] >= 200
    assert records[1]["mismatch"] < 1e-3
    return folder


def test_the_same_command_goes_on_and_here_has_nothing_to_do(run: Path) -> None:
    found = invoke("rl", "run", "output", "--work", str(run), "--json", *SETTINGS)
    assert found.stdout == ""
    assert "checkpoint:" in found.stderr


def test_a_run_is_shown_by_environment_and_task(run: Path) -> None:
    [shown] = lines(invoke("rl", "show", str(run), "--json"))
    assert shown["last"]["step"] == 1
    assert all(len(tries) % 4 == 0 for tries in shown["solved_by_task"].values())
    assert "held out after 1" in invoke("rl", "show", str(run)).stdout


def test_a_rollout_is_shown_and_done_once_more(run: Path) -> None:
    [told] = lines(invoke("rl", "replay", str(run), "--rollout", "2", "--json"))
    assert told["differences"] == []
    text = invoke("rl", "replay", str(run), "--rollout", "2").stdout
    assert "<|frame_sep|>" in text
    assert "all the same" in text
    assert "no rollout number 100000" in invoke("rl", "replay", str(run), "--rollout", "100000", code=2).output


def test_another_outcome_is_told(run: Path, tmp_path: Path) -> None:
    for name in ("rollouts.jsonl", "recipe.json"):
        (tmp_path / name).write_text((run / name).read_text())
    record = json.loads((run / "rollouts.jsonl").read_text().splitlines()[0])
    record["rollouts"][0]["rewards"] = [0.25]
    (tmp_path / "rollouts.jsonl").write_text(json.dumps(record) + "\n")
    assert "rewards: recorded [0.25]" in invoke("rl", "replay", str(tmp_path), code=1).stdout


def test_its_curves_are_drawn(run: Path) -> None:
    drawn = {(line["metric"], line["part"]) for line in lines(invoke("rl", "plot", str(run), "--json"))}
    assert {("reward", ""), ("held_out", "fresh"), ("dropped", "zero advantage"), ("lag", "most")} <= drawn
    assert "Held-out tasks solved" in invoke("rl", "plot", str(run)).stdout


def test_solved_rollouts_can_be_packed(run: Path, tmp_path: Path) -> None:
    [found] = lines(invoke("rl", "export", str(run), "-o", str(tmp_path / "solved"), "--most", "2", "--json"))
    assert found["traces"] > 0
    examples = [example for unit in find_units([tmp_path / "solved"]) for example in read(unit)]
    assert len(examples) == found["traces"]
    assert all(isinstance(example, Example) for example in examples)
    assert "has files already" in invoke("rl", "export", str(run), "-o", str(tmp_path / "solved"), code=2).output


def test_a_misspelt_field_is_told() -> None:
    assert "did you mean 'updates'" in invoke("rl", "run", "output", "run.update=3", code=2).output


def test_records_are_told_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    live = LiveRun(9)
    for step in (1, 2):
        live.report({"step": step, "reward": step / 4, "solved": 0.5, "dropped": {"zero advantage": 0.25, "stale": 0.0}})
    table = live._table()
    assert [column.header for column in table.columns] == ["", "", "first", "mean of 10", "last"]
    assert list(table.columns[4].cells) == ["0.5", "50.0%", "25.0%"]
    assert "update 2/9" in capsys.readouterr().err
    assert sparkline([1.0, 3.0, 2.0]) == "▁█▅"
