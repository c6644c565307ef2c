r"""The result that a text states, and whether it is the real one.

stated("… So f('abc') returns 3.")        # Stated('3', raised=False)
stated("…\n**Final value:** `3`")         # the same
"""

import ast
import re
from typing import NamedTuple

from foretrace.record.narration.texts import depths, same_value

_MARKED = re.compile(
    r"final[ _](value|output|result|answer|exception)\b[\s*_`\"]*(?::|\bis\b|=)[ \t*_]*(.*)", re.IGNORECASE | re.DOTALL
)
_FENCE = re.compile(r"\s*```[\w+-]*[ \t]*\n?(.*?)\n?[ \t]*```", re.DOTALL)
_VERB = re.compile(r"(returns|yields|raises) ")
_LAST = re.compile(r".*\b(returns|yields|raises|is|value)\b:? `+([^`]+)`+\W*$")
_MAX_CHARACTERS = 200_000


class Stated(NamedTuple):
    """The text of a final value."""

    text: str
    raised: bool
    """It is an exception that leaves the function."""


def stated(text: str) -> Stated | None:
    """The final value that a narration states; the last statement counts."""
    text = text[-_MAX_CHARACTERS:].rstrip()
    lines = text.splitlines()
    if not lines:
        return None
    return _of_sentence(lines[-1].strip()) or _of_mark(text) or _of_last_line(lines[-1].strip())


def _of_sentence(line: str) -> Stated | None:
    """Our own last sentence. Brackets and strings of the call are followed, so that its arguments may hold anything."""
    line = line.strip("*_ ")
    if not line.startswith("So ") or not line.endswith("."):
        return None
    open_at = line.find("(")
    for match in _VERB.finditer(line):
        call = line[3 : match.start()].rstrip()
        if open_at < 0 or open_at > match.start() or _is_call(call):
            return Stated(line[match.end() : -1], match[1] == "raises")
    return None


def _is_call(text: str) -> bool:
    try:
        return text.endswith(")") and depths(text)[-1] == 0
    except ValueError:
        return False


def _of_mark(text: str) -> Stated | None:
    """`Final value: …`, plain, in bold, in backticks or in a fence below it."""
    starts = [
        match.start() for match in re.finditer(r"final[ _](?:value|output|result|answer|exception)\b", text, re.IGNORECASE)
    ]
    for start in reversed(starts):
        if match := _MARKED.match(text, start):
            raised = match[1].lower() == "exception"
            fence = _FENCE.match(match[2])
            found = fence[1] if fence else match[2].partition("\n")[0]
            return _cleaned(found, raised)
    return None


def _of_last_line(line: str) -> Stated | None:
    match = _LAST.match(line)
    return _cleaned(match[2], match[1] == "raises") if match else None


def _cleaned(text: str, raised: bool) -> Stated | None:
    text = text.strip()
    while len(text) > 1 and (text[0] == text[-1] == "`" or (text.startswith("**") and text.endswith("**"))):
        text = text[1:-1].strip("* ")
    text = text.strip("* ")
    if match := re.match(r"(?:it )?raises:? +", text, re.IGNORECASE):
        text, raised = text[match.end() :].strip("` "), True
    if len(text) > 1 and text.endswith((".", "`.")) and not _reads(text):
        text = text[:-1].strip("` ")
    return Stated(text, raised) if text else None


def _reads(text: str) -> bool:
    """Whether it is an expression as it stands: `3.` is a number, `[3].` is not."""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not re.fullmatch(r"-?\d+\.", text)


def same_result(ours: Stated, theirs: Stated) -> bool:
    """Whether two results are the same value or the same exception."""
    if ours.raised != theirs.raised:
        return False
    if not ours.raised:
        return same_value(ours.text, theirs.text)
    (our_type, our_arguments), (their_type, their_arguments) = _exception(ours.text), _exception(theirs.text)
    return our_type == their_type and same_value(our_arguments, their_arguments)


def _exception(text: str) -> tuple[str, str]:
    """Type and arguments, `KeyError` and `('x',)`."""
    name, bracket, rest = text.strip().partition("(")
    if not bracket or not rest.endswith(")"):
        return text.strip(), "()"
    inner = rest[:-1].strip()
    return name, f"({inner},)" if inner else "()"
