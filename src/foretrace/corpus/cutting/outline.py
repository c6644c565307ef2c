"""A source file as what can be shown of it: its statements, those of its classes, and which of them bind a name."""

import ast
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from foretrace.corpus.cutting.names import bound_names

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(slots=True, eq=False)
class Unit:
    """A statement of a module or of one of its classes."""

    node: ast.stmt
    start: int
    """First line, from 1, decorators included."""
    end: int
    parent: "Unit | None" = None
    """The class that it is in."""
    parts: "list[Unit]" = field(default_factory=list)
    """Of a class: the statements of its body."""

    @property
    def is_class(self) -> bool:
        """Whether it is shown in parts."""
        return bool(self.parts)

    @property
    def is_definition(self) -> bool:
        """Whether it defines a function or class."""
        return isinstance(self.node, Definition)

    @property
    def lines(self) -> range:
        """All its lines."""
        return range(self.start, self.end + 1)

    @property
    def header(self) -> range:
        """Of a class: its lines up to the body."""
        return range(self.start, self.parts[0].start)


class Outline:
    """One source file."""

    def __init__(self, text: str) -> None:
        """Parses `text`.

        Raises:
            SyntaxError: it is not Python.

        """
        self.lines = text.split("\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, in code that is not ours
            try:
                tree = ast.parse(text)
            except (ValueError, RecursionError, MemoryError) as error:  # null bytes, absurd nesting
                raise SyntaxError(str(error)) from error
        self.units = list(_units(tree.body, None))
        self.leaves = sorted(_leaves(self.units), key=lambda unit: unit.start)
        self._starts = [unit.start for unit in self.leaves]
        self.bindings: dict[str, list[Unit]] = {}
        for unit in self.units:
            for name in bound_names(unit.node):
                self.bindings.setdefault(name, []).append(unit)
        self.has_text_annotations = any(
            isinstance(u.node, ast.ImportFrom) and u.node.module == "__future__" and _imports(u.node, "annotations")
            for u in self.units
        )

    def leaf(self, line: int) -> Unit | None:
        """The function, method or other statement that a line is in; None for a blank line, or the first of a class."""
        at = bisect_right(self._starts, line) - 1
        return self.leaves[at] if at >= 0 and line <= self.leaves[at].end else None

    def text(self, lines: Iterable[int]) -> str:
        """The text of some lines."""
        return "\n".join(self.lines[line - 1] for line in lines)


def _imports(node: ast.ImportFrom, name: str) -> bool:
    return any(alias.name == name for alias in node.names)


def _units(body: list[ast.stmt], parent: Unit | None) -> Iterator[Unit]:
    for node in body:
        start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) if isinstance(node, Definition) else node.lineno
        unit = Unit(node, start, node.end_lineno or node.lineno, parent)
        if isinstance(node, ast.ClassDef) and node.body[0].lineno > node.lineno:
            unit.parts = list(_units(node.body, unit))
        yield unit


def _leaves(units: list[Unit]) -> Iterator[Unit]:
    for unit in units:
        if unit.is_class:
            yield from _leaves(unit.parts)
        else:
            yield unit


def docstring_lines(node: ast.stmt) -> range:
    """Lines of a function's docstring, if the function has more to it and they hold nothing else."""
    body: list[ast.stmt] = getattr(node, "body", [])
    if not isinstance(node, Definition) or len(body) < 2:
        return range(0)
    first, after = body[0], body[1]
    following = min([after.lineno, *(d.lineno for d in getattr(after, "decorator_list", []))])
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    end = first.end_lineno or first.lineno
    return range(first.lineno, end + 1) if is_text and first.lineno > node.lineno and following > end else range(0)
