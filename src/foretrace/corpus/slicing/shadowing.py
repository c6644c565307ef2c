"""Whether a name, where it stands, is the module's or a variable of a function or class around it.

`symtable` tells this of scopes, but not of nodes; to rewrite one use of a name and leave another, nodes it must be.
"""

import ast
from collections.abc import Collection, Iterator

from foretrace.corpus.slicing.module import DEFINITIONS, Definition

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | _Comprehension


class Shadowing:
    """The scopes of one top-level statement."""

    def __init__(self, parents: dict[ast.AST, ast.AST], removed: Collection[ast.AST] = ()) -> None:
        """`parents`: of all nodes of the statement; `removed`: import statements that are no longer there."""
        self._parents = parents
        self._removed = removed
        self._bound: dict[ast.AST, set[str]] = {}

    def hides(self, node: ast.AST, name: str) -> bool:
        """Whether `name`, read at `node`, is bound in a scope around it rather than in the module."""
        innermost = True
        for scope in self._scopes_around(node):
            is_class = isinstance(scope, ast.ClassDef)
            if name in self._names_bound(scope) and (
                not is_class or (innermost and self._is_bound_before(scope, name, node))
            ):
                return not self._declares_global(scope, name)
            innermost = False
        return False

    def _scopes_around(self, node: ast.AST) -> Iterator[_Scope]:
        while node in self._parents:
            child, node = node, self._parents[node]
            if isinstance(node, _Scope) and not _is_outside(child, node):
                yield node

    def _names_bound(self, scope: _Scope) -> set[str]:
        if scope not in self._bound:
            self._bound[scope] = set(_bound_in(scope, self._removed))
        return self._bound[scope]

    def _is_bound_before(self, scope: _Scope, name: str, node: ast.AST) -> bool:
        """Whether a class body has bound a name when `node` runs: `size = module.size` has not."""
        for part in scope.body if isinstance(scope, ast.ClassDef) else ():
            if node in ast.walk(part):
                return False
            if name in _bound_in(ast.ClassDef("", [], [], [part], []), self._removed):
                return True
        return True

    def _declares_global(self, scope: _Scope, name: str) -> bool:
        return any(isinstance(node, ast.Global) and name in node.names for node in _own_nodes(scope))


def _is_outside(child: ast.AST, scope: _Scope) -> bool:
    """Whether a part of a definition is evaluated around it: decorators, bases, defaults, annotations."""
    if isinstance(scope, ast.Lambda):
        return child is not scope.body
    return isinstance(scope, DEFINITIONS) and child not in scope.body


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope, without those of scopes in it; these themselves are there."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _Scope):
            yield from _own_nodes(child)


def _bound_in(scope: _Scope, removed: Collection[ast.AST]) -> Iterator[str]:
    for node in _own_nodes(scope):
        if node in removed:
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, Definition | ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    if not isinstance(scope, _Comprehension):  # `:=` in a comprehension binds around it
        for node in _own_nodes(scope):
            if isinstance(node, _Comprehension):
                yield from (n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
