"""Steps as JSON, a page at a time, with the loops folded that they are in.

    page(session, start=0, count=500)        # {'rows': […], 'folds': […], 'total': 100000, …}
    lane(session, width=800)                 # surprise and errors of the whole branch in at most 800 bars

A page costs as much as it has rows, wherever in the branch it is.
"""

from bisect import bisect_left
from math import inf
from typing import Any

from foretrace.debug.moment import Moment
from foretrace.debug.passes import Run
from foretrace.debug.reality import Comparison, Verdict, texts_of
from foretrace.debug.session import Session
from foretrace.debug.view import MAX_COUNT, clip, effect, limited, nats, surprise, values

_MAX_BARS = 2_000


def page(session: Session, start: int = 0, count: int = MAX_COUNT, *, whole: bool = False) -> dict[str, Any]:
    """Steps `start` to before `start + count` of the branch, those that are known; at its end, real ones that it lacks.

    Args:
        session: is only read.
        start: the first step.
        count: at most `MAX_COUNT`.
        whole: list all values of each step, not only those that are new or wrong.

    """
    start, known = max(start, 0), len(session.branch.timeline)
    comparison = session.tree.comparison(session.branch)
    total = known + _missing(comparison)
    stop = min(start + limited(count), total)
    rows = [_row(session.at(at), whole) for at in range(start, min(stop, known))]
    if comparison is not None:
        rows += [_missing_row(comparison, at) for at in range(max(start, known), stop)]
    runs = session.tree.passes(session.branch).between(start, min(stop, known))
    return {
        "branch": session.branch.id,
        "start": start,
        "rows": rows,
        "known": known,
        "total": total,
        "folds": [_fold(run, start, stop, comparison) for run in runs],
    }


def _missing(comparison: Comparison | None) -> int:
    """How many real steps come after the last of a branch that has ended."""
    if comparison is None or comparison.branch.finish is None:
        return 0
    last = comparison.place(len(comparison.branch.timeline) - 1)
    return 0 if last is None else max(len(comparison.reality.trace) - last - 1, 0)


def _row(moment: Moment, whole: bool) -> dict[str, Any]:
    frame, comparison, position = moment.step.frame, moment.comparison, moment.position
    row = {
        "position": position,
        "event": frame.event,
        "function": frame.function,
        "depth": frame.depth,
        "line": frame.line,
        "source": frame.source,
        "after": moment.timeline.after(position),
        "values": values(moment, only_new=not whole),
        "effect": effect(moment),
        "surprise": surprise(moment),
        "line_sure": moment.line_confidence,
        "skipped": moment.branch.skips.get(position),
    }
    if comparison is not None:
        place, scored = comparison.place(position), comparison.reality.scored
        row["verdict"], row["slip"] = comparison.verdict(position), comparison.is_slip(position)
        row["kinds"] = sorted({divergence.kind for divergence in comparison.wrong_at(position)})
        row["real_surprise"] = nats(scored[place].logprob) if place is not None and place < len(scored) else None
    return row


def _missing_row(comparison: Comparison, position: int) -> dict[str, Any]:
    real = comparison.real(position)
    assert real is not None
    return {
        "position": position,
        "event": real.event,
        "function": real.function,
        "depth": real.depth,
        "line": real.line,
        "source": real.source,
        "verdict": Verdict.MISSING,
        "values": [
            {"name": name, "text": None, "real": clip(text, 200), "verdict": Verdict.MISSING}
            for name, text in texts_of(real).items()
        ],
    }


def _fold(run: Run, start: int, stop: int, comparison: Comparison | None) -> dict[str, Any]:
    """A loop that runs through a page: its passes there, those alike and in a row taken together."""
    slips = comparison.slips if comparison else []
    first, last = run.number_at(start), min(run.number_at(max(stop - 1, 0)), run.count)
    groups: list[dict[str, Any]] = []
    for number in range(first, last + 1):
        begin, end = run.starts[number - 1], run.starts[number] if number < len(run.starts) else run.end
        wrong = bisect_left(slips, inf if end is None else end) - bisect_left(slips, begin)
        odd = run.is_odd(number)
        if groups and not (odd or wrong or groups[-1]["odd"] or groups[-1]["slips"]):
            groups[-1] |= {"last": number, "end": end}
        else:
            groups.append({"first": number, "last": number, "start": begin, "end": end, "odd": odd, "slips": wrong})
    return {
        "line": run.loop.head.start,
        "start": run.start,
        "end": run.end,
        "passes": run.count,
        "odd": run.odd,
        "groups": groups,
    }


def lane(session: Session, start: int = 0, stop: int | None = None, width: int = 800) -> list[dict[str, Any]]:
    """Some steps of the branch as at most `width` bars: the greatest surprise of each, and how many steps are wrong.

    It goes through all these steps, which takes a moment for 100,000 of them.
    """
    timeline, comparison = session.branch.timeline, session.tree.comparison(session.branch)
    start, stop = max(start, 0), min(len(timeline) if stop is None else stop, len(timeline))
    bars = []
    each = max(1, -(-(stop - start) // min(max(width, 1), _MAX_BARS)))
    for first in range(start, stop, each):
        steps = range(first, min(first + each, stop))
        bar: dict[str, Any] = {
            "start": first,
            "steps": len(steps),
            "surprise": max(nats(timeline[at].logprob) for at in steps),
        }
        if comparison is not None:
            scored = comparison.reality.scored
            places = [place for at in steps if (place := comparison.place(at)) is not None and place < len(scored)]
            bar["real"] = max((nats(scored[place].logprob) for place in places), default=None)
            bar["wrong"] = sum(bool(comparison.wrong_at(at)) for at in steps)
        bars.append(bar)
    return bars
