"""One sequence that is being continued: what to feed next, and what of a draft to accept.

A step feeds the last token and a draft of what follows, so that one pass says what comes after each. What decoding token by
token would choose is chosen, for as long as the draft has foreseen it, and one token more (speculative decoding,
arXiv:2211.17192; but a draft here has no probabilities, and as every choice depends on logits, sequence and position alone,
no choice is changed by it).

    fed = sequence.feed(known=cache.length, limit=12)
    chosen = sequence.take(best, rows)          # rows: logits after the last token and after each of the draft
    sequence.judged(logprobs, margins)
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from foretrace.engine.forward import Array, Cache
from foretrace.engine.sampling import Sampler
from foretrace.engine.types import Drafter, Generation, Grammar


class ScoredToken(NamedTuple):
    """A token of a prompt, or another that could have stood there."""

    token: int
    logprob: float
    """Natural logarithm of its probability."""
    rank: int
    """1: the likeliest."""


def decodings(
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    context: int,
    sampler: Sampler,
    stop: Collection[int],
    grammars: Sequence[Grammar] | None,
    drafters: Sequence[Drafter] | None,
) -> "list[Decoding]":
    """The sequences of one call of `Engine.generate`."""
    ends, missing = frozenset(stop), [None] * len(prompts)
    return [
        Decoding(
            number,
            prompt,
            max_tokens=max_tokens,
            context=context,
            sampler=sampler,
            stop=ends,
            grammar=grammar,
            drafter=drafter,
        )
        for number, (prompt, grammar, drafter) in enumerate(
            zip(prompts, grammars or missing, drafters or missing, strict=True)
        )
    ]


class Decoding:
    """A prompt and its continuation so far."""

    def __init__(
        self,
        number: int,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        context: int,
        sampler: Sampler,
        stop: frozenset[int],
        grammar: Grammar | None = None,
        drafter: Drafter | None = None,
        ends: Callable[[int], bool] | None = None,
        top: int = 0,
        prompt_top: int | None = None,
    ) -> None:
        """A sequence that is about to be continued.

        Args:
            number: among the prompts of its call; what it draws depends on it.
            ends: told every token that is chosen; whether it ends here, beside the tokens in `stop`.
            top: how many of the likeliest tokens are kept at each token written, in `tops`.
            prompt_top: score the prompt too, with so many of the likeliest tokens, in `prompt_scores`; None: do not.

        """
        self.ids = list(prompt)
        self.draft: Sequence[int] = ()
        self.finish = ""
        """Why it ended; empty until then."""
        self._number, self._sampler, self._stop = number, sampler, stop
        self._grammar, self._drafter, self._ends = grammar, drafter, ends
        self.top, self.prompt_top = top, prompt_top
        self.keeps_cache = False
        """Whether whoever made it goes on where it ends: its cache then stays with it."""
        self.cache: Cache | None = None
        """Of a beginning of `ids`: what it begins with, if it was kept, and what it leaves, if it keeps that."""
        self.tops: list[list[tuple[int, float]]] = []
        """Of each token written, the likeliest ones there and their log probabilities."""
        self.prompt_scores: list[list[ScoredToken]] = []
        """Of each token of the prompt but the first: itself, then the likeliest others."""
        self._start = len(self.ids)
        room = context - self._start
        self._most, self._at_most = min(max_tokens, room), "length" if max_tokens <= room else "context"
        self.logprobs: list[float] = []
        """Of each token written."""
        self._margins: list[float] = []
        if self._most <= 0:
            self.finish = "length" if room > 0 else "context"

    def feed(self, known: int, limit: int) -> list[int]:
        """The tokens after the first `known`, and a draft of what follows them.

        Args:
            known: tokens whose keys and values are there; fewer than all.
            limit: tokens of the draft, at most; 0: no draft. Tokens that are the only ones allowed are not counted.

        """
        room = self._most - (len(self.ids) - self._start) - 1  # nothing is wanted after the last token
        self.draft = self._drafted(limit, room) if min(limit, room) > 0 else ()
        return [*self.ids[known:], *self.draft]

    def _drafted(self, limit: int, room: int) -> Sequence[int]:
        forced = list(self._grammar.forced())[:room] if self._grammar is not None else []
        guess = list(self._drafter.propose(min(limit, room))) if self._drafter is not None else []
        return guess if guess[: len(forced)] == forced else forced

    def take(self, best: Sequence[int], logits: Array) -> list[int]:
        """Chooses the next tokens, at least one, and takes them in.

        Args:
            best: the likeliest token of each row of `logits`.
            logits: (1 + draft, vocab_size), after the last token and after each token of the draft.

        """
        chosen = []
        for row, drafted in enumerate([*self.draft, None]):
            token = self._choose(best[row], logits[row])
            chosen.append(token)
            self._add(token)
            if self.finish or token != drafted:
                break
        return chosen

    def judged(self, logprobs: Sequence[float], margins: Sequence[float]) -> None:
        """Takes what the model holds of the tokens chosen last."""
        self.logprobs += logprobs
        self._margins += margins

    @property
    def scores_prompt(self) -> bool:
        """Whether what is held of its prompt is wanted still."""
        return self.prompt_top is not None and len(self.prompt_scores) < self._start - 1

    def scored(self, scores: list[list[ScoredToken]]) -> None:
        """Takes what the model holds of the next tokens of the prompt."""
        self.prompt_scores += scores

    def generation(self) -> Generation:
        """The result."""
        return Generation(self.ids[self._start :], self.logprobs, self.finish, self._margins)

    def _choose(self, best: int, logits: Array) -> int:
        """logits: (vocab_size,)."""
        allowed = self._grammar.allowed() if self._grammar is not None else None
        if self._sampler.is_greedy and (allowed is None or allowed[best]):
            return best
        if allowed is not None:
            logits = np.where(allowed, logits, np.float32(-np.inf))
        return int(self._sampler.choose(logits[None], [self._number], [len(self.ids) - self._start])[0])

    def _add(self, token: int) -> None:
        self.ids.append(token)
        for follower in (self._grammar, self._drafter):
            if follower is not None:
                follower.advance(token)
        ends = self._ends is not None and self._ends(token)
        if ends or token in self._stop:
            self.finish = "stop"
        elif len(self.ids) - self._start >= self._most:
            self.finish = self._at_most
