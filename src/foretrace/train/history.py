"""What runs have written so far, read back for plots; a run may be in progress, and needs no torch to be looked at.

[run] = read_runs([Path("runs/tiny")])      # all stages of a recipe, one after the other
run.records[-1]["loss"]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.train.sinks import METRICS, read_jsonl

X = ("tokens", "seconds", "step")
"""What curves can be drawn against; every record has all three."""
STAGES = ("pretrain", "midtrain", "sft")
"""Folders of a recipe's stages, in their order."""


@dataclass(frozen=True, slots=True)
class Run:
    """The records of one run."""

    name: str
    records: tuple[Mapping[str, Any], ...]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs at `paths`, each a file of metrics, the folder of a stage, or that of a recipe, whose stages are joined.

    They may be in progress.

    Raises:
        UsageError: there are no records at one of them.

    """
    names = [path.resolve().name if path.is_dir() else path.resolve().parent.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return [Run(name, tuple(_records(_files(path), path))) for name, path in zip(names, paths, strict=True)]


def _files(path: Path) -> list[Path]:
    """The files of metrics at a path, in the order of their stages."""
    if path.is_file():
        return [path]
    if (path / METRICS).is_file():
        return [path / METRICS]
    order = {stage: number for number, stage in enumerate(STAGES)}
    files = sorted(path.glob(f"*/{METRICS}"), key=lambda file: (order.get(file.parent.name, len(order)), file.parent.name))
    if not files:
        raise UsageError(f"no run at {path}: neither in it nor in a folder of it is there a {METRICS}")
    return files


def _records(files: Sequence[Path], path: Path) -> list[dict[str, Any]]:
    """All records; each stage counts from where the one before it ended."""
    records: list[dict[str, Any]] = []
    for file in files:
        before = {x: max((r[x] for r in records if x in r), default=0) for x in X}
        stage = {"stage": file.parent.name} if len(files) > 1 else {}
        for record in read_jsonl(file):
            places = {x: record[x] + before[x] for x in X if isinstance(record.get(x), int | float)}
            if places:
                records.append(stage | record | places)
    if not records:
        raise UsageError(f"{path} has no records yet; a run writes one every log_every steps")
    return records
