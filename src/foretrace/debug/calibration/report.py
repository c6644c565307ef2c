"""What a calibration was measured to be worth, on programs that it was not fitted on.

    found = measured(table, "logistic", {"raw": …, "logistic": …})
    found.ways["raw"].ece, found.ways[found.way].ece    # before and after
    found.groups["type"]["str"].ece                     # by type, step, depth
    found.groups["dots"]["●○○"].right.text()            # how often what is marked so is right

Intervals come from drawing programs anew (`scores`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from foretrace.debug.calibration.fit import RAW
from foretrace.debug.calibration.maps import MARKS, Floats, mark
from foretrace.debug.calibration.samples import Table
from foretrace.debug.calibration.scores import Estimate, Flags, Point, Scores, curve, measure

_STEPS = {1: "1–2", 3: "3–4", 5: "5–8", 9: "9–16", 17: "17–32", 33: "33+"}
"""Classes of steps, by the first of each; the first that is predicted is 1."""
_DEPTHS = {0: "0", 1: "1", 2: "2+"}
DOMAIN = ("inside", "outside")
"""Whether a program is one of which `Domain.strange_source` says nothing."""
_FEWEST = 30
"""Samples that a group needs to be reported."""


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the samples: one type of value, a range of steps."""

    count: int
    right: Estimate
    """Share of what was right."""
    raw: float
    """Mean of the raw probabilities, which are not shown."""
    raw_ece: Estimate
    sure: float
    """Mean of the calibrated ones."""
    ece: Estimate

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        estimates = {name: getattr(self, name).to_list() for name in ("right", "raw_ece", "ece")}
        return {"count": self.count, "raw": round(self.raw, 5), "sure": round(self.sure, 5)} | estimates

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` has made."""
        right, raw_ece, ece = (Estimate.from_list(values[name]) for name in ("right", "raw_ece", "ece"))
        return cls(values["count"], right, values["raw"], raw_ece, values["sure"], ece)


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of one part (values, lines) in one mode (re-anchored, free-run)."""

    way: str
    """How the map was fitted."""
    ways: Mapping[str, Scores]
    """What each way was worth; `raw` is the model's own joint probability."""
    raw_curve: tuple[Point, ...]
    curve: tuple[Point, ...]
    groups: Mapping[str, Mapping[str, Group]]
    """By `dots`, `type` (of lines: of event), `step`, `depth` and `domain`; groups of fewer than 30 are left out."""

    @property
    def before(self) -> Scores:
        """Of the raw joint probability."""
        return self.ways[RAW]

    @property
    def after(self) -> Scores:
        """Of what is shown."""
        return self.ways[self.way]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        groups = {by: {name: group.to_dict() for name, group in those.items()} for by, those in self.groups.items()}
        return {
            "way": self.way,
            "ways": {way: scores.to_dict() for way, scores in self.ways.items()},
            "raw_curve": [point.to_list() for point in self.raw_curve],
            "curve": [point.to_list() for point in self.curve],
            "groups": groups,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` has made."""
        groups = {by: {n: Group.from_dict(g) for n, g in those.items()} for by, those in values["groups"].items()}
        return cls(
            values["way"],
            {way: Scores.from_dict(scores) for way, scores in values["ways"].items()},
            tuple(Point(*point) for point in values["raw_curve"]),
            tuple(Point(*point) for point in values["curve"]),
            groups,
        )


def measured(table: Table, way: str, sure: Mapping[str, Floats], strange: Collection[int]) -> Measured:
    """Measures probabilities.

    Args:
        table: n > 0 samples that nothing was fitted on.
        way: whose probabilities are shown.
        sure: the probabilities (n,) of each way, `raw` among them.
        strange: numbers of the programs of which one would be warned that they are outside.

    """
    shown, raw = sure[way], sure[RAW]

    def groups(names: Sequence[str], order: Sequence[str] | None = None) -> dict[str, Group]:
        """Those that are large enough; the largest first, if no order is given."""
        counts = Counter(names)
        large = (name for name in order or [name for name, _ in counts.most_common()] if counts[name] >= _FEWEST)
        return {name: _group(table, np.array([other == name for other in names]), raw, shown) for name in large}

    return Measured(
        way=way,
        ways={name: measure(probabilities, table.right, table.program) for name, probabilities in sure.items()},
        raw_curve=curve(raw, table.right),
        curve=curve(shown, table.right),
        groups={
            "dots": groups([mark(probability) for probability in shown], MARKS[::-1]),
            "type": groups([sample.kind for sample in table.samples]),
            "step": groups([_class_of(sample.step, _STEPS) for sample in table.samples], list(_STEPS.values())),
            "depth": groups([_class_of(sample.depth, _DEPTHS) for sample in table.samples], list(_DEPTHS.values())),
            "domain": groups([DOMAIN[sample.program in strange] for sample in table.samples], DOMAIN),
        },
    )


def _group(table: Table, inside: Flags, raw: Floats, shown: Floats) -> Group:
    right, program = table.right[inside], table.program[inside]
    before, after = measure(raw[inside], right, program), measure(shown[inside], right, program)
    return Group(after.count, after.right, before.sure, before.ece, after.sure, after.ece)


def _class_of(number: int, classes: Mapping[int, str]) -> str:
    """The name of the class that a number is in."""
    return classes[max(first for first in classes if first <= number)]
