"""The moves: forwards, backwards, over, out, to a visit of a line, to a breakpoint; budgets and pauses."""

import pytest
from sessions import RAISING, RECURSIVE, recorded, session, slipping

from foretrace.api.prediction import Prediction
from foretrace.cli.advice import how_to_go_on
from foretrace.debug import Breakpoint, DataBreakpoint, Filters, Reason, open_session
from foretrace.engine import ReplayPredictor
from foretrace.errors import EndpointError, UsageError
from foretrace.record.program import record_program
from foretrace.trace import Event, Limits, Outcome


def test_nothing_is_predicted_before_it_is_asked_for() -> None:
    s = session()
    assert (s.stop.reason, s.position, len(s.branch.timeline), s.spent) == (Reason.ENTRY, 0, 1, 0)
    s.step()
    assert len(s.branch.timeline) == 2
    spent = s.spent
    s.back()
    s.step()
    assert s.spent == spent, "what is known is not predicted again"


def test_steps_go_through_the_trace_and_back() -> None:
    s = session()
    lines = [s.here.frame.line]
    while s.step().reason is Reason.STEP:
        lines.append(s.here.frame.line)
    assert lines == [8, 9, 10, 1, 2, *[3, 4] * 5, 3, 5, 5, 11, 11]
    assert s.stop.reason is Reason.END
    assert s.stop.detail == "returns 'Found 0002'"
    assert s.step() == s.stop, "there is no step after the last"
    back = [s.here.frame.line]
    while s.back().reason is Reason.STEP:
        back.append(s.here.frame.line)
    assert back == lines[::-1]
    assert s.stop.reason is Reason.ENTRY


def test_over_passes_by_calls_and_back_over_too() -> None:
    s = session()
    s.goto(10)
    s.over()
    assert (s.here.frame.line, s.here.frame.function) == (11, "f")
    s.back_over()
    assert s.here.frame.line == 10
    s.step()
    assert s.here.frame.event is Event.CALL
    s.back_over()
    assert s.here.frame.line == 10, "before a function's first step is the line that called it"


def test_over_a_return_comes_to_the_caller_not_into_the_next_call() -> None:
    s = session("def g(x):\n    return x\n\n\ndef f(a):\n    return g(a) + g(a + 1)\n", "f", "1")
    s.goto(2)
    s.over()
    assert s.here.frame.event is Event.RETURN
    s.over()
    assert (s.here.frame.function, s.here.frame.value) == ("f", "3")


def test_out_leaves_the_scope_and_back_out_returns_to_the_call() -> None:
    s = session(RECURSIVE, "fib", "3")
    s.until(lambda moment: moment.frame.depth == 2)
    s.out()
    assert (s.here.frame.depth, s.here.before.get("a")) == (1, "1")
    s.back_out()
    assert (s.here.frame.depth, s.here.frame.line) == (0, 4)
    s.back_out()
    assert s.stop.reason is Reason.ENTRY


def test_out_of_the_entry_runs_to_the_end() -> None:
    s = session()
    assert s.out().reason is Reason.END
    assert s.position == 19


def test_out_of_a_scope_that_raises_is_at_the_callers_exception() -> None:
    s = session(RAISING, "f", "-3")
    s.goto(3)
    s.out()
    assert (s.here.frame.event, s.here.frame.function) == (Event.EXCEPTION, "outer")


def test_goto_finds_the_kth_visit_and_predicts_as_far_as_that() -> None:
    s = session()
    s.goto(4, 3)
    assert (s.position, len(s.branch.timeline), s.here.before["c"]) == (10, 11, "'r'")
    s.goto(4, 1)
    assert s.position == 6
    s.goto(4)
    assert s.position == 8, "by default the next one"
    s.goto(5)
    assert s.here.frame.event is Event.LINE, "a return is no visit of its line"
    with pytest.raises(UsageError, match="line 4 is visited 5 times, to the end"):
        s.goto(4, 9)
    with pytest.raises(UsageError, match="line 9 is visited 0 times after step 16"):
        s.goto(9)
    with pytest.raises(UsageError, match="counted from 1"):
        s.goto(4, 0)


def test_seek_goes_to_a_step_by_its_number() -> None:
    s = session()
    assert s.seek(12).position == 12
    assert s.seek(-3) == s.seek(0)
    stop = s.seek(99)
    assert (stop.reason, stop.position) == (Reason.END, 19)


def test_a_breakpoint_stops_at_each_visit_in_both_directions() -> None:
    s = session()
    number = s.breakpoints.add(Breakpoint(line=4))
    forwards = []
    while s.run().reason is Reason.BREAKPOINT:
        assert s.stop.breakpoints == (number,)
        forwards.append(s.position)
    assert forwards == [6, 8, 10, 12, 14]
    backwards = []
    while s.run(reverse=True).reason is Reason.BREAKPOINT:
        backwards.append(s.position)
    assert backwards == forwards[::-1]


def test_breakpoints_interrupt_over_and_out() -> None:
    s = session()
    s.breakpoints.add(Breakpoint(line=4))
    s.seek(2)
    assert s.over().reason is Reason.BREAKPOINT
    assert s.position == 6


@pytest.mark.parametrize(
    ("hits", "visits"),
    [("3", [3]), ("== 2", [2]), (">= 4", [4, 5]), ("> 4", [5]), ("% 2", [2, 4]), ("9", []), ("% 0", [])],
)
def test_hits_count_visits_whichever_way_one_comes(hits: str, visits: list[int]) -> None:
    s = session()
    s.breakpoints.add(Breakpoint(line=4, hits=hits))
    forwards, backwards = [], []
    while s.run().reason is Reason.BREAKPOINT:
        forwards.append((s.position - 4) // 2)
    while s.run(reverse=True).reason is Reason.BREAKPOINT:
        backwards.append((s.position - 4) // 2)
    assert forwards == backwards[::-1] == visits


def test_conditions_are_over_the_locals_and_hits_count_those_that_hold() -> None:
    s = session()
    s.breakpoints.add(Breakpoint(line=4, condition="c == letter", hits="2"))
    s.run()
    assert (s.position, s["n"]) == (12, "1")
    s.breakpoints.clear()
    s.breakpoints.add(Breakpoint(line=9, condition="nonsense > 1"))
    s.seek(0)
    assert s.run().reason is Reason.END, "a condition without a value does not hold"


def test_data_breakpoints_stop_after_a_change_within_their_scope() -> None:
    s = session()
    s.breakpoints.add(DataBreakpoint(name="n"))
    assert s.run().detail == "n: unbound → 0"
    assert s.run().detail == "n: 0 → 1"
    assert (s.position, s.stop.reason) == (11, Reason.DATA)
    assert s.run().detail == "n: 1 → 2"
    assert s.run().reason is Reason.END
    s.breakpoints.clear()
    s.breakpoints.add(DataBreakpoint(name="n", function="f"))
    s.seek(0)
    assert s.run().reason is Reason.END


def test_a_data_breakpoint_compares_with_the_scope_not_with_the_step_before() -> None:
    s = session(RECURSIVE, "fib", "3")
    s.breakpoints.add(DataBreakpoint(name="n"))
    assert s.run().reason is Reason.END, "each call has another n, and none changes"


def test_exceptions_stop_once_where_they_are_raised() -> None:
    s = session(RAISING, "f", "-3")
    s.breakpoints.filters = Filters(exception=True)
    stop = s.run()
    assert (stop.reason, stop.detail, s.here.frame.function) == (Reason.EXCEPTION, "ValueError(-3)", "half")
    assert s.run().reason is Reason.END


def test_divergence_stops_where_the_prediction_goes_wrong() -> None:
    s = slipping()
    s.breakpoints.filters = Filters(divergence=True)
    assert (s.run().reason, s.position) == (Reason.DIVERGENCE, 11)
    assert s.run().reason is Reason.END
    assert (s.to_slip(reverse=True).position, s.here.is_slip) == (11, True)


class Doubt:
    """A judge that doubts one value."""

    def sure(self, steps, position, anchor):
        return {value.name: 0.5 if value.text == "1" else 0.99 for value in steps[position].values}

    def line(self, steps, position, anchor):
        return 0.75

    def marks(self, steps, position, anchor):
        return {value.name: "●●○" for value in steps[position].values}


def test_low_confidence_stops_at_values_that_are_new() -> None:
    s = session()
    s.judge = Doubt()
    s.breakpoints.filters = Filters(confidence=0.8)
    assert (s.run().reason, s.position, s.here.sure) == (Reason.CONFIDENCE, 11, 0.5)
    assert s.run().reason is Reason.END, "n stays 1, and says nothing new"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Breakpoint(line=99), "no line 99; the source has 12"),
        (Breakpoint(line=4, hits="often"), "'often' says no number"),
        (Breakpoint(line=4, condition="n ="), "no expression"),
        (DataBreakpoint(name="n", condition="print(n)"), None),
    ],
)
def test_breakpoints_that_cannot_be_are_refused(wrong, why) -> None:
    s = session()
    if why is None:
        s.breakpoints.add(wrong)  # whether a call is known is seen when it is evaluated
        assert s.run().reason is Reason.END
        return
    with pytest.raises(UsageError, match=why):
        s.breakpoints.add(wrong)
    assert s.breakpoints.items == {}


def test_breakpoints_have_numbers_that_are_not_used_again() -> None:
    s = session()
    first, second = (s.breakpoints.add(Breakpoint(line=line)) for line in (4, 5))
    s.breakpoints.remove(first)
    third = s.breakpoints.add(Breakpoint(line=3))
    assert len({first, second, third}) == 3
    with pytest.raises(UsageError, match=f"no breakpoint {first}; those there are: {second}, {third}"):
        s.breakpoints.remove(first)


def test_a_budget_that_runs_out_keeps_all_and_can_be_raised() -> None:
    s = session(budget=100)
    stop = s.run()
    assert (stop.reason, stop.position) == (Reason.BUDGET, len(s.branch.timeline) - 1)
    assert f"the 100 tokens of the budget are used up; {len(s.branch.timeline)} steps are kept" in stop.detail
    assert s.spent <= 100
    kept = list(s.branch.timeline)
    assert s.step().reason is Reason.BUDGET
    s.budget = 10_000
    assert s.run().reason is Reason.END
    assert s.branch.timeline[: len(kept)] == kept
    assert [step.frame for step in s.branch.timeline] == [step.frame for step in whole().branch.timeline]


def test_a_budget_can_be_raised_while_a_prediction_is_open() -> None:
    s = session(budget=100)
    s.step()
    s.budget = 10_000
    assert s.run().reason is Reason.END
    assert s.spent < 1_000


def whole():
    s = session()
    s.run()
    return s


def test_a_recorded_trace_that_was_cut_is_no_budget_that_can_be_raised() -> None:
    cut = record_program(RAISING, "f", "4", Limits(max_events=6))
    replayed, anchored = open_session(ReplayPredictor(cut), RAISING, "f", "4"), session(RAISING, arguments="4")
    anchored.attach(cut)
    anchored.anchor()
    for s in (replayed, anchored):
        stop = s.run()
        assert (stop.reason, stop.position) == (Reason.BUDGET, len(cut) - 1)
        assert "recorded, and cut after 6 steps (events)" in stop.detail
        assert s.spent < s.budget
        assert Prediction.of(s).header.outcome is Outcome.TRUNCATED
        assert "--budget" not in how_to_go_on(s)


def test_after_an_error_a_prediction_goes_on_where_it_was() -> None:
    class Failing(ReplayPredictor):
        fails = True

        def _run(self, start, budget):
            steps = super()._run(start, budget)
            yield next(steps)
            if self.fails:
                raise EndpointError("the server is gone")
            return (yield from steps)

    s = open_session(Failing(recorded(RAISING, "f", "4")), RAISING, "f", "4")
    s.step()
    with pytest.raises(EndpointError):
        s.step()
    Failing.fails = False
    assert s.run().reason is Reason.END
    assert [step.frame for step in s.branch.timeline] == list(recorded(RAISING, "f", "4").frames)


def test_a_move_pauses_when_it_is_told_to() -> None:
    s = session()
    known: list[int] = []

    def watch(count: int) -> bool:
        known.append(count)
        return count < 6

    s.on_step = watch
    assert (s.run().reason, s.position) == (Reason.PAUSE, 5)
    assert known == [1, 2, 3, 4, 5, 6]
    s.on_step = None
    assert s.run().reason is Reason.END


@pytest.mark.parametrize(("kind", "reason"), [("format", Reason.FORMAT), ("length", Reason.CONTEXT)])
def test_a_prediction_that_breaks_off_says_so_and_keeps_what_there_is(kind: str, reason: Reason) -> None:
    s = session(err=0.2, seed=3, kinds=(kind,))
    stop = s.run()
    assert (stop.reason, stop.position) == (reason, len(s.branch.timeline) - 1)
    assert stop.detail
    assert s.back().reason is Reason.STEP


def test_steps_that_are_not_known_are_refused() -> None:
    with pytest.raises(UsageError, match="step 7 is not known; the steps so far are 0 to 0"):
        session().at(7)
    with pytest.raises(UsageError, match="run for real first"):
        session().to_slip()


def test_lines_of_functions_that_are_called_count_as_visits_of_their_def() -> None:
    s = session(RECURSIVE, "fib", "3")
    s.goto(1, 5)
    assert (s.here.frame.event, s.here.frame.state) == (Event.CALL, {"n": "1"})
