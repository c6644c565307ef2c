"""Scorers for environments, which many threads use: each takes one that is free, and gives it back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from queue import Empty, SimpleQueue

from foretrace.errors import SandboxError
from foretrace.evals.scorers.maths import maths_scorer
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Reason, Score, Setting, Verdict


class Judges:
    """As many scorers as are needed at once; they start when they are needed, and last as long as this."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._stack = setting, ExitStack()
        self._programs: SimpleQueue[ProgramScorer] = SimpleQueue()
        self._maths: SimpleQueue[Score] = SimpleQueue()

    @contextmanager
    def program(self) -> Iterator[ProgramScorer]:
        """A scorer of programs."""
        try:
            scorer = self._programs.get_nowait()
        except Empty:
            scorer = self._stack.enter_context(ProgramScorer(self._setting))
        try:
            yield scorer
        finally:
            self._programs.put(scorer)

    @contextmanager
    def maths(self) -> Iterator[Score]:
        """A scorer of answers in mathematics."""
        try:
            scorer = self._maths.get_nowait()
        except Empty:
            scorer = self._stack.enter_context(maths_scorer(self._setting))
        try:
            yield scorer
        finally:
            self._maths.put(scorer)

    def close(self) -> None:
        """Ends all of them."""
        self._stack.close()


def known(verdict: Verdict) -> Verdict:
    """The verdict.

    Raises:
        SandboxError: it is that nothing is known: a reward must not be made of it.

    """
    if verdict.reason is Reason.BROKEN:
        raise SandboxError(f"an answer could not be judged: {verdict.detail}")
    return verdict
