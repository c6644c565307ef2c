"""What has no image and why: one file for each source, with the log of every attempt, for people and for a rescue.

for failure in list_failures("images"):
    failure.source, failure.reason, failure.attempts[-1]["log"]
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace.repos.attempt import Attempt
from foretrace.repos.sources import Source

FOLDER = ".failed"
_LOG = 20_000
"""Characters of each attempt's log that are kept: its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A source that has no image."""

    source: str
    """Its spec."""
    reason: str
    seconds: float
    attempts: Sequence[dict[str, Any]]
    """Of each `plan`, `reason` and `log`."""


def place_of(out: Path, source: Source) -> Path:
    """The file for a source in a folder of images, whether it is there or not."""
    return out / FOLDER / f"{hashlib.sha256(source.spec.encode()).hexdigest()[:16]}.json"


def keep(file: Path, source: Source, reason: str, attempts: Sequence[Attempt], seconds: float) -> None:
    """Writes why a source has no image."""
    told = [{"reason": each.reason, "plan": each.plan.as_json(), "log": each.log[-_LOG:]} for each in attempts]
    data = {"v": 1, "source": source.spec, "reason": reason, "seconds": round(seconds, 3), "attempts": told}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(data, indent=1) + "\n", errors="replace")
    unfinished.replace(file)


def read(file: Path) -> Failure:
    """Reads what `keep` wrote."""
    data = json.loads(file.read_text())
    return Failure(**{name: data[name] for name in ("source", "reason", "seconds", "attempts")})


def list_failures(folder: str | Path) -> list[Failure]:
    """All of a folder of images, by source."""
    return sorted(map(read, Path(folder, FOLDER).glob("*.json")), key=lambda failure: failure.source)
