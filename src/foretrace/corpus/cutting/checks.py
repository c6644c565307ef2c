"""What is asked of an episode before it is kept: that its text says what it is, and that its values are those of any run."""

import re
from collections.abc import Sequence

from foretrace.errors import FormatError
from foretrace.trace import Frame, Header, from_segments, from_text

_ADDRESS = re.compile(r" at 0x[0-9a-f]{6}")
"""Of an object, in a text that the program itself made of it."""


def is_readable(text: str, header: Header, frames: Sequence[Frame]) -> bool:
    """Whether a model's reader gets the same frames, but for lines and functions that read alike.

    Where a call between two exceptions is one step, it may not: the wire does not say which of them left the scope.
    """
    try:
        read = from_segments(from_text(text), header)
    except FormatError:
        return False
    return read.header.outcome is header.outcome and [_shown(f) for f in read.frames] == [_shown(f) for f in frames]


def _shown(frame: Frame) -> tuple[object, ...]:
    return frame.event, frame.depth, frame.source, frame.locals, frame.value


def unpredictable(frames: Sequence[Frame], folder: str) -> str:
    """Why values would be others in another run of the tests, if they would."""
    texts = [text for frame in frames for text in (*frame.state.values(), frame.value or "")]
    if folder and any(folder in text for text in texts):
        return "names a file of the sandbox"
    return "shows an address" if any(_ADDRESS.search(text) for text in texts if " at 0x" in text) else ""
