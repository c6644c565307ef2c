"""EvalPlus's rule: an answer must give what the reference solution gives, on many inputs (Liu et al., arXiv:2305.01210).

    with plus_scorer(setting, program=program_of, rules={}) as score:
        score(item, answer)       # of items with `prompt`, `entry`, `solution`, `inputs`, `atol`

The reference runs first, in the sandbox, and its time decides the limit. Numbers are compared as `numpy.allclose` does, with
the tolerance of the task. Rows come with both their sets of inputs, and both must pass: the "plus" score.
"""

import cmath
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from foretrace.evals.benchmarks.coding import LIMITS, text_of, unanswered
from foretrace.evals.scorers import rules as plain
from foretrace.evals.scorers.digests import is_digest
from foretrace.evals.scorers.outcomes import broken
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Item, Score, Setting, Verdict
from foretrace.sandbox import SandboxLimits

_REFERENCE_LIMITS = replace(LIMITS, seconds=600, cpu_seconds=180)
_FACTOR = 4.0
"""Of the reference's time that an answer may take beyond `LIMITS`, as EvalPlus has it."""
_RELATIVE = 1e-7
_ABSOLUTE = 1e-6
"""For floats, where a task has no tolerance."""
_MAX_ELEMENTS = 2000
"""Of what is compared as a set: more might be chosen to have the same hash, which takes the square of their time."""
_FETCHING = 4.0
"""Of an answer's limit, for long values that have to be fetched one by one."""
_SHORTEN = "from foretrace.evals.scorers.digests import short as _short"
_KEPT = 8
"""Tasks whose expected values are kept: samples of one task come about one after the other."""

Same = Callable[[Any, Any, float], tuple[bool, bool]]
"""Of what is expected, the value, and the task's tolerance: whether they are the same, strictly and officially."""


def same(expected: Any, value: Any, atol: float) -> tuple[bool, bool]:
    """Equal; or floats that are near each other. Strictly also of the same types."""
    strict, official = plain.same(expected, value)
    tolerance = atol or (_ABSOLUTE if _is_floats(expected) else 0.0)
    if strict or not tolerance or type(expected) is not type(value):
        return strict, official
    return _is_near(expected, value, tolerance, is_exact=True), official or _is_near(expected, value, tolerance)


def same_elements(expected: Any, value: Any, atol: float) -> tuple[bool, bool]:
    """The same elements, in whatever order; strictly in the same kind of sequence."""
    if not isinstance(value, list | tuple | set | frozenset) or len(value) > _MAX_ELEMENTS:
        return False, False
    try:
        strict, official = plain.same(set(expected), set(value))
    except TypeError:
        return False, False
    return strict and type(expected) is type(value), official


def _is_floats(value: Any) -> bool:
    return type(value) is float or (
        isinstance(value, list | tuple) and bool(value) and all(type(item) is float for item in value)
    )


def _is_near(expected: Any, value: Any, atol: float, *, is_exact: bool = False) -> bool:
    if is_exact and type(expected) is not type(value):
        return False
    if isinstance(expected, list | tuple) and isinstance(value, list | tuple):
        pairs = zip(expected, value, strict=False)
        return len(expected) == len(value) and all(_is_near(*pair, atol, is_exact=is_exact) for pair in pairs)
    if isinstance(expected, int | float | complex) and isinstance(value, int | float | complex):
        try:
            is_near = abs(expected - value) <= atol + _RELATIVE * abs(expected)
            return expected == value or (is_near and cmath.isfinite(expected))
        except OverflowError:
            return False
    return bool(expected == value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one task is called, and what is right. `{function}` and `{arguments}` (a tuple) stand in the texts."""

    call: str = "{function}(*{arguments})"
    expected: str = ""
    """Evaluated with the reference solution; empty: as the call."""
    same: Same = same
    readings: tuple[str, ...] = ()
    """Other solutions, of another reading of the task: what they give is right, too."""


@dataclass(frozen=True, slots=True)
class _Expected:
    """What is right for one call."""

    call: str
    reference: str
    """The text whose value in a reference solution is right."""
    values: tuple[Any, ...]
    """Of the reference, and of other readings; of a long one its digest."""

    def __repr__(self) -> str:
        return repr(self.values[0])


@dataclass(frozen=True, slots=True)
class _Task:
    """All calls of a task."""

    expected: list[_Expected]
    limits: SandboxLimits
    """Of an answer, for all of it."""


def load_inputs(row: Mapping[str, Any]) -> list[list[Any]]:
    """Both sets of inputs of a row."""
    return [*row["base_input"], *row["plus_input"]]


@contextmanager
def plus_scorer(setting: Setting, *, program: Callable[[str, str, str], str], rules: Mapping[str, Rule]) -> Iterator[Score]:
    """Scores by what the reference gives.

    Args:
        setting: how code is run.
        program: makes a program of prompt, answer and the name of the function.
        rules: of tasks whose rule is not the usual one.

    """
    with ProgramScorer(setting, LIMITS) as programs:
        known: dict[str, _Task | str] = {}

        def score(item: Item, answer: str | None) -> Verdict:
            if answer is None:
                return unanswered()
            rule = rules.get(item.id, Rule())
            if item.id not in known:
                if len(known) >= _KEPT:
                    del known[next(iter(known))]
                known[item.id] = _task(programs, item, rule)
            task = known[item.id]
            if isinstance(task, str):
                return broken(f"the reference solution: {task}")
            source = program(item.row["prompt"], answer, item.row["entry"])
            return _score(programs, source, task, item, rule)

        yield score


def _score(programs: ProgramScorer, source: str, task: _Task, item: Item, rule: Rule) -> Verdict:
    spent = 0.0

    def value_of(program: str, call: str) -> Any:
        nonlocal spent
        if spent > _FETCHING * task.limits.seconds:
            return _Nothing
        outcome = programs.call(program, [call], limits=task.limits)
        spent += outcome.seconds
        return outcome.calls[0].value if outcome.calls and not outcome.calls[0].error else _Nothing

    def judge(expected: _Expected, value: Any) -> tuple[bool, bool]:
        if value in expected.values and is_digest(value):
            return True, True
        rights = expected.values
        if any(map(is_digest, (value, *rights))):  # not the same text, but the same value it may be
            value = value_of(source, expected.call)
            rights = tuple(value_of(reference, expected.reference) for reference in _references(item, rule))
        strict, official = zip(*(rule.same(right, value, item.row["atol"]) for right in rights), strict=True)
        return any(strict), any(official)

    calls = [_short(expected.call) for expected in task.expected]
    return programs.score_calls(source, calls, task.expected, setup=_SHORTEN, same=judge, limits=task.limits)


class _Nothing:
    """No value: it is not the same as any."""


def _references(item: Item, rule: Rule) -> list[str]:
    return [item.row["solution"], *rule.readings]


def _task(programs: ProgramScorer, item: Item, rule: Rule) -> _Task | str:
    """What the reference solution gives; why it does not, if it does not."""
    row = item.row
    names = [{"function": row["entry"], "arguments": text_of(tuple(inputs))} for inputs in row["inputs"]]
    calls, references = ([text.format_map(name) for name in names] for text in (rule.call, rule.expected or rule.call))
    values, more = [], 0.0
    for source in _references(item, rule):
        outcome = programs.call(source, [*map(_short, references)], setup=_SHORTEN, limits=_REFERENCE_LIMITS)
        why = outcome.error or next((called.error for called in outcome.calls if called.error), "")
        if why:
            return why
        values.append([called.value for called in outcome.calls])
        more = max(more, _FACTOR * outcome.seconds)
    limits = replace(LIMITS, seconds=LIMITS.seconds + more, cpu_seconds=math.ceil(LIMITS.cpu_seconds + more))
    return _Task([*map(_Expected, calls, references, zip(*values, strict=True))], limits)


def _short(call: str) -> str:
    return f"_short({call})"
