"""LLM-JEPA on execution traces against two baselines, the same tokens and the same compute; method in `docs/jepa.md`.

    python bench/experiments/jepa.py runs/jepa            # all arms and seeds; goes on where it stopped
    python bench/experiments/jepa.py runs/jepa --table    # only the table of what is done
    python bench/experiments/jepa.py /tmp/jepa --smoke    # seconds an arm, to see that everything works
    python bench/experiments/jepa.py runs/jepa --train    # only the training, from data that are there: on another machine

Two processes of one thread train faster than one of two at this size: OMP_NUM_THREADS=1, `--part 1/2` and `--part 2/2`.

For each seed every arm is the same model from the same weights, on the same batches in the same order. Seeds are the
outer loop, so that whatever is done compares all arms. `results.jsonl` has a line for each arm and seed. Each seed has
other held-out programs. The learning rate is tuned for no arm: it is that of the recipe `tiny`.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from foretrace.data.build import BuildConfig, build
from foretrace.data.loader import Loader
from foretrace.data.mixture import Mixture, Source
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import load
from foretrace.evals.benchmarks.fidelity import measure
from foretrace.evals.cases import Case
from foretrace.evals.statistics import Mean, Share
from foretrace.evals.traces import HELD_OUT_SEED, held_out_cases
from foretrace.model.config import ModelConfig
from foretrace.model.info import train_flops
from foretrace.recipes.prepare import train_small_tokenizer
from foretrace.train.config import Jepa, Optimizer, TrainConfig
from foretrace.train.jepa import JepaObjective
from foretrace.train.schedule import Schedule
from foretrace.train.trainer import Trainer

MODEL = ModelConfig(
    vocab_size=1024,
    hidden_size=128,
    intermediate_size=352,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=2048,
    sliding_window=256,
)
"""1.0 million parameters."""
ROW = 4096
MAX_TOKENS = 1024
VALIDATION_SHARD = 1_000_000
SEEDS_APART = 1 << 20
SAMPLED_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything."""

    tokens: int
    """Of traces in each run, but for the baselines with the same compute."""
    seeds: int
    cases: int
    """Held-out programs whose traces are predicted, for each seed."""
    shard: int
    """Documents in a shard."""


FULL = Size(tokens=2_500_000, seeds=3, cases=300, shard=4096)
SMOKE = Size(tokens=40_000, seeds=2, cases=5, shard=256)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train."""

    name: str
    jepa: Jepa | None = None
    like: Jepa | None = None
    """A baseline without the objective, on as many more tokens as this one costs in operations."""


def _arms() -> Iterator[Arm]:
    yield Arm("baseline, same tokens")
    for views in ("call-result", "next-state"):
        yield Arm(f"baseline, compute of {views}", like=Jepa(views=views))
    for views in ("call-result", "next-state"):
        for weight, predictors in ((0.5, 1), (1.0, 1), (1.0, 0)):
            yield Arm(f"{views}, weight {weight:g}, k={predictors}", Jepa(views=views, weight=weight, predictors=predictors))


ARMS = tuple(_arms())


class Experiment:
    """A folder with data, runs and results."""

    def __init__(self, work: Path, size: Size, arms: Sequence[Arm] = ARMS) -> None:
        self.work, self.size, self.arms = work, size, arms
        self.file = work / "results.jsonl"
        work.mkdir(parents=True, exist_ok=True)

    def run(self, part: int, parts: int) -> None:
        """All that is not done yet: of every `parts` runs the one with number `part`, from 0."""
        self._make_data()
        done = {(row["arm"], row["seed"]) for row in self.results()}
        for arm, seed in self._runs()[part::parts]:
            if (arm.name, seed) not in done:
                line = json.dumps(self._one(arm, seed))
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                print(line, flush=True)

    def train(self, part: int, parts: int) -> None:
        """The same without measuring, from data that are there."""
        for arm, seed in self._runs()[part::parts]:
            self._trained(arm, seed)

    def _runs(self) -> list[tuple[Arm, int]]:
        return [(arm, seed) for seed in range(self.size.seeds) for arm in self.arms]

    def results(self) -> list[dict[str, Any]]:
        """What is done."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """One for all."""
        return train_small_tokenizer(self.work, MODEL.vocab_size)

    def _make_data(self) -> None:
        """As many shards as the longest run needs, each document seen once; and one of other programs."""

        def make(name: str, first: int, shards: int) -> int:
            out = self.work / name
            config = BuildConfig(
                out=out, first_shard=first, shards=shards, documents_per_shard=self.size.shard, max_tokens=MAX_TOKENS
            )
            return build(config, self.tokenizer)["tokens"]

        make("validation", VALIDATION_SHARD, 1)
        shards = 1
        while make("shards", 0, shards) < self.size.tokens:
            shards += 1
        most = max(self._steps(arm) for arm in ARMS)
        while make("shards", 0, shards) < 1.05 * most * ROW:
            shards += 1

    def _mixture(self, seed: int) -> Mixture:
        source = Source(name="traces", folder=self.work / "shards", max_epochs=1)
        return Mixture(sources=(source,), tokens_per_row=ROW, seed=seed)

    def _steps(self, arm: Arm) -> int:
        steps = self.size.tokens / ROW
        return round(steps * self.cost(arm.like)["operations"])

    def cost(self, jepa: Jepa | None) -> dict[str, float]:
        """Operations of a step with the objective over those without it, and tokens likewise."""
        if jepa is None:
            return {"operations": 1.0, "tokens_read": 1.0}
        loader = Loader(self._mixture(seed=0))
        objective = JepaObjective(jepa, self.tokenizer, hidden_size=MODEL.hidden_size, seed=0, device=torch.device("cpu"))
        batches = [row for rows in islice(loader, SAMPLED_ROWS) for row in rows]
        viewed = [objective.attach(batch, step).batch for step, batch in enumerate(batches)]
        after, before = (sum(train_flops(MODEL, b.document_lengths) for b in rows) for rows in (viewed, batches))
        more, tokens = (sum(len(b.tokens) for b in rows) for rows in (viewed, batches))
        return {"operations": after / before, "tokens_read": more / tokens}

    def _trained(self, arm: Arm, seed: int) -> Path:
        """Trains one arm with one seed, or finds it done; returns the folder of the run."""
        out = self.work / "runs" / f"{ARMS.index(arm):02}-{seed}"
        if (out / "done").exists():
            return out
        steps = self._steps(arm)
        quarter = 10 * max(1, steps // 40)
        config = TrainConfig(
            mixture=self._mixture(seed),
            out=out,
            steps=steps,
            schedule=Schedule(lr=3e-3, warmup_steps=steps // 25 + 1, decay_steps=round(0.8 * steps)),
            optimizer=Optimizer(name="muon"),
            jepa=arm.jepa,
            validation=self.work / "validation",
            log_every=10,
            validate_every=quarter,
            save_every=quarter,
            seed=seed,
        )
        Trainer(MODEL, self.tokenizer, config).run()
        shutil.rmtree(out / "state")
        (out / "done").touch()
        return out

    def _one(self, arm: Arm, seed: int) -> dict[str, Any]:
        """Measures one arm with one seed."""
        out = self._trained(arm, seed)
        records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        return {
            "arm": arm.name,
            "seed": seed,
            "jepa": asdict(arm.jepa) if arm.jepa else None,
            "tokens": records[-1]["tokens"],
            **self.cost(arm.jepa or arm.like),
            "seconds": records[-1]["seconds"],
            **_last(records, "val_loss", "val_token_accuracy", "val_exact_trace", "val_loss_by_kind"),
            **_last(records, "jepa_cosine", "jepa_variance"),
            **self._predict(out / "checkpoint", seed),
        }

    def _predict(self, checkpoint: Path, seed: int) -> dict[str, Any]:
        """Greedy predictions of held-out programs by the embedded engine."""
        cases = held_out(self.size.cases, seed)
        shares = measure(load(str(checkpoint)), cases, max_tokens=MAX_TOKENS)
        names = {
            "output": "output",
            "exact": "whole trace",
            "state": "state (true history)",
            "action": "action (true history)",
        }
        return {ours: [shares[theirs].hits, shares[theirs].total] for ours, theirs in names.items()}


@cache
def held_out(number: int, seed: int) -> list[Case]:
    """Programs that no shard has, others for each seed, with their real traces."""
    return held_out_cases(number, HELD_OUT_SEED + seed * SEEDS_APART)


def _last(records: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    """The last value of each name that has one."""
    return {name: record[name] for name in names for record in records if name in record}


# -- The table ------------------------------------------------------------------------------------------


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: an arm a row. Intervals are 95 %: Student's over seeds, Wilson's over programs."""
    head = (
        "arm", "operations", "held-out loss", "loss - baseline", "output right", "output - baseline, points",
        "whole trace right", "next state right", "cosine", "variance",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    baseline = {row["seed"]: row for row in results if row["arm"] == ARMS[0].name}
    for arm in ARMS:
        rows = [row for row in results if row["arm"] == arm.name]
        if rows:
            lines.append("| " + " | ".join(_cells(arm, rows, baseline)) + " |")
    return "\n".join(lines)


def _cells(arm: Arm, rows: list[dict[str, Any]], baseline: dict[int, dict[str, Any]]) -> list[str]:
    paired = [(row, baseline[row["seed"]]) for row in rows if row["seed"] in baseline]
    first = arm is ARMS[0]
    losses = [a["val_loss"] - b["val_loss"] for a, b in paired]
    outputs = [100 * (_share(a["output"]) - _share(b["output"])) for a, b in paired]
    cosines, variances = ([row[name] for row in rows if name in row] for name in ("jepa_cosine", "jepa_variance"))
    return [
        arm.name,
        f"{rows[0]['operations']:.2f}x",
        mean([row["val_loss"] for row in rows], 4),
        "" if first else mean(losses, 4, sign=True),
        pooled(rows, "output"),
        "" if first else mean(outputs, 1, sign=True),
        pooled(rows, "exact"),
        pooled(rows, "state"),
        f"{sum(cosines) / len(cosines):.3f}" if cosines else "",
        f"{sum(variances) / len(variances):.3f}" if variances else "",
    ]


def mean(values: list[float], digits: int, sign: bool = False) -> str:
    """A mean over seeds with its interval; nothing of nothing."""
    return Mean.of(values).text(digits, sign) if values else ""


def pooled(rows: list[dict[str, Any]], name: str) -> str:
    """A share of the programs, or steps, of all seeds."""
    return Share(sum(row[name][0] for row in rows), sum(row[name][1] for row in rows)).text()


def _share(pair: list[int]) -> float:
    return pair[0] / max(1, pair[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--tokens", type=int, help="of each run")
    parser.add_argument("--arms", type=int, nargs="+", default=range(len(ARMS)), help="numbers of those to run, from 0")
    parser.add_argument("--train", action="store_true", help="only train, from data that are there")
    parser.add_argument("--part", default="1/1", help="which of how many equal parts of the runs to do")
    options = parser.parse_args()
    changed = {name: getattr(options, name) for name in ("seeds", "tokens") if getattr(options, name)}
    size = replace(SMOKE if options.smoke else FULL, **changed)
    experiment = Experiment(options.work, size, [ARMS[number] for number in options.arms])
    part, parts = map(int, options.part.split("/"))
    if options.train:
        experiment.train(part - 1, parts)
        return
    if not options.table:
        experiment.run(part - 1, parts)
    print(table(experiment.results()))


if __name__ == "__main__":
    main()
