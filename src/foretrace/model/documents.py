"""How a flat stream divides into documents, and which keys each of its tokens may see.

A batch is one stream of N tokens, documents end to end. Attention is causal and never crosses a document, so every
query sees a run of consecutive keys: all that an attention backend needs is where each run begins and ends. Under
context parallelism a rank holds some pieces of the stream as queries while it sees all keys; the same description
covers that. Documents that begin alike, as rollouts of one prompt do, may have their beginning in the stream once: all
but attention is then computed once for it, and its keys are repeated for each of them.

    documents = Documents.of((3, 5))
    documents.positions           # tensor([0, 1, 2, 0, 1, 2, 3, 4])
    documents.bounds(window=2)    # low [0, 0, 1, 3, 3, 4, 5, 6], high [0, 1, 2, 3, 4, 5, 6, 7]
    Documents.branching([(3, (1, 2))]).positions    # tensor([0, 1, 2, 3, 3, 4]): 1 + 2 tokens after the same 3
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor


class Span(NamedTuple):
    """Consecutive queries of one document."""

    query: int
    """Index of the first of them among the queries."""
    key: int
    """Index of the document's first key in the stream."""
    length: int
    """How many queries."""
    reach: int
    """Keys of the document that the first query may see, itself included; each further query may see one more."""


class Documents:
    """The documents of a stream of N tokens, of which M are queries here (all of them without context parallelism)."""

    def __init__(self, spans: Sequence[Span], device: torch.device | str = "cpu") -> None:
        self.spans = tuple(spans)
        self.device = torch.device(device)
        self.horizon: int | None = None
        """Window of the layers that have none of their own; None: such a layer sees whole documents."""
        self.repeated: Tensor | None = None
        """(keys,) int64: the token of the stream that each key is of, where documents share tokens; None: all in order."""
        self._bounds: dict[int | None, tuple[Tensor, Tensor]] = {}
        self.plans: dict[object, object] = {}
        """What backends have derived from these documents (block masks, offsets), kept for the layers that follow."""

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | str = "cpu") -> "Documents":
        """Documents of the given lengths, end to end."""
        spans, start = [], 0
        for length in lengths:
            spans.append(Span(start, start, length, 1))
            start += length
        return cls(spans, device)

    @classmethod
    def branching(cls, groups: Sequence[tuple[int, Sequence[int]]], device: torch.device | str = "cpu") -> "Documents":
        """Documents of which those of a group begin alike. The stream has a group's beginning, then what follows it in each.

        Args:
            groups: of each the length of the beginning, and of what follows it in each document, at least one.
            device: of the stream.

        """
        spans, repeated, query, key = [], [], 0, 0
        for beginning, rests in groups:
            start = query
            spans.append(Span(start, key, beginning, 1))
            query += beginning
            for rest in rests:
                spans.append(Span(query, key, rest, beginning + 1))
                repeated += [torch.arange(start, start + beginning), torch.arange(query, query + rest)]
                query, key = query + rest, key + beginning + rest
        documents = cls(spans, device)
        documents.repeated = moved(torch.cat(repeated), documents.device)
        return documents

    def gathered(self, x: Tensor) -> Tensor:
        """Keys or values of the stream's tokens (heads, N, C), as the spans count them: (heads, keys, C)."""
        if self.repeated is None:
            return x
        return x.transpose(0, 1).index_select(0, self.repeated).transpose(0, 1)

    def restricted(self, pieces: Sequence[range]) -> "Documents":
        """The same stream where only the tokens of `pieces`, in that order, are queries.

        Args:
            pieces: ranges of indices into the stream.

        """
        spans, query = [], 0
        for piece in pieces:
            for span in self.spans:
                first, last = max(piece.start, span.query), min(piece.stop, span.query + span.length)
                if first < last:
                    spans.append(Span(query + first - piece.start, span.key, last - first, first - span.key + 1))
            query += len(piece)
        part = Documents(spans, self.device)
        part.horizon = self.horizon
        return part

    @cached_property
    def positions(self) -> Tensor:
        """(M,) int64: each query's position in its own document."""
        behind = self._of_each([span.reach - 1 - span.query for span in self.spans])
        return moved(torch.arange(len(behind)) + behind, self.device)

    def bounds(self, window: int | None) -> tuple[Tensor, Tensor]:
        """Two (M,) int64 tensors, `low` and `high`: query i sees the keys low[i] to high[i], both included.

        Args:
            window: a token sees itself and the `window - 1` before it; None sees its whole document.

        """
        if window not in self._bounds:
            first = moved(self._of_each([span.key for span in self.spans]), self.device)
            high = first + self.positions
            low = first if window is None else torch.maximum(first, high - window + 1)
            self._bounds[window] = low, high
        return self._bounds[window]

    def _of_each(self, values: Sequence[int]) -> Tensor:
        """(M,) int64: of each query the value of its span."""
        return torch.repeat_interleave(torch.tensor(values), torch.tensor([span.length for span in self.spans]))


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device; on CUDA without waiting for what the device still has to do."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
