"""Numbers that others have published, as facts with their sources, to stand beside what is measured here.

    found = published("cruxeval-o")
    found.rows[0].model, found.rows[0].score, found.rows[0].source.where
    found.floors                       # what is had without a model

They are data in the package (`*.json`), in per cent as their authors give them, under their rules and settings. What no
author says of the number of parameters is None.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from foretrace.evals.statistics import Share

_FILES = ("cruxeval", "code", "livecodebench", "maths", "swebench")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says so."""

    title: str
    where: str
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A model's pass@1 on a benchmark."""

    model: str
    parameters: float | None
    """All of them, of a mixture of experts too; None: not published."""
    style: str
    """How it was asked: `direct`, `cot`, `thinking`, `trace`, `jump`, `agent`, …"""
    score: float
    """Between 0 and 1."""
    items: int
    source: Source
    is_execution_trained: bool
    """Whether it was trained on executions, as our models are."""
    note: str

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, as of one answer an item: authors give none."""
        return Share(round(self.score * self.items), self.items).interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A score that needs no model."""

    name: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """All that is known of one benchmark."""

    benchmark: str
    rows: tuple[Score, ...]
    floors: tuple[Floor, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Of its rows, each once."""
        return tuple(dict.fromkeys(row.source for row in self.rows))


def published(benchmark: str) -> Published:
    """What is published of a benchmark, by our name for it; it may be nothing."""
    rows: list[Score] = []
    floors: list[Floor] = []
    for name in _FILES:
        content = _content(name)
        if benchmark in content["items"]:
            rows += [_score(row, benchmark, content["items"]) for row in content["rows"] if benchmark in row["scores"]]
            known = [floor for floor in content["floors"] if floor["benchmark"] == benchmark]
            floors += [Floor(name=floor["name"], score=floor["score"] / 100) for floor in known]
    return Published(benchmark=benchmark, rows=tuple(rows), floors=tuple(floors))


def _score(row: Mapping[str, Any], benchmark: str, items: Mapping[str, int]) -> Score:
    billions = row["billions"]
    return Score(
        model=row["model"],
        parameters=None if billions is None else billions * 1e9,
        style=row["style"],
        score=row["scores"][benchmark] / 100,
        items=items[benchmark],
        source=Source(**_content("sources")[row["source"]]),
        is_execution_trained=row.get("trained_on") == "executions",
        note=row.get("note", ""),
    )


@cache
def _content(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files(__name__) / f"{name}.json").read_text(encoding="utf-8"))
    return found
