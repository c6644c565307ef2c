"""Statements that are gone: an assignment, a guard, a step of a loop, whole blocks.

    for candidate in statements(function, quarry, watched, messages): ...

If a name is bound nowhere, or read before it is bound, what is missing binds it. Else statements of other functions are
put in each place that failing tests run, those first that stand between the same neighbours, or use what is never read.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Function
from foretrace.forager.repair.evidence import Watched
from foretrace.forager.repair.expressions import expressions
from foretrace.forager.repair.fragments import Fragment, Quarry, attributes_of, distance, fillings, shape_of
from foretrace.forager.repair.names import Scope, scope_of
from foretrace.forager.repair.points import Point, points_of

_FAR = 3.6
"""Cost above which a statement of another function is not tried."""
_UNBOUND = re.compile(
    r"(?:local variable '(\w+)' referenced|cannot access local variable '(\w+)' where|name '(\w+)' is not)"
)
_RAISES = re.compile(r"DID NOT RAISE <class '(?:\w+\.)*(\w+)'>|(\w+(?:Error|Exception|Invalid)) not raised")


def statements(function: Function, quarry: Quarry, watched: Watched, messages: Sequence[str]) -> Iterator[Candidate]:
    """What may be missing at each place of a function."""
    scope = scope_of(function)
    unbound = {name for message in messages for found in _UNBOUND.findall(message) for name in found if name}
    wanted = [*scope.undefined, *(name for name in scope.bound if name in unbound and name not in scope.undefined)]
    points = [p for p in points_of(function) if watched.reaches(function, p)]
    if wanted:
        yield from _bindings(function, points, wanted, quarry)
    raised = {name for message in messages for pair in _RAISES.findall(message) for name in pair if name}
    for point in points:
        for cost, text, what in _templates(function, point, scope, raised):
            yield _put(point, function, text, what, cost)
    bound = frozenset(scope.bound) | scope.outside
    places = [(p, _shape(p.before, bound), _shape(p.after, bound)) for p in points]
    for fragment in quarry.statements:
        if fragment.function is not function or len(fragment.nodes) == 1:
            yield from _transplants(fragment, function, places, scope, quarry, wanted)


def _put(point: Point, function: Function, text: str, what: str, cost: float) -> Candidate:
    cost -= 1.5 if point.is_pass else 0.0
    return Candidate(function.code, point.insert(text), what, "statements", cost)


def _bindings(function: Function, points: list[Point], names: list[str], quarry: Quarry) -> Iterator[Candidate]:
    """An assignment to each name that has no value, before it is first read."""
    for name in names[:3]:
        reads = [n.lineno for n in ast.walk(function.node) if isinstance(n, ast.Name) and n.id == name]
        first = min(reads, default=function.node.lineno)
        before = [p for p in points if p.line <= first and (p.depth == 0 or p.after is not None)]
        for rank, point in enumerate(sorted(before, key=lambda p: (first - p.line, p.depth))[:4]):
            for cost, text in expressions(function, point, quarry, limit=150):
                if text != name:
                    place = 0.3 + 0.5 * rank + (0.3 if point.depth else 0.0)
                    yield _put(point, function, f"{name} = {text}", f"add `{name} = {text}`", place + cost)


def _templates(function: Function, point: Point, scope: Scope, raised: set[str]) -> Iterator[tuple[float, str, str]]:
    """Guards, defaults and steps, as they are mostly written: cost, text, and what it is in words."""
    names = [name for name in scope.visible(point.line, point.loop)[:8] if name not in ("self", "cls")]
    if point.depth == 0:
        yield from _attributes(function, scope)
        yield from _defaults(function)
    if point.loop:
        yield from _steps(names, scope)
    for error in sorted(raised)[:2]:
        yield 1.2, f"raise {error}()", f"raise `{error}`"
        for test in (test for name in names for test in (f"not {name}", f"{name} is None", name)):
            yield 1.5, f"if {test}:\n    raise {error}()", f"raise `{error}` if `{test}`"
    jumps = (
        ("continue", "break", "raise") if point.is_pass else ("break", "continue") if point.is_last and point.loop else ()
    )
    for text in jumps:
        yield 2.0 if point.is_pass else 3.0, text, f"add `{text}`"


def _attributes(function: Function, scope: Scope) -> Iterator[tuple[float, str, str]]:
    """Parameters of a constructor that it does not keep."""
    if function.node.name == "__init__" and function.owner is not None:
        read = attributes_of(function)
        for name in (n for n in function.parameters if n in scope.unused):
            for attribute in (a for a in (name, f"_{name}") if a in read or a == name):
                text = f"self.{attribute} = {name}"
                yield 0.5 - 0.4 * (attribute in read), text, f"add `{text}`"


def _defaults(function: Function) -> Iterator[tuple[float, str, str]]:
    values = ("[]", "{}", "()", "''", "0", "set()", "False", "True", "dict()", "list()")
    for name in (n for n in function.parameters if n not in ("self", "cls")):
        for rank, value in enumerate(values):
            text = f"if {name} is None:\n    {name} = {value}"
            yield 3.4 + 0.1 * rank, text, f"let `{name}` be `{value}` if it is `None`"


def _steps(names: Sequence[str], scope: Scope) -> Iterator[tuple[float, str, str]]:
    """What loops do in each round."""
    for name in names:
        for text in (f"{name} += 1", f"{name} -= 1"):
            yield 2.2, text, f"add `{text}`"
        for other in (other for other in names[:6] if other != name):
            text = f"{name}.append({other})"
            yield 3.0 - 0.7 * (name in scope.unused or other in scope.unused), text, f"add `{text}`"


def _transplants(
    fragment: Fragment,
    function: Function,
    places: list[tuple[Point, str, str]],
    scope: Scope,
    quarry: Quarry,
    wanted: list[str],
) -> Iterator[Candidate]:
    """A statement of some function at each place."""
    base = distance(fragment, function) + 0.03 * fragment.size + 0.8 + 0.6 * (len(fragment.nodes) - 1)
    if fragment.function is function:
        base += 1.0
    for point, before, after in places:
        around = _neighbours(fragment, before, after)
        if base - around - 2.6 > _FAR:
            continue
        for cost, text in fillings(fragment, scope, point, quarry.names):
            useful = 2.0 if any(re.match(rf"\W*{name}\b[^=]*=[^=]", text) for name in wanted) else 0.0
            if wanted and not useful:
                continue
            total = base - around + cost - useful
            if total > _FAR:
                continue
            short = " ".join(text.split())
            shown = short if len(short) <= 60 else f"{short[:59]}…"
            yield _put(point, function, text, f"add `{shown}`", total)


def _shape(statement: ast.stmt | None, bound: frozenset[str]) -> str:
    return shape_of(statement, bound) if statement is not None else ""


def _neighbours(fragment: Fragment, before: str, after: str) -> float:
    """How alike the places are, by the shapes of what stands before and behind them."""
    same_before, same_after = before == fragment.previous, after == fragment.following
    worth = 0.9 if before else 0.3
    return worth * same_before + (0.9 if after else 0.3) * same_after + 0.6 * (same_before and same_after)
