"""What is written beside the lines of a program: what each did when it last ran.

    notes(session, 23)[4]          # {'line': 4, 'position': 22, 'effect': [{'name': 'n', 'before': '2', …}], …}

Readers expect `n = 0  ⇢ n = 0`, but a frame shows the state before its line runs. So a line's note is what its scope's
next frame shows, and beside it what that really shows. In a re-anchored run the line is the real one.
"""

from bisect import bisect_right
from typing import Any

from foretrace.debug import Moment, Session, Verdict
from foretrace.debug.view import clip, effect, values
from foretrace.trace import Event

CHARACTERS = 200
"""Of a value beside a line."""


def notes(session: Session, position: int) -> list[dict[str, Any]]:
    """The notes of all lines that ran up to step `position`, in the order in which they last ran."""
    timeline = session.branch.timeline
    found = []
    for line in range(1, session.branch.prompt.call.source.count("\n") + 2):
        visited = timeline.visits(line)
        count = bisect_right(visited, position)
        if count:
            found.append((visited[count - 1], count))
    return [note(session.at(at)) | {"visit": count} for at, count in sorted(found)]


def note(moment: Moment) -> dict[str, Any]:
    """What the line of one step did: each value that it changed, predicted and real; of a call, its arguments."""
    timeline, position = moment.timeline, moment.position
    frame, following = moment.frame, timeline.after(position)
    told = {"line": frame.line, "position": position, "function": frame.function, "depth": frame.depth}
    if frame.event is Event.CALL:
        rows = [{**row, "before": None, "after": row["text"]} for row in values(moment)]
        return told | {"leads": frame.event, "effect": [_short(row) for row in rows], "calls": True}
    if following is None:
        return told | {"leads": None, "effect": [], "calls": False}
    after = Moment(moment.branch, following, moment.predictor, moment.comparison, moment.judge)
    rows_by_name = {row["name"]: row for row in values(after)}
    known = moment.comparison.values(position) if moment.comparison else {}
    changed = {row["name"]: row for row in effect(moment)}
    for name, row in rows_by_name.items():
        newly_wrong = row["verdict"] not in (None, Verdict.RIGHT) and known.get(name, Verdict.RIGHT) is Verdict.RIGHT
        if name and newly_wrong and name not in changed and "" not in changed:
            changed[name] = {"name": name, "before": None, "after": row["text"]}
    if moment.branch.real is not None:  # what it is predicted from is real: that is what its line changed
        changed = {name: {**row, "before": _known(moment, name)} for name, row in changed.items()}
        changed = {name: row for name, row in changed.items() if row["before"] != row["after"] or not name}
    rows = [_short({**rows_by_name.get(name, {}), **row}) for name, row in changed.items()]
    return told | {"leads": timeline[following].frame.event, "effect": rows, "calls": following != position + 1}


def _known(moment: Moment, name: str) -> str | None:
    """The text of a value that the steps after this one know."""
    return clip(moment.frame.state.get(name), CHARACTERS)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in ("name", "before", "after", "real", "verdict", "sure", "dots")}
