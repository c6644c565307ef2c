"""What the solver speaks of: checks, what is foreseen of them, what became of them when they ran.

    check = Check(origin=Origin.STATEMENT, text="double(4)", expected="8")
    check.holds(8)                                      # True
    cell = Cell(foreseen=Foreseen(value="8", sure=0.93, passes=0.97))
    cell.standing                                       # Standing.PREDICTED: nothing was run

A check that was run and one that was only foreseen are never one number: everything here keeps them apart.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from foretrace.evals.scorers import rules
from foretrace.evals.scorers.literal import parse_literal


class Origin(StrEnum):
    """Who says what a check expects."""

    STATEMENT = "statement"
    """The task: it is what a solution must do."""
    MODEL = "model"
    """The model that writes, which may be wrong."""
    GENERATED = "generated"
    """Nobody: arguments alone, on which candidates agree or do not."""


class Standing(StrEnum):
    """On what it rests what is said of a check."""

    VERIFIED = "verified by running"
    PREDICTED = "predicted only"
    UNKNOWN = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """An expression with the value it must have; or a standard input with what must be printed."""

    origin: Origin
    text: str
    """An expression over the program's names; or the standard input."""
    expected: str | None = None
    """The literal of the value, or the output; None: nobody knows, or it must raise."""
    raises: str = ""
    """Name of the exception that it must raise."""
    is_exact: bool = False
    """Whether types count too, as in a doctest; else values that are equal are."""
    is_input: bool = False
    """Whether the text is a standard input."""

    def holds(self, value: object = None, error: str = "") -> bool | None:
        """Whether an outcome is the expected one; None if nothing is expected.

        Args:
            value: that the expression has.
            error: `ValueError: …` if it has none.

        """
        if self.raises:
            return error.partition(":")[0].strip() == self.raises
        if self.expected is None:
            return None
        known, wanted = parse_literal(self.expected)
        assert known, "checks expect literals"
        strict, equal = rules.same(wanted, value)
        return not error and (strict if self.is_exact else equal)

    @property
    def told(self) -> str:
        """For people and models: `double(4) == 8`."""
        if self.is_input:
            return f"input {self.text!r} prints {self.expected!r}"
        if self.raises:
            return f"{self.text} raises {self.raises}"
        return self.text if self.expected is None else f"{self.text} == {self.expected}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What the world model says that a check would do. Nothing was executed."""

    value: str = ""
    """Repr of the value; empty if there is none."""
    raises: str = ""
    """The exception instead, as `ValueError('…')`."""
    sure: float | None = None
    """P(the value, or the exception, is right); None if the model has no calibration."""
    agrees: bool | None = None
    """Whether it is what the check expects; None if that cannot be said."""
    passes: float | None = None
    """P(the check passes), in the light of all this; see `foresee.py`."""
    why: str = ""
    """Why there is neither value nor exception."""
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a check in the sandbox."""

    passed: bool | None
    """None: nothing is expected of it."""
    value: str = ""
    """Repr of the value, if it is plain."""
    error: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All that is known of one check of one candidate."""

    foreseen: Foreseen | None = None
    ran: Ran | None = None

    @property
    def standing(self) -> Standing:
        """Running decides; what is foreseen counts where nothing ran."""
        if self.ran is not None:
            return Standing.VERIFIED
        is_foreseen = self.foreseen is not None and not self.foreseen.why
        return Standing.PREDICTED if is_foreseen else Standing.UNKNOWN

    @property
    def passed(self) -> bool | None:
        """Whether the check holds, as far as is known: by running, else as foreseen."""
        if self.ran is not None:
            return self.ran.passed
        return self.foreseen.agrees if self.foreseen is not None else None

    @property
    def credit(self) -> float:
        """P(the check passes): 0 or 1 where it ran; 0 where nothing is known."""
        if self.ran is not None:
            return float(bool(self.ran.passed))
        if self.foreseen is None:
            return 0.0
        return self.foreseen.passes if self.foreseen.passes is not None else float(bool(self.foreseen.agrees))

    @property
    def behaviour(self) -> str:
        """By which candidates that do the same are told from others; empty if nothing is known."""
        if self.ran is not None:
            return self.ran.value or self.ran.error.partition(":")[0]
        if self.foreseen is None:
            return ""
        return self.foreseen.value or self.foreseen.raises.partition("(")[0]

    def is_right(self) -> bool | None:
        """Whether what was foreseen is what happened; None unless both are known."""
        if self.foreseen is None or self.ran is None or self.foreseen.why or not (self.ran.value or self.ran.error):
            return None
        if self.ran.error or self.foreseen.raises:
            return self.foreseen.raises.partition("(")[0] == self.ran.error.partition(":")[0]
        known, ours = parse_literal(self.foreseen.value)
        valid, theirs = parse_literal(self.ran.value)
        return known and valid and rules.same(theirs, ours)[0]


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A program that was proposed, and what is known of it."""

    source: str
    votes: int = 1
    """How often it was written."""
    turn: int = 0
    """0: at first; 1 …: of repairs."""
    repairs: int | None = None
    """Number of the candidate that it is a repair of."""
    cells: list[Cell] = field(default_factory=list)
    """One a check."""

    def known(self, checks: list[Check], origin: Origin) -> list[tuple[Check, Cell]]:
        """Its checks of an origin."""
        return [(check, cell) for check, cell in zip(checks, self.cells, strict=True) if check.origin is origin]


def plain(record: Any) -> dict[str, Any]:
    """The fields of one of these, for JSON, without those that are as usual."""
    defaults = {name: f.default for name, f in record.__dataclass_fields__.items()}
    values = {name: getattr(record, name) for name in defaults}
    return {name: value for name, value in values.items() if value != defaults[name]}
