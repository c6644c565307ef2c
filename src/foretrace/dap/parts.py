"""The parts of a value: what an editor shows when a list is unfolded, and what is left when one of them is changed.

    parts_of([1, {"a": 2}])                          # [Part('0', '[0]', 1), Part('1', '[1]', {'a': 2})]
    part_at([1, {"a": 2}], (1, 0))                   # 2
    with_part([1, {"a": 2}], (1, 0), 9)              # [1, {'a': 9}]
    find_part("rows[1]['a']", {"rows": "[1, {'a': 2}]"})      # ('rows', (1, 0))

A part is found by a path: at each level, its number among the parts. Values are read from their texts, never executed.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foretrace.debug import Expression
from foretrace.debug.pure import ordered, type_name
from foretrace.debug.reading import Thing, is_value, read
from foretrace.errors import UsageError
from foretrace.trace.syntax import UNREADABLE, parse

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """An item of a container, or an attribute of an object."""

    label: str
    suffix: str
    """What stands after the expression of the whole; empty if no expression says it."""
    value: Any


def parts_of(value: Any) -> list[Part]:
    """The parts of a value; none of one that has none."""
    match value:
        case list() | tuple():
            return [Part(str(at), f"[{at}]", item) for at, item in enumerate(value)]
        case dict():
            return [Part(repr(key), f"[{key!r}]" if _is_plain(key) else "", item) for key, item in value.items()]
        case set() | frozenset():
            return [Part(str(at), "", item) for at, item in enumerate(ordered(value))]
        case Thing():
            return [Part(name, f".{name}" if name.isidentifier() else "", v) for name, v in value.fields.items()]
    return []


def part_at(value: Any, path: Path) -> Any:
    """The part that a path leads to.

    Raises:
        UsageError: there is none any more.

    """
    for at in path:
        parts = parts_of(value)
        if at >= len(parts):
            raise UsageError("the value has other parts by now; unfold it again")
        value = parts[at].value
    return value


def with_part(value: Any, path: Path, new: Any) -> Any:
    """A value in which the part that a path leads to is another.

    Raises:
        UsageError: there is none, or parts of such values cannot be changed by themselves.

    """
    if not path:
        return new
    at, part = path[0], with_part(part_at(value, path[:1]), path[1:], new)
    match value:
        case list():
            return [*value[:at], part, *value[at + 1 :]]
        case tuple():
            return (*value[:at], part, *value[at + 1 :])
        case dict():
            return value | {list(value)[at]: part}
    raise UsageError(f"a part of a {type_name(value)} cannot be changed by itself; change the whole")


def new_value(text: str, state: Mapping[str, str]) -> Any:
    """The value that a user means: what the text shows, or what it is as an expression.

    Raises:
        UsageError: it is neither.

    """
    return read(text) if is_value(text) else Expression(text).value(state)


def find_part(expression: str, state: Mapping[str, str]) -> tuple[str, Path]:
    """The local that `rows[1]['a']` is a part of, and the path there.

    Raises:
        UsageError: there is no such local or part, or the text is no such expression.

    """
    try:
        node = parse(expression.strip(), expression=True).body
    except UNREADABLE as error:
        raise UsageError(f"{expression!r} is no name or part that could be changed") from error
    suffixes: list[str] = []
    while not isinstance(node, ast.Name):
        match node:
            case ast.Subscript():
                suffixes.append(f"[{ast.unparse(node.slice)}]")
            case ast.Attribute():
                suffixes.append(f".{node.attr}")
            case _:
                raise UsageError(f"{expression!r} is no name or part that could be changed")
        node = node.value
    if node.id not in state:
        raise UsageError(f"there is no name {node.id!r} here; those there are: {', '.join(state) or 'none'}")
    return node.id, _follow(expression, read(state[node.id]), suffixes[::-1])


def _follow(expression: str, value: Any, suffixes: list[str]) -> Path:
    path: list[int] = []
    for suffix in suffixes:
        parts = parts_of(value)
        at = next((at for at, part in enumerate(parts) if part.suffix == suffix), None)
        if at is None:
            raise UsageError(f"{expression!r}: there is no {suffix}")
        path.append(at)
        value = parts[at].value
    return tuple(path)


def _is_plain(key: Any) -> bool:
    return key is None or isinstance(key, str | bytes | int)
