"""Names that a piece of code uses and does not bind itself: what its context has to supply."""

import ast
from collections.abc import Iterable

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def free_names(nodes: Iterable[ast.AST], *, annotations: bool = True) -> set[str]:
    """Names used in `nodes`, which stand in one scope, and bound in no scope of theirs.

    Args:
        annotations: whether those in annotations count; where they stay text they need nothing.

    """
    scope = _Scope(annotations)
    for node in nodes:
        scope.visit(node)
    return scope.free()


def bound_names(node: ast.stmt) -> set[str]:
    """Names that a statement binds in the scope that it stands in."""
    scope = _Scope(False)
    scope.visit(node)
    return scope.bound


def attribute_names(node: ast.AST) -> set[str]:
    """Names behind a dot."""
    return {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


class _Scope(ast.NodeVisitor):
    """Names of one scope; those of scopes within it that it does not bind are its own."""

    def __init__(self, annotations: bool) -> None:
        self.annotations = annotations
        self.used: set[str] = set()
        self.bound: set[str] = set()
        self.declared: set[str] = set()

    def free(self) -> set[str]:
        return (self.used - self.bound) | self.declared

    def _visit_some(self, node: ast.AST | None) -> None:
        if node is not None:
            self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        (self.used if isinstance(node.ctx, ast.Load) else self.bound).add(node.id)

    def visit_Global(self, node: ast.Global) -> None:
        self.declared.update(node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bound.update([node.name] if node.name else [])
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self.bound.add(node.asname or node.name.split(".")[0])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.bound.update([node.name] if node.name else [])
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.bound.update([node.name] if node.name else [])

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.bound.update([node.rest] if node.rest else [])
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        self._visit_some(node.value)
        self._visit_some(node.annotation if self.annotations else None)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bound.add(node.name)
        for part in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(part)
        inner = _Scope(self.annotations)
        for statement in node.body:
            inner.visit(statement)
        self.used |= inner.free()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node)

    def _function(self, node: _Function) -> None:
        if not isinstance(node, ast.Lambda):
            self.bound.add(node.name)
            for part in [*node.decorator_list, *([node.returns] if node.returns and self.annotations else [])]:
                self.visit(part)
        arguments = node.args
        listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        listed += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        annotations = [argument.annotation for argument in listed] if self.annotations else []
        for default in [*arguments.defaults, *arguments.kw_defaults, *annotations]:
            self._visit_some(default)
        inner = _Scope(self.annotations)
        inner.bound.update(argument.arg for argument in listed)
        for statement in [node.body] if isinstance(node, ast.Lambda) else node.body:
            inner.visit(statement)
        self.used |= inner.free()

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: _Comprehension) -> None:
        inner = _Scope(self.annotations)
        inner.generic_visit(node)
        self.used |= inner.free()
