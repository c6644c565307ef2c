"""Branches: the same execution, told in more than one way. Together they are a tree.

Whatever changes the past, changes it on a branch of its own; the one before stays. A branch says what it changed, so
that the tree can be made again from that alone (`storage.py`).

    branch.label                      # 'n=3 @23'
    branch.timeline[23].frame         # the changed frame; what follows is predicted when it is asked for
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from foretrace.debug.timeline import Timeline
from foretrace.engine import Finish, Prompt
from foretrace.trace import Trace

_LABEL_CHARACTERS = 40


class Kind(StrEnum):
    """How a branch came to be."""

    CALL = "call"
    """It is the first."""
    EDIT = "edit"
    """The user changed a value."""
    PIN = "pin"
    """The user set a value to what it really is."""
    DRAW = "draw"
    """The model invented other arguments."""
    SAMPLE = "sample"
    """The future is drawn anew."""
    SKIP = "skip"
    """The steps of a line, a loop or a call are left out."""
    ANCHOR = "anchor"
    """Each step is predicted from the real ones before it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a branch does otherwise than its parent."""

    kind: Kind
    texts: Mapping[str, str] = field(default_factory=dict)
    """New values by name; of what is returned or raised, by the empty name."""
    seed: int = 0
    """Of `DRAW` and `SAMPLE`."""
    temperature: float = 0.0
    """Of `SAMPLE`."""
    skip: str = ""
    """What is left out; see `engine/skip.py`."""


@dataclass(slots=True, eq=False)
class Branch:
    """One way in which the execution goes."""

    id: int
    parent: "Branch | None"
    start: int
    """The first step that is not its parent's."""
    change: Change
    prompt: Prompt
    """The call; of another one if the arguments were changed."""
    timeline: Timeline
    seed: int
    temperature: float
    real: Trace | None = None
    """Of a re-anchored branch: what its steps are predicted from."""
    skips: dict[int, str] = field(default_factory=dict)
    """Steps before which others were left out, and what was."""
    gaps: dict[int, Finish] = field(default_factory=dict)
    """Steps of a re-anchored branch that show reality, as what was predicted was no frame."""
    finish: Finish | None = None
    """Why there are no further steps; None while there may be some."""

    @property
    def label(self) -> str:
        """What it is called, such as `original` or `n=3 @23`."""
        if self.change.kind is Kind.CALL:
            return "original"
        name = self.change.kind.value
        match self.change.kind:
            case Kind.EDIT | Kind.PIN | Kind.DRAW:
                name = ", ".join(f"{name or 'value'}={text}" for name, text in self.change.texts.items())
            case Kind.SAMPLE:
                name = f"seed {self.change.seed}"
            case Kind.SKIP:
                name = f"skip {self.change.skip}"
            case Kind.ANCHOR:
                name = "re-anchored"
        if len(name) > _LABEL_CHARACTERS:
            name = name[: _LABEL_CHARACTERS - 1] + "…"
        return f"{name} @{self.start}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "parent": self.parent.id if self.parent else None,
            "start": self.start,
            "kind": self.change.kind,
            "label": self.label,
            "steps": len(self.timeline),
            "finish": self.finish.reason if self.finish else None,
        }
