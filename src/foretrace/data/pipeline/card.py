"""The README of a dataset: what is in it, where it comes from, under which licences, and what was left out."""

from collections.abc import Mapping
from typing import Any

from foretrace.data.schema import COLUMNS

_LISTED = 25


def card(manifest: Mapping[str, Any]) -> str:
    """The dataset card of a manifest, with the metadata that dataset hubs read at its head."""
    counts, definition, maker = manifest["counts"], manifest["definition"], manifest["made_by"]
    total = counts.get("traces", 0)
    sections = [
        _head(manifest),
        "# Traces of Python programs\n",
        f"{total:,} recorded executions of {counts.get('subjects', 0):,} functions and scripts: "
        f"{counts.get('events', 0):,} events, {counts.get('characters', 0):,} characters of CWM text, "
        f"about {counts.get('tokens', 0):,} tokens. "
        "Each trace is what happened, line by line, when the code ran; none is a model's.\n",
        "```python\nfrom datasets import load_dataset\n\n"
        "traces = load_dataset('parquet', data_files='traces-*.parquet')\n```\n",
        "The column `trace` is in foretrace's binary form: `foretrace.trace.read_binary(row['trace'])` gives its frames, "
        "`binary_to_wire` the text that a model reads.\n",
        "## How it was made\n",
        f"foretrace {maker['foretrace']}, Python {maker['python']} on {maker['machine']}, `PYTHONHASHSEED=0`, seed "
        f"{definition['seed']}. Code ran in the sandbox `{manifest['sandbox']['backend']}` "
        f"({', '.join(manifest['sandbox']['walls']) or 'no walls'}).\n",
        _table("Setting", "Value", {name: _short(value) for name, value in definition.items()}),
        _arguments(manifest["arguments"]),
        "## Where it comes from\n",
        _table("Kind", "Traces", manifest["by_kind"]),
        _table("Source", "Traces", manifest["by_name"]),
        "## Licences\n",
        "The code in the columns `source` and `trace` is its authors', under the licence in the column `licence`.\n",
        _table("Licence", "Traces", manifest["by_licence"]),
        "## What was left out\n",
        _table("Stage: reason", "Number", manifest["dropped"]),
        _decontamination(definition["benchmarks"]),
        "## Columns\n",
        _table(
            "Column", "Meaning", {f"`{name}` ({kind})": meaning for name, (kind, meaning) in COLUMNS.items()}, len(COLUMNS)
        ),
    ]
    return "\n".join(sections)


def _head(manifest: Mapping[str, Any]) -> str:
    return (
        "---\nlanguage: [code]\ntags: [code-world-model, execution-traces, python]\nconfigs:\n- config_name: default\n"
        f"  data_files: traces-*.parquet\nsize_categories: [{_size(manifest['counts'].get('traces', 0))}]\n---\n"
    )


def _size(rows: int) -> str:
    """The size as hubs say it."""
    names = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "n>1B"]
    return names[min(max(0, len(str(rows)) - 3), len(names) - 1)]


def _arguments(found: Mapping[str, Any]) -> str:
    if not found["functions"]:
        return ""
    return (
        f"Arguments were looked for of {found['functions']:,} functions: a call that returned and did something was found "
        f"for {found['with_success']:.0%}, and on average {found['line_coverage']:.0%} of their lines ran.\n"
    )


def _decontamination(benchmarks: list[str]) -> str:
    if not benchmarks:
        return "It was not compared with any benchmark.\n"
    names = ", ".join(path.rpartition("/")[2] for path in benchmarks)
    return f"Nothing in it is, or closely resembles, a program or a problem of: {names}.\n"


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item).rpartition("/")[2] for item in value) or "none"
    return str(value) if value != "" else "none"


def _table(left: str, right: str, rows: Mapping[str, object], most: int = _LISTED) -> str:
    lines = [f"| {left} | {right} |", "|---|---|"]
    for name, value in list(rows.items())[:most]:
        shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        lines.append(f"| {_cell(name)} | {_cell(shown)} |")
    if len(rows) > most:
        lines.append(f"| … {len(rows) - most} more | |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
