"""What a person sees of a run, at a terminal and in a file."""

from typing import Any

import pytest

from foretrace.cli.progress import TrainingBar

RECORDS: list[dict[str, Any]] = [
    {"shards": 1, "of": 2},
    {"data": "shards", "kept": 512},
    {"step": 10, "tokens": 81920, "loss": 0.5, "tokens_per_second": 8000.0},
    {"step": 20, "tokens": 163840, "val_loss": 0.4},
]


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool) -> str:
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
    monkeypatch.setenv("COLUMNS", "120")
    with TrainingBar(100) as bar:
        for record in RECORDS:
            bar.report(record)
    return capsys.readouterr().err


def test_a_file_gets_every_record_of_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, terminal=False).splitlines()
    assert [line for line in lines if line.strip()] == [
        "data shards  kept 512",
        "step 10  tokens 81920  loss 0.5  tokens_per_second 8000",
        "step 20  tokens 163840  val_loss 0.4",
    ]


def test_a_terminal_shows_steps_in_a_bar_and_keeps_validations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(monkeypatch, capsys, terminal=True)
    assert "loss 0.500  8,000 tokens/s" in text
    assert "20/100" not in text
    assert "10/100" in text
    assert "step 20  tokens 163840  val_loss 0.4" in text
    assert "tokens_per_second" not in text
