"""`short_traces`: `tiny`, taught to foresee functions of one to four lines: a better judge for the solver (`docs/solve.md`).

    foretrace train short_traces --work runs/short_traces

Traces of short functions, whose seeds are among those of `examples`, so what is held out of one is held out of both; and
some of what `tiny` knew, so that it is not forgotten.
"""

from pathlib import Path

from foretrace.data.mixture import Mixture, Source
from foretrace.engine.load import packaged_checkpoints
from foretrace.model.presets import preset
from foretrace.recipes.recipe import Data, Recipe, shards
from foretrace.recipes.tiny import MUON, ROW
from foretrace.train.config import TrainConfig
from foretrace.train.schedule import Schedule


def short_traces(work: Path = Path("runs/short_traces")) -> Recipe:
    """4.9 million tokens: a quarter of an hour of a core with AVX-512 bf16."""
    start = packaged_checkpoints()["tiny"]
    short = Source(name="short", folder=shards(work, "short"), weight=0.75)
    rehearsal = Source(name="traces", folder=shards(work, "traces"), weight=0.25)
    return Recipe(
        work=work,
        model=preset("tiny"),
        tokenizer=start,
        data=(
            ("short", Data(sources=("short:24000",), calls=2, max_tokens=512)),
            ("traces", Data(sources=("synthesised:4000",), calls=2, max_tokens=1280)),
        ),
        midtrain=TrainConfig(
            stage="midtrain",
            mixture=Mixture(sources=(short, rehearsal), tokens_per_row=ROW),
            out=work / "midtrain",
            steps=600,
            schedule=Schedule(lr=1e-3, warmup_steps=30, decay_steps=500),
            optimizer=MUON,
            init_from=start,
            validation=shards(work, "short-validation"),
        ),
    )
