"""What a dataset of traces holds, in numbers.

    found = describe(open_dataset(Path("traces")))
    found.traces, found.lengths["tokens"].quantile(0.5), found.by_kind["synthesised"].tokens

One pass over the columns that count, a batch at a time. Only the mix of events needs the traces themselves; it is counted on
an even sample of them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from foretrace.data.dataset import Dataset, Progress
from foretrace.data.distinct import Distinct
from foretrace.data.distribution import Distribution
from foretrace.data.funnel import Funnel
from foretrace.errors import FormatError
from foretrace.trace import EVENT_TOKENS, binary_to_wire

if TYPE_CHECKING:
    import pyarrow

Key = TypeVar("Key")

SAMPLE = 20_000
"""Traces whose events are counted."""
LENGTHS = ("events", "tokens", "characters", "depth", "functions")
_GROUPS = ("kind", "name", "licence")
_COLUMNS = ("subject", *_GROUPS, "outcome", "value", "passed", *LENGTHS, "coverage", "constructs", "value_types")
_EXCEPTION = r"^(?P<name>[A-Za-z_][A-Za-z_0-9.]*)"


@dataclass(slots=True)
class Amount:
    """What some of the traces amount to."""

    traces: int = 0
    events: int = 0
    tokens: int = 0

    def add(self, traces: int, events: int, tokens: int) -> None:
        """Adds so many."""
        self.traces, self.events, self.tokens = self.traces + traces, self.events + events, self.tokens + tokens


@dataclass(slots=True)
class Description:
    """What a dataset holds."""

    traces: int = 0
    subjects: int = 0
    """Different programs that have a trace; an estimate beyond some millions."""
    subjects_exact: bool = True
    bytes_on_disk: int = 0
    by_kind: dict[str, Amount] = field(default_factory=dict)
    by_name: dict[tuple[str, str], Amount] = field(default_factory=dict)
    """By kind and name."""
    by_licence: dict[str, Amount] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    """Types, of the traces that raised."""
    answers: Counter[str] = field(default_factory=Counter)
    """Of scripts with a known answer: `right` and `wrong`."""
    lengths: dict[str, Distribution] = field(default_factory=lambda: {name: Distribution() for name in LENGTHS})
    coverage: Distribution = field(default_factory=Distribution)
    constructs: Counter[str] = field(default_factory=Counter)
    """Traces whose source has the construct."""
    value_types: Counter[str] = field(default_factory=Counter)
    """Traces that show a value of the type."""
    event_mix: Counter[str] = field(default_factory=Counter)
    sampled: int = 0
    """Traces that `event_mix` counts."""
    unreadable: int = 0
    """Of these, damaged ones."""
    funnel: Funnel = field(default_factory=Funnel)

    @property
    def bytes_a_trace(self) -> float:
        """On disk."""
        return self.bytes_on_disk / self.traces if self.traces else 0.0

    def total(self, length: str) -> int:
        """The sum of one of `LENGTHS`."""
        return int(self.lengths[length].total)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        parts = {"by_kind": self.by_kind, "by_licence": self.by_licence}
        return {
            "traces": self.traces,
            "subjects": self.subjects,
            "subjects_exact": self.subjects_exact,
            **{name: self.total(name) for name in ("events", "characters", "tokens")},
            "bytes_on_disk": self.bytes_on_disk,
            "bytes_a_trace": round(self.bytes_a_trace, 1),
            **{name: {key: _part(part) for key, part in largest(found)} for name, found in parts.items()},
            "by_name": [{"kind": kind, "name": name, **_part(part)} for (kind, name), part in largest(self.by_name)],
            **{
                name: dict(getattr(self, name).most_common())
                for name in ("outcomes", "exceptions", "answers", "constructs", "value_types", "event_mix")
            },
            "event_mix_of_traces": self.sampled,
            "unreadable": self.unreadable,
            "quantiles": {name: found.quantiles() | {"mean": round(found.mean, 2)} for name, found in self._measured()},
            "funnel": self.funnel.to_dict(),
        }

    def _measured(self) -> Iterator[tuple[str, Distribution]]:
        yield from self.lengths.items()
        yield "coverage", self.coverage


def largest(parts: dict[Key, Amount]) -> list[tuple[Key, Amount]]:
    """Keys and parts, those with most traces first."""
    return sorted(parts.items(), key=lambda item: (-item[1].traces, str(item[0])))


def describe(dataset: Dataset, progress: Progress | None = None, sample: int = SAMPLE) -> Description:
    """Counts everything there is to count.

    Raises:
        FormatError: a file is damaged.

    """
    found = Description(traces=len(dataset.traces), bytes_on_disk=dataset.traces.size)
    subjects = Distinct()
    for batch in dataset.traces.batches(_COLUMNS, progress):
        subjects.add(batch["subject"].unique().to_pylist())
        _add_groups(found, batch)
        _add_columns(found, batch)
    found.subjects, found.subjects_exact = subjects.number, subjects.exact
    found.funnel = Funnel.of(found.traces, dataset.drops)
    for traces in dataset.traces.spread("trace", sample):
        _add_events(found, traces)
    return found


def _add_groups(found: Description, batch: "pyarrow.RecordBatch") -> None:
    import pyarrow

    sums = [("events", "sum"), ("tokens", "sum"), ("subject", "count")]
    table = pyarrow.Table.from_batches([batch.select([*_GROUPS, "events", "tokens", "subject"])])
    for row in table.group_by(list(_GROUPS)).aggregate(sums).to_pylist():
        kind, name, licence = (row[key] or "unknown" for key in _GROUPS)
        size = row["subject_count"], row["events_sum"] or 0, row["tokens_sum"] or 0
        found.by_kind.setdefault(kind, Amount()).add(*size)
        found.by_name.setdefault((kind, name), Amount()).add(*size)
        found.by_licence.setdefault(licence, Amount()).add(*size)


def _add_columns(found: Description, batch: "pyarrow.RecordBatch") -> None:
    from pyarrow import compute

    for name, distribution in found.lengths.items():
        distribution.add(batch[name])
    found.coverage.add(batch["coverage"], digits=4)
    found.outcomes += _count(batch["outcome"])
    found.constructs += _count(batch["constructs"].flatten())
    found.value_types += _count(batch["value_types"].flatten())
    for right, count in _count(batch["passed"]).items():
        found.answers["right" if right else "wrong"] += count
    raised = batch.filter(compute.equal(batch["outcome"], "raised"))["value"]
    named = compute.struct_field(compute.extract_regex(raised, _EXCEPTION), "name")
    found.exceptions += _count(compute.fill_null(named, "another"))


def _count(values: Any) -> Counter[Any]:
    pairs = values.drop_null().value_counts().to_pylist()
    return Counter({pair["values"]: pair["counts"] for pair in pairs})


def _add_events(found: Description, traces: "pyarrow.Array") -> None:
    """Counts special tokens of the text: in it, those of a program are escaped."""
    for data in traces:
        found.sampled += 1
        try:
            text = binary_to_wire(data.as_py() or b"")
        except FormatError:
            found.unreadable += 1
            continue
        for event, token in EVENT_TOKENS.items():
            found.event_mix[event.value] += text.count(token.encode())


def _part(part: Amount) -> dict[str, int]:
    return {"traces": part.traces, "events": part.events, "tokens": part.tokens}
