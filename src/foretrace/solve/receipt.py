"""A receipt: what was kept, and on what it rests. What ran and what was only predicted are never one number.

    receipt = Receipt.load(Path("receipt.json"))
    receipt.verdict                                  # Verdict.VERIFIED: all that the statement asks for was run, and holds
    print(receipt_text(receipt))

The file is JSON and self-contained: the task, each program, each check with what was foreseen and what happened, the traces
behind predictions (JSON Lines of `trace/jsonl.py`), and what it all cost.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from foretrace import __version__
from foretrace.errors import FormatError
from foretrace.solve.types import Candidate, Cell, Check, Foreseen, Origin, Ran, Standing, plain

KIND, VERSION = "solve", 1


class Verdict(StrEnum):
    """What may be said of the program that was kept."""

    VERIFIED = "verified"
    """Everything that the statement asks for was run, and holds."""
    PARTLY = "partly verified"
    """What was run of it holds; the rest was only predicted to, or is unknown."""
    PREDICTED = "predicted only"
    """Nothing of it was run; what of it could be foreseen is predicted to hold."""
    FAILED = "failed"
    """Something that it must do it does not, or is predicted not to."""
    UNCHECKED = "unchecked"
    """The statement has no example that could be checked, or nothing is known of any."""
    NOTHING = "nothing"
    """There is no program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What `solve` gives back."""

    statement: str
    entry: str
    select: str
    writer: str
    predictor: str
    """Name of the world model; empty if there was none."""
    is_calibrated: bool
    isolation: str
    """Of the sandbox; empty if nothing was to be run."""
    checks: tuple[Check, ...]
    candidates: tuple[Candidate, ...]
    chosen: int | None
    spent: Mapping[str, Any]
    """See `budget.Meter.to_json`."""
    unusable: int = 0
    """Answers that held no program."""
    notes: tuple[str, ...] = ()
    traces: Mapping[str, str] = field(default_factory=dict)
    """JSON Lines of predicted traces, by `CANDIDATE.CHECK`, numbered from 0."""
    foretrace: str = __version__

    @property
    def source(self) -> str:
        """The program that was kept; empty if there is none."""
        return self.candidates[self.chosen].source if self.chosen is not None else ""

    @property
    def verdict(self) -> Verdict:
        """What may be said of it."""
        if self.chosen is None:
            return Verdict.NOTHING
        cells = [cell for _, cell in self.candidates[self.chosen].known(list(self.checks), Origin.STATEMENT)]
        if any(cell.passed is False for cell in cells):
            return Verdict.FAILED
        standings = {cell.standing for cell in cells if cell.passed}
        if not standings:
            return Verdict.UNCHECKED
        if standings == {Standing.VERIFIED}:
            return Verdict.VERIFIED if all(cell.passed for cell in cells) else Verdict.PARTLY
        return Verdict.PREDICTED if standings == {Standing.PREDICTED} else Verdict.PARTLY

    def counts(self, standing: Standing, *, expected: bool = True) -> tuple[int, int]:
        """Of the checks of the program that was kept that rest on this: how many hold, of how many.

        With `expected` only those for which something is expected.
        """
        if self.chosen is None:
            return 0, 0
        pairs = zip(self.checks, self.candidates[self.chosen].cells, strict=True)
        found = [
            cell for check, cell in pairs if cell.standing is standing and (check.origin is not Origin.GENERATED) is expected
        ]
        return sum(cell.passed is True for cell in found), len(found)

    @property
    def agreement(self) -> tuple[int, int]:
        """Of all values, of whichever candidate, that were foreseen and then came to be known: how many were right."""
        told = [right for candidate in self.candidates for cell in candidate.cells if (right := cell.is_right()) is not None]
        return sum(told), len(told)

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        names = ("statement", "entry", "select", "writer", "predictor", "is_calibrated", "isolation", "chosen", "unusable")
        return {
            "v": VERSION,
            "kind": KIND,
            "verdict": self.verdict,
            "source": self.source,
            **{name: getattr(self, name) for name in names},
            "verified_by_running": _share(self.counts(Standing.VERIFIED)),
            "predicted_only": _share(self.counts(Standing.PREDICTED)),
            "agreement": _share(self.agreement),
            "spent": dict(self.spent),
            "notes": list(self.notes),
            "checks": [plain(check) | {"origin": check.origin, "text": check.text} for check in self.checks],
            "candidates": [_candidate(each) for each in self.candidates],
            "traces": dict(self.traces),
            "foretrace": self.foretrace,
        }

    def save(self, path: Path) -> None:
        """Writes the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Receipt":
        """Reads a file.

        Raises:
            FormatError: it is no receipt, or of another version.

        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["kind"] != KIND or told["v"] != VERSION:
                raise FormatError(f"{path} is no receipt of version {VERSION}")
            names = (
                "statement",
                "entry",
                "select",
                "writer",
                "predictor",
                "is_calibrated",
                "isolation",
                "chosen",
                "unusable",
            )
            return cls(
                **{name: told[name] for name in names},
                checks=tuple(Check(**(check | {"origin": Origin(check["origin"])})) for check in told["checks"]),
                candidates=tuple(map(_read_candidate, told["candidates"])),
                spent=told["spent"],
                notes=tuple(told["notes"]),
                traces=told["traces"],
                foretrace=told["foretrace"],
            )
        except FormatError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"{path} is no receipt of foretrace solve, or is damaged: {error!r}") from error


def is_receipt(path: Path) -> bool:
    """Whether a file is one, by its beginning; whether it is whole is seen when it is read."""
    with path.open("rb") as file:
        head = file.read(64)
    return head.split()[:4] == [b"{", b'"v":', f"{VERSION},".encode(), b'"kind":'] and f'"{KIND}"'.encode() in head


def _share(counts: tuple[int, int]) -> dict[str, int]:
    return {"holding": counts[0], "of": counts[1]}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    told = {"source": candidate.source, "votes": candidate.votes, "turn": candidate.turn, "repairs": candidate.repairs}
    return told | {"cells": list(map(_cell, candidate.cells))}


def _cell(cell: Cell) -> dict[str, Any]:
    told: dict[str, Any] = {"standing": cell.standing}
    if cell.foreseen is not None:
        told["foreseen"] = plain(cell.foreseen)
    if cell.ran is not None:
        told["ran"] = {"passed": cell.ran.passed} | plain(cell.ran)
    return told


def _read_candidate(told: dict[str, Any]) -> Candidate:
    cells = [
        Cell(
            foreseen=Foreseen(**cell["foreseen"]) if "foreseen" in cell else None,
            ran=Ran(**cell["ran"]) if "ran" in cell else None,
        )
        for cell in told["cells"]
    ]
    return Candidate(**(told | {"cells": cells}))


# ---------------------------------------------------------------------------------------------------
# For people


def receipt_text(receipt: Receipt) -> str:
    """A few lines, without the program."""
    return "\n".join(f"  {line}" for line in _lines(receipt)) + "\n"


def _lines(receipt: Receipt) -> Iterator[str]:
    foreseen = sum(cell.foreseen is not None and not cell.foreseen.why for c in receipt.candidates for cell in c.cells)
    ran = sum(cell.ran is not None for c in receipt.candidates for cell in c.cells)
    kept = "none kept" if receipt.chosen is None else f"candidate {receipt.chosen + 1} kept"
    yield f"{len(receipt.candidates)} candidates · {len(receipt.checks)} checks · {foreseen} predicted, {ran} run · {kept}"
    yield f"verdict: {receipt.verdict}"
    (held, run), (believed, only) = receipt.counts(Standing.VERIFIED), receipt.counts(Standing.PREDICTED)
    yield f"verified by running: {held}/{run}     predicted only: {believed}/{only}" + _agreed(receipt)
    if receipt.chosen is not None:
        for check, cell in zip(receipt.checks, receipt.candidates[receipt.chosen].cells, strict=True):
            if cell.passed is False:
                yield f"does not hold: {failure_of(check, cell)}"
    spent = receipt.spent
    yield (
        f"{spent['written']:,} tokens written, {spent['predicted']:,} predicted · {spent['runs']} runs · "
        f"{spent['seconds']:.1f} s" + (f" · the budget of {spent['stopped']} ran out" if spent["stopped"] else "")
    )
    yield from receipt.notes


def _agreed(receipt: Receipt) -> str:
    right, known = receipt.agreement
    return f"     model/real agreement {right}/{known}" if known else ""


def failure_of(check: Check, cell: Cell) -> str:
    """What is wrong, for people and for who is to repair it: `double(4) gives 6, not 8 (it was run)`."""
    wanted = f"it must raise {check.raises}" if check.raises else f"not {check.expected}"
    if cell.ran is not None:
        if check.is_input:
            return f"{check.told}: {cell.ran.error} (it was run)"
        got = f"raises {cell.ran.error}" if cell.ran.error else f"gives {cell.ran.value}"
        return f"{check.text} {got}, {wanted} (it was run)"
    assert cell.foreseen is not None
    got = f"would raise {cell.foreseen.raises}" if cell.foreseen.raises else f"would give {cell.foreseen.value}"
    sure = "" if cell.foreseen.sure is None else f", {cell.foreseen.sure:.0%} sure"
    return f"{check.text} {got}, {wanted} (predicted{sure}; not run)"
