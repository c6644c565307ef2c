"""A dataset of traces on one page of HTML: no script, no network, nothing beside it.

    page = report(dataset, describe(dataset), effects)

The page forbids scripts itself, by a content security policy: a dataset is full of other people's code.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from foretrace import __version__
from foretrace.data import plots
from foretrace.data.browse import draw
from foretrace.data.dataset import Dataset
from foretrace.data.describe import Amount, Description, largest
from foretrace.data.distribution import QUANTILES, Distribution
from foretrace.data.funnel import Funnel
from foretrace.data.markup import Markup, join, tag
from foretrace.data.quantities import short, size
from foretrace.data.report_example import Effects, example
from foretrace.data.report_style import STYLE

KINDS = ("harvested", "contest", "test", "synthesised", "jsonl")
_EVENTS = ("line", "call", "return", "exception")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TOP, _EXAMPLES, _CANDIDATES, _GOOD_EVENTS = 15, 3, 60, (6, 40)
_STATED, _JSON = 60, 20_000


def report(dataset: Dataset, found: Description, effects: Effects, *, seed: int = 0) -> str:
    """The page.

    Args:
        dataset: from which examples are drawn.
        found: what it holds.
        effects: see `report_example.Effects`.
        seed: of the draw.

    Raises:
        FormatError: a file is damaged.

    """
    body = [_header(dataset, found)]
    if found.traces:
        body += [_lengths(found), _sources(found), _execution(found), _contents(found)]
    if found.funnel.dropped:
        body.append(_funnel(found.funnel))
    if found.traces:
        body += [tag("h2", "Examples"), *(example(row, effects) for row in _examples(dataset, seed))]
    body += [_making(dataset.manifest), tag("footer", f"written by foretrace {__version__}; see {_readme(dataset)}")]
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{dataset.name} · dataset of traces"),
        tag("style", STYLE),
    )
    page = tag("html", tag("head", head), tag("body", tag("main", *body)), lang="en")
    return f"<!doctype html>\n{page}\n"


def _readme(dataset: Dataset) -> str:
    return "README.md beside it" if (dataset.folder / "README.md").is_file() else "foretrace data --help"


def _header(dataset: Dataset, found: Description) -> Markup:
    about = "" if found.subjects_exact else "about "
    tiles = {
        "traces": f"{found.traces:,}",
        "programs": f"{about}{found.subjects:,}",
        "tokens": short(found.total("tokens")),
        "events": short(found.total("events")),
        "on disk": size(found.bytes_on_disk),
        "a trace": size(found.bytes_a_trace),
    }
    shown = [tag("div", tag("b", value), tag("span", name), class_="tile") for name, value in tiles.items()]
    return join(
        tag("h1", dataset.name),
        tag("p", "A dataset of traces: executions of Python programs, every line with the values it saw.", class_="soft"),
        tag("div", *shown, class_="tiles"),
    )


# ---------------------------------------------------------------------------------------------------
# Sections


def _lengths(found: Description) -> Markup:
    cards = [_card(f"{name.capitalize()} of a trace", _log_histogram(found.lengths[name])) for name in ("events", "tokens")]
    names = [name for name in QUANTILES if name != "5 %"]
    rows = [
        [name, f"{measured.mean:,.1f}", *(f"{measured.quantile(QUANTILES[q]):,.0f}" for q in names)]
        for name, measured in found.lengths.items()
    ]
    table = _table(["of a trace", "mean", *names], rows)
    return join(tag("h2", "Lengths"), tag("div", *cards, class_="grid"), _card("", table, wide=True))


def _sources(found: Description) -> Markup:
    kinds = largest(found.by_kind)
    traces = plots.stacked([(kind, amount.traces, _colour(kind)) for kind, amount in kinds])
    tokens = plots.stacked([(kind, amount.tokens, _colour(kind)) for kind, amount in kinds], what="tokens")
    names = [(name, amount, _colour(kind)) for (kind, name), amount in largest(found.by_name)]
    licences = [(name, amount, "mark") for name, amount in largest(found.by_licence)]
    return join(
        tag("h2", "Sources"),
        tag("div", _card("Traces by kind", traces), _card("Tokens by kind", tokens), class_="grid"),
        tag("div", _card("Where they come from", _amounts(names)), _card("Licences", _amounts(licences)), class_="grid"),
    )


def _execution(found: Description) -> Markup:
    of = "" if found.sampled == found.traces else f", of {found.sampled:,} traces"
    mix = [(event, found.event_mix[event], f"k{at}") for at, event in enumerate(_EVENTS)]
    colours = {"returned": "k1", "raised": "k4"}
    outcomes = [(name, count, colours.get(name, "k5")) for name, count in found.outcomes.most_common()]
    edges = [step / 10 for step in range(11)]
    median = found.coverage.quantile(0.5)
    coverage = plots.histogram(edges, found.coverage.in_bins(edges), show=lambda share: f"{share:.0%}", median=median)
    cards = [
        _card(f"Events{of}", plots.stacked(mix, what="events")),
        _card("How they ended", plots.stacked(outcomes), *_answers(found)),
        _card("Lines of the entry that a trace runs", coverage),
    ]
    if found.exceptions:
        cards.append(_card("What was raised", _counts(found.exceptions, found.exceptions.total())))
    return join(tag("h2", "Execution"), tag("div", *cards, class_="grid"))


def _answers(found: Description) -> list[Markup]:
    total = found.answers.total()
    if not total:
        return []
    return [tag("p", f"{found.answers['right']:,} of {total:,} scripts printed the known answer.", class_="soft")]


def _contents(found: Description) -> Markup:
    cards = [
        _card("Values shown, in how many traces", _counts(found.value_types, found.traces)),
        _card("Constructs of the source, in how many traces", _counts(found.constructs, found.traces)),
    ]
    return join(tag("h2", "Contents"), tag("div", *cards, class_="grid"))


def _funnel(funnel: Funnel) -> Markup:
    rows = [("tried", funnel.tried, 0), *((s.name, s.entered, s.dropped) for s in funnel.stages), ("kept", funnel.kept, 0)]
    whole = f"Counted in calls; {funnel.whole:,} programs that were dropped as a whole count as one each."
    table = [tag("tr", *(tag("th", name) for name in ("stage and reason", "dropped", "share")))]
    for stage in funnel.stages:
        table.append(_row([stage.name, f"{stage.dropped:,}", f"{stage.share:.1%}"]))
        for reason, count in stage.reasons.most_common(_TOP):
            table.append(_row([reason, f"{count:,}", f"{count / max(stage.entered, 1):.1%}"], "reason"))
    table.append(_row(["all", f"{funnel.dropped:,}", f"{funnel.dropped / max(funnel.tried, 1):.1%}"], "sum"))
    cards = [
        _card("From what was tried to what was kept", plots.funnel(rows, funnel.tried), tag("p", whole, class_="soft")),
        _card("Why", tag("div", tag("table", *table), class_="scroll")),
    ]
    return join(tag("h2", "What was dropped"), tag("div", *cards, class_="grid"))


def _making(manifest: Mapping[str, Any]) -> Markup:
    """What the manifest states plainly as a table, then all of it as JSON."""
    if not manifest:
        return Markup("")
    stated = list(islice(_plain(manifest), _STATED))
    rows = [tag("tr", tag("td", key.replace("_", " ")), tag("td", value)) for key, value in stated]
    whole = json.dumps(manifest, indent=2, ensure_ascii=False)
    text = whole if len(whole) <= _JSON else whole[:_JSON] + "\n… see manifest.json"
    details = tag("details", tag("summary", "the whole manifest"), tag("pre", text))
    return join(tag("h2", "How it was made"), _card("", tag("table", *rows, class_="keys"), details, wide=True))


def _plain(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Keys, with those above them, and values; lists are left to the JSON."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _plain(value, f"{above}{key} › ")
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
            yield above + key, f"{value:,}"
        elif not isinstance(value, list):
            yield above + key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _examples(dataset: Dataset, seed: int) -> list[dict[str, Any]]:
    """A few traces, of different kinds and of a length that is read easily, as far as there are such."""
    drawn = draw(range(len(dataset.traces)), _CANDIDATES, seed)
    least, most = _GOOD_EVENTS
    candidates = list(zip(drawn, dataset.traces.rows(drawn, ["kind", "name", "events"]), strict=True))
    candidates.sort(key=lambda pair: not least <= pair[1]["events"] <= most)  # stable: else as drawn
    chosen: list[int] = []
    for distinct in ("kind", "name", ""):
        seen = {row[distinct] for at, row in candidates if at in chosen} if distinct else set()
        for at, row in candidates:
            if len(chosen) < _EXAMPLES and at not in chosen and (not distinct or row[distinct] not in seen):
                chosen.append(at)
                seen.add(row[distinct] if distinct else None)
    return dataset.traces.rows(chosen)


# ---------------------------------------------------------------------------------------------------
# Pieces


def _card(title: str, *children: Markup, wide: bool = False) -> Markup:
    heading = [tag("h3", title)] if title else []
    return tag("div", *heading, *children, class_="card wide" if wide else "card")


def _log_histogram(measured: Distribution) -> Markup:
    edges = measured.log_edges()
    if not edges:
        return tag("p", "all are empty", class_="soft")
    return plots.histogram(edges, measured.in_bins(edges), scale=math.log10, median=measured.quantile(0.5))


def _amounts(rows: Sequence[tuple[str, Amount, str]]) -> Markup:
    total = sum(amount.traces for _, amount, _ in rows) or 1
    most = max((amount.traces for _, amount, _ in rows), default=0) or 1
    shown = []
    for name, amount, colour in rows[:_TOP]:
        share, bar = f"{amount.traces / total:.1%}", plots.bar(amount.traces / most, colour)
        shown.append([name, f"{amount.traces:,}", share, short(amount.tokens), bar])
    return _table(["", "traces", "share", "tokens", ""], shown, len(rows))


def _counts(counts: Mapping[str, int], total: int) -> Markup:
    """`total`: of what the share is."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    most = ordered[0][1] if ordered else 1
    rows = [[name, f"{n:,}", f"{n / max(total, 1):.1%}", plots.bar(n / most)] for name, n in ordered[:_TOP]]
    return _table(["", "traces", "share", ""], rows, len(ordered))


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], count: int = 0) -> Markup:
    """`count`: of all rows, if not all are given."""
    head = tag("tr", *(tag("th", name) for name in names))
    more = [tag("p", f"and {count - len(rows):,} more", class_="soft")] if count > len(rows) else []
    return join(tag("div", tag("table", head, *map(_row, rows)), class_="scroll"), *more)


def _row(cells: Sequence[str], kind: str | None = None) -> Markup:
    made = [tag("td", cell, class_="bar" if isinstance(cell, Markup) else None, title=None) for cell in cells]
    return tag("tr", *made, class_=kind)


def _colour(kind: str) -> str:
    return f"k{KINDS.index(kind)}" if kind in KINDS else "k5"
