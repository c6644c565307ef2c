"""A repository's own tests become rows: episodes of its functions, cut from what the tests did (CWM report, section 2.2)."""

from typing import Any

from foretrace.corpus.episodes import Counts, episodes_of
from foretrace.corpus.types import Origin, Subject
from foretrace.data.pipeline.definition import Definition, Drop
from foretrace.data.pipeline.execute import trace_row
from foretrace.data.pipeline.features import entry_lines, texts
from foretrace.data.pipeline.subjects import load_benchmarks
from foretrace.trace import Outcome, Trace, to_binary

Row = dict[str, Any]


def episode_rows(path: str, definition: Definition) -> tuple[list[Row], list[Drop]]:
    """Rows of the episodes that are kept, and what was dropped, of a repository."""
    counts = Counts()
    found = episodes_of(
        path,
        backend=definition.sandbox,
        python=definition.python,
        counts=counts,
        seed=definition.seed,
        step_in=definition.step_in,
        depth=definition.depth,
    )
    rows: dict[str, Row] = {}
    drops: list[Drop] = []
    for trace, origin in found:
        row = _row(trace, origin, definition)
        drop = _objection(trace, row, definition, rows)
        if drop is None:
            rows[row["id"]] = row
        else:
            drops.append(drop)
    of = {"subject": "", "kind": "test", "name": path, "path": "", "line": 0, "entry": ""}
    for reason, number in sorted(counts.dropped.items()):
        drops.append(Drop("harvest", f"calls in tests: {reason}", f"{number} calls", of=of))
    drops += [Drop("record", "a test ended differently when it was recorded", test, of=of) for test in counts.differing]
    return list(rows.values()), drops


def _row(trace: Trace, origin: Origin, definition: Definition) -> Row:
    header = trace.header
    arguments = ", ".join(f"{name}={value}" for name, value in header.arguments.items())
    subject = Subject(source=header.source, entry=header.entry, origin=origin)
    lines = entry_lines(header.source, header.entry)
    return trace_row(subject, trace, arguments, to_binary([trace]), lines, definition)


def _objection(trace: Trace, row: Row, definition: Definition, kept: dict[str, Row]) -> Drop | None:
    """Why an episode is not kept."""
    of = {name: row[name] for name in ("subject", "kind", "name", "path", "line", "entry")}

    def drop(stage: str, reason: str, detail: str = "") -> Drop:
        return Drop(stage, reason, detail, row["arguments"], of)

    if trace.header.outcome is Outcome.TRUNCATED:
        return drop("filter", f"too long: {trace.header.detail}")
    if row["characters"] > definition.max_characters:
        return drop("filter", "too long: bytes", f"{row['characters']} characters")
    if not definition.keep_cut_values and any("…" in text for text in texts(trace.frames)):
        return drop("filter", "a value was too large to be shown whole")
    if row["id"] in kept:
        return drop("duplicates", "the same call again")
    origin = Origin(kind="test", name=row["name"])
    match = load_benchmarks(definition.benchmarks).match(Subject(source=row["source"], entry=row["entry"], origin=origin))
    return drop("decontamination", *match) if match is not None else None
