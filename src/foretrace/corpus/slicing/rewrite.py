"""Takes the package out of a statement: `m.f(x)` becomes `f(x)`, and imports of the package in function bodies go.

What cannot be written so that it means the same is refused: a module used as a value, a name that means something else in
the function, an import under a condition.
"""

import ast
import builtins
from dataclasses import dataclass, field

from foretrace.corpus.refusals import Refusal, UnsliceableError
from foretrace.corpus.slicing.branches import imports_within
from foretrace.corpus.slicing.module import Edit, Statement, bound_name
from foretrace.corpus.slicing.package import Importing, Package, PackageModule, Unbound
from foretrace.corpus.slicing.scopes import Scopes, scopes_of
from foretrace.corpus.slicing.shadowing import Shadowing

_LOOKUPS = {"globals", "__import__"}


@dataclass(slots=True)
class Rewritten:
    """A statement that does without its package, and the names that it then needs."""

    text: str
    scopes: Scopes
    needs: list[tuple[str, str]] = field(default_factory=list)
    """Module and name."""
    renamed: list[tuple[str, str, str]] = field(default_factory=list)
    """Of imports in functions: name there, module, name in it."""


class Rewriter:
    """Rewrites one statement."""

    def __init__(self, package: Package, statement: Statement) -> None:
        self.package = package
        self.statement = statement
        self.module = statement.module
        self.parents = {child: node for node in ast.walk(statement.node) for child in ast.iter_child_nodes(node)}
        self.edits: list[Edit] = []
        self.imported: dict[str, tuple[str, str] | PackageModule] = {}
        """Names that functions import from the package."""
        self.absent: set[str] = set()
        """Names that functions import from what is not there."""
        self.removed: dict[Importing, None] = {}

    def rewrite(self) -> Rewritten:
        """The statement without its package.

        Raises:
            UnsliceableError: it needs something else, or cannot be written.

        """
        self._check_calls()
        self._remove_imports()
        shadowing = Shadowing(self.parents, self.removed)
        self._check_imported(shadowing)
        scopes = self.statement.scopes
        if self.edits:
            scopes = scopes_of(self.statement.text(self.edits), future_annotations=self.module.future_annotations)
        found = Rewritten("", scopes)
        modules: dict[str, PackageModule] = {}
        bound_here = {name for name in scopes.may_use if name in self.module.bindings}
        for name in sorted((scopes.uses | bound_here) - self._never_there()):
            target = self.imported.get(name) or self._module_called(name)
            if isinstance(target, PackageModule):
                modules[name] = target
            elif target:
                found.needs.append(target)
                found.renamed.append((name, *target))
            else:
                found.needs.append((self.module.name, name))
        if modules:
            self._replace_attributes(modules, shadowing, found)
        found.text = self.statement.text(self.edits)
        return found

    def _check_calls(self) -> None:
        for node in ast.walk(self.statement.node):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _LOOKUPS:
                raise UnsliceableError(Refusal.DYNAMIC, f"{node.func.id}()")

    def _module_called(self, name: str) -> PackageModule | None:
        target = self.package.find(self.module.name, name)
        return target if isinstance(target, PackageModule) else None

    def _remove_imports(self) -> None:
        at_once = set(imports_within(self.statement.node))
        for node in ast.walk(self.statement.node):
            home = self.package.home_of(self.module.name, node) if isinstance(node, Importing) else "standard"
            if not isinstance(node, Importing) or home == "standard":
                continue
            if node in at_once:
                raise (
                    self.package.absent(self.module.name, node)
                    if home == "foreign"
                    else UnsliceableError(Refusal.CONDITIONAL, f"line {node.lineno}")
                )
            self.removed[node] = None
            if home == "foreign":  # what happens when it runs with nothing installed
                missing = self.package.absent(self.module.name, node).detail
                self.edits.append(Edit(*self.module.span(node), f'raise ModuleNotFoundError("No module named {missing!r}")'))
                self.absent.update(bound_name(node, alias) for alias in node.names)
            else:
                self._note_imported(node)
                self.edits.append(self._without(node))

    def _never_there(self) -> set[str]:
        """Names that only imports of absent modules would bind."""
        return {name for name in self.absent if name not in self.module.bindings and name not in self.imported}

    def _check_imported(self, shadowing: Shadowing) -> None:
        """What a function imports must be what the name means wherever the statement uses it, once the import is gone."""
        for node in self.removed:
            for name in sorted({bound_name(node, alias) for alias in node.names} & self.imported.keys()):
                if shadowing.hides(node, name):
                    raise UnsliceableError(Refusal.NAME_CONFLICT, f"{name} is imported and bound in {self._name()}")
        for name, meant in sorted(self.imported.items(), key=lambda item: item[0]):
            if name in self.module.bindings or hasattr(builtins, name):
                target = meant if isinstance(meant, PackageModule) else self.package.find(*meant)
                if self.package.find(self.module.name, name) != target:
                    raise UnsliceableError(Refusal.NAME_CONFLICT, f"{name} is another thing in {self.module.name}")

    def _note_imported(self, node: Importing) -> None:
        for alias in node.names:
            name = bound_name(node, alias)
            meant = self._meant(node, alias, name)
            if self.imported.setdefault(name, meant) != meant:
                raise UnsliceableError(Refusal.UNWRITABLE, f"imports two things as {name}")

    def _meant(self, node: Importing, alias: ast.alias, name: str) -> tuple[str, str] | PackageModule:
        if isinstance(node, ast.Import):
            if not self.package.has(alias.name):
                raise UnsliceableError(Refusal.UNWRITABLE, f"imports {alias.name} with modules of its package")
            return PackageModule(alias.name if alias.asname else name)
        if alias.name == "*":
            raise UnsliceableError(Refusal.STAR_IMPORT, f"line {node.lineno}")
        base = self.package.base(self.module.name, node)
        target = self.package.find(base, alias.name)
        return target if isinstance(target, PackageModule) else (base, alias.name)

    def _without(self, node: Importing) -> Edit:
        """Removes a statement with its line; it becomes `pass` where it is all that there is."""
        start, end = self.module.span(node)
        data, parent = self.module.data, self.parents[node]
        blocks = [getattr(parent, part, None) for part in ("body", "orelse", "finalbody")]
        block = next(b for b in blocks if isinstance(b, list) and node in b)
        line_start, line_end = data.rfind(b"\n", 0, start) + 1, data.find(b"\n", end)
        alone = not data[line_start:start].strip() and line_end >= 0 and not data[end:line_end].split(b"#")[0].strip()
        if alone and any(not isinstance(other, Importing) for other in block):
            return Edit(line_start, line_end + 1, "")
        return Edit(start, end, "pass")

    def _replace_attributes(self, modules: dict[str, PackageModule], shadowing: Shadowing, found: Rewritten) -> None:
        for node in ast.walk(self.statement.node):
            if not isinstance(node, ast.Name) or node.id not in modules or self._is_annotation(node):
                continue
            if shadowing.hides(node, node.id):
                continue
            module, attribute = self._resolve(node, modules[node.id])
            if shadowing.hides(attribute, attribute.attr):
                raise UnsliceableError(Refusal.NAME_CONFLICT, f"{attribute.attr} is also a variable in {self._name()}")
            start, end = self.module.span(node)[0], self.module.span(attribute)[1]
            if "".join(self.module.data[start:end].decode().split()) != ast.unparse(attribute):
                raise UnsliceableError(Refusal.UNWRITABLE, f"{ast.unparse(attribute)}, in a string or with comments")
            self.edits.append(Edit(start, end, attribute.attr))
            found.needs.append((module, attribute.attr))

    def _resolve(self, node: ast.expr, module: PackageModule) -> tuple[str, ast.Attribute]:
        """The attribute of a module at the end of a chain of modules that begins with `node`."""
        while True:
            parent = self.parents.get(node)
            if not isinstance(parent, ast.Attribute) or not isinstance(parent.ctx, ast.Load):
                raise UnsliceableError(Refusal.MODULE_AS_VALUE, module.name)
            target = self.package.find(module.name, parent.attr)
            if isinstance(target, Unbound):
                raise UnsliceableError(Refusal.DYNAMIC, f"{module.name}.{parent.attr} is bound by no statement")
            if not isinstance(target, PackageModule):
                return module.name, parent
            node, module = parent, target

    def _is_annotation(self, node: ast.AST) -> bool:
        """Whether a node is in an annotation that never runs, so that what it names need not be there."""
        if not self.module.future_annotations:
            return False
        while node in self.parents:
            child, node = node, self.parents[node]
            if child in (getattr(node, "annotation", None), getattr(node, "returns", None)):
                return True
        return False

    def _name(self) -> str:
        return getattr(self.statement.node, "name", f"line {self.statement.node.lineno}")
