"""Records reach their files whole, survive kills and resumes, and dashboards go on with the same run."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foretrace.errors import UsageError
from foretrace.train.sinks import METRICS, JsonLines, cut, numbers, open_sinks, read_jsonl

RECORD: dict[str, Any] = {"step": 10, "stage": "sft", "loss": 0.5, "loss_by_kind": {"locals": 0.25}, "resumed": True}


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write(folder: Path, names: tuple[str, ...], steps: range, start: int = 0) -> None:
    sinks = open_sinks(names, folder, {"lr": 0.1, "model": {"layers": 2}}, start)
    for step in steps:
        for sink in sinks:
            sink.write(RECORD | {"step": step, "loss": 1 / step})
    for sink in sinks:
        sink.close()


# -- JSON Lines ------------------------------------------------------------------------------------------


def test_a_record_is_on_disk_when_it_is_written(tmp_path: Path) -> None:
    sink = JsonLines(tmp_path / "new" / METRICS)
    sink.write(RECORD | {"source": "naïve → ok"})
    assert written(tmp_path / "new" / METRICS) == [RECORD | {"source": "naïve → ok"}]
    sink.close()


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    sink = JsonLines(tmp_path / METRICS)
    sink.write({"step": 1, "loss": math.nan, "by": {"a": -math.inf, "b": [1.0, math.nan]}})
    sink.close()
    assert written(tmp_path / METRICS) == [{"step": 1, "loss": None, "by": {"a": None, "b": [1.0, None]}}]


def test_a_resume_cuts_what_it_writes_again(tmp_path: Path) -> None:
    write(tmp_path, (), range(1, 8))
    file = tmp_path / METRICS
    before = file.read_bytes().splitlines(keepends=True)
    cut(file, 4)
    assert file.read_bytes() == b"".join(before[:4])
    cut(file, 0)
    assert file.read_bytes() == b""
    cut(tmp_path / "missing", 4)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    "half", [b'{"step": 3, "lo', b'{"step": 3, "loss_by_kind": {"locals": 0.1}', b'{"step": 3, "name": "\xe2\x86', b"\0\0\0"]
)
def test_half_a_line_is_no_record(tmp_path: Path, half: bytes) -> None:
    file = tmp_path / METRICS
    write(tmp_path, (), range(1, 3))
    whole = file.read_bytes()
    file.write_bytes(whole + half)
    assert [record["step"] for record in read_jsonl(file)] == [1, 2]
    cut(file, 9)
    assert file.read_bytes() == whole
    write(tmp_path, (), range(3, 4), start=2)
    assert [record["step"] for record in written(file)] == [1, 2, 3]


def test_a_full_disk_names_the_file_and_loses_nothing_whole(tmp_path: Path) -> None:
    file = tmp_path / METRICS
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    sink = JsonLines(file)
    try:
        sink.write({"step": 1, "loss": 0.5})
        with pytest.raises(OSError, match="too large") as caught:
            sink.write({"step": 2, "what": "x" * 200})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
        sink.close()
    assert caught.value.filename == str(file)
    cut(file, 9)
    assert written(file) == [{"step": 1, "loss": 0.5}]


# -- Dashboards ------------------------------------------------------------------------------------------


def test_an_unknown_sink_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sink called 'tensorbord'; known: tensorboard, trackio, wandb"):
        open_sinks(("tensorbord",), tmp_path, {}, 0)


@pytest.mark.parametrize("name", ["tensorboard", "trackio", "wandb"])
def test_a_sink_that_is_not_installed_says_how_to_get_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "tensorboard":
        pytest.importorskip("torch")
        monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, name, None)  # as Python marks what cannot be imported
    with pytest.raises(UsageError, match=rf"pip install 'foretrace\[{name}\]'"):
        open_sinks((name,), tmp_path, {}, 0)


def test_dashboards_get_numbers_alone() -> None:
    assert numbers(RECORD) == {"loss": 0.5, "loss_by_kind/locals": 0.25}


def test_tensorboard_shows_a_resumed_run_once(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, ("tensorboard",), range(1, 8))
    write(tmp_path, ("tensorboard",), range(6, 10), start=5)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {"loss", "loss_by_kind/locals"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 10))
    assert events.Scalars("loss")[-1].value == pytest.approx(1 / 9)


def test_trackio_goes_on_with_the_same_run(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    code = f"""
from pathlib import Path; import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sinks import write
for steps, start in ((range(1, 4), 0), (range(4, 7), 3)):
    write(Path({str(tmp_path)!r}), ("trackio",), steps, start)
import trackio
print(*[run.name for run in trackio.Api().runs("foretrace")], sep="\\n")
"""
    environment = os.environ | {"TRACKIO_DIR": str(tmp_path / "trackio")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    identity = (tmp_path / "run-id").read_text()
    assert done.stdout == f"{tmp_path.name}-{identity}"  # one run; what trackio itself has to say goes to standard error


def test_wandb_goes_on_with_the_same_run(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    code = f"""
from pathlib import Path; import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sinks import write
for steps, start in ((range(1, 4), 0), (range(4, 7), 3)):
    write(Path({str(tmp_path)!r}), ("wandb",), steps, start)
"""
    environment = os.environ | {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    identity = (tmp_path / "run-id").read_text().strip()
    sessions = [folder.name for folder in (tmp_path / "wandb").glob("offline-run-*")]
    assert len(sessions) == 2
    assert all(f"-{identity}" in name for name in sessions)


def test_a_run_that_starts_anew_has_a_new_identity(tmp_path: Path) -> None:
    (tmp_path / "run-id").write_text("old\n")
    open_sinks((), tmp_path, {}, 5)[0].close()
    assert (tmp_path / "run-id").exists()
    open_sinks((), tmp_path, {}, 0)[0].close()
    assert not (tmp_path / "run-id").exists()
