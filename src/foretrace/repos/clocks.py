"""Tests whose outcome depends on how busy the machine is: they read a clock, or wait. Found by reading them; nothing is run.

    timed_tests(["tests/test_a.py::test_is_linear"], {"tests/test_a.py": source, "tests/helpers.py": …})

Running tests again does not find them: they fail when something else is at work, and that may be weeks later, when a patch
is graded. So a test is timed if its function uses `time` or `timeit` to measure or to sleep; or if it names, as a call, a
method or a fixture, something in its own file that does, or something at the top of another file of tests. That is too many
rather than too few: whoever names such a helper without calling it is timed, too. What is not seen: a clock that only the
code under test reads, names that are built at run time, and `setUp` and its like.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Set

from foretrace.trace.syntax import UNREADABLE, parse

_CLOCKS = frozenset(
    {
        "sleep",
        *(
            f"{name}{unit}"
            for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
            for unit in ("", "_ns")
        ),
    }
)
"""What of the module `time` tells how long something takes; dates and their formats do not. All of `timeit` does."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def timed_tests(tests: Iterable[str], sources: Mapping[str, str]) -> frozenset[str]:
    """Those of some tests that depend on time.

    Args:
        tests: pytest's ids.
        sources: texts of files of tests, helpers and conftests among them, by their path in the repository.

    """
    files = {path: _File(source) for path, source in sources.items()}
    known: frozenset[str] = frozenset()
    while True:  # a helper may use that of another file
        shared = frozenset(name for file in files.values() for name in file.timed(known) & file.top)
        if shared <= known:
            break
        known |= shared
    timed = {path: file.timed(known) for path, file in files.items()}
    return frozenset(
        test for test in tests if (path := test.split("::")[0]) in files and files[path].is_timed(test, timed[path])
    )


class _File:
    """What a file of tests defines, and what each of its definitions names."""

    def __init__(self, source: str) -> None:
        try:
            tree = parse(source)
        except UNREADABLE:
            tree = ast.Module([], [])  # pytest does not read it either
        self.top = frozenset(node.name for node in tree.body if isinstance(node, (*_FUNCTIONS, ast.ClassDef)))
        """Names that other files can import, or take for fixtures."""
        self._named: dict[str, list[_Part]] = {}
        """Definitions by their names, as they are mentioned."""
        self._placed: dict[str, list[_Part]] = {}
        """Definitions by their names and those of the classes around them, as pytest tells tests."""
        clocks = _Clocks(tree)
        for qualified, node in _definitions(tree.body):
            part = _Part(node, clocks)
            self._named.setdefault(node.name, []).append(part)
            self._placed.setdefault(qualified, []).append(part)

    def timed(self, known: frozenset[str]) -> frozenset[str]:
        """Names of what depends on time, if those of other files in `known` do."""
        found = {name for name in known if name not in self.top}
        while new := {
            n for n, parts in self._named.items() if n not in found and any(part.is_timed(found) for part in parts)
        }:
            found |= new
        return frozenset(found)

    def is_timed(self, test: str, timed: frozenset[str]) -> bool:
        """Whether a test of this file is: by its definition, or where that is inherited, by its name alone."""
        qualified = "::".join(test.partition("[")[0].split("::")[1:])
        parts = self._placed.get(qualified)
        return any(part.is_timed(timed) for part in parts) if parts else qualified.rpartition("::")[2] in timed


class _Part:
    """A definition."""

    def __init__(self, node: ast.stmt, clocks: "_Clocks") -> None:
        inside = list(ast.walk(node))
        self._reads = any(clocks.is_read_by(each) for each in inside)
        self._names = {name for each in inside if (name := _name_of(each))}

    def is_timed(self, timed: Set[str]) -> bool:
        return self._reads or not timed.isdisjoint(self._names)


class _Clocks:
    """The names by which a file calls clocks."""

    def __init__(self, tree: ast.Module) -> None:
        self._modules: dict[str, str] = {}
        self._functions: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._modules |= {a.asname or a.name: a.name for a in node.names if a.name in ("time", "timeit")}
            elif isinstance(node, ast.ImportFrom) and node.module in ("time", "timeit"):
                self._functions |= {a.asname or a.name for a in node.names if node.module == "timeit" or a.name in _CLOCKS}

    def is_read_by(self, node: ast.AST) -> bool:
        """Whether a node is one of them; that of an attribute, and not the name before its dot."""
        if isinstance(node, ast.Name):
            return node.id in self._functions
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return False
        module = self._modules.get(node.value.id)
        return module == "timeit" or (module == "time" and node.attr in _CLOCKS)


def _definitions(
    body: Iterable[ast.stmt], around: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Functions and classes that are not within functions, with their names as pytest joins them."""
    for node in body:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield around + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, f"{around}{node.name}::")
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _definitions([each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)], around)


def _name_of(node: ast.AST) -> str:
    """The name that a node mentions; a parameter is that of a fixture."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.arg if isinstance(node, ast.arg) else ""
