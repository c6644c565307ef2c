"""Trajectories in the formats of others. Ours is the record; these are views of it, and no turn is made up for them.

    report = export(read_trajectories(Path("run")), "atif", Path("out"))
    report.written, report.left_out        # 40, [("toolz-3.chat-1f.0", "message 7 spells the special token …")]

| format | file | for |
|---|---|---|
| `chat` | `chat.jsonl` | training on messages: what is learnt is marked |
| `cwm` | `cwm.jsonl` | CWM's text form |
| `swe-agent` | `NAME.traj` | SWE-agent's inspector and tools |
| `mini-swe-agent` | `NAME.traj.json` | mini-swe-agent's |
| `atif` | `NAME.trajectory.json` | Harbor |
| `predictions` | `predictions.jsonl` | SWE-bench's harness |
| `parquet` | `trajectories.parquet` | queries |
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foretrace.errors import FormatError, UsageError
from foretrace.forager.export.atif import atif
from foretrace.forager.export.chat import chat_row
from foretrace.forager.export.cwm import transcript_row
from foretrace.forager.export.facts import result_of
from foretrace.forager.export.swe_agent import mini_swe_agent, prediction, swe_agent
from foretrace.forager.export.table import write_table
from foretrace.forager.trajectory import Trajectory

Render = Callable[[Trajectory], Any]
ROWS: Mapping[str, tuple[str, Render]] = {
    "chat": ("chat.jsonl", chat_row),
    "cwm": ("cwm.jsonl", transcript_row),
    "predictions": ("predictions.jsonl", prediction),
}
"""Formats with one file for all: its name, and a row."""
FILES: Mapping[str, tuple[str, Render]] = {
    "swe-agent": (".traj", swe_agent),
    "mini-swe-agent": (".traj.json", mini_swe_agent),
    "atif": (".trajectory.json", atif),
}
"""Formats with a file for each: how its name ends, and what is in it."""
FORMATS = (*ROWS, *FILES, "parquet")


@dataclass(slots=True)
class Report:
    """What became of trajectories."""

    written: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Episodes that a format cannot hold, and why."""


def export(trajectories: Iterable[Trajectory], form: str, folder: Path) -> Report:
    """Writes trajectories into a folder, which is made if it is not there; files of the same names are replaced.

    Raises:
        UsageError: there is no such format, or a package that it needs is missing.

    """
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}; there are: {', '.join(FORMATS)}")
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    if form == "parquet":
        report.written = write_table(_finished(trajectories, report), folder / "trajectories.parquet")
    elif form in ROWS:
        name, render = ROWS[form]
        _write(folder / name, (_text(row) + "\n" for _, row in _rendered(trajectories, render, report)))
    else:
        ending, render = FILES[form]
        for episode, content in _rendered(trajectories, render, report):
            _write(folder / (episode + ending), [_text(content, indent=1)])
    return report


def _finished(trajectories: Iterable[Trajectory], report: Report) -> Iterator[Trajectory]:
    return (trajectory for trajectory, _ in _rendered_with(trajectories, result_of, report))


def _rendered(trajectories: Iterable[Trajectory], render: Render, report: Report) -> Iterator[tuple[str, Any]]:
    for trajectory, content in _rendered_with(trajectories, render, report):
        report.written += 1
        yield trajectory.header.episode, content


def _rendered_with(trajectories: Iterable[Trajectory], render: Render, report: Report) -> Iterator[tuple[Trajectory, Any]]:
    for trajectory in trajectories:
        try:
            yield trajectory, render(trajectory)
        except FormatError as error:
            report.left_out.append((trajectory.header.episode, str(error)))


def _text(content: Any, indent: int | None = None) -> str:
    return json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False)


def _write(path: Path, texts: Iterable[str]) -> None:
    """Under another name first, so that no reader finds half a file."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        for text in texts:
            file.write(text.encode("utf-8", "backslashreplace"))  # JSON's own escapes for halves of characters
    temporary.replace(path)
