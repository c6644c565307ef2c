"""In which order the documents of a source come: shuffled anew each epoch, and known from a few numbers.

A document is referred to before it is read: a `Piece` says where it is. So packing plans with lengths alone, a rank
reads only its own rows, and a state is references. A `Cursor` goes through those pieces of a source that lie in one
bucket of lengths; it knows how many tokens of its source come before its next piece, and its clock is that number
over the source's weight. Whoever serves the piece with the least clock first gives every source its share at any
time: no random draws, no drift (as start-time fair queueing does with packets, Goyal et al. 1996).

    stream = Stream(0, source, tokens_per_row=8192, seed=0)
    cursor = Cursor(stream, bucket)
    document = stream.read(cursor.take())
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretrace.corpus.types import digest
from foretrace.data.mixture import Bucket, Source, TooLong
from foretrace.data.shards import Document, Shard, ShardInfo, read_info, shard_files
from foretrace.errors import FormatError, UsageError

_SHARDS, _DOCUMENTS, _OBSERVATIONS = 1, 2, 3  # what a generator is for: they never share a seed
_OPEN_SHARDS = 16  # of each source: a map of a file each, and where its documents start


class Piece(NamedTuple):
    """A document, or a part of one that is longer than a row, by reference."""

    source: int
    epoch: int
    shard: int
    document: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """The P pieces of a shard, in some order."""

    shard: int
    documents: NDArray[np.uint32]
    """(P,)"""
    offsets: NDArray[np.uint32]
    """(P,): of its first token in its document."""
    lengths: NDArray[np.uint32]
    """(P,)"""

    def __len__(self) -> int:
        return len(self.documents)

    def piece(self, source: int, epoch: int, at: int) -> Piece:
        """The one at index `at`."""
        where = int(self.documents[at]), int(self.offsets[at]), int(self.lengths[at])
        return Piece(source, epoch, self.shard, *where)

    def shuffled(self, generator: np.random.Generator) -> "Pieces":
        """The same in a random order."""
        order = generator.permutation(len(self))
        return Pieces(self.shard, self.documents[order], self.offsets[order], self.lengths[order])


def cut(lengths: NDArray[np.int64], tokens_per_row: int, too_long: TooLong, shard: int = 0) -> Pieces:
    """The pieces of documents of the given lengths, in order.

    Args:
        lengths: (documents,)
        tokens_per_row: no piece is longer.
        too_long: what to do with longer documents.
        shard: number of the shard.

    """
    documents = np.arange(len(lengths), dtype=np.uint32)
    if too_long == "drop":
        documents = documents[lengths <= tokens_per_row]
    counts = -(-lengths // tokens_per_row) if too_long == "wrap" else np.ones(len(lengths), np.int64)
    counts = counts[documents]
    documents = np.repeat(documents, counts)
    firsts = np.repeat(counts.cumsum() - counts, counts)
    offsets = (np.arange(len(documents)) - firsts) * tokens_per_row
    pieces = np.minimum(lengths[documents] - offsets, tokens_per_row)
    return Pieces(shard, documents, offsets.astype(np.uint32), pieces.astype(np.uint32))


class Stream:
    """A source's documents. Holds headers; opens shards when they are read, and keeps a few open."""

    def __init__(self, number: int, source: Source, tokens_per_row: int, seed: int) -> None:
        """Reads the headers of all shards.

        Args:
            number: of the source in its mixture.
            source: where the shards are.
            tokens_per_row: the most that a piece may have.
            seed: of all orders.

        Raises:
            FormatError: there is no shard, one is damaged, or all are empty.
            UsageError: all documents are longer than a row, and are to be dropped.

        """
        self.number, self.source = number, source
        self.infos: list[ShardInfo] = [read_info(file) for file in shard_files(source.folder)]
        """Headers, by number of the shard."""
        self.tokens = sum(info.tokens for info in self.infos)
        self._row, self._seed = tokens_per_row, (seed, zlib.crc32(source.name.encode()))
        self._shard = lru_cache(_OPEN_SHARDS)(lambda number: Shard(self.infos[number].file))
        self._shards_of = lru_cache(2)(self._shuffle_shards)
        self.pieces = lru_cache(2)(self._shuffle_pieces)
        """`pieces(epoch, place)`: the pieces of the shard that comes at `place` in the order of an epoch."""
        self._check()

    def info(self, epoch: int, place: int) -> ShardInfo:
        """The header of the shard that comes at `place` in the order of an epoch."""
        return self.infos[self._shards_of(epoch)[place]]

    def pieces_in_order(self, shard: int) -> Pieces:
        """All pieces of a shard as they are in it."""
        return cut(self._shard(shard).lengths, self._row, self.source.too_long, shard)

    def in_order(self) -> Iterator[Piece]:
        """All pieces as they are in the shards, once."""
        for shard in range(len(self.infos)):
            pieces = self.pieces_in_order(shard)
            for at in range(len(pieces)):
                yield pieces.piece(self.number, 0, at)

    def read(self, piece: Piece) -> Document:
        """The tokens of a piece.

        Raises:
            FormatError: the shard is damaged.

        """
        return self._shard(piece.shard).document(piece.document, piece.offset, piece.length)

    def generator(self, piece: Piece) -> np.random.Generator:
        """What is drawn for a piece: the same whatever it is packed with."""
        return self._generator(_OBSERVATIONS, piece.epoch, piece.shard, piece.document, piece.offset)

    def fingerprint(self) -> str:
        """Of the shards: their names and sizes."""
        return digest(*(f"{info.file.name} {info.documents} {info.tokens}" for info in self.infos))

    def _shuffle_shards(self, epoch: int) -> list[int]:
        order: list[int] = self._generator(_SHARDS, epoch).permutation(len(self.infos)).tolist()
        return order

    def _shuffle_pieces(self, epoch: int, place: int) -> Pieces:
        shard = self._shards_of(epoch)[place]
        return self.pieces_in_order(shard).shuffled(self._generator(_DOCUMENTS, epoch, shard))

    def _generator(self, purpose: int, *key: int) -> np.random.Generator:
        return np.random.default_rng((*self._seed, purpose, *key))

    def _check(self) -> None:
        shortest = [info.shortest for info in self.infos if info.documents]
        if not shortest:
            raise FormatError(f"the shards in {self.source.folder} hold no documents; build them again")
        if self.source.too_long == "drop" and min(shortest) > self._row:
            what = f"all documents of {self.source.name} have more than tokens_per_row={self._row} tokens"
            raise UsageError(f"{what} (at least {min(shortest)}); make rows longer, or set too_long to truncate or wrap")


class Cursor:
    """Goes through the pieces of a stream that lie in a bucket, epoch after epoch."""

    def __init__(self, stream: Stream, bucket: Bucket, state: list[int] | None = None) -> None:
        """Stands before the first piece, or where `state` says."""
        self.stream, self._bucket = stream, bucket
        self._epoch, self._place, self._turn, self._passed, self._found = state or (0, 0, 0, 0, 0)
        self._enter()

    @property
    def out(self) -> bool:
        """Whether no piece is left: its epochs are over, or a whole one had nothing in this bucket."""
        return self._epoch == self.stream.source.max_epochs or (self._epoch > 0 and not self._found)

    @property
    def clock(self) -> float:
        """Tokens of the source before the next piece, whatever their bucket, over the source's weight."""
        before = 0 if self.out else int(self._before[self._turn])
        return (self._passed + before) / self.stream.source.weight

    def take(self) -> Piece:
        """The next piece, of which there must be one."""
        piece = self._pieces.piece(self.stream.number, self._epoch, self._members[self._turn])
        self._turn += 1
        if self._turn == len(self._members):
            self._leave(self._total)
            self._enter()
        return piece

    def state(self) -> list[int]:
        """What a cursor goes on from: epoch, place of the shard, pieces taken of it, tokens passed before it, any found."""
        return [self._epoch, self._place, self._turn, self._passed, int(self._found)]

    def _enter(self) -> None:
        """Finds the next shard with a piece of the bucket, from the present one on. Headers spare opening most others."""
        while not self.out:
            info = self.stream.info(self._epoch, self._place)
            if info.longest <= self._bucket.low:
                self._leave(info.tokens)
                continue
            pieces = self.stream.pieces(self._epoch, self._place)
            ends = pieces.lengths.cumsum(dtype=np.int64)
            members = ((pieces.lengths > self._bucket.low) & (pieces.lengths <= self._bucket.high)).nonzero()[0]
            total = int(ends[-1]) if len(ends) else 0
            if len(members):
                self._pieces, self._members, self._total, self._found = pieces, members, total, True
                self._before = (ends - pieces.lengths)[members]
                return
            self._leave(total)

    def _leave(self, tokens: int) -> None:
        """Goes to the next shard; the present one has that many tokens."""
        self._passed += tokens
        self._place, self._turn = self._place + 1, 0
        if self._place == len(self.stream.infos):
            self._epoch, self._place = self._epoch + 1, 0
