"""Trajectories of agents as chats to learn from: every action, and the observations that were drawn to be learnt.

    messages = conversation_of(read_trajectory(Path("run/trajectories/toolz-7.search.0.jsonl")))
    render_chat(tokenizer, messages, max_tokens=131_072)

What is learnt was drawn when the step was recorded (`forager.trajectory.loss_of`: CWM report, section 2.3), so all exports
and all epochs agree. No turn is added, left out or edited.
"""

from foretrace.data.chat import Message
from foretrace.forager.export.facts import check_spelling, result_of
from foretrace.forager.trajectory import Trajectory


def conversation_of(trajectory: Trajectory) -> tuple[Message, ...]:
    """The messages of an episode that is over.

    Raises:
        FormatError: it is not over, or one of its calls cannot be written as text.

    """
    result_of(trajectory)
    check_spelling(trajectory)
    header = trajectory.header
    messages = [Message("system", header.system, learnt=False), Message("user", header.prompt, learnt=False)]
    for step in trajectory.steps:
        action = step.action
        messages.append(Message("assistant", action.content, thinking=action.thought, learnt=bool(step.loss.action)))
        if step.role:
            learnt, tool = bool(step.loss.observation), step.role.removeprefix("tool: ")
            of_tool = tool != step.role
            messages.append(Message("tool" if of_tool else "user", step.observation, tool if of_tool else "", learnt=learnt))
    return tuple(messages)
