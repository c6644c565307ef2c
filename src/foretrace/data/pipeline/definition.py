"""What a dataset of traces is to be: everything that decides its bytes, and nothing that does not."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foretrace.corpus.types import digest
from foretrace.errors import UsageError
from foretrace.trace import Limits

RANGE = 20_000
"""Synthesised programs that one task makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One dataset. The same definition and seed give the same files, on one machine or many, however often it was killed."""

    sources: tuple[str, ...]
    """Sources of subjects: see `foretrace.corpus.sources.subjects`; `tests:PATH` for a repository's own tests."""
    seed: int = 0
    sandbox: str = "process"
    calls: int = 8
    """Argument lists of a function at most."""
    tries: int = 60
    """Calls to find them by, for a function that comes without enough; 0: take those it comes with."""
    subjects_per_shard: int = 1000
    max_events: int = 10_000
    """CWM report, section 2.2, as is `max_characters`."""
    max_characters: int = 1_000_000
    keep_cut_values: bool = False
    """Whether to keep traces that show a value only in part: such a state cannot be computed with."""
    near_duplicate: float = 0.8
    """Jaccard similarity of two sources' shingles above which the later one is dropped; over 1: none is."""
    benchmarks: tuple[str, ...] = ()
    """Files whose programs and texts no subject may resemble."""
    licence: str = ""
    """SPDX expression for sources that do not tell theirs."""
    narrate: bool = False
    server: str = ""
    """Address of an OpenAI-compatible server whose `model` proposes arguments and, with `narrate`, tells the traces."""
    model: str = ""
    python: str = ""
    """Of repositories' tests: the interpreter that has pytest and what they need; by default this one."""
    step_in: float = 0.5
    """Of repositories' tests: probability that a call is part of its caller's episode (CWM report, section 2.2)."""
    depth: int = 3
    """Of repositories' tests: levels of calls in an episode at most."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("a dataset needs a source; for example synthesised:1000, a folder, an sdist or a .jsonl file")
        if bool(self.server) != bool(self.model):
            raise UsageError("a model has a server and a name: give both --server and --model, or neither")
        for name in ("calls", "subjects_per_shard", "max_events", "max_characters", "depth"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")

    @property
    def limits(self) -> Limits:
        """Of one recording. Time is a last resort: what it cuts is dropped, since another machine might not cut it."""
        return Limits(seconds=5.0, cpu_seconds=4.0, max_events=self.max_events, max_bytes=self.max_characters)

    def fingerprint(self) -> str:
        """Of the definition and of the files it names; two datasets with the same one are the same."""
        return digest(
            json.dumps(asdict(self), sort_keys=True), *(_content(path) for path in (*self.sources, *self.benchmarks))
        )

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)

    def parts(self) -> list[str]:
        """The sources, cut into pieces that one task can read."""
        return [part for source in self.sources if not source.startswith("tests:") for part in _pieces(source)]

    def repositories(self) -> list[str]:
        """Paths of the repositories whose tests are recorded."""
        return [source.removeprefix("tests:") for source in self.sources if source.startswith("tests:")]


@dataclass(frozen=True, slots=True)
class Drop:
    """What was left out, and why: a row of `DROP_COLUMNS`."""

    stage: str
    reason: str
    detail: str = ""
    arguments: str | None = None
    of: dict[str, Any] = field(default_factory=dict)
    """Columns that say what it is of: subject, kind, name, path, line, entry."""

    def row(self) -> dict[str, Any]:
        """All columns."""
        own = {"stage": self.stage, "reason": self.reason, "detail": self.detail[:500], "arguments": self.arguments}
        return self.of | own


def _content(path: str) -> str:
    """A fingerprint of a file's content; of what is no file, its name."""
    file = Path(path)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else path


def _pieces(source: str) -> list[str]:
    match = re.fullmatch(r"(synthesised|short):(\d+)(?:@(\d+))?", source)
    if match is None:
        return [source]
    kind, count, first = match[1], int(match[2]), int(match[3] or 0)
    return [f"{kind}:{min(RANGE, count - at)}@{first + at}" for at in range(0, count, RANGE)]
