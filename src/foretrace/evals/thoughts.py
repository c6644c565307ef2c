"""What a model thinks is no answer.

    after_thought("<think>12? No.</think> It is 13.")      # " It is 13."
    after_thought("<think>12? No, it is")                  # None: it was cut before there was an answer

One that thinks says so between `<think>` and `</think>`; a server or a chat template may keep the first of them to itself.
"""

from foretrace.forager.format import THINK, UNTHINK


def after_thought(text: str) -> str | None:
    """What stands behind the last thought; None if a thought has no end."""
    answer = text.rpartition(UNTHINK)[2]
    return None if THINK.strip() in answer else answer
