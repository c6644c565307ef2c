"""Argument lists that a package itself shows: doctests in docstrings, and calls with literal arguments anywhere in it.

    >>> list(take(2, [10, 20, 30]))         # in the docstring of `take`: "2, [10, 20, 30]"
    assert take(1, "abc") == "a"            # in a test: "1, 'abc'"

They are texts, to be evaluated where the function will run; nothing is evaluated here.
"""

import ast
import builtins
import doctest
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from foretrace.corpus.refusals import UnsliceableError
from foretrace.corpus.slicing.module import DEFINITIONS
from foretrace.corpus.slicing.package import Defined, Package, PackageModule

MAX_CALLS = 16
MAX_CHARACTERS = 2000
"""Of one argument list."""
_HARMLESS = {
    "abs", "all", "any", "ascii", "bin", "bool", "bytearray", "bytes", "chr", "complex", "dict", "divmod", "enumerate",
    "filter", "float", "format", "frozenset", "hex", "int", "isinstance", "issubclass", "iter", "len", "list", "map", "max",
    "min", "next", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum",
    "tuple", "type", "zip",
}  # fmt: skip
HARMLESS = frozenset(
    name
    for name, value in vars(builtins).items()
    if (isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)) or name in _HARMLESS
)
"""Builtins that arguments may use: each gives the same value every time and touches nothing outside."""


@dataclass(slots=True)
class CallSites:
    """Argument lists by module and `function` or `Class.method`."""

    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def of(self, module: str, entry: str) -> list[str]:
        """Argument lists of one function, in order of files and lines."""
        return self.found.get((module, entry), [])


def call_sites(package: Package, entries: Iterable[tuple[str, str]]) -> CallSites:
    """Calls of functions of a package, given as pairs of module and entry, that any of its modules makes."""
    wanted = set(entries)
    last_names = {entry.rsplit(".", 1)[-1] for _, entry in wanted}
    sites = CallSites({pair: [] for pair in wanted})
    for name in sorted(package.files):
        try:
            tree = package.module(name).tree
        except UnsliceableError:
            continue
        imports = (alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names)
        likely = last_names | {alias.asname for alias in imports if alias.asname and alias.name in last_names}
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _last_name(node.func) in likely]
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            callee = _callee(package, name, call.func)
            if callee in wanted and len(sites.found[callee]) < MAX_CALLS:
                text = argument_text(call, frozenset())
                if text is not None and text not in sites.found[callee]:
                    sites.found[callee].append(text)
    return sites


def doctest_calls(docstring: str, entry: str, names: frozenset[str]) -> list[str]:
    """Argument lists of calls of `entry` in the examples of a docstring.

    `names`: what an argument may use besides builtins. Variables that the examples assign are replaced by their values.
    """
    found: list[str] = []
    variables: dict[str, ast.expr] = {}
    for source in _examples(docstring):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        tree = _Inserter(variables).visit(tree)
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {entry, entry.rsplit(".", 1)[-1]}:
                text = argument_text(call, names)
                if text is not None and text not in found:
                    found.append(text)
        _remember(tree, variables, names)
    return found[:MAX_CALLS]


def argument_text(call: ast.Call, names: frozenset[str]) -> str | None:
    """The text of a call's arguments, if they use nothing but literals, harmless builtins and `names`."""
    if not call.args and not call.keywords:
        return ""
    try:
        text = ast.unparse(ast.Call(ast.Name("f"), call.args, call.keywords))[2:-1]
    except (RecursionError, ValueError):  # absurd nesting; an f-string that cannot be written
        return None
    return text if len(text) <= MAX_CHARACTERS and _free_names(text) <= HARMLESS | names else None


def _free_names(arguments: str) -> set[str]:
    """Names that an argument list takes from around it; "await" if it cannot stand alone."""
    try:
        tables = symtable.symtable(f"lambda: __callee__({arguments})", "<call>", "exec").get_children()
    except (SyntaxError, ValueError):
        return {"await"}
    names: set[str] = set()
    while tables:
        inner = tables.pop()
        names |= {symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global()}
        tables = [*tables, *inner.get_children()]
    return names - {"__callee__"}


def _examples(docstring: str) -> Iterator[str]:
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:  # inconsistent indentation
        return
    yield from (example.source for example in examples)


def _remember(tree: ast.Module, variables: dict[str, ast.expr], names: frozenset[str]) -> None:
    """Notes variables whose values an argument list could have in their place."""
    for statement in tree.body:
        stored = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        if isinstance(statement, DEFINITIONS):
            stored.add(statement.name)
        for name in stored:
            variables.pop(name, None)
        if not isinstance(statement, ast.Assign) or len(stored) != 1 or not isinstance(statement.targets[0], ast.Name):
            continue
        if argument_text(ast.Call(ast.Name("f"), [statement.value], []), names) is not None:
            variables[statement.targets[0].id] = statement.value


class _Inserter(ast.NodeTransformer):
    """Puts values in place of variables."""

    def __init__(self, variables: dict[str, ast.expr]) -> None:
        self.variables = variables

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.variables.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def _last_name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


def _callee(package: Package, module: str, function: ast.expr) -> tuple[str, str] | None:
    """Module and entry of what is called, if it is a function of the package, or a method called on its class."""
    chain: list[str] = []
    while isinstance(function, ast.Attribute):
        chain.insert(0, function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return None
    try:
        target = package.find(module, function.id)
        while isinstance(target, PackageModule) and chain:
            target = package.find(target.name, chain.pop(0))
    except UnsliceableError:
        return None
    return (target.module, ".".join([target.name, *chain])) if isinstance(target, Defined) else None
