"""An expression with the values of its names put in: `n > limit` becomes `3 > 2`.

Only where that reading is true: nothing in the expression may change a value before it is used, so calls must be of
builtins and methods known to change nothing.
"""

import ast
import re

from foretrace.record.narration.syntax import Syntax
from foretrace.record.narration.texts import attributes, exact_literal

_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytes",
        "chr",
        "dict",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "hash",
        "hex",
        "int",
        "isinstance",
        "len",
        "list",
        "map",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    ]
)
_METHODS = frozenset(
    [
        "bit_length",
        "capitalize",
        "casefold",
        "center",
        "copy",
        "count",
        "decode",
        "difference",
        "encode",
        "endswith",
        "expandtabs",
        "find",
        "format",
        "get",
        "index",
        "intersection",
        "is_integer",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isdisjoint",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "issubset",
        "issuperset",
        "istitle",
        "isupper",
        "items",
        "join",
        "keys",
        "ljust",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rjust",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "translate",
        "union",
        "upper",
        "values",
        "zfill",
        "symmetric_difference",
    ]
)
_PLAIN = re.compile(r"""-?\d|['"(\[{]|b['"]|None$|True$|False$|set\(\)$""")
_CHANGING = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.JoinedStr, ast.Starred)


def with_values(node: ast.expr, state: dict[str, str], syntax: Syntax, limit: int) -> str | None:
    """The text of `node` with values for names; `None` if none can be put in, or the text would pass `limit`."""
    if node.lineno != node.end_lineno:
        return None
    if isinstance(node, ast.Name):  # by far the most frequent
        text = state.get(node.id, "<")
        return text if _fits(text, limit) else None
    line = syntax.lines[node.lineno - 1]
    if not line.isascii():
        return None
    places = _places(node, state, syntax)
    if not places:
        return None
    text = line[node.col_offset : node.end_col_offset]
    for start, end, value in sorted(places, reverse=True):
        if not _fits(value, limit):
            return None
        text = text[: start - node.col_offset] + value + text[end - node.col_offset :]
    return text if len(text) <= limit else None


def is_condition(node: ast.expr) -> bool:
    """Whether it can only be True or False, of built-in types at least."""
    match node:
        case ast.Compare():
            return True
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp():
            return all(is_condition(value) for value in node.values)
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name.startswith("is") or name in ("startswith", "endswith", "all", "any", "bool")
        case ast.Constant():
            return isinstance(node.value, bool)
    return False


def is_arithmetic(node: ast.expr) -> bool:
    """Whether it is a sum, a product or the like of names and numbers."""
    if isinstance(node, ast.BinOp):
        return is_arithmetic(node.left) and is_arithmetic(node.right)
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and type(node.value) in (int, float, str))


def _fits(value: str, limit: int) -> bool:
    return len(value) <= limit and "…" not in value and "<" not in value and _PLAIN.match(value) is not None


def _places(root: ast.expr, state: dict[str, str], syntax: Syntax) -> list[tuple[int, int, str]] | None:
    """Where which value goes; `None` if putting them in could be untrue."""
    places = []
    own = _inner_names(root)
    waiting: list[tuple[ast.AST, ast.AST | None]] = [(root, None)]
    while waiting:
        node, parent = waiting.pop()
        if isinstance(node, _CHANGING) or (isinstance(node, ast.Call) and not _is_harmless(node, state, syntax)):
            return None
        if (part := _part(node, state)) is not None and not own.intersection(_names(node)):
            places.append((node.col_offset, node.end_col_offset, _guarded(part, parent)))  # type: ignore[attr-defined]
            continue
        if isinstance(node, ast.Name):
            value = state.get(node.id)
            if value is not None and node.id not in own and not value.startswith("<"):
                places.append((node.col_offset, node.end_col_offset or 0, _guarded(value, parent)))
            continue
        waiting += [(child, node) for child in ast.iter_child_nodes(node)]
    return places


def _part(node: ast.AST, state: dict[str, str]) -> str | None:
    """The text of `xs[i]` or `obj.attribute`, where the value of `xs` or `obj` shows it."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=index, ctx=ast.Load()) if name in state:
            container, key = exact_literal(state[name]), _key(index, state)
            if isinstance(container, str | list | tuple | dict) and key is not None:
                try:
                    return repr(container[key])  # type: ignore[index, call-overload]
                except (LookupError, TypeError):
                    return None
        case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Load()) if state.get(name, "").startswith("<"):
            return attributes(state[name])[1].get(attribute)
    return None


def _key(node: ast.expr, state: dict[str, str]) -> object:
    """The value of a simple index; `None` if it is another expression."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return exact_literal(state.get(name, ""))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _key(operand, state)
            return -positive if type(positive) is int else None
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            a, b = _key(left, state), _key(right, state)
            if type(a) is int and type(b) is int:
                return a + b if isinstance(op, ast.Add) else a - b
    return None


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _guarded(value: str, parent: ast.AST | None) -> str:
    """In parentheses where the value would otherwise be read as something else."""
    signed = value.startswith("-") and isinstance(parent, (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Subscript))
    dotted = value[0].isdigit() and isinstance(parent, ast.Attribute)
    return f"({value})" if signed or dotted else value


def _is_harmless(call: ast.Call, state: dict[str, str], syntax: Syntax) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in _BUILTINS and call.func.id not in syntax.bound and call.func.id not in state
    return isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS


def _inner_names(root: ast.expr) -> set[str]:
    """Names that comprehensions and lambdas within the expression bind for themselves."""
    found: set[str] = set()
    for node in ast.walk(root):
        if isinstance(node, ast.comprehension):
            found.update(n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Lambda):
            found.update(n.arg for n in ast.walk(node.args) if isinstance(n, ast.arg))
    return found
