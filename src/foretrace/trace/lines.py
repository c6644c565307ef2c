"""Where a predicted source line stands. A model writes text; the number follows from control flow.

Among the lines that can run next, the one whose text matches; only then by search, nearest first and the same function
first; else the line is a ghost, number 0. So of two equal lines the one that is meant is found, which a plain text
search cannot.

    placer = LinePlacer(source, entry_line=1)
    placer.place(Event.CALL, "def f(x):")        # (1, 'f')
    placer.place(Event.LINE, "    x += 1")       # (2, 'f')
"""

from collections.abc import Iterable
from dataclasses import dataclass

from foretrace.trace.flow import Scope, scopes_of
from foretrace.trace.types import Event

GHOST = 0


@dataclass(slots=True)
class _Place:
    """An open scope and the line it is at."""

    scope: Scope
    line: int


class LinePlacer:
    """Follows one execution through the source; keeps the stack of open scopes."""

    def __init__(self, source: str, entry_line: int) -> None:
        """`entry_line`: 1-based line of the entry function's `def`."""
        self._lines = source.split("\n")
        self._scopes = scopes_of(source)
        self._entry_line = entry_line
        self._stack: list[_Place] = []

    def place(self, event: Event, source_line: str) -> tuple[int, str]:
        """The 1-based number of a line (0: a ghost) and the qualified name of its function."""
        if event is Event.CALL:
            return self._call(source_line)
        here = self._stack[-1]
        line = self._within(here, event, source_line)
        if line != GHOST:
            here.line = line
        return line, here.scope.name

    def leave(self) -> None:
        """The innermost scope was left."""
        self._stack.pop()

    def _call(self, text: str) -> tuple[int, str]:
        if not self._stack:
            scope, line = self._entry(), self._entry_line
            line = line if self._reads(line, text) else self._nearest(range(1, len(self._lines) + 1), line, text)
        else:
            scope, line = self._callee(text)
        self._stack.append(_Place(scope, line or scope.def_line))
        return line, scope.name

    def _entry(self) -> Scope:
        functions = [s for s in self._scopes if s.kind == "function"]
        for scope in functions:
            if scope.def_line == self._entry_line or self._entry_line in scope.entries:
                return scope
        return self._scopes[0]

    def _callee(self, text: str) -> tuple[Scope, int]:
        """The scope that a call frame enters: a new activation at its entry, or a generator resumed at a yield."""
        caller = self._stack[-1]
        called = caller.scope.calls.get(caller.line, set())

        def rank(scope: Scope) -> tuple[bool, bool, int]:
            inline = scope.parent is caller.scope and scope.kind in ("lambda", "comprehension")
            named = scope.name.rpartition(".")[2] in called
            return not (inline and caller.line in scope.entries), not named, abs(scope.def_line - caller.line)

        inner = self._scopes[1:]
        entered = [(s, n) for s in inner for n in s.entries if self._reads(n, text)]
        resumed = [(s, n) for s in inner for n in sorted(s.yields) if self._reads(n, text)]
        for candidates in (entered, resumed):
            if candidates:
                return min(candidates, key=lambda candidate: rank(candidate[0]))
        return caller.scope, self._nearest(range(1, len(self._lines) + 1), caller.line, text)

    def _within(self, here: _Place, event: Event, text: str) -> int:
        scope = here.scope
        span = scope.spans.get(here.line, range(here.line, here.line + 1))
        if event is Event.LINE:
            candidates: Iterable[int] = [*scope.flow.get(here.line, ()), *scope.handlers.get(here.line, ()), *span]
        else:
            candidates = [here.line, *span]
        for line in candidates:
            if self._reads(line, text):
                return line
        return self._nearest(scope.spans, here.line, text) or self._nearest(range(1, len(self._lines) + 1), here.line, text)

    def _reads(self, line: int, text: str) -> bool:
        return 0 < line <= len(self._lines) and self._lines[line - 1] == text

    def _nearest(self, lines: Iterable[int], origin: int, text: str) -> int:
        """The matching line nearest to `origin`, those after it first; 0 if none matches."""
        matching = [n for n in lines if self._reads(n, text)]
        return min(matching, key=lambda n: (abs(n - origin), n < origin), default=GHOST)
