"""Mutations in the shares of the paper, of functions that tests run.

for mutation in sample({"slugify/slugify.py": source}, covered={"slugify/slugify.py": {41, 42}}, seed=7):
    mutation.after, mutation.patch, mutation.inverse
"""

import ast
import difflib
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from foretrace.forager.mutation.edits import Edit, Function, Module, functions_of, read_module
from foretrace.forager.mutation.operators import FAMILIES, OPERATORS
from foretrace.forager.patches import git_lines
from foretrace.trace.syntax import UNREADABLE, parse


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mistake in one file."""

    operator: str
    path: str
    """Of the file, relative to the repository's root, with `/`."""
    function: str
    """Dotted name within the module; empty for an import at its top."""
    line: int
    """1-based, in the text before."""
    what: str
    """In words."""
    before: str
    after: str

    @property
    def family(self) -> str:
        """`functions`, `arguments`, `variables`, `statements` or `operators`."""
        return next(name for name, (_, operators) in FAMILIES.items() if self.operator in operators)

    @property
    def patch(self) -> str:
        """Makes the mistake: for `git apply`."""
        return file_patch(self.path, self.before, self.after)

    @property
    def inverse(self) -> str:
        """Undoes it: what a task's `patch` is, its gold solution."""
        return file_patch(self.path, self.after, self.before)


def sample(
    sources: Mapping[str, str],
    covered: Mapping[str, Collection[int]],
    seed: int,
    operators: Collection[str] = tuple(OPERATORS),
) -> Iterator[Mutation]:
    """Mutations until nothing is left to mutate, none twice; the same ones in the same order for the same seed.

    A family is drawn by its share (`FAMILIES`), then one of its operators, one of the functions, and one of its edits there,
    so that neither a long function nor an operator with many places outweighs others.

    Args:
        sources: text by path; files of tests must not be among them.
        covered: lines that passing tests run, by path. A function of which none is run is left alone.
        seed: of all draws.
        operators: those that may be used.

    """
    rng, modules = random.Random(f"mutations {seed}"), _Modules(sources)
    functions = [(path, *key) for path in sorted(sources) for key in _covered(sources[path], covered.get(path, ()))]
    left = {name: _Places(name, functions, modules) for name in OPERATORS if name in operators}
    while left:
        families = [(share, [o for o in names if o in left]) for share, names in FAMILIES.values()]
        families = [(share, names) for share, names in families if names]
        [(_, names)] = rng.choices(families, [share for share, _ in families])
        operator = rng.choice(names)
        drawn = left[operator].draw(rng)
        if drawn is None:
            del left[operator]
            continue
        path, edit, module = drawn
        after = edit.apply(module)
        if after is not None:
            yield Mutation(edit.operator, path, edit.function, edit.line, edit.what, module.source, after)


def file_patch(path: str, before: str, after: str) -> str:
    """A unified diff of one file in git's form."""
    lines = difflib.unified_diff(git_lines(before), git_lines(after), f"a/{path}", f"b/{path}")
    body = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return f"diff --git a/{path} b/{path}\n{body}"


class _Modules:
    """Functions by path, name and line. Reading a module takes a while; it is read when one of them is asked for."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._read: dict[str, dict[tuple[str, int], Function]] = {}

    def function(self, path: str, name: str, line: int) -> Function | None:
        """The function; None where `libcst` cannot read the module."""
        if path not in self._read:
            module = read_module(self._sources[path])
            self._read[path] = {(f.name, f.first): f for f in functions_of(module)} if module else {}
        return self._read[path].get((name, line))


class _Places:
    """Where one operator can still be used."""

    def __init__(self, operator: str, functions: Sequence[tuple[str, str, int]], modules: _Modules) -> None:
        self._operator, self._modules = OPERATORS[operator], modules
        self._functions = [key for key in functions if key[1] or operator == "import_removed"]
        self._edits: dict[tuple[str, str, int], list[Edit]] = {}

    def draw(self, rng: random.Random) -> tuple[str, Edit, Module] | None:
        """A path, an edit and its module; None if there is none left."""
        while self._functions:
            at = rng.randrange(len(self._functions))
            key = self._functions[at]
            function = self._modules.function(*key)
            if function is not None:
                if key not in self._edits:
                    self._edits[key] = list(self._operator(function))
                if edits := self._edits[key]:
                    return key[0], edits.pop(rng.randrange(len(edits))), function.module
            self._functions[at] = self._functions[-1]
            self._functions.pop()
        return None


def _covered(source: str, lines: Collection[int]) -> Iterator[tuple[str, int]]:
    """Names and `def` lines of the functions whose bodies are run; and `("", 1)`, the module, if any of its lines is."""
    try:
        waiting: list[tuple[ast.AST, str]] = [(parse(source), "")] if lines else []
    except UNREADABLE:
        return  # it is run somehow, but not as Python: a template, a document with examples
    if waiting:
        yield "", 1
    while waiting:
        node, name = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{name}.{node.name}" if name else node.name
            body = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)  # the `def` itself runs on import
            if not isinstance(node, ast.ClassDef) and any(line in body for line in lines):
                yield name, node.lineno
        waiting += [(child, name) for child in ast.iter_child_nodes(node)]
