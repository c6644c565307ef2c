"""What changed places: two arguments of a call, or two variables.

arguments(function)            # f(b, a) becomes f(a, b)
variables(function)            # every x becomes y, and every y x
"""

import ast
from collections.abc import Iterator
from itertools import combinations

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Function, Piece
from foretrace.forager.repair.names import scope_of


def arguments(function: Function) -> Iterator[Candidate]:
    """Two positional arguments of each call, the other way round."""
    code = function.code
    for node in function.own:
        if not isinstance(node, ast.Call):
            continue
        plain = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
        for rank, (one, other) in enumerate(combinations(plain, 2)):
            if code.text(one) != code.text(other):
                pieces = (Piece(*code.span(one), code.text(other)), Piece(*code.span(other), code.text(one)))
                what = f"swap `{code.text(one)}` and `{code.text(other)}` in the call of `{code.text(node.func)}`"
                yield Candidate(code, pieces, " ".join(what.split()), "arguments", 1.2 + 0.1 * rank)


def variables(function: Function) -> Iterator[Candidate]:
    """Two variables, the other way round: everywhere in the body, or wherever they are read, or in one statement."""
    scope, code = scope_of(function), function.code
    own = [node for statement in function.node.body for node in ast.walk(statement) if isinstance(node, ast.Name)]
    skipped = {"self", "cls"}
    places: dict[str, list[ast.Name]] = {}
    for node in own:
        if (node.id in scope.bound or node.id in scope.undefined) and node.id not in skipped:
            places.setdefault(node.id, []).append(node)
    for name in function.parameters:
        if name not in skipped:
            places.setdefault(name, [])
    near = {node.id for node in function.own if isinstance(node, ast.Name)}
    for one, other in combinations(sorted(places), 2):
        several = [*places[one], *places[other]]
        everywhere = one in function.parameters or other in function.parameters
        chosen = [node for node in several if everywhere or isinstance(node.ctx, ast.Load)]
        pieces = tuple(Piece(*code.span(node), other if node.id == one else one) for node in chosen)
        if pieces:
            unlikely = (one not in near) + (other not in near)
            yield Candidate(code, pieces, f"swap `{one}` and `{other}`", "variables", 1.4 + 0.5 * unlikely)
