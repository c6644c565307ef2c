"""From everything that was tried to the traces that were kept: what was dropped where, and why.

funnel = Funnel.of(len(dataset.traces), dataset.drops)
funnel.tried, [(stage.name, stage.dropped) for stage in funnel.stages]

A call counts as one, and so does a subject that was dropped before it had calls: it might have given one at least.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from foretrace.data.dataset import Part
from foretrace.data.schema import STAGES


@dataclass(slots=True)
class Stage:
    """What one stage of the pipeline was given, and what it dropped."""

    name: str
    entered: int = 0
    dropped: int = 0
    whole: int = 0
    """Of the dropped: whole subjects."""
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        """What goes on to the next stage."""
        return self.entered - self.dropped

    @property
    def share(self) -> float:
        """Of what entered: what was dropped."""
        return self.dropped / self.entered if self.entered else 0.0


@dataclass(slots=True)
class Funnel:
    """All stages, in order, and what is left."""

    kept: int = 0
    stages: list[Stage] = field(default_factory=list)

    @classmethod
    def of(cls, kept: int, drops: Part) -> "Funnel":
        """Counts the drops.

        Raises:
            FormatError: a file is damaged.

        """
        stages = {name: Stage(name) for name in STAGES}
        for batch in drops.batches(["stage", "reason", "arguments"]):
            for name, reason, whole, count in _grouped(batch):
                stage = stages.setdefault(name, Stage(name))
                stage.dropped += count
                stage.whole += count if whole else 0
                stage.reasons[reason] += count
        entered = kept + sum(stage.dropped for stage in stages.values())
        for stage in stages.values():
            stage.entered = entered
            entered = stage.left
        return cls(kept, list(stages.values()))

    @property
    def tried(self) -> int:
        """What entered the first stage."""
        return self.stages[0].entered if self.stages else self.kept

    @property
    def dropped(self) -> int:
        """At all stages together."""
        return self.tried - self.kept

    @property
    def whole(self) -> int:
        """Of the dropped: whole subjects."""
        return sum(stage.whole for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        stages = [
            {
                "stage": stage.name,
                "entered": stage.entered,
                "dropped": stage.dropped,
                "whole_subjects": stage.whole,
                "reasons": dict(stage.reasons.most_common()),
            }
            for stage in self.stages
        ]
        return {"tried": self.tried, "kept": self.kept, "stages": stages}


def _grouped(batch: Any) -> list[tuple[str, str, bool, int]]:
    import pyarrow
    from pyarrow import compute

    whole = compute.is_null(batch["arguments"])
    columns = [compute.fill_null(batch[name], "unknown") for name in ("stage", "reason")]
    table = pyarrow.table([*columns, whole], ["stage", "reason", "whole"])
    rows = table.group_by(["stage", "reason", "whole"]).aggregate([([], "count_all")]).to_pylist()
    return [(row["stage"], row["reason"], row["whole"], row["count_all"]) for row in rows]
