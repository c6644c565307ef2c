"""What a person sees of a run, at a terminal and in a file."""

from typing import Any

import pytest

from foretrace.cli.progress import TrainingBar

DIFFERENCE = {"at": 3, "predicted": "line  return [n]  n = 3", "real": "line  return [n]  n = 2"}
STARTED: list[dict[str, Any]] = [
    {"packing": "traces", "shards": 1, "of": 2},
    {"data": "traces", "documents": 512, "tokens": 70000},
    {"stage": "midtrain", "steps": 100},
]
STEP = {"step": 10, "tokens": 81920, "loss": 0.5, "tokens_per_second": 8012.3, "mfu": 0.414, "loss_by_kind": {"locals": 1}}
VALIDATED = {"step": 20, "tokens": 163840, "seconds": 9.5, "val_loss": 0.4, "val_loss_by_kind": {"locals": 0.3}}
RECORDS = [*STARTED, STEP, VALIDATED, {"step": 20, "sample": {"real": ["a"], "first_difference": DIFFERENCE}}]


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], records: list[dict[str, Any]], *, terminal: bool
) -> str:
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    with TrainingBar() as bar:
        for record in records:
            bar.report(record)
    return capsys.readouterr().err


def test_a_file_gets_a_line_for_each_record_of_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, RECORDS, terminal=False).splitlines()
    assert [line for line in lines if line.strip()] == [
        "data traces  documents 512  tokens 70,000",
        "step 10/100  loss 0.5  81.9 k tokens  8,012 tokens/s  MFU 41%",
        "step 20  val_loss 0.4",
        "step 20  sample: frame 3 ⇢ line  return [n]  n = 3   = line  return [n]  n = 2",
    ]


def test_a_terminal_shows_steps_in_one_line_and_keeps_validations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(monkeypatch, capsys, RECORDS, terminal=True)
    assert "midtrain  loss 0.5  81.9 k tokens  8,012 tokens/s  MFU 41%" in text
    assert "10/100" in text
    assert "step 10/100" not in text
    assert "step 20  val_loss 0.4" in text


def test_old_records_and_a_loss_that_is_no_number_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [{"stage": "run", "steps": 20}, {"step": 10, "loss": None}, {"step": 20, "loss": float("nan"), "mfu": 0.0}]
    text = shown(monkeypatch, capsys, records, terminal=False)
    assert "step 10/20  loss None\n" in text
    assert "step 20/20  loss nan\n" in text


def test_a_run_that_is_taken_up_is_not_taken_for_a_fast_one() -> None:
    bar = TrainingBar()
    bar.report({"stage": "run", "steps": 1000})
    bar.report({"step": 900, "loss": 1.0})
    assert bar._progress.tasks[0].completed == 900
    assert bar._progress.tasks[0].speed is None  # nothing is known yet of how long a step takes
