"""What do trajectories of agents teach? The first half of CWM's ablation, at the scale of a laptop.

    python bench/experiments/forager_midtraining.py RUN… -o runs/forager       # all arms and seeds; goes on where it stopped
    python bench/experiments/forager_midtraining.py RUN… -o runs/forager --table
    python bench/experiments/forager_midtraining.py RUN… -o /tmp/f --smoke     # a minute, to see that everything works

RUN is a folder of `foretrace forage run`. For each seed a model is trained on execution traces and code (`before`), and goes on
from there with as many tokens as often as there are arms: more of the same (`without`); with trajectories among it of which
actions are learnt (`actions`); the same trajectories, of which half of the environment's answers are learnt, too, as in CWM's
report, section 2.3 (`with`). What is measured is the loss on trajectories of repositories that no training had: a third
of them, another third for each seed.

Near duplicates are left out, and trajectories end with the last whole message that fits: as `foretrace forage export --unique`
and `foretrace data pack --max-tokens` do it. The text that frames an answer (tags, turns and tokens left) is the same
every time and soon learnt, so what a tool printed is counted apart.
"""

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foretrace.data.batch import Batch
from foretrace.data.kinds import PREDICTED, Kind
from foretrace.data.loader import in_order
from foretrace.data.mixture import Mixture, Source
from foretrace.data.pack import PackJob, pack
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make
from foretrace.data.tokenizer import FILE, Tokenizer
from foretrace.data.units import Material
from foretrace.evals import Mean
from foretrace.forager.duplicates import without_duplicates
from foretrace.forager.export import export
from foretrace.forager.runs import Run
from foretrace.forager.trajectory import Trajectory
from foretrace.model.config import ModelConfig
from foretrace.model.loading import load_model
from foretrace.model.transformer import CausalLM
from foretrace.recipes.prepare import stdlib_sources
from foretrace.train.config import Optimizer, TrainConfig
from foretrace.train.rows import Row, predict_row
from foretrace.train.schedule import Schedule
from foretrace.train.trainer import Trainer

MODEL = ModelConfig(
    vocab_size=2048,
    hidden_size=128,
    intermediate_size=352,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=4096,
    sliding_window=512,
)
"""1.3 million parameters."""
ROW = 8192
MAX_TOKENS = 4096
"""Of a trajectory."""
TRACE_TOKENS = 1280
PARTS = 3
"""Into which repositories are split; each seed holds out one."""
SHARE = 0.3
"""Of trajectories among the tokens."""
ARMS = ("without", "actions", "with")
PRINTED = "printed"
MEASURES = {
    "environment": "environment's turns",
    PRINTED: "of these, what tools print",
    "action": "agent's turns",
    "traces": "traces",
    "code": "code",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything; tokens of each stage."""

    seeds: int = PARTS
    before: int = 700_000
    after: int = 350_000
    programs: int = 2500


SMOKE = Size(seeds=2, before=50_000, after=50_000, programs=200)


class Experiment:
    """A folder with data, checkpoints and results."""

    def __init__(self, work: Path, size: Size, runs: Iterable[Path]) -> None:
        self.work, self.size, self.runs = work, size, tuple(runs)
        self.file = work / "results.jsonl"

    def run(self) -> None:
        """All that is not done yet, seed by seed."""
        self._make_data()
        done = {(row["arm"], row["seed"]) for row in self.results()}
        for seed in range(self.size.seeds):
            for arm in ("before", *ARMS):
                if (arm, seed) not in done:
                    row = {"arm": arm, "seed": seed, **self._losses(self._trained(arm, seed), seed)}
                    with self.file.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                    print(json.dumps(row), flush=True)

    def results(self) -> list[dict[str, Any]]:
        """What is done."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    # -- Data -------------------------------------------------------------------------------------------

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Byte pairs of the interpreter's library: no repository of a trajectory has a part in it."""
        file = self.work / FILE
        if not file.exists():
            self.work.mkdir(parents=True, exist_ok=True)
            texts = (path.read_text(encoding="utf-8", errors="replace") for path in stdlib_sources())
            Tokenizer.train(texts, MODEL.vocab_size, "bpe").save(file)
        return Tokenizer.load(file)

    def _make_data(self) -> None:
        traced = self.work / "datasets" / "traced"
        if not (traced / "manifest.json").exists():
            definition = Definition(sources=(f"synthesised:{self.size.programs}",), calls=2)
            make(definition, str(traced), open_engine("local", 1))
        self._pack("traces", [traced], "trace", TRACE_TOKENS)
        self._pack("code", stdlib_sources(), "text", ROW)
        found = [each for run in self.runs for each in Run.open(run).trajectories()]
        unlike = [trajectory for trajectory, like in without_duplicates(found) if like is None]
        parts = _parts(unlike)
        for seed in range(self.size.seeds):
            for name, is_held in (("agents", False), ("held-out", True)):
                chosen = [t for t in unlike if (parts[t.header.repo] == seed % PARTS) is is_held]
                folder = self.work / "chats" / f"{name}-{seed}"
                if not folder.exists():
                    export(chosen, "chat", folder)
                self._pack(f"{name}-{seed}", [folder / "chat.jsonl"], "chat", MAX_TOKENS)

    def _pack(self, name: str, sources: Iterable[Path], material: Material, max_tokens: int) -> None:
        held_out = 0.0 if material == "chat" else 0.03
        job = PackJob(
            sources=tuple(sources), out=self._shards(name), material=material, max_tokens=max_tokens, validation=held_out
        )
        record = pack(job, self.tokenizer)
        print(json.dumps({"packed": name, **record.to_dict()}), flush=True)

    def _shards(self, name: str) -> Path:
        return self.work / "shards" / name

    # -- One arm ----------------------------------------------------------------------------------------

    def _trained(self, arm: str, seed: int) -> Path:
        """The checkpoint of an arm, trained if it is not there."""
        others = 1.0 if arm in ("before", "without") else 1 - SHARE
        sources = [
            Source(name="traces", folder=self._shards("traces"), weight=others / 2),
            Source(name="code", folder=self._shards("code"), weight=others / 2, too_long="wrap"),
        ]
        if arm in ("actions", "with"):
            predicted = PREDICTED if arm == "with" else PREDICTED - {Kind.OBSERVATION}
            folder = self._shards(f"agents-{seed}")
            sources.append(Source(name="agents", folder=folder, weight=SHARE, predicted=predicted))
        if arm == "before":
            return self._train(arm, seed, sources, self.size.before, None)
        return self._train(arm, seed, sources, self.size.after, self._trained("before", seed))

    def _train(self, arm: str, seed: int, sources: list[Source], tokens: int, start: Path | None) -> Path:
        out, steps = self.work / "runs" / f"{arm}-{seed}", max(2, tokens // ROW)
        schedule = Schedule(lr=3e-3, warmup_steps=steps // 20 + 1, decay_steps=round(0.7 * steps) if start else 0)
        config = TrainConfig(
            stage=arm,
            mixture=Mixture(sources=tuple(sources), tokens_per_row=ROW, seed=2 * seed + (start is not None)),
            out=out,
            steps=steps,
            schedule=schedule,
            optimizer=Optimizer(name="muon"),
            save_every=max(50, steps // 2),
            init_from=start,
            seed=seed,
        )
        if not (out / "done").exists():
            Trainer(MODEL, self.tokenizer, config).run()
            shutil.rmtree(out / "state")
            (out / "done").touch()
        return out / "checkpoint"

    # -- Measuring --------------------------------------------------------------------------------------

    def _losses(self, checkpoint: Path, seed: int) -> dict[str, list[float]]:
        """Of each measure the sum of nats and the number of tokens."""
        model = load_model(checkpoint, dtype=torch.float32, attention="native")
        found: dict[str, list[float]] = {}
        for folder in (f"held-out-{seed}", "traces-validation", "code-validation"):
            for batch in in_order(self._shards(folder), ROW, tokenizer=self.tokenizer.fingerprint):
                for name, nats, tokens in self._measured(model, batch, folder.partition("-")[0]):
                    sums = found.setdefault(name, [0.0, 0])
                    sums[0] += nats
                    sums[1] += tokens
        return found

    @torch.no_grad()
    def _measured(self, model: CausalLM, batch: Batch, material: str) -> Iterator[tuple[str, float, int]]:
        row = Row.of(batch, torch.device("cpu"))
        losses = predict_row(model, row).nll.double().numpy()
        kinds, printed = row.kinds.numpy(), _printed(batch, self.tokenizer)[batch.weights.nonzero()[0]]
        chosen = {material: np.ones(len(losses), bool)}
        if material == "held":
            chosen = {"environment": kinds == Kind.OBSERVATION, PRINTED: printed, "action": kinds == Kind.ACTION}
        for name, which in chosen.items():
            yield name, float(losses[which].sum()), int(which.sum())


def _parts(trajectories: Iterable[Trajectory]) -> dict[str, int]:
    """Which part each repository is in, so that all have about as many episodes."""
    counts: dict[str, int] = {}
    for trajectory in trajectories:
        counts[trajectory.header.repo] = counts.get(trajectory.header.repo, 0) + 1
    sizes, parts = [0] * PARTS, {}
    for repo in sorted(counts, key=lambda repo: (-counts[repo], repo)):
        parts[repo] = sizes.index(min(sizes))
        sizes[parts[repo]] += counts[repo]
    return parts


def _printed(batch: Batch, tokenizer: Tokenizer) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which tokens are what a tool printed: observations without what stands around them (`forager.format`)."""
    found = np.zeros(len(batch.tokens), bool)
    observed = np.concatenate([[False], batch.kinds == Kind.OBSERVATION, [False]])
    edges = np.flatnonzero(observed[1:] != observed[:-1])
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        pieces = [tokenizer.spelling(int(token)) for token in batch.tokens[begin:end]]
        text, opening = b"".join(pieces), b"<output>\n"
        last = text.rfind(b"\n</output>\n\n<budget>")
        if text.startswith(opening) and last >= 0:
            places = np.array([0, *accumulate(map(len, pieces))][:-1])
            found[begin:end] = (places >= len(opening)) & (places < last)
    return found


# -- The table ------------------------------------------------------------------------------------------


def table(results: list[dict[str, Any]]) -> str:
    """Markdown, a measure a row: nats a token, means over seeds with Student's 95 % intervals, differences paired by seed."""
    trained = ("before", *ARMS)
    head = ["nats a token", *trained, *(f"{arm} - without" for arm in ARMS[1:])]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for measure, title in MEASURES.items():
        losses = {(row["arm"], row["seed"]): row[measure][0] / row[measure][1] for row in results}
        of = {arm: {seed: loss for (name, seed), loss in losses.items() if name == arm} for arm in trained}
        cells = [Mean.of(of[arm].values()).text(2) if of[arm] else "" for arm in trained]
        for arm in ARMS[1:]:
            paired = [of[arm][seed] - loss for seed, loss in of["without"].items() if seed in of[arm]]
            cells.append(Mean.of(paired).text(2, sign=True) if paired else "")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    experiment = Experiment(options.out, SMOKE if options.smoke else Size(), options.runs)
    if not options.table:
        experiment.run()
    print(table(experiment.results()))


if __name__ == "__main__":
    main()
