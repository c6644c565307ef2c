"""Runs the tests of an image and tells how each of them ended: by our own plugin, over a channel that the tests do not know.

    run = run_tests(environment, image)                         # all of them
    run = run_tests(environment, image, ["tests/test_a.py::test_b"], seconds=60)
    run.outcomes, run.passed, run.doubts

What is printed counts for nothing. The plugin's text, the name of the file that it writes and the key that its records are
chained with go to the interpreter's standard input, fresh for each run. A test that is not there, was skipped or is expected
to fail has not passed. That the box broke (`status`) is no verdict on the tests, and `doubts` are reasons to believe none of
the outcomes: then nothing has passed.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from foretrace.errors import SandboxError
from foretrace.repos.commands import split_arguments
from foretrace.repos.plan import VENV
from foretrace.sandbox.environment import Environment, ExecResult, Status

TEST_SECONDS = 60.0
"""Of one test."""
_PLUGIN = Path(__file__).with_name("plugin.py")
_BOOT = """
def boot():
    import sys, os
    order, root = [path for path in sys.path if path], os.getcwd()
    sys.path[:] = sorted(order, key=lambda path: os.path.abspath(path).startswith(root))
    import json
    settings = json.loads(sys.stdin.buffer.read().decode("ascii"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    names = {"__name__": "foretrace_plugin"}
    exec(compile(settings.pop("plugin"), "<foretrace>", "exec"), names)
    sys.path[:] = [root] + order
    return names.pop("main"), settings
main, settings = boot()
del boot
main(settings)
"""
"""Makes the plugin of what standard input has, while modules of the tree are found last: its pytest.py is not ours."""


class Outcome(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """Its setup or teardown failed."""
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    """The interpreter ended while it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCommand:
    """How the tests of an image are run, and what is usual there."""

    __test__ = False

    arguments: tuple[str, ...] = ()
    """Of pytest."""
    environment: Mapping[str, str] = field(default_factory=dict)
    hooks: tuple[str, ...] | None = None
    """Hooks by which the repository's own files take part in running tests (see `plugin._Watch`); None: not known yet."""
    patched: tuple[str, ...] = ()
    """Functions of pytest that its tests replace and leave so."""
    python: str = f"{VENV}/bin/python"


class HasTests(Protocol):
    """An image with tests, as `RepoImage`."""

    @property
    def command(self) -> TestCommand:
        """How they are run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """What one run told."""

    __test__ = False

    outcomes: dict[str, Outcome]
    """Of each test that began, by pytest's id."""
    code: int
    """Of pytest: 0 if all is well, 1 if tests failed."""
    seconds: float
    status: Status
    """Of the box: whether it could run them at all, or cut them."""
    durations: dict[str, float] = field(default_factory=dict)
    """Seconds of each test."""
    details: dict[str, str] = field(default_factory=dict)
    """Why tests failed."""
    collected: tuple[str, ...] = ()
    uncollected: dict[str, str] = field(default_factory=dict)
    """Files that could not be imported, and why."""
    ended: str = ""
    """Why it stopped before its end, if it did."""
    doubts: tuple[str, ...] = ()
    """Signs that somebody meddled with the results."""
    hooks: tuple[str, ...] = ()
    patched: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    """Of Python and pytest."""
    output: str = ""
    """What was printed, shortened; for people."""

    @property
    def passed(self) -> frozenset[str]:
        """Tests that passed beyond doubt."""
        if self.doubts:
            return frozenset()
        return frozenset(test for test, outcome in self.outcomes.items() if outcome is Outcome.PASSED)

    def count(self, *outcomes: Outcome) -> int:
        """How many tests ended in one of these ways."""
        return sum(outcome in outcomes for outcome in self.outcomes.values())


def run_tests(
    environment: Environment,
    image: HasTests,
    tests: Sequence[str] | None = None,
    *,
    seconds: float = 900.0,
    test_seconds: float = TEST_SECONDS,
) -> TestRun:
    """Runs an image's tests in an environment of it.

    Args:
        environment: where; what the tests change there stays changed.
        image: which knows how its tests are run.
        tests: ids of pytest; all if None. Those that do not exist are simply not in the outcomes.
        seconds: of all of them.
        test_seconds: of each.

    """
    command = image.command
    key, output = secrets.token_bytes(32), f"/tmp/{secrets.token_hex(16)}"
    settings: dict[str, Any] = {"plugin": _PLUGIN.read_text(), "key": key.hex(), "output": output, "seconds": test_seconds}
    settings |= {"arguments": _arguments(environment, command, tests), "tests": None if tests is None else list(tests)}
    result = environment.exec(
        [command.python, "-c", _BOOT],
        cwd=environment.workdir,
        seconds=seconds,
        stdin=json.dumps(settings).encode("ascii"),
        env=dict(command.environment),
    )
    try:
        data = environment.read(output)
        environment.remove(output)
    except SandboxError:  # it never began to write
        data = b""
    records, damage = _records(data, key)
    return _read(records, damage, result, command)


def _arguments(environment: Environment, command: TestCommand, tests: Sequence[str] | None) -> list[str]:
    """Pytest's arguments; for some tests only, their files, so that others need not be collected."""
    always = ["--rootdir=.", "-ra", "--tb=short", "-q"]
    if tests is None:
        return [*always, *command.arguments]
    options, _ = split_arguments(command.arguments)
    files = dict.fromkeys(test.split("::")[0] for test in tests)
    quoted = [file for file in files if _exists(environment, f"{environment.workdir}/{file}")]
    return [*always, *options, *(quoted or ["--ignore=."])]


def _exists(environment: Environment, path: str) -> bool:
    try:
        environment.read(path)
    except SandboxError:
        return False
    return True


def _records(data: bytes, key: bytes) -> tuple[list[dict[str, Any]], str]:
    """The records whose chain is whole, and what is wrong with the rest."""
    found: list[dict[str, Any]] = []
    chain = b""
    for number, line in enumerate(data.splitlines(), 1):
        text, _, mac = line.partition(b"\t")
        chain = hashlib.blake2b(chain + text, key=key, digest_size=16).digest()
        if not secrets.compare_digest(chain.hex().encode("ascii"), mac):
            is_cut = number == data.count(b"\n") + 1  # the last line of a process that was killed while it wrote
            return found, "" if is_cut else f"record {number} was not written by our plugin"
        found.append(json.loads(text))
    return found, ""


def _read(records: list[dict[str, Any]], damage: str, result: ExecResult, command: TestCommand) -> TestRun:
    """Puts records together, and compares them with how the process ended."""
    told: dict[str, Any] = {}
    outcomes: dict[str, Outcome] = {}
    durations: dict[str, float] = {}
    details: dict[str, str] = {}
    uncollected: dict[str, str] = {}
    begun = ""
    for record in records:
        told |= record
        if "begins" in record:
            begun = record["begins"]
        elif "test" in record:
            name, begun = record["test"], ""
            outcomes[name] = _worse(outcomes.get(name), Outcome(record["outcome"]))
            durations[name] = record["seconds"]
            details |= {name: record["detail"]} if record["detail"] else {}
        elif "uncollected" in record:
            uncollected[record["uncollected"]] = record["detail"]
    if begun:
        outcomes[begun] = Outcome.TIMEOUT if result.status is Status.TIMEOUT else Outcome.CRASHED
    patched, hooks = tuple(told.get("patched", ())), tuple(told.get("hooks", ()))
    doubts = [damage, *_meddling(patched, hooks, command)]
    if "ends" in told:
        doubts.append(_disagreement(told["ends"], result.code, outcomes, uncollected))
    return TestRun(
        outcomes=outcomes,
        code=result.code,
        seconds=result.seconds,
        status=result.status,
        durations=durations,
        details=details,
        collected=tuple(told.get("collected", ())),
        uncollected=uncollected,
        ended=_ended(result, told, outcomes) or (f"{begun} never ended" if begun else ""),
        doubts=tuple(filter(None, doubts)),
        hooks=hooks,
        patched=patched,
        versions={name: str(value) for name, value in told.get("start", {}).items()},
        output=_text(result.output),
    )


def _worse(first: Outcome | None, second: Outcome) -> Outcome:
    return second if first in (None, Outcome.PASSED) else first or second


def _meddling(patched: Sequence[str], hooks: Sequence[str], command: TestCommand) -> list[str]:
    """What is replaced or hooked that was not when the image was made."""
    if command.hooks is None:
        return []
    new = [name for name in patched if name not in command.patched]
    added = [name for name in hooks if name not in command.hooks]
    return [f"{name} was replaced" for name in new] + [f"{name} takes part in running tests" for name in added]


def _disagreement(said: int, code: int, outcomes: Mapping[str, Outcome], uncollected: Mapping[str, str]) -> str:
    bad = {Outcome.FAILED, Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED}
    has_failed = bool(uncollected) or any(outcome in bad for outcome in outcomes.values())
    if said != code:
        return f"the process ended with {code}, but pytest with {said}"
    if code == 0 and has_failed:
        return "pytest ended with 0, though tests failed"
    return ""


def _ended(result: ExecResult, told: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> str:
    """Why a run stopped before its end; empty if it did not."""
    if result.status is not Status.OK:
        return f"{result.status}"
    last = [line for line in _text(result.output).strip().splitlines() if line.strip()][-3:]
    said = f": {' / '.join(last)}" if last else ""
    if "ends" not in told:
        return f"the process ended with {result.code}, and pytest did not{said}"
    if told["ends"] not in (0, 1, 5):
        return f"pytest ended with {told['ends']}{said}"
    left = len(set(told.get("collected", ())) - outcomes.keys())
    return f"{left:,} tests did not run{said}" if left else ""


def _text(output: bytes | str) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output
