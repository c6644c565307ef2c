"""The syntax tree of a module, and what is in it by name."""

import ast
from functools import cached_property

from foretrace.errors import UsageError

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)


class Module:
    """Definitions of a module; the last of several with the same name counts."""

    def __init__(self, source: str, tree: ast.Module | None = None) -> None:
        try:
            self.tree = tree or ast.parse(source)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise UsageError(f"the source does not parse: {error}") from error
        self.source = source
        self.functions: dict[str, FunctionNode] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.assigned: dict[str, ast.expr] = {}
        """Values of names that the module's top level binds."""
        self.imports: dict[str, str] = {}
        """Names that are imported, and what they are: `np`: `numpy`, `sqrt`: `math.sqrt`."""
        self._read(self.tree.body)

    def _read(self, statements: list[ast.stmt]) -> None:
        for node in statements:
            if isinstance(node, FunctionNode):
                self.functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Assign):
                self.assigned.update((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
            elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
                self.assigned[node.target.id] = node.value
            elif isinstance(node, ast.Import):
                self.imports.update((a.asname or a.name.split(".")[0], a.name) for a in node.names)
            elif isinstance(node, ast.ImportFrom):
                self.imports.update((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)
            elif isinstance(node, _BLOCKS):
                self._read(node.body)
                for handler in getattr(node, "handlers", ()):
                    self._read(handler.body)
                self._read(getattr(node, "orelse", []))

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the source."""
        return self.source.split("\n")

    def line_text(self, number: int) -> str:
        """A line, counted from 1; empty if there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def find(self, entry: str) -> tuple[FunctionNode, ast.ClassDef | None]:
        """The definition of `f` or `Class.method`, and its class.

        Raises:
            UsageError: there is none.

        """
        first, _, rest = entry.partition(".")
        if not rest and first in self.functions:
            return self.functions[first], None
        if rest and first in self.classes:
            method = self.method(first, rest)
            if method is not None:
                return method, self.classes[first]
        raise UsageError(f"no definition of {entry!r} in the source")

    def method(self, owner: str, name: str) -> FunctionNode | None:
        """A method of a class or of its bases in the module."""
        for base in self.line(owner):
            for node in self.classes[base].body:
                if isinstance(node, FunctionNode) and node.name == name:
                    return node
        return None

    def line(self, owner: str) -> list[str]:
        """A class and its bases in the module, nearest first."""
        found: list[str] = []
        waiting = [owner]
        while waiting:
            name = waiting.pop(0)
            if name in self.classes and name not in found:
                found.append(name)
                waiting.extend(self.bases(name))
        return found

    def bases(self, owner: str) -> list[str]:
        """Names of the bases of a class, without modules and type arguments."""
        return [base_name(base) for base in self.classes[owner].bases]

    @cached_property
    def subclasses(self) -> dict[str, list[str]]:
        """Of each class those derived from it in the module."""
        found: dict[str, list[str]] = {name: [] for name in self.classes}
        for name in self.classes:
            for base in self.line(name)[1:]:
                found[base].append(name)
        return found

    @cached_property
    def holders(self) -> dict[str, list[str]]:
        """Of each attribute and method the classes of the module that have it, as kinds: `class:Node`."""
        found: dict[str, list[str]] = {}
        for name in self.classes:
            for attribute in self._attributes(name):
                found.setdefault(attribute, []).append(f"class:{name}")
        return found

    def _attributes(self, name: str) -> list[str]:
        found: dict[str, None] = {}
        for base in self.line(name):
            for node in self.classes[base].body:
                if isinstance(node, FunctionNode):
                    found[node.name] = None
                    if node.name == "__init__":
                        found.update(dict.fromkeys(_stored(node)))
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    found[node.target.id] = None
                elif isinstance(node, ast.Assign):
                    found.update((t.id, None) for t in node.targets if isinstance(t, ast.Name))
        return list(found)

    def is_abstract(self, name: str) -> bool:
        """Whether a class says that it cannot be made."""
        return any(
            base_name(decorator) == "abstractmethod"
            for node in self.classes[name].body
            if isinstance(node, FunctionNode)
            for decorator in node.decorator_list
        )


def _stored(init: FunctionNode) -> list[str]:
    """Attributes that a constructor sets."""
    return [
        node.attr
        for node in ast.walk(init)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name)
    ]


def base_name(node: ast.expr | None) -> str:
    """The last name of a dotted, subscripted or called expression: `Generic` of `typing.Generic[T]`."""
    if isinstance(node, ast.Subscript):
        return base_name(node.value)
    if isinstance(node, ast.Call):
        return base_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def decorators(node: FunctionNode | ast.ClassDef) -> list[str]:
    """Names of the decorators of a definition."""
    return [base_name(decorator) for decorator in node.decorator_list]
