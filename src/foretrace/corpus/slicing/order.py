"""In which order the statements of a package's modules run when one of them is imported: the import system's own."""

import ast
from collections.abc import Iterator

from foretrace.corpus.refusals import UnsliceableError
from foretrace.corpus.slicing.branches import imports_within
from foretrace.corpus.slicing.module import Module
from foretrace.corpus.slicing.package import Importing, Package


class ImportOrder:
    """Orders of execution, worked out once for each module that is imported first."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._orders: dict[str, list[tuple[str, int]]] = {}
        self._imports: dict[str, dict[int, list[str]]] = {}

    def of(self, module: str) -> list[tuple[str, int]]:
        """Module and index of each top-level statement that runs at `import module`, in order.

        A module imported in the middle runs there, parents first, and only once: circles end as they do in Python.
        """
        if module not in self._orders:
            self._orders[module] = list(self._run(module, set()))
        return self._orders[module]

    def _run(self, name: str, started: set[str]) -> Iterator[tuple[str, int]]:
        if name in started or not self._package.has(name):
            return
        parent = name.rpartition(".")[0]
        if parent:
            yield from self._run(parent, started)
        if name in started or self._package.is_namespace(name):  # its parent may have imported it
            return
        started.add(name)
        try:
            module = self._package.module(name)
        except UnsliceableError:  # a slice that needs it is refused before
            return
        imports = self._imports_of(module)
        for index in range(len(module.statements)):
            for imported in imports.get(index, ()):
                yield from self._run(imported, started)
            yield name, index

    def _imports_of(self, module: Module) -> dict[int, list[str]]:
        """Names of what may be modules of the package, by the index of the statement that imports them."""
        if module.name not in self._imports:
            found: dict[int, list[str]] = {}
            for index, statement in enumerate(module.statements):
                for node in imports_within(statement.node):
                    found.setdefault(index, []).extend(self._names(module, node))
            self._imports[module.name] = found
        return self._imports[module.name]

    def _names(self, module: Module, node: Importing) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            base = self._package.base(module.name, node)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
