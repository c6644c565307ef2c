r"""Text of strangers, made fit to be seen: what would steer a terminal or hide code becomes an escape.

printable("a\x1b[2Jb")                                              # 'a\\x1b[2Jb'

Source may hold any character. Control characters move the cursor; bidirectional ones show code in another order than it runs
(CVE-2021-42574); lone surrogates cannot be written at all.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from foretrace.trace import Frame, Trace

_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def printable(text: str) -> str:
    """`text` with escapes for what is not fit to be seen; newlines and tabs stay."""
    return _UNFIT.sub(_escape, text)


def on_one_line(text: str) -> str:
    """The same, newlines and tabs escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable_trace(trace: Trace) -> Trace:
    """A trace whose texts are all printable, to be shown and not to be kept."""
    header = trace.header
    arguments = {printable(name): printable(text) for name, text in header.arguments.items()}
    header = replace(
        header,
        source=printable(header.source),
        entry=printable(header.entry),
        path=printable(header.path),
        detail=printable(header.detail),
        arguments=arguments,
    )
    return Trace(header, tuple(_frames(trace.frames)))


def _frames(frames: Sequence[Frame]) -> list[Frame]:
    return [
        replace(
            frame,
            source=printable(frame.source),
            function=printable(frame.function),
            value=None if frame.value is None else printable(frame.value),
            locals=None if frame.locals is None else {printable(k): printable(v) for k, v in frame.locals.items()},
        )
        for frame in frames
    ]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
