import ast
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from small_repository import write_repository

from foretrace.corpus.episodes import Counts, EpisodeOptions, cut_suite, episodes_of
from foretrace.corpus.repository import Suite, SuiteLimits, record_suite
from foretrace.errors import UsageError
from foretrace.record.program import record_program
from foretrace.sandbox import backends
from foretrace.trace import Event, Outcome, Trace, from_segments, from_text, read_binary, to_binary, to_segments, to_text

pytestmark = pytest.mark.skipif(bool(backends()["process"]), reason="the sandbox needs Linux")
EVERYTHING = 1000
COMPREHENSIONS = ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return record_suite(write_repository(tmp_path_factory.mktemp("repository")))


def cut(suite: Suite, counts: Counts | None = None, **options: float) -> list[Trace]:
    options = {"per_function": EVERYTHING, "depth": 0} | options
    return [trace for trace, _ in cut_suite(suite, EpisodeOptions(**options), counts)]  # type: ignore[arg-type]


def of(episodes: list[Trace], entry: str) -> list[Trace]:
    return [trace for trace in episodes if trace.header.entry == entry]


def functions(trace: Trace) -> set[str]:
    return {frame.function for frame in trace.frames} - {trace.header.entry}


def calls_within(trace: Trace) -> list[str]:
    calls = [f for f in trace.frames if f.event is Event.CALL and f.depth]
    return [f.function for f in calls if not f.function.endswith(COMPREHENSIONS)]


def check(trace: Trace) -> None:
    """What every episode must be, see `docs/trace-format.md`."""
    frames, header = trace.frames, trace.header
    lines = header.source.split("\n")
    assert frames[0].event is Event.CALL
    assert not frames[0].resumed
    assert (frames[0].depth, frames[0].function) == (0, header.entry)
    assert header.arguments == frames[0].state
    assert frames[-1].depth == 0
    assert (header.outcome is Outcome.RETURNED) == (frames[-1].event is Event.RETURN)
    assert frames[-1].event is Event.RETURN or frames[-1].unwind
    assert header.files == {}
    depth = 0
    for before, frame in pairwise([None, *frames]):
        assert frame is not None
        if frame.event is Event.CALL:
            assert frame.depth == depth
            assert depth or before is None or frame.resumed
            depth += 1
        assert frame.depth == depth - 1
        depth -= frame.event is Event.RETURN or frame.unwind
        assert lines[frame.line - 1] == frame.source
        assert frame.path == ""
    assert depth == 0
    ast.parse(header.source)
    text = to_text(to_segments(trace))
    back = from_segments(from_text(text), header)
    assert to_text(to_segments(back)) == text
    assert back.header.outcome is header.outcome
    assert [(f.event, f.source, f.locals, f.value) for f in back.frames] == [
        (f.event, f.source, f.locals, f.value) for f in frames
    ]
    assert next(read_binary(to_binary([trace]))).frames == frames


@pytest.mark.parametrize("step_in", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("with_tests", [False, True])
def test_every_episode_is_a_trace(suite: Suite, step_in: float, depth: int, with_tests: bool) -> None:
    counts = Counts()
    episodes = cut(suite, counts, step_in=step_in, depth=depth, with_tests=with_tests)
    assert len(episodes) > 10
    for trace in episodes:
        check(trace)
    assert counts.kept == len(episodes)
    assert counts.calls == counts.kept + counts.stepped_into + counts.dropped.total()
    assert counts.tests == 21
    assert counts.differing == []
    of_tests = {trace.header.path for trace in episodes if trace.header.path.startswith("tests/")}
    assert of_tests == ({"tests/test_area.py"} if with_tests else set())


def test_nothing_is_stepped_into(suite: Suite) -> None:
    counts = Counts()
    episodes = cut(suite, counts, step_in=0.0)
    assert counts.stepped_into == 0
    assert not any(calls_within(trace) for trace in episodes)
    assert {"total", "Square.area", "Shape.area", "convert", "corners", "ready"} <= {t.header.entry for t in episodes}


def test_everything_is_stepped_into(suite: Suite) -> None:
    episodes = cut(suite, step_in=1.0)
    [described] = of(episodes, "Shape.describe")
    assert functions(described) == {"Shape.name", "Square.area", "Shape.area"}
    assert not of(episodes, "Shape.area")
    assert max(frame.depth for trace in of(episodes, "total") for frame in trace.frames) >= 2


def test_a_part_is_stepped_into(suite: Suite) -> None:
    some = cut(suite, step_in=0.5)
    number = sum(len(calls_within(trace)) for trace in some)
    assert 0 < number < sum(len(calls_within(trace)) for trace in cut(suite, step_in=1.0))


def test_the_depth_has_a_limit(suite: Suite) -> None:
    counts = Counts()
    episodes = cut(suite, counts, step_in=1.0, depth=1)
    [described] = of(episodes, "Shape.describe")
    assert functions(described) == {"Shape.name", "Square.area"}
    assert of(episodes, "Shape.area")  # what is too deep is an episode of its own


def test_the_same_seed_cuts_the_same(suite: Suite) -> None:
    one, same, other = (cut(suite, seed=seed, per_function=2) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_recorded_again_it_is_the_same(suite: Suite, tmp_path: Path) -> None:
    again = list(episodes_of(write_repository(tmp_path / "repository"), seed=3))
    assert again == list(cut_suite(suite, EpisodeOptions(seed=3)))
    origin = next(origin for trace, origin in again if trace.header.entry == "convert")
    assert (origin.kind, origin.path, origin.licence) == ("test", "src/shapes/units.py", "MIT")
    assert origin.line == 13


def test_it_is_what_the_context_does_when_it_runs(suite: Suite) -> None:
    """Where a context needs nothing but the standard library, running it gives the very frames of the episode."""
    counted: Counter[str] = Counter()
    for trace in cut(suite, step_in=1.0):
        entry, arguments = trace.header.entry, ", ".join(trace.header.arguments.values())
        if entry in ("total", "convert", "in_unit", "zipped", "busy", "corners", "outer") and "limited" not in arguments:
            again = record_program(trace.header.source, entry, arguments)
            if trace.frames[-1].suspended:  # the test did not run it to its end
                assert again.frames[: len(trace)] == trace.frames
            else:
                assert again.frames == trace.frames
            counted[entry] += 1
    assert len(counted) == 7


def test_a_context_is_what_is_needed(suite: Suite) -> None:
    episodes = cut(suite, step_in=1.0)
    assert of(episodes, "Square.__init__")[0].header.source == (
        "from __future__ import annotations\n\n"
        "class Shape:\n    pass\n\n\n"
        "class Square(Shape):\n    def __init__(self, side):\n        self.side = side\n"
    )
    [raised] = [trace for trace in of(episodes, "in_unit") if trace.result == "'inch'"]
    assert raised.header.source == (
        "from __future__ import annotations\n\n\n"
        "# src/shapes/units.py\n"
        'SCALE = {"cm": 100, "mm": 1000}\n\n\n'
        "class UnitError(ValueError):\n    pass\n\n\n"
        "def convert(value, unit):\n"
        "    if unit not in SCALE:\n        raise UnitError(unit)\n    return value * SCALE[unit]\n\n\n"
        "# src/shapes/area.py\n"
        "def in_unit(value, unit):\n    try:\n        return convert(value, unit)\n"
        "    except UnitError as error:\n        return str(error)\n"
    )
    [circle] = of(cut(suite, step_in=0.0), "circle")
    assert "from math import pi\n" in circle.header.source
    assert "PRECISION = 2\n" in circle.header.source
    assert "    Rounded.\n" in circle.header.source
    [moved] = of(episodes, "Point.moved")
    assert "@dataclass\nclass Point:\n    x: int\n    y: int = 0\n" in moved.header.source


def test_a_generator_is_its_whole_life(suite: Suite) -> None:
    lives = of(cut(suite, step_in=0.0), "corners")
    yields = {tuple(f.value for f in trace.frames if f.event is Event.RETURN) for trace in lives}
    assert ("0", "3", "6", "3") in yields
    assert ("0", "1") in yields  # one that took turns with another
    assert ("0",) in yields  # one that nobody went on with
    [counted] = [t for t in of(cut(suite, step_in=0.0), "counting") if t.header.arguments == {"stop": "3"}]
    assert [f.value for f in counted.frames if f.event is Event.RETURN] == ["1", "2", "3", "None"]
    [taken] = [t for t in of(cut(suite, step_in=1.0), "take") if t.result == "3"]
    assert not calls_within(taken)  # what it resumes began elsewhere


def test_generators_that_take_turns_are_told_apart(suite: Suite) -> None:
    [zipped] = of(cut(suite, step_in=1.0), "zipped")
    assert zipped.result == "[0, 3, (0, 0), (3, None)]"
    assert sum(f.event is Event.CALL and not f.resumed for f in zipped.frames) == 4


def test_coroutines(suite: Suite) -> None:
    [waited] = of(cut(suite, step_in=1.0), "waited")
    assert functions(waited) == {"ready"}
    assert sum(frame.suspended for frame in waited.frames) == 1
    assert waited.result == "2"


def test_code_of_tests_is_one_step(suite: Suite) -> None:
    applied = of(cut(suite, step_in=1.0), "apply")
    assert functions(applied[0]) - {"apply.<locals>.<listcomp>"} == set()
    assert any("total" in functions(trace) for trace in applied)
    assert "<lambda>" in str([functions(t) for t in of(cut(suite, step_in=1.0, with_tests=True), "test_callback")])


def test_two_functions_of_one_name_are_not_in_one_episode(suite: Suite) -> None:
    episodes = cut(suite, step_in=1.0)
    [clash] = of(episodes, "clash")
    assert clash.header.source.count("def limited") == 1
    assert len(of(episodes, "limited")) == 1


def test_too_long_is_cut_less_deep(suite: Suite) -> None:
    counts = Counts()
    episodes = cut(suite, counts, step_in=1.0, max_events=30)
    assert all(len(trace) <= 30 for trace in episodes)
    assert counts.dropped["too long"] == 1  # busy(100)
    assert of(episodes, "busy")
    assert cut(suite, max_characters=1) == []


def test_as_different_ones_as_there_are(suite: Suite) -> None:
    counts = Counts()
    episodes = cut(suite, counts, step_in=0.0, per_function=2)
    assert max(Counter((t.header.path, t.header.entry) for t in episodes).values()) == 2
    assert {trace.result for trace in of(episodes, "in_unit")} >= {"'inch'"}
    assert counts.dropped["enough of its function"] > 0
    assert counts.dropped["the same as another"] > 0


def test_what_names_the_sandbox_is_dropped(suite: Suite) -> None:
    counts = Counts()
    assert not any(suite.folder in str(trace) for trace in cut(suite, counts))
    assert counts.dropped["names a file of the sandbox"] > 0


def test_calls_that_a_limit_cut_off(tmp_path: Path) -> None:
    root = write_repository(
        tmp_path / "repository", "from shapes.area import busy\n\ndef test_a():\n    busy(3)\n    busy(100)\n"
    )
    counts = Counts()
    episodes = cut(record_suite(root, limits=SuiteLimits(events=60)), counts)
    assert [trace.header.arguments for trace in episodes] == [{"count": "3"}]
    assert (counts.traces, counts.cut_off, counts.dropped["cut off"]) == (1, 1, 1)


def test_failing_tests_are_cut_if_asked_for(suite: Suite) -> None:
    usual, more = Counts(), Counts()
    cut(suite, usual)
    cut(suite, more, failing=True)
    assert more.used == usual.used + 1


def test_options_that_cannot_be() -> None:
    for options in ({"step_in": 2.0}, {"depth": -1}, {"per_function": 0}, {"max_events": 0}):
        with pytest.raises(UsageError):
            EpisodeOptions(**options)  # type: ignore[arg-type]


def test_what_shows_an_address_is_dropped(tmp_path: Path) -> None:
    tests = "from shapes.area import total, in_unit\n\ndef test_a():\n    in_unit(1, str(object()))\n    total(1)\n"
    counts = Counts()
    episodes = cut(record_suite(write_repository(tmp_path / "repository", tests)), counts, step_in=1.0)
    assert [trace.header.entry for trace in episodes] == ["total"]
    assert counts.dropped == {"shows an address": 1}
