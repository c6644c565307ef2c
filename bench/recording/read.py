"""Reading recordings back: ns an event, and how long that takes against json.loads of the naive tracer's lines.

    python bench/recording/read.py            # workloads a, d, e, f

The same programs are recorded by the naive tracer (JSON lines) and by the recorder in C (binary); each row is the best of
five in one process.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tracers import TRACERS
from workloads import WORKLOADS

from foretrace.errors import FormatError
from foretrace.trace import binary, read_binary

ROUNDS = 5


def best(action: Callable[[], object]) -> float:
    """Seconds of processor time."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    print("| workload | json.loads of naive_diff | frames, C | frames, Python | wire text, C | columns, C |")
    print("| --- | --- | --- | --- | --- | --- |")
    for letter in "adef":
        workload = WORKLOADS[letter]
        files = replace(workload.files, exclude=(*workload.files.exclude, __file__))
        with tempfile.TemporaryDirectory() as folder:
            data, events = {}, {}
            for name in ("naive_diff", "ours"):
                tracer = TRACERS[name](files, Path(folder) / name)
                tracer.run(workload.main)
                data[name], events[name] = Path(tracer.output).read_bytes(), tracer.events or 1
        lines, ours = data["naive_diff"].decode().splitlines(), data["ours"]
        actions: dict[str, tuple[Callable[[], object], int]] = {
            "json": (lambda lines=lines: [json.loads(line) for line in lines], len(lines)),
            "frames": (lambda ours=ours: list(read_binary(ours)), events["ours"]),
            "python": (lambda ours=ours: list(binary._Reader(ours).traces(False)), events["ours"]),
            "wire": (lambda ours=ours: binary.binary_to_wire(ours), events["ours"]),
            "columns": (lambda ours=ours: binary._binary.columns(ours, False, FormatError), events["ours"]),
        }
        cells = [1e9 * best(action) / count for action, count in actions.values()]
        ratios = [f"{cell:,.0f} / {cells[0] / cell:.1f}" for cell in cells]
        print(f"| {letter} | {' | '.join(ratios)} |")


if __name__ == "__main__":
    main()
