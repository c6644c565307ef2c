"""A run of reinforcement learning: groups in, updates out; resumable.

    config = RunConfig(start=folder, out=Path("runs/rl"), updates=100)
    run(config, environments, source)            # again with the same folder: goes on where it stopped

The run folder is that of a training run: `metrics.jsonl` (one object an update), `state/`, `checkpoint/`, `run.json`; and
`rollouts.jsonl`, all that the learner looked at. A killed run goes on from its last state: the updates after it are made
again, with new rollouts. Under `torchrun` the first process has the feed, and all learn from what it selects.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import TrainingError, UsageError
from foretrace.model.checkpoint import Weights, load_checkpoint
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.feeds import Feed, MakeCollector, Newest, SteadyFeed, ThreadFeed
from foretrace.rl.learner import Learner, Learning
from foretrace.rl.policies import LocalPolicy
from foretrace.rl.records import ROLLOUTS, group_to_json
from foretrace.rl.selection import Dropped, Filters, Selection
from foretrace.rl.source import TaskSource
from foretrace.rl.types import Ending, Environment, Reward, Rollout
from foretrace.train.export import export
from foretrace.train.hardware import device_name
from foretrace.train.interrupt import asked_to_stop
from foretrace.train.journal import Journal, Report
from foretrace.train.ranks import Ranks
from foretrace.train.sinks import JsonLines, cut

Environments = Mapping[str, tuple[Environment, Reward]]
"""By name, each with what its transitions are worth."""
Measure = Callable[[Weights], Mapping[str, float]]
"""Held-out numbers of a policy."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a feed begins with."""

    weights: Weights
    version: int
    rollouts: int
    """Made before; the next one has this number."""


MakeFeed = Callable[[Beginning], Feed]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """What a run is."""

    start: Path
    """Checkpoint folder that the policy begins with."""
    out: Path
    updates: int
    """At which it ends, those of earlier stages counted."""
    updates_in_all: int = 0
    """Of all stages, for schedules that end; 0: there is only this one."""
    stage: str = ""
    """Its name in records, if there are several."""
    budget: int = 16_384
    """Tokens of policies in an update, of rollouts with an advantage."""
    mode: str = "async"
    """`async` collects while it learns; `sync` does one after the other."""
    ahead: int = 8
    """Of `async`: groups that may wait for the learner. Of `sync`: groups of a round."""
    collecting: Collecting = field(default_factory=Collecting)
    learning: Learning = field(default_factory=Learning)
    filters: Filters = field(default_factory=Filters)
    patience: int = 2_000
    """Groups that an update looks at, at most; if they do not fill it, tasks are too hard or too easy, and the run ends."""
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
        most = self.learning.max_tokens
        if not self.collecting.max_tokens <= min(most, self.learning.tokens_per_row):
            raise UsageError(
                f"a rollout may have {self.collecting.max_tokens} tokens (collecting.max_tokens), but the objective is made "
                f"for {most} (learning.max_tokens) and a row has room for {self.learning.tokens_per_row} "
                "(learning.tokens_per_row): raise these"
            )


def run(
    config: RunConfig,
    environments: Environments,
    source: TaskSource,
    *,
    measure: Measure | None = None,
    report: Report | None = None,
    feed: MakeFeed | None = None,
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
    state, checkpoint = config.out / "state", config.out / "checkpoint"
    learner = Learner(config.start, config.learning, steps=config.updates_in_all or config.updates, state=state)
    if learner.version >= config.updates:
        return checkpoint
    ranks, progress = learner.ranks, learner.progress
    if progress:
        source.restore(progress["source"])
    tokenizer = Tokenizer.load(config.start)
    beginning = Beginning(learner.weights(), learner.version, progress.get("rollouts", 0))
    make = feed or local_feed(config, environments, source)
    with ExitStack() as stack, ranks.watching(), asked_to_stop() as asked:
        loop = _Loop(config, learner, source, beginning.rollouts, progress.get("tokens", 0), progress.get("seconds", 0.0))
        if ranks.first:
            loop.open(stack, make(beginning), report)
        if not learner.version:
            loop.measure(measure)
        while learner.version < config.updates:
            loop.update()
            last, is_asked = learner.version == config.updates, bool(ranks.gather(len(asked)).any())
            if last or learner.version % config.measure_every == 0:
                loop.measure(measure)
            if last or is_asked or learner.version % config.save_every == 0:
                learner.save(state, loop.progress())
                export(checkpoint, learner.model.config, learner.parameters, tokenizer, ranks)
            if is_asked and not last:
                by = asked[0] if asked else "a signal to another process"
                raise TrainingError(f"stopped by {by} after update {learner.version}; run the same command to go on")
    return checkpoint


def local_feed(config: RunConfig, environments: Environments, source: TaskSource) -> MakeFeed:
    """Collects in this process."""
    model = load_checkpoint(config.start).config

    def feed(beginning: Beginning) -> Feed:
        def make(newest: Newest) -> Collector:
            policy = LocalPolicy(model, beginning.weights, version=beginning.version)
            return Collector(environments, policy, config.collecting, weights=newest, first=beginning.rollouts)

        return feed_of(config, source, make)

    return feed


def feed_of(config: RunConfig, source: TaskSource, make: MakeCollector) -> Feed:
    """A feed of the run's mode, from a collector of whatever kind."""
    if config.mode == "sync":
        return SteadyFeed(source, make, groups=config.ahead)
    return ThreadFeed(source, make, ahead=config.ahead)


@dataclass(slots=True)
class _Loop:
    """What an update needs and changes. Of several processes only the first has a feed and tells what was done."""

    config: RunConfig
    learner: Learner
    source: TaskSource
    made: int
    """Rollouts so far."""
    tokens: int
    """That were learnt from so far."""
    before: float
    """Seconds that earlier parts of the run took."""
    feed: Feed | None = None
    journal: Journal | None = None
    rollouts: JsonLines | None = None
    begun: float = field(default_factory=time.monotonic)

    @property
    def ranks(self) -> Ranks:
        """The processes that learn."""
        return self.learner.ranks

    def open(self, stack: ExitStack, feed: Feed, report: Report | None) -> None:
        """Begins to collect and to write, until the stack is closed."""
        self.feed = stack.enter_context(feed)
        config, version = self.config, self.learner.version
        config.out.mkdir(parents=True, exist_ok=True)
        cut(config.out / ROLLOUTS, version)
        description = {"rl": asdict(config), "device": device_name(self.learner.device), "processes": self.ranks.size}
        self.journal = stack.enter_context(closing(Journal(config.out, config.sinks, description, version, report)))
        if config.keep_rollouts:
            self.rollouts = stack.enter_context(closing(JsonLines(config.out / ROLLOUTS)))

    def update(self) -> None:
        """Fills a batch, learns from it, hands the weights on, and tells of it."""
        start, selection = time.monotonic(), self._new_selection()
        with self.ranks.together():
            if self.feed is not None:
                self._fill(selection, self.feed)
        waited = time.monotonic() - start
        chosen = self.ranks.from_first(selection.chosen)
        record = self.learner.update(chosen)
        weights = self.learner.weights()
        if self.feed is not None:
            self.feed.publish(weights, self.learner.version)
            seconds = time.monotonic() - start
            self.tokens += int(record.pop("tokens"))
            record |= {"update_tokens": selection.tokens, "waited": waited / seconds, "seconds_per_update": seconds}
            self._write(record | summary(selection))

    def measure(self, measure: Measure | None) -> None:
        """Measures the policy as it is."""
        if measure is None:
            return
        weights = self.learner.weights()
        with self.ranks.together():
            if self.journal is not None:
                self._write({"held_out": dict(measure(weights))})

    def progress(self) -> dict[str, Any]:
        """What is needed to go on."""
        return {"source": self.source.state(), "rollouts": self.made, "tokens": self.tokens, "seconds": self.seconds}

    @property
    def seconds(self) -> float:
        """That the run has taken so far."""
        return round(self.before + time.monotonic() - self.begun, 1)

    def _new_selection(self) -> Selection:
        return Selection(self.config.budget, self.learner.model.config.vocab_size, self.config.filters)

    def _fill(self, selection: Selection, feed: Feed) -> None:
        version = self.learner.version
        groups = 0
        while not selection.is_full:
            groups += 1
            if groups > self.config.patience:
                found = f"{selection.tokens:,} of {selection.budget:,} tokens to learn from"
                raise TrainingError(
                    f"update {version + 1}: {groups - 1:,} groups gave {found}, and {_solved(selection.seen):.0%} of their "
                    "rollouts are solved. Take tasks that are solved now and then, or a smaller run.budget"
                )
            group = feed.next()
            self.made += len(group.rollouts)
            self.source.note(group)
            if self.rollouts is not None:
                self.rollouts.write(group_to_json(group, version + 1))
            selection.add(group, version)

    def _write(self, record: dict[str, Any]) -> None:
        assert self.journal is not None, "only the first process writes"
        place: dict[str, Any] = {"step": self.learner.version, "tokens": self.tokens, "seconds": self.seconds}
        place |= {"rollouts": self.made} | ({"stage": self.config.stage} if self.config.stage else {})
        self.journal.write(place | record)


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
        "dropped": {reason.value: selection.dropped[reason] / len(seen) for reason in Dropped},
    }


def _solved(rollouts: list[Rollout]) -> float:
    return float(np.mean([r.value > 0 for r in rollouts]))
