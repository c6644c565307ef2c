"""How a task is told: from the function and its tests, as in the paper, down to the bare fact that something is wrong.

    statement(mutation, failing, seed=7, hints="tests", trace="E   assert 1 == 2")

What the agent is told is drawn from several ways of saying it, by the seed: what all tasks have in common word for word
would teach nothing, and near-duplicates are thrown away in the end.
"""

import random
from collections.abc import Sequence
from pathlib import PurePosixPath

from foretrace.errors import UsageError
from foretrace.forager.mutation.sampling import Mutation

HINTS = ("function", "tests", "traceback", "file", "nothing")
"""Levels, from most told to least: the function and its failing tests (CWM's); the tests; how one fails; the file."""
SHOWN = 8
"""Failing tests that are named."""

_OPENINGS = (
    "Something in this repository no longer works.",
    "The test suite has begun to fail.",
    "A recent change has broken this project.",
    "There is a bug in this code base.",
    "Continuous integration is red.",
)
_FUNCTION = (
    "The function `{function}` in `{path}` does not do what it should.",
    "`{function}` (in `{path}`) misbehaves.",
    "The trouble is in `{path}`, in `{function}`.",
    "Look at `{function}` in `{path}`: it is wrong.",
)
_TOP = ("The trouble is at the top of `{path}`.", "Something outside of all functions of `{path}` is wrong.")
_FILE = ("The mistake must be in `{path}`.", "Only `{path}` was changed.", "It seems to come from `{path}`.")
_TESTS = ("These tests fail:", "The following tests used to pass:", "Failing now:", "Tests that must pass again:")
_TRACE = ("One of the tests ends like this:", "What one sees:", "The last lines of one failure:")
_CLOSINGS = (
    "Repair it so that they pass, and break nothing else. Do not change the tests.",
    "Please find and fix the cause. The tests themselves are right and must stay as they are.",
    "Make the whole test suite pass again without touching the tests.",
    "Find the mistake, correct it, and submit a patch. Leave the tests alone.",
)


def statement(mutation: Mutation, failing: Sequence[str], *, seed: int, hints: str = "function", trace: str = "") -> str:
    """The problem statement of a mutate-fix task.

    Args:
        mutation: what was done; only where is ever told, never what.
        failing: the tests that fail because of it.
        seed: of the choice of words.
        hints: one of `HINTS`.
        trace: the last lines of one failure, for `traceback`.

    Raises:
        UsageError: there is no such level.

    """
    if hints not in HINTS:
        raise UsageError(f"no level of hints {hints!r}; there are: {', '.join(HINTS)}")
    rng = random.Random(f"statement {seed}")
    place = {"function": mutation.function, "path": mutation.path}
    parts = [rng.choice(_OPENINGS)]
    if hints == "function":
        parts[0] += " " + rng.choice(_FUNCTION if mutation.function else _TOP).format_map(place)
    if hints == "file":
        parts[0] += " " + rng.choice(_FILE).format_map(place)
    if hints in ("function", "tests"):
        parts.append(f"{rng.choice(_TESTS)}\n{_listed(failing)}")
    if hints == "traceback" and trace:
        parts.append(f"{rng.choice(_TRACE)}\n\n```\n{trace.strip()}\n```")
    parts.append(rng.choice(_CLOSINGS))
    return "\n\n".join(parts) + "\n"


def _listed(tests: Sequence[str]) -> str:
    shown = [f"- `{test}`" for test in tests[:SHOWN]]
    files = {PurePosixPath(test.partition("::")[0]).name for test in tests[SHOWN:]}
    more = [f"- and {len(tests) - SHOWN} more in {', '.join(sorted(files)[:3])}"] if len(tests) > SHOWN else []
    return "\n".join(shown + more)
