"""A row of a batch: documents end to end as one flat stream, and what predicting each of its tokens weighs in the loss.

row = read_row(pieces, streams);  row.tokens, row.lengths, row.weights
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretrace.data.kinds import Kind
from foretrace.data.streams import Piece, Stream

PADDING = -1
"""Source of the document that fills a row."""


@dataclass(frozen=True, slots=True)
class Batch:
    """D documents end to end, N tokens."""

    tokens: NDArray[np.int64]
    """(N,)"""
    lengths: tuple[int, ...]
    """(D,): they add up to N."""
    kinds: NDArray[np.uint8]
    """(N,): the `Kind` of each token."""
    weights: NDArray[np.float32]
    """(N,): of predicting this token from those before it in its document; 0 if it is not to be predicted."""
    sources: NDArray[np.int64]
    """(D,): index in the mixture of the source of each document; `PADDING` for one that only fills the row."""

    @property
    def document_lengths(self) -> tuple[int, ...]:
        """Of the documents that are no padding."""
        return self.lengths[:-1] if self.sources[-1] == PADDING else self.lengths


def read_row(row: Sequence[Piece], streams: Sequence[Stream], pad_to: int = 0) -> Batch:
    """Reads the tokens of a row.

    Args:
        row: the pieces, in order.
        streams: by number of the source.
        pad_to: if the row is shorter, a document of zeros, a prompt, makes it that long.

    Raises:
        FormatError: a shard is damaged.

    """
    lengths, sources = [piece.length for piece in row], [piece.source for piece in row]
    size = sum(lengths)
    if size < pad_to:
        lengths.append(pad_to - size)
        sources.append(PADDING)
    size = max(size, pad_to)
    tokens, kinds, weights = np.zeros(size, np.int64), np.full(size, Kind.PROMPT, np.uint8), np.zeros(size, np.float32)
    start = 0
    for piece in row:
        document, end = streams[piece.source].read(piece), start + piece.length
        tokens[start:end], kinds[start:end] = document.tokens, document.kinds
        weights[start:end] = loss_weights(document.kinds, piece, streams[piece.source])
        start = end
    return Batch(tokens, tuple(lengths), kinds, weights, np.array(sources, np.int64))


def loss_weights(kinds: NDArray[np.uint8], piece: Piece, stream: Stream) -> NDArray[np.float32]:
    """Weights of a document's tokens in the loss: 1 for the kinds that its source predicts, but 0 for its first token.

    An observation, as long as it lasts, is kept whole or left out whole: CWM masks half of them, since environments answer
    with little variety (report, section 4).

    Args:
        kinds: (N,)
        piece: which document; what is drawn for it depends on nothing else.
        stream: it is of.

    Returns:
        (N,) float32.

    """
    source = stream.source
    table = np.array([kind in source.predicted for kind in Kind], np.float32)
    weights: NDArray[np.float32] = table[kinds]
    weights[0] = 0
    if source.observation_share < 1:
        observed = kinds == Kind.OBSERVATION
        begins = observed & ~np.concatenate([[False], observed[:-1]])
        numbers = begins.cumsum()[observed] - 1
        kept = stream.generator(piece).random(int(begins.sum())) < source.observation_share
        weights[observed] *= kept[numbers]
    return weights
