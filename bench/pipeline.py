"""Traces a second a core, from functions to a finished dataset, beside the obvious way: one process a call that traces itself.

    python bench/pipeline.py                          # synthesised functions, as many calls of each as are found
    python bench/pipeline.py functions.jsonl          # functions in CRUXEval's form: {code, input}
    python bench/pipeline.py --backend bubblewrap

Everything runs on one processor. Arguments are found beforehand, by exploring from those that are given, and are the same for
both. The obvious way neither filters nor looks for duplicates; what it makes is counted as it is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from foretrace.corpus import Subject, subjects
from foretrace.corpus.arguments import Budget, explore
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make
from foretrace.errors import ForetraceError

CALLS = 8
OBVIOUS = 200
"""Calls that the obvious way is timed on."""
FUNCTIONS = 120_000_000
"""CWM report, section 2.2: traced functions, each counted as one trace."""

TRACER = r"""
import json, sys
job = json.loads(sys.stdin.read())
names = {}
exec(compile(job["source"], "<program>", "exec"), names)
lines, frames = job["source"].split("\n"), []
def trace(frame, event, argument):
    if frame.f_code.co_filename != "<program>":
        return None
    shown = {name: repr(value) for name, value in frame.f_locals.items()}
    frames.append({"event": event, "line": lines[frame.f_lineno - 1], "locals": shown, "value": repr(argument)})
    return trace
sys.settrace(trace)
try:
    eval(f"{job['entry']}({job['arguments']})", names)
except Exception:
    pass
sys.settrace(None)
print(json.dumps(frames))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="?", default="synthesised:800", help="a source of functions (synthesised:800)")
    parser.add_argument("--backend", default="process", help="sandbox (process)")
    parser.add_argument("--cpu", type=int, default=0, help="processor (0)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.cpu})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "functions.jsonl"
        found = with_calls(arguments.functions)
        file.write_text("".join(json.dumps(row) + "\n" for row in found))
        manifest, seconds = ours(file, Path(folder) / "dataset", arguments.backend)
        size = sum(part.stat().st_size for part in (Path(folder) / "dataset").glob("traces-*.parquet"))
    traces, obvious = manifest["counts"]["traces"], obvious_seconds(found)
    rate = traces / seconds
    report = {
        "sandbox": arguments.backend,
        "functions": len(found),
        "calls": sum(len(row["calls"]) for row in found),
        "traces": traces,
        "events_a_trace": round(manifest["counts"]["events"] / traces, 1),
        "traces_per_second": round(rate),
        "obvious_per_second": round(1 / obvious, 1),
        "ratio": round(rate * obvious, 1),
        "bytes_a_trace": round(size / traces),
        "core_hours_for_120M": round(FUNCTIONS / rate / 3600, 1),
        "gigabytes_for_120M": round(FUNCTIONS * size / traces / 1e9, 1),
    }
    print(json.dumps(report))


def with_calls(source: str) -> list[dict[str, object]]:
    """The functions of a source, each with up to `CALLS` argument lists."""
    rows = []
    for subject in subjects(source):
        try:
            calls = calls_of(subject)
        except ForetraceError:
            continue
        if calls:
            rows.append({"code": subject.source, "entry": subject.entry, "calls": calls})
    return rows


def calls_of(subject: Subject) -> list[str]:
    return [one.arguments for one in explore(subject, subject.entry, budget=Budget(calls=CALLS, enough=CALLS)).calls]


def ours(file: Path, folder: Path, backend: str) -> tuple[dict[str, dict[str, int]], float]:
    """The manifest of a dataset of these functions, and how long it took to make."""
    definition = Definition(sources=(str(file),), sandbox=backend, calls=CALLS, tries=0)
    start = time.perf_counter()
    manifest = make(definition, str(folder), open_engine("local", 1))
    return manifest, time.perf_counter() - start


def obvious_seconds(rows: list[dict[str, object]]) -> float:
    """Seconds of a call by the obvious way."""
    jobs = [
        json.dumps({"source": row["code"], "entry": row["entry"], "arguments": call})
        for row in rows
        for call in row["calls"]
    ]
    jobs = jobs[:: max(1, len(jobs) // OBVIOUS)]
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        for job in jobs:
            subprocess.run([sys.executable, "-c", TRACER], input=job.encode(), stdout=out, check=False, timeout=60)
    return (time.perf_counter() - start) / len(jobs)


if __name__ == "__main__":
    main()
