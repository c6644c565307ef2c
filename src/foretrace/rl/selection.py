"""What of the rollouts is learnt from, as in CWM (report, section 5.2), and why the rest is not.

A group in which all returns are alike teaches nothing: it is skipped, and the batch filled up with others until it has as
many tokens as it should. Rollouts whose latest tokens are of a policy long past are dropped, and so is gibberish: a token
that is rare in the vocabulary and was hardly likely. What is dropped still counts in its group's mean: it happened.

    batch = Selection(budget=60_000)
    while not batch.is_full:
        batch.add(next(groups), version=learner.version)
    batch.chosen, batch.dropped
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from math import log
from typing import NamedTuple

from foretrace.rl.loss import group_advantages
from foretrace.rl.types import Group, Rollout


class Dropped(StrEnum):
    """Why a rollout is not learnt from."""

    ZERO_ADVANTAGE = "zero advantage"
    STALE = "stale"
    GIBBERISH = "gibberish"
    EMPTY = "empty"
    """The policy wrote nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Bounds beyond which a rollout is dropped."""

    max_lag: int = 100
    """Updates since its newest token was written."""
    rare_token: int | None = None
    """Ids above it are rare: byte-pair vocabularies are ordered by frequency. CWM: 100,000 of 128,256; None: no filter."""
    rare_margin: float = 2.0
    """A rare token is gibberish if its log probability is lower than that of a uniform draw by more than this, in nats."""


class Chosen(NamedTuple):
    """A rollout to learn from."""

    rollout: Rollout
    advantage: float


@dataclass(slots=True)
class Selection:
    """A batch in the making."""

    budget: int
    """Tokens of policies that make it full, of rollouts with an advantage."""
    vocab_size: int
    filters: Filters = field(default_factory=Filters)
    chosen: list[Chosen] = field(default_factory=list)
    dropped: Counter[Dropped] = field(default_factory=Counter)
    seen: list[Rollout] = field(default_factory=list)
    """All rollouts that were looked at, for what is reported of them."""
    tokens: int = 0

    @property
    def is_full(self) -> bool:
        """Whether there are tokens enough."""
        return self.tokens >= self.budget

    def add(self, group: Group, version: int) -> None:
        """Takes what of a group teaches something.

        Args:
            group: all of whose rollouts are over.
            version: of the policy now.

        """
        rollouts = group.rollouts
        self.seen += rollouts
        advantages = group_advantages([r.value for r in rollouts], [r.length for r in rollouts])
        if len({r.value for r in rollouts}) < 2:
            self.dropped[Dropped.ZERO_ADVANTAGE] += len(rollouts)
            return
        for rollout, advantage in zip(rollouts, advantages.tolist(), strict=True):
            reason = self._why_not(rollout, version)
            if reason is not None:
                self.dropped[reason] += 1
                continue
            self.chosen.append(Chosen(rollout, advantage))
            self.tokens += rollout.length

    def _why_not(self, rollout: Rollout, version: int) -> Dropped | None:
        if not rollout.length:
            return Dropped.EMPTY
        if version - rollout.newest > self.filters.max_lag:
            return Dropped.STALE
        return Dropped.GIBBERISH if self._is_gibberish(rollout) else None

    def _is_gibberish(self, rollout: Rollout) -> bool:
        if self.filters.rare_token is None:
            return False
        unlikely = rollout.logprobs < -log(self.vocab_size) - self.filters.rare_margin
        return bool((rollout.actions & (rollout.tokens > self.filters.rare_token) & unlikely).any())
