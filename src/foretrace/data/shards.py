"""Shards of tokenised documents on disk: safetensors files that appear whole or not at all, read by memory map.

A shard holds documents end to end: `tokens` (uint16, or uint32 if the vocabulary is larger), `kinds` (uint8, one a
token) and `starts` (int64, one more than documents). Its header says which tokenizer made it and how much is in it,
so that a folder of terabytes is checked and counted by its headers; a document costs its own bytes.

    write_shard(folder / shard_name(0), documents, vocab_size=1024, tokenizer="2f6c…")
    shard = Shard(folder / shard_name(0));  shard.document(3).tokens
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from foretrace.data.kinds import Kind
from foretrace.errors import FormatError, PipelineError, UsageError

FORMAT, VERSION = "foretrace shard", 2
HEADER = "foretrace"
"""Key of the header in the file's metadata: one, because safetensors writes several in any order."""
_DTYPES = {"tokens": ("U16", "U32"), "kinds": ("U8",), "starts": ("I64",)}
_COUNTS = ("vocab_size", "documents", "tokens", "shortest", "longest")


@dataclass(frozen=True, slots=True)
class Document:
    """Tokens that belong together: a trace, a conversation, a file."""

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    """(N,)"""
    kinds: NDArray[np.uint8]
    """(N,): the `Kind` of each."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """The header of a shard."""

    file: Path
    tokenizer: str
    """Fingerprint of the tokenizer that made the tokens."""
    vocab_size: int
    documents: int
    tokens: int
    shortest: int
    """Tokens of the shortest document."""
    longest: int


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
        raise FormatError(f"no shards in {folder}; make some: foretrace data pack SOURCE… -o {folder}")
    return files


def read_info(file: Path) -> ShardInfo:
    """Reads and checks a shard's header.

    Raises:
        FormatError: the file is missing, cut short, of an older version, or no shard.

    """
    return _open(file)[1]


class Shard:
    """An open shard. What is read from it is checked, so that no token outside the vocabulary reaches a model."""

    def __init__(self, file: Path) -> None:
        """Opens a shard and reads where its documents start.

        Raises:
            FormatError: as `read_info`; or documents that overlap.

        """
        handle, self.info = _open(file)
        self._tokens, self._kinds = handle.get_slice("tokens"), handle.get_slice("kinds")
        self.starts: NDArray[np.int64] = handle.get_tensor("starts")
        """(documents + 1,): where each document starts; the last is where the last one ends."""
        shortest, longest = _bounds(self.lengths)
        found = (int(self.starts[0]), int(self.starts[-1]), shortest, longest)
        if found != (0, self.info.tokens, self.info.shortest, self.info.longest) or (len(self) and shortest < 1):
            raise _damaged(file, "the starts of its documents are not in order")

    def __len__(self) -> int:
        return self.info.documents

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(documents,): tokens of each."""
        return np.diff(self.starts)

    def document(self, index: int, offset: int = 0, length: int | None = None) -> Document:
        """The document at `index`, or `length` tokens of it from `offset` on.

        Raises:
            FormatError: it has a token outside the vocabulary, or an unknown kind.

        """
        start, end = int(self.starts[index]) + offset, int(self.starts[index + 1])
        end = end if length is None else min(end, start + length)
        tokens, kinds = self._tokens[start:end], self._kinds[start:end]
        if int(tokens.max()) >= self.info.vocab_size:
            what = f"document {index} has the token {int(tokens.max())}, its vocabulary ends at {self.info.vocab_size - 1}"
            raise _damaged(self.info.file, what)
        if int(kinds.max()) >= len(Kind):
            raise _damaged(self.info.file, f"document {index} has tokens of an unknown kind, {int(kinds.max())}")
        return Document(tokens, kinds)


def write_shard(file: Path, documents: Sequence[Document], *, vocab_size: int, tokenizer: str) -> None:
    """Writes a shard: under a temporary name, flushed to the disk, then renamed, so that a killed run leaves no half shard.

    Args:
        file: where to; a shard that is there is replaced.
        documents: none of them empty.
        vocab_size: number of ids of the tokenizer.
        tokenizer: its fingerprint.

    Raises:
        UsageError: a document is empty, or has an id that the tokenizer has not, or an unknown kind.
        PipelineError: the file cannot be written.

    """
    for document in documents:
        check_document(document, vocab_size)
    dtype = np.uint16 if vocab_size <= 1 << 16 else np.uint32
    lengths = np.array([len(document) for document in documents], np.int64)
    tensors: dict[str, NDArray[Any]] = {
        "tokens": np.concatenate([np.zeros(0, dtype), *(d.tokens for d in documents)], dtype=dtype, casting="same_kind"),
        "kinds": np.concatenate([np.zeros(0, np.uint8), *(d.kinds for d in documents)]),
        "starts": np.concatenate([[0], lengths.cumsum()]),
    }
    counts = (vocab_size, len(lengths), int(lengths.sum()), *_bounds(lengths))
    header = {
        "format": FORMAT,
        "version": VERSION,
        "tokenizer": tokenizer,
        **dict(zip(_COUNTS, counts, strict=True)),
    }
    _write_whole(file, save(tensors, {HEADER: json.dumps(header, sort_keys=True)}))


def check_document(document: Document, vocab_size: int) -> None:
    """Whether a document can be written.

    Raises:
        UsageError: it is empty, or has an id that the tokenizer has not, or an unknown kind.

    """
    if not len(document) or document.kinds.shape != document.tokens.shape or document.kinds.dtype != np.uint8:
        raise UsageError(f"a document needs tokens, and a uint8 kind for each; got {document}")
    if int(document.tokens.max()) >= vocab_size or int(document.kinds.max()) >= len(Kind):
        what = f"the token {int(document.tokens.max())} and the kind {int(document.kinds.max())}"
        raise UsageError(f"a document has {what}; the tokenizer has {vocab_size} tokens, and there are {len(Kind)} kinds")


def _write_whole(file: Path, content: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        what = f"cannot write the shard {file}: {error.strerror or error}"
        raise PipelineError(f"{what}; the shards before it are whole: make room, then run the same again") from error


def _open(file: Path) -> tuple[Any, ShardInfo]:
    """An open shard whose header is in order."""
    try:
        handle: Any = safe_open(file, "numpy")
        header: dict[str, Any] = json.loads((handle.metadata() or {}).get(HEADER, "{}"))
        parts = {name: handle.get_slice(name) for name in handle.keys()}  # noqa: SIM118  (not a dict)
    except (OSError, SafetensorError, ValueError) as error:
        raise FormatError(f"cannot read the shard {file}: {error}; delete it and build it again") from error
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        old = "predict_from" in parts or header.get("format") == FORMAT
        what = (
            "was written by another version of foretrace: build again" if old else "is no shard: take it out of the folder"
        )
        raise FormatError(f"{file} {what}")
    try:
        info = ShardInfo(file, str(header["tokenizer"]), *(int(header[name]) for name in _COUNTS))
        shapes = {name: (parts[name].get_dtype(), parts[name].get_shape()) for name in _DTYPES}
    except (KeyError, ValueError) as error:
        raise _damaged(file, f"its header lacks or garbles {error}") from error
    sizes = {"tokens": info.tokens, "kinds": info.tokens, "starts": info.documents + 1}
    for name, (dtype, shape) in shapes.items():
        if dtype not in _DTYPES[name] or shape != [sizes[name]]:
            raise _damaged(file, f"{name} is {dtype} {shape}, wanted {' or '.join(_DTYPES[name])} [{sizes[name]}]")
    return handle, info


def _bounds(lengths: NDArray[np.int64]) -> tuple[int, int]:
    return (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)


def _damaged(file: Path, what: str) -> FormatError:
    return FormatError(f"the shard {file} is damaged: {what}; delete it and build it again")
