"""Argument lists that the module itself shows: doctests, and calls of the entry anywhere in the source.

Names that are bound to something simple just before are put in their place: `>>> words = ["a"]`, `>>> count(words)` gives
`["a"]`; of `>>> stack = Stack()`, `>>> stack.push(3)` comes `Stack(), 3`.
"""

import ast
import builtins
import copy
import re
from collections.abc import Iterator

from foretrace.corpus.arguments.module import Module
from foretrace.corpus.arguments.terms import Arguments, arguments_of

_PROMPT = re.compile(r"^\s*>>> ?(.*(?:\n\s*\.\.\. ?.*)*)", re.MULTILINE)
_CONTINUED = re.compile(r"\n\s*\.\.\. ?")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAX_LENGTH = 400
_MAX_HINTS = 24
_MAX_INLINED = 60
"""Names replaced in one argument list."""
_BUILTINS = frozenset(dir(builtins))


def hints(module: Module, entry: str, docstrings: list[str]) -> list[Arguments]:
    """Argument lists of calls of `entry`, without repetition; examples of docstrings first."""
    name = entry.rpartition(".")[2]
    if module.source.count(name) < 2:
        return []
    found: dict[str, Arguments] = {}
    for arguments in _all(module, entry, docstrings):
        text = arguments.text
        if len(text) <= _MAX_LENGTH:
            found.setdefault(text, arguments)
        if len(found) >= _MAX_HINTS:
            break
    return list(found.values())


def _all(module: Module, entry: str, docstrings: list[str]) -> Iterator[Arguments]:
    for docstring in docstrings:
        if ">>>" in docstring:
            yield from calls_in(examples(docstring), module, entry)
    name = entry.rpartition(".")[2]
    lines = [number for number, line in enumerate(module.lines, 1) if f"{name}(" in line and ">>>" not in line]
    if len(lines) > 1 or (lines and "def " not in module.line_text(lines[0])):
        for block in _blocks(module.tree.body, lines):
            yield from calls_in(block, module, entry, lines)


def examples(docstring: str) -> list[ast.stmt]:
    """The statements of a docstring's examples; those that do not parse are left out."""
    found: list[ast.stmt] = []
    for match in _PROMPT.finditer(docstring):
        text = _CONTINUED.sub("\n", match[1])
        try:
            found.extend(ast.parse(text).body)
        except (SyntaxError, ValueError):
            continue
    return found


def _blocks(statements: list[ast.stmt], lines: list[int]) -> Iterator[list[ast.stmt]]:
    """The statements of each scope with one of the lines, flat."""
    block = list(_flat(statements))
    yield [node for node in block if not isinstance(node, _SCOPES)]
    for node in block:
        if isinstance(node, _SCOPES) and _spans(node, lines):
            yield from _blocks(node.body, lines)


def _spans(node: ast.stmt, lines: list[int]) -> bool:
    last = node.end_lineno or node.lineno
    return any(node.lineno <= line <= last for line in lines)


def _flat(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in statements:
        inner = [x for name in ("body", "orelse", "finalbody") for x in getattr(node, name, ())]
        if inner and not isinstance(node, _SCOPES):
            yield from _flat(inner)
        else:
            yield node


def calls_in(statements: list[ast.stmt], module: Module, entry: str, lines: list[int] | None = None) -> Iterator[Arguments]:
    """Argument lists of a scope; only statements on `lines` are looked at, if they are given."""
    bound: dict[str, ast.expr] = {}
    owner, _, name = entry.rpartition(".")
    for statement in statements:
        if lines is None or _spans(statement, lines):
            for node in ast.walk(statement):
                call = _own_call(node, owner, name, bound) if isinstance(node, ast.Call) else None
                if call is not None and _is_closed(call, module, bound):
                    arguments = arguments_of(_inlined(call, bound))
                    if arguments is not None:
                        yield arguments
        _bind(statement, bound)


def _bind(statement: ast.stmt, bound: dict[str, ast.expr]) -> None:
    """What the names are from here on."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        bound.pop(statement.target.id, None)
    if not isinstance(statement, ast.Assign):
        return
    for target in statement.targets:
        if isinstance(target, ast.Name):
            bound[target.id] = statement.value
        elif isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            pairs = zip(target.elts, statement.value.elts, strict=False)
            bound.update((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


def _own_call(node: ast.Call, owner: str, name: str, bound: dict[str, ast.expr]) -> ast.Call | None:
    """The call as one of the entry: a method gets its object first."""
    if isinstance(node.func, ast.Name):
        return None if node.func.id != name or owner else node
    if not owner or not isinstance(node.func, ast.Attribute) or node.func.attr != name:
        return None
    receiver = node.func.value
    if isinstance(receiver, ast.Name) and receiver.id in bound:
        receiver = bound[receiver.id]
    if isinstance(receiver, ast.Call) and isinstance(receiver.func, ast.Name) and receiver.func.id == owner:
        return ast.Call(node.func, [receiver, *node.args], node.keywords)
    return node if isinstance(receiver, ast.Name) and receiver.id == owner else None


def _inlined(call: ast.Call, bound: dict[str, ast.expr]) -> ast.Call:
    """The call with values in the place of names."""
    given = (*call.args, *(keyword.value for keyword in call.keywords))
    if not any(isinstance(node, ast.Name) and node.id in bound for one in given for node in ast.walk(one)):
        return call
    copied: ast.Call = _Inline(bound).visit(copy.deepcopy(call))
    return copied


def _is_closed(call: ast.Call, module: Module, bound: dict[str, ast.expr]) -> bool:
    """Whether the arguments mean something outside of where they stand."""
    own = {node.arg for one in ast.walk(call) if isinstance(one, ast.Lambda) for node in one.args.args}
    own |= {n.id for n in ast.walk(call) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    known = (bound, own, module.functions, module.classes, module.imports, module.assigned, _BUILTINS)
    names = (
        n.id for one in (*call.args, *(k.value for k in call.keywords)) for n in ast.walk(one) if isinstance(n, ast.Name)
    )
    return all(any(name in group for group in known) for name in names)


class _Inline(ast.NodeTransformer):
    """Puts values in the place of names."""

    def __init__(self, bound: dict[str, ast.expr]) -> None:
        self.bound, self.left = bound, _MAX_INLINED

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.bound or self.left <= 0:
            return node
        self.left -= 1
        replaced: ast.expr = self.visit(copy.deepcopy(self.bound[node.id]))
        return replaced
