r"""Finds argument lists for a function by calling it: guided by the lines that run, learning from the errors that come.

found = explore("def f(words):\\n    return [w.lower() for w in words]\\n", "f", seed=0)
found.calls[0].arguments, found.coverage            # "['Fox', 'run']", 1.0

It executes the function in this process: for code that is not trusted, call it in a sandbox. The same subject and seed give
the same calls, since budgets are counted in calls and lines, not in seconds.
"""

import io
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from foretrace.corpus.arguments.attempts import Attempt, attempt
from foretrace.corpus.arguments.blame import blame, praise
from foretrace.corpus.arguments.choose import choose
from foretrace.corpus.arguments.constants import constants
from foretrace.corpus.arguments.generate import Generator
from foretrace.corpus.arguments.infer import Inference, infer
from foretrace.corpus.arguments.module import Module
from foretrace.corpus.arguments.mutate import mutate
from foretrace.corpus.arguments.target import Target
from foretrace.corpus.arguments.terms import Arguments
from foretrace.corpus.arguments.watch import Watch, open_watch
from foretrace.corpus.types import Subject, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When exploring ends, and how much is kept."""

    tries: int = 60
    """Calls at most."""
    events: int = 200_000
    """Lines that all calls together may run."""
    call_events: int = 5_000
    """Lines that one call may run."""
    patience: int = 30
    """Calls without anything new after which exploring ends, if one succeeded."""
    timeouts: int = 2
    """Calls that ran for too long without running lines, or ran out of memory, after which exploring ends."""
    cuts: int = 10
    """Calls that ran too many lines, after which exploring ends if none succeeded."""
    calls: int = 8
    """Argument lists to keep at most."""
    enough: int = 3
    """Successful calls to look for even when every line has run."""


@dataclass(frozen=True, slots=True)
class Call:
    """A chosen argument list, and what calling with it did."""

    arguments: str
    outcome: Literal["returned", "raised"]
    kind: str
    """The type of the result or of the exception."""
    events: int
    is_non_trivial: bool


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found."""

    calls: tuple[Call, ...]
    """Best first: successful and non-trivial ones, then others that returned, then some that raised."""
    coverage: float
    """Share of the function's executable lines that ran in all tries."""
    tries: int
    timeouts: int
    """Calls that a clock ended; if any, another machine could find other calls."""

    @property
    def has_success(self) -> bool:
        """Whether there is a call that returned and did something."""
        return any(call.is_non_trivial for call in self.calls)


def explore(
    subject: Subject | str, entry: str = "", seed: int = 0, budget: Budget | None = None, hints: Sequence[str] = ()
) -> Exploration:
    """Argument lists for `subject`, or for the function `entry` of a source text; `hints` are texts that are tried first.

    Raises:
        UsageError: the source does not parse, or has no such function.
        RecordError: the module's top level raised.

    """
    if isinstance(subject, Subject):
        source, entry, hints = subject.source, subject.entry, (*hints, *subject.calls)
    else:
        source = subject
    with _quiet():
        return _Explorer(Module(source), entry, seed, budget or Budget(), hints).run()


class _Explorer:
    """The state of one exploration."""

    def __init__(self, module: Module, entry: str, seed: int, budget: Budget, hints: Sequence[str]) -> None:
        self.module, self.budget = module, budget
        self.rng = random.Random(f"{seed} {digest(module.source, entry)}")  # else all functions would get the same values
        inference = Inference(module)
        self.signature = infer(module, entry, hints, inference)
        self.target = Target(module, entry)
        self.generator = Generator(self.rng, inference, self.signature, constants(self.target.node, module.assigned))
        self.is_seeded = "random" in module.source
        self.texts: set[str] = set()
        self.kept: list[Attempt] = []
        """Attempts that ran something new, or ended in a new way."""
        self.spare: list[Attempt] = []
        """Other successful ones."""
        self.covered: set[int] = set()
        self.pairs: set[tuple[int, int]] = set()
        self.kinds: set[tuple[str, str]] = set()
        self.tries = self.events = self.idle = self.successes = self.cuts = 0

    def run(self) -> Exploration:
        """Tries argument lists until all lines have run or a budget is spent."""
        with open_watch(self.target.filename, self.target.codes) as watch:
            for arguments in self._proposals():
                text = arguments.text
                self.tries += 1
                if text in self.texts:
                    self.idle += 1
                else:
                    self.texts.add(text)
                    self._try(arguments, text, watch)
                if self._is_done(watch):
                    break
            timeouts = watch.timeouts
        calls = tuple(
            Call(one.text, "returned" if one.outcome == "returned" else "raised", one.kind, one.events, one.is_non_trivial)
            for one in choose(self.kept, self.spare, self.target.lines, self.budget.calls, self.budget.enough)
        )
        own = len(self.covered & self.target.lines)
        return Exploration(calls, own / len(self.target.lines), self.tries, timeouts)

    def _proposals(self) -> Iterator[Arguments]:
        """Examples first; then new lists and changed ones in turn."""
        self.generator.choices.clear()
        yield from self.signature.examples[: self.budget.tries // 2]
        rng = self.rng
        while True:
            if self.successes and self.kept and rng.random() < 0.5:
                parent, other = self._parent(), self._parent()
                yield mutate(rng, parent.arguments, self.generator, other.arguments)
            else:
                yield self.generator.arguments()

    def _parent(self) -> Attempt:
        """A kept attempt; late ones, which took longest to find, more often."""
        kept = self.kept
        return kept[max(self.rng.randrange(len(kept)), self.rng.randrange(len(kept)))]

    def _try(self, arguments: Arguments, text: str, watch: Watch) -> None:
        if self.is_seeded:
            random.seed(0)
        limit = min(self.budget.call_events, max(self.budget.events - self.events, 1))
        made = attempt(arguments, text, self.target.function, self.target.namespace, watch, limit)
        self.events += made.events
        self._learn(made)
        if made.outcome in ("returned", "raised"):
            self._keep(made)
        elif made.outcome == "cut":
            self.cuts += 1
            watch.timeouts += made.kind == "MemoryError"
            self.covered.update(made.lines)

    def _learn(self, made: Attempt) -> None:
        choices = self.generator.choices
        if made.outcome == "returned":
            praise(choices)
        elif made.error is not None:
            made.is_explicit = self._is_explicit(made.error)
            if not made.is_explicit:
                blame(choices, made.error, self.module, self.target.filename)
        made.error = None if made.error is None else made.error.with_traceback(None)

    def _is_explicit(self, error: BaseException) -> bool:
        """Whether a statement of the module raised it."""
        traceback, line, is_own = error.__traceback__, 0, False
        while traceback is not None:
            is_own = traceback.tb_frame.f_code.co_filename == self.target.filename
            line = traceback.tb_lineno
            traceback = traceback.tb_next
        return is_own and self.module.line_text(line).lstrip().startswith(("raise", "assert"))

    def _keep(self, made: Attempt) -> None:
        lines = made.lines
        ran = set(lines)
        pairs = set(pairwise(lines))
        kind = (made.outcome, made.kind)
        if made.outcome == "returned":
            made.is_non_trivial = self.target.is_non_trivial(ran, made.kind)
            self.successes += made.is_non_trivial
        is_new = not pairs <= self.pairs or not ran <= self.covered or kind not in self.kinds
        if is_new:
            self.pairs |= pairs
            self.covered |= ran
            self.kinds.add(kind)
            self.kept.append(made)
            self.idle = 0
        else:
            self.idle += 1
            if made.is_non_trivial and len(self.spare) < 2 * self.budget.enough:
                self.spare.append(made)

    def _is_done(self, watch: Watch) -> bool:
        budget = self.budget
        if self.tries >= budget.tries or self.events >= budget.events or watch.timeouts >= budget.timeouts:
            return True
        if self.cuts >= budget.cuts and not self.successes:
            return True
        if self.successes < budget.enough and self.signature.parameters:
            return False
        return self.idle >= budget.patience or self.target.lines <= self.covered


@contextmanager
def _quiet() -> Iterator[None]:
    """What the program prints is not wanted, and it gets nothing to read."""
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), _Sink(), _Sink()
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


class _Sink(io.TextIOBase):
    """Takes any text and keeps none."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def writable(self) -> bool:
        return True
