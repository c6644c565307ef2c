"""Runs of several stages, and what of them can be fine-tuned on."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from low_world import Low, reward, tasks
from random_checkpoints import TOKENIZER, random_checkpoint

from foretrace.corpus.short_functions import short_functions
from foretrace.data.chat import Message
from foretrace.data.conversations import conversation
from foretrace.data.special import ChatToken
from foretrace.errors import TrainingError, UsageError
from foretrace.recipes.rl import RL_RECIPES, load_rl
from foretrace.recipes.rl_tasks import Tasks, read_tasks
from foretrace.rl.collector import Collecting
from foretrace.rl.environments.dialogue import Dialogue
from foretrace.rl.export import solved_documents
from foretrace.rl.learner import Learning
from foretrace.rl.records import read_looked_at
from foretrace.rl.run import Environments, RunConfig
from foretrace.rl.stages import Share, Stage, run_stages
from foretrace.rl.types import ENVIRONMENT, Ending, Group, Rollout, Task
from foretrace.train.schedule import Schedule

STAGES = (
    Stage(name="short", updates=2, shares=(Share(name="first"),), max_tokens=20, free=4, most=12),
    Stage(name="long", updates=2, shares=(Share(name="first", weight=0.5), Share(name="second", weight=0.5))),
)


def config(tmp_path: Path, **settings: Any) -> RunConfig:
    if not (tmp_path / "start").exists():
        random_checkpoint(tmp_path / "start")
    learning = Learning(schedule=Schedule(kind="constant", lr=1e-3, warmup_steps=0), max_tokens=40, tokens_per_row=100)
    usual: dict[str, Any] = {"budget": 150, "mode": "sync", "ahead": 2, "updates": 1, "save_every": 1}
    collecting = Collecting(group_size=4, width=8, max_tokens=40, max_turns=2)
    return RunConfig(
        start=tmp_path / "start", out=tmp_path / "run", learning=learning, collecting=collecting, **(usual | settings)
    )


def worlds(stage: Stage) -> Environments:
    return {"low": (Low(), stage.reward(reward))}


SETS = {"first": tasks(10), "second": [replace(task, id=f"second-{task.id}") for task in tasks(10)]}


def test_stages_follow_each_other_and_a_killed_run_goes_on_in_its_stage(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(record: dict[str, Any]) -> None:
        if record["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        run_stages(config(tmp_path), STAGES, SETS, worlds, report=kill)
    run_stages(config(tmp_path), STAGES, SETS, worlds)
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(r["step"], r["stage"]) for r in records] == [(1, "short"), (2, "short"), (3, "long"), (4, "long")]
    assert records[1]["seconds"] < records[3]["seconds"]
    looked_at = list(read_looked_at(tmp_path / "run" / "rollouts.jsonl"))
    short = [rollout for step, group in looked_at if step <= 2 for rollout in group.rollouts]
    assert max(len(rollout.tokens) for rollout in short) <= 20
    assert not [rollout for rollout in short if rollout.task.id.startswith("second")]
    later = [rollout for step, group in looked_at if step > 2 for rollout in group.rollouts]
    assert {rollout.task.id.startswith("second") for rollout in later} == {True, False}
    starts = [(group.task.id, group.rollouts[0].seed) for _, group in looked_at]
    assert len(set(starts)) == len(starts)


def test_a_long_right_answer_is_worth_less_in_a_stage_that_says_so() -> None:
    short, long = STAGES
    transition = Low().step(1, [1] * 12)
    assert long.reward(reward)(transition, [1] * 12) == 0.5
    assert short.reward(reward)(transition, [1] * 12) == 0.0
    assert short.reward(reward)(transition, [1] * 4) == 0.5


def test_a_stage_of_tasks_that_there_are_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stage odd: there are no tasks called 'third'; there are: first, second"):
        run_stages(config(tmp_path), [Stage(name="odd", updates=1, shares=(Share(name="third"),))], SETS, worlds)


def test_a_run_that_finds_nothing_to_learn_from_ends_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="3 groups gave 0 of 150 tokens to learn from, and 0% of their rollouts are solved"
    ):
        run_stages(config(tmp_path, patience=3), STAGES[1:], SETS, lambda stage: {"low": (Low(), lambda transition, _: 0.0)})


def test_presets_have_the_fields_that_they_name() -> None:
    for name in RL_RECIPES:
        recipe = load_rl(name, Path("runs/x"), ["run.learning.schedule.lr=1e-4", "worlds.isolation=process"])
        names = {each.name for each in recipe.tasks}
        assert all(share.name in names for stage in recipe.all_stages for share in stage.shares)
        assert recipe.run.learning.schedule.lr == 1e-4
    cwm = load_rl("cwm", Path("runs/x"), ["stages.mixture.updates=5", "stages.hard.shares.swe.weight=0.9"])
    assert [stage.updates for stage in cwm.stages] == [14_125, 5, 3_500]
    assert [share.weight for share in cwm.stages[2].shares if share.name == "swe"] == [0.9]


def test_sets_of_functions_have_none_in_common() -> None:
    """The same seeds, so that all would be in both, and ones that were fine-tuned on."""
    known: set[str] = set()
    tuned = {function.source for function in islice(short_functions(0), 30)}
    measured = read_tasks(Tasks(name="held", environment="examples", source="short:20", seed=0, apart=30), known)
    assert len(known) == len(tuned) + 20
    trained = read_tasks(Tasks(name="functions", environment="examples", source="short:20", seed=0), known)
    assert len(known) == len(tuned) + 40
    assert not {task.id for task in measured} & {task.id for task in trained}


# ---- back into fine-tuning


def rollout(*, right: bool, think: bool = False, member: int = 0) -> Rollout:
    """A conversation with a tool and two turns of a policy."""
    dialogue = Dialogue(TOKENIZER, think=think)
    end = "so</think>" if think else ""
    turns = [f"{end}<tool: python>\nprint({member})\n</tool>", f"{end}It is {member}."]
    actions = [TOKENIZER.encode([turn, ChatToken.END_OF_TURN]) for turn in turns]
    pieces = [
        (ENVIRONMENT, dialogue.opening([Message("system", "Be brief."), Message("user", "What is it?")])),
        (3, actions[0]),
        (ENVIRONMENT, dialogue.answer(Message("tool", str(member), tool="python"))),
        (3, actions[1]),
    ]
    tokens = [token for _, piece in pieces for token in piece]
    versions = [version for version, piece in pieces for _ in piece]
    return Rollout(
        task=Task(environment="maths", id="7", data={}),
        seed=0,
        member=member,
        tokens=np.array(tokens, np.int32),
        versions=np.array(versions, np.int32),
        logprobs=np.zeros(len(tokens), np.float32),
        rewards=(0.0, 1.0 if right else -1.0),
        ending=Ending.OVER,
        outcome={"right": right},
    )


@pytest.mark.parametrize("think", [False, True])
def test_what_was_solved_becomes_chats(think: bool) -> None:
    rollouts = tuple(rollout(right=at > 0, think=think, member=at) for at in range(4))
    groups = [Group(task=rollouts[0].task, rollouts=rollouts)]
    found = list(solved_documents(groups, TOKENIZER, most=2))
    assert [document["subject"] for document in found if isinstance(document, dict)] == ["maths/7"] * 2
    assert isinstance(found[0], dict)
    messages = conversation(json.loads(json.dumps(found[0])))
    thought = "so" if think else ""
    assert messages == (
        Message("system", "Be brief."),
        Message("user", "What is it?"),
        Message("assistant", "<tool: python>\nprint(1)\n</tool>", thinking=thought),
        Message("tool", "1", tool="python"),
        Message("assistant", "It is 1.", thinking=thought),
    )
    assert len(list(solved_documents(groups * 2, TOKENIZER, most=10))) == 3  # none twice
    assert len(list(solved_documents(groups, TOKENIZER, most=10, all_of=True))) == 4
