"""Trajectories in files: what is written is read, whatever happens in between, and nothing is there twice."""

import json
import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from foretrace.data.conversations import conversation
from foretrace.errors import FormatError, UsageError
from foretrace.forager.journal import Journal, read_trajectories, read_trajectory, record_grade
from foretrace.forager.trajectory import Action, Ending, FileChange, Header, Loss, Result, Step, Trajectory, Usage, loss_of

HEADER = Header(
    episode="toy.chat.0",
    task="toy",
    policy={"name": "chat", "model": "m", "temperature": None},
    system="You …",
    prompt="Fix it.",
    environment={"backend": "bubblewrap", "gaps": [], "limits": {"processes": 5}},
    tools=("bash", "edit"),
    began=1.5,
)
LOOK = Step(
    number=1,
    action=Action.call(
        "bash", "cat 'é\u2028.py'", "I look.", thought="hm", usage=Usage(prompt_tokens=3, cost=0.25), info={"a": [1, None]}
    ),
    role="tool: bash",
    observation="<output>\n\x00\x1b[1m\n</output>",
    code=1,
    ok=False,
    changes=(FileChange(path="/a", kind="added", digest="00", patch="+x"),),
    submission="diff \udcff\n",
    loss=Loss(observation=0),
)
DONE = Step(number=2, action=Action(content="Done.", ends=True))
RESULT = Result(ending=Ending.SUBMITTED, submission="diff \udcff\n", turns=2, cost=0.25)


def write(folder: Path, steps: tuple[Step, ...] = (LOOK, DONE), result: Result | None = RESULT) -> Path:
    journal = Journal.claim(folder, "toy")
    assert journal is not None
    with journal:
        journal.begin(HEADER)
        for step in steps:
            journal.append(step)
        if result:
            journal.finish(result)
    return folder / ("toy.jsonl" if result else "toy.jsonl.part")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert read_trajectory(path) == Trajectory(HEADER, (LOOK, DONE), RESULT)
    assert list(read_trajectories(tmp_path)) == [read_trajectory(path)]
    for line in path.read_bytes().splitlines():
        content = json.loads(line)
        again = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert again.encode("utf-8", "backslashreplace") == line


def test_an_episode_is_done_once(tmp_path: Path) -> None:
    write(tmp_path)
    assert Journal.claim(tmp_path, "toy") is None
    assert [path.name for path in tmp_path.iterdir()] == ["toy.jsonl"]


def test_one_process_works_at_it(tmp_path: Path) -> None:
    first = Journal.claim(tmp_path, "toy")
    assert first is not None
    assert Journal.claim(tmp_path, "toy") is None
    with first:
        first.begin(HEADER)
    second = Journal.claim(tmp_path, "toy")
    assert second is not None
    with second:
        assert second.trajectory == Trajectory(HEADER)


def test_it_is_taken_up_wherever_it_was_cut(tmp_path: Path) -> None:
    """Cut after each byte, it holds the lines that were whole, and can be finished."""
    part = write(tmp_path, result=None)
    content = part.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for end in range(0, len(content), 29):
        part.write_bytes(content[:end])
        journal = Journal.claim(tmp_path, "toy")
        assert journal is not None
        with journal:
            whole = sum(1 for e in ends if e <= end)
            expected = Trajectory(HEADER, (LOOK, DONE)[: whole - 1]) if whole else None
            assert journal.trajectory == expected
            if expected is None:
                journal.begin(HEADER)
            assert journal.trajectory is not None
            for step in (LOOK, DONE)[len(journal.trajectory.steps) :]:
                journal.append(step)
        assert part.read_bytes() == content


def test_one_that_was_killed_before_its_last_name_gets_it(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.rename(tmp_path / "toy.jsonl.part")
    assert Journal.claim(tmp_path, "toy") is None
    assert read_trajectory(path).result == RESULT


def test_it_can_be_begun_again(tmp_path: Path) -> None:
    write(tmp_path, result=None)
    journal = Journal.claim(tmp_path, "toy")
    assert journal is not None
    with journal:
        journal.begin(replace(HEADER, attempt=2))
        finished = journal.finish(RESULT)
    assert read_trajectory(tmp_path / "toy.jsonl") == finished == Trajectory(replace(HEADER, attempt=2), (), RESULT)


def _work(folder: Path, name: str) -> None:
    journal = Journal.claim(folder, name)
    if journal is None:
        return
    with journal:
        if journal.trajectory is None:
            journal.begin(HEADER)
        assert journal.trajectory is not None
        while len(journal.trajectory.steps) < 20:
            journal.append(replace(LOOK, number=len(journal.trajectory.steps) + 1))
        journal.finish(RESULT)


def test_processes_that_are_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    names = [f"e{n}" for n in range(4)]
    for delay in (0.002, 0.005, 0.01, 0.02, 0.04, None):
        workers = [context.Process(target=_work, args=(tmp_path, name)) for name in names * 2]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(delay)
            if worker.is_alive() and worker.pid:
                os.kill(worker.pid, signal.SIGKILL)
            worker.join()
    found = list(read_trajectories(tmp_path))
    assert len(found) == 4
    assert all([step.number for step in trajectory.steps] == list(range(1, 21)) for trajectory in found)
    assert not list(tmp_path.glob("*.part"))


def test_a_verdict_is_written_once_there_is_one(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert record_grade(path, {"resolved": False}).result == replace(RESULT, grade={"resolved": False})
    record_grade(path, {"resolved": True})
    assert read_trajectory(path) == Trajectory(HEADER, (LOOK, DONE), replace(RESULT, grade={"resolved": True}))
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(UsageError, match="not finished"):
        record_grade(write(tmp_path / "other", result=None), {})


def test_verdicts_may_be_written_at_once(tmp_path: Path) -> None:
    path = write(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: record_grade(path, {"number": number}), range(80)))
    assert [each.result and each.result.grade for each in found] == [{"number": number} for number in range(80)]
    assert read_trajectory(path) in found
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: lines[1:], "line 1: a trajectory is one header"),
        (lambda lines: [lines[0], lines[2]], "line 2: it is step 2, and comes after step 0"),
        (lambda lines: [*lines, lines[3]], "line 5: a trajectory is"),
        (lambda lines: [*lines, b"{oh\n"], "line 5: not JSON"),
        (
            lambda lines: [lines[0].replace(b"trajectory-1", b"trajectory-9")],
            "line 1: its schema is 'foretrace-trajectory-9'",
        ),
        (lambda lines: [lines[0].replace(b'"seed":0', b'"seed":"0"')], r"header.seed is '0', which is not a int"),
        (lambda lines: [lines[0].replace(b'"seed"', b'"need"')], "header has fields that nobody knows: need"),
        (lambda lines: [lines[0], lines[1].replace(b'"number":1,', b"")], "step is not whole"),
        (lambda lines: [lines[0], lines[1].replace(b'"code":1', b'"code":1.5')], "step.code is 1.5"),
        (lambda lines: [*lines[:3], lines[3].replace(b'"submitted"', b'"won"')], "result.ending is 'won'"),
        (lambda lines: [b'{"kind":"note"}\n'], "whose `kind` is one of"),
        (lambda lines: [], "is empty"),
    ],
)
def test_what_is_no_trajectory_is_said(tmp_path: Path, change: object, complaint: str) -> None:
    path = write(tmp_path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))  # type: ignore[operator]
    with pytest.raises(FormatError, match=complaint):
        read_trajectory(path)


def test_an_episode_has_the_name_of_a_file(tmp_path: Path) -> None:
    for name in ("", "a/b", "a b", "é"):
        with pytest.raises(UsageError, match="no file can be named"):
            Journal.claim(tmp_path, name)


# ---------------------------------------------------------------------------------------------------
# What is in them


def test_it_is_a_chat_that_the_data_station_reads() -> None:
    messages = Trajectory(HEADER, (LOOK, DONE)).messages()
    assert [(m["role"], m.get("name")) for m in messages] == [
        ("system", None),
        ("user", None),
        ("assistant", None),
        ("tool", "bash"),
        ("assistant", None),
    ]
    read = conversation({"messages": messages})
    assert [m.content for m in read] == [m["content"] for m in messages]
    assert (read[2].thinking, read[3].tool) == ("hm", "bash")


def test_half_of_the_observations_are_learnt_and_always_the_same_ones() -> None:
    drawn = [loss_of(7, "toy", number) for number in range(1, 2001)]
    assert all(loss.action == 1 for loss in drawn)
    assert 930 < sum(loss.observation for loss in drawn) < 1070
    assert drawn == [loss_of(7, "toy", number) for number in range(1, 2001)]
    assert drawn != [loss_of(8, "toy", number) for number in range(1, 2001)]


def test_an_action_is_read_from_a_message() -> None:
    action = Action.read("<think>\nhm\n</think>\nI look.\n<tool: bash>\nls\n</tool>")
    assert (action.tool, action.argument, action.thought, action.text, action.problem) == ("bash", "ls", "hm", "I look.", "")
    assert action.content == "I look.\n<tool: bash>\nls\n</tool>"
    assert Action.read("Done.") == Action(content="Done.")
    assert "not whole" in Action.read("<tool: bash>\nls").problem
    assert "does not end" in Action.read("<think>\nls").problem


def test_a_call_that_text_cannot_spell_is_made_all_the_same() -> None:
    action = Action.call("bash", "grep '</tool>' a.py", "I look.")
    assert (action.tool, action.argument, action.content) == ("bash", "grep '</tool>' a.py", "I look.")


def test_half_a_character_becomes_a_mark() -> None:
    action = Action.call("bash", "echo \ud83d; echo \ud83d\ude00 é")
    assert action.argument == "echo \ufffd; echo 😀 é"
    assert action.content.encode()
