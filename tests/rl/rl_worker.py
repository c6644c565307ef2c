"""One of the processes of `test_rl_parallel.py`: `rl_worker.py FOLDER OUT UPDATES TENSOR`. It learns from the groups of another run.

What became of it: `FOLDER/OUT.RANK.json`.
"""

import json
import os
import sys
from pathlib import Path

import torch
from low_world import Low, reward, tasks

from foretrace.errors import ForetraceError, TrainingError
from foretrace.model.checkpoint import Weights
from foretrace.rl.collector import Collecting
from foretrace.rl.learner import Learning
from foretrace.rl.records import ROLLOUTS, read_groups
from foretrace.rl.run import Beginning, RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import Group
from foretrace.train.config import Hardware, Parallel
from foretrace.train.schedule import Schedule

ENVIRONMENTS = {"low": (Low(), reward)}
RANK = int(os.environ.get("RANK", "0"))


def config(folder: Path, out: str, updates: int = 3, tensor: int = 1) -> RunConfig:
    hardware = Hardware(device="cpu", dtype="float32", attention="sdpa-block")
    return RunConfig(
        start=folder / "start",
        out=folder / out,
        updates=updates,
        budget=300,
        mode="sync",
        ahead=4,
        collecting=Collecting(group_size=4, width=16, max_tokens=40, max_turns=2),
        learning=Learning(
            schedule=Schedule(kind="constant", lr=3e-3, warmup_steps=0),
            max_tokens=40,
            tokens_per_row=100,
            hardware=hardware,
            parallel=Parallel(tensor=tensor),
        ),
    )


def source() -> TaskSource:
    return TaskSource([Part(tasks=tasks())], seed=1)


class Recorded:
    """A feed of groups that were made before; after the last one it fails."""

    def __init__(self, folder: Path, beginning: Beginning) -> None:
        self.left = list(read_groups(folder / ROLLOUTS))
        self.published = [beginning.version]

    def next(self) -> Group:
        if not self.left:
            raise TrainingError("environment low, task 9: the disk is on fire")
        return self.left.pop(0)

    def publish(self, weights: Weights, version: int) -> None:
        self.published.append(version)

    def close(self) -> None:
        pass

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, *error: object) -> None:
        pass


def main(folder: Path, out: str, updates: int, tensor: int) -> None:
    torch.set_num_threads(1)
    feeds: list[Recorded] = []

    def feed(beginning: Beginning) -> Recorded:
        feeds.append(Recorded(folder / "alone", beginning))
        return feeds[-1]

    found: dict[str, object] = {}
    try:
        run(config(folder, out, updates, tensor), ENVIRONMENTS, source(), feed=feed)
    except ForetraceError as error:
        found = {"error": str(error)}
    found["published"] = [feed.published for feed in feeds]
    (folder / f"{out}.{RANK}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
