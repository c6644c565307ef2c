"""Shards and the loader: nothing lost, nothing doubled, resumable at any batch."""

from pathlib import Path

import numpy as np
import pytest

from foretrace.data.loader import Loader, in_order
from foretrace.data.shards import Document, read_shard, shard_name, write_shard
from foretrace.errors import FormatError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(3):
        documents = []
        for index in range(7):
            tokens = rng.integers(0, 1000, size=rng.integers(3, 30)).astype(np.uint16)
            tokens[0] = number * 7 + index  # names the document
            documents.append(Document(tokens, 2))
        write_shard(tmp_path / shard_name(number), documents)
    return tmp_path


def names(tokens: np.ndarray, lengths: tuple[int, ...]) -> list[int]:
    starts = np.cumsum([0, *lengths[:-1]])
    return [int(tokens[s]) for s in starts]


def test_an_epoch_serves_every_document_once(folder: Path) -> None:
    loader = Loader(folder, tokens_per_batch=64)
    served: list[int] = []
    while len(served) < 21:
        batch = next(loader)
        assert len(batch.tokens) == sum(batch.lengths) <= 64
        served += names(batch.tokens, batch.lengths)
    assert sorted(served[:21]) == list(range(21))


def test_the_prompt_is_not_predicted(folder: Path) -> None:
    batch = next(Loader(folder, tokens_per_batch=64))
    starts = np.cumsum([0, *batch.lengths[:-1]])
    assert not batch.predicted[starts].any()
    assert not batch.predicted[starts + 1].any()
    assert batch.predicted.sum() == len(batch.tokens) - 2 * len(batch.lengths)


@pytest.mark.parametrize("after", range(14))
def test_resuming_gives_the_same_batches(folder: Path, after: int) -> None:
    loader = Loader(folder, tokens_per_batch=50, seed=3)
    for _ in range(after):
        next(loader)
    state = loader.state()
    expected = [next(loader) for _ in range(12)]
    resumed = Loader(folder, tokens_per_batch=50, seed=3)
    resumed.restore(state)
    for batch in expected:
        again = next(resumed)
        assert again.lengths == batch.lengths
        assert (again.tokens == batch.tokens).all()


def test_in_order_serves_every_document_once(folder: Path) -> None:
    served = [name for batch in in_order(folder, 64) for name in names(batch.tokens, batch.lengths)]
    assert served == list(range(21))


def test_a_damaged_shard_names_itself(folder: Path) -> None:
    file = folder / shard_name(1)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(FormatError, match="00001"):
        read_shard(file)


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no shards"):
        Loader(tmp_path, 10)
