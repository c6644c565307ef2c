"""Harbor's Agent Trajectory Interchange Format (its RFC 0001), version 1.8.

A step of an agent holds its message, its call and what came back. A step that no model made has a count of 0 calls of
models, and then neither metrics nor thoughts: those go into `extra`.
"""

from typing import Any

import foretrace
from foretrace.forager.export.facts import (
    arguments_of,
    call_id,
    calls_functions,
    model_of,
    resolved_of,
    result_of,
    timestamp,
    totals,
    uses_model,
)
from foretrace.forager.tools import functions
from foretrace.forager.trajectory import Step, Trajectory

VERSION = "ATIF-v1.8"


def atif(trajectory: Trajectory) -> dict[str, Any]:
    """An episode in this format."""
    header, result = trajectory.header, result_of(trajectory)
    has_model, has_functions = uses_model(trajectory), calls_functions(trajectory)
    agent: dict[str, Any] = {"name": "foretrace", "version": foretrace.__version__, "tool_definitions": functions()}
    if has_model:
        agent["model_name"] = model_of(trajectory)
    first = [
        {"step_id": 1, "timestamp": timestamp(header.began), "source": "system", "message": header.system},
        {"step_id": 2, "timestamp": timestamp(header.began), "source": "user", "message": header.prompt},
    ]
    steps = [_step(step, has_model=has_model, has_functions=has_functions) for step in trajectory.steps]
    counts = totals(trajectory)
    return {
        "schema_version": VERSION,
        "session_id": header.episode,
        "trajectory_id": header.episode,
        "agent": agent | {"extra": {"policy": dict(header.policy)}},
        "steps": [*first, *steps],
        "final_metrics": {
            "total_prompt_tokens": counts["prompt"],
            "total_completion_tokens": counts["completion"],
            "total_cost_usd": result.cost,
            "total_steps": len(steps) + 2,
        },
        "extra": {
            "task": header.task,
            "repo": header.repo,
            "license": header.licence,
            "image": header.image,
            "seed": header.seed,
            "ending": str(result.ending),
            "submission": result.submission,
            "resolved": resolved_of(trajectory),
        },
    }


def _step(step: Step, *, has_model: bool, has_functions: bool) -> dict[str, Any]:
    action, usage = step.action, step.action.usage
    extra = {"code": step.code, "ok": step.ok, "status": step.status, "state": step.state, "loss": step.loss.observation}
    found: dict[str, Any] = {
        "step_id": step.number + 2,
        "timestamp": timestamp(step.began),
        "source": "agent",
        "message": action.text if has_functions and action.tool else action.content,
        "llm_call_count": int(has_model),
    }
    if has_model:
        tokens = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
        found["metrics"] = tokens | {"cost_usd": usage.cost}
    if action.thought:
        (found if has_model else extra)["reasoning_content"] = action.thought
    if step.role.startswith("tool: "):
        call = {"tool_call_id": call_id(step.number), "function_name": action.tool, "arguments": arguments_of(action)}
        found["tool_calls"] = [call]
        found["observation"] = {"results": [{"source_call_id": call_id(step.number), "content": step.observation}]}
    elif step.role:
        found["observation"] = {"results": [{"content": step.observation}]}
    return found | {"extra": extra}
