"""Shards of tokenised documents on disk: safetensors files that appear whole or not at all.

A shard holds documents end to end: `tokens` (uint16), `starts` (int64, one more than documents) and `predict_from`
(int32): the position in each document from which a model is taught; what stands before is its prompt.

    write_shard(folder / shard_name(0), documents)
    shard = read_shard(folder / "00000.safetensors");  shard.document(3).tokens
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from foretrace.errors import FormatError


@dataclass(frozen=True, slots=True)
class Document:
    """One tokenised trace."""

    tokens: NDArray[np.uint16]
    predict_from: int
    """Index of the first token that is a prediction; those before are the prompt."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Shard:
    """Documents end to end."""

    tokens: NDArray[np.uint16]
    starts: NDArray[np.int64]
    predict_from: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.predict_from)

    def document(self, index: int) -> Document:
        """The document at `index`."""
        start, end = int(self.starts[index]), int(self.starts[index + 1])
        return Document(self.tokens[start:end], int(self.predict_from[index]))


def shard_name(number: int) -> str:
    """File name of the shard with that number."""
    return f"{number:05d}.safetensors"


def shard_files(folder: Path) -> list[Path]:
    """The shards of a folder, in order.

    Raises:
        FormatError: there are none.

    """
    files = sorted(folder.glob("[0-9]*.safetensors"))
    if not files:
        raise FormatError(f"no shards in {folder}; make some with: foretrace data build {folder}")
    return files


def write_shard(file: Path, documents: Sequence[Document], metadata: dict[str, str] | None = None) -> None:
    """Writes a shard under a temporary name and renames it, so that a killed run leaves no half shard."""
    lengths = [len(d) for d in documents]
    tensors = {
        "tokens": np.concatenate([d.tokens for d in documents]) if documents else np.zeros(0, np.uint16),
        "starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "predict_from": np.array([d.predict_from for d in documents], dtype=np.int32),
    }
    temporary = file.with_suffix(f".tmp{os.getpid()}")
    temporary.write_bytes(save(tensors, metadata))
    temporary.replace(file)


def read_shard(file: Path) -> Shard:
    """Reads a shard.

    Raises:
        FormatError: the file is missing or damaged.

    """
    try:
        tensors = load_file(file)
        return Shard(tensors["tokens"], tensors["starts"], tensors["predict_from"])
    except Exception as error:  # safetensors raises its own, OSError or KeyError
        raise FormatError(f"cannot read the shard {file}: {error}; delete it and build again") from error
