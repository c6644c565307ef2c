"""How much an episode may use, and what it has used.

    meter = Meter(Budgets(turns=30, cost=0.50))
    meter.add(step)
    meter.exceeded()            # None, or the Ending that it means

Defaults are those of CWM's release: 128 turns, a context of 131,072 tokens, 120 s a command. Tokens are those of the whole
conversation, as in a model's context: as the server counts them where it does, else an estimate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

from foretrace.errors import UsageError
from foretrace.forager.trajectory import Ending, Step

TokenCounter = Callable[[str], int]
"""Tokens of a text, by a model's tokenizer or an estimate of it."""
_TOKENS_PER_MESSAGE = 5
"""Its header and its end, in CWM's form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Limits of one episode."""

    turns: int = 128
    tokens: int = 131_072
    """Of the conversation."""
    seconds: float = 3600.0
    """Wall clock, the time of the model and that of the tools together."""
    cost: float | None = None
    """In the currency of the endpoint's prices."""
    command_seconds: float = 120.0
    """Of one command of the shell."""
    observation: int = 16_384
    """Characters of a tool's output that the agent sees; of a longer one, the beginning and the end. The release allows
    32,768 tokens, and four such outputs end an episode."""
    reply: int | None = None
    """Tokens of one reply of a model, told to its server; None: as many as that allows. The release allows 65,536, but a
    server whose context is smaller refuses what asks for more than is left of it."""
    refusals: int = 5
    """Messages in a row without a call that could be run, after which an episode ends: what does not call again will not."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"a budget is a positive number: {name} is {value}")


class Meter:
    """What an episode has used so far. It can be rebuilt from the steps of a trajectory."""

    def __init__(self, budgets: Budgets, count: TokenCounter) -> None:
        self.budgets = budgets
        self.turns = 0
        self.tokens = 0
        self.seconds = 0.0
        self.cost = 0.0
        self.refusals = 0
        self._count = count

    def tokens_of(self, text: str) -> int:
        """Those of a message."""
        return self._count(text) + _TOKENS_PER_MESSAGE

    def see(self, text: str) -> None:
        """Counts a message that the model is shown."""
        self.tokens += self.tokens_of(text)

    def add(self, step: Step) -> None:
        """Counts a turn."""
        action, usage = step.action, step.action.usage
        counted = usage.prompt_tokens + usage.completion_tokens
        # What a server counts is the whole conversation up to here: no error of an estimate survives it.
        self.tokens = counted if usage.prompt_tokens else self.tokens + self.tokens_of(action.thought + action.content)
        if step.observation:
            self.see(step.observation)
        self.turns += 1
        self.cost += usage.cost
        self.seconds += usage.seconds + step.seconds
        self.refusals = self.refusals + 1 if step.refused else 0

    @property
    def turns_left(self) -> int:
        """Never less than 0."""
        return max(0, self.budgets.turns - self.turns)

    @property
    def tokens_left(self) -> int:
        """Never less than 0."""
        return max(0, self.budgets.tokens - self.tokens)

    def exceeded(self) -> Ending | None:
        """Why no further turn may begin; None if one may."""
        budgets = self.budgets
        if self.turns_left == 0:
            return Ending.TURNS
        if self.tokens_left == 0:
            return Ending.TOKENS
        if self.seconds >= budgets.seconds:
            return Ending.SECONDS
        if budgets.cost is not None and self.cost >= budgets.cost:
            return Ending.COST
        return Ending.FORMAT if self.refusals >= budgets.refusals else None


def estimate_tokens(text: str) -> int:
    """About the tokens of a text: four bytes each, as for English and code in vocabularies of 100,000 and more."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 4)


def bounded(text: str, characters: int) -> str:
    """A text, or its beginning and its end with a line between that says what is left out; whole lines if they are short."""
    if len(text) <= characters:
        return text
    half = characters // 2
    head, tail = text[:half], text[len(text) - half :]
    last, first = head.rfind("\n") + 1, tail.find("\n") + 1
    head = head[:last] if last > half // 2 else head
    tail = tail[first:] if first < half // 2 else tail
    left_out = text[len(head) : len(text) - len(tail)]
    lines = f" ({left_out.count(chr(10)):,} lines)" if "\n" in left_out else ""
    gap = "" if head.endswith("\n") else "\n"
    return f"{head}{gap}[… {len(left_out):,} characters{lines} left out …]\n{tail}"
