"""How sure a prediction is of a line and of each value: P(it is right), and never the probability of a token.

    confidence = confidence_of("tiny")                    # by the calibration beside its weights
    judgement = confidence.judge(Past(index=1), step)
    judgement.values["n"], mark(judgement.values["n"])    # 0.81, '●●○'
    confidence.sure(steps, 23, anchor=0)                  # {'n': 0.81, …}: step 23 of a session, nothing known since step 0

Highlighting what is unlikely to a model did not help programmers; highlighting what they were likely to edit did
(Vasconcelos et al., arXiv:2302.07248). Here running programs tells what was right, so such a score costs no more than that.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from foretrace.debug.calibration.features import Mode, Part, Past, features_of_line, features_of_value
from foretrace.debug.calibration.maps import MARKS, mark
from foretrace.debug.calibration.stored import Calibration
from foretrace.engine import Step
from foretrace.engine.load import folder_of

RAW_TERCILES = (0.98, 0.9995)
"""Of the raw probabilities of the packaged model's values. They rank the values of a model that has no calibration, and do
not say how often they are right."""
_UNCALIBRATED = {
    "●●●": "uncalibrated: among the likelier values",
    "●●○": "uncalibrated: neither among the likelier nor the less likely values",
    "●○○": "uncalibrated: among the less likely values",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """How sure one step is."""

    line: float | None
    """P(such a frame is at this line next); of an exception: that it is raised there. None: not known."""
    values: Mapping[str, float]
    """P(the value is right) by name, `""` being what is returned or raised; empty: not known."""


_UNKNOWN = Judgement(None, {})


class Confidence:
    """Judges the steps of one model. What it takes for a sequence of steps only grows at its end."""

    def __init__(self, calibration: Calibration | None) -> None:
        """Without a calibration no probability is known, only which values are likelier than others."""
        self.calibration = calibration
        self._cursor: tuple[Sequence[Step], int, Past] = ((), 0, Past(0))
        """Of the last free run that was looked at: its steps, its anchor, and what was before the step that was judged."""

    @property
    def is_calibrated(self) -> bool:
        """Whether there are probabilities."""
        return self.calibration is not None

    @property
    def meaning(self) -> dict[str, str]:
        """What the dots of a value mean, measured: `right 38% re-anchored, 30% free-run`."""
        if self.calibration is None:
            return dict(_UNCALIBRATED)
        found = {}
        for dots in reversed(MARKS):
            modes = [self.calibration.measured[Part.VALUE, mode].groups["dots"].get(dots) for mode in Mode]
            told = [f"{group.right.value:.0%} {mode}" for group, mode in zip(modes, Mode, strict=True) if group]
            found[dots] = f"right {', '.join(told)}" if told else "hardly ever shown when this was measured"
        return found

    def judge(self, past: Past, step: Step) -> Judgement:
        """How sure a predicted step is, given what is before it."""
        if self.calibration is None or not step.tokens:
            return _UNKNOWN
        if step.ghost:  # a line that the source lacks is never reached
            return Judgement(0.0, dict.fromkeys((value.name for value in step.values), 0.0))
        maps = self.calibration.maps
        [line] = maps[Part.LINE, past.mode](np.array([features_of_line(past, step)]))
        if not step.values:
            return Judgement(float(line), {})
        features = np.array([features_of_value(past, step, value) for value in step.values])
        sure = maps[Part.VALUE, past.mode](features)
        return Judgement(float(line), dict(zip((value.name for value in step.values), sure.tolist(), strict=True)))

    # -- steps of a session ---------------------------------------------------------------------------

    def sure(self, steps: Sequence[Step], position: int, anchor: int) -> Mapping[str, float]:
        """P(right) of the values of one step by name; empty without a calibration, and of a step that is given.

        Args:
            steps: of one branch; those between the anchor and the position are looked at only in a free run.
            position: of the step that is judged.
            anchor: of the last step before it that is known to be true; re-anchored, always the one before.

        """
        return self.judge(self._past(steps, position, anchor), steps[position]).values

    def line(self, steps: Sequence[Step], position: int, anchor: int) -> float | None:
        """P(such a frame is at this line at this step); None without a calibration, and of a step that is given."""
        return self.judge(self._past(steps, position, anchor), steps[position]).line

    def marks(self, steps: Sequence[Step], position: int, anchor: int) -> dict[str, str]:
        """The dots of the values of one step by name; without a calibration they rank it among others (`meaning`)."""
        if self.calibration is None:
            places = {v.name: bisect_right(RAW_TERCILES, exp(v.logprob)) for v in steps[position].values}
            return {name: MARKS[place] for name, place in places.items()}
        return {name: mark(sure) for name, sure in self.sure(steps, position, anchor).items()}

    def outside(self, source: str, steps: Sequence[Step] = ()) -> list[str]:
        """Why a program, or its prediction, is not like what the calibration rests on, in sentences; none if it is."""
        if self.calibration is None:
            return []
        domain = self.calibration.domain
        return domain.strange_source(source) + domain.strange_steps(steps)

    def _past(self, steps: Sequence[Step], position: int, anchor: int) -> Past:
        """What is before a step. The next one of a run costs one step, another one as many as there are since the anchor."""
        if position - anchor <= 1:
            return Past(position)
        known, since, past = self._cursor
        if known is not steps or since != anchor or past.index > position:
            past = Past(anchor + 1)
        for at in range(past.index, position):
            past = past.after(steps[at])
        self._cursor = (steps, anchor, past)  # replaced as a whole: sessions in other threads share this object
        return past


def confidence_of(model: str) -> Confidence:
    """How sure the model of that name is (`engine.load`), by `calibration.json` beside its weights if it is there.

    Raises:
        CheckpointError: the calibration is damaged, or of other weights.

    """
    folder = folder_of(model)
    return Confidence(Calibration.load(folder) if folder is not None else None)
