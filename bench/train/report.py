"""Tables in Markdown of what `speed.py` measured: `python bench/train/report.py [results.jsonl or sweep.jsonl …]`.

A figure is the median over rounds, the peak of a matrix product their best; the spread is (largest - smallest) / median. Tokens per
CPU second, of all threads, are what to look at where the machine was busy with other things.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "runs" / "train-speed" / "results.jsonl"
BASE = "hugging_face"
"""Ratios are to this contender."""
HEAD = [
    "contender",
    "tokens/s",
    "spread",
    "times HF",
    "MFU",
    "tokens/CPU s",
    "step, s",
    "start, s",
    "peak RSS, MiB",
    "settings",
]
Cell = list[dict[str, Any]]
"""One contender's rounds with the same settings, shape and tokens a step."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="*", default=[RESULTS])
    given = parser.parse_args()
    print(report([record for file in given.results for record in read(file)]))


def read(file: Path) -> list[dict[str, Any]]:
    """What is in a file of results."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def report(records: list[dict[str, Any]]) -> str:
    """A table for each shape and number of tokens a step, then what failed."""
    peaks = [record["peak"] for record in records if "peak" in record]
    runs = [record for record in records if "contender" in record]
    flops = max(peak["flops_per_second"] for peak in peaks)
    threads = sorted({peak["threads"] for peak in peaks})
    parts = [
        f"Peak of a bfloat16 matrix product: {flops / 1e9:,.0f} GFLOP/s (torch {peaks[0]['torch']}, threads: {threads})."
    ]
    for shape, tokens in dict.fromkeys((r["shape"], r["tokens"]) for r in runs):
        chosen = [r for r in runs if (r["shape"], r["tokens"]) == (shape, tokens)]
        parts.append(f"## {shape}, {tokens:,} tokens a step, {chosen[0]['device']}")
        parts.append(table([HEAD, *rows(chosen, flops)]))
    failures = {f"{r['name']}, {r['shape']}, {r['settings']}: {r['failed']}" for r in runs if "failed" in r}
    return "\n\n".join([*parts, *sorted(failures)])


def rows(runs: list[dict[str, Any]], peak: float) -> Iterator[list[str]]:
    """Rows of a table, without its head; with several settings of a contender the fastest first."""
    groups: dict[tuple[str, str], Cell] = defaultdict(list)
    for run in runs:
        if "failed" not in run:
            groups[run["name"], run["settings"]].append(run)
    cells = list(groups.values())
    names = [cell[0]["name"] for cell in cells]
    if len(set(names)) < len(names):
        cells.sort(key=lambda cell: -middle(cell, "tokens_per_second"))
    base = max((middle(cell, "tokens_per_second") for cell in cells if cell[0]["name"] == BASE), default=None)
    for cell in cells:
        yield row(cell, base, peak)


def row(cell: Cell, base: float | None, peak: float) -> list[str]:
    """One contender."""
    speed, first = middle(cell, "tokens_per_second"), cell[0]
    speeds = [run["tokens_per_second"] for run in cell]
    spread = (max(speeds) - min(speeds)) / speed
    return [
        first["contender"],
        f"{speed:,.0f}",
        f"{spread:.0%}" if len(cell) > 1 else "",
        f"{speed / base:.2f}" if base else "",
        f"{speed * first['flops_per_token'] / peak:.0%}",
        f"{middle(cell, 'tokens_per_processor_second'):,.0f}",
        f"{median(run['step_seconds']['p50'] for run in cell):.2f}",
        f"{max(run['start_seconds'] for run in cell):.0f}",
        f"{middle(cell, 'peak_rss_mib'):,.0f}",
        first["settings"],
    ]


def middle(cell: Cell, field: str) -> float:
    """The median over rounds."""
    return float(median(run[field] for run in cell))


def table(lines: list[list[str]]) -> str:
    """Markdown."""
    head, *body = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


if __name__ == "__main__":
    main()
