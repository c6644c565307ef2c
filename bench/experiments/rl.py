"""Does reinforcement learning raise what a small model solves? Before and after, on held-out tasks, three seeds.

    python bench/experiments/rl.py examples runs/rl --start runs/examples/sft/checkpoint
    python bench/experiments/rl.py output runs/rl --start tiny
    python bench/experiments/rl.py output runs/rl --start tiny --table        # only the table of what is done
    python bench/experiments/rl.py examples /tmp/rl --start … --updates 2 --held-out 8 --seeds 0    # to see that it works

`examples`: a function is to be written that gives what is shown, and hidden examples decide. `output`: the trace of a call is
to be written, and the value at its end decides. Tasks of training, of each seed others, are none of those that are held out.
All runs go on where they stopped. On a GPU: --device cuda (the learner; the sampler is the one in C).
"""

import argparse
import json
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.corpus.short_functions import SHOWN, short_functions
from foretrace.engine.load import find_folder
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.statistics import paired
from foretrace.evals.traces import HELD_OUT_SEED, held_out_cases
from foretrace.evals.types import Options, Setting
from foretrace.model.checkpoint import Checkpoint, Weights, load_checkpoint
from foretrace.recipes.examples import FUNCTIONS
from foretrace.recipes.examples import HELD_OUT_SEED as HELD_OUT_FUNCTIONS
from foretrace.rl.collector import Collecting
from foretrace.rl.environments.examples import FunctionFromExamples, examples_task
from foretrace.rl.environments.output import OutputPrediction, output_task
from foretrace.rl.learner import Learning
from foretrace.rl.measure import SolveRates, solve_rates
from foretrace.rl.rewards import right_or_wrong
from foretrace.rl.run import RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import Environment, Task
from foretrace.train.config import Hardware
from foretrace.train.schedule import Schedule

SAMPLES, GLANCES = 8, 2
"""Tries at a held-out task before and after a run, and in its midst."""
TRAINING_FUNCTIONS = 1 << 41
"""First seed of the functions that are asked for in training: beyond those that the model was fine-tuned on."""
TRAINING_PROGRAMS = HELD_OUT_SEED + 7 * (1 << 40)
SEEDS_APART = 1 << 32
MAX_TOKENS = {"examples": 512, "output": 1024}


# ---- tasks


def function_tasks(seed: int, number: int, known: set[str]) -> list[Task]:
    """Functions to be found, whose sources are not among `known`, and are put there."""
    tasks = []
    for at, function in zip(count(seed), short_functions(seed), strict=False):
        if len(tasks) == number:
            return tasks
        if function.source in known:
            continue
        known.add(function.source)
        shown, hidden = function.examples[:SHOWN], function.examples[SHOWN:]
        tasks.append(examples_task(str(at), function.entry, shown=shown, hidden=hidden))
    raise AssertionError("there are endlessly many functions")


def tasks_of(kind: str, seed: int, number: int, held_out: int) -> tuple[list[Task], dict[str, list[Task]]]:
    """So many tasks of training for a seed, and those that are held out, by set."""
    if kind == "examples":
        known = {function.source for function in islice(short_functions(0), FUNCTIONS)}
        measured = function_tasks(HELD_OUT_FUNCTIONS, held_out, known)
        return function_tasks(TRAINING_FUNCTIONS + seed * SEEDS_APART, number, known), {"functions": measured}
    fresh = find_benchmark("fresh")
    items = fresh.load(Options(count=held_out))
    rows = [item.row for item in items]
    like_cruxeval = [output_task(f"fresh-{at}", r["code"], "f", r["input"], r["output"]) for at, r in enumerate(rows)]
    return list(_programs(TRAINING_PROGRAMS + seed * SEEDS_APART, number)), {
        "CRUXEval-like": like_cruxeval,
        "synthesised": list(_programs(HELD_OUT_SEED, held_out)),
    }


def _programs(seed: int, number: int) -> Iterator[Task]:
    for case in held_out_cases(number, seed):
        yield output_task(case.name, case.source, case.entry, case.arguments, case.expected)


# ---- runs


class Experiment:
    """One task with one seed."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self.options, self.seed = options, seed
        self.out: Path = options.out / f"{options.kind}-{seed}"
        folder = find_folder(str(options.start)) or Path(options.start)
        self.start: Checkpoint = load_checkpoint(folder)
        self.environment: Environment = (
            FunctionFromExamples(self.start.tokenizer, setting=Setting(isolation=options.isolation, repeats=0))
            if options.kind == "examples"
            else OutputPrediction(self.start.tokenizer)
        )

    def rates(self, weights: Weights, tasks: list[Task], samples: int) -> SolveRates:
        """What a policy solves."""
        return solve_rates(
            {self.environment.name: self.environment},
            tasks,
            self.start.config,
            weights,
            samples=samples,
            max_tokens=MAX_TOKENS[self.options.kind],
        )

    def config(self) -> RunConfig:
        """The run."""
        options, most = self.options, MAX_TOKENS[self.options.kind]
        collecting = Collecting(group_size=options.group, width=48, max_tokens=most, seed=self.seed)
        learning = Learning(
            schedule=Schedule(kind="constant", lr=options.lr, warmup_steps=5),
            max_tokens=most,
            hardware=Hardware(dtype="float32", device=options.device),
        )
        return RunConfig(
            start=self.start.folder,
            out=self.out / "run",
            updates=options.updates,
            budget=options.budget,
            mode=options.mode,
            collecting=collecting,
            learning=learning,
            measure_every=options.measure_every,
            save_every=10,
        )

    def __call__(self) -> None:
        """Measures, trains, measures; whatever is there already is not done again."""
        training, held_out = tasks_of(self.options.kind, self.seed, self.options.tasks, self.options.held_out)
        few = {name: tasks[:300] for name, tasks in held_out.items()}
        self._measure("before", self.start.weights, held_out)

        def measure(weights: Weights) -> dict[str, float]:
            found = {name: self.rates(weights, tasks, GLANCES) for name, tasks in few.items()}
            return {f"{name} {what}": value for name, rates in found.items() for what, value in rates.to_dict().items()}

        source = TaskSource([Part(tasks=training)], seed=self.seed, band=(0.05, 0.95))
        environments = {self.environment.name: (self.environment, right_or_wrong)}
        checkpoint = run(self.config(), environments, source, measure=measure, report=_tell)
        self._measure("after", load_checkpoint(checkpoint).weights, held_out)

    def _measure(self, when: str, weights: Weights, held_out: dict[str, list[Task]]) -> None:
        for name, tasks in held_out.items():
            file = self.out / f"{when}-{name}.json"
            if file.exists():
                continue
            rates = self.rates(weights, tasks, SAMPLES)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"greedy": rates.greedy, "sampled": rates.sampled}))
            print(f"seed {self.seed}, {when}, {name}: {rates.to_dict()}", flush=True)


def _tell(record: dict[str, Any]) -> None:
    if "reward" in record:
        names = ("reward", "entropy", "clipped", "lag", "mismatch", "length", "waited", "seconds_per_update")
        told = "  ".join(f"{name} {record[name]:.4g}" for name in names)
        print(f"{record['step']:4}  {told}  learnt from {record['learnt_from']:.2f}", flush=True)
    elif "held_out" in record:
        print(f"{record['step']:4}  held out: {record['held_out']}", flush=True)


# ---- table


def table(folder: Path, kind: str) -> Iterator[str]:
    """Before and after, over all seeds that are done; differences are paired by task, and tasks are what is drawn."""
    seeds = sorted(path for path in folder.glob(f"{kind}-*") if list(path.glob("after-*.json")))
    names = sorted({file.stem.removeprefix("after-") for seed in seeds for file in seed.glob("after-*.json")})
    yield f"{'held out':16}{'measure':12}{'before':>8}{'after':>8}  difference, 95 %                     seeds"
    for name in names:
        pairs = [[_read(seed / f"{when}-{name}.json") for when in ("before", "after")] for seed in seeds]
        for measure, value in MEASURES.items():
            differences, clusters, means = [], [], np.zeros(2)
            for before, after in pairs:
                values = [value(rates) for rates in (before, after)]
                means += [np.mean(list(v.values())) / len(pairs) for v in values]
                differences += [values[1][task] - values[0][task] for task in values[0]]
                clusters += list(values[0])
            told = paired(differences, clusters).text()
            yield f"{name:16}{measure:12}{100 * means[0]:8.1f}{100 * means[1]:8.1f}  {told:36} {len(pairs)}"


MEASURES = {
    "pass@1": lambda rates: {task: float(tries[0]) for task, tries in rates["greedy"].items()},
    "sampled@1": lambda rates: {task: float(np.mean(tries)) for task, tries in rates["sampled"].items()},
    f"pass@{SAMPLES}": lambda rates: {task: float(any(tries)) for task, tries in rates["sampled"].items()},
}


def _read(file: Path) -> dict[str, dict[str, list[bool]]]:
    found: dict[str, dict[str, list[bool]]] = json.loads(file.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=list(MAX_TOKENS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", required=True, help="a checkpoint folder, or the name of a packaged model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=5_000, help="of training, other ones for each seed")
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--budget", type=int, default=8_192)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-5)
    parser.add_argument("--held-out", type=int, default=400)
    parser.add_argument("--measure-every", type=int, default=10)
    parser.add_argument("--mode", choices=["async", "sync"], default="async")
    parser.add_argument("--isolation", default="bubblewrap")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if not options.table:
        for seed in options.seeds:
            Experiment(options, seed)()
    for line in table(options.out, options.kind):
        print(line)


if __name__ == "__main__":
    main()
