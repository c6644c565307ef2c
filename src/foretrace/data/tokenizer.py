"""What a tokenizer is: segments to ids and back, one inverse of the other, and no text becomes a special token.

There are two: `SmallTokenizer` (`small.py`) for models of a few million weights, and `BytePairTokenizer` (`bpe.py`),
which reads the files of Hugging Face and of Meta and can be trained to any size.

    tokenizer = Tokenizer.load(Path("runs/tiny"))             # a folder or a file, of either
    tokenizer = Tokenizer.train(texts, 8192, kind="bpe")
    ids = tokenizer.encode(to_segments(trace))
    assert tokenizer.decode(ids) == to_segments(trace)

A document is a sequence of segments (`trace.Segment`): a special token, or a text. Texts are encoded one by one, and
always alike after the same special token. Frames of a trace repeat their texts; each is encoded once.
"""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from foretrace.data.special import Special, is_special
from foretrace.errors import CheckpointError, ForetraceError, UsageError
from foretrace.trace import Segment

FILE = "tokenizer.json"
RANKS = "tokenizer.model"
"""Meta's file, in tiktoken's format."""
KINDS = ("small", "bpe")
_REMEMBERED = 4 << 20
"""Characters of the texts whose ids are remembered, 64 more for each text; `_LONG` ones never come again."""
_LONG = 1 << 16


class Tokenizer(ABC):
    """Segments to ids and back."""

    def __init__(self, specials: Mapping[Special, int], spellings: Sequence[bytes]) -> None:
        """`specials`: the ids of special tokens; `spellings`: the bytes of every id, in UTF-8 when joined."""
        self._special_ids = dict(specials)
        self._specials = {i: token for token, i in specials.items()}
        self._spellings = spellings
        self._known: dict[tuple[Special | None, str], list[int]] = {}
        self._room = _REMEMBERED

    # -- making, saving, loading ---------------------------------------------------------------------

    @staticmethod
    def train(texts: Iterable[str], vocab_size: int, kind: Literal["small", "bpe"] = "small") -> "Tokenizer":
        """A tokenizer of `vocab_size` ids at most for texts like these.

        Raises:
            UsageError: there is no such kind, it needs more ids than that, or what it needs is not installed.

        """
        if kind == "small":
            from foretrace.data.small import SmallTokenizer

            return SmallTokenizer.of(texts, vocab_size)
        if kind == "bpe":
            from foretrace.data.bpe import BytePairTokenizer

            return BytePairTokenizer.of(texts, vocab_size)
        raise UsageError(f"no tokenizer of kind {kind!r}; there are: {', '.join(KINDS)}")

    @staticmethod
    def load(path: Path) -> "Tokenizer":
        """Reads `tokenizer.json` (ours, or Hugging Face's) or `tokenizer.model` (Meta's), or either from a folder.

        Raises:
            CheckpointError: the file is missing, or no tokenizer.
            UsageError: what it needs is not installed.

        """
        file = _file_in(path) if path.is_dir() else path
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CheckpointError(f"cannot read the tokenizer {file}: {error.strerror}") from error
        try:
            return _parse(data)
        except ForetraceError:
            raise
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{file} is not a tokenizer: {error or type(error).__name__}") from error

    @abstractmethod
    def serialise(self) -> bytes:
        """The content of its `tokenizer.json`."""

    def save(self, file: Path) -> None:
        """Writes `tokenizer.json`, under a temporary name first."""
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_bytes(self.serialise())
        temporary.replace(file)

    @cached_property
    def fingerprint(self) -> str:
        """Two tokenizers with the same one give the same ids."""
        return hashlib.sha256(self.serialise()).hexdigest()

    # -- properties ----------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self._spellings)

    @property
    def specials(self) -> Mapping[Special, int]:
        """The special tokens that it has, and their ids."""
        return self._special_ids

    def id_of(self, token: Special) -> int:
        """The id of a special token.

        Raises:
            UsageError: it has none for it.

        """
        try:
            return self._special_ids[token]
        except KeyError:
            raise UsageError(
                f"this tokenizer has no token {token.value}; chats and traces need one that was trained with today's "
                "special tokens (foretrace train tiny --until pretrain makes one, in runs/tiny), or CWM's own"
            ) from None

    def spelling(self, number: int) -> bytes:
        """The bytes of one id; they may be part of a character."""
        return self._spellings[number]

    # -- encoding and decoding -----------------------------------------------------------------------

    def encode_each(self, segments: Iterable[Segment]) -> Iterator[list[int]]:
        """The ids of each segment in turn. They are shared: change none.

        Raises:
            UsageError: there is a special token that it lacks.
            FormatError: a text that it cannot write.

        """
        before: Special | None = None
        for segment in segments:
            if is_special(segment):
                before = segment
                yield [self.id_of(segment)]
            else:
                yield self._remembered(segment, before)

    def encode(self, segments: Iterable[Segment]) -> list[int]:
        """Ids of `segments`. Special tokens are only those given as members of their enumerations.

        Raises:
            UsageError: there is a special token that it lacks.
            FormatError: a text that it cannot write.

        """
        return [i for ids in self.encode_each(segments) for i in ids]

    def decode(self, ids: Iterable[int]) -> list[Segment]:
        """Segments of `ids`; bytes that are not UTF-8 become the replacement character."""
        segments: list[Segment] = []
        for special, group in groupby(ids, self._specials.get):
            if special is None:
                text = b"".join(self._spellings[i] for i in group)
                segments.append(text.decode("utf-8", "replace"))
            else:
                segments += [special for _ in group]
        return segments

    @abstractmethod
    def _encode_text(self, text: str, before: Special | None) -> list[int]:
        """Ids of a text; `before` is the special token before it."""

    def _remembered(self, text: str, before: Special | None) -> list[int]:
        key = (before, text)
        ids = self._known.get(key)
        if ids is None:
            ids = self._encode_text(text, before)
            if len(text) > _LONG:
                return ids
            if self._room < len(text):
                self._known, self._room = {}, _REMEMBERED
            self._room -= len(text) + 64
            self._known[key] = ids
        return ids


def _file_in(folder: Path) -> Path:
    """The tokenizer's file in a folder; the first that there could be, if there is none."""
    return next((folder / name for name in (FILE, RANKS) if (folder / name).is_file()), folder / FILE)


def _parse(data: bytes) -> Tokenizer:
    """A tokenizer of a file's content; anything may be raised if it is none."""
    if not data.lstrip().startswith(b"{"):
        from foretrace.data.bpe import BytePairTokenizer
        from foretrace.data.ranks import read_ranks

        return BytePairTokenizer.of_ranks(read_ranks(data))
    content: dict[str, Any] = json.loads(data)
    if "model" in content:
        from foretrace.data.bpe import BytePairTokenizer

        return BytePairTokenizer(data.decode())
    from foretrace.data.small import SmallTokenizer

    return SmallTokenizer.of_file(content)
