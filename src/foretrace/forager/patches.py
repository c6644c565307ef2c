r"""Patches as `git apply` takes them, of texts that anybody may have written: their cost is bounded.

    patch_of("a.py", "x = 1\n", "x = 2\n")

What two texts have in common at their beginnings and ends is found first. If what is left is long, it is given as one
change: a patch that is longer than it could be, and right.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal

_CONTEXT = 3
_COMPARED = 400_000
"""Pairs of lines; what is more is not compared. Repeated lines make the comparison cubic."""
_Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


def patch_of(name: str, old: str | None, new: str | None) -> str:
    """The difference of two texts; None: there is no file. Empty if there is none."""
    mode = "new file mode 100644\n" if old is None else "deleted file mode 100644\n" if new is None else ""
    before, after = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    hunks = "".join(_hunks(git_lines(old), git_lines(new)))
    if hunks:
        sides = "/dev/null" if old is None else before, "/dev/null" if new is None else after
        hunks = f"--- {sides[0]}\n+++ {sides[1]}\n{hunks}"
    return f"diff --git {before} {after}\n{mode}{hunks}" if hunks or mode else ""


def _quoted(path: str) -> str:
    """A path as git writes it: in quotes, if it has characters that are not to be printed, or are no ASCII."""
    data = path.encode("utf-8", "surrogateescape")
    text = "".join(map(_escaped, data))
    return path if text == path else f'"{text}"'


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def git_lines(text: str | None) -> list[str]:
    """Lines as git knows them: they end at a line feed, and nowhere else; `str.splitlines` knows ten other ends."""
    if not text:
        return []
    lines = [line + "\n" for line in text.split("\n")]
    return lines[:-1] if text.endswith("\n") else [*lines[:-1], lines[-1][:-1]]


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    for group in _Known(_opcodes(old, new)).get_grouped_opcodes(_CONTEXT) if old != new else ():
        first, last = group[0], group[-1]
        yield f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@\n"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from _marked(" ", old[i:j])
            else:
                yield from _marked("-", old[i:j])
                yield from _marked("+", new[k:m])


class _Known(SequenceMatcher[str]):
    """Groups differences that it is given."""

    def __init__(self, opcodes: list[_Opcode]) -> None:
        super().__init__(None, "", "")
        self._known = opcodes

    def get_opcodes(self) -> list[_Opcode]:
        return self._known


def _opcodes(old: list[str], new: list[str]) -> list[_Opcode]:
    """As `SequenceMatcher.get_opcodes`."""
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    i, j, k, m = start, len(old) - end, start, len(new) - end
    middle: list[_Opcode] = [("replace", i, j, k, m)] if i < j or k < m else []
    if 0 < (j - i) * (m - k) <= _COMPARED:
        found = SequenceMatcher(None, old[i:j], new[k:m], autojunk=False).get_opcodes()
        middle = [(tag, a + i, b + i, c + k, d + k) for tag, a, b, c, d in found]
    head: list[_Opcode] = [("equal", 0, i, 0, k)] if start else []
    tail: list[_Opcode] = [("equal", j, len(old), m, len(new))] if end else []
    return [*head, *middle, *tail]


def _span(start: int, end: int) -> str:
    """Line numbers as a hunk's head has them: those of an empty span are of the line before it."""
    length = end - start
    return f"{start + 1 if length else start}" + ("" if length == 1 else f",{length}")


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
