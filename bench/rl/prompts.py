"""What it saves to compute a group's prompt once: the gradient of one update, prompts shared and not, as a ratio.

python bench/rl/prompts.py runs/rl                      # a run of foretrace rl, or of bench/experiments/rl.py
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from foretrace.model.checkpoint import load_checkpoint
from foretrace.rl.learner import Learner, Learning, _Meter
from foretrace.rl.records import ROLLOUTS, read_groups
from foretrace.rl.rows import RolloutRow, pack
from foretrace.rl.selection import Selection
from foretrace.train.config import Hardware


def merged(rows: Sequence[RolloutRow]) -> RolloutRow:
    """Rows end to end as one."""
    offsets = np.cumsum([0, *(len(row.tokens) for row in rows[:-1])])
    where = np.concatenate([row.where + offset for row, offset in zip(rows, offsets, strict=True)])
    names = ("tokens", "targets", "logprobs", "advantages", "versions", "oldest", "observed")
    columns = {name: np.concatenate([getattr(row, name) for row in rows]) for name in names}
    return replace(rows[0], groups=tuple(group for row in rows for group in row.groups), where=where, **columns)


def unshared(selection: Selection, tokens_per_row: int) -> list[RolloutRow]:
    """Rows in which each rollout has a prompt of its own."""
    rows: list[list[RolloutRow]] = [[]]
    for [alone] in (pack([each], tokens_per_row) for each in selection.chosen):
        if sum(len(row.tokens) for row in rows[-1]) + len(alone.tokens) > tokens_per_row:
            rows.append([])
        rows[-1].append(alone)
    return [merged(row) for row in rows]


def seconds(learner: Learner, rows: Sequence[RolloutRow], count: int) -> float:
    """That the gradient takes."""
    begun = time.perf_counter()
    for row in rows:
        learner._add_gradient(row, count, 0, _Meter(0))
    return time.perf_counter() - begun


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--budget", type=int, default=8_192)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = options.run / "checkpoint"
    selection = Selection(budget=options.budget, vocab_size=load_checkpoint(folder).config.vocab_size)
    groups = read_groups(options.run / ROLLOUTS)
    while not selection.is_full:
        selection.add(next(groups), 0)
    learning = Learning(hardware=Hardware(dtype="auto"))
    learner, size = Learner(folder, learning), learning.tokens_per_row
    kinds = {"shared": pack(selection.chosen, size), "unshared": unshared(selection, size)}
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(options.rounds + 1):
        for name, rows in kinds.items():
            taken[name].append(seconds(learner, rows, len(selection.chosen)))
    for name, rows in kinds.items():
        times = taken[name][1:]  # the first round warms up
        tokens = sum(len(row.tokens) for row in rows)
        print(f"{name:<9} {tokens:7,} tokens  median {median(times):6.2f} s  ({min(times):.2f} to {max(times):.2f})")
    ratios = [apart / together for together, apart in zip(taken["shared"][1:], taken["unshared"][1:], strict=True)]
    print(f"{len(selection.chosen)} rollouts, {median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
