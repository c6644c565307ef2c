"""Which branch of a module-level `if` or `try` runs, where that is known without running it.

    try:
        import simplejson as json       # a third-party package: here it is never installed
    except ImportError:
        import json                     # so this is what the module has

A compound statement that needs nothing but the standard library is left whole. One that imports something else is replaced
by the branch that runs in this Python with nothing installed: that is how a slice comes to need neither.
"""

import ast
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Literal

Home = Literal["standard", "package", "foreign"]
"""Where an imported module is: in the standard library, in the package, or elsewhere (or nowhere)."""
HomeOf = Callable[[ast.Import | ast.ImportFrom], Home]

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_TESTABLE = (
    ast.Expression, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Not, ast.And, ast.Or, ast.cmpop, ast.Constant, ast.Tuple,
    ast.Attribute, ast.Name, ast.Subscript, ast.Slice, ast.Load,
)  # fmt: skip
_FACTS = {
    "sys": SimpleNamespace(
        version_info=sys.version_info, platform=sys.platform, implementation=sys.implementation, maxsize=sys.maxsize
    ),
    "os": SimpleNamespace(name=os.name),
}
_NOT_IMPORTED_HERE = {"this", "antigravity", "idlelib", "turtledemo", "turtle", "tkinter", "test", "lib2to3"}
"""Modules that show, open or change something when imported."""


def live_statements(body: list[ast.stmt], home_of: HomeOf) -> Iterator[ast.stmt]:
    """Statements of a module's body, with those of the chosen branch in place of a compound one where it is known."""
    for statement in body:
        chosen = _chosen(statement, home_of)
        if chosen is None:
            yield statement
        else:
            yield from live_statements(chosen, home_of)


def imports_within(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports that run when `node` does: not those in bodies of functions."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from imports_within(child)


def offers(module: str, name: str) -> bool:
    """Whether a module of this Python's standard library has a name."""
    root = module.split(".")[0]
    if root not in sys.stdlib_module_names or root in _NOT_IMPORTED_HERE:
        return False
    try:
        return hasattr(importlib.import_module(module), name)
    except (ImportError, OSError, ValueError):
        return False


def _chosen(statement: ast.stmt, home_of: HomeOf) -> list[ast.stmt] | None:
    """The statements that run in place of a compound one; None: it is not one, or stays as it is."""
    if isinstance(statement, ast.If):
        fixed = _is_never_true(statement.test)
        if fixed is not None:
            return statement.orelse if fixed else statement.body
        if _needs_choice(statement, home_of):
            truth = truth_of(statement.test)
            return None if truth is None else statement.body if truth else statement.orelse
    elif isinstance(statement, ast.Try) and _needs_choice(statement, home_of):
        return _branch_of_try(statement, home_of)
    return None


def _needs_choice(statement: ast.stmt, home_of: HomeOf) -> bool:
    return any(home_of(node) != "standard" for node in imports_within(statement))


def _is_never_true(test: ast.expr) -> bool | None:
    """Whether a test is about being run as a program or checked for types; None: it is about something else."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _is_never_true(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.Name | ast.Attribute):
        return True if (test.id if isinstance(test, ast.Name) else test.attr) == "TYPE_CHECKING" else None
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__":
        return isinstance(test.ops[0], ast.Eq)
    if isinstance(test, ast.Constant):
        return not test.value
    return None


def truth_of(test: ast.expr) -> bool | None:
    """What a test about the interpreter's version or platform says here; None: it is about something else."""
    expression = ast.Expression(test)
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    if not names <= _FACTS.keys() or not all(isinstance(node, _TESTABLE) for node in ast.walk(expression)):
        return None
    try:
        return bool(eval(compile(expression, "<test>", "eval"), {"__builtins__": {}, **_FACTS}))
    except Exception:  # of a comparison that makes no sense: the module itself would not load
        return None


def _branch_of_try(statement: ast.Try, home_of: HomeOf) -> list[ast.stmt] | None:
    handler = next((h for h in statement.handlers if _catches_import_errors(h)), None)
    if handler is None:
        return None
    tried = [node for part in statement.body for node in imports_within(part)]
    if tried and all(_succeeds(node, home_of) for node in tried):
        return [*statement.body, *statement.orelse, *statement.finalbody]
    return [*handler.body, *statement.finalbody] if tried else None


def _succeeds(node: ast.Import | ast.ImportFrom, home_of: HomeOf) -> bool:
    home = home_of(node)
    if home != "standard" or isinstance(node, ast.Import):
        return home != "foreign"
    return all(alias.name == "*" or offers(node.module or "", alias.name) for alias in node.names)


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _IMPORT_ERRORS) for kind in caught)
