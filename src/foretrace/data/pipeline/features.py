"""What the columns say of a trace, read off its frames."""

import ast
from functools import lru_cache
from types import CodeType
from typing import Any

from foretrace.trace import Event, Frame, Trace

_PLAIN = (
    ast.Module, ast.Name, ast.Load, ast.Store, ast.Del, ast.arguments, ast.arg, ast.keyword, ast.alias, ast.operator,
    ast.unaryop, ast.cmpop, ast.boolop, ast.Expr, ast.Constant, ast.withitem, ast.match_case, ast.ExceptHandler,
    ast.FormattedValue,
)  # fmt: skip
"""Nodes that say nothing of how a program is made."""
_OPENINGS = {"[": "list", "(": "tuple", "'": "str", '"': "str", "-": "number"}
_NAMES = {"True": "bool", "False": "bool", "None": "None", "nan": "float", "inf": "float", "set()": "set"}


@lru_cache(maxsize=4)
def constructs(source: str) -> list[str]:
    """Names of the kinds of statements and expressions in a source; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return sorted({type(node).__name__ for node in ast.walk(tree) if not isinstance(node, _PLAIN)})


def entry_lines(source: str, entry: str) -> frozenset[int]:
    """Executable lines of a function of a source; none if it does not compile."""
    try:
        codes = [compile(source, "<source>", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    while codes:
        code = codes.pop()
        if code.co_qualname == entry:
            return frozenset(line for *_, line in code.co_lines() if line) - {code.co_firstlineno}
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return frozenset()


def value_type(text: str) -> str:
    """The kind of value that a bounded repr shows."""
    first = text[:1]
    if first in _OPENINGS and first != "-":
        return _OPENINGS[first]
    if first.isdigit() or first == "-":
        return "complex" if text.endswith("j") else "int" if text.lstrip("-").isdigit() else "float"
    if first == "{":
        return _braces(text)
    if text in _NAMES:
        return _NAMES[text]
    if text[:2] in ("b'", 'b"'):
        return "bytes"
    if first == "<":
        return text[1:].split(" ", 1)[0].split("#", 1)[0].rstrip(">") or "object"
    return text.partition("(")[0] if "(" in text else "object"


def _braces(text: str) -> str:
    """Whether `{…}` is a dict or a set, as far as the first item says."""
    if text == "{}":
        return "dict"
    try:
        node = ast.parse(text, mode="eval").body if len(text) < 200 else None
    except (SyntaxError, ValueError, RecursionError):
        node = None
    return "set" if isinstance(node, ast.Set) else "dict"


def of_trace(trace: Trace, lines: frozenset[int]) -> dict[str, Any]:
    """Columns of a trace; `lines`: the entry's executable ones."""
    frames, last = trace.frames, trace.frames[-1]
    ran = {frame.line for frame in frames if frame.event is Event.LINE}
    return {
        "outcome": str(trace.header.outcome),
        "value": last.value,
        "events": len(frames),
        "depth": max(frame.depth for frame in frames),
        "functions": len({frame.function for frame in frames}),
        "coverage": len(ran & lines) / len(lines) if lines else None,
        "value_types": sorted({value_type(text) for text in texts(frames)}),
    }


def texts(frames: tuple[Frame, ...]) -> set[str]:
    """All values that frames show."""
    found = {frame.value for frame in frames if frame.value is not None}
    for frame in frames:
        if frame.locals:
            found.update(frame.locals.values())
    return found
