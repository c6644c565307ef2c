"""What is known of a failure before anything is tried: errors, and what was seen while failing tests ran.

Watched(records).falls(function)        # lines after which calls ended without a `return`
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from foretrace.forager.repair.code import Function, is_docstring
from foretrace.forager.repair.points import Point
from foretrace.forager.spectrum import Spectrum


@dataclass(frozen=True)
class TestResult:
    """How a test ended in the world as it is."""

    __test__ = False

    test: str
    outcome: str
    """`passed`, `failed`, or `other`: skipped, or expected to fail."""
    seconds: float = 0.0
    error: str = ""
    """Class of what was raised."""
    message: str = ""
    places: tuple[tuple[str, int, str], ...] = ()
    """Path, line and function of the tree's own frames, outermost first."""
    calls: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """First lines of the functions that it calls, by path."""


@dataclass(frozen=True)
class Survey:
    """All tests of a tree."""

    tests: tuple[TestResult, ...]
    uncollected: Mapping[str, str]
    """Files that cannot be imported, with what is printed of it."""
    modules: tuple[str, ...] = ()
    """What tests import that is none of the tree's."""
    seconds: float = 0.0

    @cached_property
    def failing(self) -> tuple[TestResult, ...]:
        """Tests that fail."""
        return tuple(test for test in self.tests if test.outcome == "failed")

    @cached_property
    def passing(self) -> tuple[TestResult, ...]:
        """Tests that pass."""
        return tuple(test for test in self.tests if test.outcome == "passed")

    @cached_property
    def spectrum(self) -> Spectrum:
        """Which test calls which function, each as its first line."""
        return Spectrum({test.test: test.calls for test in self.tests})

    def messages(self, tests: Iterable[str] = ()) -> list[str]:
        """What tests end with, `Class: message`; of all that fail, and of files that cannot be imported."""
        wanted = set(tests)
        told = [f"{t.error}: {t.message}" for t in self.failing if not wanted or t.test in wanted]
        return list(dict.fromkeys([*self.uncollected.values(), *told]))


@dataclass(frozen=True)
class Watched:
    """What was seen in some files while some tests ran."""

    failing: frozenset[str]
    lines: Mapping[str, Mapping[str, frozenset[int]]]
    """By test and path."""
    ends: tuple[tuple[str, str, int, int, str, Mapping[str, str]], ...] = ()
    """Of calls: test, path, first line of the function, last line that ran, type of what it gave or `raises`, types of its
    variables."""

    @property
    def known(self) -> bool:
        """Whether anything was seen."""
        return any(self.lines.get(test) for test in self.failing)

    @cached_property
    def _bad(self) -> Mapping[str, frozenset[int]]:
        found: dict[str, frozenset[int]] = {}
        for test in self.failing:
            for path, lines in self.lines.get(test, {}).items():
                found[path] = found.get(path, frozenset()) | lines
        return found

    def ran_line(self, function: Function, line: int) -> bool:
        """Whether failing tests run a line."""
        return line in self._bad.get(function.code.path, ())

    def ran(self, function: Function, statement: ast.stmt | None) -> bool:
        """Whether failing tests run any line of a statement, or enter the function if there is none."""
        ran = self._bad.get(function.code.path, frozenset())
        lines = function.lines if statement is None else range(statement.lineno, (statement.end_lineno or 0) + 1)
        return not ran.isdisjoint(lines)

    def reaches(self, function: Function, point: Point) -> bool:
        """Whether failing tests come to a place, or near it; True if nothing is known."""
        if not self.known:
            return True
        near = [each for each in (point.before, point.after) if each is not None]
        if not near or (all(is_docstring(each) for each in near) and point.owner is function.node):
            return self.ran(function, None) if point.owner is function.node else self.ran_line(function, point.line)
        return any(self.ran(function, each) for each in near)

    def falls(self, function: Function) -> frozenset[int]:
        """Lines after which calls in failing tests ended with `None` where no `return` stands."""
        spans = [
            range(node.lineno, (node.end_lineno or node.lineno) + 1) for node in function.own if isinstance(node, ast.Return)
        ]
        found = set()
        for test, path, first, last, gave, _ in self.ends:
            mine = path == function.code.path and first in function.lines and first <= function.node.lineno
            if mine and test in self.failing and gave == "NoneType" and not any(last in span for span in spans):
                found.add(last)
        return frozenset(found)

    @cached_property
    def _scores(self) -> Mapping[tuple[str, int], float]:
        spectrum = Spectrum(self.lines)
        return {(each.path, each.line): each.score for each in spectrum.suspicious(self.failing)}

    def suspicion(self, function: Function, line: int) -> float:
        """Ochiai's score of a line relative to the highest in its function; 0 if no failing test runs it."""
        top = max((self._scores.get((function.code.path, each), 0.0) for each in function.lines), default=0.0)
        return self._scores.get((function.code.path, line), 0.0) / top if top else 0.0
