"""The loop: every way in which an episode ends, and what is left of one that is interrupted."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_repository import BROKEN, CHECK, FIXED, PATCH, backend, toy_task

from foretrace.endpoint.threads import in_threads
from foretrace.errors import EndpointError, SandboxError
from foretrace.forager.agent import Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.episodes import episode_name, insist, run_episode
from foretrace.forager.format import read_observation
from foretrace.forager.journal import read_trajectories, read_trajectory
from foretrace.forager.policies.gates import Random
from foretrace.forager.policies.types import History, OutOfContextError, Policy
from foretrace.forager.task import Task
from foretrace.forager.trajectory import Action, Ending, Result, Step, Trajectory
from foretrace.sandbox.environment import Snapshot

EDIT = "a.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE"
REPAIR = [
    Action.call("bash", CHECK, "I try the function."),
    Action.call("view", "a.py"),
    Action.call("edit", EDIT),
    Action.call("bash", f"{CHECK} && git diff > /tmp/fix.patch"),
    Action.call("submit", "/tmp/fix.patch"),
    Action(content="## Cause\n\nA minus."),
]


class Scripted(Policy):
    """Makes actions from a list; a function in it is called, and may fail."""

    name = "scripted"

    def __init__(self, script: list[Action | Callable[[History], Action]]) -> None:
        self.script = script
        self.asked: list[int] = []

    def act(self, history: History) -> Action:
        self.asked.append(len(history.steps) + 1)
        found = self.script[min(len(history.steps), len(self.script) - 1)]
        return found if isinstance(found, Action) else found(history)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return toy_task(tmp_path_factory.mktemp("image"))


def setting(**budgets: Any) -> Setting:
    return Setting(backend=backend(), budgets=Budgets(**({"command_seconds": 20} | budgets)))


def run(task: Task, script: list[Any], folder: Path, **budgets: Any) -> Trajectory:
    found = run_episode(task, Scripted(script), folder, setting(**budgets))
    assert found is not None
    return found


def result_of(trajectory: Trajectory) -> Result:
    assert trajectory.result is not None
    return trajectory.result


def test_a_bug_is_repaired_and_all_of_it_recorded(task: Task, tmp_path: Path) -> None:
    trajectory = run(task, REPAIR, tmp_path)
    result = result_of(trajectory)
    assert (result.ending, result.turns) == (Ending.SUBMITTED, 6)
    assert result.submission.splitlines()[-6:] == PATCH.splitlines()[-6:]
    assert result.diff == PATCH
    assert [(s.role, s.ok, s.code) for s in trajectory.steps] == [
        ("tool: bash", False, 1),
        ("tool: view", True, None),
        ("tool: edit", True, None),
        ("tool: bash", True, 0),
        ("tool: submit", True, None),
        ("", True, None),
    ]
    assert [[c.patch for c in s.changes] for s in trajectory.steps] == [[], [], [PATCH], [], [], []]
    states = [s.state for s in trajectory.steps]
    assert states == [trajectory.header.state] * 2 + [result.state] * 4
    output, turns, tokens = read_observation(trajectory.steps[0].observation)
    assert output.endswith("AssertionError\n[exit code 1]")
    assert turns == 127
    assert tokens < 131_072 - 400
    header = trajectory.header
    assert (header.task, header.repo, header.licence, header.image) == ("toy-1", "toy/toy", "MIT", task.image.digest)
    assert header.environment["backend"] == backend()
    assert "`add` subtracts." in header.prompt
    assert read_trajectory(tmp_path / "toy-1.scripted.0.jsonl") == trajectory
    assert run_episode(task, Scripted(REPAIR), tmp_path, setting()) is None


def test_what_holds_no_call_is_answered_by_the_user(task: Task, tmp_path: Path) -> None:
    script = [
        Action(content="I am done."),
        Action.read("<tool: bash>\nls"),
        Action.call("fly", "away"),
        Action.call("bash", "echo 'go on'"),
        Action(content="I give up.", ends=True),
    ]
    trajectory = run(task, script, tmp_path)
    assert [(s.role, s.refused) for s in trajectory.steps] == [
        ("user", True),
        ("user", True),
        ("user", True),
        ("tool: bash", False),
        ("", False),
    ]
    said = [s.observation for s in trajectory.steps]
    assert "nothing is submitted yet" in said[0]
    assert "not whole" in said[1]
    assert "there is no tool 'fly'; there are: bash, view, create, edit, submit" in said[2]
    assert result_of(trajectory).ending is Ending.GAVE_UP


@pytest.mark.parametrize(
    ("budgets", "action", "ending", "turns"),
    [
        ({"turns": 3}, Action.call("bash", "true"), Ending.TURNS, 3),
        ({"tokens": 900}, Action.call("bash", "seq 300"), Ending.TOKENS, 2),
        ({"seconds": 0.5}, Action.call("bash", "sleep 5"), Ending.SECONDS, 1),
        ({"refusals": 2}, Action(content="hm"), Ending.FORMAT, 2),
    ],
)
def test_budgets_end_an_episode(
    task: Task, tmp_path: Path, budgets: dict[str, Any], action: Action, ending: Ending, turns: int
) -> None:
    trajectory = run(task, [action], tmp_path, **budgets)
    assert (result_of(trajectory).ending, len(trajectory.steps)) == (ending, turns)


def test_a_submission_outlives_a_budget(task: Task, tmp_path: Path) -> None:
    result = result_of(run(task, REPAIR[2:], tmp_path, turns=3))
    assert (result.ending, bool(result.submission)) == (Ending.TURNS, True)


def test_a_conversation_that_the_model_cannot_read_ends_the_episode(task: Task, tmp_path: Path) -> None:
    def too_long(history: History) -> Action:
        raise OutOfContextError("8193 > 8192")

    trajectory = run(task, [REPAIR[0], too_long], tmp_path)
    assert (result_of(trajectory).ending, len(trajectory.steps)) == (Ending.TOKENS, 1)


def test_damage_and_noise_end_nothing(task: Task, tmp_path: Path) -> None:
    script = [
        Action.call("bash", "exit 3"),
        Action.call("bash", "kill -9 $$"),
        Action.call("bash", "rm -rf /testbed/.git; cat; exec false"),
        Action.call("bash", "head -c 3000000 /dev/urandom"),
        Action.call("bash", "echo alive"),
        Action(content="Done.", ends=True),
    ]
    trajectory = run(task, script, tmp_path, command_seconds=3)
    assert read_observation(trajectory.steps[-2].observation)[0] == "alive"
    assert all(len(step.observation) < 20_000 for step in trajectory.steps)


# ---------------------------------------------------------------------------------------------------
# Interruptions


def test_what_a_server_interrupts_goes_on_where_it_was(task: Task, tmp_path: Path) -> None:
    def fails(history: History) -> Action:
        raise EndpointError("the server is down")

    first = Scripted([*REPAIR[:3], fails])
    with pytest.raises(EndpointError, match="down"):
        run_episode(task, first, tmp_path, setting())
    left = read_trajectory(tmp_path / "toy-1.scripted.0.jsonl.part")
    assert (len(left.steps), left.result) == (3, None)
    second = Scripted(list(REPAIR))
    trajectory = run_episode(task, second, tmp_path, setting())
    assert trajectory is not None
    assert second.asked == [4, 5, 6]
    assert trajectory.steps[:3] == left.steps
    assert trajectory.header == left.header
    assert (result_of(trajectory).ending, result_of(trajectory).diff) == (Ending.SUBMITTED, PATCH)
    assert result_of(trajectory).turns == 6


def test_what_does_not_lead_to_the_same_state_is_begun_again(task: Task, tmp_path: Path) -> None:
    def fails(history: History) -> Action:
        raise EndpointError("the server is down")

    chance = Action.call("bash", "head -c 16 /dev/urandom | base64 > chance")
    with pytest.raises(EndpointError):
        run_episode(task, Scripted([chance, fails]), tmp_path, setting())
    policy = Scripted([chance, Action(content="Done.", ends=True)])
    trajectory = run_episode(task, policy, tmp_path, setting())
    assert trajectory is not None
    assert policy.asked == [1, 2]
    assert (trajectory.header.attempt, len(trajectory.steps)) == (2, 2)


def test_a_policy_with_a_state_of_its_own_begins_again(task: Task, tmp_path: Path) -> None:
    class Stateful(Scripted):
        resumable = False

    def fails(history: History) -> Action:
        raise SandboxError("broken")

    with pytest.raises(SandboxError):
        run_episode(task, Stateful([REPAIR[0], fails]), tmp_path, setting())
    policy = Stateful([REPAIR[0], Action(content="Done.", ends=True)])
    trajectory = run_episode(task, policy, tmp_path, setting())
    assert trajectory is not None
    assert (policy.asked, trajectory.header.attempt) == ([1, 2], 2)


def _work(task: Task, folder: Path, name: str) -> None:
    slow = [lambda history, action=action: time.sleep(0.2) or action for action in REPAIR]
    run_episode(task, Scripted(list(slow)), folder, Setting(backend=name, budgets=Budgets(command_seconds=20)))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_one_that_is_killed_goes_on_and_leaves_nothing(task: Task, tmp_path: Path) -> None:
    """Killed after its first, its third and its fourth step, it ends like one that was not."""
    done = tmp_path / "toy-1.scripted.0.jsonl"
    part = tmp_path / "toy-1.scripted.0.jsonl.part"
    for lines in (2, 4, 5, None):
        worker = multiprocessing.get_context("fork").Process(target=_work, args=(task, tmp_path, backend()))
        worker.start()
        while worker.is_alive() and (lines is None or _lines(part) < lines):
            time.sleep(0.01)
        if lines is not None:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            assert not done.exists()
        worker.join()
    trajectory = read_trajectory(done)
    assert [s.number for s in trajectory.steps] == [1, 2, 3, 4, 5, 6]
    assert (result_of(trajectory).diff, trajectory.header.attempt) == (PATCH, 1)
    assert not part.exists()


# ---------------------------------------------------------------------------------------------------
# Around the loop


def test_snapshots_are_of_the_files_after_each_step(task: Task, tmp_path: Path) -> None:
    kept: list[tuple[Step, Snapshot]] = []
    contents: list[bytes] = []

    def look_back(history: History) -> Action:
        assert history.fork is not None
        with history.fork() as copy:
            copy.write("a.py", b"tried")
            contents.append(copy.read("a.py"))
        return REPAIR[2]

    found = run_episode(
        task,
        Scripted([REPAIR[0], look_back, Action(content="Done.", ends=True)]),
        tmp_path,
        replace(setting(), on_snapshot=lambda _, step, snapshot: kept.append((step, snapshot))),
    )
    assert found is not None
    assert [step.snapshot for step in found.steps] == [snapshot.id for _, snapshot in kept]
    assert len({snapshot.id for _, snapshot in kept}) == 3
    assert contents == [b"tried"]
    assert result_of(found).diff == PATCH, "what was tried in a copy is not in the episode"


def test_many_at_a_time_come_in_order(task: Task, tmp_path: Path) -> None:
    failures = [2]

    def fails_twice(history: History) -> Action:
        failures[0] -= 1
        if failures[0] >= 0:
            raise EndpointError("busy")
        return REPAIR[3]

    def fails(history: History) -> Action:
        raise EndpointError("down")

    scripts: list[list[Any]] = [REPAIR, [*REPAIR[:3], fails_twice, *REPAIR[4:]], [REPAIR[0], fails], REPAIR]

    def attempt(number: int) -> tuple[Task, Trajectory | EndpointError | None]:
        mine = replace(task, id=f"t{number}")
        try:
            return mine, insist(mine, lambda: Scripted(list(scripts[number])), tmp_path, setting())
        except EndpointError as error:
            return mine, error

    outcomes = list(in_threads(attempt, range(4), threads=3))
    assert [mine.id for mine, _ in outcomes] == ["t0", "t1", "t2", "t3"]
    assert isinstance(outcomes[2][1], EndpointError)
    for number in (0, 1, 3):
        found = outcomes[number][1]
        assert isinstance(found, Trajectory)
        assert result_of(found).diff == PATCH
    assert [outcome for _, outcome in in_threads(attempt, range(2), threads=4)] == [None, None]
    assert len(list(read_trajectories(tmp_path))) == 3


def test_names_of_episodes_are_those_of_files(task: Task) -> None:
    name = episode_name(replace(task, id="a/b c@1"), Scripted([]), 3)
    assert name == "a%2Fb%20c@1.scripted.3"
    names = {episode_name(task, Random(seed=seed), 0) for seed in (1, 1, 2)}
    assert len(names) == 2


def test_the_prompt_of_a_task_says_what_the_agent_may_do(task: Task, tmp_path: Path) -> None:
    hinted = replace(task, hints="Look at a.py.")
    trajectory = run(hinted, [Action(content="No.", ends=True)], tmp_path, turns=7)
    assert "Look at a.py." in trajectory.header.prompt
    assert "You have 7 turns" in trajectory.header.system
    for tool in trajectory.header.tools:
        assert f"<tool: {tool}>\n" in trajectory.header.system
    assert BROKEN not in trajectory.header.prompt + trajectory.header.system
    assert FIXED not in trajectory.header.prompt + trajectory.header.system
