"""Programs with their real traces, held out of training: from seeds that no training shard draws from.

for case in held_out_cases(500):
case.source, case.real.frames
"""

from collections.abc import Callable
from itertools import count

from foretrace.corpus import synthesise
from foretrace.errors import RecordError, UsageError
from foretrace.evals.cases import Case
from foretrace.record import record_source, recording_sandbox
from foretrace.trace import Limits, Trace

HELD_OUT_SEED = 1 << 50
"""Beyond the seeds of all that recipes synthesise (`synthesised:COUNT`)."""
CALIBRATION_SEED = HELD_OUT_SEED + (1 << 40)
"""Beyond the seeds of all that is evaluated: what confidence is fitted and tested on (`debug.calibration`)."""


def held_out_cases(
    number: int,
    seed: int = HELD_OUT_SEED,
    *,
    raising: bool = False,
    fits: Callable[[Trace], bool] = lambda real: True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Case]:
    """`number` programs that return a value within 200 events, with their real traces.

    Args:
        number: how many.
        seed: of the first; each further one is of a later seed.
        raising: programs that end with an exception are taken, too; it is what they are expected to give.
        fits: whether a trace is taken; for one that is not, another is drawn.
        progress: called with (programs found, `number`).

    """
    cases: list[Case] = []
    limits = Limits(max_events=200)
    with recording_sandbox() as box:
        for at in count(seed):
            if len(cases) == number:
                break
            program = synthesise(at)
            call = program.source, program.entry, program.arguments
            try:
                real = record_source(*call, limits=limits, sandbox=box)
            except (RecordError, UsageError):
                continue
            expected = real.result or (real.exception if raising else None)
            if expected is not None and fits(real):
                cases.append(Case(f"seed-{at}", *call, real, expected))
                if progress:
                    progress(len(cases), number)
    return cases
