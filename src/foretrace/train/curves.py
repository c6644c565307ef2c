"""What the records of runs say, as curves: panels of series, ready to be drawn or printed.

A panel shows one metric. With one run it holds the metric's parts (training and held out; sources; kinds of token);
with several, each part gets a panel of its own and holds the runs. So colours tell apart what a panel compares, never
two things at once. Fields that this module does not know are shown, too, each in its panel. Needs no torch.

    runs = read_runs([Path("runs/tiny/midtrain"), Path("runs/mine/midtrain")])
    for panel in panels(runs, x="tokens", smooth=9):
        for series in panel.series:
            series.x, series.y          # float64 arrays; not a number where nothing was written
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from foretrace.errors import UsageError
from foretrace.train.axes import Floats, smoothen
from foretrace.train.history import Run, X

EVENT = "event"
"""Field of a record that only marks a moment, such as `resumed`."""

TITLES = {
    "loss": "Loss, nats a token",
    "loss_by_source": "Loss by source",
    "loss_by_kind": "Loss by kind of token",
    "val_loss_by_source": "Held-out loss by source",
    "val_loss_by_kind": "Held-out loss by kind of token",
    "accuracy": "Accuracy",
    "lr": "Learning rate",
    "grad_norm": "Gradient norm before clipping",
    "tokens_per_second": "Tokens a second",
    "mfu": "FLOPs used, share of the peak",
    "memory_gb": "Memory, GB",
    "step_seconds": "Seconds a step",
    "data_share": "Share of time waiting for data",
    "reward": "Return of a rollout",
    "solved": "Rollouts that solve their task",
    "solved_by_environment": "Rollouts that solve their task, by environment",
    "held_out": "Held-out tasks solved",
    "dropped": "Rollouts not learnt from, by reason",
    "learnt_from": "Rollouts learnt from",
    "entropy": "Entropy, nats a token",
    "clipped": "Tokens whose gradient is clipped",
    "lag": "Updates since a token was written",
    "mismatch": "Sampler and learner, nats a token apart",
    "length": "Tokens of a policy in a rollout",
    "cut": "Rollouts that were cut",
    "waited": "Share of time waiting for rollouts",
}
"""Metrics in the order of their panels; others follow."""
_PARTS = {
    "loss": ("loss", "training"),
    "val_loss": ("loss", "held out"),
    "token_accuracy": ("accuracy", "tokens, training"),
    "val_token_accuracy": ("accuracy", "tokens, held out"),
    "val_exact_trace": ("accuracy", "whole traces, held out"),
    "sample_exact_frames": ("accuracy", "frames, free-running"),
    "sample_exact": ("accuracy", "whole samples, free-running"),
    "grad_norm": ("grad_norm", "mean"),
    "grad_norm_max": ("grad_norm", "most"),
    "tokens_per_second": ("tokens_per_second", "all devices"),
    "tokens_per_second_per_device": ("tokens_per_second", "a device"),
    "mfu": ("mfu", "measured peak"),
    "mfu_datasheet": ("mfu", "datasheet peak"),
    "memory_gb": ("memory_gb", "now"),
    "memory_peak_gb": ("memory_gb", "most so far"),
    "lag": ("lag", "mean"),
    "max_lag": ("lag", "most"),
    "length": ("length", "mean"),
    "max_length": ("length", "most"),
}
"""Of a field: its metric, and its name within that."""
_SHARES = {
    *("accuracy", "mfu", "data_share", "clipped", "cut", "waited"),
    *("solved", "solved_by_environment", "held_out", "dropped", "learnt_from"),
}
"""Metrics whose values are parts of one."""
_WHOLE = ("val_", "sample_", "held_out")
"""Beginnings of fields that are means over a whole set already, and are never smoothed."""


@dataclass(frozen=True, slots=True)
class Series:
    """One curve."""

    run: str
    part: str
    """Of the metric; empty if it has only one."""
    x: Floats
    """(n,)"""
    y: Floats
    """(n,): not a number in gaps."""
    raw: Floats | None = None
    """(n,): before it was smoothed, if it was."""
    colour: int = 0
    """The same number means the same thing in all panels."""

    @property
    def last(self) -> float:
        """The last number."""
        there = self.y[~np.isnan(self.y)]
        return float(there[-1]) if len(there) else float("nan")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a run: a stage begins, the run was resumed."""

    run: str
    x: float
    what: str
    colour: int = 0
    """Of the run."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric, or a part of it."""

    metric: str
    title: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = field(default=())

    @property
    def is_share(self) -> bool:
        """Whether its values are parts of one."""
        return self.metric in _SHARES


# ---------------------------------------------------------------------------------------------------
# Panels


def panels(runs: Sequence[Run], *, x: str = "tokens", metrics: Sequence[str] = (), smooth: int = 1) -> list[Panel]:
    """What `runs` have recorded, a panel a metric.

    Args:
        x: one of `X`.
        metrics: names of metrics or fields; none: all there are.
        smooth: each point becomes the mean of this many around it.

    Raises:
        UsageError: no run has such a metric, or any.

    """
    found: dict[str, list[Series]] = {}
    marks: list[Mark] = []
    for number, run in enumerate(runs):
        marks += [replace(mark, colour=number) for mark in _marks(run, x)]
        for metric, series in _series(run, x, smooth):
            found.setdefault(metric, []).append(replace(series, colour=number))
    if not found:
        raise UsageError(
            f"nothing to draw against {x} in {', '.join(run.name for run in runs)}: the records hold no numbers"
        )
    if len(runs) == 1:
        found = _coloured_by_part(found)
    order = [name for name in TITLES if name in found] + [name for name in found if name not in TITLES]
    chosen = _chosen(metrics, found) if metrics else order
    return [panel for name in chosen for panel in _panels(name, found[name], tuple(marks), apart=len(runs) > 1)]


def _series(run: Run, x: str, smooth: int) -> Iterator[tuple[str, Series]]:
    """The curves of a run, each with the name of its metric."""
    points: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for record in run.records:
        if x not in record:
            continue
        for name, value in record.items():
            if isinstance(value, Mapping) and name != "sample":
                for part, inner in value.items():
                    points.setdefault((name, name, part), []).append((record[x], _number(inner)))
            elif name not in X and not isinstance(value, bool | str):
                metric, part = _PARTS.get(name, (name, ""))
                points.setdefault((name, metric, part), []).append((record[x], _number(value)))
    for (name, metric, part), pairs in points.items():
        xs, ys = np.array(pairs, dtype=np.float64).T
        if not np.isnan(ys).all():
            smoothed = smooth > 1 and not name.startswith(_WHOLE)
            yield metric, Series(run.name, part, xs, smoothen(ys, smooth) if smoothed else ys, ys if smoothed else None)


def _number(value: Any) -> float:
    """A value of a record; infinities are gaps like what is not a number."""
    number = float(value) if isinstance(value, int | float) else float("nan")
    return number if abs(number) < float("inf") else float("nan")


def _marks(run: Run, x: str) -> Iterator[Mark]:
    stage = None
    for record in run.records:
        if x not in record:
            continue
        if stage is not None and record.get("stage", stage) != stage:
            yield Mark(run.name, float(record[x]), str(record["stage"]))
        stage = record.get("stage", stage)
        if EVENT in record:
            yield Mark(run.name, float(record[x]), str(record[EVENT]))


def _coloured_by_part(found: dict[str, list[Series]]) -> dict[str, list[Series]]:
    """The same kind of token, or source, has the same colour in training and held out."""
    numbers: dict[str, dict[str, int]] = {}
    for metric, several in found.items():
        known = numbers.setdefault(metric.removeprefix("val_"), {})
        for at, series in enumerate(several):
            several[at] = replace(series, colour=known.setdefault(series.part, len(known)))
    return found


def _chosen(names: Sequence[str], found: Mapping[str, Sequence[Series]]) -> list[str]:
    chosen = []
    for name in names:
        metric = name if name in found else _PARTS.get(name, (name, ""))[0]
        if metric not in found:
            close = get_close_matches(name, found, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise UsageError(f"no run has recorded {name!r}.{hint} Recorded: {', '.join(found)}")
        chosen.append(metric)
    return list(dict.fromkeys(chosen))


def _panels(metric: str, series: Sequence[Series], marks: tuple[Mark, ...], *, apart: bool) -> Iterator[Panel]:
    title = TITLES.get(metric, metric.replace("_", " "))
    parts = list(dict.fromkeys(s.part for s in series))
    if not apart or len(parts) == 1:
        yield Panel(metric, title, tuple(series), marks)
        return
    for part in parts:
        yield Panel(metric, f"{title} · {part}", tuple(s for s in series if s.part == part), marks)
