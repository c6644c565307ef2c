"""One batch ahead: the same batches, the same states, and errors when their batch is due."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numbered import damage, same, write_numbered

from foretrace.data.loader import Loader
from foretrace.data.mixture import Mixture, Source
from foretrace.data.prefetch import Prefetch
from foretrace.data.shards import shard_files
from foretrace.errors import FormatError


@pytest.fixture
def mixture(tmp_path: Path) -> Mixture:
    rng = np.random.default_rng(0)
    sources = []
    for number in range(3):
        folder = write_numbered(tmp_path / str(number), rng.integers(3, 30, 40).tolist(), source=number)
        sources.append(Source(name="abc"[number], folder=folder, weight=1.0 + number))
    return Mixture(sources=tuple(sources), tokens_per_row=64, rows_per_batch=4)


def test_a_loader_one_batch_ahead_gives_the_same(mixture: Mixture) -> None:
    ended = replace(mixture, sources=tuple(replace(source, max_epochs=1) for source in mixture.sources))
    plain, ahead = Loader(ended), Prefetch(Loader(ended), rank=1, world=2)
    count = 0
    for rows in ahead:
        assert same(rows, next(plain)[1::2])
        assert ahead.state() == plain.state()
        assert ahead.progress() == plain.progress()
        count += 1
    assert count > 5
    with pytest.raises(StopIteration):
        next(ahead)
    assert ahead.state() == plain.state()
    ahead.close()


def test_a_loader_one_batch_ahead_resumes(mixture: Mixture) -> None:
    ahead = Prefetch(Loader(mixture))
    batches, states = [], [ahead.state()]
    for rows in islice(ahead, 8):
        batches.append(rows)
        states.append(json.loads(json.dumps(ahead.state())))
    for at in (3, 0, 7):
        ahead.restore(states[at])
        assert ahead.state() == states[at]
        assert all(same(next(ahead), batch) for batch in batches[at:])
    ahead.close()


def test_damage_found_ahead_is_told_when_its_batch_is_due(mixture: Mixture) -> None:
    sources = tuple(replace(source, max_epochs=1) for source in mixture.sources)
    damage(shard_files(sources[0].folder)[0], lambda tokens: tokens == 5)
    ahead = Prefetch(Loader(replace(mixture, sources=sources)))
    with pytest.raises(FormatError, match=r"00000\.safetensors is damaged"):
        for _ in ahead:
            pass
    ahead.close()
