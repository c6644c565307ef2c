"""What a run came to, in numbers: how many tasks are solved, of which kind, in how many turns and seconds.

    stats = stats_of(Run.open(Path("run")))
    stats.total.solved, stats.total.graded
    stats.by["operator"]["return_removed"].solved

An episode counts as solved if its submission was graded `resolved`. One that is not graded, or whose grade could not be had,
is told apart and is in no rate.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from foretrace.forager.runs import Run
from foretrace.forager.story import kind_of
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.trajectory import Trajectory

MEASURES = ("turns", "tokens", "seconds")
_QUANTILES = {"10 %": 0.1, "median": 0.5, "90 %": 0.9}


@dataclass(slots=True)
class Group:
    """Episodes that have something in common."""

    episodes: int = 0
    graded: int = 0
    solved: int = 0
    measured: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})

    @property
    def rate(self) -> float | None:
        """Of the graded ones, those that are solved."""
        return self.solved / self.graded if self.graded else None

    def quantile(self, measure: str, share: float) -> float:
        """The least value that at least this share of the episodes does not exceed; 0 if there are none."""
        values = sorted(self.measured[measure])
        return values[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0

    def add(self, trajectory: Trajectory) -> None:
        """Counts an episode that is finished."""
        result = trajectory.result
        assert result is not None
        verdict = (result.grade or {}).get("verdict", "broken")
        self.episodes += 1
        self.graded += verdict != "broken"
        self.solved += verdict == "resolved"
        for name in MEASURES:
            self.measured[name].append(float(getattr(result, name)))

    def to_json(self) -> dict[str, Any]:
        """Counts, the rate and quantiles."""
        measured = {
            name: {label: round(self.quantile(name, share), 3) for label, share in _QUANTILES.items()} for name in MEASURES
        }
        rate = None if self.rate is None else round(self.rate, 4)
        return {"episodes": self.episodes, "graded": self.graded, "solved": self.solved, "rate": rate, **measured}


@dataclass(slots=True)
class Stats:
    """Numbers of a run."""

    total: Group = field(default_factory=Group)
    by: dict[str, dict[str, Group]] = field(default_factory=dict)
    """Groups by what they have in common, such as `operator`, and which."""
    verdicts: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    """Steps by kind."""
    learnt: Counter[str] = field(default_factory=Counter)
    """`actions`, `observations`, and how many of the latter are `masked`."""
    tokens: int = 0
    cost: float = 0.0

    def add(self, trajectory: Trajectory, instance: Instance | None) -> None:
        """Counts an episode that is finished."""
        result = trajectory.result
        assert result is not None
        self.total.add(trajectory)
        for name, value in _labels(trajectory, instance).items():
            self.by.setdefault(name, {}).setdefault(value, Group()).add(trajectory)
        self.verdicts[str((result.grade or {}).get("verdict", "ungraded"))] += 1
        self.endings[str(result.ending)] += 1
        self.tokens += result.tokens
        self.cost += result.cost
        for step in trajectory.steps:
            self.actions[kind_of(step)] += 1
            self.learnt["actions"] += step.loss.action
            self.learnt["observations"] += bool(step.role)
            self.learnt["masked"] += bool(step.role) and not step.loss.observation

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "v": 1,
            **self.total.to_json(),
            "all_tokens": self.tokens,
            "cost": round(self.cost, 6),
            "verdicts": dict(self.verdicts),
            "endings": dict(self.endings),
            "actions": dict(self.actions),
            "learnt": dict(self.learnt),
            "by": {name: {key: group.to_json() for key, group in groups.items()} for name, groups in self.by.items()},
        }


def stats_of(run: Run) -> Stats:
    """The numbers of a run's finished episodes."""
    return count(run.trajectories(), run.instances)


def count(trajectories: Iterable[Trajectory], instances: Mapping[str, Instance]) -> Stats:
    """The numbers of finished episodes; what their tasks are is told as far as instances are known."""
    stats = Stats()
    for trajectory in trajectories:
        stats.add(trajectory, instances.get(trajectory.header.task))
    return stats


def _labels(trajectory: Trajectory, instance: Instance | None) -> dict[str, str]:
    """What an episode may have in common with others."""
    header = trajectory.header
    found = {"repository": header.repo, "policy": str(header.policy.get("model") or header.policy["name"])}
    if instance is not None:
        named = {"source": instance.source} | {name: instance.mutation.get(name, "") for name in ("operator", "hints")}
        found |= {name: str(value) for name, value in named.items() if value}
    return found
