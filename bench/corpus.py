"""Programs a second, synthesised, and synthesised, run and recorded; one JSON line: `python bench/corpus.py`."""

import json
import time

from foretrace.corpus import synthesise
from foretrace.errors import ForetraceError
from foretrace.record import record_program
from foretrace.trace import Limits

COUNT = 3000


def main() -> None:
    started = time.perf_counter()
    programs = [synthesise(seed) for seed in range(COUNT)]
    synthesised = time.perf_counter() - started
    events = 0
    for program in programs:
        try:
            events += len(
                record_program(program.source, program.entry, program.arguments, Limits(seconds=1, max_events=200))
            )
        except ForetraceError:
            continue
    recorded = time.perf_counter() - started - synthesised
    results = {
        "programs": COUNT,
        "synthesised_per_second": round(COUNT / synthesised),
        "recorded_per_second": round(COUNT / recorded),
        "events_per_second": round(events / recorded),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
