"""CWM's mutation operators: what is removed, swapped or replaced in a function that tests check.

"Functions: part or whole body removed; arguments: removed from a definition or reordered in a call; variables: two swapped;
statements: an import or a return removed; operators: binary, unary and boolean ones replaced" (CWM report, arXiv:2510.02387,
section 2.3). Each operator yields every edit of its kind, and none of them is checked for sense: that is what tests are for.

    for edit in OPERATORS["binary_operator"](function): ...
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType
from typing import Any

import libcst as cst
import libcst.matchers as m
from libcst.metadata import ExpressionContext

from foretrace.forager.mutation.edits import Edit, Function

_BINARY: Mapping[type[cst.BaseBinaryOp], tuple[type[cst.BaseBinaryOp], ...]] = {
    cst.Add: (cst.Subtract,),
    cst.Subtract: (cst.Add,),
    cst.Multiply: (cst.Divide, cst.Power),
    cst.Divide: (cst.Multiply, cst.FloorDivide),
    cst.FloorDivide: (cst.Divide, cst.Modulo),
    cst.Modulo: (cst.FloorDivide, cst.Multiply),
    cst.Power: (cst.Multiply,),
    cst.LeftShift: (cst.RightShift,),
    cst.RightShift: (cst.LeftShift,),
    cst.BitAnd: (cst.BitOr,),
    cst.BitOr: (cst.BitAnd, cst.BitXor),
    cst.BitXor: (cst.BitOr,),
}
_AUGMENTED: Mapping[type[cst.BaseAugOp], tuple[type[cst.BaseAugOp], ...]] = {
    cst.AddAssign: (cst.SubtractAssign,),
    cst.SubtractAssign: (cst.AddAssign,),
    cst.MultiplyAssign: (cst.DivideAssign,),
    cst.DivideAssign: (cst.MultiplyAssign,),
    cst.FloorDivideAssign: (cst.MultiplyAssign,),
    cst.BitAndAssign: (cst.BitOrAssign,),
    cst.BitOrAssign: (cst.BitAndAssign,),
}
_COMPARISONS: Mapping[type[cst.BaseCompOp], tuple[type[cst.BaseCompOp], ...]] = {
    cst.Equal: (cst.NotEqual,),
    cst.NotEqual: (cst.Equal,),
    cst.LessThan: (cst.LessThanEqual, cst.GreaterThan),
    cst.LessThanEqual: (cst.LessThan, cst.GreaterThanEqual),
    cst.GreaterThan: (cst.GreaterThanEqual, cst.LessThan),
    cst.GreaterThanEqual: (cst.GreaterThan, cst.LessThanEqual),
    cst.In: (cst.NotIn,),
    cst.NotIn: (cst.In,),
    cst.Is: (cst.IsNot,),
    cst.IsNot: (cst.Is,),
}
_OF_OTHERS = m.Return() | m.Import() | m.ImportFrom() | m.Pass()
"""Statements that other operators remove, or that nobody misses."""
_PASS = cst.SimpleStatementLine([cst.Pass()])


# -- functions -----------------------------------------------------------------------------------------


def function_body_removed(function: Function) -> Iterator[Edit]:
    """Nothing but the docstring is left."""
    node = function.node
    if isinstance(node, cst.FunctionDef) and isinstance(node.body, cst.IndentedBlock):
        kept = [s for s in node.body.body[:1] if _is_docstring(s)]
        if len(node.body.body) > len(kept):
            body = node.body.with_changes(body=[*kept, _PASS])
            yield _edit("function_body_removed", function, f"the body of {function.name} is gone", (node.body, body))


def function_part_removed(function: Function) -> Iterator[Edit]:
    """Consecutive statements of one block are gone, but not the whole body."""
    for block in _own(function, cst.IndentedBlock):
        statements = [s for s in block.body if not _is_docstring(s)]
        whole = len(statements) if block is getattr(function.node, "body", None) else len(statements) + 1
        for size in range(1, min(whole, len(statements) + 1)):
            for first in range(len(statements) - size + 1):
                gone = statements[first : first + size]
                if not all(m.matches(s, m.SimpleStatementLine([_OF_OTHERS])) for s in gone):
                    what = f"{size} statement{'s' if size > 1 else ''} removed"
                    yield _edit("function_part_removed", function, what, *((s, cst.RemoveFromParent()) for s in gone))


# -- arguments -----------------------------------------------------------------------------------------


def parameter_removed(function: Function) -> Iterator[Edit]:
    """A parameter is missing in the definition."""
    if not isinstance(function.node, cst.FunctionDef):
        return
    given = function.node.params
    for field in ("posonly_params", "params", "kwonly_params"):
        several: Sequence[cst.Param] = getattr(given, field)
        for at, parameter in enumerate(several):
            if at == 0 and function.is_method and parameter.name.value in ("self", "cls"):
                continue
            what = f"parameter {parameter.name.value} removed"
            yield _edit("parameter_removed", function, what, (given, _without(given, field, at)))


def arguments_reordered(function: Function) -> Iterator[Edit]:
    """Two positional arguments of a call have changed places."""
    for call in _own(function, cst.Call):
        places = [at for at, argument in enumerate(call.args) if not argument.keyword and not argument.star]
        for one, other in combinations(places, 2):
            arguments = list(call.args)
            arguments[one] = call.args[one].with_changes(value=call.args[other].value)
            arguments[other] = call.args[other].with_changes(value=call.args[one].value)
            what = f"arguments {one + 1} and {other + 1} of {_text(function, call.func)} swapped"
            yield _edit("arguments_reordered", function, what, (call, call.with_changes(args=arguments)))


# -- variables -----------------------------------------------------------------------------------------


def variables_swapped(function: Function) -> Iterator[Edit]:
    """Two variables have changed places wherever the body names them.

    If both get their values in the body, only where they are read: otherwise nothing but names would change.
    """
    if not isinstance(function.node, cst.FunctionDef):
        return
    parameters = {p.name.value for p in _parameters(function.node.params)}
    places = _variables(function, parameters)
    for one, other in combinations(sorted(places), 2):
        everywhere = one in parameters or other in parameters
        changes = [
            (node, node.with_changes(value=other if name == one else one))
            for name in (one, other)
            for node, is_read in places[name]
            if everywhere or is_read
        ]
        if changes:
            yield _edit("variables_swapped", function, f"{one} and {other} swapped", *changes)


# -- statements ----------------------------------------------------------------------------------------


def import_removed(function: Function) -> Iterator[Edit]:
    """One of a statement's imported names, or the statement, is missing."""
    for statement in _own(function, cst.Import, cst.ImportFrom):
        module = getattr(statement, "module", None)
        if isinstance(statement.names, cst.ImportStar) or (module is not None and _text(function, module) == "__future__"):
            continue
        for at, alias in enumerate(statement.names):
            what = f"import of {_text(function, alias.asname.name if alias.asname else alias.name)} removed"
            left = [*statement.names[:at], *statement.names[at + 1 :]]
            if not left:
                yield _removal("import_removed", function, what, statement)
                continue
            if at == len(statement.names) - 1:
                left[-1] = left[-1].with_changes(comma=alias.comma)
            yield _edit("import_removed", function, what, (statement, statement.with_changes(names=left)))


def return_removed(function: Function) -> Iterator[Edit]:
    """A `return` is missing."""
    for statement in _own(function, cst.Return):
        yield _removal("return_removed", function, f"{_text(function, statement)} removed", statement)


# -- operators -----------------------------------------------------------------------------------------


def binary_operator(function: Function) -> Iterator[Edit]:
    """`+` is `-`, and the like; also in `+=`."""
    for node in _own(function, cst.BinaryOperation, cst.AugAssign):
        table = _BINARY if isinstance(node, cst.BinaryOperation) else _AUGMENTED
        yield from _replaced("binary_operator", function, node, table)


def comparison_operator(function: Function) -> Iterator[Edit]:
    """`<` is `<=`, `in` is `not in`, and the like."""
    for node in _own(function, cst.ComparisonTarget):
        yield from _replaced("comparison_operator", function, node, _COMPARISONS)


def boolean_operator(function: Function) -> Iterator[Edit]:
    """`and` is `or`, or the other way round."""
    for node in _own(function, cst.BooleanOperation):
        yield from _replaced("boolean_operator", function, node, {cst.And: (cst.Or,), cst.Or: (cst.And,)})


def unary_operator(function: Function) -> Iterator[Edit]:
    """`not`, `-`, `+` or `~` is gone."""
    for node in _own(function, cst.UnaryOperation):
        what = f"{_text(function, node)} became {_text(function, node.expression)}"
        inner = node.expression.with_changes(
            lpar=[*node.lpar, *node.expression.lpar], rpar=[*node.expression.rpar, *node.rpar]
        )
        yield _edit("unary_operator", function, what, (node, inner))


Operator = Callable[[Function], Iterator[Edit]]
OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        operator.__name__: operator
        for operator in (
            function_body_removed,
            function_part_removed,
            parameter_removed,
            arguments_reordered,
            variables_swapped,
            import_removed,
            return_removed,
            binary_operator,
            comparison_operator,
            boolean_operator,
            unary_operator,
        )
    }
)
FAMILIES: Mapping[str, tuple[float, tuple[str, ...]]] = MappingProxyType(
    {
        "functions": (7, ("function_body_removed", "function_part_removed")),
        "arguments": (9, ("parameter_removed", "arguments_reordered")),
        "variables": (6, ("variables_swapped",)),
        "statements": (11, ("import_removed", "return_removed")),
        "operators": (12, ("binary_operator", "comparison_operator", "boolean_operator", "unary_operator")),
    }
)
"""Families with their shares of CWM's trajectories in percent (report, section 2.3), and their operators."""


# -- what they share -----------------------------------------------------------------------------------


def _own(function: Function, *kinds: type[cst.CSTNode]) -> Iterator[Any]:
    """Nodes of some kinds that belong to a function and to none within it, in the order of the text."""
    waiting: list[cst.CSTNode] = [*reversed(function.node.children)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, kinds):
            yield node
        if not isinstance(node, cst.FunctionDef) and not (not function.name and isinstance(node, cst.ClassDef)):
            waiting += reversed(node.children)


def _edit(
    operator: str, function: Function, what: str, *changes: tuple[cst.CSTNode, cst.CSTNode | cst.RemovalSentinel]
) -> Edit:
    line = min(function.module.lines[node][0] for node, _ in changes)
    return Edit(operator, function.name, line, what, changes)


def _removal(operator: str, function: Function, what: str, statement: cst.BaseSmallStatement) -> Edit:
    """A statement is gone, and with it its line if it stood alone there."""
    line = function.module.parents[statement]
    alone = isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1
    return _edit(operator, function, what, (line if alone else statement, cst.RemoveFromParent()))


def _replaced(
    operator: str,
    function: Function,
    node: cst.BinaryOperation | cst.AugAssign | cst.ComparisonTarget | cst.BooleanOperation,
    table: Mapping[Any, Sequence[Any]],
) -> Iterator[Edit]:
    own: Any = node.operator
    for other in table.get(type(own), ()):
        new = other(whitespace_before=own.whitespace_before, whitespace_after=own.whitespace_after)
        what = f"{_text(function, own)} became {_text(function, new)}"
        yield _edit(operator, function, what, (node, node.with_changes(operator=new)))


def _variables(function: Function, parameters: set[str]) -> dict[str, list[tuple[cst.Name, bool]]]:
    """The local variables of a function, and where its body names them; True where it reads them."""
    found: dict[str, list[tuple[cst.Name, bool]]] = {}
    bound = set(parameters)
    assert isinstance(function.node, cst.FunctionDef)
    for name in _own(replace(function, node=function.node.body), cst.Name):
        context = function.module.contexts.get(name)
        if context is not None:
            found.setdefault(name.value, []).append((name, context is ExpressionContext.LOAD))
        if context is ExpressionContext.STORE:
            bound.add(name.value)
    return {name: places for name, places in found.items() if name in bound and name not in ("self", "cls")}


def _without(given: cst.Parameters, field: str, at: int) -> cst.Parameters:
    """Parameters but for one; no `*` or `/` is left alone."""
    several: Sequence[cst.Param] = getattr(given, field)
    left = [*several[:at], *several[at + 1 :]]
    if left and at == len(several) - 1:
        left[-1] = left[-1].with_changes(comma=several[at].comma)
    changed: dict[str, Any] = {field: left}
    if not left and field == "posonly_params":
        changed["posonly_ind"] = cst.MaybeSentinel.DEFAULT
    if not left and field == "kwonly_params" and isinstance(given.star_arg, cst.ParamStar):
        last = [p.with_changes(comma=cst.MaybeSentinel.DEFAULT) for p in given.params[-1:]]
        changed |= {"star_arg": cst.MaybeSentinel.DEFAULT, "params": [*given.params[:-1], *last]}
    return given.with_changes(**changed)


def _parameters(given: cst.Parameters) -> list[cst.Param]:
    starred = [p for p in (given.star_arg, given.star_kwarg) if isinstance(p, cst.Param)]
    return [*given.posonly_params, *given.params, *given.kwonly_params, *starred]


def _is_docstring(statement: cst.CSTNode) -> bool:
    return m.matches(statement, m.SimpleStatementLine([m.Expr(m.SimpleString() | m.ConcatenatedString())]))


def _text(function: Function, node: cst.CSTNode) -> str:
    return " ".join(function.module.tree.code_for_node(node).split())
