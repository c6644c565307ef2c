"""Places in a function where a statement may be missing.

    for point in points_of(function):
        point.insert("return result")           # the pieces of text that put it there

A block that has only `pass` is a place, and the statement takes its place.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from foretrace.forager.repair.code import TERMINAL, Function, FunctionNode, Piece, blocks, is_docstring


@dataclass(frozen=True)
class Point:
    """Between two statements of a block, before its first, or after its last."""

    start: int
    end: int
    indent: str
    line: int
    """The statement would stand in this line, or just before it."""
    before: ast.stmt | None
    """The statement before it."""
    after: ast.stmt | None
    owner: ast.AST
    is_last: bool
    """Nothing follows in its block."""
    is_pass: bool
    loop: int = 0
    """Last line of the outermost loop around it; 0 if there is none."""
    depth: int = 0
    tail: str = "\n"

    def insert(self, text: str) -> tuple[Piece, ...]:
        """The statement there; `text` may have several lines."""
        lines = "\n".join(self.indent + line if line else line for line in text.split("\n"))
        if self.is_pass:
            return (Piece(self.start, self.end, lines.lstrip(" \t")),)
        lead = "" if self.tail else "\n"
        return (Piece(self.start, self.start, f"{lead}{lines}\n"),)


def points_of(function: Function) -> Iterator[Point]:
    """The places of a function, in the order of its blocks; none after a statement that leaves the block."""
    code = function.code
    for owner, _, block in blocks(function.node):
        first = 1 if owner is function.node and is_docstring(block[0]) else 0
        loop, depth = _around(function, block[0])
        if len(block) == first + 1 and isinstance(block[first], ast.Pass):
            start, end = code.span(block[first])
            indent = _indent(function, block[first])
            line = block[first].lineno
            yield Point(start, end, indent, line, None, None, owner, True, True, loop, depth)
            continue
        if block[0].lineno == getattr(owner, "lineno", 0):
            continue  # `if x: y`: all in one line
        indent = _indent(function, block[0])
        for at in range(first, len(block) + 1):
            before, after = block[at - 1] if at else None, block[at] if at < len(block) else None
            if isinstance(before, TERMINAL):
                break
            if after is not None:
                line = min([after.lineno, *(d.lineno for d in getattr(after, "decorator_list", []))])
            else:
                assert before is not None
                line = (before.end_lineno or before.lineno) + 1
            start = code.offset(line)
            tail = "" if start and code.source[start - 1] != "\n" else "\n"
            yield Point(start, start, indent, line, before, after, owner, after is None, False, loop, depth, tail)


def _indent(function: Function, statement: ast.stmt) -> str:
    start = function.code.offset(statement.lineno)
    text = function.code.source[start : function.code.span(statement)[0]]
    return text if not text.strip() else " " * statement.col_offset


def _around(function: Function, statement: ast.stmt) -> tuple[int, int]:
    """The last line of the outermost loop around a statement, and how many blocks it is in."""
    loop, depth = 0, 0
    for node in function.own:
        if node is not statement and isinstance(node, ast.stmt) and not isinstance(node, FunctionNode):
            inside = node.lineno < statement.lineno <= (node.end_lineno or 0)
            depth += inside and hasattr(node, "body")
            if inside and isinstance(node, ast.For | ast.While | ast.AsyncFor):
                loop = max(loop, node.end_lineno or 0)
    return loop, depth
