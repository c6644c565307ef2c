"""What faces show, as JSON: the session as a whole, and the step that it stands at. Pages of steps are in `pages.py`.

    program(session)        # source, entry, model, settings
    summary(session)        # position, stop, branches, budget, breakpoints, how much is wrong
    state(session)          # stack, values predicted and real, loops, watches, of one step
    visits(session, 4)      # the steps at which line 4 runs
    search(session, "'r'")  # steps that say so

Nothing here predicts, and each answer costs what it shows, not what the session holds. Long texts are cut.
"""

from bisect import bisect_left, bisect_right
from dataclasses import asdict
from typing import Any

from foretrace.debug.calibration.maps import mark
from foretrace.debug.moment import Moment
from foretrace.debug.passes import Run
from foretrace.debug.reality import Comparison, Verdict, texts_of
from foretrace.debug.session import Session
from foretrace.errors import UsageError
from foretrace.trace import Divergence

VERSION = 1
MAX_COUNT = 500
"""Items that one answer lists."""
MAX_SCAN = 20_000
"""Steps that one search looks at; it says where to go on."""
_MAX_STACK = 200
_STATE_CHARACTERS = 20_000
_LIST_CHARACTERS = 200


def program(session: Session) -> dict[str, Any]:
    """What is debugged, and by what: all that no move changes."""
    call = session.tree.root.prompt.call
    return {
        "v": VERSION,
        "path": session.path,
        "source": call.source,
        "entry": call.entry,
        "line": call.line,
        "model": session.predictor.name,
        "settings": asdict(session.settings),
    }


def summary(session: Session) -> dict[str, Any]:
    """Where the session stands, but for its steps."""
    branch, finish = session.branch, session.branch.finish
    return {
        "v": VERSION,
        "arguments": branch.prompt.call.locals,
        "invented": session.invented,
        "budget": session.budget,
        "spent": session.spent,
        "position": session.position,
        "stop": session.stop.to_dict(),
        "steps": len(branch.timeline),
        "finish": {"reason": finish.reason, "detail": finish.detail} if finish else None,
        "mode": "free-run" if branch.real is None else "re-anchored",
        "branch": branch.id,
        "branches": [each.to_dict() for each in session.branches],
        "breakpoints": session.breakpoints.to_dicts(),
        "filters": asdict(session.breakpoints.filters),
        "watches": list(session.watches),
        "reality": _reality(session.tree.comparison(branch)),
    }


def _reality(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    header = comparison.reality.trace.header
    slips = comparison.slips
    return {
        "steps": len(comparison.reality.trace),
        "outcome": header.outcome,
        "detail": header.detail,
        "scored": len(comparison.reality.scored),
        "wrong": len(comparison.wrong_steps),
        "slips": len(slips),
        "first": divergence(comparison.wrong_at(slips[0])[0], comparison) if slips else None,
        "rejoins": list(comparison.rejoins) if comparison.rejoins else None,
    }


def divergence(found: Divergence, comparison: Comparison) -> dict[str, Any]:
    """A divergence, and whether it is at a slip."""
    return asdict(found) | {"slip": comparison.is_slip(found.step)}


def differences(session: Session, start: int = 0, count: int = MAX_COUNT) -> list[dict[str, Any]]:
    """The divergences of at most `count` wrong steps of the branch, those at step `start` or after it."""
    comparison = session.tree.comparison(session.branch)
    if comparison is None:
        return []
    wrong = comparison.wrong_steps
    first = bisect_left(wrong, start)
    return [divergence(d, comparison) for at in wrong[first : first + limited(count)] for d in comparison.wrong_at(at)]


def state(session: Session, position: int | None = None) -> dict[str, Any]:
    """All about one step, by default the one that is shown.

    Raises:
        UsageError: it is not known.

    """
    moment = session.at(session.position if position is None else position)
    frame, comparison = moment.step.frame, moment.comparison
    visited = moment.timeline.visits(frame.line)
    real = moment.real
    return {
        "position": moment.position,
        "event": frame.event,
        "function": frame.function,
        "depth": frame.depth,
        "line": frame.line,
        "source": frame.source,
        "visit": bisect_right(visited, moment.position),
        "verdict": comparison.verdict(moment.position) if comparison else None,
        "wrong": [divergence(d, comparison) for d in comparison.wrong_at(moment.position)] if comparison else [],
        "real": {"event": real.event, "line": real.line, "source": real.source} if real else None,
        "surprise": surprise(moment),
        "line_sure": moment.line_confidence,
        "stack": _stack(moment),
        "values": values(moment, _STATE_CHARACTERS),
        "effect": effect(moment, _STATE_CHARACTERS),
        "loops": [_loop(run, moment.position) for run in session.tree.passes(moment.branch).around(moment.position)],
        "watches": [_watch(moment, expression) for expression in session.watches],
    }


def _stack(moment: Moment) -> list[dict[str, Any]]:
    frames = moment.timeline.frames
    return [
        {"position": at, "function": frames[at].function, "line": frames[at].line, "depth": frames[at].depth}
        for at in moment.stack[:_MAX_STACK]
    ]


def _loop(run: Run, position: int) -> dict[str, Any]:
    """The pass that a step is in, and where those beside it begin."""
    number, starts = run.number_at(position), run.starts
    return {
        "line": run.loop.head.start,
        "pass": number,
        "passes": run.count,
        "odd": run.odd,
        "is_odd": run.is_odd(number),
        "previous": starts[number - 2] if number > 1 else None,
        "next": starts[number] if number < len(starts) else None,
    }


def _watch(moment: Moment, expression: str) -> dict[str, Any]:
    try:
        return {"expression": expression, "value": clip(moment.evaluate(expression), _STATE_CHARACTERS), "error": None}
    except UsageError as error:
        return {"expression": expression, "value": None, "error": str(error)}


def values(moment: Moment, characters: int = _LIST_CHARACTERS, *, only_new: bool = False) -> list[dict[str, Any]]:
    """The values of a step, predicted and real; or only those that are new or wrong there."""
    predicted, real = texts_of(moment.step.frame), moment.real
    verdicts = moment.comparison.values(moment.position) if moment.comparison else {}
    told = {value.name for value in moment.step.values}
    sure = moment.confidences
    dots = {name: mark(share) for name, share in sure.items()} or moment.dots
    before = moment.timeline.state_before(moment.position)
    earlier = moment.timeline.frames[before].state if before is not None else {}
    rows = []
    for name in dict.fromkeys([*predicted, *verdicts]):
        text, verdict = predicted.get(name), verdicts.get(name)
        new = not name or earlier.get(name) != text
        if only_new and not new and verdict in (None, Verdict.RIGHT):
            continue
        really = texts_of(real).get(name) if real else None
        rows.append(
            {
                "name": name,
                "text": clip(text, characters),
                "real": clip(really, characters),
                "verdict": verdict,
                "sure": sure.get(name),
                "dots": dots.get(name),
                "given": text is not None and name not in told,
                "new": new,
            }
        )
    return rows


def effect(moment: Moment, characters: int = _LIST_CHARACTERS) -> list[dict[str, Any]]:
    """What the line of a step does: each value that is otherwise after it, as far as that is known."""
    following = moment.timeline.after(moment.position)
    if following is None or moment.step.frame.locals is None:
        return []
    before, after = moment.before, moment.after
    names = [name for name in dict.fromkeys([*after, *before]) if before.get(name) != after.get(name)]
    if moment.timeline[following].frame.locals is None:
        names = [""]  # it returns or raises
    return [
        {"name": name, "before": clip(before.get(name), characters), "after": clip(after.get(name), characters)}
        for name in names
    ]


def surprise(moment: Moment) -> float:
    """How unlikely the model held the step that it predicted, in nats: for pictures, not for trust."""
    return nats(moment.step.logprob)


def nats(logprob: float) -> float:
    """A surprise that JSON can say."""
    return round(min(-logprob, 1e6), 3) + 0.0


def visits(session: Session, line: int, start: int = 1, count: int = MAX_COUNT) -> dict[str, Any]:
    """The visits of a line so far, from the k-th on, and what its line does at each."""
    found = session.branch.timeline.visits(line)
    first = max(start, 1) - 1
    listed = found[first : first + limited(count)]
    rows = [{"visit": first + n, "position": at, "effect": effect(session.at(at))} for n, at in enumerate(listed, 1)]
    return {"line": line, "visits": len(found), "rows": rows}


def search(session: Session, text: str, start: int = 0, count: int = 100) -> dict[str, Any]:
    """Steps from `start` on whose line, or a value that is new there, holds a text, in either case.

    Returns at most `count` hits, and in `next` where to go on; None if all steps were looked at.
    """
    timeline, wanted = session.branch.timeline, text.casefold()
    hits: list[dict[str, Any]] = []
    stop = min(len(timeline), max(start, 0) + MAX_SCAN)
    for position in range(max(start, 0), stop):
        if where := _found(session, position, wanted):
            hits.append({"position": position, "line": timeline.frames[position].line, "where": where})
        if len(hits) >= limited(count):
            stop = position + 1
            break
    return {"hits": hits, "next": stop if stop < len(timeline) else None}


def _found(session: Session, position: int, wanted: str) -> list[str]:
    """Where a step says it: `line`, or `value` and the name."""
    timeline = session.branch.timeline
    frame, before = timeline[position].frame, timeline.state_before(position)
    earlier = timeline[before].frame.state if before is not None else {}
    found = ["line"] if wanted in frame.source.casefold() else []
    new = ((name, value) for name, value in texts_of(frame).items() if not name or earlier.get(name) != value)
    return found + [f"value {name}".strip() for name, value in new if wanted in f"{name} = {value}".casefold()]


def clip(text: str | None, characters: int) -> str | None:
    """A text cut to so many characters; what is cut is marked with the number left out."""
    if text is None or len(text) <= characters:
        return text
    return f"{text[:characters]}…+{len(text) - characters}"


def limited(count: int) -> int:
    """A number of items to list."""
    return min(max(count, 0), MAX_COUNT)
