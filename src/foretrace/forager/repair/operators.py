"""Another operator, a missing `not` or `-`, other constants' signs: slips inside of expressions.

operators(function)            # `+` instead of `-`, `or` instead of `and`, …
negations(function)            # `not x` instead of `x` where truth is asked for, `-x` where numbers are
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Function, Piece

_ARITHMETIC = {
    "+": "- *",
    "-": "+",
    "*": "/ ** + // %",
    "/": "* // %",
    "//": "/ % *",
    "%": "// * /",
    "**": "* //",
    "<<": ">>",
    ">>": "<<",
    "&": "| ^",
    "|": "& ^",
    "^": "| &",
    "@": "*",
}
_COMPARING = {
    "==": "!= is",
    "!=": "== is",
    "<": "<= > >=",
    "<=": "< >= >",
    ">": ">= < <=",
    ">=": "> <= <",
    "in": "not_in",
    "not in": "in",
    "is": "is_not",
    "is not": "is",
}
_OPERATOR = re.compile(r"not\s+in|is\s+not|\*\*|//|<<|>>|[<>=!]=|[-+*/%&|^@<>]|\b(?:in|is|and|or)\b")
_COMMENT = re.compile(r"#[^\n]*")


def operators(function: Function) -> Iterator[Candidate]:
    """Each operator of a function, by each other that may have been meant."""
    code = function.code
    for node in function.own:
        if isinstance(node, ast.BinOp):
            yield from _other(function, code.span(node.left)[1], code.span(node.right)[0], _ARITHMETIC)
        elif isinstance(node, ast.AugAssign):
            yield from _other(function, code.span(node.target)[1], code.span(node.value)[0], _ARITHMETIC)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for one, other in pairwise(sides):
                yield from _other(function, code.span(one)[1], code.span(other)[0], _COMPARING)
        elif isinstance(node, ast.BoolOp):
            pairs = list(pairwise(node.values))
            for one, other in pairs:
                yield from _other(function, code.span(one)[1], code.span(other)[0], {"and": "or", "or": "and"})
            if len(pairs) > 1:
                new = "or" if isinstance(node.op, ast.And) else "and"
                old = "and" if new == "or" else "or"
                found = [_find(function, code.span(one)[1], code.span(other)[0]) for one, other in pairs]
                pieces = tuple(Piece(start, end, new) for start, end in filter(None, found))
                yield Candidate(code, pieces, f"replace all `{old}` by `{new}`", "operators", 1.5)


def negations(function: Function) -> Iterator[Candidate]:
    """A `not`, `-` or `~` that may be missing."""
    code = function.code
    seen: set[object] = set()
    for node in function.own:
        for part, cost in _truths(node):
            if id(part) not in seen and not (isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not)):
                seen.add(id(part))
                yield _prefixed(function, part, "not ", cost)
    for node in function.own:
        for part, cost in _numbers(node):
            if ("-", id(part)) not in seen:
                seen.add(("-", id(part)))
                yield _prefixed(function, part, "-", cost)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
            for part in (node.left, node.right):
                yield _prefixed(function, part, "~", 3.0)
        if isinstance(node, ast.UnaryOp):
            start, end = code.span(node)
            inside = code.text(node.operand)
            what = f"drop the sign of `{_short(code.text(node))}`"
            yield Candidate(code, (Piece(start, end, inside),), what, "operators", 3.0)


def _other(function: Function, start: int, end: int, table: dict[str, str]) -> Iterator[Candidate]:
    found = _find(function, start, end)
    if found is None:
        return
    code = function.code
    old = " ".join(code.source[found[0] : found[1]].split())
    key = old.removesuffix("=") if old not in table and old.endswith("=") else old
    for rank, new in enumerate(table.get(key, "").split()):
        text = new.replace("_", " ") + ("=" if key != old else "")
        yield Candidate(code, (Piece(*found, text),), f"replace `{old}` by `{text}`", "operators", 1.0 + 0.6 * rank)


def _find(function: Function, start: int, end: int) -> tuple[int, int] | None:
    """The operator between two operands, comments left out."""
    between = _COMMENT.sub(lambda m: " " * len(m[0]), function.code.source[start:end])
    found = _OPERATOR.search(between)
    return (start + found.start(), start + found.end()) if found else None


def _truths(node: ast.AST) -> Iterator[tuple[ast.expr, float]]:
    """Parts of a node whose truth is asked for, or may be."""
    match node:
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            yield node.test, 1.0
        case ast.comprehension():
            for test in node.ifs:
                yield test, 1.0
        case ast.BoolOp():
            for value in node.values:
                yield value, 1.2
        case ast.Return(value=ast.expr() as value):
            yield value, 1.6
        case ast.Assign() | ast.keyword() | ast.Lambda():
            yield node.value if not isinstance(node, ast.Lambda) else node.body, 2.2
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot()]):
            yield left, 2.5
        case ast.Call():
            for argument in node.args:
                yield argument, 2.6


def _numbers(node: ast.AST) -> Iterator[tuple[ast.expr, float]]:
    """Parts of a node that may be numbers."""
    simple = (ast.Constant, ast.Name, ast.Attribute, ast.Call, ast.Subscript)
    parts: list[tuple[ast.expr | None, float]] = []
    match node:
        case ast.Subscript():
            parts = [(node.slice, 1.2)]
        case ast.Slice():
            parts = [(node.lower, 1.2), (node.upper, 1.2), (node.step, 1.5)]
        case ast.BinOp():
            parts = [(node.left, 1.8), (node.right, 1.8)]
        case ast.Compare():
            parts = [(each, 1.8) for each in [node.left, *node.comparators]]
        case ast.Call():
            parts = [(each, 2.0) for each in [*node.args, *(k.value for k in node.keywords)]]
        case ast.Return() | ast.Assign() | ast.AugAssign():
            parts = [(node.value, 1.8)]
        case ast.IfExp():
            parts = [(node.body, 1.8), (node.orelse, 1.8)]
        case ast.Tuple() | ast.List():
            parts = [(each, 2.4) for each in node.elts]
    for part, cost in parts:
        if isinstance(part, ast.Constant) and not (type(part.value) in (int, float) and part.value):
            continue
        if isinstance(part, simple):
            yield part, cost


def _prefixed(function: Function, node: ast.expr, sign: str, cost: float) -> Candidate:
    start, end = function.code.span(node)
    text = function.code.source[start:end]
    loose = isinstance(node, ast.BoolOp | ast.IfExp | ast.NamedExpr) or (
        sign != "not " and isinstance(node, ast.BinOp | ast.Compare)
    )
    new = f"{sign}({text})" if loose else f"{sign}{text}"
    return Candidate(
        function.code, (Piece(start, end, new),), f"replace `{_short(text)}` by `{_short(new)}`", "negations", cost
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 50 else text[:49] + "…"
