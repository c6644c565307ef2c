"""Trajectories in the formats of others: nothing is lost that they can hold, and nothing is made up."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from foretrace.errors import FormatError, UsageError
from foretrace.forager.export import FORMATS, export
from foretrace.forager.export.atif import atif
from foretrace.forager.export.chat import chat_row
from foretrace.forager.export.cwm import transcript
from foretrace.forager.export.facts import arguments_of
from foretrace.forager.export.swe_agent import mini_swe_agent, prediction, swe_agent
from foretrace.forager.format import parse_transcript
from foretrace.forager.tools import TOOLS
from foretrace.forager.trajectory import Action, Ending, FileChange, Header, Loss, Result, Step, Trajectory, Usage

EDIT = TOOLS["edit"].compose(path="a.py", search="x = 1", replacement="x = 2\ny = 3")
PATCH = "diff --git a/a.py b/a.py\n\udcff\n"


def episode(*, model: bool = True, style: str = "text") -> Trajectory:
    """One that has everything: a thought, a refusal, an edit, a submission, a last word."""
    usage = Usage(prompt_tokens=10, completion_tokens=3, cost=0.5, seconds=1.0) if model else Usage()
    settings = {"name": "chat", "model": "m", "style": style} if model else {"name": "search"}
    steps = [
        Step(number=1, action=Action.call("bash", "ls\nls -a", "I look.", thought="hm", usage=usage), role="tool: bash"),
        Step(number=2, action=Action(content="eh", problem="no", usage=usage), role="user", refused=True, ok=False),
        Step(number=3, action=Action.call("edit", EDIT, usage=usage), role="tool: edit"),
        Step(number=4, action=Action.call("view", "a.py\n1 2", usage=usage), role="tool: view"),
        Step(number=5, action=Action.call("submit", "p", usage=usage), role="tool: submit", submission=PATCH),
        Step(number=6, action=Action(content="Done é\u2028.", usage=usage)),
    ]
    steps[2] = replace(steps[2], changes=(FileChange(path="/a.py", kind="changed", patch=PATCH),))
    steps = [
        replace(s, observation=f"seen {s.number}" if s.role else "", loss=Loss(observation=s.number % 2)) for s in steps
    ]
    header = Header(
        episode="e.1", task="t-1", policy=settings, system="sys", prompt="fix", repo="r/r", licence="MIT", began=1.0
    )
    result = Result(ending=Ending.SUBMITTED, submission=PATCH, cost=3.0, turns=6, grade={"verdict": "resolved"})
    return Trajectory(header, tuple(steps), result)


def test_all_formats_are_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    others = [replace(episode().header, episode=f"e.{n}") for n in range(2, 4)]
    found = [episode(), *(Trajectory(header, episode().steps, episode().result) for header in others)]
    unfinished = replace(found[0], result=None)
    for form in FORMATS:
        report = export([*found, unfinished], form, tmp_path / form)
        assert (report.written, report.left_out) == (3, [("e.1", "the episode e.1 is not finished")]), form
        names = sorted(path.name for path in (tmp_path / form).iterdir())
        assert len(names) == (3 if form in ("swe-agent", "mini-swe-agent", "atif") else 1), names
        for path in (tmp_path / form).iterdir():
            if path.suffix != ".parquet":
                texts = path.read_text().split("\n") if path.suffix == ".jsonl" else [path.read_text()]
                assert all(json.loads(text) for text in texts if text)
    with pytest.raises(UsageError, match="there are: chat, cwm, predictions"):
        export(found, "xml", tmp_path)


def test_a_chat_says_what_is_learnt() -> None:
    row = chat_row(episode())
    assert [(m["role"], m["content"], m["loss"]) for m in row["messages"]] == [
        ("system", "sys", 0),
        ("user", "fix", 0),
        ("assistant", "I look.\n\n<tool: bash>\nls\nls -a\n</tool>", 1),
        ("tool", "seen 1", 1),
        ("assistant", "eh", 1),
        ("user", "seen 2", 0),
        ("assistant", f"<tool: edit>\n{EDIT}\n</tool>", 1),
        ("tool", "seen 3", 1),
        ("assistant", "<tool: view>\na.py\n1 2\n</tool>", 1),
        ("tool", "seen 4", 0),
        ("assistant", "<tool: submit>\np\n</tool>", 1),
        ("tool", "seen 5", 1),
        ("assistant", "Done é\u2028.", 1),
    ]
    assert (row["messages"][2]["thinking"], row["messages"][3]["name"]) == ("hm", "bash")
    assert (row["resolved"], row["exit_status"], row["license"], row["patch"]) == (True, "submitted", "MIT", PATCH)
    assert "tools" not in row
    broken = replace(episode().result or Result(ending=Ending.COST), grade={"verdict": "broken"})
    assert chat_row(replace(episode(), result=broken))["resolved"] is None


def test_a_chat_with_functions_calls_them() -> None:
    row = chat_row(episode(style="functions"))
    said, answer = row["messages"][6], row["messages"][7]
    (call,) = said["tool_calls"]
    assert call["function"]["name"] == "edit"
    assert json.loads(call["function"]["arguments"]) == {"path": "a.py", "search": "x = 1", "replacement": "x = 2\ny = 3"}
    assert (answer["tool_call_id"], answer["role"], said["content"]) == (call["id"], "tool", "")
    assert row["messages"][4] == {"role": "assistant", "content": "eh", "loss": 1}
    assert [m["loss"] for m in row["messages"]] == [m["loss"] for m in chat_row(episode())["messages"]]
    assert [tool["function"]["name"] for tool in row["tools"]] == list(TOOLS)


def test_the_parameters_of_a_call_are_those_it_was_made_of() -> None:
    calls: list[tuple[str, dict[str, str]]] = [
        ("bash", {"command": "a\nb"}),
        ("view", {"path": "a", "first": "3", "last": "4"}),
        ("view", {"path": "a"}),
        ("create", {"path": "a", "content": "x\n\ny\n"}),
        ("edit", {"path": "a", "search": "x\n  y", "replacement": ""}),
        ("edit", {"path": "a", "search": "x", "replacement": "y\nz"}),
        ("submit", {"path": "a"}),
    ]
    for name, parameters in calls:
        assert arguments_of(Action.call(name, TOOLS[name].compose(**parameters))) == parameters
    assert arguments_of(Action.call("edit", "nonsense")) == {"argument": "nonsense"}


def test_a_transcript_is_that_of_the_release() -> None:
    messages = parse_transcript(transcript(episode()))
    assert [message.role for message in messages][2:6] == ["assistant", "tool: bash", "assistant", "user"]
    assert messages[2].content == "<think>\nhm\n</think>\nI look.\n\n<tool: bash>\nls\nls -a\n</tool>"
    spelt = replace(episode().steps[0], observation="a <|eot_id|> b")
    with pytest.raises(FormatError, match="spells the special token"):
        transcript(replace(episode(), steps=(spelt,)))


def test_what_text_cannot_spell_is_left_out_of_texts_only(tmp_path: Path) -> None:
    step = replace(episode().steps[0], action=Action.call("bash", "echo '</tool>'", "I try."))
    found = replace(episode(), steps=(step,))
    for form in ("chat", "cwm"):
        report = export([found], form, tmp_path)
        assert report.written == 0
        assert "step 1 cannot be written as text" in report.left_out[0][1]
    assert atif(found)["steps"][2]["tool_calls"][0]["arguments"] == {"command": "echo '</tool>'"}
    functions = replace(found, header=episode(style="functions").header)
    assert "</tool>" in chat_row(functions)["messages"][2]["tool_calls"][0]["function"]["arguments"]


# ---------------------------------------------------------------------------------------------------
# Formats with a schema

_ATIF = {
    "root": {"schema_version", "session_id", "trajectory_id", "agent", "steps", "notes", "final_metrics", "extra"},
    "agent": {"name", "version", "model_name", "tool_definitions", "extra"},
    "final_metrics": {"total_prompt_tokens", "total_completion_tokens", "total_cost_usd", "total_steps", "extra"},
    "step": {"step_id", "timestamp", "source", "model_name", "message", "reasoning_content", "tool_calls", "observation"}
    | {"metrics", "llm_call_count", "extra"},
    "call": {"tool_call_id", "function_name", "arguments"},
    "result": {"source_call_id", "content"},
    "metrics": {"prompt_tokens", "completion_tokens", "cost_usd"},
}
"""Fields that Harbor 0.25's models have; they forbid others."""


def check_atif(content: dict[str, Any]) -> None:
    """The rules of Harbor's models (`harbor/models/trajectories`)."""
    assert content["schema_version"] == "ATIF-v1.8"
    assert content.keys() <= _ATIF["root"]
    assert content["agent"].keys() <= _ATIF["agent"]
    assert content["final_metrics"].keys() <= _ATIF["final_metrics"]
    assert [step["step_id"] for step in content["steps"]] == list(range(1, len(content["steps"]) + 1))
    assert content["final_metrics"]["total_steps"] == len(content["steps"])
    for step in content["steps"]:
        assert step.keys() <= _ATIF["step"]
        datetime.fromisoformat(step["timestamp"])
        if step["source"] != "agent":
            assert not step.keys() & {"model_name", "reasoning_content", "tool_calls", "metrics"}
        if step.get("llm_call_count") == 0:
            assert not step.keys() & {"metrics", "reasoning_content"}
        assert step.get("metrics", {}).keys() <= _ATIF["metrics"]
        calls = step.get("tool_calls", [])
        assert all(call.keys() == _ATIF["call"] and isinstance(call["arguments"], dict) for call in calls)
        for result in step.get("observation", {}).get("results", []):
            assert result.keys() <= _ATIF["result"]
            assert result.get("source_call_id") in [None, *(call["tool_call_id"] for call in calls)]


@pytest.mark.parametrize("model", [True, False])
@pytest.mark.parametrize("style", ["text", "functions"])
def test_harbor_takes_it(model: bool, style: str) -> None:
    content = atif(episode(model=model, style=style))
    check_atif(content)
    step = content["steps"][2]
    assert step["llm_call_count"] == int(model)
    assert (step["reasoning_content"] if model else step["extra"]["reasoning_content"]) == "hm"
    assert step["observation"]["results"][0]["content"] == "seen 1"
    assert content["steps"][3]["observation"] == {"results": [{"content": "seen 2"}]}
    assert content["final_metrics"]["total_prompt_tokens"] == (60 if model else 0)
    assert content["extra"]["resolved"] is True


def test_swe_agent_takes_it() -> None:
    content = swe_agent(episode())
    fields = {"action", "observation", "response", "state", "thought", "execution_time", "query", "extra_info"}
    assert all(step.keys() == fields for step in content["trajectory"])
    assert [step["action"] for step in content["trajectory"]][:2] == ["ls\nls -a", ""]
    assert content["trajectory"][2]["action"] == f"edit {EDIT}"
    assert content["trajectory"][0]["thought"] == "I look."
    assert [message["role"] for message in content["trajectory"][0]["query"]] == ["system", "user"]
    info = content["info"]
    assert (info["exit_status"], info["submission"], info["model_stats"]["api_calls"]) == ("submitted", PATCH, 6)
    assert [item["message_type"] for item in content["history"]] == ["system_prompt", *["observation", "action"] * 6]


def test_mini_swe_agent_takes_it() -> None:
    content = mini_swe_agent(episode())
    assert content["trajectory_format"] == "mini-swe-agent-1.1"
    assert [m["role"] for m in content["messages"]] == ["system", "user", *["assistant", "user"] * 5, "assistant", "exit"]
    assert content["messages"][2]["extra"]["actions"] == [{"tool": "bash", "command": "ls\nls -a"}]
    assert content["messages"][4]["extra"]["actions"] == []
    assert content["messages"][-1]["extra"] == {"exit_status": "Submitted", "submission": PATCH}
    assert (content["info"]["exit_status"], content["info"]["model_stats"]["api_calls"]) == ("Submitted", 6)
    assert mini_swe_agent(episode(model=False))["info"]["model_stats"]["api_calls"] == 0


def test_swe_bench_takes_it() -> None:
    assert prediction(episode()) == {"instance_id": "t-1", "model_name_or_path": "m", "model_patch": PATCH}


def test_a_table_can_be_queried(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export([episode(), episode(model=False)], "parquet", tmp_path)
    table = parquet.read_table(tmp_path / "trajectories.parquet").to_pylist()
    assert [(row["policy"], row["model"], row["resolved"], len(row["steps"])) for row in table] == [
        ("chat", "m", True, 6),
        ("search", "search", True, 6),
    ]
    step = table[0]["steps"][2]
    assert (step["tool"], step["observation"], step["loss_observation"], step["code"]) == ("edit", "seen 3", 1, None)
    assert step["patch"] == PATCH.replace("\udcff", "\ufffd")
    export([], "parquet", tmp_path / "none")
    assert parquet.read_table(tmp_path / "none/trajectories.parquet").num_rows == 0
