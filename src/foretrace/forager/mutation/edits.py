"""One change of a module's text, and the functions in which changes are looked for.

    module = read_module(source)
    for function in functions_of(module):
        for edit in edits_of(function):          # operators.py
            edit.apply(module)                   # the changed source, or None where it would not be Python

`libcst` keeps every space and comment that is not part of the change, so that a mutation is as small as a slip of the hand.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst.metadata import (
    ExpressionContext,
    ExpressionContextProvider,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
)

from foretrace.trace.syntax import UNREADABLE, parse


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed source text."""

    source: str
    tree: cst.Module
    """Each node is one object: edits find them by identity."""
    lines: Mapping[cst.CSTNode, tuple[int, int]]
    """First and last line of each node, 1-based."""
    parents: Mapping[cst.CSTNode, cst.CSTNode]
    contexts: Mapping[cst.CSTNode, ExpressionContext | None]
    """Whether a name is read, bound or deleted; names of attributes and keywords are not there."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method of a module, nested ones included; or, with an empty name, what stands outside all of them."""

    name: str
    """Dotted: `Parser.read.inner`."""
    node: cst.CSTNode
    """A `FunctionDef`, or the whole `Module`."""
    module: Module
    is_method: bool = False

    @property
    def first(self) -> int:
        """Line of the `def`; 1 for a module."""
        return self.module.lines[self.node.name][0] if isinstance(self.node, cst.FunctionDef) else 1

    @property
    def last(self) -> int:
        """Its last line."""
        return self.module.lines[self.node][1]


@dataclass(frozen=True, slots=True)
class Edit:
    """Nodes and what takes their places, all at once."""

    operator: str
    function: str
    """Dotted name of the function it is in; empty for a module's own statements."""
    line: int
    """1-based, of the first node that is changed."""
    what: str
    """In words."""
    changes: tuple[tuple[cst.CSTNode, cst.CSTNode | cst.RemovalSentinel], ...]

    def apply(self, module: Module) -> str | None:
        """The changed source; None where it would not be Python, or the same as before but for its looks."""
        statements, replacer = list(module.tree.body), _Replacer(dict(self.changes))
        for at, statement in enumerate(module.tree.body):
            first, last = module.lines[statement]
            if first <= self.line <= last:
                changed = statement.visit(replacer)
                new = [changed] if isinstance(changed, cst.BaseStatement) else []
                if _tree(module.tree.with_changes(body=new)) == _tree(module.tree.with_changes(body=[statement])):
                    return None
                statements[at : at + 1] = new
                break
        code = module.tree.with_changes(body=statements).code
        try:
            compile(code, "<mutation>", "exec", dont_inherit=True)  # finds what parsing does not: a `return` outside
        except UNREADABLE:
            return None
        return code


def _tree(module: cst.Module) -> str:
    """The syntax tree; of what does not parse, the text."""
    try:
        return ast.dump(parse(module.with_changes(header=[], footer=[]).code))
    except UNREADABLE:
        return module.code


class _Replacer(cst.CSTTransformer):
    """Puts nodes in the places of others, which are found by identity."""

    def __init__(self, changes: dict[cst.CSTNode, cst.CSTNode | cst.RemovalSentinel]) -> None:
        super().__init__()
        self._changes = changes

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]:
        if original_node in self._changes:
            return self._changes[original_node]
        return super().on_leave(original_node, updated_node)


def read_module(source: str) -> Module | None:
    """The parsed source; None if it does not parse."""
    try:
        wrapper = MetadataWrapper(cst.parse_module(source))
        ranges: Any
        parents: Any
        contexts: Any
        ranges, parents, contexts = map(wrapper.resolve, (PositionProvider, ParentNodeProvider, ExpressionContextProvider))
    except (cst.ParserSyntaxError, RecursionError):
        return None
    lines = {node: (place.start.line, place.end.line) for node, place in ranges.items()}
    return Module(source, wrapper.module, lines, parents, contexts)


def functions_of(module: Module) -> Iterator[Function]:
    """Its functions in the order of their text, then the module itself."""
    waiting: list[tuple[cst.CSTNode, str, bool]] = [(module.tree, "", False)]
    while waiting:
        node, name, in_class = waiting.pop()
        inside = name
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            inside = f"{name}.{node.name.value}" if name else node.name.value
            if isinstance(node, cst.FunctionDef):
                yield Function(inside, node, module, in_class)
            in_class = isinstance(node, cst.ClassDef)
        waiting += [(child, inside, in_class) for child in reversed(node.children)]
    yield Function("", module.tree, module)
