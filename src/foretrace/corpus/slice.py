"""Cuts a function out of its package: a module with all that it needs, which imports nothing but the standard library.

    package = Package({"toolz.itertoolz": SourceFile(text, "toolz/itertoolz.py"), ...})
    Slicer(package).slice("toolz.itertoolz", "groupby")

The slice is the transitive closure, over the package, of the module-level statements that bind or change a name that is
used; imports of the package are replaced by what they import. Statements keep their text, and the order in which importing
the package would run them. Nothing is executed, nothing renamed: where that would be needed the function is refused.
"""

import ast
import warnings
from collections import deque
from collections.abc import Iterable, Iterator

from foretrace.corpus.refusals import Refusal, UnsliceableError
from foretrace.corpus.slicing.module import Module, SourceFile
from foretrace.corpus.slicing.mutations import mutators
from foretrace.corpus.slicing.order import ImportOrder
from foretrace.corpus.slicing.package import Defined, Importing, Package, PackageModule, Standard, Target
from foretrace.corpus.slicing.rewrite import Rewriter, Rewritten
from foretrace.corpus.slicing.scopes import FUTURE

__all__ = ["Package", "Slicer", "SourceFile"]

MAX_CHARACTERS = 100_000
"""A longer slice is no context that a model could read."""
_MAKERS_OF_EQUALS = {"TypeVar", "ParamSpec", "TypeVarTuple", "getLogger"}


class Slicer:
    """Cuts functions out of one package."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._order = ImportOrder(package)
        self._mutators: dict[str, dict[str, list[int]]] = {}
        self._rewritten: dict[tuple[str, int], Rewritten | UnsliceableError] = {}

    def slice(self, module: str, entry: str) -> str:
        """Source of a module that stands alone, with `entry`, a function or `Class.method` of `module`.

        Raises:
            UnsliceableError: there is no such module; its `reason` says why.

        """
        name = entry.split(".")[0]
        if self.package.find(module, name) != Defined(module, name):
            raise UnsliceableError(Refusal.NO_ENTRY, f"{name} in {module}")
        self._check_own_imports(self.package.module(module), entry)
        cut = _Cut(self)
        cut.close_over(module, name)
        source = "".join(cut.text(module))
        if len(source) > MAX_CHARACTERS:
            raise UnsliceableError(Refusal.TOO_LARGE, f"{len(source):,} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(source, "<slice>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:  # `from __future__ import annotations` of another module, for one
            raise UnsliceableError(Refusal.UNWRITABLE, str(error)) from error
        return source

    def _check_own_imports(self, module: Module, entry: str) -> None:
        """Refuses a function that itself imports what is not there; others that do merely fail if they are called."""
        name, _, method = entry.partition(".")
        for index in module.bindings[name]:
            body = getattr(module.statements[index].node, "body", [])
            own = [n for n in body if getattr(n, "name", "") == method] if method else [module.statements[index].node]
            for node in (node for part in own for node in ast.walk(part)):
                if isinstance(node, Importing) and self.package.home_of(module.name, node) == "foreign":
                    raise self.package.absent(module.name, node)

    def mutators(self, module: Module, name: str) -> list[int]:
        """Statements of a module that change what a name refers to."""
        if module.name not in self._mutators:
            self._mutators[module.name] = mutators(module)
        return self._mutators[module.name].get(name, [])

    def rewritten(self, module: Module, index: int) -> Rewritten:
        """A statement without its package; worked out once for all slices."""
        key = (module.name, index)
        if key not in self._rewritten:
            try:
                self._rewritten[key] = Rewriter(self.package, module.statements[index]).rewrite()
            except UnsliceableError as error:
                self._rewritten[key] = error
        found = self._rewritten[key]
        if isinstance(found, UnsliceableError):
            raise UnsliceableError(found.reason, found.detail)
        return found

    def statements_in_order(self, first: str, others: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Statements as importing `first`, and then the others, runs them."""
        return iter(dict.fromkeys(event for module in (first, *others) for event in self._order.of(module)))


class _Cut:
    """One slice in the making."""

    def __init__(self, slicer: Slicer) -> None:
        self.slicer = slicer
        self.package = slicer.package
        self.claims: dict[str, Target] = {}
        """What each name of the slice means; one that means two things is refused."""
        self.included: dict[tuple[str, int], str] = {}
        self.aliases: dict[tuple[str, int], dict[str, str]] = {}
        """Assignments `new = old` in place of import statements."""
        self.late_aliases: dict[str, str] = {}
        self.imports: set[tuple[str, str, str]] = set()
        """Module, name in it or nothing, and name here."""
        self.modules: dict[str, Module] = {}
        self.wanted: deque[tuple[str, str]] = deque()

    def close_over(self, module: str, name: str) -> None:
        """Includes a name's statements, and those of all names that they use."""
        self.wanted.append((module, name))
        seen: set[tuple[str, str]] = set()
        while self.wanted:
            pair = self.wanted.popleft()
            if pair not in seen:
                seen.add(pair)
                self._need(*pair)

    def _need(self, module: str, name: str) -> None:
        target = self.package.find(module, name)
        if isinstance(target, PackageModule):
            raise UnsliceableError(Refusal.MODULE_AS_VALUE, target.name)
        self._claim(name, target)
        if isinstance(target, Standard):
            self._import(module, name, target)
        elif isinstance(target, Defined):
            if module != target.module:
                self._pass_on(module, name, target)
            home = self.package.module(target.module)
            for index in [*home.bindings[target.name], *self.slicer.mutators(home, target.name)]:
                self._include(home, index)

    def _claim(self, name: str, target: Target) -> None:
        other = self.claims.setdefault(name, target)
        if other != target and not self._mean_the_same(other, target):
            raise UnsliceableError(Refusal.NAME_CONFLICT, f"{name} is {_told(other)} and {_told(target)}")

    def _mean_the_same(self, one: Target, other: Target) -> bool:
        """Whether two modules bind a name by the same text to equal things, such as `T = TypeVar("T")`."""
        if not isinstance(one, Defined) or not isinstance(other, Defined):
            return False
        texts = set()
        for target in (one, other):
            home = self.package.module(target.module)
            for index in home.bindings[target.name]:
                texts.add(home.statements[index].text() if _is_plain(home.statements[index].node) else "")
        return len(texts) == 1 and "" not in texts

    def _pass_on(self, module: str, name: str, target: Defined) -> None:
        """A name that a module imports from another of the package."""
        here, home = self.package.module(module), self.package.module(target.module)
        if target.name in home.rebound:  # the importing module keeps the old object; here both would see the new one
            raise UnsliceableError(Refusal.NAME_CONFLICT, f"{target.name} is imported and later assigned in {home.name}")
        if name != target.name:
            self._claim(target.name, target)
            index = max([*here.bindings.get(name, ()), *here.stars])
            self.aliases.setdefault((module, index), {})[name] = target.name
            self.modules[module] = here
        for index in self.slicer.mutators(here, name):
            self._include(here, index)

    def _include(self, module: Module, index: int) -> None:
        if (module.name, index) in self.included:
            return
        self.modules[module.name] = module
        statement = module.statements[index]
        if isinstance(statement.node, Importing):  # of a name that another statement binds, too
            if self.package.home_of(module.name, statement.node) != "standard":
                raise UnsliceableError(
                    Refusal.NAME_CONFLICT, f"line {statement.node.lineno} of {module.name} binds a name again"
                )
            self.included[module.name, index] = statement.text()
            return
        found = self.slicer.rewritten(module, index)
        self.included[module.name, index] = found.text
        for name in sorted(found.scopes.binds):
            self._claim(name, self.package.find(module.name, name))
        for name, other, original in found.renamed:
            target = self.package.find(other, original)
            self._claim(name, target)
            if isinstance(target, Defined) and target.name != name:
                self.late_aliases[name] = target.name
        self.wanted.extend(found.needs)

    def _import(self, module: str, name: str, target: Standard) -> None:
        if target.name:
            self.imports.add((target.module, target.name, name))
            return
        self.imports.add((target.module, "", name))
        here = self.package.module(module)
        for index in here.bindings.get(name, ()):
            node = here.statements[index].node
            if isinstance(node, ast.Import):  # `import xml.etree.ElementTree` binds `xml`, yet more is needed than that
                self.imports.update(
                    (a.name, "", a.name) for a in node.names if not a.asname and a.name.startswith(name + ".")
                )

    def text(self, first: str) -> Iterator[str]:
        """The slice, in pieces."""
        if any(module.future_annotations for module in self.modules.values()):
            yield FUTURE + "\n"
        imports = list(_import_lines(self.imports))
        yield "".join(line + "\n" for line in imports)
        previous: str | None = "" if imports else None
        for text in self._statements(first):
            is_block = text.startswith(("def ", "class ", "async def ", "@"))
            if previous is not None:
                yield (
                    "\n\n"
                    if is_block or previous.startswith(("def ", "class ", "async def ", "@"))
                    else "\n" * (previous == "")
                )
            yield text + "\n"
            previous = text

    def _statements(self, first: str) -> Iterator[str]:
        said: dict[str, str] = {}
        for event in self.slicer.statements_in_order(first, sorted(self.modules)):
            for new, old in sorted(self.aliases.get(event, {}).items()):
                yield f"{new} = {old}"
            if event in self.included:
                (module, index), text = event, self.included[event]
                plain = _is_plain(self.modules[module].statements[index].node)
                if not plain or said.setdefault(text, module) == module:  # `T = TypeVar("T")` of a second module is left out
                    yield text
        for new, old in sorted(self.late_aliases.items()):
            yield f"{new} = {old}"


def _is_plain(node: ast.stmt) -> bool:
    """Whether a statement binds a name to what is as good as any other made by the same text."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if not isinstance(value, ast.Call):
        return isinstance(value, ast.Constant)
    parts = [*value.args, *(keyword.value for keyword in value.keywords)]
    name = ast.unparse(value.func).rsplit(".", 1)[-1]
    return name in _MAKERS_OF_EQUALS and all(isinstance(p, ast.Constant) or ast.unparse(p) == "__name__" for p in parts)


def _import_lines(imports: set[tuple[str, str, str]]) -> Iterator[str]:
    """Import statements, plain ones first."""
    whole = sorted((module, here) for module, name, here in imports if not name)
    parents = {module.rpartition(".")[0] for module, here in whole if module == here}
    for module, here in whole:
        if module not in parents or module != here:
            yield f"import {module}" if module == here else f"import {module} as {here}"
    for origin in sorted({module for module, name, _ in imports if name}):
        pairs = sorted((name, here) for module, name, here in imports if module == origin and name)
        yield f"from {origin} import " + ", ".join(n if n == here else f"{n} as {here}" for n, here in pairs)


def _told(target: Target) -> str:
    return (
        target.name
        if isinstance(target, PackageModule)
        else f"{getattr(target, 'module', 'no module')}.{target.name}".rstrip(".")
    )
