"""`cwm_32b`: CWM's own hyper-parameters, for a cluster (report, arXiv:2510.02387, sections 4 and 5.1, table 2).

    torchrun … -m foretrace train cwm_32b --work /data/cwm --until midtrain

The shards must be there (`foretrace data pack`), one folder for each source in `WORK/shards`; names and weights are
below. How to launch it, and what it takes: `docs/scaling.md`. Where the report gives no number (shares within its 30
% of trace and agent data, epochs) it is ours.
"""

from pathlib import Path

from foretrace.data.mixture import Mixture, Source
from foretrace.model.presets import preset
from foretrace.recipes.recipe import Recipe, shards
from foretrace.train.config import Hardware, Optimizer, Parallel, TrainConfig
from foretrace.train.schedule import Schedule

PRETRAIN_TOKENS, MIDTRAIN_TOKENS, SFT_TOKENS = 8e12, 5e12, 100e9
SHORT, MEDIUM, LONG = 8192, 32_768, 131_072
BUCKETS = (16_385, 65_537)
"""Upper ends of the length buckets of mid-training."""
ADAMW = Optimizer(name="adamw", weight_decay=0.1, betas=(0.9, 0.95), max_grad_norm=1.0)
GPUS = Hardware(device="cuda", dtype="bfloat16", compile=True, recompute=True)
PEAK, FLOOR = 8e-4, 0.01


def cwm_32b(work: Path = Path("runs/cwm_32b")) -> Recipe:
    """8 T tokens of pre-training, 5 T of mid-training, 100 G of SFT."""
    return Recipe(
        work=work,
        model=preset("cwm_32b"),
        tokenizer=work / "tokenizer",
        pretrain=_pretrain(work),
        midtrain=_midtrain(work),
        sft=_sft(work),
    )


def _pretrain(work: Path) -> TrainConfig:
    """8.4 M tokens a step at 8,192; nearly a third is code."""
    sources = (
        Source(name="code", folder=shards(work, "code"), weight=0.30, max_epochs=4, too_long="wrap"),
        Source(name="stem", folder=shards(work, "stem"), weight=0.20, max_epochs=4, too_long="wrap"),
        Source(name="general", folder=shards(work, "general"), weight=0.50, max_epochs=4, too_long="wrap"),
    )
    mixture = Mixture(sources=sources, tokens_per_row=SHORT, rows_per_batch=1024, pad_rows=True)
    return TrainConfig(
        stage="pretrain",
        mixture=mixture,
        out=work / "pretrain",
        steps=_steps(PRETRAIN_TOKENS, mixture),
        schedule=_shared_cosine(mixture, before=0.0),
        optimizer=ADAMW,
        hardware=GPUS,
        save_every=1000,
        validate_every=1000,
    )


def _midtrain(work: Path) -> TrainConfig:
    """33 M tokens a step at 131,072; it goes on with the optimiser's moments and on the same cosine."""
    sources = (
        Source(name="traces", folder=shards(work, "traces"), weight=0.20, max_epochs=4),
        Source(name="agents", folder=shards(work, "agents"), weight=0.10, max_epochs=4, observation_share=0.5),
        Source(name="code", folder=shards(work, "code"), weight=0.40, max_epochs=4, too_long="wrap"),
        Source(name="rehearsal", folder=shards(work, "rehearsal"), weight=0.30, max_epochs=4, too_long="wrap"),
    )
    mixture = Mixture(
        sources=sources, tokens_per_row=LONG, rows_per_batch=256, seed=1, length_buckets=BUCKETS, pad_rows=True
    )
    return TrainConfig(
        stage="midtrain",
        mixture=mixture,
        out=work / "midtrain",
        steps=_steps(MIDTRAIN_TOKENS, mixture),
        schedule=_shared_cosine(mixture, before=PRETRAIN_TOKENS),
        optimizer=ADAMW,
        hardware=GPUS,
        parallel=Parallel(context=4),
        horizons=(0, 32_768, 0),
        init_from=work / "pretrain" / "state",
        save_every=500,
        validate_every=500,
    )


def _sft(work: Path) -> TrainConfig:
    """2 M tokens a step at 32,768; nearly a third is rehearsal."""
    sources = (
        Source(name="instructions", folder=shards(work, "instructions"), weight=0.30, max_epochs=4, too_long="truncate"),
        Source(name="reasoning", folder=shards(work, "reasoning"), weight=0.25, max_epochs=4, too_long="truncate"),
        Source(name="agentic", folder=shards(work, "agentic"), weight=0.15, max_epochs=4, too_long="truncate"),
        Source(name="rehearsal", folder=shards(work, "rehearsal"), weight=0.30, max_epochs=4, too_long="wrap"),
    )
    mixture = Mixture(
        sources=sources, tokens_per_row=MEDIUM, rows_per_batch=64, seed=2, rows_of_one_source=True, pad_rows=True
    )
    return TrainConfig(
        stage="sft",
        mixture=mixture,
        out=work / "sft",
        steps=50_000,
        schedule=Schedule(kind="constant", lr=1e-5, warmup_steps=1000),
        optimizer=ADAMW,
        hardware=GPUS,
        save_every=500,
        validate_every=500,
    )


def _steps(tokens: float, mixture: Mixture) -> int:
    return round(tokens / _batch(mixture))


def _batch(mixture: Mixture) -> int:
    return mixture.tokens_per_row * mixture.rows_per_batch


def _shared_cosine(mixture: Mixture, before: float) -> Schedule:
    """One cosine over pre- and mid-training, counted in this stage's steps; `before`: tokens that came before it."""
    batch = _batch(mixture)
    return Schedule(
        kind="cosine",
        lr=PEAK,
        floor=FLOOR,
        warmup_steps=round(2000 * SHORT * 1024 / batch),
        first_step=round(before / batch),
        total_steps=round((PRETRAIN_TOKENS + MIDTRAIN_TOKENS) / batch),
    )
