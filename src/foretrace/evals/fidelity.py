"""Trace fidelity: how much of a predicted execution is right, step by step and to the end.

    compare_run(read_trace(answer, prompt), real)       # free-running: the model lived with its own mistakes
    compare_steps(frames_of(answer), real)              # true history: each step was predicted after the real ones

The two are different things, and figures for steps of the one must not stand beside those of the other (CWM report,
arXiv:2510.02387, table 9, has steps with the true history). A step is a frame after the first, which is given: its
*state* is what its locals are, or what is returned or raised; its *action* is its event and its line.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foretrace.evals.scorers.literal import same_literal, type_name
from foretrace.trace import Event, Frame, Outcome, Segment, Token, Trace, diff, frame_segments
from foretrace.trace.syntax import UNREADABLE, parse

FORMAT, OUTPUT, STATE, ACTION, WHOLE = "valid format", "output", "state", "action", "whole trace"
"""Measures, of each program."""
PARTS = (
    *(f"{STATE} of {kind}" for kind in ("int", "str", "list", "dict", "tuple", "bool")),
    *(f"{STATE} after {ran}" for ran in ("assignment", "augmented assignment", "expression", "for", "while", "if")),
    *(f"{STATE} after {ran}" for ran in ("comprehension", "return")),
)
"""The frequent ones of the kinds of steps; see `step_kinds`."""
CUT = ("tokens", "context")
"""Details of a trace that a limit of the model ended."""


@dataclass(slots=True)
class Fidelity:
    """What is right of one prediction."""

    hits: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    first_error: int | None = None
    """The first step that is wrong, 0 being the call frame, which is given."""
    divergence: str = ""
    """Its kind, as `foretrace.trace.diff` names it."""
    told: str | None = None
    """What the call is said to return."""

    def count(self, name: str, right: bool) -> None:
        """Counts one case of a measure."""
        self.totals[name] += 1
        self.hits[name] += right

    def is_right(self, name: str) -> bool:
        """Whether every case of a measure is right, and there is one."""
        return 0 < self.totals[name] == self.hits[name]

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """All measures."""
        return {name: (self.hits[name], total) for name, total in self.totals.items()}


def compare_run(predicted: Trace | None, real: Trace) -> Fidelity:
    """Compares a free-running prediction frame by frame; None: there is none. What is missing is wrong."""
    found = Fidelity()
    frames = predicted.frames if predicted else ()
    kinds = step_kinds(real)
    for at in range(1, len(real)):
        ours, theirs = frames[at] if at < len(frames) else None, real.frames[at]
        state = ours is not None and (ours.locals, ours.value) == (theirs.locals, theirs.value)
        action = ours is not None and _same_action(ours, theirs)
        _count_step(found, kinds[at], state, action)
    has_ended = predicted is not None and predicted.header.outcome is not Outcome.TRUNCATED
    found.count(FORMAT, has_ended)
    found.told = predicted.result if predicted else None
    expected = real.result
    if expected is not None:
        found.count(OUTPUT, found.told is not None and same_literal(found.told, expected))
    else:
        found.count(OUTPUT, predicted is not None and predicted.exception == real.exception)
    difference = diff(predicted, real) if predicted else None
    found.count(WHOLE, difference is not None and difference.agrees)
    if difference is None:
        found.first_error, found.divergence = 1, "format"
    elif difference.first:
        found.first_error, found.divergence = difference.first.step, difference.first.kind
    return found


def compare_steps(predicted: Sequence[Sequence[Segment]], real: Trace) -> Fidelity:
    """Compares frames that were each predicted after the true ones before them; a part is right if its text is."""
    found, kinds = Fidelity(), step_kinds(real)
    for at, theirs in enumerate(frame_segments(real.frames)):
        if not at:
            continue
        ours = predicted[at] if at < len(predicted) else []
        right_state, right_action = _same_parts(ours, theirs)
        _count_step(found, kinds[at], right_state, right_action)
        if found.first_error is None and not (right_state and right_action):
            found.first_error, found.divergence = at, "line" if not right_action else _kind_of_state(real.frames[at])
        if at == len(real) - 1:
            found.count(OUTPUT, right_state)
    found.count(WHOLE, found.first_error is None)
    return found


def _kind_of_state(frame: Frame) -> str:
    return "value" if frame.locals is not None else frame.event.value


def _count_step(found: Fidelity, kinds: Sequence[str], state: bool, action: bool) -> None:
    found.count(STATE, state)
    found.count(ACTION, action)
    for kind in kinds:
        found.count(f"{STATE} {kind}", state)


def _same_action(ours: Frame, theirs: Frame) -> bool:
    same_place = ours.line == theirs.line or not (ours.line and theirs.line)
    return (ours.event, ours.source) == (theirs.event, theirs.source) and same_place


def _same_parts(ours: Sequence[Segment], theirs: Sequence[Segment]) -> tuple[bool, bool]:
    """Whether the state (or value) of a frame and its action are right."""
    event = theirs[0]
    parts, true = _texts(ours), _texts(theirs)
    state, source = (
        (None, Token.ACTION_SEP) if event in (Token.CALL_SEP, Token.LINE_SEP) else (Token.ARG_SEP, Token.ACTION_SEP)
    )
    says_event = bool(ours) and ours[0] is event
    return parts.get(state) == true[state], says_event and parts.get(source) == true[source]


def _texts(frame: Sequence[Segment]) -> dict[Token | None, str]:
    """The texts of a frame by the separator that is before them; None: the event, or nothing."""
    found: dict[Token | None, str] = {}
    before: Token | None = None
    for segment in frame:
        if isinstance(segment, Token):
            before = segment if segment in (Token.ACTION_SEP, Token.ARG_SEP) else None
        else:
            found.setdefault(before, segment)
    return found


# ---------------------------------------------------------------------------------------------------
# What a step is of


def step_kinds(trace: Trace) -> list[tuple[str, ...]]:
    """Of each frame: `of int` for each type of a value that is new in it, and `after for`: the statement that ran."""
    statements = _statements(trace.header.source)
    found: list[tuple[str, ...]] = []
    last: dict[int, Mapping[str, str]] = {}
    for at, frame in enumerate(trace.frames):
        before = {} if frame.event is Event.CALL else last.get(frame.depth, {})
        texts = {"": frame.value or ""} if frame.locals is None else frame.locals
        new = {type_name(text) for name, text in texts.items() if before.get(name) != text}
        if frame.locals is not None:
            last[frame.depth] = frame.locals
        ran = statements.get(trace.frames[at - 1].line, "other") if at else "call"
        found.append((*(f"of {kind}" for kind in sorted(new)), f"after {ran}"))
    return found


_KINDS: dict[type[ast.AST], str] = {
    ast.FunctionDef: "def", ast.AsyncFunctionDef: "def", ast.Return: "return", ast.Assign: "assignment",
    ast.AnnAssign: "assignment", ast.AugAssign: "augmented assignment", ast.For: "for", ast.While: "while", ast.If: "if",
    ast.Expr: "expression", ast.Try: "try", ast.ExceptHandler: "except", ast.With: "with", ast.Raise: "raise",
    ast.Assert: "assert", ast.Break: "break", ast.Continue: "continue", ast.Delete: "del", ast.Pass: "pass",
    ast.ListComp: "comprehension", ast.SetComp: "comprehension", ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension", ast.Lambda: "lambda",
}  # fmt: skip


def _statements(source: str) -> dict[int, str]:
    """The kind of statement that begins on each line, by what runs there; what has a comprehension in it is one."""
    try:
        nodes = list(ast.walk(parse(source)))
    except UNREADABLE:
        return {}
    found: dict[int, str] = {}
    for node in nodes:  # outer ones come first
        if type(node) in _KINDS:
            found[getattr(node, "lineno", 0)] = _KINDS[type(node)]
    return found
