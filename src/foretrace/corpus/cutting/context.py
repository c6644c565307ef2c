"""The one small source that an episode is shown with: the functions that run in it, and what these need of their modules.

Every line is one of the repository's, as it stands there; what is not needed is simply not there. Shown are

-   the functions and methods of the episode's frames, whole, but for the docstrings of all but the entry; a method stands in
    its class, whose other methods are left out;
-   of what they use: imports, constants, other classes without their methods, and the fields of classes.

Functions that they call and that do not run in the episode are left out, as those of libraries are.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from foretrace.corpus.cutting.names import attribute_names, bound_names, free_names
from foretrace.corpus.cutting.outline import Definition, Outline, Unit, docstring_lines
from foretrace.corpus.cutting.sources import Sources

MAX_CONSTANT = 1_500
"""Characters of a statement that is shown because a name is used; tables of data would drown the code."""
_MAX_BRANCH = 10_000
"""Of a whole `if` or `try` that is shown because a function in it runs."""
_WITH_FIELDS = ("Enum", "Flag", "NamedTuple", "TypedDict", "Struct", "Structure", "BaseModel")
_Importing = ast.Import | ast.ImportFrom
Place = tuple[str, int]
"""A file and a line in it."""


@dataclass(frozen=True, slots=True)
class Context:
    """A source, and where in it the repository's lines are."""

    rows: tuple[str, ...]
    """Its lines."""
    lines: dict[Place, int]

    @property
    def text(self) -> str:
        """The source."""
        return "\n".join(self.rows) + "\n"


@dataclass(slots=True)
class _Shown:
    """What is shown of one file."""

    outline: Outline
    lines: set[int] = field(default_factory=set)
    imports: dict[Unit, set[str]] = field(default_factory=dict)
    """Names that are needed of an import statement."""
    added: dict[int, str] = field(default_factory=dict)
    """Text after a line: the `pass` of a class of which nothing else is shown."""


def make_context(sources: Sources, places: Iterable[Place], entry: Place) -> Context | None:
    """The context of an episode.

    Args:
        places: the first line of each scope that runs, by file.
        entry: that of the entry function.

    Returns:
        None if one of them is in no statement of its file.

    """
    making = _Making(sources)
    for place in dict.fromkeys([entry, *places]):
        if not making.show_function(place, place == entry):
            return None
    making.show_needed()
    return making.context(entry[0])


def can_show(sources: Sources, place: Place) -> bool:
    """Whether there is a function, or a small other statement, to show for a scope that begins in a line."""
    outline = sources.outline(place[0])
    unit = outline.leaf(place[1]) if outline else None
    if outline is None or unit is None:
        return False
    most = _MAX_BRANCH if hasattr(unit.node, "body") else MAX_CONSTANT
    return unit.is_definition or len(outline.text(unit.lines)) <= most


class _Making:
    """A context in the making."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.files: dict[str, _Shown] = {}
        self._functions: list[tuple[str, Unit]] = []
        self._attributes: set[str] = set()
        self._classes: dict[Unit, str] = {}
        self._needed: dict[Place | tuple[str, str], bool] = {}

    def show_function(self, place: Place, is_entry: bool) -> bool:
        """Shows the function, or other statement, that a line is in."""
        shown = self._file(place[0])
        unit = shown.outline.leaf(place[1]) if shown else None
        if shown is None or unit is None:
            return False
        if unit.start not in shown.lines:
            shown.lines.update(unit.lines)
            if not is_entry:
                shown.lines.difference_update(docstring_lines(unit.node))
            self._functions.append((place[0], unit))
            self._attributes |= attribute_names(unit.node)
        return True

    def show_needed(self) -> None:
        """Shows what the functions need."""
        for path, unit in self._functions:
            if unit.parent is not None:
                self._show_class(path, unit.parent)
                self._show_accessors(path, unit)
            self._show_names(path, unit.node)
        for unit, path in self._classes.items():
            shown, last = self.files[path], self._header(path, unit)[-1]
            if not any(line in shown.lines for line in range(last + 1, unit.end + 1)):
                first = shown.outline.lines[unit.parts[0].node.lineno - 1]
                shown.added[last] = first[: len(first) - len(first.lstrip())] + "pass"

    def _file(self, path: str) -> _Shown | None:
        if path not in self.files:
            outline = self.sources.outline(path)
            if outline is None:
                return None
            self.files[path] = _Shown(outline)
        return self.files[path]

    def _show_names(self, path: str, *nodes: ast.AST) -> None:
        shown = self.files[path]
        for name in sorted(free_names(nodes, annotations=not shown.outline.has_text_annotations)):
            self._show_name(path, name)

    def _show_name(self, path: str, name: str) -> bool:
        """Shows what a name of a file means, if it can be; says whether the name then means it."""
        if (path, name) in self._needed:
            return self._needed[path, name]
        self._needed[path, name] = False  # for what goes in circles
        shown = self._file(path)
        units = shown.outline.bindings.get(name, []) if shown else []
        are_shown = [self._show_unit(path, unit, name) for unit in units]  # all of them: a name may be bound in steps
        self._needed[path, name] = any(are_shown)
        return self._needed[path, name]

    def _show_unit(self, path: str, unit: Unit, name: str) -> bool:
        shown, node = self.files[path], unit.node
        if isinstance(node, _Importing):
            if not self._is_imported_here(path, node, name):
                shown.imports.setdefault(unit, set()).add(name)
            return True
        if unit.is_class:
            self._show_class(path, unit)
            return True
        if unit.start in shown.lines:
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        if len(shown.outline.text(unit.lines)) > MAX_CONSTANT:
            return False
        shown.lines.update(unit.lines)
        self._show_names(path, node)
        return True

    def _is_imported_here(self, path: str, node: _Importing, name: str) -> bool:
        """Whether what is imported is itself shown, under the same name, so that the import is not needed."""
        if isinstance(node, ast.Import):
            return False
        alias = next((a for a in node.names if (a.asname or a.name) == name), None)
        origin = self.sources.imported(path, node)
        if alias is None or origin is None or origin == path:
            return False
        return self._show_name(origin, alias.name) and alias.name == name

    def _show_class(self, path: str, unit: Unit) -> None:
        """The head of a class and its fields."""
        if unit in self._classes:
            return
        self._classes[unit] = path
        if unit.parent is not None:
            self._show_class(path, unit.parent)
        shown, node = self.files[path], unit.node
        shown.lines.update(self._header(path, unit))
        assert isinstance(node, ast.ClassDef)
        head = [*node.bases, *node.decorator_list, *(keyword.value for keyword in node.keywords)]
        self._show_names(path, *head)
        has_fields = bool(node.decorator_list) or any(ast.unparse(base).endswith(_WITH_FIELDS) for base in node.bases)
        for part in unit.parts:
            if part.is_definition or isinstance(part.node, ast.Expr | ast.Pass) or part.start in shown.lines:
                continue
            names = bound_names(part.node)
            is_used = bool(names & self._attributes) or "__slots__" in names
            if (has_fields or is_used) and len(shown.outline.text(part.lines)) <= MAX_CONSTANT:
                shown.lines.update(part.lines)
                self._show_names(path, part.node)

    def _show_accessors(self, path: str, unit: Unit) -> None:
        """The getter that a setter's decorator names."""
        name = getattr(unit.node, "name", "")
        decorators = unit.node.decorator_list if isinstance(unit.node, Definition) else []
        if unit.parent and name in free_names(decorators):
            before = unit.parent.parts[: unit.parent.parts.index(unit)]
            getters = [part for part in before if getattr(part.node, "name", "") == name]
            for getter in getters[:1]:
                self.files[path].lines.update(getter.lines)

    def _header(self, path: str, unit: Unit) -> range:
        """Lines of a class before its body, without comments and blank lines at their end."""
        lines, last = self.files[path].outline.lines, unit.header[-1]
        while last > unit.node.lineno and lines[last - 1].strip()[:1] in ("", "#"):
            last -= 1
        return range(unit.start, last + 1)

    def context(self, first: str) -> Context:
        """The text: the entry's file last, so that what is used stands before what uses it."""
        paths = [path for path in self.files if path != first and (self.files[path].lines or self.files[path].imports)]
        out: list[str] = []
        placed: dict[Place, int] = {}
        if self.files[first].outline.has_text_annotations:
            out += ["from __future__ import annotations", ""][: 1 if paths else 2]
        for path in [*reversed(paths), first]:
            if out and paths:
                out += ["", ""]
            if paths:
                out.append(f"# {path}")
            for text, line in _lines(self.files[path]):
                out.append(text)
                if line:
                    placed[path, line] = len(out)
        return Context(tuple(out), placed)


def _lines(shown: _Shown) -> Iterator[tuple[str, int]]:
    """Lines of a file's part with their numbers in the file, 0 for blank lines and the few that are not in it."""
    previous: Unit | None = None
    for unit in shown.outline.units:
        if unit in shown.imports:
            texts = [(text, 0) for text in _import(unit.node, shown.imports[unit])]
        else:
            texts = list(_unit_lines(shown, unit))
        if not texts:
            continue
        if previous is not None:
            has_space = previous.is_definition or unit.is_definition
            is_next = isinstance(unit.node, _Importing) == isinstance(previous.node, _Importing)
            yield from [("", 0)] * (2 if has_space else 0 if is_next else 1)
        previous = unit
        yield from texts


def _unit_lines(shown: _Shown, unit: Unit) -> Iterator[tuple[str, int]]:
    if not unit.is_class:
        yield from ((shown.outline.lines[line - 1], line) for line in unit.lines if line in shown.lines)
        return
    if unit.start not in shown.lines:
        return
    for line in unit.header:
        if line in shown.lines:
            yield shown.outline.lines[line - 1], line
        if line in shown.added:
            yield shown.added[line], 0
    is_first = True
    for part in unit.parts:
        texts = list(_unit_lines(shown, part))
        if texts and part.is_definition and not is_first:
            yield "", 0
        is_first = is_first and not texts
        yield from texts


def _import(node: ast.stmt, names: set[str]) -> Iterator[str]:
    """An import statement of the names that are needed."""
    assert isinstance(node, _Importing)
    aliases = [a for a in node.names if (a.asname or a.name.split(".")[0]) in names or a.name in names]
    kept = ast.Import(aliases) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, aliases, node.level)
    yield ast.unparse(kept)
