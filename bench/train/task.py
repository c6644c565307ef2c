"""What a contender is asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clock import Clock

from foretrace.model.config import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Train a model of this shape on these documents until the clock says that it is enough."""

    model: ModelConfig
    data: Path
    """Folder of shards."""
    tokens: int
    """An optimiser step; as many of them as whole documents or rows fill, where the contender works so."""
    device: str
    """cpu or cuda."""
    seed: int
    """Of weights and of the order of documents."""
    clock: Clock
    settings: dict[str, Any]
    """Fields of the contender's `Settings`."""
    checkout: Path | None = None
    """Of the contender's source, where it is no package."""
