"""The data of the training benchmark: programs synthesised, run and recorded by this package, tokenised once, the same for all.

Contenders that are not ours read the documents from the shards that ours reads.

    make(folder)                        # nothing to do if they are there
    documents = read(folder, seed=0)
    documents[0].tokens, documents[0].predicted
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import foretrace
from foretrace.data.build import BuildConfig, build
from foretrace.data.kinds import PREDICTED
from foretrace.data.shards import Shard, shard_files
from foretrace.data.tokenizer import Tokenizer

SHARDS, DOCUMENTS = 4, 1024
"""1.4 million tokens: more than a run on CPU sees; on a GPU, where the content does not matter for speed, they are seen again."""
LONGEST = 2048
"""Tokens; one program in fifty is longer and left out."""
MOST_EVENTS = 400


class Document(NamedTuple):
    """A trace."""

    tokens: NDArray[np.int64]
    """(N,)"""
    predicted: NDArray[np.bool_]
    """(N,): whether a model is taught to predict this token: those of the program and its arguments are given."""

    @property
    def size(self) -> int:
        """In tokens."""
        return len(self.tokens)


def tokenizer() -> Tokenizer:
    """The tokenizer of the model in the package."""
    return Tokenizer.load(Path(foretrace.__file__).parent / "checkpoints" / "tiny")


def make(folder: Path) -> None:
    """Makes the shards that are missing."""
    config = BuildConfig(
        out=folder, shards=SHARDS, documents_per_shard=DOCUMENTS, max_tokens=LONGEST, max_events=MOST_EVENTS
    )
    build(config, tokenizer())


def read(folder: Path, seed: int) -> list[Document]:
    """All documents, in an order of their own for each seed."""
    shards = [Shard(file) for file in shard_files(folder)]
    found = [shard.document(index) for shard in shards for index in range(len(shard))]
    documents = [Document(d.tokens.astype(np.int64), np.isin(d.kinds, list(PREDICTED))) for d in found]
    return [documents[index] for index in np.random.default_rng(seed).permutation(len(documents))]


def lengths(folder: Path) -> list[int]:
    """Of all documents, in tokens."""
    return [int(length) for file in shard_files(folder) for length in Shard(file).lengths]
