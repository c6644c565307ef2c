"""Measures one tracer on one workload in this process, which has traced nothing before; one JSON line. See `run.py`."""

import argparse
import gc
import json
import platform
import sys
import time
from functools import cache
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from tracers import TRACERS, Main, Unavailable
from workloads import NOTHING, WORKLOADS, Files

MOST_RUNS = 200
LONG = 100
"""Times that a workload is run within one run where nothing is in scope, so that starting and ending a tracer hardly counts."""


def seconds_of(tracer: Any, main: Main) -> float:
    """CPU time of one run."""
    started = time.process_time()
    tracer.run(main)
    return time.process_time() - started


def repeated(tracer: Any, main: Main, seconds: float, least: int) -> list[float]:
    """CPU times of as many runs as fit into about `seconds`."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < MOST_RUNS):
        times.append(seconds_of(tracer, main))
    return times


def many(main: Main) -> Main:
    """`LONG` calls as one."""

    def calls() -> None:
        for _ in range(LONG):
            main()

    return calls


def canonical_events(files: Files, main: Main) -> int:
    """How often `sys.settrace` calls for code in scope: the unit of work, whatever a tool makes of it."""
    events, in_scope = 0, cache(files.__contains__)

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal events
        if event == "call" and not in_scope(frame.f_code.co_filename):
            return None
        events += 1
        return count

    sys.settrace(count)
    try:
        main()
    finally:
        sys.settrace(None)
    return events


def forget_peak() -> None:
    """Makes the peak of memory the memory in use now, where Linux can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_kb() -> int:
    """The peak of resident memory, KiB; not that of `getrusage`, which begins with the parent's."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0])


def measure(name: str, letter: str, folder: Path, seconds: float, out_of_scope: bool) -> dict[str, object]:
    """All that is known of one tracer on one workload."""
    workload = WORKLOADS[letter]
    result: dict[str, object] = {
        "tracer": name,
        "title": TRACERS[name].title,
        "workload": letter,
        "program": workload.title,
        "python": platform.python_version(),
        "in_scope": not out_of_scope,
    }
    output = folder / "output"
    output.unlink(missing_ok=True)
    try:
        tracer = TRACERS[name](NOTHING if out_of_scope else workload.files, output)
    except (ImportError, Unavailable) as error:
        return result | {"skipped": str(error)}
    if workload.setup is not None:
        workload.setup()
    main = many(workload.main) if out_of_scope else workload.main
    untraced = TRACERS["untraced"](workload.files, output)
    seconds_of(untraced, main)
    result["untraced_seconds"] = median(repeated(untraced, main, seconds, least=5))
    gc.collect()
    forget_peak()
    before = peak_kb()
    result["cold_seconds"] = seconds_of(tracer, main)
    result["peak_kb"] = peak_kb() - before
    result["bytes"] = output.stat().st_size if output.exists() else 0
    result["recorded_events"] = tracer.events
    warm = repeated(tracer, main, seconds, least=1)
    result |= {"warm_seconds": median(warm), "warm_runs": len(warm)}
    return result | {"events": canonical_events(workload.files, workload.main)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tracer", choices=TRACERS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("folder", type=Path, help="where tracers write")
    parser.add_argument("--seconds", type=float, default=0.2, help="for repeated runs, traced and untraced")
    parser.add_argument("--out-of-scope", action="store_true", help="nothing that runs is in scope")
    given = parser.parse_args()
    print(json.dumps(measure(given.tracer, given.workload, given.folder, given.seconds, given.out_of_scope)))


if __name__ == "__main__":
    main()
