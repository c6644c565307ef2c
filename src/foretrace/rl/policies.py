"""Who writes in rollouts: any number of sequences at a time, each token with the version of the weights that wrote it.

    policy = LocalPolicy(config, weights, version=0)
    writing = policy.begin(ids, Draw(seed=1, rollout=7, turn=0), limit=512, stop=frozenset({end}))
    while not writing.is_over:
        policy.advance()                       # a pass: a token or more for each
        policy.load(weights, version=1)        # whenever there are new ones: what is being written goes on with them

Weights are swapped in the middle of what is written, and the keys and values that the old ones gave stay, as in CWM's
system: computing them again would cost more than the small difference is worth (PipelineRL, arXiv:2509.19128).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from foretrace.engine.batch import Batch
from foretrace.engine.decoding import Decoding
from foretrace.engine.forward import Cache
from foretrace.engine.kernel import best_forward
from foretrace.engine.recent import RecentCaches
from foretrace.engine.sampling import Sampler
from foretrace.model.checkpoint import Weights
from foretrace.model.config import ModelConfig

_TURNS = 1 << 12
"""More than a rollout may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What the tokens of one action are drawn with: the same weights and the same draw write the same."""

    seed: int
    rollout: int
    """Its number in the run."""
    turn: int

    @property
    def number(self) -> int:
        """One that no other action of the run has."""
        return self.rollout * _TURNS + self.turn


@dataclass(slots=True, kw_only=True, eq=False)
class Writing:
    """An action that is being written."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of each token, under the distribution that it was drawn from."""
    versions: list[int] = field(default_factory=list)
    """Of the policy that wrote each token."""
    is_over: bool = False
    cache: Cache | None = None
    """Of what was computed for it, if its policy is in this process: the rollout's next action goes on with it."""


class Policy(Protocol):
    """For one thread."""

    version: int
    """Of its weights."""

    def begin(
        self, ids: Sequence[int], draw: Draw, *, limit: int, stop: Collection[int], after: Writing | None = None
    ) -> Writing:
        """Begins an action.

        Args:
            ids: of all before it.
            draw: what its tokens are drawn with.
            limit: of its tokens, at least 1.
            stop: tokens that end it.
            after: the action before it in the same rollout.

        """

    def advance(self) -> list[Writing]:
        """Writes on at everything; those that are over now. It waits while nothing can be written, if something is to be."""

    def load(self, weights: Weights, version: int) -> None:
        """Takes other weights, from the next token on."""


class LocalPolicy:
    """A model in this process, on one core (`engine/batch.py`)."""

    def __init__(self, config: ModelConfig, weights: Weights, *, version: int = 0, temperature: float = 1.0) -> None:
        """`temperature`: at any but 1 log probabilities are still those at 1, which the learner must then not compare."""
        self.version, self._config, self._temperature = version, config, temperature
        self._forward = best_forward(config, weights)
        self._prompts = RecentCaches(self._forward.new_cache)
        self._batch = Batch(self._forward, RecentCaches(self._forward.new_cache))
        self._writing: dict[Decoding, Writing] = {}
        self._begun: list[Decoding] = []
        """Of which nothing is computed: new weights may come before they are gone on with, and then all is to be theirs."""

    def begin(
        self, ids: Sequence[int], draw: Draw, *, limit: int, stop: Collection[int], after: Writing | None = None
    ) -> Writing:
        """See `Policy`."""
        sequence = Decoding(
            draw.number,
            ids,
            max_tokens=limit,
            context=self._config.max_position_embeddings,
            sampler=Sampler(self._temperature, 1.0, draw.seed),
            stop=frozenset(stop),
        )
        sequence.keeps_cache = True
        sequence.cache = after.cache if after is not None else None
        writing = Writing(is_over=bool(sequence.finish))
        if not writing.is_over:
            self._writing[sequence] = writing
            self._begun.append(sequence)
        return writing

    def _after_prompt(self, ids: Sequence[int]) -> Cache | None:
        """Keys and values of all but the last of a prompt's tokens, for one sequence; computed once for a whole group."""
        if not self._forward.exact or len(ids) < 2 or len(ids) > self._config.max_position_embeddings:
            return None
        cache = self._prompts.take(ids)
        if cache.length < len(ids) - 1:
            self._forward.advance([ids[cache.length : -1]], [cache])
        self._prompts.give(ids, cache.copy(cache.length))
        return cache

    def advance(self) -> list[Writing]:
        """See `Policy`."""
        if not self._writing:
            return []
        for sequence in self._begun:
            sequence.cache = sequence.cache or self._after_prompt(sequence.ids)
            self._batch.join(sequence)
        self._begun.clear()
        over = []
        for sequence in self._batch.step():
            writing = self._writing[sequence]
            generation = sequence.generation()
            new = len(generation.tokens) - len(writing.tokens)
            writing.tokens, writing.logprobs = generation.tokens, generation.logprobs
            writing.versions += [self.version] * new
            if sequence.finish:
                writing.is_over, writing.cache = True, sequence.cache
                del self._writing[sequence]
                over.append(writing)
        return over

    def load(self, weights: Weights, version: int) -> None:
        """See `Policy`."""
        self._forward = best_forward(self._config, weights)
        self._prompts = RecentCaches(self._forward.new_cache)
        self._batch.replace(self._forward, RecentCaches(self._forward.new_cache))
        self.version = version
