"""What SWE-agent and mini-swe-agent write: `.traj` (SWE-agent 1.1), `.traj.json` (`mini-swe-agent-1.1`), and predictions.

Their tools read the files; what they keep beside it and we do not know, such as the state of an editor, is empty.
"""

from dataclasses import asdict
from typing import Any

from foretrace.forager.export.chat import messages_of
from foretrace.forager.export.facts import arguments_of, calls_functions, model_of, result_of, timestamp, totals, uses_model
from foretrace.forager.trajectory import Ending, Step, Trajectory

_EXITS = {
    Ending.SUBMITTED: ("submitted", "Submitted"),
    Ending.GAVE_UP: ("exit_forfeit", "GaveUp"),
    Ending.TURNS: ("exit_cost", "LimitsExceeded"),
    Ending.TOKENS: ("exit_context", "LimitsExceeded"),
    Ending.SECONDS: ("exit_total_execution_time", "LimitsExceeded"),
    Ending.COST: ("exit_cost", "LimitsExceeded"),
    Ending.FORMAT: ("exit_format", "FormatError"),
}
"""How an episode ended, in the words of either."""


def prediction(trajectory: Trajectory) -> dict[str, str]:
    """The row that SWE-bench's harness grades."""
    patch = result_of(trajectory).submission
    return {"instance_id": trajectory.header.task, "model_name_or_path": model_of(trajectory), "model_patch": patch}


def swe_agent(trajectory: Trajectory) -> dict[str, Any]:
    """A `.traj`. The messages that the model was shown stand at the first step; later ones follow from it and the steps."""
    header, result = trajectory.header, result_of(trajectory)
    counts = totals(trajectory)
    query = [{"role": "system", "content": header.system}, {"role": "user", "content": header.prompt}]
    return {
        "trajectory": [_traj_step(step, query if step.number == 1 else []) for step in trajectory.steps],
        "history": [
            {"agent": "main", "message_type": "system_prompt", **query[0]},
            {"agent": "main", "message_type": "observation", **query[1]},
            *(item for step in trajectory.steps for item in _traj_history(step)),
        ],
        "info": {
            "exit_status": _EXITS[result.ending][0],
            "submission": result.submission or None,
            "model_stats": {
                "instance_cost": result.cost,
                "tokens_sent": counts["prompt"],
                "tokens_received": counts["completion"],
                "api_calls": len(trajectory.steps) if uses_model(trajectory) else 0,
            },
        },
        "environment": header.task,
        "replay_config": None,
    }


def _traj_step(step: Step, query: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "action": _command(step),
        "observation": step.observation,
        "response": step.action.content,
        "thought": step.action.text,
        "execution_time": step.seconds,
        "state": {},
        "query": query,
        "extra_info": {"thinking": step.action.thought} if step.action.thought else {},
    }


def _traj_history(step: Step) -> list[dict[str, Any]]:
    action = {"role": "assistant", "content": step.action.content, "thought": step.action.text, "action": _command(step)}
    found: list[dict[str, Any]] = [{"agent": "main", "message_type": "action", **action}]
    if step.role:
        observed = {"role": step.role.partition(":")[0], "content": step.observation}
        found.append({"agent": "main", "message_type": "observation", **observed})
    return found


def _command(step: Step) -> str:
    """What was run, as it would be typed: a command as it is, another tool by its name before its argument."""
    action = step.action
    return action.argument if action.tool in ("bash", "") else f"{action.tool} {action.argument}"


def mini_swe_agent(trajectory: Trajectory) -> dict[str, Any]:
    """A `.traj.json`. Its last message is no turn: that format keeps the end of an episode there."""
    header, result = trajectory.header, result_of(trajectory)
    exit_status = _EXITS[result.ending][1]
    end = {"exit_status": exit_status, "submission": result.submission}
    return {
        "info": {
            "model_stats": {
                "instance_cost": result.cost,
                "api_calls": len(trajectory.steps) if uses_model(trajectory) else 0,
            },
            "config": {
                "agent": dict(header.budgets),
                "agent_type": "foretrace.forager.agent.Agent",
                "model": dict(header.policy),
                "model_type": f"foretrace.forager.policies.{header.policy['name']}",
                "environment": dict(header.environment),
                "environment_type": f"foretrace.sandbox.environments.{header.environment.get('backend', '')}",
            },
            "mini_version": "",
            "foretrace": dict(header.versions),
            **end,
        },
        "messages": [*_mini_messages(trajectory), {"role": "exit", "content": result.submission, "extra": end}],
        "trajectory_format": "mini-swe-agent-1.1",
    }


def _mini_messages(trajectory: Trajectory) -> list[dict[str, Any]]:
    messages = iter(messages_of(trajectory))
    found = [_without_loss(next(messages)), _without_loss(next(messages))]
    for step in trajectory.steps:
        action = {"tool": step.action.tool, **arguments_of(step.action)} if step.role.startswith("tool: ") else None
        extra = {"actions": [action] if action else [], "cost": step.action.usage.cost, "timestamp": step.began}
        found.append(_without_loss(next(messages)) | {"extra": extra | {"usage": asdict(step.action.usage)}})
        if step.role:
            seen = {"returncode": step.code, "timestamp": timestamp(step.began), "raw_output": step.observation}
            message = _without_loss(next(messages))
            if not calls_functions(trajectory):
                message["role"] = "user"  # without functions, that agent is answered by the user
                message.pop("name", None)
            found.append(message | {"extra": seen})
    return found


def _without_loss(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "loss"}
