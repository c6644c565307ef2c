"""Shards and a run so small that it takes seconds."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny_run import TOKENIZER, document

from foretrace.data.mixture import Mixture, Source
from foretrace.data.shards import shard_name, write_shard
from foretrace.train.config import Hardware, TrainConfig
from foretrace.train.schedule import Schedule


@pytest.fixture
def run(tmp_path: Path) -> TrainConfig:
    """Twenty steps on two sources."""
    rng = np.random.default_rng(0)
    for name in ("first", "second", "validation"):
        (tmp_path / name).mkdir()
        documents = [document(int(rng.integers(20, 24)), int(rng.integers(5, 20))) for _ in range(40)]
        file = tmp_path / name / shard_name(0)
        write_shard(file, documents, vocab_size=TOKENIZER.vocab_size, tokenizer=TOKENIZER.fingerprint)
    sources = tuple(Source(name=name, folder=tmp_path / name) for name in ("first", "second"))
    return TrainConfig(
        mixture=Mixture(sources=sources, tokens_per_row=64, rows_per_batch=2),
        validation=tmp_path / "validation",
        out=tmp_path / "run",
        steps=20,
        schedule=Schedule(lr=1e-2, warmup_steps=2, decay_steps=5),
        hardware=Hardware(device="cpu", dtype="float32", attention="sdpa-block"),
        log_every=1,
        save_every=7,
        validate_every=10,
    )
