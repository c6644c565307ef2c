"""Does reinforcement learning raise what a small model solves? Before and after, on held-out tasks, three seeds.

    python bench/experiments/rl.py examples runs/rl --start runs/examples/sft/checkpoint
    python bench/experiments/rl.py output runs/rl --start tiny
    python bench/experiments/rl.py output runs/rl --start tiny --table        # only the table of what is done
    python bench/experiments/rl.py examples /tmp/rl --start … --updates 2 --held-out 8 --seeds 0    # to see that it works

`examples`: a function is to be written that gives what is shown, and hidden examples decide. `output`: the trace of a call is
to be written, and the value at its end decides; `jump`: its last frame alone. Tasks of training, of each seed others, are none
of those that are held out.
All runs go on where they stopped. On a GPU: --device cuda (the learner; the sampler is the one in C). Seeds may run side by
side: --seeds 0, --seeds 1 and so on in processes of their own, after one of them has measured what there was before.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.corpus.short_functions import short_functions
from foretrace.engine.load import find_folder
from foretrace.evals.statistics import paired
from foretrace.evals.traces import HELD_OUT_SEED
from foretrace.evals.types import Setting
from foretrace.model.checkpoint import Checkpoint, Weights, load_checkpoint
from foretrace.recipes.examples import FUNCTIONS
from foretrace.recipes.examples import HELD_OUT_SEED as HELD_OUT_FUNCTIONS
from foretrace.recipes.rl_tasks import Tasks, function_tasks, read_tasks
from foretrace.rl.collector import Collecting
from foretrace.rl.environments.examples import FunctionFromExamples
from foretrace.rl.environments.output import OutputPrediction
from foretrace.rl.learner import Learning
from foretrace.rl.measure import SolveRates, solve_rates
from foretrace.rl.rewards import right_or_wrong
from foretrace.rl.run import RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import Environment, Task
from foretrace.train.config import Hardware
from foretrace.train.schedule import Schedule

SAMPLES = {"examples": 8, "output": 8, "jump": 8}
"""Tries at a held-out task before and after a run."""
GLANCES = {"examples": (300, 2), "output": (100, 2), "jump": (300, 2)}
"""Held-out tasks, and tries at them, in the midst of a run."""
TRAINING_FUNCTIONS = 1 << 41
"""First seed of the functions that are asked for in training: beyond those that the model was fine-tuned on."""
TRAINING_PROGRAMS = HELD_OUT_SEED + 7 * (1 << 40)
SEEDS_APART = 1 << 32
RATES = "rates.json"
MAX_TOKENS = {"examples": 512, "output": 1024, "jump": 1024}


# ---- tasks


def tasks_of(kind: str, seed: int, number: int, held_out: int) -> tuple[list[Task], list[Task]]:
    """So many tasks of training for a seed, and those that are held out."""
    if kind == "examples":
        known = {function.source for function in islice(short_functions(0), FUNCTIONS)}
        measured = list(function_tasks(HELD_OUT_FUNCTIONS, held_out, known))
        return list(function_tasks(TRAINING_FUNCTIONS + seed * SEEDS_APART, number, known)), measured
    programs = TRAINING_PROGRAMS + seed * SEEDS_APART
    training = Tasks(name="programs", environment="output", source=f"synthesised:{number}", seed=programs)
    like_cruxeval = Tasks(name="fresh", environment="output", source=f"fresh:{held_out}")
    return read_tasks(training), read_tasks(like_cruxeval)


# ---- runs


class Experiment:
    """One task with one seed."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self.options, self.seed = options, seed
        self.out: Path = options.out / f"{options.kind}-{seed}"
        self.before: Path = options.out / f"{options.kind}-before"
        """For all seeds: what is held out is the same, and so are the weights."""
        folder = find_folder(str(options.start)) or Path(options.start)
        self.start: Checkpoint = load_checkpoint(folder)
        self.environment: Environment = (
            FunctionFromExamples(self.start.tokenizer, setting=Setting(isolation=options.isolation, repeats=0))
            if options.kind == "examples"
            else OutputPrediction(self.start.tokenizer, jumps=options.kind == "jump")
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
            schedule=Schedule(kind="wsd", lr=options.lr, warmup_steps=5, decay_steps=options.updates // 2),
            max_tokens=most,
            trainable=options.trainable,
            hardware=Hardware(dtype=options.dtype, device=options.device),
        )
        return RunConfig(
            start=self.start.folder,
            out=self.out / "run",
            updates=options.updates,
            budget=options.budget,
            mode=options.mode,
            ahead=options.ahead,
            collecting=collecting,
            learning=learning,
            measure_every=options.measure_every,
            save_every=10,
        )

    def __call__(self) -> None:
        """Measures, trains, measures; whatever is there already is not done again."""
        training, held_out = tasks_of(self.options.kind, self.seed, self.options.tasks, self.options.held_out)
        few, tries = GLANCES[self.options.kind]
        self._measure(self.before, self.start.weights, held_out)

        def measure(weights: Weights) -> dict[str, float]:
            found = self.rates(weights, held_out[:few], tries).to_dict()
            return {name: found[name] for name in ("pass@1", "sampled@1")}

        source = TaskSource([Part(tasks=training)], seed=self.seed, band=(0.05, 0.95))
        environments = {self.environment.name: (self.environment, right_or_wrong)}
        checkpoint = run(self.config(), environments, source, measure=measure, report=_tell)
        self._measure(self.out, load_checkpoint(checkpoint).weights, held_out)

    def _measure(self, folder: Path, weights: Weights, held_out: list[Task]) -> None:
        if (file := folder / RATES).exists():
            return
        rates = self.rates(weights, held_out, SAMPLES[self.options.kind])
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"greedy": rates.greedy, "sampled": rates.sampled}))
        print(f"{folder.name}: {rates.to_dict()}", flush=True)


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
    done = [_read(file) for file in sorted(folder.glob(f"{kind}-[0-9]*/{RATES}"))]
    before = _read(folder / f"{kind}-before" / RATES)
    yield f"{kind:12}{'before':>8}{'after':>8}  difference, 95 %                     of each seed"
    for name, value in MEASURES.items():
        was, now = value(before), [value(rates) for rates in done]
        differences = [rates[task] - was[task] for rates in now for task in was]
        means = [float(np.mean(list(rates.values()))) for rates in (was, *now)]
        told = paired(differences, list(was) * len(now)).text()
        each = "  ".join(f"{100 * mean:.1f}" for mean in means[1:])
        yield f"{name:12}{100 * means[0]:8.1f}{100 * np.mean(means[1:]):8.1f}  {told:36} {each}"


MEASURES = {
    "greedy": lambda rates: {task: float(tries[0]) for task, tries in rates["greedy"].items()},
    "pass@1": lambda rates: {task: float(np.mean(tries)) for task, tries in rates["sampled"].items()},
    "pass@all": lambda rates: {task: float(any(tries)) for task, tries in rates["sampled"].items()},
}
"""Greedy decoding; and of tries drawn at temperature 1 their mean, the unbiased estimate of pass@1, and whether any is right."""


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
    parser.add_argument("--ahead", type=int, default=8, help="groups of a round, or that may wait for the learner")
    parser.add_argument("--lr", type=float, default=3e-5)
    parser.add_argument(
        "--trainable", default="", help="names of the parameters that are learnt; norm: gains of norms alone"
    )
    parser.add_argument("--held-out", type=int, default=400)
    parser.add_argument("--measure-every", type=int, default=10)
    parser.add_argument("--mode", choices=["async", "sync"], default="async")
    parser.add_argument("--isolation", default="bubblewrap")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", help="of the learner; in float32 it agrees with the sampler to 1e-6 nats")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if not options.table:
        for seed in options.seeds:
            Experiment(options, seed)()
    for line in table(options.out, options.kind):
        print(line)


if __name__ == "__main__":
    main()
