"""A module as its live top-level statements: their text, what they bind, what they use.

`Module` parses, nothing runs. A statement's text is the original one, comments and decorators included; a statement taken
out of a branch (`slicing/branches.py`) is moved to the left margin.
"""

import ast
import io
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from foretrace.corpus.refusals import Refusal, UnsliceableError
from foretrace.corpus.slicing.branches import HomeOf, imports_within, live_statements
from foretrace.corpus.slicing.scopes import Scopes, scopes_of

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BINDING_CALLS = {"locals", "vars", "exec"}
"""Bind names of the module only where it runs itself."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A module's text and the path it was found at."""

    source: str
    path: str


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Bytes `start` to `end` of a module's source are replaced by `text`."""

    start: int
    end: int
    text: str


class Module:
    """One module of a package."""

    def __init__(self, name: str, file: SourceFile, home_of: HomeOf) -> None:
        """`home_of(node)` says where what an import statement of this module imports is.

        Raises:
            UnsliceableError: it does not parse.

        """
        self.name = name
        self.path = file.path
        self.is_package = file.path.rsplit("/", 1)[-1] == "__init__.py"
        text = io.IncrementalNewlineDecoder(None, translate=True).decode(file.source, final=True)
        self.tree = _parse(text)
        self.data = text.encode("utf-8", "surrogatepass")
        self._lines = [0]
        for line in self.data.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self.statements = [Statement(self, node) for node in live_statements(self.tree.body, home_of)]
        self.future_annotations = any(
            isinstance(n, ast.ImportFrom) and n.module == "__future__" and any(a.name == "annotations" for a in n.names)
            for n in self.tree.body
        )

    def position(self, line: int, column: int) -> int:
        """Byte of the source at a line, from 1, and a column in bytes."""
        return self._lines[line - 1] + column

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First byte of a node and the one after its last."""
        return self.position(node.lineno, node.col_offset), self.position(node.end_lineno or 0, node.end_col_offset or 0)

    @cached_property
    def bindings(self) -> dict[str, list[int]]:
        """Indices of the statements that bind each name; of overloads only what they are declarations of."""
        found: dict[str, list[int]] = {}
        for index, statement in enumerate(self.statements):
            if not isinstance(statement.node, ast.Delete) and not is_overload(statement.node):
                for name in sorted(statement.scopes.binds):
                    found.setdefault(name, []).append(index)
        return found

    @cached_property
    def stars(self) -> list[int]:
        """Indices of `from x import *`."""
        nodes = [s.node for s in self.statements]
        return [i for i, n in enumerate(nodes) if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]

    @cached_property
    def rebound(self) -> set[str]:
        """Names that functions assign with `global`."""
        return {name for s in self.statements for name in s.scopes.rebinds}

    @cached_property
    def is_dynamic(self) -> bool:
        """Whether names may be bound that no statement shows: by `globals()`, `exec` and the like, or `__getattr__`."""
        return (
            "__getattr__" in self.bindings
            or any(_calls(node, {"globals"}) for node in ast.walk(self.tree))
            or any(_calls(node, _BINDING_CALLS) for s in self.statements for node in _outside_functions(s.node))
        )

    @cached_property
    def branches_not_taken(self) -> set[str]:
        """Names that only a `try` whose branch is not taken would import."""
        nodes = (n for t in ast.walk(self.tree) if isinstance(t, ast.Try) for part in t.body for n in imports_within(part))
        return {bound_name(n, a) for n in nodes for a in n.names} - self.bindings.keys()


class Statement:
    """A top-level statement of a module."""

    def __init__(self, module: Module, node: ast.stmt) -> None:
        self.module = module
        self.node = node

    @cached_property
    def start(self) -> int:
        """First byte: its line's, decorators and indentation included, unless another statement is before it on the line."""
        module, node = self.module, self.node
        decorators = node.decorator_list if isinstance(node, DEFINITIONS) else []
        line = min([node.lineno, *(d.lineno for d in decorators)])
        beginning, own = module.position(line, 0), module.position(node.lineno, node.col_offset)
        return beginning if decorators or not module.data[beginning:own].strip() else own

    @cached_property
    def end(self) -> int:
        """The byte after its last, a comment on its last line included."""
        data, end = self.module.data, self.module.span(self.node)[1]
        line_end = data.find(b"\n", end)
        rest = data[end : line_end if line_end >= 0 else len(data)].strip()
        return end if rest and not rest.startswith(b"#") else line_end if line_end >= 0 else len(data)

    def text(self, edits: Iterable[Edit] = ()) -> str:
        """The statement as it stands in the source, at the left margin, with edits applied."""
        data, at, parts = self.module.data, self.start, []
        own = self.module.position(self.node.lineno, self.node.col_offset)
        else_if = [Edit(own, own + 2, "")] if isinstance(self.node, ast.If) and data.startswith(b"elif", own) else []
        for edit in sorted([*edits, *else_if]):
            parts += [data[at : edit.start], edit.text.encode()]
            at = edit.end
        text = b"".join([*parts, data[at : self.end]]).decode("utf-8", "surrogatepass").rstrip()
        return _at_left_margin(text) if self.node.col_offset and text[:1].isspace() else text

    @cached_property
    def scopes(self) -> Scopes:
        """Names that it binds and uses."""
        return scopes_of(self.text(), future_annotations=self.module.future_annotations)


def _calls(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, Definition | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def bound_name(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """The name that an import binds: of `import a.b` that is `a`."""
    return alias.asname or (alias.name.split(".")[0] if isinstance(node, ast.Import) else alias.name)


def is_overload(node: ast.AST) -> bool:
    """Whether a definition only declares types (`typing.overload`)."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    last_names = {d.id if isinstance(d, ast.Name) else getattr(d, "attr", "") for d in node.decorator_list}
    return "overload" in last_names


def _at_left_margin(text: str) -> str:
    """An indented statement without its indentation; kept under an `if` where a string spans lines and would change."""
    guarded, moved = "if True:\n" + text, textwrap.dedent(text)
    try:
        wanted = ast.parse(guarded).body[0]
        same = isinstance(wanted, ast.If) and ast.dump(ast.Module(wanted.body, [])) == ast.dump(ast.parse(moved))
    except SyntaxError:
        same = False
    return moved if same else guarded


def _parse(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, in code that is not ours
            tree = ast.parse(text)
            compile(text, "<module>", "exec", dont_inherit=True)  # finds what the parser leaves to later passes
    except SyntaxError as error:
        raise UnsliceableError(Refusal.SYNTAX, f"line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes, absurd nesting
        raise UnsliceableError(Refusal.SYNTAX, str(error) or type(error).__name__) from error
    return tree
