"""What one task tells of another: cosines of gradients, of the same tasks by other draws and of other tasks.

    python bench/rl/gradients.py --start tiny                                                  # what calls return
    python bench/rl/gradients.py --start FOLDER --environment examples --source short:250

Where gradients of other tasks have little in common, more tasks help, and more draws of each do not.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from foretrace.engine.load import find_folder
from foretrace.model.checkpoint import load_checkpoint
from foretrace.recipes.rl_tasks import Tasks, Worlds, open_environments, read_tasks
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.learner import Learner, Learning, _Meter
from foretrace.rl.policies import LocalPolicy
from foretrace.rl.rewards import right_or_wrong
from foretrace.rl.rows import pack
from foretrace.rl.selection import Selection
from foretrace.rl.stages import Stage
from foretrace.rl.types import Group
from foretrace.train.config import Hardware

SEED = 1 << 52


def groups(folder: Path, options: argparse.Namespace, seed: int) -> dict[str, Group]:
    """By task, those of which something can be learnt."""
    start, name = load_checkpoint(folder), options.environment
    tasks = read_tasks(Tasks(name=name, environment=name, source=options.source, seed=SEED))
    stage, worlds = Stage(name="", updates=1, shares=()), Worlds(isolation=options.isolation)
    environments = open_environments([name], start.tokenizer, worlds, stage)
    rewarded = {name: (environment, right_or_wrong) for name, environment in environments.items()}
    collecting = Collecting(group_size=options.group, max_tokens=options.max_tokens, seed=seed)
    collector = Collector(rewarded, LocalPolicy(start.config, start.weights), collecting)
    made = list(collector.groups((task, 0) for task in tasks))
    collector.close()
    return {group.task.id: group for group in made if len({r.value for r in group.rollouts}) > 1}


def gradient(learner: Learner, of: Sequence[Group]) -> Tensor:
    """(parameters,): of the objective."""
    selection = Selection(budget=1 << 40, vocab_size=learner.model.config.vocab_size)
    for group in of:
        selection.add(group, 0)
    for parameter in learner.parameters.values():
        parameter.grad = None
    for row in pack(selection.chosen, learner.config.tokens_per_row):
        learner._add_gradient(row, len(selection.chosen), 0, _Meter(0))
    return torch.cat([p.grad.flatten() for p in learner.parameters.values() if p.grad is not None])


def cosine(a: Tensor, b: Tensor) -> float:
    """Of the angle between two gradients."""
    return float(a @ b / a.norm() / b.norm())


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--start", default="tiny", help="a checkpoint folder, or the name of a packaged model")
    parser.add_argument("--environment", choices=["output", "examples"], default="output")
    parser.add_argument("--source", default="synthesised:250")
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--isolation", default="bubblewrap")
    options = parser.parse_args()
    folder = find_folder(options.start) or Path(options.start)
    first, second = (groups(folder, options, seed) for seed in (0, 1))
    both = sorted(first.keys() & second.keys())
    learner = Learner(folder, Learning(max_tokens=options.max_tokens, hardware=Hardware(dtype="float32")))
    halves = both[::2], both[1::2]
    a, b, c, d = (gradient(learner, [made[task] for task in half]) for made in (first, second) for half in halves)
    print(f"{len(both)} tasks of which something can be learnt in both draws, in two halves")
    print(f"same tasks, other draws: {cosine(a, c):.3f} {cosine(b, d):.3f}")
    print(f"other tasks: {cosine(a, b):.3f} {cosine(c, d):.3f} {cosine(a, d):.3f} {cosine(b, c):.3f}")


if __name__ == "__main__":
    main()
