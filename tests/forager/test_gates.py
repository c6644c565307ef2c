"""The gates, and a person at a terminal."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from toy_repository import CHECK, PATCH, backend, toy_task

from foretrace.errors import UsageError
from foretrace.forager.agent import Setting
from foretrace.forager.episodes import run_episode
from foretrace.forager.policies.gates import Null, Oracle, Random
from foretrace.forager.policies.human import Human
from foretrace.forager.policies.types import History, Policy
from foretrace.forager.task import Task
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.trajectory import Ending, Result, Trajectory


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return toy_task(tmp_path_factory.mktemp("image"))


def run(task: Task, policy: Policy, folder: Path, seed: int = 0) -> tuple[Trajectory, Result]:
    found = run_episode(task, policy, folder, Setting(backend=backend()), seed=seed)
    assert found is not None
    assert found.result is not None
    return found, found.result


def solves(task: Task, patch: str, folder: Path) -> bool:
    """Whether a patch, applied to the image, makes the test pass."""
    repository = folder / "graded"
    subprocess.run(["cp", "-r", task.image.root[0] / "testbed", repository], check=True)
    if patch:
        subprocess.run(["git", "apply", "-"], input=patch.encode(), cwd=repository, check=True)
    return subprocess.run(["bash", "-c", CHECK], cwd=repository, capture_output=True).returncode == 0


def test_the_right_answer_solves_the_task(task: Task, tmp_path: Path) -> None:
    _, result = run(task, Oracle(), tmp_path)
    assert (result.ending, result.submission) == (Ending.SUBMITTED, PATCH)
    assert solves(task, result.submission, tmp_path)


def test_no_answer_does_not(task: Task, tmp_path: Path) -> None:
    trajectory, result = run(task, Null(), tmp_path)
    assert (result.ending, result.submission, result.diff, len(trajectory.steps)) == (Ending.GAVE_UP, "", "", 1)
    assert not solves(task, result.submission, tmp_path)


def test_chance_changes_something_and_is_the_same_for_a_seed(task: Task, tmp_path: Path) -> None:
    submissions = []
    for number, seed in enumerate((1, 1, 2, 3)):
        trajectory, result = run(task, Random(seed=seed), tmp_path / str(number))
        assert result.ending is Ending.SUBMITTED
        assert {"bash", "view", "edit", "submit"} <= {step.action.tool for step in trajectory.steps}
        submissions.append(result.submission)
    assert submissions[0] == submissions[1]
    assert len(set(submissions)) > 1


def test_an_oracle_without_an_answer_says_so(task: Task, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="toy-1 has no patch"):
        run(replace(task, patch=""), Oracle(), tmp_path)


TYPED = """\

ls *.py
:what
:view a.py 1 1
:create note.txt
first
second
.
:edit a.py
<<<<<<< SEARCH
    return a - b
=======
    return a + b
>>>>>>> REPLACE
.
:bash
git add -N note.txt
git diff > /tmp/p
.
:submit /tmp/p
:done It was the sign.
"""


def test_a_person_works_at_a_terminal(task: Task, tmp_path: Path) -> None:
    lines: Iterator[str] = iter(TYPED.splitlines())
    shown: list[str] = []
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return next(lines)

    trajectory, result = run(task, Human(read, shown.append), tmp_path)
    assert [step.action.tool for step in trajectory.steps] == ["bash", "view", "create", "edit", "bash", "submit", ""]
    assert all(step.ok for step in trajectory.steps)
    assert trajectory.steps[-1].action.content == "It was the sign."
    assert result.ending is Ending.SUBMITTED
    assert "+first\n+second\n" in result.submission
    assert solves(task, result.submission, tmp_path)
    assert "`add` subtracts." in shown[0]
    assert "     1\tdef add(a, b):" in "".join(shown)
    assert prompts[0] == "128 turns> "


def test_the_end_of_the_input_ends_the_episode(task: Task, tmp_path: Path) -> None:
    def read(prompt: str) -> str:
        raise EOFError

    action = Human(read, lambda text: None).act(History(task=task, system="", prompt=""))
    assert action.ends


def test_a_task_is_made_of_an_instance(task: Task) -> None:
    instance = Instance(
        instance_id="toy-9",
        repo="toy/toy",
        patch=PATCH,
        problem_statement="It subtracts.",
        hints_text="Look at the sign.",
        fail_to_pass=("test_a.py::test_add",),
        licence="MIT",
    )
    made = Task.of(instance, task.image)
    assert made == replace(task, id="toy-9", problem="It subtracts.")
    assert Task.of(instance, task.image, hints=True).hints == "Look at the sign."
