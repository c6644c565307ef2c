"""What all formats ask of a trajectory."""

from datetime import UTC, datetime
from typing import Any

from foretrace.errors import FormatError
from foretrace.forager.edits import read_edit
from foretrace.forager.format import Call, read_call
from foretrace.forager.trajectory import Action, Result, Trajectory


def result_of(trajectory: Trajectory) -> Result:
    """The result.

    Raises:
        FormatError: the episode is not over: there is nothing to hand on yet.

    """
    if trajectory.result is None:
        raise FormatError(f"the episode {trajectory.header.episode} is not finished")
    return trajectory.result


def model_of(trajectory: Trajectory) -> str:
    """Who acted: the model, or the policy if there is none."""
    return str(trajectory.header.policy.get("model") or trajectory.header.policy["name"])


def uses_model(trajectory: Trajectory) -> bool:
    """Whether a model on a server acted."""
    return bool(trajectory.header.policy.get("model"))


def calls_functions(trajectory: Trajectory) -> bool:
    """Whether tools were called as functions, and described apart from the messages."""
    return trajectory.header.policy.get("style") == "functions"


def resolved_of(trajectory: Trajectory) -> bool | None:
    """Whether the task is solved; None as long as nobody has said so."""
    grade = result_of(trajectory).grade
    verdict = grade.get("verdict") if grade else None
    return None if verdict in (None, "broken") else verdict == "resolved"


def arguments_of(action: Action) -> dict[str, str]:
    """The parameters of a call, as of a function: see `tools.functions`."""
    path, _, rest = action.argument.partition("\n")
    match action.tool:
        case "bash":
            return {"command": action.argument}
        case "submit":
            return {"path": action.argument.strip()}
        case "create":
            return {"path": path, "content": rest}
        case "view":
            first, _, last = rest.strip().partition(" ")
            return {"path": path} | ({"first": first} if first else {}) | ({"last": last} if last else {})
        case "edit":
            try:
                path, choices = read_edit(action.argument)
            except FormatError:  # which the tool has said, too
                return {"argument": action.argument}
            return {"path": path, "search": "\n".join(choices[-1][0]), "replacement": "\n".join(choices[-1][1])}
    return {"argument": action.argument}


def check_spelling(trajectory: Trajectory) -> None:
    """Makes sure that all calls can be read from the messages.

    Raises:
        FormatError: one cannot be.

    """
    for step in trajectory.steps:
        if step.role.startswith("tool: ") and read_call(step.action.content) != Call(step.action.tool, step.action.argument):
            raise FormatError(f"the call in step {step.number} cannot be written as text, for it spells a tag of calls")


def call_id(number: int) -> str:
    """The name of the call in a step."""
    return f"call_{number}"


def timestamp(seconds: float) -> str:
    """A time since 1970 as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def totals(trajectory: Trajectory) -> dict[str, Any]:
    """Tokens of all requests together; a conversation is sent again with each."""
    usages = [step.action.usage for step in trajectory.steps]
    return {"prompt": sum(u.prompt_tokens for u in usages), "completion": sum(u.completion_tokens for u in usages)}
