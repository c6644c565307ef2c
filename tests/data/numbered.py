"""Folders of shards whose every token has its own number, so that a test sees which tokens came, and in what order."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from foretrace.data.batch import PADDING, Batch
from foretrace.data.kinds import Kind
from foretrace.data.shard_writer import ShardWriter
from foretrace.data.shards import Document

VOCABULARY = 1 << 31
SOURCE = 1 << 24
"""Numbers of the tokens of source s begin at s * SOURCE + 1."""


def write_numbered(folder: Path, lengths: Iterable[int], *, source: int = 0, per_shard: int = 100) -> Path:
    """Documents of these lengths, end to end the numbers from the source's first on; all of kind TEXT."""
    with ShardWriter(folder, vocab_size=VOCABULARY, tokenizer="numbers", tokens_per_shard=per_shard) as writer:
        start = source * SOURCE + 1
        for length in lengths:
            tokens = np.arange(start, start + length, dtype=np.uint32)
            writer.append(Document(tokens, np.full(length, Kind.TEXT, np.uint8)))
            start += length
    return folder


def documents_of(rows: Iterable[Batch]) -> list[tuple[int, list[int]]]:
    """(source, tokens) of each document in the rows; padding left out."""
    found = []
    for row in rows:
        assert len(row.tokens) == sum(row.lengths) == len(row.kinds) == len(row.weights)
        ends = np.cumsum(row.lengths)
        for source, length, end in zip(row.sources.tolist(), row.lengths, ends.tolist(), strict=True):
            if source != PADDING:
                found.append((source, row.tokens[end - length : end].tolist()))
    return found


def same(first: Sequence[Batch], second: Sequence[Batch]) -> bool:
    """Whether two batches are equal to the bit."""
    return len(first) == len(second) and all(
        a.lengths == b.lengths
        and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("tokens", "kinds", "weights", "sources"))
        for a, b in zip(first, second, strict=True)
    )


def damage(file: Path, where: Callable[[np.ndarray], np.ndarray]) -> None:
    """Puts a token that is outside the vocabulary where `where` says."""
    with safe_open(file, "numpy") as opened:
        metadata = opened.metadata()
    tensors = load_file(file)
    tensors["tokens"][where(tensors["tokens"])] = (1 << 32) - 1
    save_file(tensors, file, metadata)
