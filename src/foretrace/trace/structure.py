"""What a tool that follows an execution must know of a program's text: its loops, and where its functions can be left.

structure = Structure(source)
structure.loops_at("count_letters", 4)        # (Loop(head=range(3, 4), body=range(4, 5), …),), outermost first
structure.exits("count_letters")              # lines at which it returns
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foretrace.trace.flow import Scope, scopes_of
from foretrace.trace.syntax import UNREADABLE, parse

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for` or `while` statement. Lines are 1-based."""

    head: range
    body: range

    @property
    def lines(self) -> range:
        """Head and body."""
        return range(self.head.start, self.body.stop)


class Structure:
    """The loops and exits of a source text; one that does not parse has none."""

    def __init__(self, source: str) -> None:
        self._scopes = {scope.name: scope for scope in reversed(scopes_of(source))}
        try:
            tree = parse(source)
        except UNREADABLE:
            tree = ast.Module([], [])
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        self._bodies = {node.lineno: node.body for node in functions}
        self._loops: dict[tuple[str, int], tuple[Loop, ...]] = {}
        for name, scope in self._scopes.items():
            if scope.kind in ("function", "module"):
                self._find(name, tree.body if scope.kind == "module" else self._body(scope), ())

    def _find(self, function: str, body: Sequence[ast.stmt], around: tuple[Loop, ...]) -> None:
        """Notes the loops of a block, and which lines they hold."""
        for node in body:
            if isinstance(node, _SCOPES):
                continue
            inside = around
            if isinstance(node, _LOOPS):
                loop = _loop(node)
                inside = (*around, loop)
                for line in loop.lines:
                    self._loops[function, line] = inside
            for block in _blocks(node):
                self._find(function, block, around if block is getattr(node, "orelse", None) else inside)

    def loops_at(self, function: str, line: int) -> tuple[Loop, ...]:
        """The loops of a function around a line, outermost first."""
        return self._loops.get((function, line), ())

    def scope(self, function: str) -> Scope | None:
        """The scope of that qualified name; of several, the first."""
        return self._scopes.get(function)

    def statement(self, function: str, line: int) -> ast.stmt | None:
        """The innermost statement of a function that has this line, if it is a simple one."""
        scope = self._scopes.get(function)
        found = None
        for node in _own(self._body(scope) if scope else []):
            if node.lineno <= line <= _end(node) and not isinstance(node, _SCOPES) and not any(_blocks(node)):
                found = node
        return found

    def exits(self, function: str) -> list[int]:
        """The lines at which a function, lambda or comprehension can return, in order."""
        scope = self._scopes.get(function)
        if scope is None:
            return []
        if scope.kind in ("lambda", "comprehension"):
            return sorted(scope.spans)
        body = self._body(scope)
        returns = {node.lineno for node in _own(body) if isinstance(node, ast.Return)}
        return sorted(returns.union(_falling(body)))

    def _body(self, scope: Scope) -> Sequence[ast.stmt]:
        return self._bodies.get(scope.def_line, [])


def _loop(node: ast.For | ast.AsyncFor | ast.While) -> Loop:
    last = node.test if isinstance(node, ast.While) else node.iter
    return Loop(range(node.lineno, _end(last) + 1), range(node.body[0].lineno, _end(node.body[-1]) + 1))


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(node, name, [])
    for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield part.body


def _own(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements of a block, but not of the scopes in it; what stands within others comes after them."""
    for node in body:
        yield node
        if not isinstance(node, _SCOPES):
            for block in _blocks(node):
                yield from _own(block)


def _falling(body: Sequence[ast.stmt]) -> Iterator[int]:
    """Lines from which control falls out of the end of a block."""
    if not body:
        return
    last = body[-1]
    match last:
        case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
            return
        case ast.If():
            yield from _falling(last.body)
            yield from _falling(last.orelse) if last.orelse else iter([last.lineno])
        case ast.For() | ast.AsyncFor() | ast.While():
            yield from _falling(last.orelse) if last.orelse else iter([last.lineno])
            yield from _breaks(last.body)
        case ast.With() | ast.AsyncWith():
            yield last.lineno  # it is come back to, to be left
        case ast.Try() | ast.TryStar():
            ends = [last.finalbody] if last.finalbody else [last.orelse or last.body, *(h.body for h in last.handlers)]
            for end in ends:
                yield from _falling(end)
        case ast.Match():
            yield last.cases[-1].pattern.lineno
            for case in last.cases:
                yield from _falling(case.body)
        case _:
            yield from range(last.lineno, _end(last) + 1)


def _breaks(body: Sequence[ast.stmt]) -> Iterator[int]:
    """Lines of the `break`s that leave the loop of this body."""
    for node in body:
        if isinstance(node, ast.Break):
            yield node.lineno
        elif isinstance(node, _LOOPS):
            yield from _breaks(node.orelse)
        elif not isinstance(node, _SCOPES):
            for block in _blocks(node):
                yield from _breaks(block)


def _end(node: ast.stmt | ast.expr) -> int:
    return node.end_lineno or node.lineno
