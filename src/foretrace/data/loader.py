"""Batches of whole documents up to a token budget, in a seeded order, resumable at any batch.

Nothing is cropped and nothing padded: a batch is as many documents as fit. The loader's whole state is two numbers, so
that a run that continues from them sees exactly the batches it would have seen.

    loader = Loader(folder, tokens_per_batch=8192, seed=0)
    batch = next(loader);  state = loader.state();  loader.restore(state)
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foretrace.data.shards import Document, Shard, read_shard, shard_files


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents end to end, as one flat stream of N tokens."""

    tokens: NDArray[np.int64]
    """(N,)"""
    lengths: tuple[int, ...]
    predicted: NDArray[np.bool_]
    """(N,): whether the model is to predict this token from those before it in its document."""

    @classmethod
    def of(cls, documents: list[Document]) -> "Batch":
        """Joins documents."""
        lengths = tuple(len(d) for d in documents)
        predicted = [np.arange(len(d)) >= d.predict_from for d in documents]
        tokens = np.concatenate([d.tokens for d in documents]).astype(np.int64)
        return cls(tokens, lengths, np.concatenate(predicted))


@dataclass(slots=True)
class LoaderState:
    """Where a loader stands: documents served in the current pass, and passes completed."""

    epoch: int = 0
    served: int = 0


class Loader(Iterator[Batch]):
    """Endless batches. Shards come in a shuffled order, documents shuffled within each; both anew each epoch."""

    def __init__(self, folder: Path, tokens_per_batch: int, seed: int = 0) -> None:
        self.files = shard_files(folder)
        self.tokens_per_batch = tokens_per_batch
        self.seed = seed
        self._state = LoaderState()
        self._pending: Document | None = None
        self._documents = self._from(self._state)

    def state(self) -> dict[str, int]:
        """What `restore` needs; a document read but not yet served counts as unserved."""
        return asdict(self._state)

    def restore(self, state: dict[str, int]) -> None:
        """Goes on from `state`."""
        self._state = LoaderState(**state)
        self._pending = None
        self._documents = self._from(self._state)

    def __next__(self) -> Batch:
        documents: list[Document] = []
        size = 0
        while True:
            document = self._pending or next(self._documents)
            self._pending = None
            if documents and size + len(document) > self.tokens_per_batch:
                self._pending = document
                return Batch.of(documents)
            documents.append(document)
            size += len(document)
            self._state.served += 1

    def _from(self, state: LoaderState) -> Iterator[Document]:
        """Every document from `state` on, without end."""
        skip = state.served
        while True:
            order = np.random.default_rng((self.seed, state.epoch)).permutation(len(self.files))
            for number in order:
                shard = read_shard(self.files[number])
                if skip >= len(shard):
                    skip -= len(shard)
                    continue
                yield from _shuffled(shard, (self.seed, state.epoch, int(number)), skip)
                skip = 0
            state.epoch, state.served = state.epoch + 1, 0


def _shuffled(shard: Shard, seed: tuple[int, ...], skip: int) -> Iterator[Document]:
    for index in np.random.default_rng(seed).permutation(len(shard))[skip:]:
        yield shard.document(int(index))


def in_order(folder: Path, tokens_per_batch: int) -> Iterator[Batch]:
    """Every document of a folder once, in order: for validation."""
    documents: list[Document] = []
    for file in shard_files(folder):
        shard = read_shard(file)
        for index in range(len(shard)):
            documents.append(shard.document(index))
            if sum(len(d) for d in documents) >= tokens_per_batch:
                yield Batch.of(documents)
                documents = []
    if documents:
        yield Batch.of(documents)
