"""Functions and methods of source trees, wheels and sdists, each cut out with what it needs.

    for found in harvest(read_tree("toolz-1.2.0.tar.gz")):
        ...                                             # Subject, or Refused with its reason

Tests, documentation, examples and vendored packages are not harvested; tests are read for the calls that they show.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from foretrace.corpus.calls import MAX_CALLS, CallSites, call_sites, doctest_calls
from foretrace.corpus.dotted import module_names
from foretrace.corpus.refusals import Refusal, Refused, UnsliceableError
from foretrace.corpus.slice import Package, Slicer, SourceFile
from foretrace.corpus.slicing.branches import truth_of
from foretrace.corpus.slicing.module import DEFINITIONS, Module, is_overload
from foretrace.corpus.slicing.scopes import scopes_of
from foretrace.corpus.tree import SourceTree
from foretrace.corpus.types import Origin, Subject

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_VENDORED = re.compile(r"(^|/)(_?vendor(ed|ized)?|_?third_?party|_?extern(al|als)?|node_modules|site-packages)/")
_NOT_HARVESTED = re.compile(
    r"(^|/)(tests?|docs?|examples?|benchmarks?|bench|tools|scripts|\.\w+)/"
    r"|(^|/)(setup|conftest|noxfile|fabfile|versioneer|__main__|test_\w*|\w*_tests?|tests?)\.py$"
)
_PROPERTIES = {"property", "cached_property", "setter", "getter", "deleter", "abstractproperty", "classproperty", "reify"}
_STATIC = {"staticmethod", "classmethod"}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A function or method that may be called."""

    module: Module
    entry: str
    node: _Function

    @property
    def has_static_call(self) -> bool:
        """Whether `entry(…)` calls it, without an instance."""
        return "." not in self.entry or bool(_decorators(self.node) & _STATIC)


def harvest(tree: SourceTree) -> Iterator[Subject | Refused]:
    """What a tree has to call, in order of files and lines, and what of it is refused and why."""
    yield from tree.refused
    files = {path: text for path, text in tree.files.items() if not _VENDORED.search(path)}
    names = module_names(files)
    package = Package({name: SourceFile(files[path], path) for path, name in names.items()})
    candidates: list[_Candidate] = []
    for path, name in names.items():
        if _NOT_HARVESTED.search(path):
            continue
        try:
            module = package.module(name)
        except UnsliceableError as error:
            yield Refused(path, error.reason, error.detail)
            continue
        for candidate in _candidates(module):
            reason = _not_a_function(candidate)
            if reason:
                yield Refused(f"{path}::{candidate.entry}", reason)
            else:
                candidates.append(candidate)
    sites = call_sites(package, ((c.module.name, c.entry) for c in candidates if c.has_static_call))
    slicer = Slicer(package)
    for candidate in candidates:
        yield _subject(tree, slicer, candidate, sites)


def _subject(tree: SourceTree, slicer: Slicer, candidate: _Candidate, sites: CallSites) -> Subject | Refused:
    module, entry, node = candidate.module, candidate.entry, candidate.node
    try:
        source = slicer.slice(module.name, entry)
    except UnsliceableError as error:
        return Refused(f"{module.path}::{entry}", error.reason, error.detail)
    except (RecursionError, SyntaxError, UnicodeError) as error:  # absurd code: the rest of the tree is not lost for it
        return Refused(f"{module.path}::{entry}", Refusal.UNWRITABLE, type(error).__name__)
    calls: list[str] = []
    if candidate.has_static_call:
        docstring = ast.get_docstring(node, clean=False)
        calls += (
            doctest_calls(docstring, entry, frozenset(scopes_of(source).binds)) if docstring and ">>>" in docstring else []
        )
        calls += sites.of(module.name, entry)
    origin = Origin(
        kind="harvested",
        name=tree.name,
        path=module.path,
        line=node.lineno,
        licence=tree.licences.get(module.path, tree.licence),
    )
    return Subject(source=source, entry=entry, origin=origin, calls=tuple(dict.fromkeys(calls))[:MAX_CALLS])


def _candidates(module: Module) -> list[_Candidate]:
    """Functions of a module and methods of its classes; of several of one name the last."""
    found: dict[str, _Candidate] = {}
    for statement in module.statements:
        for node in _definitions(statement.node):
            if isinstance(node, ast.ClassDef):
                deleted = {ast.unparse(t) for part in node.body if isinstance(part, ast.Delete) for t in part.targets}
                methods = [part for part in node.body if isinstance(part, _Function) and part.name not in deleted]
                found.update({f"{node.name}.{m.name}": _Candidate(module, f"{node.name}.{m.name}", m) for m in methods})
            elif isinstance(node, _Function):
                found[node.name] = _Candidate(module, node.name, node)
    return sorted(found.values(), key=lambda candidate: candidate.node.lineno)


def _definitions(node: ast.stmt) -> Iterator[ast.stmt]:
    """A definition, or those in the branches of a compound statement that may run."""
    if isinstance(node, DEFINITIONS):
        yield node
    elif isinstance(node, ast.If):
        truth = truth_of(node.test)
        for inner in [*(node.body if truth is not False else ()), *(node.orelse if truth is not True else ())]:
            yield from _definitions(inner)
    elif isinstance(node, ast.Try):
        for inner in [*node.body, *(part for handler in node.handlers for part in handler.body), *node.orelse]:
            yield from _definitions(inner)


def _not_a_function(candidate: _Candidate) -> Refusal | None:
    """Why there is nothing to call, if so."""
    node, decorators = candidate.node, _decorators(candidate.node)
    if is_overload(node):
        return Refusal.OVERLOAD
    if decorators & _PROPERTIES:
        return Refusal.PROPERTY
    if any(name.startswith("abstract") for name in decorators):
        return Refusal.ABSTRACT
    if "fixture" in decorators or node.name.startswith("test_"):
        return Refusal.FIXTURE
    if node.name.startswith("__") and (node.name.endswith("__") or "." in candidate.entry):
        return Refusal.DUNDER if node.name.endswith("__") else Refusal.PRIVATE
    return Refusal.EMPTY if all(_does_nothing(statement) for statement in node.body) else None


def _decorators(node: _Function) -> set[str]:
    """Last names of a function's decorators."""
    called = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return {d.id if isinstance(d, ast.Name) else getattr(d, "attr", "") for d in called}


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(statement, ast.Pass)
