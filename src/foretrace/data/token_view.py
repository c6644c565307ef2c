"""The tokens of a trace, one by one: exactly what a model reads.

[piece.text for piece in pieces(tokenizer, trace)]
"""

from dataclasses import dataclass

from foretrace.data.printable import printable
from foretrace.data.special import is_special
from foretrace.data.tokenizer import Tokenizer
from foretrace.trace import Trace, to_segments

_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Piece:
    """One token."""

    id: int
    text: str
    """Fit to be seen; a byte that is no character alone is `\\xe2`."""
    special: bool = False


def pieces(tokenizer: Tokenizer, trace: Trace) -> list[Piece]:
    """All tokens of the text of a trace.

    Raises:
        FormatError: the trace cannot be written as text.

    """
    known: dict[int, Piece] = {}
    return [known.get(i) or known.setdefault(i, _piece(tokenizer, i)) for i in tokenizer.encode(to_segments(trace))]


def _piece(tokenizer: Tokenizer, number: int) -> Piece:
    [segment] = tokenizer.decode([number])
    if is_special(segment):
        return Piece(number, segment.value, special=True)
    if _REPLACEMENT in segment:
        return Piece(number, "".join(f"\\x{byte:02x}" for byte in tokenizer.spelling(number)))
    return Piece(number, printable(segment))
