"""The LLM-JEPA objective (arXiv:2509.14252): from the embedding of one view of an execution, predict that of the other.

    L = LM + weight * mean(1 - cos(Pred(Enc(given)), Enc(wanted)))

The embedding of a view is the model's last hidden state at its last token; the predictor is the model itself, which
reads k `[PRED]` tokens after the view. Both sides receive gradients. Views are further documents at the end of the row,
which attention keeps apart, so that one pass computes everything; no token of theirs is predicted.

    jepa = JepaObjective(Jepa(views="call-result"), tokenizer, hidden_size=512, seed=0, device=device)
    views = jepa.attach(batch, step)                           # views.batch goes through the model
    loss = lm + jepa.loss(hidden, views, pairs=len(views))     # hidden: of every token of views.batch
    record |= jepa.read()

P pairs, N tokens with views, D hidden size.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F

from foretrace.data.batch import Batch
from foretrace.data.kinds import Kind
from foretrace.data.special import PredictorToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import UsageError
from foretrace.train.config import Jepa
from foretrace.train.metrics import gather
from foretrace.train.views import CUTS, Ids, Pair


@dataclass(frozen=True, slots=True)
class Views:
    """A row with the views of its documents behind it."""

    batch: Batch
    given: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """(P,): where in the row the prediction of each pair stands."""
    wanted: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """(P,): where the embedding stands that it predicts."""
    tokens: int = 0
    """Tokens that the views added."""

    def __len__(self) -> int:
        return len(self.given)


class JepaObjective:
    """Attaches views to rows, gives the term of the loss, and keeps its record."""

    def __init__(self, config: Jepa, tokenizer: Tokenizer, *, hidden_size: int, seed: int, device: torch.device) -> None:
        """Makes the objective.

        Raises:
            UsageError: there are fewer `[PRED]` tokens than the configuration wants.

        """
        self.config, self.tokenizer = config, tokenizer
        self._predictors = predictor_ids(config, tokenizer)
        self._cut, self._seed = CUTS[config.views], seed
        self._counts = torch.zeros(3, device=device)  # pairs, their summed cosine, tokens of views
        self._units = torch.zeros(2, hidden_size, device=device)  # sums of unit embeddings: predictions, wanted ones

    def attach(self, batch: Batch, step: int) -> Views:
        """Puts views of a row's documents behind it.

        Which ones depends on the seed, the step and the row alone, so that a resumed run has the same, and so has one
        on any number of ranks. Dropout leaves all rows of a step without views.
        """
        if np.random.default_rng((self._seed, step)).random() < self.config.dropout:
            return Views(batch)
        rng = np.random.default_rng((self._seed, step, crc32(batch.tokens.tobytes())))
        tail = _Tail(batch)
        given, wanted = [], []
        for owner, start, tokens in _documents(batch):
            for pair in self._draw(tokens, rng):
                given.append(self._prediction(tail, owner, start, tokens, pair))
                wanted.append(tail.append(owner, tokens[pair.wanted]))
        added = tail.size - len(batch.tokens)
        return Views(tail.joined(), np.array(given, np.int64), np.array(wanted, np.int64), added)

    def loss(self, hidden: Tensor, views: Views, pairs: int) -> Tensor:
        """The row's part of the weighted term, a float32 scalar.

        Args:
            hidden: (N, D) the last normalised hidden states of `views.batch`.
            views: from `attach`.
            pairs: of all rows of the step: the term is the mean over them.

        """
        index = torch.from_numpy(np.stack([views.given, views.wanted])).to(hidden.device, non_blocking=True)
        units = F.normalize(hidden[index].float(), dim=-1)
        cosines = (units[0] * units[1]).sum(-1)
        with torch.no_grad():
            self._counts[0] += len(views)
            self._counts[1] += cosines.sum()
            self._counts[2] += views.tokens
            self._units += units.sum(1)
        term: Tensor = self.config.weight * (1 - cosines).sum() / max(1, pairs)
        return term

    def read(self, group: dist.ProcessGroup | None = None) -> dict[str, Any]:
        """The record of everything since the last time, over all ranks of `group`, all of which must call it.

        Returns:
            `jepa_pairs` and `jepa_tokens` (what the views cost in tokens). If there were pairs, also `jepa_loss` (the
            mean, before the weight), `jepa_cosine`, and `jepa_variance`: how far the unit embeddings of either side are
            spread around their mean, from 0 (all the same: collapse) to 1.

        """
        sums = gather(torch.cat([self._counts, self._units.flatten()]), group).double().sum(0)
        self._counts.zero_()
        self._units.zero_()
        pairs, cosine, tokens = sums[:3].tolist()
        record: dict[str, Any] = {"jepa_pairs": int(pairs), "jepa_tokens": int(tokens)}
        if not pairs:
            return record
        means = sums[3:].view(2, -1) / pairs
        variance = 1 - float(means.square().sum(1).mean())
        return record | {"jepa_loss": 1 - cosine / pairs, "jepa_cosine": cosine / pairs, "jepa_variance": variance}

    def _draw(self, tokens: Ids, rng: np.random.Generator) -> list[Pair]:
        """Some of the pairs of a document, in order."""
        config = self.config
        pairs = [pair for pair in self._cut(tokens, self.tokenizer) if max(map(_length, pair)) <= config.max_tokens]
        if len(pairs) <= config.pairs_per_document:
            return pairs
        return [pairs[i] for i in sorted(rng.choice(len(pairs), config.pairs_per_document, replace=False))]

    def _prediction(self, tail: "_Tail", owner: int, start: int, tokens: Ids, pair: Pair) -> int:
        """Where the prediction of a pair stands, in a view made for it.

        A view that begins its document and ends without `[PRED]` has been read already: nothing after it can change
        what is known at its end.
        """
        if pair.given.start == 0 and not len(self._predictors):
            return start + int(pair.given.stop) - 1
        return tail.append(owner, np.concatenate([tokens[pair.given], self._predictors]))


def predictor_ids(config: Jepa, tokenizer: Tokenizer) -> Ids:
    """(k,) ids of the `[PRED]` tokens: those that the configuration names, or the tokenizer's own.

    Raises:
        UsageError: there are fewer than wanted.

    """
    own = [tokenizer.specials[token] for token in PredictorToken if token in tokenizer.specials]
    ids = list(config.predictor_ids) or own
    if config.predictors > len(ids) or not all(0 <= i < tokenizer.vocab_size for i in ids):
        what = f"jepa.predictors={config.predictors} needs as many ids below {tokenizer.vocab_size}; there are: {ids}"
        raise UsageError(f"{what}. Set jepa.predictor_ids to ids that the tokenizer keeps in reserve, or train a new one")
    return np.array(ids[: config.predictors], np.int64)


class _Tail:
    """Documents that are put behind a row; none of their tokens is predicted."""

    def __init__(self, batch: Batch) -> None:
        self.size = len(batch.tokens)
        self._batch, self._documents, self._sources = batch, list[Ids](), list[int]()

    def append(self, owner: int, tokens: Ids) -> int:
        """Adds a document of the same source as document `owner`; returns where its last token stands."""
        self._documents.append(tokens)
        self._sources.append(int(self._batch.sources[owner]))
        self.size += len(tokens)
        return self.size - 1

    def joined(self) -> Batch:
        """The row with its tail."""
        batch, added = self._batch, self.size - len(self._batch.tokens)
        return replace(
            batch,
            tokens=np.concatenate([batch.tokens, *self._documents]),
            lengths=(*batch.lengths, *map(len, self._documents)),
            kinds=np.concatenate([batch.kinds, np.full(added, Kind.PROMPT, np.uint8)]),
            weights=np.concatenate([batch.weights, np.zeros(added, np.float32)]),
            sources=np.concatenate([batch.sources, np.array(self._sources, np.int64)]),
        )


def _documents(batch: Batch) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Number, first index and tokens of each document of a row."""
    start = 0
    for number, length in enumerate(batch.lengths):
        yield number, start, batch.tokens[start : start + length]
        start += length


def _length(view: slice) -> int:
    return int(view.stop - view.start)
