"""What every engine offers: continue token sequences, and judge given ones.

engine = load("tiny")
[generation] = engine.generate([ids], max_tokens=200, stop=[end])
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.binding import BoundCall
from foretrace.errors import UsageError
from foretrace.trace import Frame, Segment


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an engine is given: the context and the first call frame, which is known."""

    call: BoundCall
    frames: tuple[Frame, ...]
    segments: tuple[Segment, ...]


class Grammar(Protocol):
    """Which tokens may come next in one sequence."""

    def allowed(self) -> NDArray[np.bool_]:
        """(vocab_size,): whether each token may be the next."""

    def forced(self) -> Sequence[int]:
        """The tokens that must come next, in order, for as long as only one is allowed."""

    def advance(self, token: int) -> None:
        """Takes the token that was chosen."""


class Drafter(Protocol):
    """Guesses how one sequence goes on. A wrong guess costs time and changes nothing: engines verify what they are told."""

    def propose(self, limit: int) -> Sequence[int]:
        """At most `limit` tokens that are likely to come next, in order; none where nothing is likely enough."""

    def advance(self, token: int) -> None:
        """Takes the token that was chosen."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A continuation."""

    tokens: list[int]
    logprobs: list[float]
    """Natural logarithm of each token's probability, at temperature 1."""
    finish: str
    """`stop` (a stop token, which is kept), `length` (max_tokens) or `context` (the context is full)."""
    margins: list[float] = field(default_factory=list)
    """Log probability of each token less that of the best other one: negative where another was likelier."""


class Engine(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str:
        """What the user called it."""

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Collection[int] = (),
        grammars: Sequence[Grammar] | None = None,
        drafters: Sequence[Drafter] | None = None,
    ) -> list[Generation]:
        """Continues every prompt, greedily at temperature 0; under its grammar, where grammars are given.

        Grammars and drafters stand after what their prompt holds, and are advanced over every token that is chosen, a stop
        token included; drafters change nothing but speed.
        """

    def predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """One pass over a given sequence of T tokens: the likeliest next token at each position (T,), and the log
        probability (T - 1,) that each actual next token had.
        """

    def top_next(self, ids: Sequence[int], count: int) -> list[tuple[int, float]]:
        """The `count` likeliest next tokens after `ids`, likeliest first, with their log probabilities.

        Raises:
            UsageError: there are no ids, or more than the context holds.

        """


def check_prompts(prompts: Sequence[Sequence[int]], context_length: int | None = None) -> None:
    """Refuses prompts that nothing can follow.

    Raises:
        UsageError: one is empty, or longer than `context_length`, if that is given.

    """
    if not all(len(prompt) for prompt in prompts):
        raise UsageError("cannot continue an empty prompt")
    longest = max(map(len, prompts), default=0)
    if context_length is not None and longest > context_length:
        raise UsageError(f"{longest} tokens are more than the model's context holds ({context_length})")
