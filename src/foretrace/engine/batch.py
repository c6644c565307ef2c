"""Sequences that are decoded together; they may join and leave between any two passes (continuous batching, as in Orca).

Every pass feeds each sequence what it has not seen. Of prompts only so many tokens enter a pass that those who are writing
already are not kept waiting by a long one. With the C kernel a row's sums do not depend on the other rows, nor on how a
prompt is cut into pieces: what a sequence writes is, to the last bit, what it would have written alone.

    batch = Batch(forward, RecentCaches(forward.new_cache))
    batch.join(sequence)
    while len(batch):
        for sequence in batch.step(): ...        # has got tokens; those with a `finish` have left
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foretrace.engine.decoding import Decoding, ScoredToken
from foretrace.engine.forward import Array, Cache, Forward
from foretrace.engine.recent import RecentCaches
from foretrace.engine.sampling import judge, log_softmax

DRAFT = 16
"""Tokens that are drafted for a sequence, at most. Fewer take more passes; of more, more are thrown away."""
PROMPT = 256
"""Tokens of prompts in one pass, at most: some 20 ms of the packaged model."""


@dataclass(slots=True)
class _Fed:
    """A sequence in one pass."""

    sequence: Decoding
    cache: Cache
    tokens: list[int]
    start: int
    """Position of the first of these tokens."""
    rows: int
    """How many of the last tokens want logits."""
    chooses: bool
    """Whether its prompt is all there, so that the last logits say what follows."""


class Batch:
    """Sequences and their caches. For one thread."""

    def __init__(self, forward: Forward, recent: RecentCaches) -> None:
        """`recent`: where caches come from and go to; others may share it."""
        self._forward, self._recent = forward, recent
        self._active: dict[Decoding, Cache] = {}
        self._older: set[Decoding] = set()
        """Those of which other weights have computed a part; that is nothing for others to begin with."""

    def __len__(self) -> int:
        return len(self._active)

    def replace(self, forward: Forward, recent: RecentCaches) -> None:
        """Goes on with other weights of the same model. Sequences keep the keys and values that the old ones gave."""
        self._forward, self._recent = forward, recent
        self._older = set(self._active)

    def join(self, sequence: Decoding) -> None:
        """Takes in a sequence that has not ended, from the next pass on."""
        # All logits of a prompt that is to be scored are wanted, so nothing of it may be known already.
        if not self._forward.exact or sequence.prompt_top is not None:
            self._active[sequence] = self._forward.new_cache()
        else:
            self._active[sequence] = sequence.cache or self._recent.take(sequence.ids)

    def leave(self, sequence: Decoding) -> None:
        """Lets a sequence go, if it is here. What was computed for it stays with it, or else known for a while."""
        cache = self._active.pop(sequence, None)
        if sequence.keeps_cache:
            sequence.cache = cache
        elif cache is not None and self._forward.exact and sequence not in self._older:
            self._recent.give(sequence.ids, cache)
        self._older.discard(sequence)

    def step(self) -> list[Decoding]:
        """One pass, while there is a sequence: those that have got tokens, one or more each."""
        fed = self._plan()
        hidden = self._forward.advance([each.tokens for each in fed], [each.cache for each in fed])
        asked = sum(each.rows for each in fed)
        if not asked:
            return []
        if len(hidden) > asked:
            ends = np.cumsum([len(each.tokens) for each in fed])
            hidden = np.concatenate([hidden[end - each.rows : end] for each, end in zip(fed, ends, strict=True)])
        logits = self._forward.logits(hidden)
        self._score_prompts(fed, logits)
        written = self._choose(fed, logits)
        for sequence in written:
            if sequence.finish:
                self.leave(sequence)
        return written

    def _plan(self) -> list[_Fed]:
        """What is fed in the next pass."""
        limit, room = DRAFT if self._forward.exact else 0, PROMPT
        fed = []
        for sequence, cache in self._active.items():
            known, behind = cache.length, len(sequence.ids) - cache.length
            if behind > 1:  # a prompt, or what is left of it
                if not room:
                    continue
                behind = min(behind, room)
                room -= behind
            chooses = known + behind == len(sequence.ids)
            tokens = sequence.feed(known, limit) if chooses else sequence.ids[known : known + behind]
            rows = 1 + len(sequence.draft) if chooses else 0
            fed.append(_Fed(sequence, cache, tokens, known, len(tokens) if sequence.scores_prompt else rows, chooses))
        return fed

    def _score_prompts(self, fed: Sequence[_Fed], logits: Array) -> None:
        """Tells sequences what was held of their prompts. logits: (rows of all, vocab_size)."""
        first = 0
        for each in fed:
            if each.sequence.scores_prompt:
                actual = each.sequence.ids[each.start + 1 : each.start + 1 + each.rows]
                each.sequence.scored(_scores(logits[first : first + len(actual)], actual, each.sequence.prompt_top or 0))
            first += each.rows

    def _choose(self, fed: Sequence[_Fed], logits: Array) -> list[Decoding]:
        """Has each sequence take its next tokens; those that did. logits: (rows of all, vocab_size)."""
        best = logits.argmax(-1).tolist()
        chosen: list[tuple[Decoding, list[int]]] = []
        rows: list[int] = []
        end = 0
        for each in fed:
            end += each.rows
            if not each.chooses:
                continue
            sequence, first = each.sequence, end - 1 - len(each.sequence.draft)
            tokens = sequence.take(best[first:end], logits[first:end])
            each.cache.length = len(sequence.ids) - 1  # without what was drafted wrongly
            chosen.append((sequence, tokens))
            rows += range(first, first + len(tokens))
        self._judge(chosen, logits if len(rows) == len(logits) else logits[rows])
        return [sequence for sequence, _ in chosen]

    def _judge(self, chosen: Sequence[tuple[Decoding, list[int]]], logits: Array) -> None:
        """Tells the sequences what the model holds of the tokens they took. logits: (tokens of all, vocab_size)."""
        logprobs, margins = judge(logits, [token for _, tokens in chosen for token in tokens])
        first = 0
        for sequence, tokens in chosen:
            last = first + len(tokens)
            sequence.judged(logprobs[first:last], margins[first:last])
            if sequence.top:
                sequence.tops += likeliest(logits[first:last], sequence.top)
            first = last


def likeliest(logits: Array, count: int) -> list[list[tuple[int, float]]]:
    """The `count` likeliest tokens of each row and their log probabilities, likeliest first. logits: (N, vocab_size)."""
    logprobs, count = log_softmax(logits), min(count, logits.shape[-1])
    few = np.argpartition(-logprobs, count - 1, axis=-1)[:, :count]
    few.sort()  # so that of equals the first comes first
    values = np.take_along_axis(logprobs, few, -1)
    order = np.argsort(-values, axis=-1, kind="stable")
    tokens, values = np.take_along_axis(few, order, -1), np.take_along_axis(values, order, -1)
    return [list(zip(*row, strict=True)) for row in zip(tokens.tolist(), values.tolist(), strict=True)]


def _scores(logits: Array, actual: Sequence[int], count: int) -> list[list[ScoredToken]]:
    """Of each row the actual next token, then the `count` likeliest ones that are others. logits: (N, vocab_size)."""
    if not len(actual):
        return []
    own = log_softmax(logits)[np.arange(len(actual)), actual]
    ranks = 1 + (logits > logits[np.arange(len(actual)), actual][:, None]).sum(-1)
    others = likeliest(logits, count) if count else [[] for _ in actual]
    return [
        [ScoredToken(token, logprob, rank)]
        + [ScoredToken(other, value, at) for at, (other, value) in enumerate(top, 1) if other != token]
        for token, logprob, rank, top in zip(actual, own.tolist(), ranks.tolist(), others, strict=True)
    ]
