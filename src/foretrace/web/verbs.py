"""What a page can ask a session to do: moves, changes, and what is remembered with it.

    act(session, "goto", Arguments({"line": 4, "visit": 9}), running)

Each verb is a method of `Session`; the table says what it takes. One that moves leaves `session.stop` saying how it ended.
"""

from collections.abc import Callable

from foretrace.debug import Breakpoint, DataBreakpoint, Filters, Session
from foretrace.errors import UsageError
from foretrace.web.arguments import Arguments
from foretrace.web.running import Running

MAX_BUDGET = 10_000_000
"""Tokens that a page may have predicted in one session."""
AHEAD = 2_000
"""Steps that `look` and `ahead` predict at most."""
_MAX_WATCHES = 50
_MAX_BREAKPOINTS = 200
Verb = Callable[[Session, Arguments, Running], object]


def act(session: Session, verb: str, given: Arguments, running: Running) -> None:
    """Does it.

    Raises:
        UsageError: there is no such verb, or what it was given is wrong.
        RefusedError, RecordError, EndpointError: see `Running.run` and the predictor.

    """
    if verb not in VERBS:
        raise UsageError(f"there is no verb {verb[:40]!r}; those there are: {', '.join(VERBS)}")
    VERBS[verb](session, given, running)


def _look(session: Session) -> None:
    """Predicts ahead, and goes to where the prediction first goes wrong; without reality, or if it does not, stays."""
    session.seek(AHEAD)
    session.seek(0)
    comparison = session.tree.comparison(session.branch)
    if comparison is not None and comparison.slips:
        session.to_slip()


def _ahead(session: Session) -> None:
    """Predicts ahead, and stays."""
    here = session.position
    session.seek(here + AHEAD)
    session.seek(here)


def _free_run(session: Session) -> None:
    """From a re-anchored branch back to the one that it came from."""
    branch = session.branch
    while branch.real is not None and branch.parent is not None:
        branch = branch.parent
    session.select(branch.id)


def _budget(session: Session, tokens: int) -> None:
    if not session.spent <= tokens <= MAX_BUDGET:
        raise UsageError(f"a budget is between the {session.spent} tokens that were used and {MAX_BUDGET:,}")
    session.budget = tokens


def _break(session: Session, item: Breakpoint | DataBreakpoint) -> None:
    if len(session.breakpoints.items) >= _MAX_BREAKPOINTS:
        raise UsageError(f"a session can have {_MAX_BREAKPOINTS} breakpoints; remove one first")
    session.breakpoints.add(item)


def _filters(session: Session, given: Arguments) -> None:
    session.breakpoints.filters = Filters(
        exception=given.flag("exception"), divergence=given.flag("divergence"), confidence=given.share("confidence", None)
    )


def _watch(session: Session, expression: str) -> None:
    if len(session.watches) >= _MAX_WATCHES:
        raise UsageError(f"a session can have {_MAX_WATCHES} watches; remove one first")
    if expression.strip() and expression not in session.watches:
        session.watches.append(expression.strip())


def _unwatch(session: Session, expression: str) -> None:
    session.watches[:] = [watch for watch in session.watches if watch != expression]


def _line(given: Arguments) -> Breakpoint:
    return Breakpoint(line=given.number("line"), condition=given.text("condition", ""), hits=given.text("hits", ""))


def _data(given: Arguments) -> DataBreakpoint:
    return DataBreakpoint(
        name=given.text("name"), function=given.text("function", ""), condition=given.text("condition", "")
    )


VERBS: dict[str, Verb] = {
    "look": lambda s, a, r: _look(s),
    "ahead": lambda s, a, r: _ahead(s),
    "step": lambda s, a, r: s.step(),
    "over": lambda s, a, r: s.over(),
    "out": lambda s, a, r: s.out(),
    "run": lambda s, a, r: s.run(),
    "back": lambda s, a, r: s.back(),
    "back_over": lambda s, a, r: s.back_over(),
    "back_out": lambda s, a, r: s.back_out(),
    "run_back": lambda s, a, r: s.run(reverse=True),
    "seek": lambda s, a, r: s.seek(a.number("position")),
    "goto": lambda s, a, r: s.goto(a.number("line"), a.number("visit", None)),
    "next_slip": lambda s, a, r: s.to_slip(),
    "previous_slip": lambda s, a, r: s.to_slip(reverse=True),
    "skip": lambda s, a, r: s.skip(a.text("what", "line")),
    "set": lambda s, a, r: s.set(a.text("name"), a.text("text")),
    "pin": lambda s, a, r: s.pin(a.text("name")),
    "sample": lambda s, a, r: s.sample(a.number("seed"), a.share("temperature", 0.8)),
    "reroll": lambda s, a, r: s.reroll(a.number("seed"), a.texts("keep")),
    "select": lambda s, a, r: s.select(a.number("branch")),
    "anchor": lambda s, a, r: s.anchor(),
    "free_run": lambda s, a, r: _free_run(s),
    "run_for_real": lambda s, a, r: s.run_for_real(r.run),
    "surprise": lambda s, a, r: s.surprise(),
    "budget": lambda s, a, r: _budget(s, a.number("tokens")),
    "break": lambda s, a, r: _break(s, _line(a)),
    "break_on_change": lambda s, a, r: _break(s, _data(a)),
    "unbreak": lambda s, a, r: s.breakpoints.remove(a.number("number")),
    "filters": lambda s, a, r: _filters(s, a),
    "watch": lambda s, a, r: _watch(s, a.text("expression", characters=2_000)),
    "unwatch": lambda s, a, r: _unwatch(s, a.text("expression")),
}
