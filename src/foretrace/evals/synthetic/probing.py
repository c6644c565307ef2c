"""Line probes: small questions about one execution, and their answers in a trace, real or predicted.

    for probe in probes_of(trace, Random(3), covered=True, raises=False).values():
        answer_in(trace, probe)                 # '7', "'abc'", 'yes', 'ValueError'

The kinds are REval's four (Chen et al. 2024, arXiv:2403.16437: coverage, path, state, output) and the exception; a tracer
makes them free.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from random import Random
from typing import Any

from foretrace.evals.scorers.literal import parse_literal
from foretrace.trace import Event, Frame, Outcome, Trace
from foretrace.trace.syntax import parse

COVERAGE, PATH, STATE, OUTPUT, EXCEPTION = KINDS = ("coverage", "next line", "state", "output", "exception")
YES, NO, NONE = "yes", "no", "none"
MOST_CHARACTERS = 100
"""Of a value that is asked for."""
_SILENT = (ast.Break, ast.Continue, ast.Pass, ast.Global, ast.Nonlocal, ast.FunctionDef)
"""Statements that may run without a line event, or that define."""
_RISKY = (".index(", ".remove(", ".pop(", "int(", "[", "next(", "min(", "max(", "%", "//", "raise", "assert")
"""What may raise: asked of programs that do not, so that looks tell less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question about one execution."""

    kind: str
    line: int = 0
    """1-based; 0: the question is of no line."""
    time: int = 0
    """Which time that line is executed, from 1."""
    variable: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def is_local(self) -> bool:
        """Whether the step after a known one answers it."""
        return self.kind in (PATH, STATE)


def answer_in(trace: Trace, probe: Probe) -> str | None:
    """The answer that a trace gives; None if it gives none, such as one that was cut before."""
    is_whole = trace.header.outcome is not Outcome.TRUNCATED
    if probe.kind == COVERAGE:
        covered = any(frame.event is Event.LINE and frame.line == probe.line for frame in trace.frames)
        return YES if covered else NO if is_whole else None
    if probe.kind == OUTPUT:
        return trace.result
    if probe.kind == EXCEPTION:
        raised = trace.exception
        return raised.partition("(")[0].rpartition(".")[2] if raised else NONE if is_whole else None
    at = position_of(trace, probe)
    after = trace.frames[at + 1] if at is not None and at + 1 < len(trace) else None
    if after is None or after.event is not Event.LINE or after.depth:
        return None
    return str(after.line) if probe.kind == PATH else after.state.get(probe.variable)


def position_of(trace: Trace, probe: Probe) -> int | None:
    """The number of the frame that a probe of a step stands at; None if there is none."""
    times = 0
    for at, frame in enumerate(trace.frames):
        if frame.event is Event.LINE and frame.depth == 0 and frame.line == probe.line:
            times += 1
            if times == probe.time:
                return at
    return None


def probes_of(trace: Trace, rng: Random, covered: bool, raises: bool) -> dict[str, Probe]:
    """At most one probe of each kind; one of coverage only with the wanted answer, one of the exception likewise."""
    found = {COVERAGE: _coverage(trace, rng, covered), PATH: _path(trace, rng), STATE: _state(trace, rng)}
    result = trace.result
    if result is not None and _can_be_asked(result):
        found[OUTPUT] = Probe(kind=OUTPUT)
    risky = any(text in trace.header.source for text in _RISKY)
    if (trace.exception is not None) == raises and (raises or risky):
        found[EXCEPTION] = Probe(kind=EXCEPTION)
    return {kind: probe for kind, probe in found.items() if probe}


def steps_alike(source: str) -> bool:
    """Whether a program has the same steps in all versions of Python: from 3.12 on comprehensions are no calls (PEP 709)."""
    return not any(isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp) for node in ast.walk(parse(source)))


def _can_be_asked(text: str) -> bool:
    return len(text) <= MOST_CHARACTERS and parse_literal(text)[0]


def _coverage(trace: Trace, rng: Random, wanted: bool) -> Probe | None:
    """Of lines that need not run, as they are within a compound statement, one that did or one that did not."""
    ran = {frame.line for frame in trace.frames if frame.event is Event.LINE}
    lines = []
    for node in _nested(trace):
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if node.lineno in ran if wanted else not ran.intersection(span):
            lines.append(node.lineno)
    return Probe(kind=COVERAGE, line=rng.choice(lines)) if lines else None


def _nested(trace: Trace) -> Iterator[ast.stmt]:
    """Statements of the entry function that stand within others, and whose running is seen."""
    for outer in _statements(trace):
        for body in ("body", "orelse", "finalbody"):
            for node in getattr(outer, body, []):
                is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                if not isinstance(node, _SILENT) and not is_text:
                    yield node


def _statements(trace: Trace) -> Iterator[ast.stmt]:
    """All statements in the entry function's body, but not in functions within it."""
    functions = (node for node in parse(trace.header.source).body if isinstance(node, ast.FunctionDef))
    waiting = [node for function in functions if function.name == trace.header.entry for node in function.body]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef):
            continue
        yield node
        for body in ("body", "orelse", "finalbody"):
            waiting += getattr(node, body, [])


def _path(trace: Trace, rng: Random) -> Probe | None:
    """At the head of a branch or a loop, which goes one way or the other."""
    heads = {node.lineno for node in _statements(trace) if isinstance(node, ast.If | ast.While | ast.For)}
    places = [(line, time) for line, time, _, _ in _steps(trace) if line in heads]
    if not places:
        return None
    line, time = rng.choice(places)
    return Probe(kind=PATH, line=line, time=time)


def _state(trace: Trace, rng: Random) -> Probe | None:
    """A variable that a line has changed."""
    places = [
        (line, time, name)
        for line, time, here, after in _steps(trace)
        for name, text in after.state.items()
        if here.state.get(name) != text and _can_be_asked(text)
    ]
    if not places:
        return None
    line, time, name = rng.choice(places)
    return Probe(kind=STATE, line=line, time=time, variable=name)


def _steps(trace: Trace) -> Iterator[tuple[int, int, Frame, Frame]]:
    """Steps of the entry function from a line straight to the next: line, which time it runs, the frames of both."""
    times: Counter[int] = Counter()
    for here, after in pairwise(trace.frames):
        if here.event is Event.LINE and here.depth == 0:
            times[here.line] += 1
            if after.event is Event.LINE and after.depth == 0:
                yield here.line, times[here.line], here, after
