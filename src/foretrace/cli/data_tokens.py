"""Tokens for people: pieces in alternating colours, or with bars between them where there is no colour."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from foretrace.data.token_view import Piece

FIRST, LAST = 1200, 300
"""Tokens shown of a longer trace."""
_STYLES = ("on #dbe7fb #16213a", "on #fbe9cd #3a2a10")
_SPECIAL = "bold white on #7a3fa0"
_BETWEEN = "│"
_NEWLINE = "⏎"


def print_tokens(console: Console, pieces: Sequence[Piece], *, ids: bool = False, whole: bool = False) -> None:
    """All pieces, or the first and the last of many, then how many there are."""
    hidden = 0 if whole else max(len(pieces) - FIRST - LAST, 0)
    lines = _Lines(console.width, console.color_system is not None and not console.no_color)
    for at, piece in enumerate(pieces):
        if hidden and at == FIRST:
            lines.note(f"… {hidden:,} tokens; see all with --all …")
        if not hidden or at < FIRST or at >= FIRST + hidden:
            lines.add(piece, f"‹{piece.id}›" if ids else "")
    lines.text.rstrip()
    console.print(lines.text, soft_wrap=True)
    special = sum(piece.special for piece in pieces)
    characters = sum(len(piece.text) for piece in pieces if not piece.special)
    each = characters / max(len(pieces) - special, 1)
    console.print(Text(f"{len(pieces):,} tokens: {special:,} special, the others of {each:.1f} characters", style="bold"))


class _Lines:
    """Lines of pieces, broken between two of them: a space at the end of a line is a token too."""

    def __init__(self, width: int, has_colour: bool) -> None:
        self.text = Text()
        self._width, self._has_colour = width, has_colour
        self._cells = self._count = 0

    def add(self, piece: Piece, mark: str) -> None:
        """Adds one, with a mark after it."""
        shown = piece.text.replace("\n", _NEWLINE).replace("\t", "→")
        between = "" if self._has_colour else _BETWEEN
        cells = cell_len(shown + mark + between)
        if self._cells and self._cells + cells > self._width:
            self._end()
        style = _SPECIAL if piece.special else _STYLES[self._count % 2] if self._has_colour else ""
        self.text.append(shown, style).append(mark, "dim").append(between, "dim")
        self._cells, self._count = self._cells + cells, self._count + 1
        if piece.text.endswith("\n"):
            self._end()

    def note(self, note: str) -> None:
        """Adds a line of ours."""
        if self._cells:
            self._end()
        self.text.append(note, "dim")
        self._end()

    def _end(self) -> None:
        self.text.append("\n")
        self._cells = 0
