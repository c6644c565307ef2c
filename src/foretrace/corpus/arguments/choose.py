"""Which of the attempts are worth recording, best first."""

from collections.abc import Sequence

from foretrace.corpus.arguments.attempts import Attempt

_WANTED_EVENTS = 1_000
_ACCIDENTS = {
    "TypeError",
    "AttributeError",
    "NameError",
    "UnboundLocalError",
    "RecursionError",
    "ImportError",
    "ModuleNotFoundError",
}
"""Exceptions that mostly mean that the arguments were not meant so; kept if the program itself raises them."""


def choose(
    kept: Sequence[Attempt], spare: Sequence[Attempt], lines: frozenset[int], most: int, enough: int
) -> list[Attempt]:
    """At most `most` attempts: successful ones that together run most, others that returned, then as many that raised.

    There is one for each type of exception, and never more of those than of others. `spare` attempts, which ran nothing
    new, fill up to `enough`.
    """
    returned = [one for one in kept if one.outcome == "returned"]
    good = _by_gain([one for one in returned if one.is_non_trivial], lines)
    chosen = good + spare_ones(spare, good, enough) + sorted((x for x in returned if not x.is_non_trivial), key=_rank)
    raising = _raising(kept)
    count = min(len(raising), most // 2, len(chosen))
    return chosen[: most - count] + raising[:count]


def _rank(one: Attempt) -> tuple[bool, int, int]:
    """Many events are better, too many are worse; short texts are better."""
    return one.events >= _WANTED_EVENTS, -min(one.events, 40), len(one.text)


def _by_gain(attempts: list[Attempt], lines: frozenset[int]) -> list[Attempt]:
    """First that which runs most lines of the function, then always that which adds most."""
    left = [(set(one.lines), one) for one in sorted(attempts, key=_rank)]
    found: list[Attempt] = []
    seen: set[int] = set()
    while left:
        best = max(
            range(len(left)), key=lambda i: (left[i][1].events < _WANTED_EVENTS, len((left[i][0] & lines) - seen), -i)
        )
        ran, one = left.pop(best)
        seen |= ran
        found.append(one)
    return found


def spare_ones(spare: Sequence[Attempt], good: Sequence[Attempt], enough: int) -> list[Attempt]:
    """Successful attempts that ran nothing new, as many as are missing."""
    return sorted(spare, key=_rank)[: max(enough - len(good), 0)]


def _raising(kept: Sequence[Attempt]) -> list[Attempt]:
    """One attempt for each type of exception, those that the program raises itself first."""
    found: dict[str, Attempt] = {}
    for one in kept:
        if one.outcome == "raised" and (one.is_explicit or one.kind not in _ACCIDENTS):
            best = found.get(one.kind)
            if best is None or (one.is_explicit, one.events) > (best.is_explicit, best.events):
                found[one.kind] = one
    return sorted(found.values(), key=lambda one: (not one.is_explicit, -one.events, len(one.text)))
