"""A package's modules, and what a name in one of them means: `Package.find("toolz.curried", "pipe")`.

Imports are followed through the package to the definition, however often a name is passed on (`__init__` re-exports,
aliases, `import *`).
"""

import ast
import builtins
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from foretrace.corpus.refusals import Refusal, UnsliceableError
from foretrace.corpus.slicing.branches import Home, offers
from foretrace.corpus.slicing.module import Module, SourceFile, bound_name


@dataclass(frozen=True, slots=True)
class Defined:
    """A name bound by a statement of a module of the package."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class PackageModule:
    """A module of the package."""

    name: str


@dataclass(frozen=True, slots=True)
class Standard:
    """A module of the standard library, or a name in one."""

    module: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Unbound:
    """A name that no module of the package binds: a builtin, or nothing."""

    name: str


Target = Defined | PackageModule | Standard | Unbound
Importing = ast.Import | ast.ImportFrom
_OWN_FILES = {"__file__", "__path__", "__spec__", "__loader__"}


class Package:
    """Modules that may import each other, by dotted name."""

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        self.files = dict(files)
        self.roots = {name.split(".")[0] for name in self.files}
        self._folders = {
            name.rsplit(".", n)[0] for name in self.files for n in range(1, name.count(".") + 1)
        } - self.files.keys()
        self._modules: dict[str, Module | UnsliceableError] = {}
        self._exports: dict[str, list[str]] = {}

    def module(self, name: str) -> Module:
        """The module of a dotted name, parsed once.

        Raises:
            UnsliceableError: there is none, or it does not parse.

        """
        if name not in self._modules:
            if name not in self.files:
                raise UnsliceableError(Refusal.MISSING_MODULE, name)
            try:
                self._modules[name] = Module(name, self.files[name], lambda node: self.home_of(name, node))
            except UnsliceableError as error:
                self._modules[name] = error
        found = self._modules[name]
        if isinstance(found, UnsliceableError):
            raise UnsliceableError(found.reason, found.detail)
        return found

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is a folder of modules, with or without an `__init__.py`."""
        file = self.files.get(name)
        return file.path.rsplit("/", 1)[-1] == "__init__.py" if file else self.is_namespace(name)

    def is_namespace(self, name: str) -> bool:
        """Whether a dotted name is a folder without an `__init__.py`."""
        return name in self._folders

    def has(self, name: str) -> bool:
        """Whether a dotted name is a module or a folder of modules."""
        return name in self.files or self.is_namespace(name)

    def base(self, importer: str, node: ast.ImportFrom) -> str:
        """The absolute name of the module after `from`."""
        if not node.level:
            return node.module or ""
        parts = importer.split(".")
        kept = len(parts) - node.level + (1 if self.is_package(importer) else 0)
        return ".".join(parts[: max(kept, 0)] + ([node.module] if node.module else []))

    def home_of(self, importer: str, node: Importing) -> Home:
        """Where what an import statement imports is; "foreign" if a part of it is nowhere to be found."""
        if isinstance(node, ast.Import):
            homes = {self._home(alias.name) for alias in node.names}
        elif self._home(self.base(importer, node)) == "package":
            homes = {self._home_in_package(self.base(importer, node), alias.name) for alias in node.names}
        else:
            homes = {"foreign"} if node.level else {self._home(node.module or "")}
        return next(iter(homes)) if len(homes) == 1 else "foreign" if "foreign" in homes else "package"

    def absent(self, importer: str, node: Importing) -> UnsliceableError:
        """Why what an import statement imports cannot be had."""
        if isinstance(node, ast.ImportFrom):
            base = self.base(importer, node)
            return self._absent(base if self._home(base) == "foreign" or not base else f"{base}.{node.names[0].name}")
        return self._absent(next((a.name for a in node.names if self._home(a.name) == "foreign"), node.names[0].name))

    def _home(self, name: str) -> Home:
        if self.has(name):
            return "package"
        root = name.split(".")[0]
        return "standard" if root in sys.stdlib_module_names and root not in self.roots else "foreign"

    def _home_in_package(self, base: str, name: str) -> Home:
        """Without parsing `base`, which may be importing this very module."""
        if name == "*" or self.has(f"{base}.{name}"):
            return "package"
        file = self.files.get(base)
        mentioned = file is not None and ("import *" in file.source or re.search(rf"\b{re.escape(name)}\b", file.source))
        return "package" if mentioned else "foreign"

    def find(self, module: str, name: str, _on_the_way: frozenset[tuple[str, str]] = frozenset()) -> Target:
        """What a name means in a module.

        Raises:
            UnsliceableError: that cannot be told, or it is something outside of the package and the standard library.

        """
        submodule = f"{module}.{name}"
        if (module, name) in _on_the_way or self.is_namespace(module):
            if self.has(submodule):
                return PackageModule(submodule)
            raise UnsliceableError(Refusal.MISSING_MODULE, submodule)
        here, seen = self.module(module), _on_the_way | {(module, name)}
        nodes = [here.statements[i].node for i in here.bindings.get(name, ())]
        if nodes and isinstance(nodes[-1], Importing) and all(isinstance(n, Importing) for n in nodes):
            return self._imported(here, nodes[-1], name, seen)
        if nodes:
            return Defined(module, name)
        found = self._from_stars(here, name, seen)
        if found is None and self.has(submodule):
            return PackageModule(submodule)
        return found or self._unbound(here, name)

    def _imported(self, here: Module, node: Importing, name: str, seen: frozenset[tuple[str, str]]) -> Target:
        alias = next(a for a in node.names if bound_name(node, a) == name)
        if isinstance(node, ast.Import):
            imported = self._whole(alias.name)  # refused if it is nowhere, even where only its parent is bound
            return imported if alias.asname else self._whole(name)
        base = self.base(here.name, node)
        home = self._home(base)
        if home == "standard" and not node.level:
            return Standard(base, alias.name)
        if home != "package":
            raise self._absent(base)
        if base == here.name and self.has(
            f"{base}.{alias.name}"
        ):  # `from . import x` in `__init__`: it can but be the module
            return PackageModule(f"{base}.{alias.name}")
        found = self.find(base, alias.name, seen)
        if isinstance(found, Unbound):
            raise UnsliceableError(Refusal.DYNAMIC, f"{base}.{alias.name} is bound by no statement")
        return found

    def _whole(self, name: str) -> Target:
        home = self._home(name)
        if home == "foreign":
            raise self._absent(name)
        return PackageModule(name) if home == "package" else Standard(name)

    def _absent(self, name: str) -> UnsliceableError:
        own = not name or name.split(".")[0] in self.roots
        return UnsliceableError(Refusal.MISSING_MODULE if own else Refusal.THIRD_PARTY, name or "a module above the package")

    def _from_stars(self, here: Module, name: str, seen: frozenset[tuple[str, str]]) -> Target | None:
        """What an `import *` binds the name to; None: nothing."""
        foreign = ""
        for index in reversed(here.stars):
            node = here.statements[index].node
            assert isinstance(node, ast.ImportFrom)
            base = self.base(here.name, node)
            home = self._home(base)
            if home == "foreign" or (node.level and home != "package"):
                foreign = base
            elif home == "standard" and not name.startswith("_") and offers(base, name):
                return Standard(base, name)
            elif home == "package":
                try:
                    exported = name in self.exports(base)
                except UnsliceableError:
                    exported, foreign = False, base
                if exported and (base, name) not in seen:  # a name that goes in circles comes from another of the stars
                    return self.find(base, name, seen)
        if foreign and not hasattr(builtins, name):
            raise UnsliceableError(Refusal.STAR_IMPORT, f"{name}, perhaps from {foreign}")
        return None

    def exports(self, name: str) -> list[str]:
        """Names that `from name import *` binds."""
        if name not in self._exports:
            self._exports[name] = []  # what a module gets of itself, in a circle of imports
            self._exports[name] = self._listed(self.module(name)) if not self.is_namespace(name) else []
        return self._exports[name]

    def _listed(self, here: Module) -> list[str]:
        declared = self._all_of(here)
        if declared is not None:
            return declared
        names = list(here.bindings)
        for index in here.stars:
            node = here.statements[index].node
            assert isinstance(node, ast.ImportFrom)
            base = self.base(here.name, node)
            if self._home(base) == "package":
                names += self.exports(base)
        return [name for name in dict.fromkeys(names) if not name.startswith("_")]

    def _all_of(self, here: Module) -> list[str] | None:
        """`__all__`, if it is there; STAR_IMPORT if it is computed in a way that cannot be followed."""
        names: list[str] | None = None
        for index in here.bindings.get("__all__", ()):
            node = here.statements[index].node
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
                value = self._names_in(here, node.value)
                names = [*(names or []), *value] if isinstance(node, ast.AugAssign) else value
            else:
                raise UnsliceableError(Refusal.STAR_IMPORT, f"__all__ of {here.name} is computed")
        return names

    def _names_in(self, here: Module, node: ast.expr) -> list[str]:
        """Names in an expression made of lists, their sums and other modules' `__all__`."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._names_in(here, node.left) + self._names_in(here, node.right)
        if isinstance(node, ast.Attribute) and node.attr == "__all__" and isinstance(node.value, ast.Name):
            module = self.find(here.name, node.value.id)
            if isinstance(module, PackageModule):
                return self.exports(module.name)
        try:
            return [str(name) for name in ast.literal_eval(node)]
        except (ValueError, TypeError) as error:
            raise UnsliceableError(Refusal.STAR_IMPORT, f"__all__ of {here.name} is computed") from error

    def _unbound(self, here: Module, name: str) -> Unbound:
        if name in _OWN_FILES:
            raise UnsliceableError(Refusal.OWN_FILES, name)
        if name in {"__doc__", "__package__"}:
            raise UnsliceableError(Refusal.DYNAMIC, name)
        if not hasattr(builtins, name) and name != "__name__":
            if name in here.branches_not_taken:
                raise UnsliceableError(Refusal.THIRD_PARTY, f"{name}, which only another package offers")
            if here.is_dynamic and name not in here.rebound:
                raise UnsliceableError(Refusal.DYNAMIC, f"{name} is bound by no statement of {here.name}")
        return Unbound(name)
