"""Where a predicted source line stands. A model writes text; the number follows from control flow.

Among the lines that can run next, the one whose text matches; only then by search, nearest first and the same function
first; else the line is a ghost, number 0. So of two equal lines the one that is meant is found, which a plain text
search cannot.

    placer = LinePlacer(source, entry_line=1)
    placer.place(Event.CALL, "def f(x):")        # (1, 'f')
    placer.place(Event.LINE, "    x += 1")       # (2, 'f')
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from foretrace.trace.flow import DEFINITION, Scope, scopes_of
from foretrace.trace.types import Event

GHOST = 0


@dataclass(slots=True)
class _Place:
    """An open scope and the line it is at."""

    scope: Scope
    line: int
    event: Event = Event.CALL
    entered: list[Scope] = field(default_factory=list)
    """Comprehensions entered since the last line event: each runs once a visit."""


class LinePlacer:
    """Follows one execution through the source; keeps the stack of open scopes."""

    def __init__(self, source: str, entry_line: int, python: str = "") -> None:
        """Makes a placer.

        Args:
            entry_line: 1-based line of the entry function's `def`.
            python: version that runs the source, such as `3.12.1`; without one, comprehensions are entered by calls.

        """
        self._lines = source.split("\n")
        self._scopes = scopes_of(source)
        minor = re.match(r"3\.(\d+)", python)
        self._inlined: set[int] = set()
        if minor and int(minor[1]) >= 12:  # PEP 709: only generator expressions are still entered
            inlined = [s for s in self._scopes if s.kind == "comprehension" and not s.name.endswith("<genexpr>")]
            self._inlined = {line for scope in inlined for line in scope.spans}
            self._scopes = [s for s in self._scopes if s not in inlined]
        self._entry_line = entry_line
        self._stack: list[_Place] = []
        self._suspended: list[tuple[Scope, int]] = []

    def place(self, event: Event, source_line: str, names: Collection[str] | None = None) -> tuple[int, str]:
        """The 1-based number of a line (0: a ghost) and the qualified name of its function.

        `names`: the local names of a call frame, which tell a lambda from a comprehension on the same line.
        """
        if event is Event.CALL:
            scope, line = self._callee(source_line, names) if self._stack else self._entry(source_line)
            self._stack.append(_Place(scope, line or scope.def_line))
            return line, scope.name
        here = self._stack[-1]
        line = self._within(here, event, source_line)
        here.line, here.event = line or here.line, event
        if event is Event.LINE:
            here.entered.clear()
        return line, here.scope.name

    def leave(self) -> None:
        """The innermost scope was left; if at a `yield`, it may be resumed there."""
        left = self._stack.pop()
        at = (left.scope, left.line)
        if left.event is Event.RETURN and left.line in left.scope.yields:
            self._suspended = [known for known in self._suspended if known != at] + [at]

    @property
    def suspended(self) -> bool:
        """Whether some scope was left at a `yield` and can be resumed."""
        return bool(self._suspended)

    def following(self, event: Event, raised: bool) -> frozenset[str]:
        """The lines that a next frame of this event can show. `raised`: the last frame is an exception."""
        here, numbers = self._stack[-1], []
        if raised and event is Event.LINE:
            numbers += here.scope.handlers.get(here.line, [])
            numbers += self._inlined.intersection([here.line])  # the interpreter restores what the comprehension hid
        if raised and len(self._stack) > 1:  # it may have left its scope
            here = self._stack[-2]
        elif raised:
            return self._texts(numbers)
        if event is Event.CALL:
            numbers += [line for scope in self._scopes[1:] for line in scope.entries] + [line for _, line in self._suspended]
        elif event is Event.LINE:
            numbers += [*here.scope.flow.get(here.line, ()), *self._others(here)]
            if here.scope.kind != "function" or here.line in self._inlined:  # it begins, or loops, in the line it stands in
                numbers.append(here.line)
        else:
            numbers += [here.line, *self._others(here)]
        return self._texts(numbers)

    def _texts(self, numbers: Iterable[int]) -> frozenset[str]:
        return frozenset(self._lines[number - 1] for number in numbers)

    def catches(self, source_line: str) -> bool:
        """Whether the exception just placed is caught in its own scope, if this is the line that runs next.

        If not, code outside the source swallowed it (`hasattr`, the `for` of an iterator), and the caller goes on.
        """
        here = self._stack[-1]
        if len(self._stack) == 1 or self._first(here.scope.handlers.get(here.line, ()), source_line):
            return True
        caller = self._stack[-2]
        return not self._first([*caller.scope.flow.get(caller.line, ()), *self._others(caller)], source_line)

    def _entry(self, text: str) -> tuple[Scope, int]:
        functions = (s for s in self._scopes if s.kind == "function" and self._entry_line in (s.def_line, *s.entries))
        scope = next(functions, self._scopes[0])
        return scope, self._nearest(range(1, len(self._lines) + 1), self._entry_line, text)

    def _callee(self, text: str, names: Collection[str] | None) -> tuple[Scope, int]:
        """The scope that a call frame enters: suspended at a yield before, or a new one."""
        caller = self._stack[-1]
        for scope, line in reversed(self._suspended):
            if self._reads(line, text):
                return scope, line
        entries = [(s, n) for s in self._scopes[1:] for n in s.entries if self._reads(n, text)]
        entries = [entry for entry in entries if _can_start_with(entry[0], names)] or entries
        if entries:
            scope, line = min(entries, key=lambda entry: self._rank(caller, entry[0], entry[1]))
            if scope.kind == "comprehension":
                caller.entered.append(scope)
            return scope, line
        return self._unknown(text), self._nearest(range(1, len(self._lines) + 1), caller.line, text)

    def _rank(self, caller: _Place, scope: Scope, line: int) -> tuple[int, ...]:
        """Orders equal entry lines: within the calling line, called there by name, of the same class, nearest."""
        inline = scope.parent is caller.scope and scope.kind != "function" and caller.line in (line, *scope.entries)
        again = any(scope is entered for entered in caller.entered)
        called = caller.scope.calls.get(caller.line, set())
        family = scope.parent.name.rpartition(".")[2] if scope.parent and scope.kind == "function" else ""
        return (
            not inline or again,
            inline and scope.kind == "lambda",  # what a line builds, it builds before it calls a lambda
            scope.name.rpartition(".")[2] not in called,
            family not in called,
            scope.parent is not caller.scope.parent,
            abs(line - caller.line),
        )

    def _unknown(self, text: str) -> Scope:
        """The scope of a call that the source does not have: by its name if there is one, else a new one."""
        match = DEFINITION.match(text)
        if not match:
            return self._stack[-1].scope
        named = (s for s in self._scopes if s.kind in ("function", "class") and s.name.rpartition(".")[2] == match[3])
        return next(named, Scope(match[3], "function"))

    def _within(self, here: _Place, event: Event, text: str) -> int:
        if event is Event.LINE:
            on, caught = here.scope.flow.get(here.line, ()), here.scope.handlers.get(here.line, ())
            later = [*caught, *on] if here.event is Event.EXCEPTION else [*on, *caught]
            candidates = [*self._others(here), *later, here.line]
        else:
            candidates = [here.line, *self._others(here)]
        everywhere = range(1, len(self._lines) + 1)
        return (
            self._first(candidates, text)
            or self._nearest(here.scope.spans, here.line, text)
            or self._nearest(everywhere, here.line, text)
        )

    def _others(self, here: _Place) -> list[int]:
        """The other physical lines of the statement, those to come first."""
        span = here.scope.spans.get(here.line, range(0))
        return [*range(here.line + 1, span.stop), *range(span.start, here.line)]

    def _first(self, lines: Iterable[int], text: str) -> int:
        return next((line for line in lines if self._reads(line, text)), GHOST)

    def _reads(self, line: int, text: str) -> bool:
        return 0 < line <= len(self._lines) and self._lines[line - 1] == text

    def _nearest(self, lines: Iterable[int], origin: int, text: str) -> int:
        """The matching line nearest to `origin`, those after it first; 0 if none matches."""
        matching = [n for n in lines if self._reads(n, text)]
        return min(matching, key=lambda n: (abs(n - origin), n < origin), default=GHOST)


def _can_start_with(scope: Scope, names: Collection[str] | None) -> bool:
    """Whether a scope whose call frame shows `names` may be this one: parameters are bound, targets not yet."""
    return names is None or (scope.parameters.issubset(names) and scope.targets.isdisjoint(names))
