"""Programs and traces in files, for the tests of the debug adapter."""

from dataclasses import replace
from pathlib import Path

from foretrace.record import record_program
from foretrace.trace import Limits, Trace, write_jsonl

LETTERS = """def count_letters(s, letter):
    n = 0
    for c in s:
        n += int(c == letter)
    return n


def f(c):
    word = "berry"
    num = count_letters(word, c)
    return f"Found {num:04d}"
"""

RAISING = """def half(n):
    if n < 0:
        raise ValueError(n)
    return n // 2


def f(n):
    try:
        total = half(n)
    except ValueError:
        total = 0
    return total
"""

ROWS = """def f(rows):
    total = 0
    for row in rows:
        total += len(row)
    return total
"""

LONG = """def f(n):
    i = 0
    while i < n:
        i += 1
    return i
"""


def write_programs(folder: Path) -> dict[str, str]:
    """The programs, and a real trace of `LETTERS` beside one in which `n` is 6 instead of 1 at step 11, by name."""
    paths = {}
    for name, source in {"letters": LETTERS, "raising": RAISING, "rows": ROWS, "long": LONG}.items():
        path = folder / f"{name}.py"
        path.write_text(source)
        paths[name] = str(path)
    for name, trace in {"real": _real(), "predicted": _slipped(_real())}.items():
        path = folder / f"{name}.jsonl"
        with path.open("w") as file:
            write_jsonl(trace, file)
        paths[name] = str(path)
    return paths


def _real() -> Trace:
    return record_program(LETTERS, "f", "'r'", Limits())


def _slipped(real: Trace) -> Trace:
    frames = list(real.frames)
    for at, frame in enumerate(frames):
        if frame.state.get("n", "0") != "0":
            frames[at] = replace(frame, locals=frame.state | {"n": str(int(frame.state["n"]) + 5)})
    return Trace(real.header, tuple(frames))
