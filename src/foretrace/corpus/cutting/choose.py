"""Which of a function's episodes are kept: as different ones as there are, by the lines that ran, and no two the same."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An episode that could be kept, and where to find it again."""

    test: int
    trace: int
    root: int
    """Number of its call in the trace."""
    depth: int | None
    function: Hashable
    covered: bytes
    """Fingerprint of the lines that ran."""
    content: bytes
    """Fingerprint of all that is in it."""


def without_repetitions(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The first of those that are the same."""
    found: dict[bytes, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.content, candidate)
    return list(found.values())


def choose(candidates: Iterable[Candidate], most: int) -> list[Candidate]:
    """Up to `most` of each function, in their order: first one of each set of lines that ran, then a second of each."""
    groups: dict[Hashable, dict[bytes, list[Candidate]]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.function, {}).setdefault(candidate.covered, []).append(candidate)
    chosen: list[Candidate] = []
    for by_lines in groups.values():
        rounds = max(map(len, by_lines.values()))
        ranked = [group[turn] for turn in range(rounds) for group in by_lines.values() if turn < len(group)]
        chosen += ranked[:most]
    return sorted(chosen, key=lambda c: (c.test, c.trace, c.root))
