"""Looks for programs on which the two recorders, the two forms or the two readers differ; prints their seeds.

    python bench/recording/fuzz.py                               # 2,000 programs, some minutes
    python bench/recording/fuzz.py --programs 100000 --seconds 3600 --seed 50000
    python bench/recording/fuzz.py --seed 1234 --programs 1 --show

Exit code 1 if any differ or crash. Programs that take too long or too much memory are ended and counted. Program `seed` is, by
turns, one of `foretrace.corpus`, one whose locals hold odd values and change them (`tests/record/odd.py`), or both: an ordinary
function called with odd values. Recording options vary with the seed.
"""

import argparse
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from foretrace.corpus import synthesise
from foretrace.errors import ForetraceError

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "record"))
from comparing import difference, recorded, small_limits
from odd import PRELUDE, Odd, odd_program

FORMS = ("ordinary", "odd", "odd", "mixed")
EVENTS = 3000
CPU_SECONDS, GIBIBYTES = 4, 4.0
"""Of one program: an ordinary function does not always end when it is given an odd value."""
BATCH = 50
"""Programs that one process compares."""


def mixed(seed: int) -> str:
    """An ordinary function called with its own arguments and with odd values, each of which may raise."""
    program, odd = synthesise(seed), Odd(seed)
    lines = ["def f():", "    results = []", *(f"    v{i} = {odd.value(2)}" for i in range(odd.variables))]
    arguments = [program.arguments, *(", ".join(odd.value(2) for _ in range(n)) for n in (1, 2, 3, 1, 2))]
    for text in arguments:
        lines += [
            "    try:",
            f"        results.append({program.entry}({text}))",
            "    except (Exception, SystemExit) as error:",
        ]
        lines += [f"        {odd.variable()} = error", "    try:", f"        {odd.change(2)}", "    except Exception: pass"]
    return f"{PRELUDE}\n{program.source}\n" + "\n".join([*lines, "    return results", ""])


def options_of(seed: int) -> dict[str, Any]:
    """Options of recording; most seeds have the usual ones."""
    options: dict[str, Any] = {
        "max_events": EVENTS,
        "when_full": "mute",
        "value_limits": small_limits(max(0, seed % 40 - 20)),
    }
    choice = seed // 4 % 8
    if choice == 1 and sys.version_info >= (3, 13):  # before, the reference does not see some destructors, which draw too
        options |= {"step_in": 0.5, "seed": seed, "many": True}
    elif choice == 2:
        options |= {"depth": seed % 3 + 1, "many": True}
    elif choice == 3:
        options |= {"max_events": seed % 200 + 1}
    return options


def is_steady(source: str, options: dict[str, Any]) -> bool:
    """Whether a program does the same when it runs again: addresses may decide what it does."""
    return recorded(source, False, **options) == recorded(source, False, **options)


def source_of(seed: int) -> str:
    """A program."""
    form = FORMS[seed % len(FORMS)]
    return synthesise(seed).source if form == "ordinary" else odd_program(seed) if form == "odd" else mixed(seed)


def compared(seed: int) -> str:
    """Where what is recorded of a program differs; empty if nowhere."""
    source, options = source_of(seed), options_of(seed)
    if FORMS[seed % len(FORMS)] == "ordinary":
        program = synthesise(seed)
        options |= {"entry": program.entry, "arguments": program.arguments}
    try:
        where = difference(source, **options)
        return where if where and is_steady(source, options) else ""
    except ForetraceError as error:  # recording or reading failed where it should not
        return f"{type(error).__name__}: {error}"


def compare_in_child(seeds: range, memory: float, results: IO[str]) -> None:
    """Compares programs, and writes `[seed, where they differ, or null if not enough memory]` for each."""
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (int(memory * 2**30),) * 2)
    for seed in seeds:
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.RLIM_INFINITY))
        told: str | None
        try:
            told = compared(seed)
        except MemoryError:
            told = None
        except BaseException:
            told = traceback.format_exc()
        results.write(json.dumps([seed, told]) + "\n")
        results.flush()
        if told is None:  # what took the memory may still have it
            os._exit(0)


def compare_batch(seeds: range, memory: float) -> Iterator[tuple[int, str | None]]:
    """The seeds in order, as far as one process gets, and where each program differs; None if it met a limit."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open(writer, "w", encoding="utf-8") as results:
                compare_in_child(seeds, memory, results)
        finally:
            os._exit(1)
    os.close(writer)
    seed = seeds.start
    with open(reader, encoding="utf-8") as results:
        for line in results:
            seed, told = json.loads(line)
            yield seed, told
            seed += 1
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status and seed < seeds.stop:
        yield seed, None if status in (-signal.SIGXCPU, -signal.SIGKILL) else f"the process ended with {status}"


def compare_all(first: int, count: int, memory: float) -> Iterator[tuple[int, str | None]]:
    """Every seed, and where its program differs."""
    seed = first
    while seed < first + count:
        for seed, told in compare_batch(range(seed, min(seed + BATCH, first + count)), memory):  # noqa: B020
            yield seed, told
        seed += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=2000, help="how many to try (2000)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long at most")
    parser.add_argument("--seed", type=int, default=0, help="the first program's (0)")
    parser.add_argument("--memory", type=float, default=GIBIBYTES, metavar="GIB", help="of one process (4); 0: no limit")
    parser.add_argument("--show", action="store_true", help="print the programs that differ")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    tried, unended, failed = 0, 0, []
    for seed, where in compare_all(arguments.seed, arguments.programs, arguments.memory):
        tried += 1
        unended += where is None
        if where:
            failed.append(seed)
            print(f"{seed}: {where}", flush=True)
            if arguments.show:
                print(source_of(seed).removeprefix(PRELUDE), flush=True)
        if time.monotonic() > end:
            break
    print(
        f"{tried} programs, {unended} met a limit, {len(failed)} differ{': ' if failed else ''}{', '.join(map(str, failed))}"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
