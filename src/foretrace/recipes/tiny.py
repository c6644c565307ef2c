"""`tiny`: the checkpoint in the package, trained from scratch on a laptop's CPU in hours or a GPU in minutes.

    foretrace train tiny --work runs/tiny

Code first, then mostly traces, then questions about calls.
"""

from pathlib import Path

from foretrace.data.mixture import Mixture, Source
from foretrace.model.presets import preset
from foretrace.recipes.recipe import Data, Recipe, shards
from foretrace.train.config import Hardware, Optimizer, TrainConfig
from foretrace.train.schedule import Schedule

ROW = 8192
MUON = Optimizer(name="muon")
COMPILED = Hardware(compile=True)


def tiny(work: Path = Path("runs/tiny")) -> Recipe:
    """6.4 million parameters, some 90 million tokens: two hours at the 13,000 a second of two cores with AVX-512 bf16."""
    code = Source(name="code", folder=shards(work, "code"), too_long="wrap")
    traces = Source(name="traces", folder=shards(work, "traces"), weight=0.85)
    rehearsal = Source(name="code", folder=shards(work, "code"), weight=0.15, too_long="wrap")
    questions = Source(name="questions", folder=shards(work, "questions"), weight=0.7)
    return Recipe(
        work=work,
        model=preset("tiny"),
        data=(
            ("code", Data(sources=("stdlib",), kind="text")),
            ("traces", Data(sources=("synthesised:180000",), calls=2, max_tokens=1280)),
            ("questions", Data(sources=(), kind="questions", of="traces")),
        ),
        pretrain=TrainConfig(
            stage="pretrain",
            mixture=Mixture(sources=(code,), tokens_per_row=ROW),
            out=work / "pretrain",
            steps=700,
            schedule=Schedule(lr=3e-3, warmup_steps=60, decay_steps=0),
            optimizer=MUON,
            hardware=COMPILED,
            validation=shards(work, "code-validation"),
        ),
        midtrain=TrainConfig(
            stage="midtrain",
            mixture=Mixture(sources=(traces, rehearsal), tokens_per_row=ROW, seed=1),
            out=work / "midtrain",
            steps=9600,
            schedule=Schedule(lr=3e-3, warmup_steps=60, decay_steps=8000),
            optimizer=MUON,
            hardware=COMPILED,
            validation=shards(work, "traces-validation"),
            validate_every=500,
            samples=2,
        ),
        sft=TrainConfig(
            stage="sft",
            mixture=Mixture(
                sources=(questions, Source(name="traces", folder=shards(work, "traces"), weight=0.3)),
                tokens_per_row=ROW,
                seed=2,
                rows_of_one_source=True,
            ),
            out=work / "sft",
            steps=600,
            schedule=Schedule(kind="constant", lr=3e-4, warmup_steps=30),
            optimizer=MUON,
            hardware=COMPILED,
            validation=shards(work, "questions-validation"),
        ),
    )
