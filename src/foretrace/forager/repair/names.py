"""Which names mean what in a function: bound here, bound outside, bound nowhere, bound and never read.

    scope = scope_of(function)
    scope.undefined                 # ("item",): read, and bound nowhere
    scope.unused                    # ("result",): bound, and never read
    scope.visible(12)               # what can be named in line 12, nearest first

A name that is bound in a function and read in one nested in it counts as read.
"""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from foretrace.forager.repair.code import Code, Function, FunctionNode, own_nodes

BUILTINS = frozenset(dir(builtins))
_ALWAYS = frozenset({"__file__", "__name__", "__doc__", "__path__", "__spec__", "__loader__", "__package__", "__class__"})


@dataclass(frozen=True, eq=False)
class Scope:
    """The names of one function."""

    function: Function
    module: frozenset[str]
    """Bound at the top of the module."""

    @cached_property
    def bound(self) -> dict[str, int]:
        """Names that the function binds, parameters first, with the line where it first does."""
        found = dict.fromkeys(self.function.parameters, self.function.node.lineno)
        for name, line in _bound(self.function.own):
            found.setdefault(name, line)
        return found

    @cached_property
    def read(self) -> Counter[str]:
        """Names that are read in its body, those in nested functions among them."""
        return Counter(
            node.id
            for statement in self.function.node.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load | ast.Del)
        )

    @cached_property
    def outside(self) -> frozenset[str]:
        """What the functions around it bind."""
        outer = self.function.outer
        if outer is None:
            return frozenset()
        around = Scope(outer, self.module)
        return frozenset(around.bound) | around.outside

    @cached_property
    def undefined(self) -> tuple[str, ...]:
        """Names that it reads, or a function nested in it, and that nothing binds."""
        known = self.bound.keys() | self.outside | self.module | BUILTINS | _ALWAYS
        inner = {name for node in ast.walk(self.function.node) for name in _inner(node)}
        return tuple(name for name in self.read if name not in known and name not in inner)

    @cached_property
    def unused(self) -> tuple[str, ...]:
        """Names that it binds and never reads."""
        body = self.function.node.body
        declared = {name for node in self.function.own if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
        stated = {s.target.id for s in self.function.own if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name)}
        skipped = declared | {"self", "cls", "_"}
        names = [name for name in self.bound if self.read[name] == 0 and name not in skipped]
        return tuple(name for name in names if name not in stated or body)

    @cached_property
    def locals(self) -> tuple[str, ...]:
        """What it binds besides its parameters."""
        return tuple(name for name in self.bound if name not in self.function.parameters)

    def visible(self, line: int, loop: int = 0) -> tuple[str, ...]:
        """Its own names that may have a value in a line, the nearest binding first, and then those of functions around it.

        Args:
            line: 1-based.
            loop: last line of the outermost loop around it: what is bound up to there may have a value, too.

        """
        if (line, loop) not in self._visible:
            self._visible[line, loop] = self._visible_at(line, max(line, loop))
        return self._visible[line, loop]

    @cached_property
    def _visible(self) -> dict[tuple[int, int], tuple[str, ...]]:
        return {}

    def _visible_at(self, line: int, last: int) -> tuple[str, ...]:
        near: dict[str, int] = {}
        for name, at in _bound(self.function.own):
            if at <= last:
                near[name] = max(near.get(name, 0), at if at <= line else 0)
        own = sorted(near, key=lambda name: -near[name])
        rest = [name for name in self.function.parameters if name not in near]
        return (*own, *rest, *sorted(self.outside))


@lru_cache(maxsize=1024)
def scope_of(function: Function) -> Scope:
    """The names of a function."""
    return Scope(function, module_names(function.code))


@lru_cache(maxsize=1024)
def module_names(code: Code) -> frozenset[str]:
    """Names that a module binds at its top, and what its functions declare as global."""
    found = {name for name, _ in _bound(tuple(_top(code.tree)))}
    found |= {name for node in ast.walk(code.tree) if isinstance(node, ast.Global) for name in node.names}
    return frozenset(found)


def has_star(code: Code) -> bool:
    """Whether it imports names that cannot be told."""
    return any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in ast.walk(code.tree))


def loose_names(code: Code) -> dict[str, int]:
    """Names that are read anywhere in a module and bound nowhere, with the first line of each."""
    found: dict[str, int] = {}
    module = module_names(code)
    inner = {name for node in ast.walk(code.tree) for name in _inner(node)}
    known = module | BUILTINS | _ALWAYS | inner
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in known:
            found[node.id] = min(node.lineno, found.get(node.id, node.lineno))
    return found


def _top(tree: ast.Module) -> Iterator[ast.AST]:
    for statement in tree.body:
        yield from own_nodes(statement) if not isinstance(statement, FunctionNode | ast.ClassDef) else [statement]


def _bound(nodes: tuple[ast.AST, ...]) -> Iterator[tuple[str, int]]:
    """Names that some nodes bind, and where."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, FunctionNode | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], node.lineno
        elif (isinstance(node, ast.ExceptHandler) and node.name) or (
            isinstance(node, ast.MatchAs | ast.MatchStar) and node.name
        ):
            yield node.name, node.lineno


def _inner(node: ast.AST) -> Iterator[str]:
    """Names that a node binds in a scope of its own, or somewhere."""
    if isinstance(node, ast.arg):
        yield node.arg
    else:
        for name, _ in _bound((node,)):
            yield name
