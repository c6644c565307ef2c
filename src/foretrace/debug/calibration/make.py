"""Makes a calibration: predict programs, run them, compare, fit on two thirds of them, measure on the others.

    cases = held_out_cases(1800, CALIBRATION_SEED, raising=True)
    calibration = calibrate(load_predictor("tiny"), cases, weights=fingerprint(folder))
    calibration.write(folder / FILE)
    elsewhere = measure_on(load_predictor("tiny"), calibration, load_cruxeval(file))

Measuring elsewhere fits nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from foretrace.debug.calibration.domain import Domain
from foretrace.debug.calibration.features import RISING, Mode, Part, names
from foretrace.debug.calibration.fit import RAW, Fit, fit, raw
from foretrace.debug.calibration.maps import ProbabilityMap
from foretrace.debug.calibration.report import Measured, measured
from foretrace.debug.calibration.samples import Sample, Table, collect
from foretrace.debug.calibration.stored import Basis, Calibration, Key
from foretrace.engine import Predictor
from foretrace.errors import UsageError
from foretrace.evals import Case

Progress = Callable[[int, int], None]
KEYS: tuple[Key, ...] = tuple((part, mode) for part in Part for mode in Mode)
_ONE_TESTED_OF = 3


def calibrate(
    predictor: Predictor, cases: Sequence[Case], *, weights: str = "", progress: Progress | None = None
) -> Calibration:
    """The calibration of a model.

    Args:
        predictor: the model.
        cases: programs that it has not seen, with their real traces.
        weights: their fingerprint, if they are at hand.
        progress: called with (programs done, programs wanted).

    Raises:
        UsageError: there are too few programs to fit on, or to measure on.

    """
    samples = collect(predictor, cases, progress=progress)
    fitting = [sample for sample in samples if sample.program % _ONE_TESTED_OF]
    testing = [sample for sample in samples if not sample.program % _ONE_TESTED_OF]
    fits = {key: _fit(fitting, key) for key in KEYS}
    domain = Domain.of([case for number, case in enumerate(cases) if number % _ONE_TESTED_OF])
    strange = _strange(domain, cases)
    return Calibration(
        model=predictor.name,
        weights=weights,
        basis=Basis(
            programs=len({sample.program for sample in fitting}),
            test_programs=len({sample.program for sample in testing}),
            first=cases[0].name,
            last=cases[-1].name,
            samples=len(fitting),
        ),
        domain=domain,
        maps={key: found.map for key, found in fits.items()},
        measured={key: _measured(testing, key, found.way, found.maps, strange) for key, found in fits.items()},
    )


def measure_on(
    predictor: Predictor, calibration: Calibration, cases: Sequence[Case], *, progress: Progress | None = None
) -> dict[Key, Measured]:
    """What a calibration is worth on other programs; nothing is fitted."""
    samples, strange = collect(predictor, cases, progress=progress), _strange(calibration.domain, cases)
    found = {}
    for key, shown in calibration.maps.items():
        way = calibration.measured[key].way
        found[key] = _measured(samples, key, way, {RAW: raw(names(*key)), way: shown}, strange)
    return found


def _fit(samples: Sequence[Sample], key: Key) -> Fit:
    table = Table.of(samples, *key)
    return fit(names(*key), RISING, table.features, table.right, table.program)


def _strange(domain: Domain, cases: Sequence[Case]) -> set[int]:
    return {number for number, case in enumerate(cases) if domain.strange_source(case.source)}


def _measured(
    samples: Sequence[Sample], key: Key, way: str, maps: Mapping[str, ProbabilityMap], strange: Collection[int]
) -> Measured:
    table = Table.of(samples, *key)
    if not len(table.right):
        raise UsageError(f"no {key[1]} {key[0]}s to measure a calibration on; give more programs: --programs")
    return measured(table, way, {name: found(table.features) for name, found in maps.items()}, strange)
