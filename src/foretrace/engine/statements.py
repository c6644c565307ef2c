r"""What can be read off the lines of a program without running any: which names a line may change, and plain values.

statements = Statements("def f(x):\n    y = x\n    return y\n")
statements.changes(2)                     # {'y'}
statements.assigned(2, "y", {"x": "41"})  # '41': the name on the right has it already
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from foretrace.trace.syntax import UNREADABLE, literal, parse

State = Mapping[str, str]
"""Names to reprs."""
_ALTERING = (
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "sort",
    "update",
)
_MOST_ITEMS = 1000
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_LOOPS = (ast.For, ast.AsyncFor)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Statements:
    """The statements of a source text, by the line they begin in; none where it does not parse."""

    def __init__(self, source: str) -> None:
        self._at: dict[int, list[ast.stmt]] = {}
        self._changes: dict[int, frozenset[str]] = {}
        try:
            self._tree: ast.AST = parse(source)
        except UNREADABLE:
            self._tree = ast.Module([], [])
        for node in ast.walk(self._tree):
            if isinstance(node, ast.stmt):
                self._at.setdefault(node.lineno, []).append(node)

    @cached_property
    def order(self) -> dict[str, tuple[int, int]]:
        """Where each name is first assigned: locals are shown in this order."""
        stored = [node for node in ast.walk(self._tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        places = [(node.lineno, node.col_offset, node.id) for node in stored]
        return {name: (line, column) for line, column, name in sorted(places, reverse=True)}

    def changes(self, line: int) -> frozenset[str]:
        """The names whose values a line may change: those it assigns, and those whose objects it may alter."""
        if line not in self._changes:
            self._changes[line] = frozenset(name for statement in self._at.get(line, ()) for name in _changed(statement))
        return self._changes[line]

    def returns(self, line: int) -> bool:
        """Whether the line is a `return`."""
        return any(isinstance(statement, ast.Return) for statement in self._at.get(line, ()))

    def assigned(self, line: int, name: str, state: State, returned: str | None = None) -> str | None:
        """The value that a line assigns to `name`, where it can be read: a literal, what another name has, or what a call
        has `returned`.
        """
        for statement in self._at.get(line, ()):
            if isinstance(statement, ast.Assign) and name in (_name(target) for target in statement.targets):
                return returned if isinstance(statement.value, ast.Call) else _read(statement.value, state)
        return None

    def result(self, line: int, state: State, returned: str | None = None) -> str | None:
        """The value that a function left in this line returns, where it can be read."""
        for statement in self._at.get(line, ()):
            if isinstance(statement, ast.Return) and statement.value is not None:
                return returned if isinstance(statement.value, ast.Call) else _read(statement.value, state)
        return "None"

    def loop(self, line: int) -> tuple[str, range] | None:
        """Of the loop over items whose head this line is: its variable, and all of its lines."""
        for statement in self._at.get(line, ()):
            if isinstance(statement, _LOOPS) and (variable := _name(statement.target)):
                return variable, range(line, (statement.end_lineno or line) + 1)
        return None

    def items(self, line: int, state: State) -> list[str] | None:
        """What the loop in this line goes over, where it can be read."""
        over = next((s.iter for s in self._at.get(line, ()) if isinstance(s, _LOOPS)), None)
        if isinstance(over, ast.Call) and _name(over.func) == "range":
            numbers = [_literal(_read(argument, state)) for argument in over.args]
            is_plain = len(numbers) in (1, 2) and all(type(number) is int for number in numbers)
            return [str(number) for number in range(*numbers)[:_MOST_ITEMS]] if is_plain else None
        values = _literal(_read(over, state)) if over is not None else None
        return [repr(value) for value in values] if isinstance(values, (list, tuple, str, dict)) else None

    def arguments(self, line: int, function: str, state: State) -> dict[str, str | None]:
        """The parameters of a function and the arguments of its first call in a line, as far as they can be read."""
        definitions = (node for node in ast.walk(self._tree) if isinstance(node, _FUNCTIONS) and node.name == function)
        definition = next(definitions, None)
        if definition is None:
            return {}
        given = definition.args
        parameters = [parameter.arg for parameter in (*given.posonlyargs, *given.args)]
        found: dict[str, str | None] = dict.fromkeys([*parameters, *(parameter.arg for parameter in given.kwonlyargs)])
        nodes = (n for statement in self._at.get(line, ()) for part in _parts(statement) for n in ast.walk(part))
        call = next((n for n in nodes if isinstance(n, ast.Call) and _name(n.func) == function), None)
        if call is not None:
            found |= {name: _read(value, state) for name, value in zip(parameters, call.args, strict=False)}
            found |= {k.arg: _read(k.value, state) for k in call.keywords if k.arg in found}
        return found


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """What of a statement runs in its first line: not the blocks of a compound one."""
    inside = {id(node) for name in _BLOCKS for node in getattr(statement, name, ())}
    return (node for node in ast.iter_child_nodes(statement) if id(node) not in inside)


def _name(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _read(node: ast.AST, state: State) -> str | None:
    """The repr of what a name or a literal stands for."""
    if isinstance(node, ast.Name):
        return state.get(node.id)
    try:
        return repr(ast.literal_eval(node))
    except UNREADABLE:
        return None


@lru_cache(maxsize=256)
def _literal(text: str | None) -> Any:
    """The value of a repr; None where it is no literal."""
    try:
        return literal(text or "None")
    except UNREADABLE:
        return None


def _changed(statement: ast.stmt) -> Iterator[str]:
    for node in (node for part in _parts(statement) for node in ast.walk(part)):
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            base = node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if not isinstance(statement, ast.Expr) and node.func.attr not in _ALTERING:
                continue
            base = node.func.value  # a method that is known to alter its object, or is called for nothing else
        else:
            continue
        while isinstance(base, ast.Attribute | ast.Subscript):
            base = base.value
        if isinstance(base, ast.Name):
            yield base.id
