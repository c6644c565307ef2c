"""Whether a call ends, shown: by running it to its end, or by a proof that it never comes there.

    [shown] = show_all([(program.source, arguments)], box)
    shown.ends, shown.cycle                      # False, Cycle(first=1, again=9, line=2, state={'n': '7'})

A deterministic program that comes to a state again does so for ever. What a recorder shows is the whole state of a program
if nothing else is there: so the proof asks of the source that it be plain (`is_plain`), of the place that no iterator be on
its way there, and of the values that they be numbers and texts, or one list of these, shown in full.
"""

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from foretrace.evals.scorers.literal import parse_literal
from foretrace.evals.synthetic.recording import record_all
from foretrace.sandbox import Sandbox
from foretrace.trace import Event, Frame, Limits, Outcome, Trace
from foretrace.trace.syntax import UNREADABLE, parse

MAX_FRAMES = 200
"""That a call is run for, before it is given up."""
_FUNCTIONS = frozenset({"len", "range", "sum", "int", "str", "min", "max", "abs", "sorted"})
_METHODS = frozenset({"pop", "append", "startswith", "endswith", "swapcase"})
_FORBIDDEN = (
    *(ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Lambda, ast.ClassDef, ast.Try, ast.With, ast.Delete),
    *(ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFunctionDef, ast.NamedExpr),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A state that came back."""

    first: int
    again: int
    """Numbers of the two frames."""
    line: int
    state: dict[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a call."""

    ends: bool
    """It ended; otherwise it was stopped, and only a cycle proves that it never does."""
    trace: Trace
    cycle: Cycle | None = None


def show_all(calls: Sequence[tuple[str, str]], box: Sandbox) -> list[Shown | None]:
    """Runs calls `f(arguments)`, each a source and arguments, for at most `MAX_FRAMES` frames.

    None of what ends with an exception, or of what is stopped for another reason than its length.
    """
    traces = record_all([(source, "f", arguments) for source, arguments in calls], box, Limits(max_events=MAX_FRAMES))
    return [_shown(trace) if trace else None for trace in traces]


def _shown(trace: Trace) -> Shown | None:
    if trace.header.outcome is Outcome.RETURNED:
        return Shown(True, trace)
    if trace.header.detail != "events":
        return None
    return Shown(False, trace, find_cycle(trace.frames, trace.header.source))


def find_cycle(frames: Sequence[Frame], source: str) -> Cycle | None:
    """The first state that comes back, which proves that the call does not end; of predicted frames, that they say so."""
    lines = _proving(source)
    seen: dict[tuple[int, tuple[tuple[str, str], ...]], int] = {}
    for at, frame in enumerate(frames):
        if frame.event is Event.LINE and frame.depth == 0 and frame.line in lines and _is_whole(frame.state):
            state = (frame.line, tuple(sorted(frame.state.items())))
            if state in seen:
                return Cycle(seen[state], at, frame.line, frame.state)
            seen[state] = at
    return None


def is_plain(source: str) -> bool:
    """Whether all that a program of one function can remember is in its locals, and all that it calls is deterministic."""
    try:
        tree = parse(source)
    except UNREADABLE:
        return False
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef) or tree.body[0].decorator_list:
        return False
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return not own & _FUNCTIONS and all(_is_plain(node, own) for node in ast.walk(tree))


def _is_plain(node: ast.AST, own: set[str]) -> bool:
    if isinstance(node, _FORBIDDEN):
        return False
    if isinstance(node, ast.FunctionDef):
        return not node.args.defaults and not node.args.kw_defaults  # a default is remembered from call to call
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS
    if isinstance(node, ast.Call):
        return not isinstance(node.func, ast.Name) or node.func.id in _FUNCTIONS
    if isinstance(node, ast.Name):
        return node.id in own or node.id in _FUNCTIONS or not hasattr(builtins, node.id)
    return True


@lru_cache(maxsize=256)
def _proving(source: str) -> frozenset[int]:
    """Lines of `f` that begin a statement outside of any `for`: before such a one, nothing is remembered but the locals.

    The line of a `for` is none of them, as it is come back to with an iterator that is on its way; nor that of a statement
    of several lines, as it is come back to with operands that are on their way. There are none where a program is not plain.
    """
    if not is_plain(source):
        return frozenset()
    waiting: list[ast.stmt] = list(parse(source).body)
    found = set()
    while waiting:
        node = waiting.pop()
        head = node.test if isinstance(node, ast.If | ast.While) else node
        if not isinstance(node, ast.For) and head.end_lineno == node.lineno:
            found.add(node.lineno)
        if isinstance(node, ast.FunctionDef | ast.If | ast.While):
            waiting += node.body + getattr(node, "orelse", [])
    return frozenset(found)


def _is_whole(state: dict[str, str]) -> bool:
    """Whether values are numbers and texts, or one list of these: whole, and with nothing shared between them."""
    kinds = [_kind(text) for text in state.values()]
    return None not in kinds and kinds.count("list") <= 1


@lru_cache(maxsize=4096)
def _kind(text: str) -> str | None:
    """`list` of plain values, or `plain`; None: something else, or not shown in full."""
    valid, value = parse_literal(text)
    parts = value if isinstance(value, list) else [value]
    if not valid or not all(type(part) in (int, str, bool) for part in parts):
        return None
    return "list" if isinstance(value, list) else "plain"
