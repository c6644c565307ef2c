"""`small`: some 30 million parameters, made for one GPU; what `tiny` is, with more of everything. Not run yet.

foretrace train small --work runs/small
"""

from dataclasses import replace
from pathlib import Path

from foretrace.model.presets import preset
from foretrace.recipes.recipe import Data, Recipe
from foretrace.recipes.tiny import tiny
from foretrace.train.config import Hardware, Optimizer, TrainConfig
from foretrace.train.schedule import Schedule

ROW, ROWS = 131_072, 2
"""A batch of 262,144 tokens; CWM's law (`train/scaling.py`) has some 350,000 for this much compute, at contexts of 4,096."""


def small(work: Path = Path("runs/small")) -> Recipe:
    """1.2 thousand million tokens of training, over a million synthesised functions."""
    like = tiny(work)
    assert like.pretrain is not None
    assert like.midtrain is not None
    assert like.sft is not None
    return replace(
        like,
        model=preset("small"),
        data=(
            ("code", Data(sources=("stdlib",), kind="text")),
            ("traces", Data(sources=("synthesised:1000000",), max_tokens=4096)),
            ("questions", Data(sources=(), kind="questions", of="traces")),
        ),
        pretrain=_on_a_gpu(like.pretrain, 400, Schedule(lr=3e-3, warmup_steps=100, decay_steps=0)),
        midtrain=_on_a_gpu(like.midtrain, 4000, Schedule(lr=3e-3, warmup_steps=100, decay_steps=3000)),
        sft=_on_a_gpu(like.sft, 300, Schedule(kind="constant", lr=3e-4, warmup_steps=30)),
        workers=16,
    )


def _on_a_gpu(stage: TrainConfig, steps: int, schedule: Schedule) -> TrainConfig:
    mixture = replace(stage.mixture, tokens_per_row=ROW, rows_per_batch=ROWS, pad_rows=True)
    muon, compiled = Optimizer(name="muon"), Hardware(compile=True)
    return replace(stage, mixture=mixture, steps=steps, schedule=schedule, optimizer=muon, hardware=compiled)
