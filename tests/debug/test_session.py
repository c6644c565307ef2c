"""Other worlds: changed values, branches, re-anchored runs, reality, surprise, and what can be asked of a step."""

import pytest
from sessions import LETTERS, RAISING, RECURSIVE, real, recorded, session, slipping

from foretrace.debug import Reason, Session, Settings, Verdict, open_session
from foretrace.debug.branch import Kind
from foretrace.debug.reality import common_end, first_difference
from foretrace.engine import OraclePredictor, ReplayPredictor
from foretrace.errors import UsageError
from foretrace.trace import Event


def finished(s: Session) -> Session:
    s.run()
    return s


def test_setting_a_value_forks_and_the_old_branch_stays() -> None:
    s = finished(session())
    before = list(s.branch.timeline)
    s.seek(11)
    branch = s.set("n", "7")
    assert (s.branch, s.position, len(branch.timeline)) == (branch, 11, 12)
    assert [b.label for b in s.branches] == ["original", "n=7 @11"]
    assert s["n"] == "7"
    assert s.here.before["c"] == "'r'", "other values stay"
    assert "n" not in {value.name for value in s.here.step.values}, "it is given, not predicted"
    s.step()
    assert s["n"] == "7", "the future is predicted from the change"
    assert list(s.branches[0].timeline) == before
    s.select(0)
    assert s["n"] == "1"


def test_values_are_python_values_texts_or_expressions() -> None:
    s = session()
    s.seek(11)
    s["n"] = 5
    assert s["n"] == "5"
    s.set("n", "n * 2 + len(s)")
    assert s["n"] == "15"
    s.set("letter", '"b"')
    assert s["letter"] == "'b'"
    s.set("s", "<Word letters=['b']>")
    assert s["s"] == "<Word letters=['b']>"
    s.set("s", "deque(['a'])")
    assert s["s"] == "deque(['a'])"
    with pytest.raises(UsageError, match="no name 'berry'"):
        s.set("s", "berry")
    with pytest.raises(UsageError, match="there is no 'm' at the line of line 3; what there is: s, letter, n, c"):
        s.set("m", "1")


def test_what_is_returned_or_raised_can_be_changed() -> None:
    s = finished(session())
    s.seek(17)
    assert s[""] == "2"
    s.set("", "None")
    assert s.here.frame.value == "None"
    assert s.branch.label == "value=None @17"
    s = finished(session(RAISING, "f", "-3"))
    s.seek(8)
    s.set("", "KeyError('x')")
    assert (s.here.frame.value, s.here.frame.unwind) == ("KeyError('x')", True)


def test_changed_arguments_are_another_call() -> None:
    s = session()
    s.set("c", "'e'")
    assert (s.branch.prompt.call.arguments, s.branch.prompt.call.locals) == ("c='e'", {"c": "'e'"})
    assert s.run().detail == "returns 'Found 0001'", "the oracle runs the call that was asked for"
    s.run_for_real(real)
    assert s.difference.agrees
    s.select(0)
    assert s.difference is None, "reality is that of a call"


@pytest.mark.parametrize(
    ("source", "arguments", "texts", "expected"),
    [
        ("def f(a, /, b, *, c=1):\n    return a\n", "1, 2", {"b": "5"}, "1, b=5, c=1"),
        ("def f(a, *rest, k=2, **more):\n    return a\n", "1, 2, 3, z=4", {"a": "9"}, "9, *(2, 3), k=2, **{'z': 4}"),
    ],
)
def test_the_arguments_of_another_call_bind_again(source, arguments, texts, expected) -> None:
    s = session(source, "f", arguments)
    for name, text in texts.items():
        s.set(name, text)
    assert s.branch.prompt.call.arguments == expected
    s.run_for_real(real)
    assert s.here.real.state == s.here.frame.state


def test_branches_are_compared() -> None:
    s = finished(session())
    s.seek(11)
    s.set("c", "'x'")
    assert s.compare(0).first == 11
    assert s.compare(0).rejoins is None, "it has not ended"
    s.run()
    meeting = s.compare(0)
    assert (meeting.first, meeting.rejoins) == (11, (14, 14)), "c is assigned again"
    with pytest.raises(UsageError, match="no branch 7; there are 0 to 1"):
        s.compare(7)


def test_executions_of_other_lengths_meet_at_their_ends() -> None:
    source = "def f(n):\n    while n > 3:\n        n -= 1\n    return n\n"
    short, long = recorded(source, "f", "5").frames, recorded(source, "f", "7").frames
    assert first_difference(short, long) == 0
    assert common_end(short, long, after=0) == (1, len(long) - len(short) + 1)
    assert common_end(short, long[:-1], after=0) is None
    assert first_difference(short, short[:3]) is None


def test_reality_beside_the_prediction() -> None:
    s = finished(slipping())
    comparison = s.tree.comparison(s.branch)
    assert comparison.slips == [11]
    assert comparison.wrong_steps == [11, 12, 13, 14, 15, 16]
    assert comparison.rejoins == (17, 17)
    [divergence] = comparison.wrong_at(11)
    assert (divergence.step, divergence.kind, divergence.variable) == (11, "value", "n")
    assert (divergence.predicted, divergence.real) == ("6", "1")
    assert [comparison.verdict(i) for i in (10, 11, 17)] == [Verdict.RIGHT, Verdict.WRONG, Verdict.RIGHT]
    assert comparison.values(11) == {"s": "right", "letter": "right", "n": "wrong", "c": "right"}
    assert s.difference.first.step == 11
    assert s.difference.lines_right == s.difference.lines


def test_pinning_a_value_makes_the_branch_right() -> None:
    s = finished(slipping())
    s.seek(11)
    branch = s.pin("n")
    assert (s["n"], branch.label, branch.change.kind) == ("1", "n=1 @11", Kind.PIN)
    assert s.here.comparison.verdict(11) is Verdict.RIGHT
    with pytest.raises(UsageError, match="there is no 'm'"):
        s.pin("m")
    with pytest.raises(UsageError, match="run for real first"):
        session().pin("c")


def test_a_prediction_that_is_not_finished_is_not_too_short() -> None:
    s = slipping()
    s.seek(8)
    assert s.difference.agrees
    assert s.difference.real_steps == 9


def test_a_prediction_that_ends_too_soon_misses_steps() -> None:
    s = session(err=1.0, kinds=("length",))
    s.run_for_real(real)
    s.run()
    comparison, last = s.tree.comparison(s.branch), len(s.branch.timeline) - 1
    assert comparison.verdict(last) is Verdict.RIGHT
    assert comparison.verdict(last + 1) is Verdict.MISSING
    assert comparison.real(last + 1) == real(s.branch.prompt).frames[last + 1]
    assert comparison.verdict(99) is None
    assert s.difference.first.kind == "length"


def test_a_prediction_that_goes_on_too_long_is_a_ghost() -> None:
    trace = recorded(LETTERS, "f", "'r'")
    s = session()
    s.run()
    s.attach(type(trace)(trace.header, trace.frames[:15]))
    comparison = s.tree.comparison(s.branch)
    assert [comparison.verdict(i) for i in (14, 15, 19)] == [Verdict.RIGHT, Verdict.GHOST, Verdict.GHOST]
    assert comparison.slips == [15]


def test_ghost_lines_are_ghosts() -> None:
    s = session(err=0.3, seed=1, kinds=("ghost",))
    s.run_for_real(real)
    s.run()
    ghosts = [i for i, step in enumerate(s.branch.timeline) if step.ghost]
    assert ghosts
    assert {s.tree.comparison(s.branch).verdict(i) for i in ghosts} == {Verdict.GHOST}


def test_reality_of_another_program_or_call_is_refused() -> None:
    s = session()
    with pytest.raises(UsageError, match="not of f in this session's source"):
        s.attach(recorded(RAISING, "f", "3"))
    with pytest.raises(UsageError, match="called with"):
        s.attach(recorded(LETTERS, "f", "'b'"))
    with pytest.raises(UsageError, match="run for real first"):
        s.surprise()
    with pytest.raises(UsageError, match="run for real first"):
        s.anchor()


def test_a_re_anchored_run_is_predicted_from_reality() -> None:
    trace = recorded(LETTERS, "f", "'r'")
    free = session(err=0.2, seed=5)
    free.run_for_real(real)
    free.run()
    wrong = free.tree.comparison(free.branch).wrong_steps
    free.seek(0)
    assert free.anchor().reason is Reason.ENTRY
    assert (free.branch.label, free.branch.real) == ("re-anchored @1", trace)
    free.run()
    anchored = free.tree.comparison(free.branch)
    assert set(anchored.wrong_steps) < set(wrong), "a slip does not live on"
    assert anchored.slips == anchored.wrong_steps
    assert free.branch.timeline.frames == list(trace.frames)
    assert free.here.real == trace.frames[-1]
    assert free.stop.reason is Reason.END


def test_a_re_anchored_run_begins_where_one_stands_and_is_found_again() -> None:
    s = session(err=0.2, seed=5)
    s.run_for_real(real)
    s.seek(9)
    s.anchor()
    branch = s.branch
    assert (s.position, branch.start, len(branch.timeline)) == (9, 9, 10)
    s.run()
    s.select(0)
    s.seek(12)
    s.anchor()
    assert s.branch is branch
    s.seek(3)
    assert s.here.step.values == (), "before it begins reality is shown"
    s.select(0)
    s.anchor()
    assert s.branch is not branch


def test_a_change_in_a_re_anchored_run_goes_on_from_reality() -> None:
    s = session(err=0.3, seed=5)
    s.run_for_real(real)
    s.anchor()
    s.seek(11)
    s.set("n", "4")
    assert (s.branch.real, s["n"]) == (None, "4")
    assert s.branch.timeline.frames[:11] == list(real(s.branch.prompt).frames[:11])


def test_what_was_no_frame_is_a_gap_in_a_re_anchored_run() -> None:
    s = session(err=0.2, seed=3, kinds=("format",))
    s.run_for_real(real)
    s.anchor()
    assert s.run().reason is Reason.END
    gaps = list(s.branch.gaps)
    assert gaps
    assert s.tree.comparison(s.branch).wrong_steps == gaps
    assert s.tree.comparison(s.branch).wrong_at(gaps[0])[0].kind == "format"


def test_surprise_is_one_score_of_the_real_trace() -> None:
    s = session(err=0.2, seed=5)
    s.run_for_real(real)
    steps = s.surprise()
    assert [step.frame for step in steps] == list(real(s.branch.prompt).frames)
    assert s.surprise() is steps
    assert len(s.branch.timeline) == 1, "nothing was predicted"


def test_a_step_answers_questions() -> None:
    s = finished(slipping())
    s.goto(4, 3)
    here = s.here
    assert (here.before["n"], here.after["n"]) == ("0", "6")
    assert here.evaluate("n + 1") == "1"
    assert here.evaluate("len(c) + n", real=True) == "1"
    assert [s.at(i).frame.line for i in here.stack] == [4, 10]
    assert here.events()[Event.LINE] > 0.9
    assert here.alternatives("n") == []
    s.seek(11)
    assert (s.here.evaluate("n"), s.here.evaluate("n", real=True)) == ("6", "1")
    with pytest.raises(UsageError, match="run for real first"):
        session().here.evaluate("c", real=True)


def test_who_set_this() -> None:
    s = finished(session())
    s.seek(16)
    assert s.here.set_by("n") == 12, "the line that added the second r"
    assert s.here.set_by("c") == 13
    assert s.here.set_by("letter") == 2, "the line that called the function"
    s.seek(17)
    assert s.here.set_by("") == 16
    s.seek(2)
    assert s.here.set_by("c") is None, "the entry was called with it"
    with pytest.raises(UsageError, match="there is no 'nothing'"):
        s.here.set_by("nothing")


def test_alternatives_of_an_oracle_hold_the_right_value() -> None:
    s = session(err=0.3, seed=5)
    s.run_for_real(real)
    s.run()
    at = s.tree.comparison(s.branch).slips[0]
    [divergence] = s.tree.comparison(s.branch).wrong_at(at)
    assert s.at(at).alternatives(divergence.variable)[0].text == divergence.real


def test_a_future_is_drawn_anew_at_a_temperature() -> None:
    s = finished(session(err=0.4, seed=1))
    s.seek(5)
    for none in (None, 0.0, float("nan")):
        with pytest.raises(UsageError, match="a temperature above 0"):
            s.sample(3, none)
    labels = [s.sample(seed, 0.8).label for seed in range(3) if s.select(0) and s.seek(5)]
    assert labels == ["seed 0 @6", "seed 1 @6", "seed 2 @6"]
    for branch in s.branches[1:]:
        s.select(branch.id)
        s.run()
    told = {tuple(str(step.frame) for step in b.timeline) for b in s.branches}
    assert len(told) > 2
    assert len({tuple(str(step.frame) for step in b.timeline[:6]) for b in s.branches}) == 1


def test_only_a_model_skips_or_invents() -> None:
    s = session()
    s.seek(2)
    with pytest.raises(UsageError, match="oracle is no model, and cannot skip ahead"):
        s.skip()
    with pytest.raises(UsageError, match="cannot invent arguments"):
        open_session(OraclePredictor(real), LETTERS, "f")
    s = open_session(ReplayPredictor(recorded("def f():\n    return 1\n", "f", "")), "def f():\n    return 1\n", "f")
    assert s.run().detail == "returns 1", "what has no parameters needs no arguments"


def test_a_call_that_is_wrapped_is_debugged_like_another() -> None:
    source = "import functools\n\n\n@functools.cache\ndef f(n):\n    return n + 1\n"
    s = finished(session(source, "f", "41"))
    assert (s.branch.prompt.call.entry, s.stop.detail) == ("main", "returns 42")
    s.run_for_real(real)
    assert s.difference.agrees
    with pytest.raises(UsageError, match="called without arguments"):
        s.reroll(1)


def test_there_is_a_limit_to_branches() -> None:
    s = session()
    for number in range(255):
        s.set("c", repr(number))
    with pytest.raises(UsageError, match="256 branches"):
        s.set("c", "0")
    assert len(s.branches) == 256


def test_settings_are_checked() -> None:
    for wrong in ({"budget": -1}, {"temperature": -0.1}, {"temperature": float("nan")}):
        with pytest.raises(UsageError, match="budgets are 0 or more"):
            Settings(**wrong)


def test_recursion_has_a_scope_a_call() -> None:
    s = finished(session(RECURSIVE, "fib", "4"))
    s.goto(3, 1)
    assert len(s.here.stack) == 4
    assert [s.at(i).before["n"] for i in s.here.stack] == ["1", "2", "3", "4"]
