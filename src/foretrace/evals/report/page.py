"""A report as one page of HTML: no script, no network, nothing beside it.

    Path("report.html").write_text(page(gather(runs, sizes={})))

The page forbids scripts itself, by a content security policy: it quotes what models said.
"""

from collections.abc import Mapping, Sequence

from foretrace import __version__
from foretrace.data.markup import Markup, join, tag
from foretrace.data.plots import stacked
from foretrace.data.report_style import STYLE
from foretrace.evals.comparison import Comparison
from foretrace.evals.folder import Sample
from foretrace.evals.report.gather import Entry, Group
from foretrace.evals.report.intervals import Row, intervals
from foretrace.evals.report.words import SHARES, data_lines, overview, scores, settings_line, sources
from foretrace.evals.types import Reason

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MORE_STYLE = Markup(
    "svg.plot .k0, svg.plot .k1, svg.plot .k2, svg.plot .k3, svg.plot .k4, svg.plot .k5 { stroke: none; }"
    ".warning { color: var(--raised); font-size: 13px; margin: 4px 0; } .note { color: var(--soft); font-size: 13px; }"
    "td.wrap { white-space: pre-wrap; overflow-wrap: anywhere; text-align: left; max-width: 420px; }"
    ".few > svg.plot { max-width: 680px; }"
    ".card > svg.plot + svg.plot { margin-top: 14px; }"
    ".card > svg.plot + .note { margin-top: 10px; } .wide + .grid, .grid + .wide { margin-top: 16px; }"
)
_COLOURS = ("k0", "k1", "k2", "k3", "k4", "k5")
_OF_REASON: Mapping[str, str] = {
    Reason.RIGHT: "k1",
    Reason.WRONG: "k4",
    Reason.UNPARSABLE: "k2",
    Reason.ERROR: "k3",
    Reason.TIMEOUT: "k0",
}
_RULES = "Evaluation, under two rules: claims rest on the strict one, the official one is that of published numbers."
_MOST_VALUES, _QUOTED = 16, 600
"""Values of a tag that are drawn, and characters of an answer that are quoted."""


def page(groups: Sequence[Group]) -> str:
    """The page."""
    entries = [entry for group in groups for entry in group.entries]
    models = list(dict.fromkeys(entry.model for entry in entries))
    body = [_header(models, entries), _overview(groups)]
    body += [part for group in groups for part in _group(group)]
    body += [_sources(groups), tag("footer", f"written by foretrace {__version__}")]
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{', '.join(models)} · evaluation"),
        tag("style", STYLE, _MORE_STYLE),
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', *body)), lang='en')}\n"


def _header(models: Sequence[str], entries: Sequence[Entry]) -> Markup:
    tiles = {
        "models" if len(models) > 1 else "model": str(len(models)),
        "benchmarks, each in a style": f"{len({entry.part.name for entry in entries})}",
        "samples": f"{sum(len(entry.samples) for entry in entries):,}",
        "tokens said": f"{sum(entry.summary.used['tokens'] for entry in entries):,.0f}",
    }
    shown = [tag("div", tag("b", value), tag("span", name), class_="tile") for name, value in tiles.items()]
    warnings = [f"{entry.label}, {entry.summary.title}: {words}" for entry in entries for words in entry.warnings]
    return join(
        tag("h1", ", ".join(models)),
        tag("p", _RULES, class_="soft"),
        tag("div", *shown, class_="tiles"),
        *(tag("p", words, class_="warning") for words in warnings),
    )


def _overview(groups: Sequence[Group]) -> Markup:
    colours = _colours(groups)
    rows = [
        Row.of(entry.part.name, entry.summary.passes["strict"][1], colours[entry.model])
        for group in groups
        for entry in group.entries
    ]
    swatches = [tag("span", tag("i", class_=f"swatch {colour}"), model) for model, colour in colours.items()]
    legend = [tag("p", *swatches, class_="legend")] if len(colours) > 1 else []
    head, table = overview(groups)
    return join(
        tag("h2", "Scores"),
        _card("", _table(head, table), wide=True),
        tag("div", tag("h3", "pass@1, strict"), intervals(rows), *legend, class_="card wide few"),
    )


def _colours(groups: Sequence[Group]) -> dict[str, str]:
    models = dict.fromkeys(entry.model for group in groups for entry in group.entries)
    return {model: _COLOURS[at % len(_COLOURS)] for at, model in enumerate(models)}


def _group(group: Group) -> list[Markup]:
    found = [tag("h2", group.title), tag("p", f"{group.benchmark}: {group.about}.", class_="soft")]
    picture = group.picture()
    if picture:
        found.append(_card("", Markup(picture), wide=True))
    for entry in group.entries:
        found += [_entry(entry)]
    if group.comparisons:
        more = [tag("p", f"and {group.left_out} more pairs", class_="note")] if group.left_out else []
        found.append(_card("Compared, on the same items", *map(_comparison, group.comparisons), *more, wide=True))
    return found


def _entry(entry: Entry) -> Markup:
    summary = entry.summary
    shares = [Row.of(name, getattr(summary, name), "k5") for name in SHARES]
    floors = [Row.of(f"floor: {name}", share, "k5") for name, share in summary.floors.items()]
    cards = [_card(f"{entry.label}: what must stand beside", intervals(shares + floors), _reasons(entry))]
    measures = [Row.of(name, share) for name, share in (*summary.measures.items(), *summary.counted.items())]
    if measures:
        cards.append(_card("Measures", intervals(measures[:_MOST_VALUES])))
    for tag_name, values in summary.tags.items():
        rows = [Row.of(value or "none", found) for value, found in list(values.items())[:_MOST_VALUES]]
        cards.append(_card(f"pass@1, strict, by {tag_name}", intervals(rows), *_more(len(values))))
    note = [tag("p", summary.note, class_="note")] if summary.note else []
    warnings = [tag("p", words, class_="warning") for words in entry.warnings]
    head, rows_of = scores(summary)
    said = tag("p", settings_line(entry), class_="note")
    first = _card(entry.label, _table(head, rows_of), *warnings, said, *note, _failures(entry.failures()), wide=True)
    return join(first, tag("div", *cards, class_="grid"))


def _more(count: int) -> list[Markup]:
    return [tag("p", f"and {count - _MOST_VALUES} more", class_="note")] if count > _MOST_VALUES else []


def _reasons(entry: Entry) -> Markup:
    parts = [(name, count, _OF_REASON.get(name, "k5")) for name, count in entry.summary.reasons.items()]
    return stacked(parts, what="samples")


def _failures(samples: Sequence[Sample]) -> Markup:
    if not samples:
        return Markup("")
    rows = [tag("tr", *(tag("th", name) for name in ("item", "reason", "detail", "answer as read", "end of what was said")))]
    for sample in samples:
        read = "—" if sample.extracted is None else sample.extracted[:_QUOTED]
        cells = [sample.item, sample.reason, sample.detail[:_QUOTED], read, sample.raw[-_QUOTED:]]
        rows.append(tag("tr", *(tag("td", cell, class_="wrap") for cell in cells)))
    table = tag("div", tag("table", *rows), class_="scroll")
    return tag("details", tag("summary", f"{len(samples)} answers that are not right"), table)


def _comparison(found: Comparison) -> Markup:
    return tag("pre", found.text())


def _sources(groups: Sequence[Group]) -> Markup:
    found = [tag("tr", tag("td", name), tag("td", value)) for name, value in data_lines(groups)]
    cards = [_card("Data and versions", tag("table", *found, class_="keys"), wide=True)]
    published = sources(groups)
    if published:
        rows = [tag("tr", tag("td", title), tag("td", f"{where} ({settings})")) for title, where, settings in published]
        note = tag("p", "Numbers are as their authors give them; their intervals are Wilson's, of one answer an item.")
        cards.append(_card("Published numbers", tag("table", *rows, class_="keys"), note, wide=True))
    return join(tag("h2", "Where this comes from"), *cards)


def _card(title: str, *children: Markup, wide: bool = False) -> Markup:
    heading = [tag("h3", title)] if title else []
    return tag("div", *heading, *children, class_="card wide" if wide else "card")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", *(tag("th", name) for name in names))
    return tag("div", tag("table", head, *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)), class_="scroll")
