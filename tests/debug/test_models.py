"""A session on the packaged model: the same as a prediction, skipping ahead, invented arguments, and how sure it is."""

import json

import pytest
from sessions import LETTERS, NESTED, RAISING, real, recorded

from foretrace.debug import Kind, Reason, Session, Settings, open_session
from foretrace.debug.calibration.maps import MARKS
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.debug.invent import argument_list, function_of, invent, parameters
from foretrace.debug.pages import page
from foretrace.debug.reality import Reality
from foretrace.debug.view import state
from foretrace.engine import Finish, StopReason, TokenPredictor, build_prompt, load, load_predictor, predict
from foretrace.engine.skip import Target, skip_to, targets_of
from foretrace.errors import EndpointError, UsageError
from foretrace.trace import Event
from foretrace.trace.structure import Structure

STEPS = """def f(n):
    x = n + 1
    y = x * 2
    return y
"""
LOOP = """def f(xs):
    total = 0
    for x in xs:
        if x > 5:
            break
        total += x
    else:
        total = -1
    return total
"""


@pytest.fixture(scope="module")
def tiny() -> TokenPredictor:
    return load_predictor("tiny")


def test_a_session_predicts_what_predict_predicts(tiny: TokenPredictor) -> None:
    session = open_session(tiny, STEPS, "f", "3")
    session.run()
    trace = predict(load("tiny"), STEPS, "f", "3")
    assert tuple(step.frame for step in session.branch.timeline) == trace.frames
    assert 0 < session.spent <= session.budget


def test_going_back_and_forking_changes_nothing_of_what_is_predicted(tiny: TokenPredictor) -> None:
    settings = Settings(temperature=0.9, seed=4)
    session, straight = (open_session(tiny, STEPS, "f", "3", settings=settings) for _ in range(2))
    straight.run()
    session.step()
    session.step()
    session.set("x", "7")
    session.step()
    session.back()
    session.select(0)
    session.run()
    assert [s.frame for s in session.branch.timeline] == [s.frame for s in straight.branch.timeline]


@pytest.mark.parametrize(
    ("source", "step", "what", "targets"),
    [
        (LETTERS, 2, "line", [(Event.LINE, 11)]),
        (LETTERS, 6, "line", [(Event.LINE, 3)]),
        (LETTERS, 6, "loop", [(Event.LINE, 5)]),
        (LETTERS, 6, "call", [(Event.RETURN, 5)]),
        (LETTERS, 16, "line", [(Event.RETURN, 5)]),
        (RAISING, 7, "line", [(Event.EXCEPTION, 3)]),
        (RAISING, 2, "line", [(Event.LINE, 16)]),
    ],
)
def test_what_follows_a_skip_is_what_control_flow_allows(source, step, what, targets) -> None:
    frames = recorded(source, "f", "'r'" if source == LETTERS else "-3").frames
    assert targets_of(Structure(source), frames[step], what) == [Target(*target) for target in targets]


def test_a_loop_can_be_left_in_more_than_one_way() -> None:
    frame = recorded(LOOP, "f", "[1, 2]").frames[3]
    assert targets_of(Structure(LOOP), frame, "loop") == [Target(Event.LINE, 8), Target(Event.LINE, 9)]
    inner = recorded(NESTED, "f", "[[1]]").frames[5]
    assert targets_of(Structure(NESTED), inner, "loop") == [Target(Event.LINE, 3)]
    last = "def f(n):\n    while n:\n        n -= 1\n        if n == 2:\n            return n\n"
    assert targets_of(Structure(last), recorded(last, "f", "1").frames[2], "loop") == [
        Target(Event.RETURN, 2),
        Target(Event.RETURN, 5),
    ]


@pytest.mark.parametrize(
    ("step", "what", "why"),
    [
        (4, "loop", "no loop around line 2"),
        (17, "call", "nothing to skip at a return"),
        (4, "moon", "cannot skip a 'moon'"),
    ],
)
def test_where_there_is_nothing_to_skip_it_says_so(step, what, why) -> None:
    with pytest.raises(UsageError, match=why):
        targets_of(Structure(LETTERS), recorded(LETTERS, "f", "'r'").frames[step], what)


def at_real_step(predictor: TokenPredictor, position: int) -> Session:
    """A session of `LETTERS` that stands at a real step, whatever the model would have said."""
    session = open_session(predictor, LETTERS, "f", "'r'")
    session.run_for_real(real)
    session.anchor()
    session.seek(position)
    return session


@pytest.mark.parametrize(
    ("position", "what", "event", "lines", "place"),
    [
        (2, "line", Event.LINE, {11}, 18),
        (6, "loop", Event.LINE, {5}, 16),
        (6, "call", Event.RETURN, {5}, 17),
    ],
)
def test_the_model_writes_the_step_after_a_skip(tiny: TokenPredictor, position, what, event, lines, place) -> None:
    session = at_real_step(tiny, position)
    before = session.here.frame
    stop = session.skip(what)
    frame = session.here.frame
    assert (stop.reason, stop.position) == (Reason.STEP, position + 1)
    assert (frame.event, frame.depth, frame.function) == (event, before.depth, before.function)
    assert frame.line in lines
    assert frame.source == LETTERS.split("\n")[frame.line - 1]
    assert session.here.step.values, "what the model wrote has probabilities"
    assert session.here.step.event_logprob == session.here.step.line_logprob == 0.0, "what was given has none to doubt"
    assert session.here.comparison.place(session.position) == place, "it is compared with reality there"


def test_within_a_branch_a_skip_forks_and_after_its_last_step_it_goes_on(tiny: TokenPredictor) -> None:
    session = at_real_step(tiny, 2)
    session.skip("line")
    branch = session.branch
    assert (branch.change.kind, branch.label, branch.real) == (Kind.SKIP, "skip line @3", None)
    session.skip("call")
    assert session.branch is branch
    assert branch.skips == {3: "line", 4: "call"}
    session.seek(3)
    session.skip("call")
    assert session.branch is not branch
    assert session.branch.skips == {3: "line", 4: "call"}
    assert len(branch.timeline) == 5


def test_a_skip_that_the_budget_forbids_changes_nothing(tiny: TokenPredictor) -> None:
    session = at_real_step(tiny, 6)
    for forbidden in (3, 0):
        branch = session.branch
        session.budget = session.spent + forbidden
        for _ in range(2):
            assert session.skip("call").reason is Reason.BUDGET
            assert (session.branch, len(session.branches)) == (branch, 2)
    session.budget = 4096
    assert session.skip("loop").reason is Reason.STEP
    session.budget, known = session.spent + 3, len(session.branch.timeline)
    assert session.skip("call").reason is Reason.BUDGET
    assert (list(session.branch.skips), len(session.branch.timeline)) == ([7], known)


def test_a_skip_that_ends_in_an_error_changes_nothing(tiny: TokenPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    session = at_real_step(tiny, 2)

    def gone(*arguments: object, **options: object) -> None:
        raise EndpointError("the server is gone")

    def known() -> tuple[object, ...]:
        branch = session.branch
        return branch, len(session.branches), dict(branch.skips), len(branch.timeline), session.position

    for _ in range(2):  # on a branch of its own, and at the end of one
        before = known()
        with monkeypatch.context() as patch:
            patch.setattr("foretrace.debug.growth.skip_to", gone)
            with pytest.raises(EndpointError):
                session.skip("line")
        assert known() == before
        session.skip("line")


def test_a_skip_for_which_the_context_has_no_room_says_so(tiny: TokenPredictor) -> None:
    source = STEPS + "# " + "xqzj " * 1_200
    prompt = build_prompt(source, "f", "3")
    targets = targets_of(Structure(source), prompt.frames[0], "call")
    assert skip_to(tiny.engine, prompt, prompt.frames, targets, budget=100) == Finish(StopReason.CONTEXT)


def test_arguments_are_invented_kept_and_drawn_anew(tiny: TokenPredictor) -> None:
    session = open_session(tiny, LETTERS, "count_letters")
    assert session.invented
    first = session.branch.prompt.call.locals
    assert list(first) == ["s", "letter"]
    again = open_session(tiny, LETTERS, "count_letters")
    assert again.branch.prompt.call.locals == first, "the same seed invents the same"
    branch = session.reroll(1, keep=["s"])
    assert session.position == 0
    assert branch.prompt.call.locals["s"] == first["s"]
    assert branch.prompt.call.locals["letter"] != first["letter"]
    assert (branch.change.kind, list(branch.change.texts)) == (Kind.DRAW, ["letter"])
    assert session.step().reason is Reason.STEP
    with pytest.raises(UsageError, match="no argument 'z'; those there are: s, letter"):
        session.reroll(2, keep=["z"])


def test_all_kinds_of_parameters_are_invented(tiny: TokenPredictor) -> None:
    source = "def f(a, /, b=1, *rest, c, **more):\n    return a\n"
    function = function_of(source, "f")
    assert parameters(function) == ["a", "b", "c", "rest", "more"]
    texts = invent(tiny.engine, source, function, keep={"rest": "(1,)", "more": "{'z': 2}", "a": "0"}, seed=0)
    assert list(texts) == parameters(function)
    assert argument_list(function, texts | {"b": "5", "c": "6"}) == "0, 5, *(1,), c=6, **{'z': 2}"
    for seed in range(3):
        texts = invent(tiny.engine, source, function, seed=seed)
        recorded(source, "f", argument_list(function, texts))  # a call that can be made


@pytest.mark.parametrize(
    "source",
    ["class f:\n    pass\n", "@print\ndef f(a):\n    pass\n", "f = lambda a: a\n"],
)
def test_only_plain_functions_are_given_invented_arguments(tiny: TokenPredictor, source: str) -> None:
    with pytest.raises(UsageError, match="can only be invented for a plain function"):
        open_session(tiny, source, "f")


def test_surprise_and_alternatives_come_from_the_model(tiny: TokenPredictor) -> None:
    session = open_session(tiny, STEPS, "f", "3")
    session.run_for_real(real)
    assert len(session.surprise()) == len(real(session.branch.prompt))
    session.seek(2)
    name = next(reversed(session.here.before))
    others = session.here.alternatives(name, 2)
    assert len(others) == 2
    assert all(other.text != session[name] and 0 < other.probability < 1 for other in others)
    assert sum(session.here.events().values()) == pytest.approx(1, abs=0.05)


def test_how_sure_it_is_comes_from_the_judge(tiny: TokenPredictor) -> None:
    session = open_session(tiny, STEPS, "f", "3", judge=Confidence(None))
    session.run()
    rows = page(session)["rows"]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    dots = {value["dots"] for row in rows[1:] for value in row["values"]}
    assert dots
    assert dots <= set(MARKS)
    assert {value["sure"] for value in state(session)["values"]} == {None}, "without a calibration there is no number"


def test_how_sure_a_step_after_a_skip_is_nobody_has_learnt(tiny: TokenPredictor) -> None:
    """Until something is known to be true again."""
    session = open_session(tiny, STEPS, "f", "3", judge=confidence_of("tiny"))
    session.step()
    assert session.here.confidences
    session.skip("line")
    for _ in range(2):
        assert (session.here.confidences, session.here.line_confidence, session.here.dots) == ({}, None, {})
        session.step()
    session.seek(2)
    session.set("x", "4")
    session.step()
    assert set(session.here.confidences) == {value.name for value in session.here.step.values}


def test_beyond_the_end_of_reality_nothing_can_be_skipped() -> None:
    """A prediction may go on where reality has ended, and skip there."""
    trace = recorded(LETTERS, "f", "'r'")
    beyond = Reality(trace).after_skipping(len(trace), "line", Structure(LETTERS))
    assert beyond == Reality(trace).after_skipping(len(trace) - 1, "line", Structure(LETTERS)) == -1
