"""A trajectory done once more comes to the same, and where it does not, that is said."""

from dataclasses import replace
from pathlib import Path

import pytest
from toy_repository import CHECK, PATCH, backend, toy_task

from foretrace.errors import UsageError
from foretrace.forager.agent import Setting
from foretrace.forager.episodes import run_episode
from foretrace.forager.policies.gates import Oracle, Random
from foretrace.forager.policies.replay import Replay
from foretrace.forager.replaying import Difference, replay
from foretrace.forager.task import Task
from foretrace.forager.tools import TOOLS
from foretrace.forager.trajectory import Action, Ending, Trajectory
from foretrace.sandbox.environments import backends


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return toy_task(tmp_path_factory.mktemp("image"))


def run(task: Task, actions: list[Action], folder: Path) -> Trajectory:
    found = run_episode(task, Replay(actions), folder, Setting(backend=backend()))
    assert found is not None
    return found


def bash(*commands: str) -> list[Action]:
    return [*(Action.call("bash", command) for command in commands), Action(content="Done.", ends=True)]


def differences(trajectory: Trajectory, task: Task) -> list[Difference]:
    return list(replay(trajectory, task, backend=backend()))


def test_it_comes_to_the_same_step_by_step(task: Task, tmp_path: Path) -> None:
    for policy in (Oracle(), *(Random(seed=seed) for seed in range(3))):
        trajectory = run_episode(task, policy, tmp_path, Setting(backend=backend()))
        assert trajectory is not None
        assert differences(trajectory, task) == []


@pytest.mark.slow
def test_it_comes_to_the_same_on_every_backend(task: Task, tmp_path: Path) -> None:
    edit = TOOLS["edit"].compose(path="a.py", search="    return a - b", replacement="    return a + b")
    actions = [
        Action.call("bash", CHECK),
        Action.call("edit", edit),
        Action.call("bash", "mkdir d; cd d; echo x > 'b c'; rm ../big.txt"),
        Action.call("create", f"p\n{PATCH}"),
        Action.call("submit", "p"),
        Action(content="Done."),
    ]
    trajectory = run(task, actions, tmp_path)
    for name, other in backends().items():
        if name != backend() and other.probe().works:
            found = list(replay(trajectory, task, backend=name))
            assert [difference for difference in found if difference.what != "output"] == [], name


def test_folders_and_variables_of_the_shell_come_back(task: Task, tmp_path: Path) -> None:
    trajectory = run(task, bash("mkdir d && cd d", "export N=5", "sleep 100 &", f"cd ..; {CHECK}; echo $N > n"), tmp_path)
    assert differences(trajectory, task) == []


def test_times_and_addresses_do_not_matter(task: Task, tmp_path: Path) -> None:
    commands = ("python3 -c 'import time; print(object(), f\"in {time.time() % 9:.9f}s\")'", "date '+%Y-%m-%d %H:%M:%S.%N'")
    found = differences(run(task, bash(*commands), tmp_path), task)
    assert [(difference.what, difference.matters) for difference in found] == [("output", False)] * 2


def test_what_is_not_the_same_is_said(task: Task, tmp_path: Path) -> None:
    chance = "head -c 9 /dev/urandom | base64"
    trajectory = run(task, bash(f"{chance}; true", f"{chance} > a.py", "true"), tmp_path)
    found = [(d.step, d.what, d.matters) for d in differences(trajectory, task)]
    assert found == [(1, "output", True), (2, "state", True), (3, "state", True)]
    step = replace(trajectory.steps[2], code=7)
    other = Trajectory(trajectory.header, (step,), trajectory.result)
    assert (3, "code") in [(d.step, d.what) for d in differences(other, task)]


def test_another_image_is_refused(task: Task, tmp_path: Path) -> None:
    trajectory = run(task, bash("true"), tmp_path)
    changed = replace(task, image=replace(task.image, digest="other"))
    with pytest.raises(UsageError, match="was made in the image toy toy-1; this one is other"):
        differences(trajectory, changed)


def test_a_recorded_episode_is_run_again_by_its_actions(task: Task, tmp_path: Path) -> None:
    first = run_episode(task, Oracle(), tmp_path, Setting(backend=backend()))
    assert first is not None
    again = run_episode(task, Replay.of(first.steps), tmp_path, Setting(backend=backend()))
    assert again is not None
    assert [s.observation for s in again.steps] == [s.observation for s in first.steps]
    assert again.header.policy["name"] == "replay"


def test_no_action_is_made_up(task: Task, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="all 1 recorded actions are made, and the episode is not over"):
        run(task, bash("true")[:1], tmp_path)


def test_a_transcript_of_the_release_is_run(task: Task, tmp_path: Path) -> None:
    """The actions are its, the observations are seen anew."""
    said = [
        "<think>\nLook.\n</think>\n<tool: bash>\ncat a.py\n</tool>",
        "<tool: edit>\na.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE\n</tool>",
        "<tool: bash>\ngit diff > fix.patch\n</tool>",
        "<tool: submit>\nfix.patch\n</tool>",
        "## Issue Summary\n\nA sign.",
    ]
    turns = "".join(
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{text}<|eot_id|>"
        f"<|start_header_id|>tool: bash<|end_header_id|>\n\n<output>\ninvented\n</output><|eot_id|>"
        for text in said
    )
    text = f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nFix it.<|eot_id|>{turns}"
    trajectory = run_episode(task, Replay.of_transcript(text), tmp_path, Setting(backend=backend()))
    assert trajectory is not None
    assert trajectory.result is not None
    assert trajectory.result.ending is Ending.SUBMITTED
    assert "+    return a + b" in trajectory.result.submission
    assert trajectory.steps[0].action.thought == "Look."
    assert "invented" not in "".join(step.observation for step in trajectory.steps)
