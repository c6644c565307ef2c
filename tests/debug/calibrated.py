"""An oracle's calibration, made once for all tests: real programs, real traces, seeded errors and doubts."""

from collections.abc import Iterator
from functools import cache
from itertools import count, islice

from foretrace.corpus import synthesise
from foretrace.debug.calibration.make import calibrate
from foretrace.debug.calibration.stored import Calibration
from foretrace.engine import OraclePredictor
from foretrace.errors import RecordError
from foretrace.evals import Case
from foretrace.record import record_program
from foretrace.trace import Limits

ERR = 0.15


def _cases() -> Iterator[Case]:
    for seed in count(7_000_000):
        program = synthesise(seed)
        call = program.source, program.entry, program.arguments
        try:
            real = record_program(*call, Limits(max_events=200))
        except RecordError:
            continue
        if expected := real.result or real.exception:
            yield Case(f"seed-{seed}", *call, real, expected)


@cache
def cases(number: int = 150) -> list[Case]:
    """Programs with their real traces."""
    return list(islice(_cases(), number))


def oracle(programs: list[Case], err: float = ERR) -> OraclePredictor:
    """An oracle of these programs."""
    traces = {case.source: case.real for case in programs}
    return OraclePredictor(lambda prompt: traces[prompt.call.source], err=err)


@cache
def calibration() -> Calibration:
    """The oracle's calibration."""
    return calibrate(oracle(cases()), cases())
