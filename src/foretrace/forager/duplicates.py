"""Near duplicates among trajectories, found as CWM's report has it (section 2.3): per repository, by what the agent did.

    for trajectory, alike in without_duplicates(read_trajectories(folder)):
        if alike is None: keep(trajectory)
        else: print(trajectory.header.episode, "is like", alike.episode, alike.similarity)

All actions of an episode, one after the other, are a text. Of two texts whose shingles have a Jaccard similarity of 0.5 or
more, the one that came first stays. MinHash says which pairs to look at; what decides is the exact similarity, since an
estimate from 128 hashes is off by 0.04, and templates bring different tasks close to the bar.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from foretrace.corpus.resemblance import HASHES, shingles, signature, similarity
from foretrace.forager.trajectory import Trajectory

THRESHOLD = 0.5
_SLACK = 0.22
"""Five standard deviations of the estimate at 0.5: one pair in some 10^6 is missed."""


@dataclass(frozen=True, slots=True)
class Alike:
    """The episode that another is like."""

    episode: str
    similarity: float


class _Kept:
    """Episodes of one repository that stay."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sets: list[frozenset[int]] = []
        self.signatures = np.empty((16, HASHES), np.uint32)

    def add(self, name: str, found: frozenset[int], hashes: "np.ndarray[tuple[int, ...], np.dtype[np.uint32]]") -> None:
        if len(self.names) == len(self.signatures):
            self.signatures = np.concatenate([self.signatures, np.empty_like(self.signatures)])
        self.signatures[len(self.names)] = hashes
        self.names.append(name)
        self.sets.append(found)

    def like(
        self, found: frozenset[int], hashes: "np.ndarray[tuple[int, ...], np.dtype[np.uint32]]", threshold: float
    ) -> Alike | None:
        """The first that is as similar as the threshold, or more."""
        estimates = (self.signatures[: len(self.names)] == hashes).mean(axis=1)
        for number in np.flatnonzero(estimates >= threshold - _SLACK):
            exact = similarity(found, self.sets[number])
            if exact >= threshold:
                return Alike(self.names[number], exact)
        return None


def without_duplicates(
    trajectories: Iterable[Trajectory], threshold: float = THRESHOLD
) -> Iterator[tuple[Trajectory, Alike | None]]:
    """Each trajectory, with the one that it is like among those before it that stay.

    Raises:
        UsageError: rensa is missing.

    """
    kept: dict[str, _Kept] = defaultdict(_Kept)
    for trajectory in trajectories:
        texts = shingles(actions_of(trajectory))
        found, hashes = frozenset(map(hash, texts)), signature(texts)
        others = kept[trajectory.header.repo]
        alike = others.like(found, hashes, threshold)
        if alike is None:
            others.add(trajectory.header.episode, found, hashes)
        yield trajectory, alike


def actions_of(trajectory: Trajectory) -> str:
    """All actions of an episode as one text, thoughts left out."""
    return "\n".join(step.action.content for step in trajectory.steps)
