"""Tables in Markdown and a plot of what `run.py` measured: `python bench/recording/report.py [results.jsonl] [--plot FILE.svg]`.

A cell is the median over rounds: CPU nanoseconds an event / times as slow as without a tracer / times as fast as naive_diff. An
event is a call of a `sys.settrace` function, so a tool that reports less is not favoured. Cold: the first traced run of a
process, which is what recording programs that were never seen before costs; warm: the median of those after it.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "runs" / "recording" / "results.jsonl"
BASE = "naive_diff"
ABSENT = "–"
COLOURS = ("#1b6ca8", "#e07b39", "#3a9d6e", "#8e5ea2")


class Results:
    """Medians of one interpreter's measurements, in scope or out of it."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.titles = {r["tracer"]: r["title"] for r in records}
        self.programs = {r["workload"]: r["program"] for r in records}
        self.cells: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for record in records:
            self.cells[record["tracer"], record["workload"]].append(record)

    def median(self, tracer: str, workload: str, field: str) -> float | None:
        """The median of a field over rounds."""
        cell = self.cells.get((tracer, workload))
        return median(r[field] for r in cell) if cell else None

    def slowdown(self, tracer: str, workload: str, phase: str) -> float | None:
        """Times as slow as the same process was before it traced."""
        cell = self.cells.get((tracer, workload))
        return median(r[f"{phase}_seconds"] / r["untraced_seconds"] for r in cell) if cell else None

    def ratio(self, tracer: str, workload: str, phase: str) -> float | None:
        """Times as fast as the base."""
        ours, base = (self.median(name, workload, f"{phase}_seconds") for name in (tracer, BASE))
        return base / ours if ours and base else None

    def mean(self, tracer: str, phase: str) -> float | None:
        """The geometric mean of the ratios on all workloads; none if one is missing."""
        ratios = [self.ratio(tracer, workload, phase) for workload in self.programs]
        known = [ratio for ratio in ratios if ratio]
        return geometric_mean(known) if known and len(known) == len(ratios) else None

    def speeds(self, phase: str) -> Iterator[list[str]]:
        """Rows of a table of times."""
        yield ["tracer", *(f"{w} {program}" for w, program in self.programs.items()), f"geomean vs {BASE}"]
        for tracer, title in self.titles.items():
            cells = [self.speed(tracer, workload, phase) for workload in self.programs]
            yield [title, *cells, shown(self.mean(tracer, phase))]

    def speed(self, tracer: str, workload: str, phase: str) -> str:
        """A cell of that table."""
        seconds, events = (self.median(tracer, workload, field) for field in (f"{phase}_seconds", "events"))
        if seconds is None or not events:
            return ABSENT
        values = (self.slowdown(tracer, workload, phase), self.ratio(tracer, workload, phase))
        return " / ".join([f"{1e9 * seconds / events:,.0f}", *(shown(value) for value in values)])

    def slowdowns(self) -> Iterator[list[str]]:
        """Rows of a table of slowdowns, first run and later ones."""
        yield ["tracer", *(f"{w} {program}" for w, program in self.programs.items())]
        for tracer, title in self.titles.items():
            phases = ([shown(self.slowdown(tracer, w, phase), 2) for phase in ("cold", "warm")] for w in self.programs)
            yield [title, *(" / ".join(cell) for cell in phases)]

    def sizes(self) -> Iterator[list[str]]:
        """Rows of a table of output and memory."""
        yield ["tracer", *(f"{w} {program}" for w, program in self.programs.items())]
        for tracer, title in self.titles.items():
            yield [title, *(self.size(tracer, workload) for workload in self.programs)]

    def size(self, tracer: str, workload: str) -> str:
        """A cell of that table."""
        count, peak, events = (self.median(tracer, workload, field) for field in ("bytes", "peak_kb", "events"))
        if count is None or peak is None or not events:
            return ABSENT
        return f"{count / events:,.1f} / {peak / 1024:.1f}"

    def spread(self) -> str:
        """How much rounds differ."""
        times = [[r["cold_seconds"] for r in cell] for cell in self.cells.values()]
        spreads = sorted((max(t) - min(t)) / median(t) for t in times)
        rounds = max(len(t) for t in times)
        if rounds == 1:
            return "One round."
        return (
            f"Rounds: {rounds}. Spread of cold runs over rounds, (max - min) / median: "
            f"half of the cells within {median(spreads):.0%}, 9 of 10 within {spreads[int(0.9 * len(spreads))]:.0%}."
        )


def shown(value: float | None, decimals: int = 1) -> str:
    """A number in a cell."""
    return ABSENT if value is None else f"{value:,.{decimals if value < 100 else 0}f}"


def table(rows: Iterator[list[str]]) -> str:
    """Markdown."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def read(path: Path) -> dict[tuple[str, bool], Results]:
    """Results by Python version and scope."""
    groups = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if "events" in record:
            groups[record["python"], record["in_scope"]].append(record)
    return {key: Results(records) for key, records in groups.items()}


def report(groups: dict[tuple[str, bool], Results]) -> str:
    """All tables."""
    parts = []
    for (python, in_scope), results in groups.items():
        if not in_scope:
            parts.append(f"## Python {python}, nothing in scope: times as slow as untraced, cold / warm")
            parts.append(table(results.slowdowns()))
            continue
        for phase in ("cold", "warm"):
            parts.append(f"## Python {python}, {phase}: ns an event / times untraced / times as fast as {BASE}")
            parts.append(table(results.speeds(phase)))
        parts.append(f"## Python {python}: bytes an event / peak memory of the first run, MiB")
        parts += [table(results.sizes()), results.spread()]
    return "\n\n".join(parts)


def plot(groups: dict[tuple[str, bool], Results]) -> str:
    """Cold speed, geometric mean of all workloads, as SVG: a bar a tracer and Python version, on a logarithmic scale."""
    versions = {python: results for (python, in_scope), results in groups.items() if in_scope}
    titles = {t: title for results in versions.values() for t, title in results.titles.items() if t != "untraced"}
    bars: dict[str, list[tuple[int, float]]] = {}
    for tracer in titles:
        speeds = [results.mean(tracer, "cold") for results in versions.values()]
        bars[tracer] = [(number, speed) for number, speed in enumerate(speeds) if speed]
    lowest, highest = 0.1, 10 ** len(f"{max([1.0, *(mean for bar in bars.values() for _, mean in bar)]):.0f}")
    left, width, thick, y = 300, 460, 13, 52

    def x(value: float) -> float:
        return left + width * position(max(value, lowest), lowest, highest)

    shapes = []
    for tracer, means in sorted(bars.items(), key=lambda item: -max([0.0, *(mean for _, mean in item[1])])):
        if not means:
            continue
        middle = y + thick * len(means) / 2 + 4
        shapes.append(f'<text x="{left - 8}" y="{middle}" text-anchor="end">{titles[tracer].replace("*", "")}</text>')
        for number, mean in means:
            colour, start = COLOURS[number % len(COLOURS)], min(x(1), x(mean))
            length = max(abs(x(mean) - x(1)), 1)
            shapes.append(
                f'<rect x="{start:.1f}" y="{y}" width="{length:.1f}" height="{thick - 1}" fill="{colour}"/>'
                f'<text x="{max(x(mean), x(1)) + 4:.1f}" y="{y + thick - 3}">{mean:.3g}×</text>'
            )
            y += thick
        y += 9
    ticks = [
        f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="46" y2="{y}" stroke="#bbb"/>'
        f'<text x="{x(t):.1f}" y="{y + 14}" text-anchor="middle">{t:g}×</text>'
        for t in (0.1, 1, 10, 100, 1000)
        if t <= highest
    ]
    legend = [
        f'<text x="{left + 95 * number}" y="38" fill="{COLOURS[number % len(COLOURS)]}">Python {python}</text>'
        for number, python in enumerate(versions)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 60} {y + 24}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/><text x="12" y="20" font-size="14">'
        f"Speed of recording, {BASE} = 1 (first run, geometric mean of the workloads)</text>"
    )
    return "\n".join([head, *legend, *ticks, *shapes, "</svg>", ""])


def position(value: float, lowest: float, highest: float) -> float:
    """Where a value is on a logarithmic axis, 0 to 1."""
    return math.log(value / lowest) / math.log(highest / lowest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    parser.add_argument("--plot", type=Path, help="where to write the plot (default: results.svg beside the results)")
    given = parser.parse_args()
    groups = read(given.results)
    print(report(groups))
    if any(in_scope for _, in_scope in groups):
        path = given.plot or given.results.with_suffix(".svg")
        path.write_text(plot(groups), encoding="utf-8")
        print(f"\nPlot: {path}")


if __name__ == "__main__":
    main()
