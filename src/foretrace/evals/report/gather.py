"""What a report says, before it is drawn: the parts of all runs by benchmark, compared where they can be.

for group in gather(runs, sizes={}): group.title, group.entries, group.comparisons, group.published
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from foretrace.errors import UsageError
from foretrace.evals.comparison import Comparison, compare
from foretrace.evals.folder import Part, Run, Sample
from foretrace.evals.published import Floor, Published, published
from foretrace.evals.report.landscape import OURS, Dot, dots_of, landscape
from foretrace.evals.summary import Summary, summarise

MOST_PAIRS = 12
"""Comparisons of a benchmark."""
_LENIENT = "official"
_FAILURES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One part of one run."""

    run: Run
    part: Part
    summary: Summary
    samples: Sequence[Sample]
    parameters: float | None
    """Of the model; None: not known."""

    @property
    def label(self) -> str:
        """`tiny · trace`."""
        return f"{self.model} · {self.part.manifest['style']}"

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.run.model["name"])

    @property
    def is_model(self) -> bool:
        """Whether it is none of the controls."""
        return bool(self.run.model["kind"] != "control")

    @property
    def warnings(self) -> list[str]:
        """What makes its numbers worth less."""
        manifest, found = self.part.manifest, []
        if not manifest["ended"]:
            found.append("unfinished: the same command goes on")
        if self.summary.broken.hits:
            found.append(f"{self.summary.broken.hits} samples could not be judged")
        if manifest["is_executing"] and manifest["setting"]["isolation"] == "process":
            found.append("weak isolation: code ran without bubblewrap")
        return found

    def failures(self) -> list[Sample]:
        """A few samples that are not right, of different reasons first."""
        wrong = [sample for sample in self.samples if not sample.strict]
        first = {sample.reason: sample for sample in reversed(wrong)}
        chosen = sorted(first.values(), key=wrong.index)[:_FAILURES]
        return chosen + [sample for sample in wrong if sample not in chosen][: _FAILURES - len(chosen)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All of one benchmark."""

    benchmark: str
    title: str
    about: str
    entries: Sequence[Entry]
    comparisons: Sequence[Comparison]
    left_out: int
    """Pairs that could be compared, and are not."""
    published: Published

    def picture(self) -> str | None:
        """Scores of models here beside published ones, as SVG; None if none are published, or there are none here."""
        known = [entry for entry in self.entries if entry.is_model and entry.summary.passes[_LENIENT][1].count]
        if not self.published.rows or not known:
            return None
        items = sorted({entry.summary.passes[_LENIENT][1].count for entry in known})
        counted = "–".join(map(str, items[:1] + items[1:][-1:]))
        subtitle = f"pass@1, official rule, 95 % intervals; measured here on {counted} items, others as published"
        dots = dots_of(self.published) + [_dot(entry) for entry in known]
        return landscape(f"{self.title}: {self.about}", dots, self.floors(), subtitle=subtitle)

    def floors(self) -> Sequence[Floor]:
        """What needs no model: as published for all items, else as measured here."""
        if self.published.floors:
            return self.published.floors
        found = self.entries[0].summary.floors if self.entries else {}
        return [Floor(name=name, score=share.value) for name, share in found.items()]


def gather(runs: Sequence[Run], *, sizes: Mapping[str, float]) -> list[Group]:
    """The contents of a report.

    Args:
        runs: finished or not.
        sizes: parameters of models, by name, of which the runs do not know it.

    Raises:
        UsageError: nothing is measured yet.
        FormatError: a run is damaged.

    """
    entries: dict[str, list[Entry]] = {}
    for run in runs:
        for part in run.parts.values():
            entry = _entry(run, part, sizes)
            if entry.samples:
                entries.setdefault(part.manifest["benchmark"], []).append(entry)
    if not entries:
        raise UsageError(f"nothing is measured yet in {', '.join(str(run.folder) for run in runs)}")
    return [_group(benchmark, found) for benchmark, found in entries.items()]


def _entry(run: Run, part: Part, sizes: Mapping[str, float]) -> Entry:
    name = str(run.model["name"])
    known = run.model.get("settings", {}).get("parameters")
    parameters = sizes.get(name, known)
    summary = summarise(part, model=name)
    return Entry(run=run, part=part, summary=summary, samples=part.samples(), parameters=parameters)


def _group(benchmark: str, entries: Sequence[Entry]) -> Group:
    pairs = [(a, b) for a, b in combinations(entries, 2) if _are_comparable(a, b)]
    compared = [compare(a.part, b.part, models=(a.model, b.model)) for a, b in pairs[:MOST_PAIRS]]
    manifest = entries[0].part.manifest
    return Group(
        benchmark=benchmark,
        title=manifest["title"],
        about=manifest["about"],
        entries=entries,
        comparisons=compared,
        left_out=len(pairs) - len(compared),
        published=published(benchmark),
    )


def _are_comparable(first: Entry, second: Entry) -> bool:
    """Whether they have the same items, and answers to one of them."""
    if first.part.manifest["items_sha256"] != second.part.manifest["items_sha256"]:
        return False
    answered = [{sample.item for sample in each.samples if not sample.is_broken} for each in (first, second)]
    return bool(answered[0] & answered[1])


def _dot(entry: Entry) -> Dot:
    estimate = entry.summary.passes[_LENIENT][1]
    settings = ", ".join(f"{name} {value}" for name, value in entry.summary.settings.items())
    return Dot(
        name=entry.model,
        parameters=entry.parameters,
        score=estimate.value,
        low=estimate.low,
        high=estimate.high,
        kind=OURS,
        style=entry.part.manifest["style"],
        about=settings,
    )
