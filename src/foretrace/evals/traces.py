"""The same measures on a held-out part of our own corpus: programs from seeds that no training shard draws from.

report = evaluate(engine, held_out_cases(500), title="held-out synthetic traces")
"""

from itertools import count

from foretrace.corpus import synthesise
from foretrace.errors import RecordError, UsageError
from foretrace.evals.fidelity import Case
from foretrace.record import record_source, recording_sandbox
from foretrace.trace import Limits, Outcome

HELD_OUT_SEED = 1 << 50
"""Beyond the seeds of all that recipes synthesise (`synthesised:COUNT`)."""


def held_out_cases(number: int, seed: int = HELD_OUT_SEED) -> list[Case]:
    """`number` programs that return a value within 200 events, with their real traces."""
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
            if real.header.outcome is Outcome.RETURNED and real.result is not None:
                cases.append(Case(f"seed-{at}", *call, real, real.result))
    return cases
