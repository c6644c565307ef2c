r"""What a check of a program would do, told by the world model. Nothing is executed.

    foreseer = Foreseer.of("tiny")
    foreseer.look("def double(n):\n    return n + n\n", Check(…, text="double(4)", expected="8"), "double")
    # Foreseen(value='8', sure=0.93, agrees=True, passes=0.97, …)

The model writes the trace of the call, step by step, and its calibration says how sure the value at the end is (`sure`).
That it is the very value that is expected is evidence of its own: where the model errs, it seldom errs in just that way. So
`passes`, P(the check passes), is not `sure`, and has a map of its own, fitted by `bench/solve.py` (`Passing`).
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from foretrace.debug import Settings, open_session
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.engine import Finish, Predictor, StopReason, load_predictor, trace_of
from foretrace.engine.load import folder_of
from foretrace.errors import CheckpointError, FormatError, UsageError
from foretrace.evals.scorers.literal import parse_literal
from foretrace.solve.budget import Meter
from foretrace.solve.statement import arguments_of
from foretrace.solve.types import Check, Foreseen
from foretrace.trace import Trace

PASSING = "passing.json"
"""File of a model's map, beside its weights."""
_CLOSEST = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """P(a check passes), by how sure the predicted value is and whether it is the expected one.

    Slope and shift, from log odds to log odds. Those given here are `tiny`'s.
    """

    agreeing: tuple[float, float] = (0.38, 1.27)
    other: tuple[float, float] = (0.25, 0.02)

    @classmethod
    def load(cls, folder: Path | None) -> Self:
        """The map of a checkpoint folder; `tiny`'s if it has none.

        Raises:
            CheckpointError: the file is damaged.

        """
        file = folder / PASSING if folder is not None else None
        if file is None or not file.is_file():
            return cls()
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            (a, b), (c, d) = values["agreeing"], values["other"]
            return cls(agreeing=(float(a), float(b)), other=(float(c), float(d)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{file} is no map; fit it again: python bench/solve.py WRITER --fit {file}") from error

    def __call__(self, sure: float | None, agrees: bool) -> float | None:
        """None of a model without a calibration."""
        if sure is None:
            return None
        slope, shift = self.agreeing if agrees else self.other
        inside = min(1 - _CLOSEST, max(_CLOSEST, sure))
        return 1 / (1 + math.exp(-(slope * math.log(inside / (1 - inside)) + shift)))


class Foreseer:
    """A world model, asked about calls. What it has told it tells again at once."""

    def __init__(
        self, predictor: Predictor, confidence: Confidence, passing: Passing | None = None, *, tokens: int = 1024
    ) -> None:
        """`tokens`: of one trace."""
        self.predictor, self.confidence, self._tokens = predictor, confidence, tokens
        self.passing = passing or Passing()
        self._told: dict[tuple[str, str], tuple[Foreseen, Trace | None]] = {}

    @classmethod
    def of(cls, model: str, *, tokens: int = 1024) -> "Foreseer":
        """The world model of a name. Raises as `load_predictor` and `confidence_of`; an oracle, which runs, is refused."""
        return cls(load_predictor(model), confidence_of(model), Passing.load(folder_of(model)), tokens=tokens)

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.predictor.name

    @property
    def is_calibrated(self) -> bool:
        """Whether it knows how sure it is."""
        return self.confidence.is_calibrated

    def look(self, source: str, check: Check, entry: str, meter: Meter | None = None) -> Foreseen:
        """What a check would do; `why` if that cannot be told: it is no plain call, tokens ran out, the trace broke off."""
        arguments = None if check.is_input else arguments_of(check.text, entry)
        if arguments is None:
            return Foreseen(why="it is no call with literal arguments")
        key = (source, arguments)
        if key not in self._told:
            budget = self._tokens if meter is None else meter.tokens(1, self._tokens) if meter.may_go_on() else 0
            if not budget:
                return Foreseen(why="the budget was spent")
            self._told[key] = self._look(source, entry, arguments, budget)
            if meter is not None:
                meter.predicted += self._told[key][0].tokens
        return self.judged(self._told[key][0], check)

    def judged(self, told: Foreseen, check: Check) -> Foreseen:
        """What was told, in the light of what the check expects."""
        if told.why:
            return told
        error = told.raises.replace("(", ": ", 1)
        known, value = parse_literal(told.value) if told.value else (True, None)
        agrees = check.holds(value, error) if known else None
        return replace(told, agrees=agrees, passes=None if agrees is None else self.passing(told.sure, agrees))

    def trace(self, source: str, check: Check, entry: str) -> Trace | None:
        """The trace behind what was told of a check."""
        arguments = arguments_of(check.text, entry)
        return self._told[source, arguments][1] if arguments is not None and (source, arguments) in self._told else None

    def _look(self, source: str, entry: str, arguments: str, budget: int) -> tuple[Foreseen, Trace | None]:
        try:
            settings = Settings(budget=budget, grammar=True)
            session = open_session(self.predictor, source, entry, arguments, settings=settings, judge=self.confidence)
            session.run()
        except (UsageError, FormatError) as error:
            return Foreseen(why=str(error).partition("\n")[0]), None
        branch = session.branch
        finish = branch.finish or Finish(StopReason.BUDGET)
        trace = trace_of(branch.prompt, [step.frame for step in branch.timeline], finish, self.name)
        value, raised = trace.result, trace.exception
        if value is None and raised is None:
            why = finish.detail or f"the trace breaks off: {finish.reason}"
            return Foreseen(why=why, tokens=session.spent), trace
        sure = session.at(len(trace) - 1).confidences.get("")
        return Foreseen(value=value or "", raises=raised or "", sure=sure, tokens=session.spent), trace
