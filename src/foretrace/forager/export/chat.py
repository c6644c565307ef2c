"""Chats for training: the usual `messages`, each with what is learnt of it, and what the episode came to.

{"instance_id": …, "repo": …, "license": …, "messages": [{"role": …, "content": …, "loss": 1}, …], "resolved": true, …}

If tools were called as functions, the messages have `tool_calls`, and the row has `tools`; else the calls stand in the text.
"""

import json
from typing import Any

from foretrace.forager.export.facts import (
    arguments_of,
    call_id,
    calls_functions,
    check_spelling,
    model_of,
    resolved_of,
    result_of,
)
from foretrace.forager.tools import functions
from foretrace.forager.trajectory import Step, Trajectory


def chat_row(trajectory: Trajectory) -> dict[str, Any]:
    """The row of an episode."""
    header, result = trajectory.header, result_of(trajectory)
    row: dict[str, Any] = {
        "trajectory_id": header.episode,
        "instance_id": header.task,
        "repo": header.repo,
        "license": header.licence,
        "model": model_of(trajectory),
        "messages": messages_of(trajectory),
        "resolved": resolved_of(trajectory),
        "exit_status": str(result.ending),
        "patch": result.submission,
    }
    return row | ({"tools": functions()} if calls_functions(trajectory) else {})


def messages_of(trajectory: Trajectory) -> list[dict[str, Any]]:
    """The messages, each with a `loss` of 0 or 1.

    Raises:
        FormatError: calls stand in the text, and it cannot spell one of them.

    """
    messages: list[dict[str, Any]] = [dict(message) for message in trajectory.messages()]
    losses = [0, 0]
    for step in trajectory.steps:
        losses += [step.loss.action, *([step.loss.observation] if step.role else [])]
    if calls_functions(trajectory):
        messages = messages[:2]
        for step in trajectory.steps:
            messages += _function_turn(step)
    else:
        check_spelling(trajectory)
    return [message | {"loss": loss} for message, loss in zip(messages, losses, strict=True)]


def _function_turn(step: Step) -> list[dict[str, Any]]:
    action = step.action
    said: dict[str, Any] = {"role": "assistant", "content": action.text}
    if action.thought:
        said["thinking"] = action.thought
    answer: dict[str, Any] = {"role": step.role.partition(":")[0], "content": step.observation}
    if step.role.startswith("tool: "):
        arguments = json.dumps(arguments_of(action), ensure_ascii=False)
        function = {"name": action.tool, "arguments": arguments}
        said["tool_calls"] = [{"id": call_id(step.number), "type": "function", "function": function}]
        answer |= {"name": action.tool, "tool_call_id": call_id(step.number)}
    else:
        said["content"] = action.content
    return [said, *([answer] if step.role else [])]
