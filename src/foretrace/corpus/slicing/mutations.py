"""Which top-level statements change an object after it was bound.

    REGISTRY = {}
    REGISTRY["x"] = f           # a slice that needs REGISTRY needs this line, too
    @REGISTRY.register          # and what is so decorated
    for kind in (A, B): kind.size = 0

A statement changes what it stores into (`n.a = `, `n[i] = `, `n += `), what it calls a method of without using the result
(`n.update(…)`), what it hands to `setattr`, `update_wrapper` or `….register`, and what a function of the module that it
calls changes in this way.
"""

import ast
from collections.abc import Iterator

from foretrace.corpus.slicing.module import DEFINITIONS, Definition, Module

_CHANGES_ITS_ARGUMENT = {"setattr", "delattr", "update_wrapper", "register", "update_abstractmethods"}
_ONLY_ABOUT_TEXT = {"__doc__", "__module__"}
"""Attributes that are set for readers of documentation."""


def mutators(module: Module) -> dict[str, list[int]]:
    """Indices of the statements of a module that change each name's object."""
    through: dict[str, set[str]] = {}
    for statement in module.statements:
        node = statement.node
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            changed, local = set(_changed_in(node, {})), statement.scopes.function_locals
            through[node.name] = (changed - local) | {name for own, name in _defaults(node) if own in changed}
    found: dict[str, list[int]] = {}
    for index, statement in enumerate(module.statements):
        for name in sorted(set(_changed_by(statement.node, through))):
            if index not in found.setdefault(name, []):
                found[name].append(index)
    return found


def _defaults(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Parameters whose defaults are names, with these: what changes the parameter changes the default's object."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    given = zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    for parameter, default in [*given, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
        if isinstance(default, ast.Name):
            yield parameter.arg, default.id


def _changed_by(node: ast.AST, through: dict[str, set[str]]) -> Iterator[str]:
    """Names changed when a top-level statement runs."""
    if isinstance(node, Definition):
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            yield from _root(call.value) if isinstance(call, ast.Attribute) else ()
            yield from through.get(call.id, ()) if isinstance(call, ast.Name) else ()
    else:
        yield from _changed_in(node, through)


def _changed_in(node: ast.AST, through: dict[str, set[str]]) -> Iterator[str]:
    """Names changed by a statement or one within it."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign | ast.Delete):
            for target in part.targets:
                yield from _stored_into(target)
        elif isinstance(part, ast.AugAssign | ast.AnnAssign):
            yield from _stored_into(part.target)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            yield from _changed_by_call(part.value, through)
        elif isinstance(part, ast.For) and not isinstance(node, DEFINITIONS):
            yield from _changed_through_loop(part, through)


def _stored_into(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _stored_into(element)
    elif isinstance(target, ast.Subscript) or (isinstance(target, ast.Attribute) and target.attr not in _ONLY_ABOUT_TEXT):
        yield from _root(target.value)


def _changed_by_call(call: ast.Call, through: dict[str, set[str]]) -> Iterator[str]:
    function = call.func
    name = function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    if isinstance(function, ast.Attribute):
        yield from _root(function.value)
    else:
        yield from through.get(name, ())
    if name in _CHANGES_ITS_ARGUMENT:
        yield from (argument.id for argument in call.args if isinstance(argument, ast.Name))


def _changed_through_loop(loop: ast.For, through: dict[str, set[str]]) -> Iterator[str]:
    """What a loop goes over is changed if its variable's object is."""
    variables = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    if any(name in variables for part in loop.body for name in _changed_in(part, through)):
        yield from (n.id for n in ast.walk(loop.iter) if isinstance(n, ast.Name))


def _root(node: ast.expr) -> Iterator[str]:
    """The name that a chain of attributes, subscripts and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id
