"""Reinforcement learning as presets, and how one is run: tasks, stages, environments, in one process or on a cluster.

recipe = load_rl("examples", Path("runs/rl"), ["run.start=runs/examples/sft/checkpoint", "run.updates=60"])
run_rl(recipe, print)                              # again: goes on where it stopped
run_rl(recipe, print, Cluster(samplers=8))         # on Ray
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import find_folder
from foretrace.errors import UsageError
from foretrace.evals.traces import HELD_OUT_SEED
from foretrace.model.checkpoint import Weights, load_checkpoint
from foretrace.recipes.examples import FUNCTIONS
from foretrace.recipes.examples import HELD_OUT_SEED as HELD_OUT_FUNCTIONS
from foretrace.recipes.overrides import override
from foretrace.recipes.rl_tasks import Tasks, Worlds, open_environments, read_tasks
from foretrace.rl.cluster import Cluster, cluster_feed
from foretrace.rl.collector import Collecting
from foretrace.rl.learner import Learning
from foretrace.rl.measure import solve_rates
from foretrace.rl.rewards import patch_reward, right_or_wrong
from foretrace.rl.run import Environments, MakeFeed, RunConfig
from foretrace.rl.selection import Filters
from foretrace.rl.source import TaskSource
from foretrace.rl.stages import Share, Stage, run_stages
from foretrace.rl.types import Environment, Task
from foretrace.train.schedule import Schedule

RECIPE = "recipe.json"
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RLRecipe:
    """A whole run of reinforcement learning."""

    run: RunConfig
    """Its `updates` count only for a recipe of one stage; of several, each says how many it has."""
    tasks: tuple[Tasks, ...]
    stages: tuple[Stage, ...] = ()
    """None: one stage, of all tasks alike."""
    held_out: tuple[Tasks, ...] = ()
    """What it is measured on."""
    worlds: Worlds = field(default_factory=Worlds)
    seed: int = 0

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        """At least one."""
        shares = tuple(Share(name=tasks.name, band=(0.05, 0.95)) for tasks in self.tasks)
        return self.stages or (Stage(name="", updates=self.run.updates, shares=shares),)


def _config(work: Path, start: str, *, updates: int, max_tokens: int, **settings: Any) -> RunConfig:
    learning = Learning(schedule=Schedule(kind="constant", lr=settings.pop("lr"), warmup_steps=5), max_tokens=max_tokens)
    learning = replace(learning, tokens_per_row=max(learning.tokens_per_row, max_tokens))
    collecting = Collecting(max_tokens=max_tokens, **settings.pop("collecting", {}))
    return RunConfig(start=Path(start), out=work, updates=updates, collecting=collecting, learning=learning, **settings)


def examples(work: Path = Path("runs/rl-examples")) -> RLRecipe:
    """Functions from examples, by the small model of the recipe of that name: half an hour of a laptop."""
    group = {"group_size": 16}
    config = _config(
        work, "runs/examples/sft/checkpoint", updates=90, max_tokens=512, budget=8_192, lr=2e-4, collecting=group
    )
    return RLRecipe(
        run=config,
        tasks=(Tasks(name="functions", environment="examples", source="short:20000", seed=1 << 41),),
        held_out=(
            Tasks(name="functions", environment="examples", source="short:100", seed=HELD_OUT_FUNCTIONS, apart=FUNCTIONS),
        ),
    )


def output(work: Path = Path("runs/rl-output")) -> RLRecipe:
    """What calls return, told as traces, by the packaged model."""
    config = _config(work, "tiny", updates=60, max_tokens=1024, budget=8_192, lr=3e-5)
    return RLRecipe(
        run=config,
        tasks=(Tasks(name="programs", environment="output", source="synthesised:2000", seed=HELD_OUT_SEED + 7 * (1 << 40)),),
        held_out=(
            Tasks(name="fresh", environment="output", source="fresh:100"),
            Tasks(name="programs", environment="output", source="synthesised:100", seed=HELD_OUT_SEED),
        ),
    )


def cwm(work: Path = Path("runs/rl-cwm")) -> RLRecipe:
    """CWM's three stages (report, section 5.3) over files of tasks in `WORK/tasks` and a forager's run in `WORK/swe`.

    Shares, stage ends, band, hints and bash-only episodes are the report's, as far as it gives them for what is here: its
    programs are in Python alone. Rates, group size and tokens of an update are ours: the report has none.
    """
    config = _config(
        work,
        str(work / "start"),
        updates=20_000,
        max_tokens=131_072,
        budget=10_000_000,
        lr=1e-6,
        collecting={"group_size": 8, "width": 512, "max_turns": 128, "threads": 64},
        filters=Filters(max_lag=100, rare_token=100_000),
        ahead=64,
    )
    kinds = ("contest", "agentic", "maths")
    files = tuple(Tasks(name=kind, environment=kind, source=str(work / "tasks" / f"{kind}.jsonl")) for kind in kinds)
    some, swe = (0.1, 0.7), Tasks(name="swe", environment="swe", source=str(work / "swe"))
    stages = (
        Stage(
            name="format",
            updates=14_125,
            shares=_shares(contest=0.2, agentic=0.2, swe=0.4, maths=0.2),
            free=8_192,
            most=65_536,
            hints=0.1,
        ),
        Stage(
            name="mixture",
            updates=2_375,
            shares=_shares(some, contest=0.25, agentic=0.25, swe=0.3, maths=0.2),
            bash_only=0.5,
        ),
        Stage(
            name="hard",
            updates=3_500,
            shares=_shares(some, contest=0.25, agentic=0.25, swe=0.3, maths=0.2),
            free=32_768,
            most=65_536,
            bash_only=0.5,
        ),
    )
    return RLRecipe(run=config, tasks=(*files, swe), stages=stages, worlds=Worlds(think=True))


def _shares(band: tuple[float, float] | None = None, **weights: float) -> tuple[Share, ...]:
    return tuple(Share(name=name, weight=weight, band=band) for name, weight in weights.items())


RL_RECIPES: dict[str, Callable[[Path], RLRecipe]] = {"examples": examples, "output": output, "cwm": cwm}


def load_rl(name: str, work: Path, settings: Iterable[str] = ()) -> RLRecipe:
    """The preset called `name`, its fields overridden.

    Raises:
        UsageError: no such preset or field.

    """
    if name not in RL_RECIPES:
        raise UsageError(f"no preset called {name!r}; known: {', '.join(RL_RECIPES)}")
    recipe = override(RL_RECIPES[name](work), settings)
    folder = find_folder(str(recipe.run.start))
    return replace(recipe, run=replace(recipe.run, start=folder)) if folder is not None else recipe


def save_choice(folder: Path, name: str, settings: Iterable[str]) -> None:
    """Notes in a run's folder what it is a run of, for those that look at it later."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE).write_text(json.dumps({"preset": name, "settings": list(settings)}) + "\n", encoding="utf-8")


def saved_recipe(folder: Path) -> RLRecipe:
    """The recipe of a run's folder.

    Raises:
        UsageError: there is none.

    """
    try:
        found = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{folder} is no run of foretrace rl: it has no {RECIPE}") from error
    return load_rl(found["preset"], folder, found["settings"])


# ---------------------------------------------------------------------------------------------------
# Running


def environments_of(recipe: RLRecipe, stage: Stage) -> dict[str, Environment]:
    """Environments by name, as they are in a stage; also called on other machines."""
    kinds = [tasks.environment for tasks in (*recipe.tasks, *recipe.held_out)]
    swe = next((tasks.source for tasks in recipe.tasks if tasks.environment == "swe"), "")
    return open_environments(kinds, Tokenizer.load(recipe.run.start), recipe.worlds, stage, swe)


def rewarded(environments: Mapping[str, Environment], stage: Stage) -> Environments:
    """Environments with what their transitions are worth in a stage; patches are never too long."""
    rewards = {name: patch_reward if name == "swe" else stage.reward(right_or_wrong) for name in environments}
    return {name: (environment, rewards[name]) for name, environment in environments.items()}


def run_rl(recipe: RLRecipe, report: Report, cluster: Cluster | None = None) -> Path:
    """Runs all stages, or goes on with them; the folder of the last checkpoint.

    Args:
        recipe: of the run.
        report: is given every record.
        cluster: where rollouts are made; None: in this process.

    Raises:
        UsageError: its checkpoint or tasks are missing.
        TrainingError: see `rl.run.run`.

    """
    if not recipe.run.start.is_dir():
        raise UsageError(f"there is no checkpoint to begin with at {recipe.run.start}; name one: run.start=FOLDER")
    stages = recipe.all_stages
    worlds = {stage: rewarded(environments_of(recipe, stage), stage) for stage in stages}
    known: set[str] = set()
    held_out = {each.name: read_tasks(each, known) for each in recipe.held_out}
    measured = [task.data for of in held_out.values() for task in of]
    tasks = {each.name: [t for t in read_tasks(each, known) if t.data not in measured] for each in recipe.tasks}

    def on_cluster(stage: Stage, config: RunConfig, environments: Environments, source: TaskSource) -> MakeFeed:
        assert cluster is not None
        return cluster_feed(config, cluster, environments, partial(environments_of, recipe, stage), source)

    return run_stages(
        recipe.run,
        stages,
        tasks,
        worlds.__getitem__,
        seed=recipe.seed,
        measure=_measure(recipe, held_out, worlds[stages[-1]]),
        report=report,
        feed=on_cluster if cluster is not None else None,
    )


def _measure(
    recipe: RLRecipe, held_out: Mapping[str, Sequence[Task]], worlds: Environments
) -> Callable[[Weights], Mapping[str, float]] | None:
    """The greedy pass@1 of every held-out set."""
    if not held_out:
        return None
    environments = {name: environment for name, (environment, _) in worlds.items()}
    config, collecting = load_checkpoint(recipe.run.start).config, recipe.run.collecting

    def measure(weights: Weights) -> Mapping[str, float]:
        limits = {"max_tokens": collecting.max_tokens, "max_turns": collecting.max_turns}
        rates = {n: solve_rates(environments, of, config, weights, **limits) for n, of in held_out.items()}
        return {name: rate.pass_at_1.value for name, rate in rates.items()}

    return measure
