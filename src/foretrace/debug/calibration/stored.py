"""A calibration: how sure one model's predictions may be shown to be, and how that was found out.

    calibration = Calibration.load(folder)              # calibration.json beside the weights; None if there is none
    calibration.maps[Part.VALUE, Mode.FREE](features)   # probabilities
    calibration.measured[Part.VALUE, Mode.FREE].after.ece

The file is small and can be read: weights of features, corners of curves, and what was measured on programs that nothing was
fitted on. It belongs to certain weights, whose fingerprint it holds.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from foretrace import __version__
from foretrace.debug.calibration.domain import Domain
from foretrace.debug.calibration.features import Mode, Part, names
from foretrace.debug.calibration.maps import ProbabilityMap
from foretrace.debug.calibration.report import Measured
from foretrace.engine.load import fingerprint
from foretrace.errors import CheckpointError

FILE = "calibration.json"
VERSION = 1

Key = tuple[Part, Mode]


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """What a calibration rests on."""

    programs: int
    """Programs that the maps were fitted on."""
    test_programs: int
    """Others that they were measured on."""
    first: str
    """Name of the first of all programs, which tells its seed."""
    last: str
    samples: int
    """Lines and values of the programs that were fitted on."""
    foretrace: str = __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Maps from features to probabilities, and what they were measured to be worth."""

    model: str
    """What it was called."""
    weights: str
    """Fingerprint of its weights (`fingerprint`); empty if they are not at hand, but on a server."""
    basis: Basis
    domain: Domain
    """What the programs were like."""
    maps: Mapping[Key, ProbabilityMap]
    measured: Mapping[Key, Measured]

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The calibration of a checkpoint folder; None if it has none.

        Raises:
            CheckpointError: the file is damaged or of another version, or the folder now holds other weights.

        """
        file = folder / FILE
        if not file.is_file():
            return None
        found = cls.read(file)
        if found.weights != fingerprint(folder):
            raise CheckpointError(
                f"{file} was fitted on other weights than {folder} holds now, so its probabilities would be wrong\n"
                f"  fit it again: foretrace calibrate {folder}\n"
                f"  or delete the file: values are then marked as uncalibrated"
            )
        return found

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads a file.

        Raises:
            CheckpointError: it is damaged or of another version.

        """
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if values["v"] != VERSION:
                raise CheckpointError(f"{file} is of version {values['v']}, this foretrace reads version {VERSION}")
            return cls(
                model=values["model"],
                weights=values["weights"],
                basis=Basis(**values["basis"]),
                domain=Domain.from_dict(values["domain"]),
                maps={key: ProbabilityMap.from_dict(given, names(*key)) for key, given in _parts(values["maps"])},
                measured={key: Measured.from_dict(given) for key, given in _parts(values["measured"])},
            )
        except CheckpointError as error:
            raise CheckpointError(f"{file}: {error}") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"cannot read {file}, or it is no calibration ({error or type(error).__name__})"
            raise CheckpointError(f"{what}; fit it again: foretrace calibrate {file.parent}") from error

    def write(self, file: Path) -> None:
        """Writes the file, under a temporary name first."""
        values = {
            "v": VERSION,
            "model": self.model,
            "weights": self.weights,
            "basis": asdict(self.basis),
            "maps": _nested({key: found.to_dict() for key, found in self.maps.items()}),
            "domain": self.domain.to_dict(),
            "measured": _nested({key: found.to_dict() for key, found in self.measured.items()}),
        }
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text(_pretty(values) + "\n", encoding="utf-8")
        temporary.replace(file)


def _parts(nested: Mapping[str, Mapping[str, Any]]) -> list[tuple[Key, Any]]:
    return [((part, mode), nested[part.value][mode.value]) for part in Part for mode in Mode]


def _nested(flat: Mapping[Key, Any]) -> dict[str, dict[str, Any]]:
    return {part.value: {mode.value: flat[part, mode] for mode in Mode} for part in Part}


def _pretty(values: Any, indent: str = "") -> str:
    """JSON in which a line holds what belongs together: what fits on it, or a list of numbers."""
    flat = json.dumps(values, ensure_ascii=False, allow_nan=False)
    if not isinstance(values, dict) or len(indent) + len(flat) <= 120:
        return flat
    inner = indent + " "
    items = [f"{inner}{json.dumps(name, ensure_ascii=False)}: {_pretty(value, inner)}" for name, value in values.items()]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"
