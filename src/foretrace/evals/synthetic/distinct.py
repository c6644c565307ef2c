"""Programs that are not like each other, whatever their names.

    distinct = Distinct()
    distinct.add("def f(a): return a + 1")       # True
    distinct.add("def f(b): return b + 2")       # False: the same but for names and constants

Two are alike if their normalised syntax trees are the same, or share more than `MOST_SHARED` of their five-token shingles
(Jaccard): `corpus.decontaminate` and `corpus.resemblance`, which keep training and benchmarks apart, too.
"""

from collections import Counter, defaultdict

from foretrace.corpus.decontaminate import normalised_functions
from foretrace.corpus.resemblance import shingles

MOST_SHARED = 0.5


class Distinct:
    """A set of programs."""

    def __init__(self) -> None:
        self._trees: set[str] = set()
        self._sizes: list[int] = []
        self._with: dict[str, list[int]] = defaultdict(list)
        """Numbers of the programs that have a shingle."""

    def add(self, source: str) -> bool:
        """Adds a program unless it is like one that is there, or too short to tell; whether it was added."""
        trees = normalised_functions(source)
        if not trees or self._trees.intersection(trees):
            return False
        found = shingles(" ".join(trees))
        shared = Counter(number for shingle in found for number in self._with.get(shingle, ()))
        for number, common in shared.items():
            if common > MOST_SHARED * (len(found) + self._sizes[number] - common):
                return False
        for shingle in found:
            self._with[shingle].append(len(self._sizes))
        self._sizes.append(len(found))
        self._trees.update(trees)
        return True
