"""Programs and sessions for the tests of the debugger: predicted by an oracle, with known errors or none."""

from dataclasses import replace
from functools import cache

from foretrace.debug import Session, Settings, open_session
from foretrace.engine import OraclePredictor, Prompt, ReplayPredictor
from foretrace.record.program import record_program
from foretrace.trace import Limits, Trace

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


def outer(n):
    return half(n)


def f(n):
    try:
        total = outer(n)
    except ValueError:
        total = 0
    return total
"""

RECURSIVE = """def fib(n):
    if n < 2:
        return n
    a = fib(n - 1)
    b = fib(n - 2)
    return a + b
"""

NESTED = """def f(rows):
    total = 0
    for row in rows:
        for cell in row:
            if cell > 9:
                total += 100
            total += cell
    return total
"""

LONG = """def f(n):
    i = 0
    while i < n:
        i += 1
        if i % 1000 == 0:
            mark = i
    return i
"""


@cache
def recorded(source: str, entry: str, arguments: str) -> Trace:
    return record_program(source, entry, arguments, Limits(max_events=200_000, max_bytes=10**9, seconds=60))


def real(prompt: Prompt) -> Trace:
    return recorded(prompt.call.source, prompt.call.entry, prompt.call.arguments)


def session(
    source: str = LETTERS,
    entry: str = "f",
    arguments: str = "'r'",
    *,
    err: float = 0.0,
    seed: int = 0,
    kinds: tuple[str, ...] = ("value",),
    budget: int = 10**6,
) -> Session:
    """A session of an oracle that errs at the rate `err`."""
    oracle = OraclePredictor(real, err=err, seed=seed, kinds=kinds)
    return open_session(oracle, source, entry, arguments, settings=Settings(budget=budget))


def slipping() -> Session:
    """A session of `LETTERS` in which `n` is 6 instead of 1 at step 11, and goes on from there; reality is attached."""
    trace = recorded(LETTERS, "f", "'r'")
    frames = list(trace.frames)
    for at, frame in enumerate(frames):
        if frame.state.get("n", "0") != "0":
            frames[at] = replace(frame, locals=frame.state | {"n": str(int(frame.state["n"]) + 5)})
    made = open_session(ReplayPredictor(Trace(trace.header, tuple(frames))), LETTERS, "f", "'r'")
    made.attach(trace)
    return made
