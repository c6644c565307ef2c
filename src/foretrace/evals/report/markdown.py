"""A report as Markdown, for a README, an issue or a model card.

Path("report.md").write_text(markdown(gather(runs, sizes={})))
"""

import re
from collections.abc import Sequence

from foretrace.evals.published import Published
from foretrace.evals.report.gather import Entry, Group
from foretrace.evals.report.words import SHARES, data_lines, overview, scores, settings_line, sources

_NEAREST = 8
"""Published numbers that are told beside a score."""
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>|#&])")


def markdown(groups: Sequence[Group]) -> str:
    """The text."""
    models = dict.fromkeys(entry.model for group in groups for entry in group.entries)
    lines = [f"# Evaluation: {escaped(', '.join(models))}", "", *_table(*overview(groups))]
    for group in groups:
        lines += ["", f"## {escaped(group.title)}", "", f"`{group.benchmark}`: {escaped(group.about)}."]
        for entry in group.entries:
            lines += _entry(entry)
        for comparison in group.comparisons:
            lines += ["", *(f"    {line}".rstrip() for line in comparison.text().split("\n"))]
        lines += _published(group.published, group.entries)
    lines += ["", "## Where this comes from", "", *_table(["", ""], [list(row) for row in data_lines(groups)])]
    published = [list(row) for row in sources(groups)]
    if published:
        lines += ["", *_table(["published numbers of", "where", "settings"], published)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """On one line, with nothing that Markdown or HTML would act on."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))


def _entry(entry: Entry) -> list[str]:
    summary = entry.summary
    head, rows = scores(summary)
    lines = ["", f"### {escaped(entry.label)}", "", *_table(head, rows), ""]
    shares = [[name, getattr(summary, name).text()] for name in SHARES]
    shares += [[f"floor: {name}", share.text()] for name, share in summary.floors.items()]
    shares += [[name, share.text()] for name, share in (*summary.measures.items(), *summary.counted.items())]
    lines += _table(["share", ""], shares)
    for tag, values in summary.tags.items():
        told = [[value or "none", found.text(), str(found.count)] for value, found in values.items()]
        lines += ["", *_table([tag, "pass@1, strict", "n"], told)]
    lines += ["", escaped(settings_line(entry)) + "."]
    lines += [f"**{escaped(words)}**" for words in entry.warnings]
    return [*lines, "", f"Note: {escaped(summary.note)}"] if summary.note else lines


def _published(found: Published, entries: Sequence[Entry]) -> list[str]:
    """Published scores that are nearest to ours."""
    values = [entry.summary.passes["official"][1].value for entry in entries]
    if not found.rows:
        return []
    nearest = sorted(found.rows, key=lambda row: min(abs(row.score - value) for value in values))[:_NEAREST]
    rows = [
        [f"{row.model} · {row.style}", f"{100 * row.score:.1f} %", _size(row.parameters), row.source.title, row.note]
        for row in sorted(nearest, key=lambda row: row.score)
    ]
    return ["", "Nearest published numbers:", "", *_table(["model", "pass@1", "parameters", "source", "note"], rows)]


def _size(parameters: float | None) -> str:
    return "" if parameters is None else f"{parameters / 1e9:g} B"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [names, ["---"] * len(names), *([escaped(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
