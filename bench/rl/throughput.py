"""Asynchronous against synchronous: updates a second on tasks of uneven length. `python bench/rl/throughput.py`; one JSON object.

A random model of some 0.3 M parameters writes actions whose lengths are spread as those of reasoning are: most are short, a few
are ten times as long; environments wait as long as a test suite of that size would, without computing. Both modes take turns,
`--rounds` times, each from the same weights with the same tasks, and make the same number of updates of the same number of
tokens; the ratio is the median of those of the rounds. What is compared is who waits for whom, not how fast anything is.

`sync` collects a round of groups, waits for its longest rollout, learns, and begins the next one. `async` never stops collecting.
On one core only waiting for environments can overlap with learning; with more, and on a cluster, sampling does, too.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.data.tokenizer import Tokenizer
from foretrace.model.checkpoint import expected_shapes, save_checkpoint
from foretrace.model.config import ModelConfig
from foretrace.rl.collector import Collecting
from foretrace.rl.learner import Learning
from foretrace.rl.run import RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.train.schedule import Schedule

PROMPT, MOST = 4, 404


class Uneven(PlainStates):
    """Two actions; the task says how many tokens the first is followed by, and how long the environment takes."""

    name = "uneven"
    stop = frozenset(range(0, 700, 40))

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def start(self, task: Task, seed: int) -> Transition:
        """The state: actions that are left, and all of them."""
        return Transition(state=(task.data["turns"], task.data["turns"]), observation=(1, 2, 3, 4 + seed % 90))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """Waits, and says how many tokens were low."""
        left, turns = state
        time.sleep(self._seconds)
        share = sum(token < 350 for token in action) / len(action)
        return Transition(state=(left - 1, turns), observation=(7,), is_over=left == 1, outcome={"share": share / turns})


def tasks(count: int) -> list[Task]:
    """Turns by a heavy tail: their mean is some 2.5, the most 20."""
    turns = np.minimum(1 + np.random.default_rng(0).pareto(1.2, count), 20).astype(int).tolist()
    return [Task(environment="uneven", id=str(at), data={"turns": number}) for at, number in enumerate(turns)]


def checkpoint(folder: Path) -> None:
    tokenizer = Tokenizer.train([], vocab_size=700)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=512,
        sliding_window=128,
    )
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in expected_shapes(config).items()}
    save_checkpoint(folder, config, weights, tokenizer)


def measured(mode: str, start: Path, options: argparse.Namespace) -> dict[str, float]:
    """Seconds from the first update to the last, and what share of them the learner waited."""
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as out:
        config = RunConfig(
            start=start,
            out=Path(out),
            updates=options.updates,
            budget=options.budget,
            mode=mode,
            ahead=options.groups,
            collecting=Collecting(group_size=8, width=48, max_tokens=MOST, max_turns=20, threads=48),
            learning=Learning(
                schedule=Schedule(kind="constant", lr=1e-4, warmup_steps=0), max_tokens=MOST, tokens_per_row=2048
            ),
            save_every=10_000,
            measure_every=10_000,
        )
        worlds = {"uneven": (Uneven(options.seconds), lambda transition, _: transition.outcome["share"])}
        run(config, worlds, TaskSource([Part(tasks=tasks(400))]), report=records.append)
    first, last = records[0], records[-1]
    seconds = last["seconds"] - first["seconds"]
    tokens = sum(record["update_tokens"] for record in records[1:])
    waited = statistics.mean(record["waited"] for record in records[1:])
    lag = statistics.mean(record["lag"] for record in records[1:])
    return {"seconds": seconds, "tokens_per_second": tokens / seconds, "waited": waited, "lag": lag}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=4_000)
    parser.add_argument(
        "--groups", type=int, default=6, help="of a synchronous round; that wait for an asynchronous learner"
    )
    parser.add_argument("--seconds", type=float, default=0.2, help="that an environment takes for an action")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"sync": [], "async": []}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint(Path(folder))
        for _ in range(options.rounds):
            for mode, results in found.items():
                results.append(measured(mode, Path(folder), options))
    medians = {mode: {n: statistics.median(r[n] for r in results) for n in results[0]} for mode, results in found.items()}
    each = {mode: [round(result["tokens_per_second"], 1) for result in results] for mode, results in found.items()}
    ratios = [a / s for a, s in zip(each["async"], each["sync"], strict=True)]
    told: dict[str, Any] = {"ratio": round(statistics.median(ratios), 3), "ratios": [round(ratio, 3) for ratio in ratios]}
    told |= {"tokens_per_second": each, "medians": medians, "cores": len(os.sched_getaffinity(0))}
    print(json.dumps(told | {"options": vars(options)}, indent=1))


if __name__ == "__main__":
    main()
