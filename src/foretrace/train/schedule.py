"""Learning-rate schedules: a linear warm-up, then `wsd`, `cosine` or `constant`.

`wsd` (arXiv:2405.18392) stays at the peak and ends with a 1 - sqrt cool-down: a run can be prolonged, or cooled down
early, from any of its checkpoints. `cosine` is one curve that several stages may share: CWM's pre- and mid-training
do (report, section 4.3), so a stage says at which step of the curve it begins. CWM's SFT is `constant` (section 5.1).

    Schedule(kind="cosine", lr=8e-4, warmup_steps=2000, total_steps=1_100_000).rate(step, steps)
"""

from dataclasses import dataclass
from math import cos, pi, sqrt

from foretrace.errors import UsageError

KINDS = ("wsd", "cosine", "constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The learning rate at every step of a stage."""

    kind: str = "wsd"
    lr: float = 3e-3
    """Peak."""
    warmup_steps: int = 100
    decay_steps: int = 400
    """Of `wsd`: steps of the cool-down, the last of the stage."""
    floor: float = 0.001
    """Smallest share of the peak; CWM's cosine ends at 0.01."""
    first_step: int = 0
    """Of `cosine`: where on the curve the stage begins."""
    total_steps: int = 0
    """Of `cosine`: length of the whole curve; 0 ends it with the stage."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"no schedule called {self.kind!r}; known: {', '.join(KINDS)}")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate at `step` (0-based) of a stage of `steps`."""
        step += self.first_step
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        if self.kind == "cosine":
            return self.lr * self._cosine(step, self.total_steps or self.first_step + steps)
        if self.kind == "wsd":
            return self.lr * self._cool_down(step - (self.first_step + steps - self.decay_steps))
        return self.lr

    def _cosine(self, step: int, total: int) -> float:
        progress = min(1.0, (step + 1 - self.warmup_steps) / max(1, total - self.warmup_steps))
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + cos(pi * progress))

    def _cool_down(self, decayed: int) -> float:
        return 1.0 if decayed < 0 else max(1.0 - sqrt((decayed + 1) / (self.decay_steps + 1)), self.floor)
