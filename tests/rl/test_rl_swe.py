"""Software engineering on a small repository: boxes, tools, a patch that tests decide on. The policy is played by us."""

from typing import Any

import pytest
from built_image import SHAPES, built_image, load_hosted, save
from random_checkpoints import TOKENIZER
from small_image import BACKEND, needs_box

from foretrace.data.chat import tool_call
from foretrace.data.special import ChatToken
from foretrace.forager.agent import Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.campaign import Campaign
from foretrace.forager.mutation.sampling import file_patch
from foretrace.forager.runs import Run
from foretrace.forager.tasks.instance import Instance
from foretrace.repos.image import RepoImage
from foretrace.rl.environments.swe import SoftwareEngineering, swe_tasks
from foretrace.rl.rewards import patch_reward
from foretrace.rl.types import Task, Transition

pytestmark = needs_box
WRONG = SHAPES.replace("a * b", "a + b")
EDIT = "shapes.py\n<<<<<<< SEARCH\n        return a + b\n=======\n        return {}\n>>>>>>> REPLACE"
DIFF = "git diff > /tmp/fix.patch; tail -n 3 /tmp/fix.patch"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> RepoImage:
    return save(built_image(tmp_path_factory.mktemp("shapes")))


@pytest.fixture(scope="module")
def campaign(image: RepoImage, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    instance = Instance(
        instance_id="shapes-1",
        repo="shapes",
        patch=file_patch("shapes.py", WRONG, SHAPES),
        problem_statement="Rectangles are wrong.",
        fail_to_pass=("tests/test_shapes.py::test_rectangle[3]",),
        pass_to_pass=tuple(sorted(test for test in image.passing if "rectangle" not in test)),
        bug=file_patch("shapes.py", SHAPES, WRONG),
        image=image.digest,
    )
    folder = tmp_path_factory.mktemp("run")
    run = Run.begin(folder / "run", [instance], images={image.digest: str(image.folder)}, worlds=folder / "worlds")
    return Campaign(run=run, load=load_hosted, setting=Setting(backend=BACKEND))


@pytest.fixture
def task(campaign: Campaign) -> Task:
    [task] = swe_tasks(campaign.run)
    return task


def environment_of(campaign: Campaign, **settings: Any) -> SoftwareEngineering:
    return SoftwareEngineering(TOKENIZER, campaign, budgets=Budgets(turns=12, command_seconds=20), **settings)


def say(text: str) -> list[int]:
    return TOKENIZER.encode([text, ChatToken.END_OF_TURN])


def seen(transition: Transition) -> str:
    return "".join(s if isinstance(s, str) else s.value for s in TOKENIZER.decode(list(transition.observation)))


def play(environment: SoftwareEngineering, state: Any, *turns: str) -> tuple[Transition, float]:
    """What comes of turns, and their return."""
    value = 0.0
    for turn in turns:
        action = say(turn)
        transition = environment.step(state, action)
        state = transition.state
        value += patch_reward(transition, action)
    return transition, value


def repair(expression: str) -> list[str]:
    edit, diff = tool_call("edit", EDIT.format(expression)), tool_call("bash", DIFF)
    return [f"I look.\n{edit}", diff, tool_call("submit", "/tmp/fix.patch"), "## Cause\n\nA sum."]


def test_a_repair_is_worth_one_and_half_of_one_nothing(campaign: Campaign, task: Task) -> None:
    environment = environment_of(campaign)
    start = environment.start(task, 0)
    assert "Rectangles are wrong." in seen(start)
    assert "test_rectangle" not in seen(start)
    looked = environment.step(start.state, say(tool_call("bash", "cat shapes.py")))
    assert "return a + b" in seen(looked)
    assert "Remaining turns" in seen(looked)
    other = environment.clone(looked.state)  # goes its own way from here on
    right, value = play(environment, looked.state, *repair("a * b"))
    assert right.outcome == {"right": True, "similarity": 1.0, "reason": right.outcome["reason"], "turns": 5}
    assert (right.is_over, value) == (True, 1.0)
    wrong, value = play(environment, other, *repair("a * a"))
    assert not wrong.outcome["right"]
    assert wrong.outcome["similarity"] >= 0.5
    assert value == 0.0


def test_without_a_patch_it_is_worth_minus_one(campaign: Campaign, task: Task) -> None:
    environment = environment_of(campaign)
    said, value = play(environment, environment.start(task, 0).state, "It is fine as it is.")
    assert not said.is_over
    assert "calls no tool" in seen(said)
    over, value = play(environment, said.state, *["I am sure."] * (environment.budgets.refusals - 1))
    assert (over.is_over, over.outcome["right"], value) == (True, False, -1.0)


def test_stages_show_the_tests_and_take_tools_away(campaign: Campaign, task: Task) -> None:
    hinted = environment_of(campaign, hints=1.0, bash_only=1.0)
    start = hinted.start(task, 3)
    assert "These tests will decide:\ntests/test_shapes.py::test_rectangle[3]" in seen(start)
    assert "no create, no edit, no view" in seen(start)
    refused = hinted.step(start.state, say(tool_call("view", "shapes.py")))
    assert "there is no tool 'view'; there are: bash, submit" in seen(refused)
    hinted.close(refused.state)
    half = environment_of(campaign, bash_only=0.5)
    tools = [half.tools_of(task, seed) for seed in range(40)]
    assert tools == [half.tools_of(task, seed) for seed in range(40)]  # so that a group, and a replay, have the same
    assert 8 < sum("edit" in of for of in tools) < 32
