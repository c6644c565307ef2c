"""A narration written by a model, kept only if the result that it states is the real one.

text = narrate_by_model(trace, lambda prompt: endpoint.complete(prompt).text)
"""

from collections.abc import Callable

from foretrace.record.narrate import agrees, narrate
from foretrace.trace import Outcome, Trace, to_segments, to_text

MAX_TRACE_CHARACTERS = 16_000
"""Of the wire text in a prompt. Longer traces are given as our own, folded narration."""

_INSTRUCTIONS = """\
Explain step by step how this call runs, as a good teacher would, in your own words and in plain text.

- Tell what happens in the order in which it happens, and quote the values that matter exactly as Python's repr writes them.
- Say why: what a condition compares, what an expression works out, what a loop keeps true.
- You may skip iterations of a loop that bring nothing new, if you say so.
- Say only what the trace shows. Do not mention the trace itself: write as if you worked it out from the source.
- {ending}"""
_RETURNED = "The last line must be `Final value: ` followed by the repr of what the call returns."
_RAISED = (
    "The call raises an exception. The last line must be `Final exception: ` followed by its repr, as in `KeyError('x')`."
)


def narrate_by_model(
    trace: Trace, complete: Callable[[str], str], *, seed: int = 0, max_trace_characters: int = MAX_TRACE_CHARACTERS
) -> str | None:
    """What a model tells of `trace`; `None` if it does not end with the real result, or the trace has none.

    Args:
        complete: from a prompt to the model's text.
        seed: of our own narration, which stands for a trace that is too long to be shown.
        max_trace_characters: see there.

    """
    if trace.header.outcome is Outcome.TRUNCATED or not trace.frames:
        return None
    text = complete(narration_prompt(trace, seed=seed, max_trace_characters=max_trace_characters)).strip()
    return text if agrees(text, trace) else None


def narration_prompt(trace: Trace, *, seed: int = 0, max_trace_characters: int = MAX_TRACE_CHARACTERS) -> str:
    """What a model is asked: the source, the arguments, what happened, and how to tell it."""
    header = trace.header
    arguments = "\n".join(f"{name} = {value}" for name, value in header.arguments.items()) or "(none)"
    shown = to_text(to_segments(trace))
    form = "Its trace: before each line the local variables as JSON, `..` for those that have not changed."
    if len(shown) > max_trace_characters:
        shown = narrate(trace, "steps", seed)
        form = "What happened, in short:"
    ending = _RAISED if header.outcome is Outcome.RAISED else _RETURNED
    return (
        f"Here is a Python program.\n\n```python\n{header.source.rstrip()}\n```\n\n"
        f"`{header.entry}` is called with these arguments:\n\n{arguments}\n\n"
        f"{form}\n\n```\n{shown}\n```\n\n{_INSTRUCTIONS.format(ending=ending)}"
    )
