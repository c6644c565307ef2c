"""Sessions as JSON Lines: what was asked, not what was predicted, so that a file is small and a restart shows the same.

    with open(path, "w") as file: save_session(session, file)
    session = load_session(open(path), load_predictor("tiny"))

A header line says which call is predicted, and how; then comes a line a breakpoint, and a line a branch, with what it
changed. A real trace follows the first branch of its call. Predictions are made again, as far as is needed to stand
where one stood: the same model gives the same ones.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from io import StringIO
from typing import Any, TextIO

from foretrace.debug.branch import Branch, Change, Kind
from foretrace.debug.breakpoints import Breakpoint, DataBreakpoint, Filters
from foretrace.debug.session import Session
from foretrace.debug.types import Judge, Settings
from foretrace.engine import Predictor, Prompt
from foretrace.engine.binding import BoundCall
from foretrace.engine.steps import extended
from foretrace.errors import ForetraceError, FormatError, UsageError
from foretrace.trace import Event, Frame, read_jsonl, write_jsonl

VERSION = 1


def save_session(session: Session, file: TextIO, *, real: bool = True) -> None:
    """Writes a session to `file`.

    Args:
        session: is only read.
        file: takes text.
        real: write the real traces too; without them a loaded session does not know them, and no re-anchored branch.

    """
    for record in _records(session, real):
        file.write(json.dumps(record) + "\n")


def _records(session: Session, real: bool) -> Iterator[dict[str, Any]]:
    call = session.tree.root.prompt.call
    known = [b for b in session.branches if real or not _is_anchored(b)]
    yield {
        "v": VERSION,
        "kind": "session",
        "call": asdict(call),
        "path": session.path,
        "model": session.predictor.name,
        "settings": asdict(session.settings),
        "budget": session.budget,
        "invented": session.invented,
        "watches": session.watches,
        "filters": asdict(session.breakpoints.filters),
        "branch": known.index(session.branch) if session.branch in known else 0,
        "position": session.position,
    }
    for item in session.breakpoints.items.values():
        yield {"breakpoint": asdict(item)}
    told = set()
    for branch in known:
        parent = known.index(branch.parent) if branch.parent else None
        skips = {str(at): what for at, what in branch.skips.items()}
        yield {"branch": asdict(branch.change), "parent": parent, "start": branch.start, "skips": skips}
        reality = session.tree.reality(branch)
        if real and reality is not None and reality not in told:
            told.add(reality)
            text = StringIO()
            write_jsonl(reality.trace, text)
            yield {"real": text.getvalue()}


def _is_anchored(branch: Branch | None) -> bool:
    """Whether a branch, or one that it comes from, is predicted from reality."""
    return branch is not None and (branch.change.kind is Kind.ANCHOR or _is_anchored(branch.parent))


def load_session(lines: Iterable[str], predictor: Predictor, *, judge: Judge | None = None) -> Session:
    """The session that was saved, at the step at which it stood.

    Raises:
        FormatError: the lines are no session; the message names the line.
        UsageError: the predictor does not predict what it predicted then.

    """
    session, number = None, 0
    head: dict[str, Any] = {}
    try:
        for line in lines:
            number += 1
            record = json.loads(line)
            if session is None:
                head, session = record, _session(record, predictor, judge)
            else:
                _add(session, record)
        if session is None:
            raise FormatError("there is no session: the file is empty")
        session.select(int(head["branch"]))
        session.seek(int(head["position"]))
    except ForetraceError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise FormatError(f"line {number} is not part of a session (JSON Lines v{VERSION}): {error!r}") from error
    return session


def _session(head: dict[str, Any], predictor: Predictor, judge: Judge | None) -> Session:
    if head["v"] != VERSION or head["kind"] != "session":
        raise FormatError(f"this is no session of version {VERSION}, but {head['kind']} of version {head['v']}")
    told = head["call"]
    call = BoundCall(
        source=str(told["source"]),
        entry=str(told["entry"]),
        line=int(told["line"]),
        locals=_texts(told["locals"]),
        arguments=str(told["arguments"]),
    )
    line = call.source.split("\n")[call.line - 1]
    frame = Frame(Event.CALL, call.entry, 0, call.line, line, locals=call.locals)
    session = Session(
        predictor,
        extended(Prompt(call, (), ()), [frame]),
        settings=Settings(**head["settings"]),
        path=str(head["path"]),
        judge=judge,
        invented=bool(head["invented"]),
    )
    session.budget = int(head["budget"])
    session.watches = [str(watch) for watch in head["watches"]]
    session.breakpoints.filters = Filters(**head["filters"])
    return session


def _add(session: Session, record: dict[str, Any]) -> None:
    """Adds what one line says."""
    if "breakpoint" in record:
        fields = record["breakpoint"]
        session.breakpoints.add(Breakpoint(**fields) if "line" in fields else DataBreakpoint(**fields))
    elif "real" in record:
        [trace] = read_jsonl(record["real"].splitlines(keepends=True))
        session.tree.attach(session.branches[-1], trace)
    elif record["parent"] is None:
        session.tree.root.skips.update(_skips(record))
    else:
        _branch(session, record)


def _branch(session: Session, record: dict[str, Any]) -> None:
    told = record["branch"]
    change = Change(
        kind=Kind(told["kind"]),
        texts=_texts(told["texts"]),
        seed=int(told["seed"]),
        temperature=float(told["temperature"]),
        skip=str(told["skip"]),
    )
    parent, start = session.branches[int(record["parent"])], int(record["start"])
    position = start - 1 if change.kind in (Kind.SAMPLE, Kind.SKIP) else start
    if change.kind is not Kind.ANCHOR and (finish := session.tree.reach(parent, position)):
        name = session.predictor.name
        raise UsageError(f"{name} does not predict step {position} again, at which a branch begins: {finish.reason}")
    session.tree.fork(parent, position, change).skips.update(_skips(record))


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in values.items()}


def _skips(record: dict[str, Any]) -> dict[int, str]:
    return {int(at): str(what) for at, what in record["skips"].items()}
