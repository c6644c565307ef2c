"""The calibration page: when to believe a model. One file of HTML without scripts, by day and by night.

Path("calibration.html").write_text(page(calibration), encoding="utf-8")
"""

from collections.abc import Iterator, Mapping

from foretrace import __version__
from foretrace.data.markup import Markup, join, tag
from foretrace.data.plots import bar
from foretrace.data.report_style import STYLE
from foretrace.debug.calibration import plots
from foretrace.debug.calibration.features import Mode, Part
from foretrace.debug.calibration.maps import FROM, MARKS
from foretrace.debug.calibration.report import Measured
from foretrace.debug.calibration.stored import Calibration, Key

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = Markup("""
.legend + .grid { margin-top: 14px; } .tiles + p { margin-top: 24px; }
h3 .dots { font-size: 17px; letter-spacing: 2px; margin-right: 12px; }
.grid.three { grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); }
.ways td:nth-child(2), .ways th:nth-child(2) { text-align: left; } .ways tr.first td { border-top: 1px solid var(--line); }
.ways tr.chosen td:nth-child(n+2) { font-weight: 600; }
""")
_BY = {"type": "by type", "step": "by step", "depth": "by depth of calls", "domain": "inside and outside what it knows"}


def page(calibration: Calibration, elsewhere: Mapping[str, Mapping[Key, Measured]] | None = None) -> str:
    """The page.

    Args:
        calibration: what was fitted and measured.
        elsewhere: what it was measured to be worth on other programs, by the name of those.

    """
    basis = calibration.basis
    about = (
        f"What {calibration.model} predicted was compared with what {basis.programs + basis.test_programs:,} programs did "
        f"when they were run. The probabilities were learnt from {basis.programs:,} of them; all on this page was measured "
        f"on the other {basis.test_programs:,}. Re-anchored: each step is predicted from the true ones before it. Free-run: "
        "from predicted ones. Brackets are 95 % intervals, over "
        "programs. First the expected calibration error (ECE): of the model's own probabilities, and of what is shown."
    )
    body = [
        tag("h1", f"When to believe {calibration.model}"),
        tag("p", about, class_="soft"),
        _tiles(calibration.measured),
        tag("h2", "Does it come true as often as it says?"),
        _diagrams(calibration.measured),
        tag("h2", "What the dots mean"),
        _dots(calibration.measured),
        *_groups(calibration.measured),
        tag("h2", "Ways to fit it"),
        _ways(calibration),
    ]
    for name, measured in (elsewhere or {}).items():
        body += [tag("h2", f"Elsewhere: {name}"), tag("p", _ELSEWHERE, class_="soft"), _tiles(measured), _diagrams(measured)]
    body += [tag("h2", "What it knows"), _domain(calibration), tag("footer", f"written by foretrace {__version__}")]
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{calibration.model} · calibration"),
        tag("style", STYLE, plots.STYLE, _STYLE),
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', *body)), lang='en')}\n"


_ELSEWHERE = "Programs of another kind than it was fitted on, with the same maps: what to expect outside."


def _tiles(measured: Mapping[Key, Measured]) -> Markup:
    tiles = []
    for (part, mode), found in measured.items():
        errors = f"{found.before.ece.value:.3f} → {found.after.ece.value:.3f}"
        tiles.append(tag("div", tag("b", errors), tag("span", f"ECE, {part}s, {mode}"), class_="tile"))
    return tag("div", *tiles, class_="tiles")


def _diagrams(measured: Mapping[Key, Measured]) -> Markup:
    cards = []
    for (part, mode), found in measured.items():
        after = found.after
        caption = (
            f"{after.count:,} of {after.programs:,} programs, {after.right.value:.1%} right. Shown: ECE {after.ece.text()}, "
            f"AUROC {after.auroc.value:.3f}. Raw: ECE {found.before.ece.value:.3f}, AUROC {found.before.auroc.value:.3f}."
        )
        drawn = tag("div", plots.reliability(found.raw_curve, found.curve), class_="reliability")
        title = tag("h3", f"{part}s, {mode}".capitalize())
        cards.append(tag("div", title, drawn, tag("p", caption, class_="soft"), class_="card"))
    note = (
        "Across: the probability. Up: how much was right. On the dotted line, what is said comes true. Larger dots hold "
        f"more, those of fewer than {plots.FEWEST} are left out; bars tell how often each probability is shown."
    )
    return join(tag("p", note, class_="soft"), plots.legend(truth=False), tag("div", *cards, class_="grid"))


def _dots(measured: Mapping[Key, Measured]) -> Markup:
    """A card for each number of dots, with how often it is right."""
    bounds, cards = [0.0, *FROM, 1.0], []
    for number in reversed(range(len(MARKS))):
        dots = MARKS[number]
        rows = [tag("tr", *(tag("th", name) for name in ("", "right", "", "of")))]
        for (part, mode), found in measured.items():
            group = found.groups["dots"].get(dots)
            right, count = (f"{group.right.value:.1%}", f"{group.count:,}") if group else ("–", "hardly any")
            meter = tag("td", bar(group.right.value if group else 0.0), class_="bar")
            rows.append(tag("tr", tag("td", f"{part}s, {mode}"), tag("td", right), meter, tag("td", count)))
        said = f"{bounds[number]:.0%} to {bounds[number + 1]:.0%} sure"
        cards.append(tag("div", tag("h3", tag("span", dots, class_="dots"), said), tag("table", *rows), class_="card"))
    return tag("div", *cards, class_="grid three")


def _groups(measured: Mapping[Key, Measured]) -> Iterator[Markup]:
    """For each way of dividing, the values of both modes side by side."""
    yield tag("h2", "Where it goes wrong")
    yield plots.legend(truth=True)
    for by, title in _BY.items():
        cards = [
            tag(
                "div",
                tag("h3", f"Values, {mode}, {title}"),
                plots.beside(measured[Part.VALUE, mode].groups[by]),
                class_="card",
            )
            for mode in Mode
            if measured[Part.VALUE, mode].groups[by]
        ]
        yield tag("div", *cards, class_="grid")


def _ways(calibration: Calibration) -> Markup:
    names = ("", "way", "ECE", "adaptive ECE", "Brier", "log loss", "AUROC")
    rows = [tag("tr", *(tag("th", name) for name in names))]
    for (part, mode), found in calibration.measured.items():
        for number, (way, scores) in enumerate(found.ways.items()):
            estimates = (scores.ece, scores.adaptive_ece, scores.brier, scores.log_loss, scores.auroc)
            cells = [tag("td", "" if number else f"{part}s, {mode}"), tag("td", way + (" ✓" if way == found.way else ""))]
            cells += [tag("td", f"{estimate.value:.3f}") for estimate in estimates]
            marks = [*([] if number else ["first"]), *(["chosen"] if way == found.way else [])]
            rows.append(tag("tr", *cells, class_=" ".join(marks) or None))
    note = "✓ is what is shown: chosen by cross-validation on the programs that were fitted on, before these were measured."
    table = tag("div", tag("table", *rows, class_="ways"), class_="scroll")
    return tag("div", table, tag("p", note, class_="soft"), class_="card wide")


def _domain(calibration: Calibration) -> Markup:
    domain, basis = calibration.domain, calibration.basis
    facts = {
        "programs": f"{basis.first} to {basis.last}, synthesised; no other use draws from these seeds",
        "lines of source": f"up to {domain.lines}",
        "steps": f"up to {domain.steps}",
        "characters of a value": f"up to {domain.characters}",
        "calls within calls": f"up to {domain.depth}",
        "types of values": ", ".join(domain.kinds),
        "weights": calibration.weights or "on a server",
    }
    rows = [tag("tr", tag("td", name), tag("td", what)) for name, what in facts.items()]
    constructs = tag("details", tag("summary", "what programs were made of"), tag("p", ", ".join(domain.constructs)))
    return tag("div", tag("table", *rows, class_="keys"), constructs, class_="card wide")
