"""All repairs of a suspicious function, the likeliest first.

    for candidate in candidates(suspect, context): ...

Costs are those of the ideas, moved by what errors say, by how suspicious a line is, and by how suspicious the function is.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from foretrace.forager.repair.bodies import bodies
from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Code, Function
from foretrace.forager.repair.evidence import Watched
from foretrace.forager.repair.exchanges import arguments, variables
from foretrace.forager.repair.fragments import Quarry
from foretrace.forager.repair.imports import guarded_imports, imports, local_imports, wanted_imports
from foretrace.forager.repair.localise import Suspect
from foretrace.forager.repair.names import has_star, loose_names, scope_of
from foretrace.forager.repair.operators import negations, operators
from foretrace.forager.repair.parameters import parameters, wanted_parameters
from foretrace.forager.repair.returns import returns
from foretrace.forager.repair.statements import statements

_NAMES = re.compile(r"NameError|UnboundLocalError|is not defined|cannot access local variable")
_NONE = re.compile(r"NoneType|(?<![\w.])None(?![\w.])")
_ARITY = re.compile(r"unexpected keyword argument|takes .*positional argument|missing \d+ required")


@dataclass(frozen=True)
class Context:
    """What is known when repairs are looked for."""

    tree: Mapping[str, Code]
    watched: Watched
    messages: Sequence[str]
    """`Class: message` of what failing tests end with."""


def candidates(suspects: Iterable[Suspect], context: Context) -> list[Candidate]:
    """Repairs of all suspects, each once."""
    found: dict[tuple[str, str], Candidate] = {}
    for rank, suspect in enumerate(suspects):
        for candidate in _of(suspect, context):
            cost = candidate.cost + 0.5 * rank**0.7
            key = (candidate.code.path, _key(candidate))
            if key not in found or cost < found[key].cost:
                found[key] = replace(candidate, cost=cost)
    return sorted(found.values(), key=lambda each: each.cost)


def _key(candidate: Candidate) -> str:
    pieces = sorted(candidate.pieces)
    return repr([(p.start, p.end, "".join(p.text.split())) for p in pieces])


def _of(suspect: Suspect, context: Context) -> Iterator[Candidate]:
    yield from _imports(suspect, context)
    function = suspect.function
    if function is None:
        return
    shifts = _shifts(function, context)
    quarry = Quarry([function.code])
    inside = (operators(function), negations(function), arguments(function), variables(function))
    for several in inside:
        for candidate in several:
            suspicion = context.watched.suspicion(function, candidate.line) if context.watched.known else 1.0
            if not suspicion and candidate.idea != "variables" and not _spans(candidate, function, context):
                continue
            shift = shifts.get(candidate.idea, shifts["slips"])
            yield replace(candidate, cost=candidate.cost + shift + 1.2 * (1 - suspicion))
    names = wanted_parameters(function, context.messages, context.tree.values())
    for several in (
        parameters(function, names, context.tree.values()),
        bodies(function, quarry),
        returns(function, quarry, context.watched),
        statements(function, quarry, context.watched, context.messages),
    ):
        for candidate in several:
            yield replace(candidate, cost=candidate.cost + shifts.get(candidate.idea, 0.0))


def _spans(candidate: Candidate, function: Function, context: Context) -> bool:
    """Whether a line of the statement that a change is in is run: of one over several lines, only some are seen to."""
    around = [n for n in function.own if isinstance(n, ast.stmt) and n.lineno <= candidate.line <= (n.end_lineno or 0)]
    innermost = max(around, key=lambda n: n.lineno, default=None)
    return innermost is not None and context.watched.ran(function, innermost)


def _shifts(function: Function, context: Context) -> dict[str, float]:
    """What errors say for and against ideas."""
    text = "\n".join(context.messages)
    undefined = bool(scope_of(function).undefined)
    falls = bool(context.watched.falls(function))
    unused = bool(scope_of(function).unused)
    shifts = {"slips": 0.0, "parameters": 0.0, "bodies": -2.0, "returns": 1.5, "statements": 2.2}
    if undefined:
        shifts |= {"slips": 3.0, "returns": 4.0, "parameters": -1.0, "statements": 0.6, "variables": -0.8}
    elif _NAMES.search(text):
        shifts |= {"statements": 0.8}
    if _ARITY.search(text):
        shifts |= {"parameters": -1.5, "slips": shifts["slips"] + 0.5}
    if falls and _NONE.search(text):
        shifts |= {"returns": shifts["returns"] - 2.5, "slips": shifts["slips"] + 0.8}
    elif falls:
        shifts |= {"returns": shifts["returns"] - 1.2}
    if unused:
        shifts |= {"returns": shifts["returns"] - 0.4, "statements": shifts["statements"] - 0.4}
    return shifts


def _imports(suspect: Suspect, context: Context) -> Iterator[Candidate]:
    wanted = wanted_imports(context.messages, context.tree)
    loose = [] if has_star(suspect.code) and not wanted else list(loose_names(suspect.code))
    names = list(dict.fromkeys([*(n for n in wanted.get("", []) if n in loose), *loose]))
    if suspect.function is not None:
        names = [n for n in names if n in scope_of(suspect.function).undefined or n in wanted.get("", [])]
        yield from local_imports(suspect.function, names, context.tree)
    yield from imports(suspect.code, names, context.tree)
    yield from guarded_imports(suspect.code, context.tree)
    for path, missing in wanted.items():
        if path and path in context.tree:
            yield from imports(context.tree[path], missing, context.tree)
