"""A `return` that is gone: calls that should give something give `None`, or go on where they should have stopped.

for candidate in returns(function, quarry, watched): ...
"""

import ast
from collections.abc import Iterator

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import TERMINAL, Function
from foretrace.forager.repair.evidence import Watched
from foretrace.forager.repair.expressions import expressions
from foretrace.forager.repair.fragments import Quarry
from foretrace.forager.repair.points import Point, points_of

_POINTS = 6
"""Places that are tried, at most."""


def returns(function: Function, quarry: Quarry, watched: Watched) -> Iterator[Candidate]:
    """A `return` at the end of each block, of each expression that could stand there."""
    if _yields(function):
        return
    ranked = sorted(((place_cost(function, p, watched), i, p) for i, p in enumerate(points_of(function)) if p.is_last))
    for place, _, point in ranked[:_POINTS]:
        if place > 6.0:
            continue
        found = expressions(function, point, quarry, limit=260)
        if point.loop or not point.is_last or point.depth:
            found = [(2.0, ""), *found]
        for cost, text in found:
            cost += _kind(function, text)
            statement = f"return {text}".rstrip()
            yield Candidate(function.code, point.insert(statement), f"add `{statement}`", "returns", place + cost)


def place_cost(function: Function, point: Point, watched: Watched) -> float:
    """How unlikely it is that the end of a block lacks a `return`."""
    cost = 0.0 if point.is_pass else 0.5 + 0.35 * point.depth
    last = point.before.end_lineno or 0 if point.before is not None else point.line
    if isinstance(point.before, TERMINAL):
        return 99.0
    if not watched.reaches(function, point):
        return 99.0
    if watched.falls(function):
        first = point.before.lineno if point.before is not None else point.line
        fell = any(first <= line <= max(last, point.line) for line in watched.falls(function))
        cost += 0.0 if fell else 1.5
    if point.owner is function.node and not point.is_pass:
        cost -= 0.4
    if isinstance(point.owner, ast.If | ast.ExceptHandler) and not point.is_pass:
        cost += 0.2
    return cost


def _yields(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in function.own)


def _kind(function: Function, text: str) -> float:
    """What the annotation and the name of a function, and its other returns say against an expression."""
    told = function.code.text(function.node.returns) if function.node.returns is not None else ""
    name = function.node.name
    truth = text in ("True", "False") or " == " in text or text.startswith("not ")
    if told == "bool" or name.startswith(("is_", "has_", "can_")) or name in ("__eq__", "__lt__", "__contains__"):
        return -0.8 if truth else 0.3
    if told and told != "bool" and text in ("True", "False"):
        return 1.5
    others = [function.code.text(n.value) for n in function.own if isinstance(n, ast.Return) and n.value is not None]
    if text in ("True", "False"):
        return -1.2 if {"True", "False"} & set(others) else 0.4
    if "," in text and any("," in other for other in others):
        return -0.4
    return 0.0
