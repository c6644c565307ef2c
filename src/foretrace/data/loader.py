"""Batches of whole documents from a mixture of sources, resumable at any batch, the same on any number of ranks.

Everything that decides what comes next is lengths and references: tokens are read when a row is, and the state of a
loader is a few kilobytes of JSON. A batch is a list of rows; each rank of a data-parallel group plans all rows and
reads its own.

    loader = Loader(Mixture(sources=(traces, agents), tokens_per_row=8192, rows_per_batch=4))
    rows = next(loader)                                    # or loader.next_batch(rank, world)
    state = loader.state();  loader.restore(state)
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foretrace.data.batch import Batch, read_row
from foretrace.data.mixture import Mixture, Source, TooLong
from foretrace.data.packing import Lane
from foretrace.data.shards import ShardInfo
from foretrace.data.streams import Piece, Stream
from foretrace.errors import CheckpointError, FormatError

__all__ = ["Batch", "Loader", "Progress", "in_order"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a source has given."""

    documents: int
    tokens: int
    epochs: float
    """Tokens given, over those in its shards."""


class Loader(Iterator[list[Batch]]):
    """Global batches: lists of rows, each of at most `tokens_per_row` tokens.

    There are `rows_per_batch` rows, except in the last batch of a bucket of lengths, when all sources are at their
    `max_epochs`.
    """

    def __init__(self, mixture: Mixture, *, vocab_size: int | None = None, tokenizer: str | None = None) -> None:
        """Reads the headers of all shards.

        Args:
            mixture: what to load.
            vocab_size: that of the model; None: any.
            tokenizer: fingerprint that the shards must have; None: any, but all the same.

        Raises:
            FormatError: there are no shards, or damaged ones, or they are of another tokenizer.
            UsageError: no document of a source fits in a row.

        """
        self.mixture = mixture
        row, seed = mixture.tokens_per_row, mixture.seed
        self._streams = [Stream(number, source, row, seed) for number, source in enumerate(mixture.sources)]
        require_tokenizer([info for stream in self._streams for info in stream.infos], vocab_size, tokenizer)
        self._identity = _identity(mixture, self._streams)
        self._lanes = self._open_lanes(None)
        self._given = [[0, 0] for _ in self._streams]

    def __next__(self) -> list[Batch]:
        return self.next_batch()

    def next_batch(self, rank: int = 0, world: int = 1) -> list[Batch]:
        """The rows of the next global batch that are rank `rank`'s of `world` ranks: every `world`-th, from `rank` on.

        Raises:
            StopIteration: all sources are at their `max_epochs`.
            FormatError: a shard is damaged.

        """
        pad_to = self.mixture.tokens_per_row if self.mixture.pad_rows else 0
        return [read_row(row, self._streams, pad_to) for row in self._plan()[rank::world]]

    def state(self) -> dict[str, Any]:
        """JSON values, some kilobytes, from which a loader of an equal mixture goes on."""
        lanes = [lane.state() for lane in self._lanes]
        return {"version": 1, "mixture": self._identity, "given": [list(pair) for pair in self._given], "lanes": lanes}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from `state` as the loader did that it is from.

        Raises:
            CheckpointError: that loader had another mixture, or other shards.

        """
        if state.get("version") != 1:
            raise CheckpointError(
                "the loader's state is of another version of foretrace; start the run anew in another folder"
            )
        different = list(_differences(state["mixture"], self._identity))
        if different:
            advice = "give the run the mixture it had, or begin another in another folder"
            raise CheckpointError(f"the loader's state is of another mixture: {', '.join(different[:4])}; {advice}")
        self._lanes = self._open_lanes(state["lanes"])
        self._given = [list(pair) for pair in state["given"]]

    def progress(self) -> dict[str, Progress]:
        """What each source has given, by name."""
        pairs = zip(self._streams, self._given, strict=True)
        return {s.source.name: Progress(documents, tokens, tokens / s.tokens) for s, (documents, tokens) in pairs}

    def _plan(self) -> list[list[Piece]]:
        """The rows of the next global batch: of the bucket, and in it of the lanes, that are furthest behind."""
        lanes = [lane for lane in self._lanes if not lane.done]
        if not lanes:
            raise StopIteration
        bucket = min(lanes, key=lambda lane: lane.clock).bucket
        rows: list[list[Piece]] = []
        while len(rows) < self.mixture.rows_per_batch:
            lanes = [lane for lane in lanes if lane.bucket == bucket and not lane.done]
            if not lanes:
                break
            rows.append(min(lanes, key=lambda lane: lane.clock).row())
        for piece in (piece for row in rows for piece in row):
            self._given[piece.source][0] += 1
            self._given[piece.source][1] += piece.length
        return rows

    def _open_lanes(self, states: list[dict[str, Any]] | None) -> list[Lane]:
        """A lane for each bucket, and for each source where rows are of one."""
        mixture = self.mixture
        groups = [[stream] for stream in self._streams] if mixture.rows_of_one_source else [self._streams]
        kinds = [(bucket, group) for bucket in mixture.buckets for group in groups]
        share, row = max(1, mixture.lookahead // len(kinds)), mixture.tokens_per_row
        each = zip(kinds, states or len(kinds) * (None,), strict=True)
        return [Lane(bucket, group, tokens_per_row=row, lookahead=share, state=state) for (bucket, group), state in each]


def in_order(
    folder: Path,
    tokens_per_row: int,
    *,
    too_long: TooLong = "wrap",
    pad_rows: bool = False,
    vocab_size: int | None = None,
    tokenizer: str | None = None,
) -> Iterator[Batch]:
    """Every document of a folder once, in order: rows for validation.

    Args:
        folder: of shards.
        tokens_per_row: the most that a row may have.
        too_long: what to do with documents longer than that.
        pad_rows: fill rows to that many.
        vocab_size: as for a `Loader`.
        tokenizer: likewise.

    Raises:
        FormatError: there are no shards, or damaged ones, or they are of another tokenizer.
        UsageError: no document fits in a row.

    """
    stream = Stream(0, Source(name="in order", folder=folder, too_long=too_long), tokens_per_row, seed=0)
    require_tokenizer(stream.infos, vocab_size, tokenizer)
    row: list[Piece] = []
    size, pad_to = 0, tokens_per_row if pad_rows else 0
    for piece in stream.in_order():
        if size + piece.length > tokens_per_row:
            yield read_row(row, [stream], pad_to)
            row, size = [], 0
        row.append(piece)
        size += piece.length
    yield read_row(row, [stream], pad_to)


def require_tokenizer(infos: list[ShardInfo], vocab_size: int | None, tokenizer: str | None) -> None:
    """Checks that shards are of one tokenizer, and of the wanted one.

    Raises:
        FormatError: they are not.

    """
    wanted = tokenizer or infos[0].tokenizer
    for info in infos:
        if info.tokenizer != wanted:
            what = f"{info.file} is of the tokenizer {info.tokenizer}, wanted {wanted}"
            raise FormatError(f"{what}; build its folder again with the tokenizer of the model")
        if vocab_size is not None and info.vocab_size > vocab_size:
            what = f"{info.file} has a vocabulary of {info.vocab_size} tokens, the model of {vocab_size}"
            raise FormatError(f"{what}; build it again, or give the model as large a vocabulary")


def _identity(mixture: Mixture, streams: list[Stream]) -> dict[str, Any]:
    """All that decides what comes in which order, as JSON gives it back. Folders may move."""
    fields = asdict(mixture) | {"sources": {}}
    for stream in streams:
        source = asdict(stream.source) | {"predicted": sorted(stream.source.predicted), "shards": stream.fingerprint()}
        fields["sources"][stream.source.name] = {k: v for k, v in source.items() if k not in ("name", "folder")}
    identity: dict[str, Any] = json.loads(json.dumps(fields))
    return identity


def _differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """What is not the same, by dotted name."""
    for name in sorted({*there, *here}):
        was, now = there.get(name), here.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now, f"{prefix}{name}.")
        elif isinstance(was, dict) or isinstance(now, dict):
            yield f"{prefix}{name} is {'gone' if now is None else 'new'}"
        elif was != now:
            yield f"{prefix}{name} was {was} and is {now}"
