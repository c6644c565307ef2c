"""A file of Python as text with a tree, and changes of it as pieces of text: comments and spaces stay as they are.

    code = Code("pkg/a.py", source)
    function = code.function("Parser.read")
    code.text(function.node.body[0])
    changed = splice(source, [Piece(start, end, "x + 1")])

Positions are offsets in characters, as `ast` gives lines and bytes.
"""

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from foretrace.forager.patches import git_lines
from foretrace.trace.syntax import UNREADABLE, parse

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
TERMINAL = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Text instead of what stands between two offsets."""

    start: int
    end: int
    text: str


def splice(source: str, pieces: Iterable[Piece]) -> str:
    """The source with pieces in it; they must not overlap."""
    out, at = [], 0
    for piece in sorted(pieces):
        assert piece.start >= at, "pieces overlap"
        out += [source[at : piece.start], piece.text]
        at = piece.end
    return "".join([*out, source[at:]])


@dataclass(frozen=True, eq=False)
class Function:
    """A function or method, nested ones included."""

    name: str
    """Dotted: `Parser.read.inner`."""
    node: FunctionNode
    code: "Code"
    owner: ast.ClassDef | None = None
    """The class whose method it is."""
    outer: "Function | None" = None
    """The function it is defined in."""

    @cached_property
    def lines(self) -> range:
        """From the first decorator, if there is one, to the last line."""
        return _lines(self.node)

    @cached_property
    def own(self) -> tuple[ast.AST, ...]:
        """All nodes of its body but for what is inside nested functions, lambdas and classes, in the order of the text."""
        return tuple(own_nodes(self.node))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Their names, in order; `self` and `cls` of methods, too."""
        given = self.node.args
        several = [*given.posonlyargs, *given.args, *filter(None, [given.vararg]), *given.kwonlyargs]
        return tuple(each.arg for each in [*several, *filter(None, [given.kwarg])])


class Code:
    """One file.

    Raises:
        SyntaxError: it is not Python.

    """

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source = path, source
        try:
            self.tree = parse(source)
        except UNREADABLE as error:
            raise SyntaxError(f"{path} cannot be read as Python: {error}") from error
        self.lines = git_lines(source)
        self._starts = [0, *accumulate(map(len, self.lines))]

    def offset(self, line: int, column: int = 0) -> int:
        """Of a 1-based line and a column in bytes."""
        if line > len(self.lines):
            return len(self.source)
        text = self.lines[line - 1]
        if column and not text.isascii():
            column = len(text.encode()[:column].decode(errors="ignore"))
        return self._starts[line - 1] + column

    def line_of(self, offset: int) -> int:
        """The line of an offset."""
        return bisect_right(self._starts, offset)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Offsets of a node's text."""
        assert isinstance(node, ast.expr | ast.stmt | ast.arg | ast.alias | ast.keyword), "it has a position"
        at = node
        return self.offset(at.lineno, at.col_offset), self.offset(at.end_lineno or at.lineno, at.end_col_offset or 0)

    def text(self, node: ast.AST) -> str:
        """Its text."""
        start, end = self.span(node)
        return self.source[start:end]

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """All of them, in the order of the text."""
        return tuple(sorted(_functions(self, self.tree.body, "", None, None), key=lambda each: each.node.lineno))

    def function(self, name: str) -> Function | None:
        """The function of a dotted name: the last one, which is the one that counts, if there are several."""
        found = [each for each in self.functions if each.name == name]
        return found[-1] if found else None

    def around(self, line: int) -> Function | None:
        """The innermost function that a line is in."""
        found = [each for each in self.functions if line in each.lines]
        return max(found, key=lambda each: each.node.lineno) if found else None


def own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one, without those inside of nested functions, lambdas and classes, but with these themselves."""
    waiting = [*reversed(getattr(root, "body", []))] if isinstance(root, FunctionNode) else [root]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def blocks(node: ast.AST) -> Iterator[tuple[ast.AST, str, list[ast.stmt]]]:
    """Blocks of a function with their owners, its body first; not those of nested functions and classes."""
    waiting: list[ast.AST] = [node]
    while waiting:
        owner = waiting.pop()
        for field in ("body", "orelse", "finalbody"):
            block = getattr(owner, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield owner, field, block
        inside = [*getattr(owner, "handlers", []), *getattr(owner, "cases", [])]
        for field in ("body", "orelse", "finalbody"):
            inside += [s for s in getattr(owner, field, []) if isinstance(s, ast.stmt)]
        waiting += [each for each in reversed(inside) if not isinstance(each, FunctionNode | ast.ClassDef)]


def is_docstring(statement: ast.AST) -> bool:
    """Whether a statement is a text and nothing else."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _functions(
    code: Code, body: Sequence[ast.AST], prefix: str, owner: ast.ClassDef | None, outer: Function | None
) -> Iterator[Function]:
    for node in body:
        if isinstance(node, FunctionNode):
            found = Function(prefix + node.name, node, code, owner, outer)
            yield found
            yield from _functions(code, node.body, f"{found.name}.", None, found)
        elif isinstance(node, ast.ClassDef):
            yield from _functions(code, node.body, f"{prefix}{node.name}.", node, outer)
        else:
            yield from _functions(code, list(ast.iter_child_nodes(node)), prefix, owner, outer)


def _lines(node: ast.stmt) -> range:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return range(first, (node.end_lineno or node.lineno) + 1)
