"""What a dataset holds, as tables for a terminal: as many side by side as there is room for."""

from collections.abc import Mapping

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from foretrace.data.describe import Amount, Description, largest
from foretrace.data.distribution import QUANTILES
from foretrace.data.funnel import Funnel
from foretrace.data.printable import on_one_line
from foretrace.data.quantities import size

_BAR = 12
_EIGHTHS = " ▏▎▍▌▋▊▉"
_NAME = 30


def print_description(console: Console, name: str, found: Description, top: int) -> None:
    """Totals, then everything else, the longest tables cut to `top` lines."""
    console.print(Text(on_one_line(name), style="bold"))
    console.print(_totals(found), end="\n\n")
    spaced = [Padding(table, (0, 0, 1, 0)) for table in _tables(found, top)]
    console.print(Columns(spaced, padding=(0, 4, 0, 0)))
    console.print(_lengths(found, console.width))
    if found.funnel.dropped:
        console.print()
        console.print(_funnel(found.funnel, top))
        note = f"counted in calls; {found.funnel.whole:,} programs that were dropped as a whole count as one each"
        console.print(Text(note, style="dim"))


def bar(share: float) -> str:
    """A bar of at most twelve cells, in steps of an eighth."""
    eighths = max(round(share * _BAR * 8), 1) if share > 0 else 0
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _totals(found: Description) -> Text:
    about = "" if found.subjects_exact else "about "
    counts = {name: found.total(name) for name in ("events", "tokens", "characters")}
    text = Text(f"{found.traces:,} traces of {about}{found.subjects:,} programs · ")
    text.append(" · ".join(f"{count:,} {name}" for name, count in counts.items()))
    return text.append(f" · {size(found.bytes_on_disk)} on disk, {size(found.bytes_a_trace)} a trace")


def _tables(found: Description, top: int) -> list[Table]:
    names: dict[str, Amount] = {}
    for (_, name), amount in found.by_name.items():
        names.setdefault(name, Amount()).add(amount.traces, amount.events, amount.tokens)
    mix = "events" if found.sampled == found.traces else f"events of {found.sampled:,} traces"
    tables = [
        _amounts("kind", found.by_kind, top),
        _amounts("source", names, top),
        _amounts("licence", found.by_licence, top),
        _counts("outcome", found.outcomes, found.traces, top),
        _counts("raised", found.exceptions, found.exceptions.total(), top),
        _counts("known answer", found.answers, found.answers.total(), top),
        _counts(mix, found.event_mix, found.event_mix.total(), top),
        _counts("shows a", found.value_types, found.traces, top),
        _counts("source has a", found.constructs, found.traces, top),
    ]
    return [table for table in tables if table.row_count]


def _amounts(title: str, amounts: Mapping[str, Amount], top: int) -> Table:
    table = _table(title, "traces", "share", "tokens", "")
    total = sum(amount.traces for amount in amounts.values())
    ordered = largest(dict(amounts))
    for name, amount in ordered[:top]:
        cells = f"{amount.traces:,}", f"{amount.traces / total:.1%}", f"{amount.tokens:,}"
        table.add_row(_name(name), *cells, bar(amount.traces / ordered[0][1].traces))
    return _rest(table, len(amounts), top)


def _counts(title: str, counts: Mapping[str, int], total: int, top: int) -> Table:
    """`total`: of what the share is."""
    table = _table(title, "", "share", "")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for name, count in ordered[:top]:
        table.add_row(_name(name), f"{count:,}", f"{count / max(total, 1):.1%}", bar(count / max(ordered[0][1], 1)))
    return _rest(table, len(counts), top)


def _lengths(found: Description, width: int) -> Table:
    """A row a measure, a column a quantile; fewer in a narrow terminal."""
    quantiles = list(QUANTILES) if width >= 100 else [name for name in QUANTILES if name not in ("25 %", "75 %")]
    table = _table("a trace", "mean", *quantiles)
    for name, measured in found.lengths.items():
        shown = [f"{measured.quantile(QUANTILES[q]):,.0f}" for q in quantiles]
        table.add_row(name, f"{measured.mean:,.1f}", *shown)
    shown = [f"{found.coverage.quantile(QUANTILES[q]):.0%}" for q in quantiles]
    table.add_row("coverage", f"{found.coverage.mean:.0%}", *shown)
    return table


def _funnel(funnel: Funnel, top: int) -> Table:
    """A row a stage, its reasons below it."""
    table = _table("stage", "dropped", "share", "left", "")
    table.add_row("tried", "", "", f"{funnel.tried:,}", bar(1.0))
    for stage in funnel.stages:
        left = bar(stage.left / max(funnel.tried, 1))
        table.add_row(stage.name, f"{stage.dropped:,}", f"{stage.share:.1%}", f"{stage.left:,}", left)
        for reason, count in stage.reasons.most_common(top):
            cells = f"{count:,}", f"{count / max(stage.entered, 1):.1%}"
            table.add_row(Text("  ").append(_name(reason)), *(Text(cell, style="dim") for cell in cells), "", "")
    table.add_row("kept", "", "", f"{funnel.kept:,}", bar(funnel.kept / max(funnel.tried, 1)), style="bold")
    return table


def _table(*names: str) -> Table:
    """Columns of numbers to the right of a name; one without a name at the end is for bars."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(names[0], no_wrap=True)
    for name in names[1:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    if names[-1]:
        table.add_column(names[-1], justify="right", no_wrap=True)
    else:
        table.add_column("", width=_BAR, no_wrap=True, style="cyan")
    return table


def _name(name: str) -> Text:
    text = Text(on_one_line(name))
    text.truncate(_NAME, overflow="ellipsis")
    return text


def _rest(table: Table, count: int, top: int) -> Table:
    if count > top:
        table.add_row(Text(f"and {count - top:,} more", style="dim"))
    return table
