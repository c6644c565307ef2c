"""The policy `search` on a small repository: it solves what it can, says what it did, and gives up where it cannot."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from built_image import SHAPES, built_image
from small_image import BACKEND, needs_box

from foretrace.forager.agent import Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.episodes import run_episode
from foretrace.forager.mutation.sampling import file_patch
from foretrace.forager.policies.search import Search
from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Code, Piece
from foretrace.forager.repair.diagnosis import diagnose, read_tree
from foretrace.forager.repair.lookahead import Lookahead
from foretrace.forager.repair.operators import operators
from foretrace.forager.task import Task
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.world import make_world
from foretrace.forager.trajectory import Ending, Trajectory
from foretrace.repos.image import RepoImage
from foretrace.sandbox.environment import Image
from foretrace.sandbox.environments import open_environment

pytestmark = needs_box
WRONG = SHAPES.replace("a * b", "a + b")
RECTANGLES = ("tests/test_shapes.py::test_rectangle[3]",)
"""The other one does not notice: 2 + 2 is 2 * 2."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> RepoImage:
    return built_image(tmp_path_factory.mktemp("shapes"))


def world_with(image: RepoImage, wrong: str, folder: Path) -> Image:
    bug = file_patch("shapes.py", SHAPES, wrong)
    instance = Instance(instance_id="shapes-1", repo="shapes", patch="", problem_statement="", fail_to_pass=(), bug=bug)
    return make_world(instance, image.image, folder / "world", backend=BACKEND)


def episode(world: Image, problem: str, folder: Path, **settings: int) -> Trajectory:
    setting = Setting(backend=BACKEND, budgets=Budgets(turns=60))
    trajectory = run_episode(Task(id="shapes-1", image=world, problem=problem), Search(**settings), folder, setting)
    assert trajectory is not None
    assert trajectory.result is not None
    return trajectory


@pytest.fixture(scope="module")
def world(image: RepoImage, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return world_with(image, WRONG, tmp_path_factory.mktemp("worlds"))


@pytest.fixture
def lookahead(world: Image) -> Iterator[Lookahead]:
    with open_environment(world, backend=BACKEND) as environment, Lookahead(environment.fork) as found:
        yield found


# -- other worlds ----------------------------------------------------------------------------------------


def test_trials_tell_what_solves_and_leave_the_world_alone(lookahead: Lookahead) -> None:
    survey = lookahead.survey()
    assert {test.test for test in survey.failing} == set(RECTANGLES)
    assert survey.failing[0].error == "AssertionError"
    assert survey.failing[0].calls["shapes.py"] == (5,)
    code = Code("shapes.py", lookahead.environment.read("shapes.py").decode())
    function = code.function("area")
    assert function is not None
    several = list(operators(function))
    for quick in (True, False):
        trials = lookahead.attempt(several, survey, RECTANGLES, seconds=30, quick=quick)
        assert trials.winner is not None
        assert "a * b" in trials.winner.candidate.after
        assert {verdict.quick for verdict in trials.verdicts} == {quick}
        assert not trials.verdicts[0].solves
        assert lookahead.environment.read("shapes.py").decode() == WRONG


def test_what_runs_is_watched(lookahead: Lookahead) -> None:
    other = "tests/test_shapes.py::test_other"
    watched = lookahead.watch([RECTANGLES[0], other], RECTANGLES, ["shapes.py"])
    code = Code("shapes.py", WRONG)
    function = code.function("area")
    assert function is not None
    wrong = next(number for number, line in enumerate(code.lines, 1) if "a + b" in line)
    assert watched.ran_line(function, wrong)
    assert watched.suspicion(function, wrong) == 1.0 > watched.suspicion(function, function.node.lineno)
    assert not watched.falls(function)


def test_a_version_that_never_ends_is_cut(lookahead: Lookahead) -> None:
    survey = lookahead.survey()
    code = Code("shapes.py", WRONG)
    function = code.function("area")
    assert function is not None
    start, end = code.span(function.node.body[1])
    endless = Candidate(code, (Piece(start, end, "while True:\n        pass"),), "wait", "test", 0.0)
    trials = lookahead.attempt([endless], survey, RECTANGLES, seconds=30)
    assert [verdict.error for verdict in trials.verdicts] == ["timeout"]


def test_without_a_hint_the_tests_point_at_the_function(lookahead: Lookahead) -> None:
    found = diagnose(lookahead, "Something is wrong.", read_tree(lookahead.environment))
    assert found.suspects[0].function is not None
    assert found.suspects[0].function.name == "area"
    assert set(found.wanted) == set(RECTANGLES)
    assert any("a * b" in candidate.after for candidate in found.candidates[:20])


# -- episodes --------------------------------------------------------------------------------------------


def test_it_repairs_and_all_it_shows_was_done(world: Image, tmp_path: Path) -> None:
    problem = "Look at `area` in `shapes.py`.\n\n" + "\n".join(f"- `{test}`" for test in RECTANGLES)
    trajectory = episode(world, problem, tmp_path / "one", seed=3)
    assert trajectory.result is not None
    assert trajectory.result.ending is Ending.SUBMITTED
    assert "+        return a * b" in trajectory.result.submission
    told = [step.action.info["lookahead"] for step in trajectory.steps if "lookahead" in step.action.info]
    assert told[0]["tried"] >= 1
    assert told[0]["idea"] == "operators"
    assert trajectory.steps[-1].action.content.startswith("## Cause")
    again = episode(world, problem, tmp_path / "two", seed=3)
    assert [step.action.argument for step in again.steps] == [step.action.argument for step in trajectory.steps]
    other = episode(world, problem, tmp_path / "three", seed=4)
    assert [step.action.argument for step in other.steps] != [step.action.argument for step in trajectory.steps]


def test_an_import_comes_back(image: RepoImage, tmp_path: Path) -> None:
    world = world_with(image, SHAPES.replace("from math import pi\n", ""), tmp_path)
    trajectory = episode(world, "The trouble is at the top of `shapes.py`.", tmp_path / "run", wrong=0)
    assert trajectory.result is not None
    assert "+from math import pi" in trajectory.result.submission


def test_wrong_tries_are_real_and_undone(world: Image, tmp_path: Path) -> None:
    seen = set()
    for seed in range(4):
        trajectory = episode(world, f"`{RECTANGLES[0]}` fails.", tmp_path / str(seed), seed=seed)
        assert trajectory.result is not None
        changed = [step for step in trajectory.steps if step.action.tool == "edit"]
        seen.add(len(changed))
        for step in changed[:-1]:
            following = trajectory.steps[step.number]
            assert not following.ok  # the test fails still, in this world, too
        assert trajectory.result.diff.count("\n+") == 2  # its head, and one line
    assert len(seen) > 1


def test_it_gives_up_where_nothing_helps(image: RepoImage, tmp_path: Path) -> None:
    world = world_with(image, SHAPES.replace("found += number", "found = len(repr(vars))"), tmp_path)
    trajectory = episode(world, "`total` in `shapes.py` is wrong.", tmp_path / "run", candidates=5, wrong=1)
    assert trajectory.result is not None
    assert trajectory.result.ending is Ending.GAVE_UP
    assert trajectory.result.diff == ""
    assert "5" in trajectory.steps[-1].action.content


def test_it_gives_up_where_nothing_fails(image: RepoImage, tmp_path: Path) -> None:
    trajectory = episode(replace(image.image), "Something is wrong.", tmp_path)
    assert trajectory.result is not None
    assert trajectory.result.ending is Ending.GAVE_UP


def test_a_test_that_never_ends_fails_like_others(image: RepoImage, tmp_path: Path) -> None:
    wrong = SHAPES.replace("    found = 0\n", "    found = 0\n    while numbers:\n        pass\n")
    world = world_with(image, wrong, tmp_path)
    with open_environment(world, backend=BACKEND) as environment, Lookahead(environment.fork) as lookahead:
        survey = lookahead.survey()
    assert {test.test.rpartition("::")[2] for test in survey.failing} == {"test_other", "test_total"}
    assert {test.test.rpartition("::")[2] for test in survey.passing} >= {"test_circle", "test_rectangle[2]"}
