"""What came of a part of a run: scores with intervals, and everything that must stand beside a score.

    summary = summarise(run.part("cruxeval-o:direct"))
    print(summary.text())
    summary.passes["strict"][1].value, summary.unparsable.value, summary.settings["data"]

A score alone says little: with it go how many items and samples there were, how they were drawn, how many answers could not
be read, were cut or could not be judged, behind which walls code ran, and which data it was.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from foretrace.evals.folder import Part, Sample
from foretrace.evals.statistics import ClusteredShare, Estimate, Share, bootstrap, clustered_shares, pass_at_k
from foretrace.evals.types import Reason

RULES = ("strict", "official")
KS = (1, 2, 5, 10, 20, 50, 100)
"""Of pass@k, as far as there are samples."""

Items = Mapping[str, Sequence[Sample]]
"""The samples of each item; of which something is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The results of one part."""

    name: str
    """`cruxeval-o:direct`."""
    title: str
    model: str
    note: str
    passes: Mapping[str, Mapping[int, Estimate]]
    """Of each rule, pass@k by k, over items; intervals by whole groups of items."""
    unparsable: Share
    """Of the samples: those without an answer in the form that was asked for."""
    truncated: Share
    broken: Share
    """Of which nothing is known; they are in no other number but `at_least`."""
    at_least: Mapping[str, float]
    """Of each rule, pass@1 if all that is broken were wrong."""
    reasons: Mapping[str, int]
    measures: Mapping[str, Share]
    """Beside the verdicts: those that the benchmark names, in its order."""
    counted: Mapping[str, Share]
    """Others that its scorer counts, those with most behind them first."""
    tags: Mapping[str, Mapping[str, Estimate]]
    """Strict pass@1 of each value of each tag."""
    controls: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    """n, samples, temperature, … in the order in which they are told."""
    used: Mapping[str, float]
    """Tokens, seconds, cost."""

    def text(self) -> str:
        """For people."""
        rows = [(f"pass@{k}, {rule}", found.text()) for rule, by_k in self.passes.items() for k, found in by_k.items()]
        rows += [(name, getattr(self, name).text()) for name in ("unparsable", "truncated", "broken")]
        if self.broken.hits:
            told = ", ".join(f"{rule} {100 * value:.1f} %" for rule, value in self.at_least.items())
            rows += [("were the broken wrong", f"{told}; the same command tries them again")]
        rows += [(name, share.text()) for name, share in self.measures.items()]
        rows += [(f"floor: {name}", share.text()) for name, share in self.floors.items()]
        lines = [f"{self.title} ({self.name}), {self.model}", "", *_aligned(rows)]
        for tag, values in self.tags.items():
            rows = [(value, f"{found.text()}  n={found.count}") for value, found in values.items()]
            lines += ["", f"  pass@1, strict, by {tag}", *_aligned(rows, indent=4)]
        if self.counted:
            rows = [(name, share.text()) for name, share in self.counted.items()]
            lines += ["", "  counted besides", *_aligned(rows, indent=4)]
        lines += ["", "  " + ", ".join(f"{name} {value}" for name, value in self.settings.items())]
        return "\n".join([*lines, f"  note: {self.note}"] if self.note else lines)

    @property
    def floors(self) -> dict[str, Share]:
        """What is had without a model: by copying the first argument, by always saying the same."""
        known = {name: found for name, found in self.controls.items() if name not in ("gold", "wrong")}
        return {name: _floor(found) for name, found in known.items()}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        passes = {rule: {str(k): found.to_dict() for k, found in by_k.items()} for rule, by_k in self.passes.items()}
        return {
            "v": 1,
            "name": self.name,
            "title": self.title,
            "model": self.model,
            "passes": passes,
            **{name: getattr(self, name).to_dict() for name in ("unparsable", "truncated", "broken")},
            "measures": {name: share.to_dict() for name, share in (*self.measures.items(), *self.counted.items())},
            "tags": {tag: {value: found.to_dict() for value, found in by.items()} for tag, by in self.tags.items()},
            **{name: dict(getattr(self, name)) for name in ("at_least", "reasons", "controls", "settings", "used")},
            "note": self.note,
        }


def _floor(found: Mapping[str, Any]) -> Share:
    """With the interval that the run noted; older runs noted none."""
    share = Share(found["strict"], found["total"])
    return ClusteredShare(share.hits, share.total, *found["interval"]) if "interval" in found else share


def _aligned(rows: Sequence[tuple[str, str]], indent: int = 2) -> list[str]:
    """Lines of two columns."""
    width = max((len(name) for name, _ in rows), default=0) + 2
    return [f"{'':<{indent}}{name:<{width}}{text}" for name, text in rows]


def summarise(part: Part, *, model: str = "") -> Summary:
    """The results of a part, finished or not. Raises FormatError if its file is damaged."""
    samples, manifest = part.samples(), part.manifest
    known = [sample for sample in samples if not sample.is_broken]
    items, measures, shares = by_item(known), _measures(known), _shares(samples)
    return Summary(
        name=part.name,
        title=manifest["title"],
        model=model,
        note=manifest["note"],
        passes={rule: _passes(items, rule) for rule in RULES},
        unparsable=shares["unparsable"],
        truncated=shares["truncated"],
        broken=shares["broken"],
        at_least={rule: _at_least(rule, by_item(samples)) for rule in RULES},
        reasons=_counted(sample.reason for sample in samples),
        measures={name: measures[name] for name in manifest["measures"] if name in measures},
        counted={name: share for name, share in measures.items() if name not in manifest["measures"]},
        tags=_tags(items),
        controls=manifest["controls"],
        settings=_settings(manifest, items),
        used={
            "prompt_tokens": sum(sample.prompt_tokens for sample in samples),
            "tokens": sum(sample.tokens for sample in samples),
            "seconds": round(sum(sample.seconds for sample in samples), 3),
            "score_seconds": round(sum(sample.score_seconds for sample in samples), 3),
            "cost": sum(sample.cost for sample in samples),
        },
    )


def by_item(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """The samples of each item."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.item].append(sample)
    return dict(found)


def estimate(items: Items, value: Callable[[Sequence[Sample]], float]) -> Estimate:
    """The mean of a value of each item."""
    values = [value(samples) for samples in items.values()]
    return bootstrap(values, [samples[0].cluster for samples in items.values()])


def share_right(rule: str, samples: Sequence[Sample]) -> float:
    """Of one item: the share of its samples that are right, which is pass@1."""
    return passed(rule, samples) / len(samples)


def passed(rule: str, samples: Sequence[Sample]) -> int:
    """How many are right under a rule."""
    return sum(sample.strict if rule == "strict" else sample.official for sample in samples)


def _passes(items: Items, rule: str) -> dict[int, Estimate]:
    """pass@k for each k that all items have samples for."""
    most = min(map(len, items.values()), default=1)

    def of_item(k: int, samples: Sequence[Sample]) -> float:
        return pass_at_k(len(samples), passed(rule, samples), k)

    return {k: estimate(items, partial(of_item, k)) for k in KS if k <= most}


def _at_least(rule: str, items: Items) -> float:
    """pass@1 over all samples, broken ones among them: those are right under no rule."""
    return sum(share_right(rule, samples) for samples in items.values()) / len(items) if items else 0.0


def _shares(samples: Sequence[Sample]) -> dict[str, Share]:
    """Unparsable and truncated ones of those of which something is known, and broken ones of all."""
    counts = []
    for sample in samples:
        known = not sample.is_broken
        is_unparsable = known and sample.reason == Reason.UNPARSABLE
        unparsable, truncated = (int(is_unparsable), int(known)), (int(known and sample.truncated), int(known))
        counts.append({"unparsable": unparsable, "truncated": truncated, "broken": (int(not known), 1)})
    found = clustered_shares(counts, [sample.cluster for sample in samples])
    return {name: found.get(name, Share(0, 0)) for name in ("unparsable", "truncated", "broken")}


def _measures(samples: Sequence[Sample]) -> dict[str, Share]:
    """Of each measure, all samples together; those with most behind them first."""
    found = clustered_shares([sample.counts for sample in samples], [sample.cluster for sample in samples])
    return dict(sorted(found.items(), key=lambda each: -each[1].total))


def _tags(items: Items) -> dict[str, dict[str, Estimate]]:
    """Items of each value of each tag, those with most items first."""
    grouped: dict[str, dict[str, dict[str, Sequence[Sample]]]] = defaultdict(lambda: defaultdict(dict))
    for item, samples in items.items():
        for tag, value in samples[0].tags.items():
            grouped[tag][value][item] = samples
    return {
        tag: {
            value: estimate(found, partial(share_right, "strict"))
            for value, found in sorted(values.items(), key=lambda each: -len(each[1]))
        }
        for tag, values in grouped.items()
        if len(values) < len(items)  # a tag that tells every item apart, such as a date, tells nothing
    }


def _settings(manifest: Mapping[str, Any], items: Items) -> dict[str, Any]:
    sampling, setting, options = manifest["sampling"], manifest["setting"], manifest["options"]
    counts = sorted({len(samples) for samples in items.values()})
    told = {
        "n": len(items),
        "samples": "-".join(map(str, counts[:1] + counts[1:][-1:])) or "0",
        "T": sampling["temperature"],
        "top_p": sampling["top_p"],
        "max tokens": sampling["max_tokens"],
        "isolation": manifest.get("isolation", setting["isolation"]),
        "data": manifest["items_sha256"][:12],
    }
    if len(items) < manifest["items"]:
        told["n"] = f"{len(items)} of {manifest['items']}"
    if options["window"]:
        told["window"] = " ≤ date < ".join(options["window"])
    return told


def _counted(reasons: Any) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for reason in reasons:
        found[reason] += 1
    return dict(sorted(found.items(), key=lambda each: -each[1]))
