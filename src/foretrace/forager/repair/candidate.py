r"""A repair that can be tried: pieces of text in one file, what is done in words, and how far-fetched it is.

candidate = Candidate(code, (Piece(40, 41, "+"),), "replace `-` by `+`", idea="operators", cost=1.0)
candidate.after                        # the whole file
candidate.segment                      # what has to be compiled anew, if only bodies of functions change
edits(candidate.code.source, candidate.after)      # as lines to search for and lines instead: for the tool edit
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from foretrace.forager.patches import git_lines
from foretrace.forager.repair.code import Code, Function, Piece, splice
from foretrace.trace.syntax import UNREADABLE, parse


@dataclass(frozen=True)
class Candidate:
    """One way to repair a file."""

    code: Code
    pieces: tuple[Piece, ...]
    what: str
    """In words: "replace `-` by `+`"."""
    idea: str
    cost: float
    """How unlikely it is, as a negative logarithm: lower ones are tried first."""

    @cached_property
    def after(self) -> str:
        """The file afterwards."""
        return splice(self.code.source, self.pieces)

    @property
    def line(self) -> int:
        """Of the first change, in the text before."""
        return self.code.line_of(min(self.pieces).start)

    @cached_property
    def segment(self) -> tuple[int, str, str] | None:
        """If nothing but the body of one function differs: that function before and after, in the classes around it, and the
        line at which either text begins; so can it be compiled on its own. None if more differs.

        Raises:
            SyntaxError: it is no Python any more.

        """
        function = self._inside()
        if function is None:
            parse(self.after)
            return None
        lines = function.lines
        start, end = self.code.offset(lines.start), self.code.offset(lines.stop)
        around = _around(function)
        old = self.code.source[start:end]
        new = self.after[start : len(self.after) - (len(self.code.source) - end)]
        tree = parse(around + new)
        if len(tree.body) != 1:
            raise SyntaxError("it ends its block")
        return lines.start - around.count("\n"), around + old, around + new

    def _inside(self) -> Function | None:
        """The outermost function of which nothing but the body differs."""
        start, end = min(self.pieces).start, max(piece.end for piece in self.pieces)
        for each in self.code.functions:
            body = self.code.offset(each.node.body[0].lineno)
            inside = body > self.code.offset(each.node.lineno) and body <= start and end <= self.code.offset(each.lines.stop)
            if inside and each.outer is None:
                return each
        return None

    @property
    def is_python(self) -> bool:
        """Whether it can be compiled."""
        try:
            _ = self.segment
        except UNREADABLE:
            return False
        return True


def _around(function: Function) -> str:
    """Headers of the classes that a function is in, by themselves; of whatever else it is in, one that says nothing."""
    names = function.name.split(".")[:-1]
    column = function.node.col_offset
    headers = [f"class {name}:" for name in names] if column >= len(names) else []
    if column and not headers:
        headers = ["if 1:"]
    return "".join(f"{' ' * depth}{header}\n" for depth, header in enumerate(headers))


def edits(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Lines to search for, which stand at one place only in what is there by then, and lines to put there."""
    old, new = git_lines(before), git_lines(after)
    groups = [op for op in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    now, shift = list(old), 0
    for _, first, last, low, high in groups:
        start, end = first + shift, last + shift
        wide_start, wide_end = _unique(now, start, end)
        search = "".join(now[wide_start:wide_end])
        replacement = "".join([*now[wide_start:start], *new[low:high], *now[end:wide_end]])
        now[start:end] = new[low:high]
        shift += (high - low) - (last - first)
        yield search, replacement


def _unique(lines: list[str], start: int, end: int) -> tuple[int, int]:
    """A span around one that is not empty, does not begin or end with blank lines alone, and stands nowhere else."""
    while True:
        text = lines[start:end]
        if text and any(line.strip() for line in text) and _count(lines, text) == 1:
            return start, end
        if start == 0 and end >= len(lines):
            return start, end
        is_longer_below = end < len(lines) and (start == 0 or (end - start) % 2 == 1)
        start, end = (start, end + 1) if is_longer_below else (start - 1, end)


def _count(lines: list[str], text: list[str]) -> int:
    size = len(text)
    return sum(lines[at : at + size] == text for at in range(len(lines) - size + 1))
