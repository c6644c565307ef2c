"""Many iterations in one sentence: which values the variables took, how often a condition held, what was called."""

import ast
from collections.abc import Sequence

from foretrace.record.narration.activations import Step, Visit
from foretrace.record.narration.calls import call_text, callees, is_coroutine, is_generator, outcome_text, short_name
from foretrace.record.narration.conditions import outcome
from foretrace.record.narration.loops import Iteration, LoopRun, changing, group, series
from foretrace.record.narration.moment import quotation
from foretrace.record.narration.syntax import Syntax, targets_of
from foretrace.record.narration.voice import Voice, times

_MAX_VARIABLES = 4
_MAX_CONDITIONS = 2
_SHORT = 24
"""Characters of a value that may stand in a series."""


def folded(loop: LoopRun, iterations: Sequence[Iteration], syntax: Syntax, voice: Voice) -> str:
    """What the iterations come to, as one clause; empty if nothing that is seen changes."""
    parts = [_targets(loop, iterations, voice)]
    parts += _variables(loop, iterations, voice)
    parts += _conditions(loop, iterations, syntax, voice)
    steps = [step for iteration in iterations for step in (iteration.header, *iteration.body)]
    parts.append(called([visit for step in steps for visit in callees(step, syntax)], syntax, voice))
    raised = [step.raised for step in steps if step.raised is not None and step.following]
    if raised:
        distinct = list(dict.fromkeys(map(voice.value, raised)))
        parts.append(f"{voice.enumeration(distinct)} {'is' if len(distinct) == 1 else 'are'} raised and handled on the way")
    return "; ".join(part for part in parts if part)


def _targets(loop: LoopRun, iterations: Sequence[Iteration], voice: Voice) -> str:
    found = []
    for name in loop.targets:
        values = series(iterations, name, at_start=True)
        if len(values) == len(iterations) and max(map(len, values)) <= 2 * _SHORT:
            found.append(f"{name} = {voice.series(values)}")
    return "for " + " and ".join(found) if found else ""


def _variables(loop: LoopRun, iterations: Sequence[Iteration], voice: Voice) -> list[str]:
    inner = [node.target for node in ast.walk(loop.node) if isinstance(node, (ast.For, ast.AsyncFor))]
    names = changing(iterations, but=[name for target in inner for name in targets_of(target)])
    told = [_variable(name, series(iterations, name), len(iterations), voice) for name in names[:_MAX_VARIABLES]]
    if len(names) > _MAX_VARIABLES:
        rest = len(names) - _MAX_VARIABLES
        told.append("another variable changes too" if rest == 1 else f"{rest} other variables change too")
    return [text for text in told if text]


def _variable(name: str, values: list[str], count: int, voice: Voice) -> str:
    if not values:
        return ""
    if count == 1:
        return f"{name} becomes {voice.value(values[-1])}"
    if len(values) < count or max(map(len, values)) > _SHORT:
        return f"{name} ends up as {voice.value(values[-1])}"
    if len(set(values)) == 1:
        return f"{name} is {values[0]} after each"
    return f"{name} goes {voice.series(values)}"


def _conditions(loop: LoopRun, iterations: Sequence[Iteration], syntax: Syntax, voice: Voice) -> list[str]:
    tests: dict[ast.If, list[tuple[Iteration, bool]]] = {}
    for iteration in iterations:
        for item in group(iteration.body, syntax):
            node = syntax.statement(item.line) if isinstance(item, Step) else None
            if isinstance(node, ast.If) and isinstance(item, Step):
                verdict = outcome(item, node, syntax)
                if verdict is not None:
                    tests.setdefault(node, []).append((iteration, verdict))
    return [_condition(loop, node, found, syntax, voice) for node, found in list(tests.items())[:_MAX_CONDITIONS]]


def _condition(loop: LoopRun, node: ast.If, tests: list[tuple[Iteration, bool]], syntax: Syntax, voice: Voice) -> str:
    source = quotation(syntax.source_of(node.test))
    true = [iteration for iteration, verdict in tests if verdict]
    if len(true) in (0, len(tests)):
        if len(tests) == 1:
            return f"{source} {'holds' if true else 'does not hold'}"
        return f"{source} holds each time" if true else f"{source} never holds"
    if len(loop.targets) == 1:
        values = series(true, loop.targets[0], at_start=True)
        if len(values) == len(true) and max(map(len, values)) <= _SHORT:
            return f"{source} holds for {loop.targets[0]} = {voice.series(values)}"
    return f"{source} holds in {len(true):,} of {len(tests):,} tests"


def called(visits: Sequence[Visit], syntax: Syntax, voice: Voice) -> str:
    """What calls gave, as one clause, by function."""
    by_name: dict[str, list[Visit]] = {}
    for visit in visits:
        by_name.setdefault(visit.name, []).append(visit)
    return "; ".join(_of_one_function(group, syntax, voice) for group in by_name.values())


def _of_one_function(visits: list[Visit], syntax: Syntax, voice: Voice) -> str:
    if any(map(is_generator, visits)):
        return generator_text(visits, syntax, voice)
    told = [f"{call_text(visit, syntax, voice.detail.value // 2)} {outcome_text(visit, voice)}" for visit in visits]
    if len(told) < 3:
        return " and ".join(told)
    return f"{short_name(visits[0].name)} is called {times(len(told))}: {voice.series(told)}"


def generator_text(visits: Sequence[Visit], syntax: Syntax, voice: Voice) -> str:
    """What a generator or a coroutine did while it was run, resumed and run to an end."""
    starts = [i for i, visit in enumerate(visits) if i and not visit.call.resumed]
    runs = [visits[start:end] for start, end in zip([0, *starts], [*starts, len(visits)], strict=True)]
    most = voice.detail.shown
    texts = [_of_one_run(run, syntax, voice) for run in runs[:most]]
    if len(runs) > most:
        texts.append(f"{short_name(visits[0].name)} is started {times(len(runs) - most)} more")
    return "; ".join(texts)


def _of_one_run(visits: Sequence[Visit], syntax: Syntax, voice: Voice) -> str:
    name = short_name(visits[0].name)
    yielded = [voice.value(visit.value) for visit in visits if visit.end is not None and visit.end.suspended]
    started = sum(not visit.call.resumed for visit in visits)
    ended = [visit for visit in visits if visit.end is not None and not visit.end.suspended]
    if not started:
        start = f"{name} resumes" if len(visits) == 1 else f"{name} is resumed {times(len(visits))}"
    else:
        start = f"{name} starts" if len(visits) == 1 else f"{name} runs"
    parts = [start]
    if yielded and is_coroutine(visits[0], syntax):
        parts.append("waits" if len(yielded) == 1 else f"waits {times(len(yielded))}")
    elif yielded:
        parts.append(f"yields {voice.series(yielded)}")
    if ended:
        last = ended[-1]
        if last.end is not None and last.end.unwind:
            parts.append(f"raises {voice.value(last.value)}")
        else:
            parts.append("ends" if last.value == "None" else f"returns {voice.value(last.value)}")
    return voice.series_of_clauses(parts)
