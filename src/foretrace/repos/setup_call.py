"""The arguments of `setup()` in a setup.py, as far as they are literals; nothing is run.

    read_setup('deps = ["a"]; setup(install_requires=deps + ["b"])')        # {'install_requires': ['a', 'b']}

Names that are bound once at module level to something readable are looked up; sums of lists are added.
"""

import ast
from typing import Any

_MAX_DEPTH, _MAX_STEPS = 20, 100_000


class _Unreadable(Exception):
    """Something that only running it would tell."""


def read_setup(source: str) -> dict[str, Any]:
    """Keyword arguments of the first call of `setup` or `setuptools.setup`; what cannot be read is left out."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    reader = _Reader(_bindings(tree))
    call = next((node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_setup(node.func)), None)
    found: dict[str, Any] = {}
    for keyword in call.keywords if call else []:
        try:
            value = reader.value(keyword.value)
        except _Unreadable:
            continue
        if keyword.arg is None and isinstance(value, dict):
            found |= {key: each for key, each in value.items() if isinstance(key, str)}
        elif keyword.arg is not None:
            found[keyword.arg] = value
    return found


def _is_setup(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "setup") or (
        isinstance(function, ast.Attribute) and function.attr == "setup"
    )


def _bindings(tree: ast.Module) -> dict[str, ast.expr]:
    """Module-level names that are bound once."""
    found: dict[str, ast.expr] = {}
    twice = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            twice |= {name} & found.keys()
            found[name] = node.value
    return {name: value for name, value in found.items() if name not in twice}


class _Reader:
    """Values of expressions, as far as they take few steps: names that are lists of names grow without end."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self._names, self._steps = names, 0

    def value(self, node: ast.expr, depth: int = 0) -> Any:
        """What an expression is.

        Raises:
            _Unreadable: it is no literal, or too large.

        """
        self._spend(1)
        if depth > _MAX_DEPTH:
            raise _Unreadable
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.value(each, depth + 1) for each in node.elts]
        if isinstance(node, ast.Name) and node.id in self._names:
            return self.value(self._names[node.id], depth + 1)
        if isinstance(node, ast.Dict):
            return self._dictionary(node, depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
            return {each.arg: self.value(each.value, depth + 1) for each in node.keywords if each.arg}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = (self.value(each, depth + 1) for each in (node.left, node.right))
            if type(left) is type(right) and isinstance(left, list | str):
                self._spend(len(left) + len(right))
                return left + right
        raise _Unreadable

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MAX_STEPS:
            raise _Unreadable

    def _dictionary(self, node: ast.Dict, depth: int) -> dict[str, Any]:
        """What can be read of a dictionary; the rest of it is left out."""
        found = {}
        for key, value in zip(node.keys, node.values, strict=True):
            try:
                name = self.value(key, depth + 1) if key else None
                if isinstance(name, str):
                    found[name] = self.value(value, depth + 1)
            except _Unreadable:
                continue
        return found
