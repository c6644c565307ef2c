"""A recorded execution told in natural language, and the check that what a text tells is true in the end.

    text = narrate(trace, seed=1)            # ends with: So f('abc', 2) returns ['a', 'b'].
    stated_result(text)                      # "['a', 'b']"
    agrees(text, trace)                      # True

Templates with several phrasings, chosen by the seed: the same trace and seed give the same text. Loops and recursion are
folded, values quoted exactly. See `docs/narration.md`; the idea is that of CWM's natural-language traces
(arXiv:2510.02387, section 2.2).
"""

import random
import zlib

from foretrace.errors import UsageError
from foretrace.record.narration.activations import Visit
from foretrace.record.narration.calls import call_text
from foretrace.record.narration.stated import Stated, same_result, stated
from foretrace.record.narration.story import Story
from foretrace.record.narration.syntax import syntax_of
from foretrace.record.narration.voice import DETAILS, Sentence, Style, Voice, set_as
from foretrace.trace import Outcome, Trace

MAX_CHARACTERS = 3_000
"""Of a narration, its last sentence not counted."""


def narrate(trace: Trace, style: Style | None = None, seed: int = 0, max_characters: int = MAX_CHARACTERS) -> str:
    """Tells `trace`, in full if that fits, else with more and more of it folded.

    Args:
        style: `prose` or `steps` (a sentence a line, by source line); by default the seed chooses.
        seed: chooses among phrasings.
        max_characters: of everything but the last sentence, which quotes the result in full.

    Raises:
        UsageError: the trace has no frames.

    """
    if not trace.frames:
        raise UsageError("there is nothing to narrate: the trace has no frames")
    fingerprint = zlib.crc32(f"{trace.header.source}\0{trace.frames[0].state}".encode("utf-8", "backslashreplace"))
    style = style or ("prose" if random.Random(f"style {seed} {fingerprint}").random() < 0.6 else "steps")
    for detail in DETAILS:
        voice = Voice(random.Random(f"{seed} {fingerprint}"), detail)
        story = Story(trace, voice)
        story.tell()
        text = set_as(style, story.sentences, voice)
        if len(text) <= max_characters:
            break
    else:
        text = set_as(style, _cut(story.sentences, max_characters, len(text)), voice)
    return text + ("\n\n" if style == "prose" else "\n") + last_sentence(trace)


def last_sentence(trace: Trace) -> str:
    """What a narration ends with, such as `So f('abc') returns 3.`: always in this form, to be found again."""
    first, header = trace.frames[0], trace.header
    call = call_text(Visit(first), syntax_of(header.source), 60)
    if header.outcome is Outcome.TRUNCATED:
        why = f" ({header.detail})" if header.detail else ""
        return f"The recording of {call} is cut off here{why}, so its result is not known."
    verb = "raises" if header.outcome is Outcome.RAISED else "yields" if trace.frames[-1].suspended else "returns"
    return f"So {call} {verb} {trace.frames[-1].value}."


def stated_result(text: str) -> str | None:
    """The final value or exception that a narration states, ours or a model's; `None` if it states none."""
    found = stated(text)
    return found.text if found else None


def agrees(text: str, trace: Trace) -> bool:
    """Whether a narration states the result that `trace` really has: the same value and types, or the same exception."""
    found, header = stated(text), trace.header
    if found is None or header.outcome is Outcome.TRUNCATED or not trace.frames:
        return False
    return same_result(found, Stated(trace.frames[-1].value or "", header.outcome is Outcome.RAISED))


def _cut(sentences: list[Sentence], limit: int, length: int) -> list[Sentence]:
    """Leaves out the middle, and says so."""
    keep = max(2, int(len(sentences) * limit / length * 0.8))
    while keep > 2 and sum(len(s.text) + 20 + 2 * s.indent for s in sentences[:keep]) > limit * 0.9:
        keep = int(keep * 0.8)
    head, tail = keep - keep // 3, keep // 3
    gone = len(sentences) - head - tail
    middle = Sentence(f"{gone:,} further sentences, about the steps in between, are left out here", paragraph=True)
    return [*sentences[:head], middle, *sentences[len(sentences) - tail :]]
