"""A run of reinforcement learning: groups in, updates out; resumable.

    config = RunConfig(start=folder, out=Path("runs/rl"), updates=100)
    run(config, environments, source)            # again with the same folder: goes on where it stopped

The run folder is that of a training run: `metrics.jsonl` (one object an update), `state/`, `checkpoint/`, `run.json`; and
`rollouts.jsonl`, all that the learner looked at. A killed run goes on from its last state: the updates after it are made
again, with new rollouts.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import TrainingError, UsageError
from foretrace.model.checkpoint import Weights, load_checkpoint
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.feeds import Feed, Newest, SteadyFeed, ThreadFeed
from foretrace.rl.learner import Learner, Learning
from foretrace.rl.policies import LocalPolicy
from foretrace.rl.records import ROLLOUTS, group_to_json
from foretrace.rl.selection import Filters, Selection
from foretrace.rl.source import TaskSource
from foretrace.rl.types import Ending, Environment, Reward, Rollout
from foretrace.train.export import export
from foretrace.train.hardware import device_name
from foretrace.train.interrupt import asked_to_stop
from foretrace.train.journal import Journal, Report
from foretrace.train.sinks import JsonLines, cut

Environments = Mapping[str, tuple[Environment, Reward]]
"""By name, each with what its transitions are worth."""
Measure = Callable[[Weights], Mapping[str, float]]
"""Held-out numbers of a policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """What a run is."""

    start: Path
    """Checkpoint folder that the policy begins with."""
    out: Path
    updates: int
    budget: int = 16_384
    """Tokens of policies in an update, of rollouts with an advantage."""
    mode: str = "async"
    """`async` collects while it learns; `sync` does one after the other."""
    ahead: int = 8
    """Of `async`: groups that may wait for the learner. Of `sync`: groups of a round."""
    collecting: Collecting = field(default_factory=Collecting)
    learning: Learning = field(default_factory=Learning)
    filters: Filters = field(default_factory=Filters)
    save_every: int = 10
    measure_every: int = 10
    keep_rollouts: bool = True
    sinks: tuple[str, ...] = ()
    """Dashboards beside `metrics.jsonl`, as in training."""

    def __post_init__(self) -> None:
        """Checks what belongs together.

        Raises:
            UsageError: it does not fit.

        """
        if self.mode not in ("async", "sync"):
            raise UsageError(f"no mode called {self.mode!r}; use async or sync")
        if self.learning.max_tokens != self.collecting.max_tokens:
            both = f"{self.collecting.max_tokens} and {self.learning.max_tokens}"
            raise UsageError(f"collecting.max_tokens and learning.max_tokens are one number, not {both}")


def run(
    config: RunConfig,
    environments: Environments,
    source: TaskSource,
    *,
    measure: Measure | None = None,
    report: Report | None = None,
    feed: Callable[[Learner], Feed] | None = None,
) -> Path:
    """Makes all updates, or goes on with them; the folder of the last checkpoint.

    Args:
        config: see there.
        environments: that tasks of the source name.
        source: of tasks.
        measure: what is measured on held-out tasks before the first update, every so often, and after the last.
        report: is given every record, for live progress.
        feed: another way to collect, as on a cluster; None: in this process.

    Raises:
        TrainingError: an environment failed, a gradient is no number, or the process was asked to stop; what was saved is
            kept, and the same run goes on from it.

    """
    state = config.out / "state"
    learner = Learner(config.start, config.learning, steps=config.updates, state=state)
    progress = learner.progress
    if progress:
        source.restore(progress["source"])
    config.out.mkdir(parents=True, exist_ok=True)
    cut(config.out / ROLLOUTS, learner.version)
    tokenizer = Tokenizer.load(config.start)
    first = progress.get("rollouts", 0)
    make = feed or (lambda learner: _local_feed(config, environments, source, learner, first))
    description = {"rl": asdict(config), "device": device_name(learner.device)}
    with (
        closing(Journal(config.out, config.sinks, description, learner.version, report)) as journal,
        closing(JsonLines(config.out / ROLLOUTS)) as rollouts,
        make(learner) as groups,
        asked_to_stop() as asked,
    ):
        loop = _Loop(config, learner, groups, source, journal, rollouts if config.keep_rollouts else None, first)
        if not learner.version:
            loop.measure(measure)
        while learner.version < config.updates:
            loop.update()
            last = learner.version == config.updates
            if last or learner.version % config.measure_every == 0:
                loop.measure(measure)
            if last or asked or learner.version % config.save_every == 0:
                learner.save(state, loop.progress())
                export(config.out / "checkpoint", learner.model.config, learner.parameters, tokenizer, learner.ranks)
            if asked and not last:
                message = f"stopped by {asked[0]} after update {learner.version}; run the same command to go on"
                raise TrainingError(message)
    return config.out / "checkpoint"


def _local_feed(
    config: RunConfig, environments: Environments, source: TaskSource, learner: Learner, first: int
) -> SteadyFeed | ThreadFeed:
    checkpoint = load_checkpoint(config.start)

    def make(newest: Newest) -> Collector:
        policy = LocalPolicy(checkpoint.config, learner.weights(), version=learner.version)
        return Collector(environments, policy, config.collecting, weights=newest, first=first)

    if config.mode == "sync":
        return SteadyFeed(source, make, groups=config.ahead)
    return ThreadFeed(source, make, ahead=config.ahead)


@dataclass(slots=True)
class _Loop:
    """What an update needs and changes."""

    config: RunConfig
    learner: Learner
    feed: Feed
    source: TaskSource
    journal: Journal
    rollouts: JsonLines | None
    made: int
    """Rollouts so far."""
    begun: float = field(default_factory=time.monotonic)
    learning: float = 0.0
    """Seconds in which the learner had something to do."""

    def update(self) -> None:
        """Fills a batch, learns from it, hands the weights on, and tells of it."""
        learner, config = self.learner, self.config
        start = time.monotonic()
        selection = Selection(config.budget, learner.model.config.vocab_size, config.filters)
        while not selection.is_full:
            group = self.feed.next()
            self.made += len(group.rollouts)
            self.source.note(group)
            if self.rollouts is not None:
                self.rollouts.write(group_to_json(group, learner.version + 1))
            selection.add(group, learner.version)
        waited = time.monotonic() - start
        record = learner.update(selection)
        self.feed.publish(learner.weights(), learner.version)
        seconds = time.monotonic() - start
        record |= {"waited": waited / seconds, "seconds_per_update": seconds}
        self._write(record | summary(selection))

    def measure(self, measure: Measure | None) -> None:
        """Measures the policy as it is."""
        if measure is not None:
            self._write({"event": "measured", "held_out": dict(measure(self.learner.weights()))})

    def progress(self) -> dict[str, Any]:
        """What is needed to go on."""
        return {"source": self.source.state(), "rollouts": self.made}

    def _write(self, record: dict[str, Any]) -> None:
        seconds = round(time.monotonic() - self.begun, 1)
        self.journal.write({"step": self.learner.version, "seconds": seconds, "rollouts": self.made} | record)


def summary(selection: Selection) -> dict[str, Any]:
    """What the rollouts of an update were like, all of them and by environment."""
    seen = selection.seen
    by: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in seen:
        by[rollout.task.environment].append(rollout)
    return {
        "reward": float(np.mean([r.value for r in seen])),
        "solved": _solved(seen),
        "solved_by_environment": {name: _solved(of) for name, of in sorted(by.items())},
        "length": float(np.mean([r.length for r in seen])),
        "max_length": max(r.length for r in seen),
        "turns": float(np.mean([len(r.rewards) for r in seen])),
        "cut": float(np.mean([r.ending is Ending.LENGTH for r in seen])),
        "learnt_from": len(selection.chosen) / len(seen),
        "dropped": {reason.value: count / len(seen) for reason, count in sorted(selection.dropped.items())},
    }


def _solved(rollouts: list[Rollout]) -> float:
    return float(np.mean([r.value > 0 for r in rollouts]))
