"""What pytest prints of failures, with `--tb=short`: which test, through which lines, with which error.

    [failure, *_] = read_failures(run.output)
    failure.name, failure.error, failure.places[-1]      # "TestBasic.test_int", "TypeError", Place("pkg/a.py", 467, "mult")

It is what a person reads, and no verdict: a program can print what it likes.
"""

import re
from dataclasses import dataclass

_HEAD = re.compile(r"^_{2,} (?:ERROR at (?:setup|teardown) of |ERROR collecting )?(.+?) _{2,}$", re.MULTILINE)
_END = re.compile(r"^={3,}", re.MULTILINE)
_PLACE = re.compile(r"^(\S.*?):(\d+): in (\S+)$", re.MULTILINE)
_ERROR = re.compile(r"^E   (?!\s)((?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*))(?::[ \n]|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a traceback."""

    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One test that failed, or one file that could not be collected."""

    name: str
    """As pytest prints it: `TestBasic.test_int[1]`; a path if it is a file."""
    places: tuple[Place, ...]
    """Outermost first."""
    error: str
    """Name of the exception's class; `AssertionError` where only the assertion is shown; empty if nothing is."""
    text: str
    """The whole section but for its head."""


def read_failures(output: str) -> list[Failure]:
    """The failures in the order printed; only those that are printed whole, where the output was shortened."""
    heads = list(_HEAD.finditer(output))
    ends = [*(head.start() for head in heads[1:]), len(output)]
    found = []
    for head, limit in zip(heads, ends, strict=False):
        text = output[head.end() : limit]
        end = _END.search(text)
        found.append(_read(head[1], text[: end.start()] if end else text))
    return found


def failure_of(failures: list[Failure], test: str) -> Failure | None:
    """The failure of a test by its id: `tests/test_a.py::TestBasic::test_int[1]`."""
    name = ".".join(test.split("::")[1:])
    return next((failure for failure in failures if failure.name == name), None)


def _read(name: str, text: str) -> Failure:
    places = tuple(Place(m[1], int(m[2]), m[3]) for m in _PLACE.finditer(text))
    errors = _ERROR.findall(text)
    asserts = "AssertionError" if re.search(r"^E   assert\b", text, re.MULTILINE) else ""
    return Failure(name, places, errors[-1][1] if errors else asserts, text.strip("\n"))
