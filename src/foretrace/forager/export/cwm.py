"""Transcripts in the text form of CWM's release, for whoever has its tokenizer.

    {"trajectory_id": …, "instance_id": …, "text": "<|begin_of_text|><|start_header_id|>system…", "resolved": true, …}

For our own training `data` makes tokens of the messages, so that no text can spell a special one.
"""

from typing import Any

from foretrace.forager.export.facts import check_spelling, resolved_of, result_of
from foretrace.forager.format import THINK, UNTHINK, Message, render_transcript
from foretrace.forager.trajectory import Trajectory


def transcript_row(trajectory: Trajectory) -> dict[str, Any]:
    """The row of an episode.

    Raises:
        FormatError: something in it spells a special token, or the episode is not finished.

    """
    result = result_of(trajectory)
    row = {"trajectory_id": trajectory.header.episode, "instance_id": trajectory.header.task}
    return row | {"text": transcript(trajectory), "resolved": resolved_of(trajectory), "exit_status": str(result.ending)}


def transcript(trajectory: Trajectory) -> str:
    """An episode as one text.

    Raises:
        FormatError: something in it spells a special token, or text cannot spell one of its calls.

    """
    check_spelling(trajectory)
    messages = []
    for message in trajectory.messages():
        role = f"tool: {message['name']}" if "name" in message else message["role"]
        thought = f"{THINK}{message['thinking']}\n{UNTHINK}\n" if "thinking" in message else ""
        messages.append(Message(role, thought + message["content"]))
    return render_transcript(messages)
