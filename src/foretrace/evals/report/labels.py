"""Names beside dots, where there is room: greedily, the most wanted first; a name that finds none is left out.

place_labels([("tiny", 40, 300, 8, "ours")], marks=[Box.around(40, 300, 6)], room=Box(0, 0, 960, 560))
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_HEIGHT, _CHARACTER = 11.0, 6.1
"""Of the text, about."""
_GAP = 1.5
_CLEAR = 4.0
"""Between a name and the mark of another, so that nobody takes it for that one's."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, radius: float) -> "Box":
        """A square about a point."""
        return cls(x - radius, y - radius, x + radius, y + radius)

    def meets(self, other: "Box") -> bool:
        """Whether they have a point in common."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def grown(self, by: float) -> "Box":
        """One that is larger on all sides."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def has(self, x: float, y: float) -> bool:
        """Whether a point lies within."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def holds(self, other: "Box") -> bool:
        """Whether the other lies within."""
        return (
            self.left <= other.left and other.right <= self.right and self.top <= other.top and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A name and where it is written."""

    words: str
    x: float
    y: float
    anchor: str
    """`start`, `middle` or `end`."""
    kind: str


Wanted = tuple[str, float, float, float, str]
"""Words, the point they belong to, how far from it they are, and their kind."""


def place_labels(wanted: Sequence[Wanted], marks: Sequence[Box], room: Box) -> list[Placed]:
    """Places names so that none touches another, a mark, or the edge of the room."""
    taken, placed, named = list[Box](), list[Placed](), set[tuple[str, float]]()
    for words, x, y, distance, kind in wanted:
        if (words, x) in named:
            continue  # the same model, asked in another way: one name is enough
        for box, label in _candidates(words, x, y, distance, kind):
            others = (mark.grown(0 if mark.has(x, y) else _CLEAR) for mark in marks)
            if room.holds(box) and not any(box.meets(other) for other in (*taken, *others)):
                taken.append(box)
                placed.append(label)
                named.add((words, x))
                break
    return placed


def _candidates(words: str, x: float, y: float, distance: float, kind: str) -> Iterator[tuple[Box, Placed]]:
    """Places about a point: right, left, above, below, then the corners."""
    width = _CHARACTER * len(words) * (1.15 if kind == "ours" else 1.0)
    for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
        at_x = x + across * distance * (1.0 if down == 0 else 0.8)
        at_y = y + down * (distance + _HEIGHT / 2) * (1.0 if across == 0 else 0.8)
        left = at_x - width / 2 if across == 0 else (at_x if across > 0 else at_x - width)
        box = Box(left - _GAP, at_y - _HEIGHT / 2 - _GAP, left + width + _GAP, at_y + _HEIGHT / 2 + _GAP)
        anchor = {1: "start", -1: "end", 0: "middle"}[across]
        yield box, Placed(words, at_x, at_y + 3.7, anchor, kind)
