"""Looks for programs on which the two recorders, the two forms or the two readers differ; prints their seeds.

    python bench/recording/fuzz.py                               # 2,000 programs, some minutes
    python bench/recording/fuzz.py --programs 100000 --seconds 3600 --seed 50000
    python bench/recording/fuzz.py --seed 1234 --programs 1 --show

Exit code 1 if any differ. Program `seed` is, by turns, one of `foretrace.corpus`, one whose locals hold odd values and change
them (`tests/record/odd.py`), or both: an ordinary function called with odd values. Recording options vary with the seed.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from foretrace.corpus import synthesise
from foretrace.errors import ForetraceError

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "record"))
from comparing import difference, recorded, small_limits
from odd import PRELUDE, Odd, odd_program

FORMS = ("ordinary", "odd", "odd", "mixed")
EVENTS = 3000


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


def compared(seed: int) -> tuple[str, str]:
    """A program's source, and where what is recorded of it differs."""
    form, options = FORMS[seed % len(FORMS)], options_of(seed)
    if form == "ordinary":
        program = synthesise(seed)
        source = program.source
        options |= {"entry": program.entry, "arguments": program.arguments}
    else:
        source = odd_program(seed) if form == "odd" else mixed(seed)
    try:
        where = difference(source, **options)
        return source, where if where and is_steady(source, options) else ""
    except ForetraceError as error:  # recording or reading failed where it should not
        return source, f"{type(error).__name__}: {error}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=2000, help="how many to try (2000)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long at most")
    parser.add_argument("--seed", type=int, default=0, help="the first program's (0)")
    parser.add_argument("--show", action="store_true", help="print the programs that differ")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    tried, failed = 0, []
    for seed in range(arguments.seed, arguments.seed + arguments.programs):
        if time.monotonic() > end:
            break
        source, where = compared(seed)
        tried += 1
        if where:
            failed.append(seed)
            print(f"{seed}: {where}", flush=True)
            if arguments.show:
                print(source.removeprefix(PRELUDE), flush=True)
    print(f"{tried} programs, {len(failed)} differ{': ' if failed else ''}{', '.join(map(str, failed))}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
