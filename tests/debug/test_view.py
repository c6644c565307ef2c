"""What faces are given: JSON, in pages, at a cost that does not grow with the trace."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sessions import LETTERS, LONG, NESTED, RAISING, real, recorded, session, slipping

from foretrace.debug import Breakpoint, Filters, Session, Settings, open_session
from foretrace.debug.pages import lane, page
from foretrace.debug.view import MAX_COUNT, differences, program, search, state, summary, visits
from foretrace.engine import ReplayPredictor
from foretrace.errors import UsageError
from foretrace.trace import Event, Trace


def told(value: Any) -> Any:
    """The same, through JSON as browsers read it."""
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    return value


def test_the_summary_says_where_a_session_stands() -> None:
    s = slipping()
    number = s.breakpoints.add(Breakpoint(line=4, condition="n > 5"))
    s.breakpoints.filters = Filters(divergence=True)
    s.watches = ["n * 2"]
    s.run()
    s.run()
    s["n"] = 1
    found = told(summary(s))
    assert (found["v"], found["arguments"], found["invented"]) == (1, {"c": "'r'"}, False)
    what = told(program(s))
    assert (what["entry"], what["line"], what["model"], what["source"]) == ("f", 8, "replay", LETTERS)
    assert (found["position"], found["steps"], found["finish"]) == (12, 13, None)
    assert found["stop"] == {"reason": "goto", "position": 12, "detail": "", "breakpoints": []}
    assert [(b["id"], b["parent"], b["label"]) for b in found["branches"]] == [(0, None, "original"), (1, 0, "n=1 @12")]
    assert found["breakpoints"] == [{"number": number, "kind": "line", "line": 4, "condition": "n > 5", "hits": ""}]
    assert found["filters"] == {"exception": False, "divergence": True, "confidence": None}
    assert (found["mode"], found["watches"]) == ("free-run", ["n * 2"])
    assert found["reality"]["slips"] == 1
    assert found["reality"]["first"]["step"] == 11
    assert summary(session())["reality"] is None


def test_the_state_of_a_step() -> None:
    s = slipping()
    s.watches = ["n * 2", "nonsense"]
    s.run()
    s.goto(4, 4)
    found = told(state(s))
    assert (found["line"], found["visit"], found["function"], found["verdict"]) == (4, 4, "count_letters", "wrong")
    assert found["wrong"][0] | {"slip": None} == {
        "step": 12,
        "kind": "value",
        "line": 4,
        "variable": "n",
        "predicted": "6",
        "real": "1",
        "slip": None,
    }
    values = {value["name"]: value for value in found["values"]}
    assert values["n"] == {
        "name": "n",
        "text": "6",
        "real": "1",
        "verdict": "wrong",
        "sure": None,
        "dots": None,
        "given": False,
        "new": False,
    }
    assert found["effect"] == [{"name": "n", "before": "6", "after": "7"}]
    assert [frame["line"] for frame in found["stack"]] == [4, 10]
    [loop] = found["loops"]
    assert (loop["line"], loop["pass"], loop["passes"], loop["previous"], loop["next"]) == (3, 4, 5, 9, 13)
    assert found["watches"][0] == {"expression": "n * 2", "value": "12", "error": None}
    assert "no name 'nonsense'" in found["watches"][1]["error"]
    assert found["real"] == {"event": "line", "line": 4, "source": "        n += int(c == letter)"}


def test_the_effect_of_a_line_is_what_is_otherwise_after_it() -> None:
    s = session()
    s.run()
    effects = {row["position"]: row["effect"] for row in page(s)["rows"]}
    assert effects[1] == [{"name": "word", "before": None, "after": "'berry'"}]
    assert effects[2] == [{"name": "num", "before": None, "after": "2"}], "of a line with a call, after the call"
    assert effects[18] == [{"name": "", "before": None, "after": "'Found 0002'"}], "of a return, what it returns"
    assert effects[19] == []
    s = session(RAISING, "f", "-3")
    s.run()
    assert page(s)["rows"][7]["effect"] == [{"name": "", "before": None, "after": "ValueError(-3)"}]


def test_a_page_lists_what_is_new_or_wrong_or_everything() -> None:
    s = slipping()
    s.run()
    rows = told(page(s))["rows"]
    assert [value["name"] for value in rows[10]["values"]] == ["c"]
    assert [value["name"] for value in rows[12]["values"]] == ["n"], "still wrong, though not new"
    assert [value["name"] for value in page(s, 10, 1, whole=True)["rows"][0]["values"]] == ["s", "letter", "n", "c"]
    assert [row["verdict"] for row in rows[10:18]] == ["right", *["wrong"] * 6, "right"]
    assert [row["position"] for row in rows if row["slip"]] == [11]
    assert rows[11]["kinds"] == ["value"]


def test_real_steps_that_the_prediction_lacks_are_on_the_last_page() -> None:
    s = session(err=1.0, kinds=("length",))
    s.run_for_real(real)
    s.run()
    found = told(page(s))
    assert (found["known"], found["total"]) == (len(s.branch.timeline), len(real(s.branch.prompt)))
    missing = found["rows"][found["known"] :]
    assert [row["verdict"] for row in missing] == ["missing"] * (found["total"] - found["known"])
    assert missing[-1]["values"] == [{"name": "", "text": None, "real": "'Found 0002'", "verdict": "missing"}]


def test_pages_put_together_are_the_whole() -> None:
    s = slipping()
    s.run()
    whole = page(s)["rows"]
    for size in (1, 3, 7, 20, 100):
        parts = [row for start in range(0, len(whole), size) for row in page(s, start, size)["rows"]]
        assert parts == whole
    assert page(s, 99)["rows"] == page(s, 0, 0)["rows"] == []
    assert page(s, -5, 2)["rows"] == whole[:2]


def test_alike_passes_are_folded_and_odd_ones_are_not() -> None:
    s = session(NESTED, "f", "[[1, 2, 3, 12, 4, 5]]")
    s.run()
    folds = {fold["line"]: fold for fold in told(page(s))["folds"]}
    assert (folds[4]["passes"], folds[4]["odd"]) == (6, 1)
    groups = [(group["first"], group["last"], group["odd"]) for group in folds[4]["groups"]]
    assert groups == [(1, 3, False), (4, 4, True), (5, 6, False)]
    assert folds[4]["groups"][1]["start"] == folds[4]["groups"][0]["end"]
    assert [(g["first"], g["last"]) for g in folds[3]["groups"]] == [(1, 1)]


def test_a_pass_in_which_the_prediction_slips_is_not_folded_away() -> None:
    s = slipping()
    s.run()
    [fold] = page(s)["folds"]
    assert [(g["first"], g["last"], g["slips"]) for g in fold["groups"]] == [(1, 3, 0), (4, 4, 1), (5, 5, 0)]


def test_search_finds_lines_and_new_values_and_goes_on() -> None:
    s = session()
    s.run()
    assert [hit["position"] for hit in told(search(s, "INT(C"))["hits"]] == [6, 8, 10, 12, 14]
    assert search(s, "'e'")["hits"] == [{"position": 8, "line": 4, "where": ["value c"]}], "and not where it still is"
    assert search(s, "found 0002")["hits"][0]["where"] == ["value"]
    first = search(s, "n = ", count=2)
    rest = search(s, "n = ", start=first["next"])
    everything = search(s, "n = ")
    assert first["hits"] + rest["hits"] == everything["hits"]
    assert everything["next"] is None


def test_visits_of_a_line_say_what_it_does() -> None:
    s = session()
    s.run()
    found = told(visits(s, 4, start=3, count=2))
    assert (found["visits"], [row["visit"] for row in found["rows"]]) == (5, [3, 4])
    assert [row["effect"][0]["after"] for row in found["rows"]] == ["1", "2"]
    assert visits(s, 12)["rows"] == []


def test_differences_are_listed_from_a_step_on() -> None:
    s = slipping()
    s.run()
    assert [(d["step"], d["slip"]) for d in told(differences(s))][:2] == [(11, True), (12, False)]
    assert [d["step"] for d in differences(s, start=14, count=2)] == [14, 15]
    assert differences(session()) == []


def test_long_texts_are_cut() -> None:
    s = session()
    s.set("c", repr("x" * 50_000))
    [value] = page(s)["rows"][0]["values"]
    assert len(value["text"]) < 300
    assert value["text"].endswith("…+49802")
    assert len(state(s)["values"][0]["text"]) < 21_000


def test_the_lane_shows_surprise_in_bars() -> None:
    s = session(err=0.3, seed=5)
    s.run_for_real(real)
    s.run()
    s.surprise()
    bars = told(lane(s))
    assert len(bars) == len(s.branch.timeline)
    wide = lane(s, width=7)
    assert len(wide) == 7
    assert [bar["start"] for bar in wide] == list(range(0, 20, 3))
    assert max(bar["surprise"] for bar in wide) == max(bar["surprise"] for bar in bars) > 0
    assert sum(bar["wrong"] for bar in wide) == len(s.tree.comparison(s.branch).wrong_steps) > 0
    assert all(bar["real"] is not None for bar in wide)


def test_steps_that_are_not_known_are_refused() -> None:
    with pytest.raises(UsageError, match="step 5 is not known"):
        state(session(), 5)


# ---------------------------------------------------------------------------------------------------
# 100,000 steps


class Counting(list):
    """A list that counts how often its items are looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        Counting.looks += len(range(*at.indices(len(self)))) if isinstance(at, slice) else 1
        return super().__getitem__(at)

    def __iter__(self) -> Iterator[Any]:
        Counting.looks += len(self)
        return super().__iter__()


@pytest.fixture(scope="module")
def long() -> tuple[Session, Trace]:
    trace = recorded(LONG, "f", "34000")
    s = open_session(ReplayPredictor(trace), LONG, "f", "34000", settings=Settings(budget=10**9))
    s.run()
    s.attach(trace)
    return s, trace


def test_a_hundred_thousand_steps_are_one_prediction(long: tuple[Session, Trace]) -> None:
    s, trace = long
    assert len(trace) > 100_000
    assert len(s.branch.timeline) == len(trace)
    assert s.difference.agrees


def test_pages_of_a_hundred_thousand_steps_are_its_slices(long: tuple[Session, Trace]) -> None:
    s, trace = long
    for start in (0, 499, 50_000, len(trace) - 100):
        found = page(s, start, whole=True)
        assert len(found["rows"]) == min(MAX_COUNT, len(trace) - start)
        for row, frame in zip(found["rows"], trace.frames[start:], strict=False):
            assert (row["event"], row["line"], row["source"]) == (frame.event, frame.line, frame.source)
            if frame.event is not Event.RETURN:
                assert {value["name"]: value["text"] for value in row["values"]} == frame.state
    fold = page(s, 60_000, 400)["folds"][0]
    assert (fold["passes"], fold["odd"]) == (34_000, 34)
    assert fold["groups"][0]["first"] > 19_000


def looks(s: Session, question: Any) -> int:
    """How many steps and frames of the branch answering takes."""
    timeline = s.branch.timeline
    names = ("frames", "_steps", "_before", "_after", "_caller")
    plain = {name: getattr(timeline, name) for name in names}
    for name, items in plain.items():
        setattr(timeline, name, Counting(items))
    Counting.looks = 0
    question()
    for name, items in plain.items():
        setattr(timeline, name, items)
    return Counting.looks


@pytest.mark.parametrize(
    "question",
    [
        lambda s, at: page(s, at, 100),
        lambda s, at: state(s, at),
        lambda s, at: differences(s, at),
        lambda s, at: visits(s, 4, at // 3, 100),
        lambda s, at: s.at(at + 5).set_by("i"),
        lambda s, at: summary(s),
    ],
)
def test_an_answer_costs_the_same_wherever_it_is_asked(long: tuple[Session, Trace], question: Any) -> None:
    s, _ = long
    for position in (0, 100_000):
        question(s, position)  # what follows the timeline has caught up
    early, late = (looks(s, lambda: question(s, at)) for at in (300, 100_000))  # noqa: B023
    assert late <= early + 50
    assert late < 10_000


def test_a_search_looks_at_a_bounded_number_of_steps(long: tuple[Session, Trace]) -> None:
    s, trace = long
    found, requests, start = [], 0, 0
    while start is not None:
        answer = search(s, "mark = 3", start=start)
        found += answer["hits"]
        start = answer["next"]
        requests += 1
    assert [s.at(hit["position"]).before["mark"] for hit in found][:2] == ["3000", "30000"]
    assert requests == -(-len(trace) // 20_000)
    assert search(s, "nowhere")["next"] == 20_000
    assert looks(s, lambda: search(s, "nowhere", start=1_000)) < 100_000
