"""The passes of loops that a list of steps can leave out: alike, in a row, and nothing wrong in them.

    outline(session)       # [{'start': 9, 'end': 297, 'line': 3, 'first': 3, 'last': 98, 'passes': 100, 'odd': 1}, …]

The first passes of a loop and its last one stay, so that one sees how it begins and ends; so do those that go otherwise
than most, and those in which the prediction goes wrong. Folds are nested or apart, and come in the order of their starts.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from foretrace.debug import Session
from foretrace.debug.passes import Run

FIRST = 2
"""Passes at the beginning of a loop that are never folded."""
MIN_PASSES = 3
"""Fewer are not worth a fold."""
MAX_FOLDS = 5_000
"""The widest ones are kept."""


def outline(session: Session) -> list[dict[str, Any]]:
    """All folds of the branch that is shown."""
    branch = session.branch
    comparison = session.tree.comparison(branch)
    slips = comparison.slips if comparison else []
    runs = session.tree.passes(branch).between(0, len(branch.timeline))
    folds = [fold for run in runs for fold in _folds(run, slips)]
    folds = sorted(folds, key=lambda fold: fold["start"] - fold["end"])[:MAX_FOLDS]
    return sorted(folds, key=lambda fold: (fold["start"], -fold["end"]))


def _folds(run: Run, slips: Sequence[int]) -> Iterator[dict[str, Any]]:
    first = FIRST + 1
    for number in range(first, run.count + 1):
        stays = number == run.count or run.is_odd(number) or _holds(slips, run.starts[number - 1], run.starts[number])
        if stays and number - first >= MIN_PASSES:
            yield {
                "start": run.starts[first - 1],
                "end": run.starts[number - 1],
                "line": run.loop.head.start,
                "first": first,
                "last": number - 1,
                "passes": run.count,
                "odd": run.odd,
            }
        if stays:
            first = number + 1


def _holds(slips: Sequence[int], start: int, end: int) -> bool:
    """Whether the prediction goes wrong at a step from `start` to before `end`."""
    return bisect_left(slips, end) > bisect_left(slips, start)
