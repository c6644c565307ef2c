"""Trials in other worlds: in a fork of the agent's environment, tests are run for many versions of the tree in one process.

    with Lookahead(history.fork, arguments=["tests"]) as lookahead:
        survey = lookahead.survey()
        watched = lookahead.watch(tests, files)
        verdicts = lookahead.attempt(candidates, wanted, others, seconds=30)

What is seen there is a guide and no verdict: the agent does in its own world what won, and runs the tests there.
"""

import json
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from foretrace.errors import SandboxError
from foretrace.forager.repair import inside
from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.evidence import Survey, TestResult, Watched
from foretrace.repos.commands import split_arguments
from foretrace.sandbox.environment import Environment, Status

_BOOT = """
import json, sys, types
settings = json.loads(sys.stdin.read())
package = types.ModuleType("foretrace_inside")
package.__path__ = []
sys.modules[package.__name__] = package
for name, text in settings.pop("program").items():
    module = types.ModuleType(package.__name__ + "." + name)
    sys.modules[module.__name__] = module
    exec(compile(text, "<" + module.__name__ + ">", "exec"), module.__dict__)
module.main(settings)
"""
"""Makes modules of what standard input has, and calls the last one's `main`."""
_PATIENCE = 20.0
"""Seconds of the processor for the wanted tests of one candidate, at most."""
_MARGIN = 20.0
"""Seconds that the interpreter gets for starting and for ending."""


@dataclass(frozen=True)
class Verdict:
    """What became of one candidate."""

    candidate: Candidate
    solves: bool
    """The wanted tests pass, and all others that did before."""
    passed: int
    """Wanted tests that passed before it was given up."""
    breaks: bool
    """All wanted tests pass, and another fails."""
    error: str
    message: str
    test: str
    """The first that failed."""
    seconds: float
    quick: bool
    """Tried without an import."""


@dataclass(frozen=True)
class Trials:
    """What became of some candidates, in the order tried; those that are not among them were not tried."""

    verdicts: tuple[Verdict, ...]
    seconds: float
    """Wall clock."""
    used: float
    """Seconds of the processor."""

    @property
    def winner(self) -> Verdict | None:
        """The first that solves it."""
        return next((verdict for verdict in self.verdicts if verdict.solves), None)


class Lookahead:
    """One fork, for as long as it is needed.

    Args:
        fork: makes it.
        command: runs all tests: `python -m pytest tests`.

    """

    def __init__(self, fork: Callable[[], Environment], command: str = "python -m pytest") -> None:
        self.command = command
        self.environment = fork()
        """The fork."""
        self.seconds = 0.0
        """Of all that was done here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.environment.close()

    def survey(self, seconds: float = 300.0) -> Survey:
        """Runs all tests, and notes which functions each of them calls."""
        tests, uncollected, modules = [], {}, ()
        before = self.seconds
        for record in self._run("survey", seconds, {}):
            if "modules" in record:
                modules = tuple(record["modules"])
            elif "test" in record:
                tests.append(_result(record))
            elif "uncollected" in record:
                uncollected[record["uncollected"]] = record["detail"]
        return Survey(tuple(tests), uncollected, modules, self.seconds - before)

    def watch(self, tests: Sequence[str], failing: Sequence[str], files: Sequence[str], seconds: float = 60.0) -> Watched:
        """Runs some tests, and notes which lines of some files run, and how the functions in them end."""
        lines: dict[str, dict[str, frozenset[int]]] = {}
        ends = []
        for record in self._run("watch", seconds, {"tests": list(tests), "files": list(files)}):
            lines[record["test"]] = {path: frozenset(found) for path, found in record["lines"].items()}
            ends += [(record["test"], *end) for end in record["ends"]]
        return Watched(frozenset(failing), lines, tuple(ends))

    def attempt(
        self,
        candidates: Sequence[Candidate],
        survey: Survey,
        wanted: Sequence[str],
        *,
        seconds: float,
        quick: bool = True,
    ) -> Trials:
        """Tries candidates in order, until one solves it or the time is over: `seconds` of the processor, so that others who
        work on the machine do not change what is found.
        """
        versions = [self._version(number, candidate) for number, candidate in enumerate(candidates)]
        known = {test.test: test.seconds for test in survey.tests}
        ordered = sorted(wanted, key=lambda test: known.get(test, 0.0))
        settings: dict[str, Any] = {
            "versions": versions,
            "wanted": ordered,
            "others": [test.test for test in survey.passing if test.test not in set(wanted)],
            "uncollected": sorted(survey.uncollected) if wanted else [],
            "modules": survey.modules,
            "files": sorted({candidate.code.path for candidate in candidates}),
            "seconds": seconds,
            "limit": 4.0 + 3.0 * sum(known.values()),
            "patience": min(_PATIENCE, 1.0 + 3.0 * sum(min(known.get(test, 1.0), 2.0) for test in ordered)),
            "quick": quick,
        }
        before = self.seconds
        records = list(self._run("attempt", 8 * (seconds + settings["limit"]), settings))
        verdicts = tuple(_verdict(record, candidates[record["id"]]) for record in records if "id" in record)
        return Trials(verdicts, self.seconds - before, sum(record.get("used", 0.0) for record in records))

    def _version(self, number: int, candidate: Candidate) -> Mapping[str, Any]:
        return {"id": number, "path": candidate.code.path, "after": candidate.after, "segment": candidate.segment}

    def _run(self, job: str, seconds: float, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Runs the program inside; its records."""
        output = f"/tmp/{secrets.token_hex(8)}"
        python, arguments = split_command(self.command)
        given: dict[str, Any] = {"job": job, "output": output, "program": _program()}
        given |= {"arguments": ["--rootdir=.", *arguments], "options": split_arguments(arguments)[0]}
        ran = self.environment.exec(
            [python, "-c", _BOOT],
            cwd=self.environment.workdir,
            seconds=seconds + _MARGIN,
            stdin=json.dumps({**given, **settings}).encode(),
        )
        self.seconds += ran.seconds
        if ran.status is Status.BROKEN:
            raise SandboxError("the environment broke while repairs were tried: the episode can be taken up again")
        try:
            data = self.environment.read(output)
            self.environment.remove(output)
        except SandboxError:
            return  # it never began to write
        for line in data.split(b"\n")[:-1]:
            yield json.loads(line)


@cache
def _program() -> dict[str, str]:
    """The texts of the modules that work inside."""
    folder = Path(inside.__file__).parent
    return {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in inside.MODULES}


def split_command(command: str) -> tuple[str, list[str]]:
    """The interpreter and pytest's arguments of a command such as `python -m pytest tests`."""
    words = shlex.split(command)
    at = words.index("pytest") + 1 if "pytest" in words else len(words)
    return words[0] if words else "python", words[at:]


def _result(record: Mapping[str, Any]) -> TestResult:
    return TestResult(
        test=record["test"],
        outcome=record["outcome"],
        seconds=record["seconds"],
        error=record.get("error", ""),
        message=record.get("message", ""),
        places=tuple((path, line, name) for path, line, name in record.get("places", ())),
        calls={path: tuple(lines) for path, lines in record["calls"].items()},
    )


def _verdict(record: Mapping[str, Any], candidate: Candidate) -> Verdict:
    return Verdict(
        candidate,
        bool(record["all"]),
        int(record["passed"]),
        bool(record["others"]) and not record["all"],
        str(record["error"]),
        str(record["message"]),
        str(record["test"]),
        float(record["took"]),
        bool(record["quick"]),
    )
