"""Random walks with a model, on programs of all kinds: whatever it predicts, a session stays whole."""

import io
import random
from contextlib import suppress
from functools import cache

import pytest
from test_walks import MOVES, check
from varied import VARIED

from foretrace.debug import Filters, Reason, Session, Settings, Stop, load_session, open_session, save_session
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.debug.pages import page
from foretrace.engine import Prompt, TokenPredictor, load_predictor
from foretrace.errors import ForetraceError, UsageError
from foretrace.record.program import record_program
from foretrace.trace import Limits, Trace


@pytest.fixture(scope="module")
def tiny() -> TokenPredictor:
    return load_predictor("tiny")


@pytest.fixture(scope="module")
def judge() -> Confidence:
    return confidence_of("tiny")


@cache
def recorded(source: str, entry: str, arguments: str) -> Trace:
    return record_program(source, entry, arguments, Limits(max_events=5000, seconds=20))


def real(prompt: Prompt) -> Trace:
    return recorded(prompt.call.source, prompt.call.entry, prompt.call.arguments)


def any_name(s: Session, rng: random.Random) -> str:
    return rng.choice([*s.here.before, ""])


MORE = MOVES | {
    "real": lambda s, rng: s.run_for_real(real),
    "skip": lambda s, rng: s.skip(rng.choice(["line", "loop", "call"])),
    "reroll": lambda s, rng: s.reroll(rng.randint(0, 5)),
    "surprise": lambda s, rng: s.surprise(),
    "alternatives": lambda s, rng: s.here.alternatives(any_name(s, rng), 2),
    "events": lambda s, rng: s.here.events(),
    "set_by": lambda s, rng: s.here.set_by(any_name(s, rng)),
    "unsure": lambda s, rng: setattr(s.breakpoints, "filters", Filters(confidence=rng.random())),
    "outside": lambda s, rng: s.judge.outside(s.branch.prompt.call.source, s.branch.timeline),
}


def stops(s: Session, *, reverse: bool) -> list[Stop]:
    """Where a run from one end to the other stops, the ends left out."""
    s.seek(10**6)
    last = s.position
    if not reverse:
        s.seek(0)
    found, edges = [], (Reason.ENTRY, Reason.END, Reason.BUDGET, Reason.CONTEXT, Reason.FORMAT)
    while (stop := s.run(reverse=reverse)).reason not in edges:
        found.append(stop)
    return [stop for stop in found if 0 < stop.position < last]


def walk(tiny: TokenPredictor, judge: Confidence, seed: int) -> None:
    rng = random.Random(seed)
    arguments, source = VARIED[seed % len(VARIED)]
    temperature, budget = rng.choice([0, 0, 0.7]), rng.choice([600, 3000, 6000])
    settings = Settings(budget=budget, grammar=rng.random() < 0.3, temperature=temperature, seed=seed)
    s, steps = open_session(tiny, source, "f", arguments, settings=settings, judge=judge), {}
    for _ in range(25):
        with suppress(ForetraceError):  # a move that cannot be made says so, and does no harm
            MORE[rng.choice(list(MORE))](s, rng)
        check(s, steps)
    s.breakpoints.filters = Filters(confidence=rng.random(), exception=True, divergence=True)
    assert stops(s, reverse=False) == stops(s, reverse=True)[::-1]
    s.budget = 10**6
    file = io.StringIO()
    save_session(s, file)
    loaded = load_session(io.StringIO(file.getvalue()), tiny, judge=judge)
    assert [branch.label for branch in loaded.branches] == [branch.label for branch in s.branches]
    for each in (s, loaded):
        each.seek(10**6)
        with suppress(UsageError):
            each.surprise()  # is not saved, and shown once it is known
    assert page(loaded)["rows"] == page(s)["rows"]


@pytest.mark.parametrize("seed", range(8))
def test_a_session_with_a_model_stays_whole(tiny: TokenPredictor, judge: Confidence, seed: int) -> None:
    walk(tiny, judge, 4 * seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 100 + 5 * len(VARIED)))
def test_many_sessions_with_a_model_stay_whole(tiny: TokenPredictor, judge: Confidence, seed: int) -> None:
    walk(tiny, judge, seed)
