"""Which test runs which lines, and how suspicious that makes them.

    spectrum = read_spectrum(text)                       # of `spectrum_plugin.py`
    spectrum.covered(passing)                            # {"pkg/a.py": {3, 4, 9}}
    spectrum.suspicious(failing)[0]                      # Suspect(path="pkg/a.py", line=4, score=0.71)

The score is Ochiai's: of the tests that run a line, e_f fail and e_p pass; f fail in all: e_f / sqrt(f (e_f + e_p)) (Abreu,
Zoeteweij and van Gemund, "On the accuracy of spectrum-based fault localization", 2007).
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import sqrt

from foretrace.errors import FormatError


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line that failing tests run."""

    path: str
    line: int
    score: float
    """From 0 to 1: run by all failing tests and by no other."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Lines by test and path."""

    lines: Mapping[str, Mapping[str, Collection[int]]]

    def covered(self, tests: Collection[str]) -> dict[str, set[int]]:
        """The lines that some tests run, by path."""
        found: dict[str, set[int]] = {}
        for test in tests:
            for path, lines in self.lines.get(test, {}).items():
                found.setdefault(path, set()).update(lines)
        return found

    def running(self, path: str, lines: Collection[int]) -> list[str]:
        """The tests that run one of these lines, in their order."""
        wanted = set(lines)
        return [test for test, by_path in self.lines.items() if not wanted.isdisjoint(by_path.get(path, ()))]

    def suspicious(self, failing: Collection[str]) -> list[Suspect]:
        """The lines that failing tests run, most suspicious first, then in the order of paths and lines."""
        failed, passed = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
        bad = set(failing).intersection(self.lines)
        for test, by_path in self.lines.items():
            (failed if test in bad else passed).update((path, line) for path, lines in by_path.items() for line in lines)
        scores = {place: count / sqrt(len(bad) * (count + passed[place])) for place, count in failed.items()}
        return [Suspect(*place, scores[place]) for place in sorted(scores, key=lambda place: (-scores[place], place))]


def read_spectrum(text: str) -> Spectrum:
    """What the plugin wrote. A last line that was cut off is left out: the tests were stopped.

    Raises:
        FormatError: a line is not the plugin's.

    """
    found: dict[str, dict[str, list[int]]] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            record = json.loads(line)
            found[str(record["test"])] = {str(path): [int(n) for n in lines] for path, lines in record["lines"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"line {number} of the spectrum is not the plugin's: {error!r}") from error
    return Spectrum(found)
