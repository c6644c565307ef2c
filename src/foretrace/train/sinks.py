"""Where the records of a run go: JSON Lines first, which are the truth, then dashboards, for those who name one.

    cut(folder / "metrics.jsonl", step)                     # what follows the state that a run resumes from
    sinks = open_sinks(("tensorboard",), folder, config, step)
    for sink in sinks:
        sink.write({"step": 10, "loss": 0.4, "loss_by_kind": {"locals": 0.2}})

Only the first rank of a run has sinks. A dashboard is imported only when it is named, and goes on with the same run
after a resume.
"""

import json
import math
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any, Protocol

from foretrace.errors import UsageError

METRICS = "metrics.jsonl"
PROJECT = "foretrace"
_IDENTITY = "run-id"
Record = Mapping[str, Any]


class Sink(Protocol):
    """Takes the records of a run, one by one."""

    def write(self, record: Record) -> None:
        """Takes a record; it has a `step`."""

    def close(self) -> None:
        """Passes on what is held back."""


# ---------------------------------------------------------------------------------------------------
# JSON Lines


class JsonLines:
    """One object a line, each written through at once; numbers that are not finite become null, which JSON has."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(self, record: Record) -> None:
        """Appends a record.

        Raises:
            OSError: it could not be written in whole, as on a full disk; `cut` removes what was.

        """
        line = json.dumps(_finite(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._file)) from error

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


def read_jsonl(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a file that may be in use or damaged: lines that hold no whole object are passed over."""
    with file.open("rb") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:  # half a line, or bytes that are no text
                continue
            if isinstance(record, dict):
                yield record


def cut(file: Path, step: int) -> None:
    """Removes the records after `step`, which a resumed run writes again, and lines that a kill left unfinished.

    Killed at any instant, the file holds what it held before or what it is to hold.
    """
    if not file.exists():
        return
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with closing(JsonLines(fresh)) as kept:
        for record in read_jsonl(file):
            if record.get("step", math.inf) <= step:
                kept.write(record)
    fresh.replace(file)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# ---------------------------------------------------------------------------------------------------
# Dashboards


def open_sinks(names: Sequence[str], folder: Path, config: Record, step: int) -> list[Sink]:
    """`metrics.jsonl` in `folder`, and the dashboards called `names`.

    Args:
        names: of `DASHBOARDS`.
        folder: of the run.
        config: JSON values that a dashboard shows beside the curves.
        step: that the run resumes from; 0 for a new one.

    Raises:
        UsageError: there is no sink of that name, or its package is not installed.

    """
    unknown = [name for name in names if name not in DASHBOARDS]
    if unknown:
        known = ", ".join(DASHBOARDS)
        raise UsageError(f"no sink called {unknown[0]!r}; known: {known} ({METRICS} is always written)")
    if step == 0:
        (folder / _IDENTITY).unlink(missing_ok=True)
    return [JsonLines(folder / METRICS), *(_open(name, folder, config, step) for name in names)]


def _open(name: str, folder: Path, config: Record, step: int) -> Sink:
    try:
        return DASHBOARDS[name](folder, config, step)
    except ImportError as error:
        raise UsageError(
            f"the sink {name} needs a package ({error}); install it with: pip install 'foretrace[{name}]'"
        ) from error


class TensorBoard:
    """Curves in `tensorboard/` of the run's folder."""

    def __init__(self, folder: Path, config: Record, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # a resumed run writes the steps after `step` again: TensorBoard forgets those of the killed one
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
        self._writer.add_text("config", f"```\n{json.dumps(config, indent=1)}\n```", step)

    def write(self, record: Record) -> None:
        """Adds every number of a record."""
        for name, value in numbers(record).items():
            self._writer.add_scalar(name, value, record["step"])
        self._writer.flush()

    def close(self) -> None:
        """Closes the event file."""
        self._writer.close()


class Trackio:
    """A run of trackio's local dashboard (`trackio show --project foretrace`)."""

    def __init__(self, folder: Path, config: Record, step: int) -> None:
        import trackio

        name = f"{folder.resolve().name}-{_identity(folder)}"
        with redirect_stdout(sys.stderr):  # what it has to say is not what a command was asked for
            self._run = trackio.init(PROJECT, name=name, config=dict(config), resume="allow", embed=False)
        self._finish = trackio.finish

    def write(self, record: Record) -> None:
        """Logs every number of a record."""
        self._run.log(numbers(record), step=record["step"])

    def close(self) -> None:
        """Waits until all is stored."""
        with redirect_stdout(sys.stderr):
            self._finish()


class Wandb:
    """A run of Weights & Biases; `WANDB_MODE=offline` keeps it in the run's folder."""

    def __init__(self, folder: Path, config: Record, step: int) -> None:
        import wandb

        self._run = wandb.init(project=PROJECT, id=_identity(folder), dir=folder, config=dict(config), resume="allow")

    def write(self, record: Record) -> None:
        """Logs every number of a record; of steps that were logged before a resume the first record counts."""
        self._run.log(numbers(record), step=record["step"])

    def close(self) -> None:
        """Waits until all is sent."""
        self._run.finish()


DASHBOARDS: dict[str, Callable[[Path, Record, int], Sink]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": Wandb,
}
"""Sinks by the name that a configuration and an extra of the package have for them."""


def numbers(record: Record, above: str = "") -> dict[str, float]:
    """The numbers of a record but its step, those of inner objects as `loss_by_kind/locals`."""
    found: dict[str, float] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{above}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and key != "step":
            found[above + key] = value
    return found


def _identity(folder: Path) -> str:
    """A short random name, the same for all sessions of a run."""
    file = folder / _IDENTITY
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(secrets.token_hex(4) + "\n", encoding="utf-8")
    return file.read_text(encoding="utf-8").strip()
