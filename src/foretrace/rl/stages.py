"""A run of several stages: other mixtures, bands of solve rates, lengths, hints, in one run folder.

    stages = (
        Stage(name="form", updates=100, shares=(Share(name="maths", weight=1.0),), free=512, most=1024),
        Stage(name="all", updates=400, shares=(Share(name="maths", weight=0.4), Share(name="swe", weight=0.6))),
    )
    run_stages(config, stages, tasks, worlds)         # again: goes on in the stage where it stopped

CWM has three (report, section 5.3): format and length first, then harder mixtures of what is solved now and then, then the
hardest. A stage is a run that goes on with the state of the one before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foretrace.errors import UsageError
from foretrace.rl.rewards import with_length_limit
from foretrace.rl.run import Environments, MakeFeed, Measure, RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import Reward, Task
from foretrace.train.journal import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of a stage's groups is of one set of tasks."""

    name: str
    weight: float = 1.0
    band: tuple[float, float] | None = None
    """Solve rates between which a task is drawn as often as it can be; None: all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Part of a run."""

    name: str
    updates: int
    shares: tuple[Share, ...]
    """Sets of tasks that it does not name are left out."""
    max_tokens: int = 0
    """Of a rollout; 0: as many as in the run."""
    max_turns: int = 0
    free: int = 0
    """Tokens of a right answer that cost nothing."""
    most: int = 0
    """Tokens from which on a right answer is worth nothing; 0: length costs nothing."""
    hints: float = 0.0
    """Share of software-engineering tasks that show the tests that decide."""
    bash_only: float = 0.0
    """Share of software-engineering episodes that have bash and submit alone."""

    def reward(self, reward: Reward) -> Reward:
        """What an answer is worth in this stage."""
        return with_length_limit(reward, free=self.free, most=self.most) if self.most else reward

    def config(self, config: RunConfig, end: int, in_all: int) -> RunConfig:
        """The run up to the end of this stage."""
        collecting = config.collecting
        collecting = replace(
            collecting,
            max_tokens=self.max_tokens or collecting.max_tokens,
            max_turns=self.max_turns or collecting.max_turns,
        )
        return replace(config, updates=end, updates_in_all=in_all, collecting=collecting, stage=self.name)


Worlds = Callable[[Stage], Environments]
"""Environments as they are in a stage, with their rewards."""
StageFeed = Callable[[Stage, RunConfig, Environments, TaskSource], MakeFeed]


def run_stages(
    config: RunConfig,
    stages: Sequence[Stage],
    tasks: Mapping[str, Sequence[Task]],
    worlds: Worlds,
    *,
    seed: int = 0,
    measure: Measure | None = None,
    report: Report | None = None,
    feed: StageFeed | None = None,
) -> Path:
    """Runs all stages, or goes on with them; the folder of the last checkpoint.

    Args:
        config: of all stages; its number of updates is that of the stages together.
        stages: one after the other.
        tasks: by the names of shares.
        worlds: see there.
        seed: of orders and of environments.
        measure: see `run`.
        report: see `run`.
        feed: another way to collect; None: in this process.

    Raises:
        UsageError: a stage has a share of tasks that there are not.
        TrainingError: see `run`.

    """
    for stage in stages:
        missing = [share.name for share in stage.shares if not tasks.get(share.name)]
        if missing:
            known = ", ".join(name for name in tasks if tasks[name]) or "none"
            raise UsageError(f"stage {stage.name}: there are no tasks called {missing[0]!r}; there are: {known}")
    in_all = sum(stage.updates for stage in stages)
    end, checkpoint = 0, config.out / "checkpoint"
    for stage in stages:
        end += stage.updates
        # of all sets of tasks, so that places in them hold from stage to stage
        shares = {name: Share(name=name, weight=0.0) for name in tasks} | {share.name: share for share in stage.shares}
        parts = [Part(tasks=of, weight=shares[name].weight, band=shares[name].band) for name, of in tasks.items()]
        source, environments, now = TaskSource(parts, seed=seed), worlds(stage), stage.config(config, end, in_all)
        make = feed(stage, now, environments, source) if feed else None
        checkpoint = run(now, environments, source, measure=measure, report=report, feed=make)
    return checkpoint
