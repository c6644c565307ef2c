"""Does mid-training on execution traces help what follows? The central claim of CWM at the scale of a laptop.

    python bench/experiments/midtraining.py runs/midtraining                # all arms and seeds; goes on where it stopped
    python bench/experiments/midtraining.py runs/midtraining --table
    python bench/experiments/midtraining.py runs/midtraining --cruxeval cruxeval.jsonl
    python bench/experiments/midtraining.py /tmp/m --smoke                  # minutes, to see that everything works
    python bench/experiments/midtraining.py runs/midtraining --train --part 1/3   # a third of the seeds, on a machine
                                                                            # with a GPU that has the data; asked later

For each seed: one model is pre-trained on code; it is mid-trained twice on as many tokens, with traces (`traces`) or with the
sources of the same programs in their place (`code`); then both get the same fine-tuning on questions with known answers: what a
call returns, and which function gives the results shown. A third arm (`none`) has no mid-training. Answers are given at once, without
writing a trace. Measured on programs of seeds that no data has; a function counts if it gives all shown and all hidden results.

All arms of a seed see the same questions in the same order. `results.jsonl` has a line for each arm and seed.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from foretrace.data.chat import Message, chat_prompt, parse_turn
from foretrace.data.dataset import open_dataset
from foretrace.data.mixture import Mixture, Source
from foretrace.data.pack import PackJob, pack
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make
from foretrace.data.questions import Asking, conversations, output_question
from foretrace.data.special import ChatToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import load
from foretrace.errors import ForetraceError
from foretrace.evals import Mean, Share, same_literal
from foretrace.evals.cruxeval import read_cruxeval
from foretrace.model.config import ModelConfig
from foretrace.recipes.prepare import stdlib_sources, train_small_tokenizer
from foretrace.record import record_source, recording_sandbox
from foretrace.sandbox import Sandbox
from foretrace.trace import Limits
from foretrace.train.config import Hardware, Optimizer, TrainConfig
from foretrace.train.schedule import Schedule
from foretrace.train.trainer import Trainer

MODEL = ModelConfig(
    vocab_size=1024,
    hidden_size=192,
    intermediate_size=512,
    num_hidden_layers=6,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=2048,
    sliding_window=256,
)
"""2.8 million parameters."""
ROW = 8192
MAX_TOKENS = 1280
ARMS = ("traces", "code", "none")
HELD_OUT = 1 << 50
"""Seeds of the programs that are asked about after training."""
QUESTIONS = 1 << 40
"""Seeds of the programs that fine-tuning asks about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything; tokens of each stage."""

    seeds: int = 3
    pretrain: int = 2_000_000
    midtrain: int = 8_000_000
    sft: int = 3_000_000
    programs: int = 24_000
    asked: int = 16_000
    held_out: int = 1200
    """Programs of which questions are made; those that can be answered are fewer."""
    cases: int = 500
    """Questions of each task at most."""


SMOKE = Size(
    seeds=1, pretrain=40_000, midtrain=80_000, sft=40_000, programs=300, asked=200, held_out=60, cases=20
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what decides about its answer."""

    task: str
    text: str
    entry: str
    calls: tuple[tuple[str, str], ...]
    """Argument lists and their results: of the task `output` one, of `program` those shown and hidden ones."""


class Experiment:
    """A folder with data, runs and results."""

    def __init__(self, work: Path, size: Size, cruxeval: Path | None) -> None:
        self.work, self.size, self.cruxeval = work, size, cruxeval
        self.file = work / "results.jsonl"

    def train(self, part: int, parts: int) -> None:
        """Trains what is not trained yet, from data that are there: of every `parts` seeds the one with number `part`."""
        for seed in range(self.size.seeds)[part::parts]:
            for arm in ARMS:
                self._trained(arm, seed)

    def run(self) -> None:
        """All that is not done yet, seed by seed."""
        self._make_data()
        done = {(row["arm"], row["seed"]) for row in self.results()}
        for seed in range(self.size.seeds):
            for arm in ARMS:
                if (arm, seed) not in done:
                    line = json.dumps(self._one(arm, seed))
                    with self.file.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
                    print(line, flush=True)

    def results(self) -> list[dict[str, Any]]:
        """What is done."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    # -- Data -------------------------------------------------------------------------------------------

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """One for all."""
        return train_small_tokenizer(self.work, MODEL.vocab_size)

    def _make_data(self) -> None:
        self._pack("stdlib", stdlib_sources(), "text", ROW)
        traced = self._dataset("traced", f"synthesised:{self.size.programs}", calls=2)
        self._pack("traces", (traced,), "trace", MAX_TOKENS)
        self._pack("sources", (traced,), "text", ROW)
        asked = self._dataset("asked", f"synthesised:{self.size.asked}@{QUESTIONS}", calls=8)
        questions = self.work / "questions.jsonl"
        if not questions.exists():
            lines = [json.dumps(c) + "\n" for c in conversations(open_dataset(asked))]
            questions.write_text("".join(lines))
        self._pack("questions", (questions,), "chat", MAX_TOKENS)
        self._dataset("held-out", f"synthesised:{self.size.held_out}@{HELD_OUT}", calls=8)

    def _dataset(self, name: str, source: str, calls: int) -> Path:
        folder = self.work / "datasets" / name
        benchmarks = (str(self.cruxeval.resolve()),) if self.cruxeval else ()
        if not (folder / "manifest.json").exists():
            make(Definition(sources=(source,), calls=calls, benchmarks=benchmarks), str(folder), open_engine("local", 2))
        return folder

    def _pack(self, name: str, sources: Sequence[Path], material: Any, max_tokens: int) -> None:
        folder = self.work / "shards" / name
        job = PackJob(sources=tuple(sources), out=folder, material=material, max_tokens=max_tokens, validation=0.02)
        pack(job, self.tokenizer, workers=2)

    @cached_property
    def held_out(self) -> list[Question]:
        """Questions about programs that no data has."""
        dataset = open_dataset(self.work / "datasets" / "held-out")
        calls: dict[str, list[tuple[str, str]]] = {}
        for batch in dataset.traces.batches(["subject", "arguments", "value", "outcome"]):
            for row in batch.to_pylist():
                if row["outcome"] == "returned":
                    calls.setdefault(row["subject"], []).append((row["arguments"], row["value"]))
        found: dict[str, list[Question]] = {"output": [], "program": []}
        for asked in conversations(dataset, Asking(calls=1), seed=1):
            text, answer = (message["content"] for message in asked["messages"])
            entry = text.rpartition("What does ")[2].partition("(")[0]
            entry = entry if asked["task"] == "output" else text.rpartition("Write the function ")[2].rstrip(".")
            known = ((text, answer),) if asked["task"] == "output" else tuple(calls[asked["subject"]])
            found[asked["task"]].append(Question(asked["task"], text, entry, known))
        return [question for task in found.values() for question in task[: self.size.cases]]

    # -- One arm ----------------------------------------------------------------------------------------

    def _trained(self, arm: str, seed: int) -> Path:
        """The checkpoint of an arm after its last stage."""
        checkpoint = self._out(f"sft-{arm}", seed) / "checkpoint"
        if self._is_done(f"sft-{arm}", seed):
            return checkpoint
        start = self._pretrain(seed)
        if arm != "none":
            start = self._midtrain(arm, seed, start)
        return self._sft(arm, seed, start)

    def _one(self, arm: str, seed: int) -> dict[str, Any]:
        checkpoint = self._trained(arm, seed)
        answers = self._ask(checkpoint, self.held_out)
        found: dict[str, Any] = {"arm": arm, "seed": seed}
        with recording_sandbox() as box:
            for task in ("output", "program"):
                judged = [_is_right(q, a, box) for q, a in zip(self.held_out, answers, strict=True) if q.task == task]
                found[task] = [sum(judged), len(judged)]
        if self.cruxeval:
            rows = read_cruxeval(self.cruxeval)
            questions = [
                Question("output", output_question(r["code"], "f", r["input"]), "f", (("", r["output"]),)) for r in rows
            ]
            answers = self._ask(checkpoint, questions)
            right = [_same(a, q.calls[0][1]) for q, a in zip(questions, answers, strict=True)]
            found["cruxeval"] = [sum(right), len(right)]
        return found

    def _pretrain(self, seed: int) -> Path:
        return self._train("pretrain", seed, (self._source("stdlib"),), self.size.pretrain, None)

    def _midtrain(self, arm: str, seed: int, start: Path) -> Path:
        """Half of the tokens are traces, or the programs' sources; the rest is the same in both arms."""
        shown = self._source("traces" if arm == "traces" else "sources", 0.5)
        rest = (self._source("stdlib", 0.25), replace(self._source("sources", 0.25), name="sources too"))
        return self._train(f"midtrain-{arm}", seed, (shown, *rest), self.size.midtrain, start)

    def _sft(self, arm: str, seed: int, start: Path) -> Path:
        return self._train(f"sft-{arm}", seed, (self._source("questions"),), self.size.sft, start)

    def _source(self, name: str, weight: float = 1.0) -> Source:
        return Source(name=name, folder=self.work / "shards" / name, weight=weight, too_long="wrap")

    def _out(self, name: str, seed: int) -> Path:
        return self.work / "runs" / f"{name}-{seed}"

    def _is_done(self, name: str, seed: int) -> bool:
        return (self._out(name, seed) / "done").exists()

    def _train(self, name: str, seed: int, sources: tuple[Source, ...], tokens: int, start: Path | None) -> Path:
        """Trains a stage, or finds it done; returns its checkpoint."""
        out, steps = self._out(name, seed), max(2, tokens // ROW)
        schedule = Schedule(lr=2e-3, warmup_steps=steps // 20 + 1, decay_steps=round(0.7 * steps))
        config = TrainConfig(
            stage=name,
            mixture=Mixture(sources=sources, tokens_per_row=ROW, seed=seed),
            out=out,
            steps=steps,
            schedule=schedule,
            optimizer=Optimizer(name="muon"),
            hardware=Hardware(compile=self.size.midtrain > 1_000_000),
            validation=self.work / "shards" / f"{sources[0].name}-validation",
            validate_every=steps,
            save_every=max(50, steps // 4),
            init_from=start,
            seed=seed,
        )
        if not self._is_done(name, seed):
            Trainer(MODEL, self.tokenizer, config).run()
            shutil.rmtree(out / "state")
            (out / "done").touch()
        return out / "checkpoint"

    def _ask(self, checkpoint: Path, questions: Sequence[Question]) -> list[str]:
        """Greedy answers."""
        engine, stop = load(str(checkpoint)), self.tokenizer.id_of(ChatToken.END_OF_TURN)
        prompts = [self.tokenizer.encode(chat_prompt([Message("user", q.text)])) for q in questions]
        generations = engine.generate(prompts, max_tokens=256, stop=[stop])
        return [parse_turn(self.tokenizer.decode(g.tokens)).content for g in generations]


def _is_right(question: Question, answer: str, box: Sandbox) -> bool:
    if question.task == "output":
        return _same(answer, question.calls[0][1])
    for arguments, value in question.calls:
        try:
            limits = Limits(seconds=2.0, max_events=2000)
            result = record_source(answer, question.entry, arguments, limits=limits, sandbox=box).result
        except ForetraceError:
            return False
        if result is None or not _same(result, value):
            return False
    return True


def _same(answer: str, expected: str) -> bool:
    return answer.strip() == expected or same_literal(answer.strip(), expected)


# -- The table ------------------------------------------------------------------------------------------


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: an arm a row; means over seeds with Student's 95 % intervals, and differences paired by seed."""
    tasks = [task for task in ("output", "program", "cruxeval") if any(task in row for row in results)]
    head = ["mid-training", *(cell for task in tasks for cell in (f"{task}, %", f"{task}: traces - this, points"))]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    traces = {row["seed"]: row for row in results if row["arm"] == "traces"}
    for arm in ARMS:
        rows = [row for row in results if row["arm"] == arm]
        cells = [arm]
        for task in tasks:
            shares = [100 * Share(*row[task]).value for row in rows if task in row]
            paired = [
                100 * (Share(*traces[r["seed"]][task]).value - Share(*r[task]).value) for r in rows if r["seed"] in traces
            ]
            cells.append(Mean.of(shares).text(1) if shares else "")
            cells.append(Mean.of(paired).text(1, sign=True) if paired and arm != "traces" else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--cruxeval", type=Path, help="the official file: asked, and kept out of the data")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--train", action="store_true", help="only train, from data that are there")
    parser.add_argument("--part", default="1/1", help="with --train: which of how many equal parts of the seeds")
    options = parser.parse_args()
    size = SMOKE if options.smoke else Size()
    experiment = Experiment(options.work, replace(size, seeds=options.seeds or size.seeds), options.cruxeval)
    if options.train:
        part, parts = map(int, options.part.split("/"))
        experiment.train(part - 1, parts)
        return
    if not options.table:
        experiment.run()
    print(table(experiment.results()))


if __name__ == "__main__":
    main()
