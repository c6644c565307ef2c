"""Argument lists as trees that can be changed: ordinary Python values, and a few forms that are none.

arguments = parse_arguments("[3, 1], key=Point(1, 2)")
arguments.positional[0].append(7)
arguments.text                                         # '[3, 1, 7], key=Point(1, 2)'

Every term's `repr` is its source text. What is no literal is an `Expression` (any text), a `Construction` (a call, whose
arguments can be changed in turn) or a `Prepared` (an object on which methods were called). A `SetOf` keeps a set's order.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_ATOMS = {int, str, float, bool, type(None), bytes, complex}
_MAX_TEXT = 5_000


class NotLiteralError(Exception):
    """A term that only evaluating its text gives the value of."""


class SetOf(list[Any]):
    """The elements of a set, in the order of its text."""

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self)) + "}" if self else "set()"


@dataclass(slots=True, frozen=True)
class Expression:
    """An expression that is taken as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(slots=True)
class Arguments:
    """An argument list."""

    positional: list[Any] = field(default_factory=list)
    keywords: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Its source text."""
        return ", ".join([*map(repr, self.positional), *(f"{name}={value!r}" for name, value in self.keywords.items())])


@dataclass(slots=True)
class Construction:
    """A call that makes an object, such as `Node(3)`."""

    name: str
    arguments: Arguments

    def __repr__(self) -> str:
        return f"{self.name}({self.arguments.text})"


@dataclass(slots=True)
class Prepared:
    """An object made and filled by its own methods: `(it := Stack(), it.push(3))[0]`."""

    made: Construction
    steps: list[tuple[str, Arguments]]

    def __repr__(self) -> str:
        calls = ", ".join(f"it.{name}({arguments.text})" for name, arguments in self.steps)
        return f"(it := {self.made!r}, {calls})[0]" if calls else repr(self.made)


def value_of(term: Any) -> Any:
    """A new value of a term made of literals only.

    Raises:
        NotLiteralError: it is not; or it holds a set, whose order depends on how it is written.

    """
    kind = type(term)
    if kind in _ATOMS:
        return term
    if kind is list:
        return [value_of(x) for x in term]
    if kind is tuple:
        return tuple([value_of(x) for x in term])
    if kind is dict:
        return {value_of(k): value_of(v) for k, v in term.items()}
    raise NotLiteralError


def copy_term(term: Any) -> Any:
    """A copy that shares nothing that can be changed."""
    kind = type(term)
    if kind is list or kind is SetOf:
        return kind(copy_term(x) for x in term)
    if kind is tuple:
        return tuple([copy_term(x) for x in term])
    if kind is dict:
        return {k: copy_term(v) for k, v in term.items()}
    if kind is Construction:
        return Construction(term.name, copy_arguments(term.arguments))
    if kind is Prepared:
        return Prepared(copy_term(term.made), [(name, copy_arguments(given)) for name, given in term.steps])
    return term


def copy_arguments(arguments: Arguments) -> Arguments:
    """A copy that shares nothing that can be changed."""
    return Arguments([copy_term(x) for x in arguments.positional], {k: copy_term(v) for k, v in arguments.keywords.items()})


def parse_arguments(text: str) -> Arguments | None:
    """The argument list of a text; None if it does not parse, is huge, or unpacks a mapping."""
    if len(text) > _MAX_TEXT:
        return None
    try:
        call = ast.parse(f"f({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return arguments_of(call) if isinstance(call, ast.Call) else None


def arguments_of(call: ast.Call) -> Arguments | None:
    """The argument list of a call in a syntax tree; None if it unpacks a mapping."""
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    keywords = {keyword.arg: term_of(keyword.value) for keyword in call.keywords if keyword.arg}
    return Arguments([term_of(node) for node in call.args], keywords)


def term_of(node: ast.expr) -> Any:
    """The term of an expression."""
    if isinstance(node, ast.Constant) and type(node.value) in _ATOMS:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = term_of(node.operand)
        return -inner if type(inner) in (int, float, complex) else Expression(ast.unparse(node))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        kind: type = {ast.List: list, ast.Tuple: tuple, ast.Set: SetOf}[type(node)]
        return kind(term_of(x) for x in node.elts)
    if isinstance(node, ast.Dict):
        return _dict_of(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        arguments = arguments_of(node)
        if arguments is not None:
            return Construction(ast.unparse(node.func), arguments)
    return Expression(ast.unparse(node))


def _dict_of(node: ast.Dict) -> Any:
    """A dict if all its keys can be keys here."""
    found: dict[Any, Any] = {}
    try:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:  # it unpacks another
                return Expression(ast.unparse(node))
            found[term_of(key)] = term_of(value)
    except TypeError:
        return Expression(ast.unparse(node))
    return found


def parts(term: Any) -> Iterator[Any]:
    """The term and everything in it."""
    yield term
    if isinstance(term, dict):
        inner: list[Any] = [*term, *term.values()]
    elif isinstance(term, list | tuple):
        inner = list(term)
    elif isinstance(term, Construction):
        inner = [*term.arguments.positional, *term.arguments.keywords.values()]
    else:
        inner = []
    for part in inner:
        yield from parts(part)
