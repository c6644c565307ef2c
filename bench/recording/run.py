"""Recorders of values side by side: CPU time, memory and output of each on the same programs, as JSON lines.

    python bench/recording/run.py                                   # 5 rounds of everything; minutes
    python bench/recording/run.py --rounds 1 --workloads ac --tracers naive_diff ours
    python bench/recording/run.py --python ~/py312/bin/python ~/py313/bin/python
    python bench/recording/run.py --out-of-scope                    # what recording costs code that it does not record
    python bench/recording/report.py                                # tables and a plot of the results

Every measurement is a process of its own, and all tracers take turns within a round, so ratios hold on a busy machine too.
Peers take part where they are installed: `pip install pysnooper snoop hunter coverage`. With FORETRACE_CRUXEVAL set to the path
of a cruxeval.jsonl workload b is CRUXEval. foretrace is that of this tree, also for other interpreters, which need what
`import foretrace.record` needs; its recorder in C takes part in those that it was built for (`setup.py build_ext --inplace`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tracers import TRACERS
from workloads import HERE, WORKLOADS

ROOT = HERE.parents[1]
RESULTS = ROOT / "runs" / "recording"
PATIENCE = 300
"""Seconds for one process."""


def measured(python: str, tracer: str, workload: str, folder: Path, options: list[str]) -> dict[str, Any]:
    """What a fresh process says; on failure, why."""
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    command = [python, str(HERE / "measure.py"), tracer, workload, str(folder), *options]
    failure = {"tracer": tracer, "workload": workload, "interpreter": python}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return failure | {"failed": f"took more than {PATIENCE} s"}
    if done.returncode:
        return failure | {"failed": (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workloads", help="letters of workloads; by default abcdef, out of scope ac")
    parser.add_argument(
        "--tracers", nargs="+", default=list(TRACERS), choices=TRACERS, metavar="NAME", help=", ".join(TRACERS)
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results.jsonl (default: runs/recording)")
    parser.add_argument("--folder", type=Path, help="where tracers write (default: where temporary files are)")
    parser.add_argument("--python", nargs="+", default=[sys.executable], metavar="PATH", help="interpreters to measure")
    parser.add_argument("--seconds", type=float, default=0.2, help="of repeated runs after the first one")
    parser.add_argument("--out-of-scope", action="store_true", help="nothing that runs is in scope; adds to results.jsonl")
    given = parser.parse_args()
    options = ["--seconds", str(given.seconds), *(["--out-of-scope"] if given.out_of_scope else [])]
    workloads = given.workloads or ("ac" if given.out_of_scope else "abcdef")
    if not set(workloads) <= set(WORKLOADS):
        parser.error(f"workloads are letters of {''.join(WORKLOADS)}: {workloads}")
    cells = [(w, t, p) for _ in range(given.rounds) for w in workloads for t in given.tracers for p in given.python]
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "results.jsonl"
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    absent: set[tuple[str, str, str]] = set()
    notes: set[str] = set()
    with (
        path.open("a" if given.out_of_scope else "w", encoding="utf-8") as file,
        tempfile.TemporaryDirectory(prefix="foretrace-", dir=given.folder) as folder,
        Progress(*columns) as progress,
    ):
        task = progress.add_task("", total=len(cells))
        for cell in cells:
            workload, tracer, python = cell
            progress.update(task, description=f"{workload}  {tracer}")
            if cell not in absent:
                result = measured(python, tracer, workload, Path(folder), options)
                print(json.dumps(result), file=file, flush=True)
                if "events" not in result:
                    absent.add(cell)
                    why = result.get("skipped") or f"FAILED on {workload}: {result['failed']}"
                    notes.add(f"{tracer}, {python}: {why}")
            progress.advance(task)
    print(*sorted(notes), path, sep="\n")


if __name__ == "__main__":
    main()
