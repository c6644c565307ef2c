"""A run in a folder: one model, any number of benchmarks, each in a style, and one line of JSON a sample.

    RUN/run.json                            the model, versions, and of each part its settings and its data
    RUN/cruxeval-o.direct/samples.jsonl     what was said, read and judged: appended, never changed
    RUN/cruxeval-o.direct/answers.jsonl     what was said and is not judged yet; gone when the part is whole

    run = Run.open(Path("runs/tiny"))
    for name, part in run.parts.items(): part.manifest["title"], part.samples()

A run that is killed at any moment goes on where it was: an answer that was paid for is on the disk before it is judged, a
line that was cut by the kill is dropped, and nothing is there twice.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from foretrace.errors import FormatError, UsageError
from foretrace.evals.lines import read_lines
from foretrace.evals.types import Reason

MANIFEST, SAMPLES, ANSWERS = "run.json", "samples.jsonl", "answers.jsonl"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer and its verdict: a line of samples.jsonl."""

    item: str
    sample: int
    """Which of the item's answers, from 0."""
    raw: str
    """All that the model said, its thought among it."""
    extracted: str | None
    strict: bool
    official: bool
    reason: str
    """A `types.Reason`."""
    detail: str = ""
    seconds: float = 0.0
    """Of the model."""
    score_seconds: float = 0.0
    prompt_tokens: int = 0
    tokens: int = 0
    truncated: bool = False
    cost: float = 0.0
    error: str = ""
    """Why there is no answer; empty if there is one."""
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    isolation: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether nothing is known of the answer."""
        return self.reason == Reason.BROKEN

    @property
    def cluster(self) -> str:
        """Samples of one cluster are no independent evidence."""
        return self.group or self.item

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """What `asdict` made of one.

        Raises:
            FormatError: it is something else.

        """
        names = {each.name for each in fields(cls)}
        if not isinstance(content, dict) or not {"item", "sample", "reason"} <= content.keys() <= names:
            raise FormatError("no sample of a run")
        counts = {name: (int(hits), int(total)) for name, (hits, total) in content.get("counts", {}).items()}
        return cls(**{**content, "counts": counts})


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark in one style."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`cruxeval-o:direct`."""
        return f"{self.manifest['benchmark']}:{self.manifest['style']}"

    def samples(self) -> list[Sample]:
        """In the order in which they came first; of those that were done again the last one.

        Raises:
            FormatError: a line is no sample; it is said which.

        """
        found: dict[tuple[str, int], Sample] = {}
        for content in read_lines(self.folder / SAMPLES, Sample.from_dict):
            found[content.item, content.sample] = content
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Run:
    """All that was measured of one model."""

    folder: Path
    content: dict[str, Any]
    """Of run.json."""

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Reads the manifest.

        Raises:
            UsageError: there is no run.
            FormatError: it is damaged, or of another version.

        """
        file = folder / MANIFEST
        if not file.is_file():
            raise UsageError(f"{folder} is no run; make one: foretrace eval run BENCHMARK --model MODEL -o {folder}")
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            version, _, _ = content["v"], content["model"]["name"], dict(content["parts"])
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"{file} is damaged: {error!r}") from error
        if version != VERSION:
            raise FormatError(f"{folder} is a run of version {version}, and this reads {VERSION}")
        return cls(folder, content)

    @property
    def model(self) -> Mapping[str, Any]:
        """`kind`, `name`, `sha256`, settings."""
        found: Mapping[str, Any] = self.content["model"]
        return found

    @property
    def parts(self) -> dict[str, Part]:
        """By the names of their folders, in the order in which they were begun."""
        return {name: Part(self.folder / name, manifest) for name, manifest in self.content["parts"].items()}

    def part(self, name: str) -> Part:
        """The part called `cruxeval-o:direct`, or the only one of a benchmark.

        Raises:
            UsageError: there is none, or there are several.

        """
        found = [part for part in self.parts.values() if name in (part.name, part.manifest["benchmark"])]
        if len(found) != 1:
            there = ", ".join(part.name for part in self.parts.values()) or "nothing"
            raise UsageError(f"{self.folder} has {'several parts' if found else 'no part'} called {name!r}; it has: {there}")
        return found[0]

    def put(self, name: str, manifest: Mapping[str, Any]) -> None:
        """Puts a part into run.json, beside those that other processes have put there since it was read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            there = Run.open(self.folder).content["parts"] if (self.folder / MANIFEST).exists() else {}
            self.content["parts"] |= there | {name: dict(manifest)}
            self._write()
        finally:
            os.close(lock)  # and with it the lock

    def _write(self) -> None:
        """Replaces run.json as a whole."""
        temporary = self.folder / f".{MANIFEST}.part"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / MANIFEST)
