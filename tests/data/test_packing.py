"""Packing: rows are full, and no document waits for ever."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numbered import write_numbered

from foretrace.data.loader import Loader
from foretrace.data.mixture import Mixture, Source
from foretrace.data.packing import Pool
from foretrace.data.streams import Piece


@pytest.mark.parametrize(("lookahead", "at_least"), [(1024, 0.999), (25, 0.99)])
def test_rows_are_full(tmp_path: Path, lookahead: int, at_least: float) -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(400), 0.7, 3000), 20, 8192).astype(int).tolist()
    source = Source(name="a", folder=write_numbered(tmp_path, lengths, per_shard=1 << 20))
    loader = Loader(Mixture(sources=(source,), tokens_per_row=8192, lookahead=lookahead))
    assert np.mean([len(row.tokens) / 8192 for rows in islice(loader, 100) for row in rows]) > at_least


def test_long_documents_do_not_starve(tmp_path: Path) -> None:
    """Documents that need a whole row wait no longer than the short ones that came with them."""
    lengths = [1000 if i % 50 == 0 else 30 for i in range(2000)]
    source = Source(name="a", folder=write_numbered(tmp_path, lengths, per_shard=1 << 20), max_epochs=1)
    loader = Loader(Mixture(sources=(source,), tokens_per_row=1000, lookahead=64))
    long = [at for at, rows in enumerate(loader) for row in rows if row.lengths == (1000,)]
    assert len(long) == 40
    assert max(np.diff([0, *long])) < 30  # on average one row in 2.5


def test_the_pool_gives_the_oldest_that_fits_else_the_largest() -> None:
    pool = Pool(Piece(0, 0, 0, number, 0, length) for number, length in enumerate([50, 20, 70, 20, 30]))

    def take(room: int) -> int | None:
        piece = pool.take(room)
        return piece and piece.document

    assert (take(60), take(25), take(69), take(69)) == (0, 1, 4, 3)
    assert (pool.tokens, len(pool)) == (70, 1)
    assert (take(69), take(70), take(1000)) == (None, 2, None)
