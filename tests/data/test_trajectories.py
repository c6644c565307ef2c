"""Trajectories as rows of tokens: actions are learnt, observations where it was drawn, and nothing can spell a special token."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

from shard_contents import TOKENIZER, documents, job

from foretrace.data.chat import Message, message_parts
from foretrace.data.conversations import conversation
from foretrace.data.kinds import Kind
from foretrace.data.pack import pack
from foretrace.data.render import render_chat
from foretrace.data.special import ChatToken
from foretrace.data.trajectories import conversation_of
from foretrace.data.units import find_units
from foretrace.errors import FormatError, UsageError
from foretrace.forager.export import export
from foretrace.forager.journal import Journal
from foretrace.forager.runs import Run
from foretrace.forager.trajectory import Action, Ending, Header, Loss, Result, Step, Trajectory


def episode(name: str = "t-1.p.0", task: str = "t-1") -> Trajectory:
    steps = (
        Step(number=1, action=Action.call("bash", "ls", "I look."), role="tool: bash", observation="a.py", loss=Loss()),
        Step(
            number=2,
            action=Action.call("bash", "cat a.py", thought="hm"),
            role="tool: bash",
            observation="x<|eot_id|>",
            loss=Loss(observation=0),
        ),
        Step(number=3, action=Action(content="eh", problem="p"), role="user", observation="no call", refused=True),
        Step(number=4, action=Action(content="eh", problem="p"), role="user", observation="again", loss=Loss(observation=0)),
        Step(number=5, action=Action(content="Done.")),
    )
    header = Header(episode=name, task=task, policy={"name": "p"}, system="rules", prompt="fix it")
    return Trajectory(header, steps, Result(ending=Ending.SUBMITTED))


def write(folder: Path, trajectory: Trajectory, *, finish: bool = True) -> None:
    journal = Journal.claim(folder, trajectory.header.episode)
    assert journal is not None
    with journal:
        journal.begin(trajectory.header)
        for step in trajectory.steps:
            journal.append(step)
        if finish and trajectory.result:
            journal.finish(trajectory.result)


def learnt(trajectory: Trajectory, **options: bool) -> list[tuple[str, str]]:
    """Texts that are learnt, each with its kind."""
    parts = [part for message in conversation_of(trajectory) for part in message_parts(message, **options)]
    return [(kind.name, text) for text, kind in parts if kind is not Kind.PROMPT and isinstance(text, str) and len(text) > 1]


def test_actions_and_drawn_observations_are_learnt() -> None:
    assert [found for found in learnt(episode()) if not found[1].startswith("<|")] == [
        ("ACTION", "I look.\n\n<tool: bash>\nls\n</tool>"),
        ("OBSERVATION", "a.py"),
        ("ACTION", "hm"),
        ("ACTION", "<tool: bash>\ncat a.py\n</tool>"),
        ("ACTION", "eh"),
        ("OBSERVATION", "no call"),
        ("ACTION", "eh"),
        ("ACTION", "Done."),
    ]
    assert not any(kind == "OBSERVATION" for kind, _ in learnt(episode(), observations=False))


def test_a_run_its_folder_and_its_export_give_the_same_tokens(tmp_path: Path) -> None:
    run = Run.begin(tmp_path / "run", [], images={}, worlds=tmp_path / "worlds")
    write(run.episodes, episode())
    write(run.episodes, episode("t-2.p.0", "t-2"))
    write(run.episodes, episode("t-3.p.0", "t-3"), finish=False)
    [unit] = find_units([run.folder])
    assert (unit.material, unit.form, len(unit.files)) == ("chat", "episodes", 2)
    record = pack(job(tmp_path / "a", run.folder), TOKENIZER)
    assert (record.documents, dict(record.dropped)) == (2, {})
    assert record.kinds["observation"] > 0
    assert record.kinds["action"] > record.kinds["observation"]
    pack(job(tmp_path / "b", run.episodes), TOKENIZER)
    export(run.trajectories(), "chat", tmp_path / "chats")
    pack(job(tmp_path / "c", tmp_path / "chats"), TOKENIZER)
    whole = documents(tmp_path / "a" / "shards")
    assert len(whole) == 2
    assert documents(tmp_path / "b" / "shards") == whole
    assert documents(tmp_path / "c" / "shards") == whole


def test_tokens_of_a_masked_observation_are_given(tmp_path: Path) -> None:
    document = render_chat(TOKENIZER, conversation_of(episode()))
    assert document is not None
    text = "".join(str(part) for part in TOKENIZER.decode(document.tokens[document.kinds == Kind.OBSERVATION].tolist()))
    assert "a.py" in text
    assert "no call" in text
    assert "again" not in text
    ends = document.tokens == TOKENIZER.id_of(ChatToken.END_OF_TURN)
    assert np.count_nonzero(ends) == 2 + 5 + 4  # what was read as `<|eot_id|>` in a file is none


def test_episodes_of_a_task_are_held_out_together(tmp_path: Path) -> None:
    for seed in range(6):
        for task in range(8):
            write(tmp_path / "run", episode(f"t-{task}.p.{seed}", f"t-{task}"))
    record = pack(job(tmp_path, tmp_path / "run", validation=0.5), TOKENIZER)
    assert record.held_out_documents % 6 == 0
    assert 0 < record.held_out_documents < 48


def test_what_cannot_be_told_is_counted(tmp_path: Path) -> None:
    odd = episode("t-2.p.0", "t-2")
    spelt = Action.call("bash", "echo '</tool>'")  # which text cannot spell
    write(
        tmp_path / "run",
        Trajectory(odd.header, (Step(number=1, action=spelt, role="tool: bash", observation="x"),), odd.result),
    )
    write(tmp_path / "run", episode())
    (tmp_path / "run" / "t-4.p.0.jsonl").write_bytes((tmp_path / "run" / "t-1.p.0.jsonl").read_bytes()[:-40])
    record = pack(job(tmp_path, tmp_path / "run"), TOKENIZER)
    assert (record.documents, dict(record.dropped)) == (1, {"trajectory that cannot be told": 2})


def test_nothing_is_learnt_of_a_benchmarks_repositories(tmp_path: Path) -> None:
    """Whether it is read from a run, from an export, or from a table of chats."""
    fork = episode("t-2.p.0", "t-2")
    fork = replace(fork, header=replace(fork.header, repo="someone/Django"))
    for each in (episode(), fork):
        write(tmp_path / "run", each)
    export([episode(), fork], "chat", tmp_path / "chats")
    rows = [json.loads(line) for line in (tmp_path / "chats" / "chat.jsonl").read_text().splitlines()]
    keys = ("role", "content", "name", "loss", "thinking")
    plain = [row | {"messages": [{key: m.get(key) for key in keys} for m in row["messages"]]} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(plain), tmp_path / "chats.parquet")
    for number, source in enumerate(("run", "chats", "chats.parquet")):
        record = pack(job(tmp_path / str(number), tmp_path / source), TOKENIZER)
        assert (record.documents, dict(record.dropped)) == (1, {"of a benchmark's repository": 1}), source
        assert "someone/Django is django/django of SWE-bench" in record.examples[0]


def test_an_episode_that_is_not_over_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is not finished"):
        conversation_of(Trajectory(episode().header, episode().steps))
    write(tmp_path / "run", episode(), finish=False)
    with pytest.raises(UsageError, match="nothing to pack"):
        find_units([tmp_path / "run"])


def test_loss_of_a_message_is_0_or_1() -> None:
    chat = {
        "messages": [{"role": "user", "content": "x", "loss": 0}, {"role": "tool", "name": "b", "content": "y", "loss": 1}]
    }
    assert conversation(chat) == (Message("user", "x", learnt=False), Message("tool", "y", "b", learnt=True))
    chat["messages"][0]["loss"] = 2  # type: ignore[index]
    with pytest.raises(FormatError, match="message 1: its 'loss' is 2, wanted 0 or 1"):
        conversation(chat)
