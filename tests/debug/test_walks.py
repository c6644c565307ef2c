"""Random walks: whatever a user does in whatever order, a session stays whole."""

import io
import json
import random
from contextlib import suppress

import pytest
from sessions import LETTERS, NESTED, RAISING, RECURSIVE, real, session

from foretrace.debug import Breakpoint, DataBreakpoint, Filters, Reason, Session, load_session, save_session
from foretrace.debug.pages import lane, page
from foretrace.debug.timeline import Timeline, given
from foretrace.debug.view import search, state, summary, visits
from foretrace.engine import OraclePredictor
from foretrace.engine.oracle import KINDS
from foretrace.errors import UsageError

PROGRAMS = [(LETTERS, "f", "'r'"), (RAISING, "f", "-3"), (RECURSIVE, "fib", "4"), (NESTED, "f", "[[1, 12], [3]]")]
EXPRESSIONS = ["n > 1", "len(s) > 2", "c == letter", "1 / 0", "total"]


def any_line(s: Session, rng: random.Random) -> int:
    return rng.randint(1, s.branch.prompt.call.source.count("\n"))


def set_something(s: Session, rng: random.Random) -> None:
    name = rng.choice([*s.here.before, ""])
    s.set(name, rng.choice(["0", "'b'", "[1, 20]", "None", "n + 1"]))


MOVES = {
    "step": lambda s, rng: s.step(),
    "over": lambda s, rng: s.over(),
    "out": lambda s, rng: s.out(),
    "back": lambda s, rng: s.back(),
    "back_over": lambda s, rng: s.back_over(),
    "back_out": lambda s, rng: s.back_out(),
    "run": lambda s, rng: s.run(reverse=rng.random() < 0.5),
    "goto": lambda s, rng: s.goto(any_line(s, rng), rng.choice([None, 1, 2, 9])),
    "seek": lambda s, rng: s.seek(rng.randint(-1, 40)),
    "until": lambda s, rng: s.until(lambda moment: moment.frame.depth == 1, reverse=rng.random() < 0.5),
    "to_slip": lambda s, rng: s.to_slip(reverse=rng.random() < 0.5),
    "set": set_something,
    "pin": lambda s, rng: s.pin(rng.choice([*s.here.before, ""])),
    "sample": lambda s, rng: s.sample(rng.randint(0, 3), 0.8),
    "anchor": lambda s, rng: s.anchor(),
    "select": lambda s, rng: s.select(rng.randint(0, len(s.branches))),
    "real": lambda s, rng: s.run_for_real(real),
    "budget": lambda s, rng: setattr(s, "budget", s.budget + 200),
    "line": lambda s, rng: s.breakpoints.add(Breakpoint(line=any_line(s, rng))),
    "condition": lambda s, rng: s.breakpoints.add(Breakpoint(line=any_line(s, rng), condition=rng.choice(EXPRESSIONS))),
    "hits": lambda s, rng: s.breakpoints.add(Breakpoint(line=any_line(s, rng), hits=rng.choice(["2", "> 1", "% 2"]))),
    "data": lambda s, rng: s.breakpoints.add(DataBreakpoint(name=rng.choice(["n", "total", "c"]))),
    "filters": lambda s, rng: setattr(
        s.breakpoints, "filters", Filters(exception=rng.random() < 0.5, divergence=rng.random() < 0.5)
    ),
    "clear": lambda s, rng: s.breakpoints.clear(),
    "watch": lambda s, rng: s.watches.append(rng.choice(EXPRESSIONS)),
}


def check(s: Session, steps: dict[int, list]) -> None:
    """What always holds; `steps` holds what each branch has been seen to say."""
    timeline = s.branch.timeline
    assert 0 <= s.position < len(timeline)
    assert s.position == s.stop.position
    assert s.spent <= s.budget
    for branch in s.branches:
        known = steps.setdefault(branch.id, [])
        assert all(one is other for one, other in zip(known, branch.timeline, strict=False)), "no step changes"
        assert len(branch.timeline) >= len(known), "none is lost"
        steps[branch.id] = list(branch.timeline)
    fresh = Timeline(map(given, timeline.frames))
    assert [(timeline.before(i), timeline.after(i), timeline.caller(i)) for i in range(len(timeline))] == [
        (fresh.before(i), fresh.after(i), fresh.caller(i)) for i in range(len(fresh))
    ]
    views = [summary(s), state(s), page(s)]
    others = [page(s, len(timeline) // 2, 3), search(s, "n"), visits(s, 3), lane(s, width=5)]
    json.dumps([*views, *others], allow_nan=False)
    spent = s.spent
    assert [summary(s), state(s), page(s)] == views, "to look changes nothing"
    assert s.spent == spent


def walk(s: Session, rng: random.Random, length: int) -> None:
    steps: dict[int, list] = {}
    for _ in range(length):
        name = rng.choice(list(MOVES))
        with suppress(UsageError):  # a move that cannot be made says so, and does no harm
            MOVES[name](s, rng)
        check(s, steps)


def start(seed: int) -> tuple[Session, random.Random]:
    rng = random.Random(seed)
    source, entry, arguments = PROGRAMS[seed % len(PROGRAMS)]
    kinds = tuple(rng.sample(sorted(KINDS), rng.randint(1, len(KINDS))))
    err = rng.choice([0.0, 0.05, 0.3])
    return session(source, entry, arguments, err=err, seed=seed, kinds=kinds, budget=rng.choice([150, 10_000])), rng


@pytest.mark.parametrize("seed", range(24))
def test_a_session_stays_whole(seed: int) -> None:
    s, rng = start(seed)
    walk(s, rng, 40)


@pytest.mark.parametrize("seed", range(8))
def test_the_same_moves_lead_to_the_same_session(seed: int) -> None:
    views = []
    for _ in range(2):
        s, rng = start(seed)
        walk(s, rng, 30)
        views.append([summary(s), page(s)])
    assert views[0] == views[1]


@pytest.mark.parametrize("seed", range(8))
def test_back_undoes_a_step_wherever_one_is(seed: int) -> None:
    s, rng = start(seed)
    walk(s, rng, 15)
    s.breakpoints.clear()
    s.breakpoints.filters = Filters()
    s.budget += 10_000
    s.seek(rng.randint(0, 15))
    position, view = s.position, state(s)
    if s.step().reason is Reason.STEP:
        s.back()
    assert (s.position, state(s)["values"]) == (position, view["values"])


@pytest.mark.parametrize("seed", range(8))
def test_any_session_can_be_saved_and_loaded(seed: int) -> None:
    s, rng = start(seed)
    walk(s, rng, 25)
    s.budget = 10**6
    file = io.StringIO()
    save_session(s, file)
    oracle = s.predictor
    assert isinstance(oracle, OraclePredictor)
    loaded = load_session(io.StringIO(file.getvalue()), oracle)
    assert [b.label for b in loaded.branches] == [b.label for b in s.branches]
    assert loaded.position == s.position
    s.seek(99)
    loaded.seek(99)
    assert page(loaded) == page(s)
