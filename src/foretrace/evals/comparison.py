"""Two models on the same items: pair by pair, which sees differences that two intervals beside each other hide.

    comparison = compare(first.part("cruxeval-o"), second.part("cruxeval-o"))
    print(comparison.text())        # +3.5 points [+1.1, +5.9], p = 0.004; McNemar p = 0.005 (52 : 24)

On CRUXEval the difference of two models has a standard error of 1.2 to 1.4 points if it is paired, and of 2.3 if it is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.folder import Part
from foretrace.evals.statistics import Difference, Estimate, mcnemar, paired
from foretrace.evals.summary import RULES, by_item, estimate, share_right


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The second against the first, on items that both have answered."""

    names: tuple[str, str]
    """Of the parts: `cruxeval-o:direct`."""
    models: tuple[str, str]
    items: int
    left_out: int
    """Items that only one of them has answered."""
    scores: Mapping[str, tuple[Estimate, Estimate]]
    """Of each rule, pass@1 of both on these items."""
    differences: Mapping[str, Difference]
    alone: Mapping[str, tuple[int, int]]
    """Of each rule, the items that only the first and only the second has right; where each has one sample an item."""

    def mcnemar(self, rule: str) -> float | None:
        """p, exact; None where there are several samples."""
        return mcnemar(*self.alone[rule]) if rule in self.alone else None

    def text(self) -> str:
        """For people."""
        lines = [f"{self.names[1]}, {self.models[1]}  against  {self.names[0]}, {self.models[0]}", ""]
        lines += [f"  {self.items} items that both answered" + (f", {self.left_out} left out" if self.left_out else "")]
        for rule, difference in self.differences.items():
            first, second = self.scores[rule]
            lines += ["", f"  {rule:<10}{first.text()}  →  {second.text()}"]
            test = self.mcnemar(rule)
            alone = f"; McNemar p = {test:.2g} ({self.alone[rule][1]} : {self.alone[rule][0]})" if test is not None else ""
            lines += [f"  {'':<10}{difference.text()}{alone}"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "v": 1,
            "names": list(self.names),
            "models": list(self.models),
            "items": self.items,
            "left_out": self.left_out,
            "rules": {
                rule: difference.to_dict()
                | {
                    "scores": [score.to_dict() for score in self.scores[rule]],
                    "alone": list(self.alone[rule]) if rule in self.alone else None,
                    "mcnemar": self.mcnemar(rule),
                }
                for rule, difference in self.differences.items()
            },
        }


def compare(first: Part, second: Part, *, models: tuple[str, str] = ("", "")) -> Comparison:
    """Compares two parts of one benchmark, in any two styles.

    Raises:
        UsageError: they are of different benchmarks or data, or have no item in common.

    """
    _check_comparable(first, second)
    before, after = (by_item([sample for sample in part.samples() if not sample.is_broken]) for part in (first, second))
    common = [item for item in before if item in after]
    if not common:
        raise UsageError(f"{first.folder} and {second.folder} have no item in common that is answered in both")
    items = [{item: each[item] for item in common} for each in (before, after)]
    clusters = [before[item][0].cluster for item in common]
    is_single = all(len(samples) == 1 for each in items for samples in each.values())
    scores, differences, alone = {}, {}, {}
    for rule in RULES:
        pairs = [(share_right(rule, before[item]), share_right(rule, after[item])) for item in common]
        scores[rule] = estimate(items[0], partial(share_right, rule)), estimate(items[1], partial(share_right, rule))
        differences[rule] = paired([b - a for a, b in pairs], clusters)
        if is_single:
            alone[rule] = sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)
    return Comparison(
        names=(first.name, second.name),
        models=models,
        items=len(common),
        left_out=len(before.keys() ^ after.keys()),
        scores=scores,
        differences=differences,
        alone=alone,
    )


def _check_comparable(first: Part, second: Part) -> None:
    for key, what in (("benchmark", "benchmarks"), ("items_sha256", "data")):
        if first.manifest[key] != second.manifest[key]:
            told = f"{first.manifest[key][:40]} and {second.manifest[key][:40]}"
            raise UsageError(f"{first.folder} and {second.folder} are of different {what}, and say nothing together: {told}")
