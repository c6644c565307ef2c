"""A repository's own tests, recorded in a sandbox: each test's outcome, with and without a recorder, and what it did.

    suite = record_suite("toolz-1.2.0.tar.gz")
    for test in suite.usable(): ...                     # passed twice
        for trace in test.traces(): ...

The suite runs twice, each time in a fresh copy of the repository: unrecorded, then recorded. A test whose outcome differs is
reported and not used. What the tests need must be installed for the interpreter that runs them; there is no network.
"""

import json
import subprocess
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foretrace.corpus.repositories.archive import pack
from foretrace.corpus.repositories.job import payload
from foretrace.corpus.repositories.messages import decode, join
from foretrace.corpus.tree import SourceTree, read_tree
from foretrace.errors import FormatError, RecordError, UsageError
from foretrace.sandbox import Sandbox, SandboxLimits, Status
from foretrace.trace import Trace, read_binary

JOB = "foretrace.corpus.repositories.job:run"
MISSING = "missing"
"""The verdict of a test that one of the runs did not get to."""
_MAX_RECORDING = 256 << 20
_PROCESSES = 512
"""And threads; they are few where tests have some, and the kernel counts one that ends until it is gone."""
_MORE_FILES = "python_files=test*.py *_test.py *tests.py"
"""Where pytest finds no tests by its own rules, or the repository's."""
_PATHS = (".", "src", "lib")
_PREFIXES = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteLimits:
    """Of the tests of one repository."""

    events: int = 10_000
    """Of one trace; what is beyond runs unseen."""
    characters: int = 10_000_000
    """Of one trace; more than of a trace that is kept whole, as only parts of it are."""
    bytes: int = 16 << 20
    """Of one test's recording."""
    seconds: float = 60.0
    """Of one test."""
    suite_seconds: float = 900.0
    """Of one run of the suite."""
    memory_mb: int = 4096
    output_mb: int = 2048
    """Of all recordings together, and of any file that a test writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTest:
    """One test."""

    name: str
    """As pytest has it, `tests/test_a.py::test_b[1]`."""
    verdict: str
    """How it ended recorded: `passed`, `failed`, `error`, `skipped`, `xfailed`, `xpassed`, `missing`."""
    unrecorded: str
    """How it ended unrecorded."""
    seconds: float = 0.0
    unrecorded_seconds: float = 0.0
    detail: str = ""
    """Of a failure."""
    recording: bytes = b""
    """Binary traces, without the texts of source files, compressed."""
    parts: tuple[tuple[int, int], ...] = ()
    texts: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """Texts of source files, which the tests share; see `messages.join`."""

    @property
    def agrees(self) -> bool:
        """Whether it ended alike both times."""
        return self.verdict == self.unrecorded

    def data(self) -> bytes:
        """The recording in the binary form; empty if there is none."""
        return join(_inflated(self.recording), self.parts, self.texts)

    def traces(self) -> Iterator[Trace]:
        """A trace for each outermost call; as far as the recording is whole, as the tests could write to it."""
        try:
            yield from read_binary(self.data(), partial=True)
        except FormatError:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The tests of one repository, recorded."""

    tree: SourceTree
    """Its sources, licence and name."""
    tests: tuple[RecordedTest, ...]
    """In the order in which they ran."""
    folder: str
    """Where the sandbox had everything; a value that names it is of no use elsewhere."""
    root: str
    """Where the sandbox had the repository; the files of all traces are below."""
    python: str
    sandbox: str
    seconds: float
    unrecorded_seconds: float
    uncollected: dict[str, str] = field(default_factory=dict)
    """Test files that could not be imported, and why."""
    ended: str = ""
    """Why a run stopped before its end, if one did."""

    @property
    def differing(self) -> list[RecordedTest]:
        """Tests that ended differently when they were recorded."""
        return [test for test in self.tests if not test.agrees]

    def usable(self, *, failing: bool = False) -> list[RecordedTest]:
        """Tests that ended alike and passed, or failed as their authors expect; with `failing`, whatever their outcome."""
        wanted = {"passed", "xfailed", "xpassed"} | ({"failed", "error"} if failing else set())
        return [test for test in self.tests if test.agrees and test.verdict in wanted and test.recording]


@dataclass(slots=True)
class _Run:
    """What one run told."""

    seconds: float
    ended: str
    start: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    texts: dict[int, bytes] = field(default_factory=dict)
    uncollected: dict[str, str] = field(default_factory=dict)


def record_suite(
    root: str | Path,
    backend: str = "process",
    *,
    limits: SuiteLimits | None = None,
    python: str = "",
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    paths: Sequence[str] = _PATHS,
) -> Suite:
    """Runs a repository's tests twice in a sandbox, the second time under the recorder.

    Args:
        root: a directory or an sdist.
        backend: of `foretrace.sandbox`.
        python: the interpreter, which must have pytest and what the tests need; by default this one.
        arguments: more of pytest's: what to run, options. Those of the repository's own `addopts` are not used, as they
            often ask for plugins.
        environment: variables for the tests.
        paths: folders of the repository to import from, where they exist.

    Raises:
        UsageError: there is no such repository or interpreter.
        RecordError: pytest does not start.

    """
    limits = limits or SuiteLimits()
    tree, archive = read_tree(root), pack(Path(root))
    settings: dict[str, Any] = {"python": python, "arguments": list(arguments), "environment": dict(environment or {})}
    settings |= {"paths": list(paths), "events": limits.events, "characters": limits.characters}
    settings |= {"bytes": limits.bytes, "seconds": limits.seconds}
    with Sandbox(backend, readable=_prefixes(python) if python else (), processes=_PROCESSES) as sandbox:
        plain = _run(sandbox, settings | {"record": False}, archive, limits)
        if not plain.tests and not plain.uncollected and not arguments:
            settings["arguments"] = ["-o", _MORE_FILES]
            plain = _run(sandbox, settings | {"record": False}, archive, limits)
        recorded = _run(sandbox, settings | {"record": True}, archive, limits)
    return _suite(tree, backend, plain, recorded)


def _suite(tree: SourceTree, backend: str, plain: _Run, recorded: _Run) -> Suite:
    names = dict.fromkeys([*recorded.tests, *plain.tests])
    return Suite(
        tree=tree,
        tests=tuple(_test(name, recorded, plain) for name in names),
        folder=str(recorded.start.get("folder", "")),
        root=str(recorded.start.get("root", "")),
        python=str(recorded.start.get("python", "")),
        sandbox=backend,
        seconds=recorded.seconds,
        unrecorded_seconds=plain.seconds,
        uncollected=plain.uncollected | recorded.uncollected,
        ended=recorded.ended or plain.ended,
    )


def _test(name: str, recorded: _Run, plain: _Run) -> RecordedTest:
    head, recording = recorded.tests.get(name, ({}, b""))
    other, _ = plain.tests.get(name, ({}, b""))
    return RecordedTest(
        name=name,
        verdict=str(head.get("verdict", MISSING)),
        unrecorded=str(other.get("verdict", MISSING)),
        seconds=_number(head.get("seconds")),
        unrecorded_seconds=_number(other.get("seconds")),
        detail=str(head.get("detail") or other.get("detail") or ""),
        recording=recording,
        parts=tuple((part[0], part[1]) for part in head.get("parts", ()) if _is_part(part)),
        texts=recorded.texts,
    )


def _run(sandbox: Sandbox, settings: dict[str, Any], archive: bytes, limits: SuiteLimits) -> _Run:
    ceilings = SandboxLimits(
        seconds=limits.suite_seconds,
        cpu_seconds=int(limits.suite_seconds) + 1,
        memory_mb=limits.memory_mb,
        file_mb=limits.output_mb,
    )
    start = time.monotonic()
    result = sandbox.run(JOB, payload(settings, archive), ceilings)
    run = _Run(time.monotonic() - start, "")
    for head, body in decode(result.output):
        if "test" in head:
            run.tests[str(head["test"])] = head, body
        elif "source" in head:
            run.texts[len(run.texts)] = _inflated(body)
        elif "uncollected" in head:
            run.uncollected[str(head["uncollected"])] = str(head.get("detail", ""))
        elif not run.start:
            run.start = head
    if not run.start:
        said = (result.stderr or result.stdout).decode(errors="replace").strip()[-1000:]
        raise RecordError(f"the tests do not start ({result.status}): {said or 'nothing was said'}")
    is_over = result.status is Status.EXITED and result.code in (0, 1, 5)
    if not is_over or (result.code == 1 and not run.tests):
        said = (result.stderr + result.stdout).decode(errors="replace").strip()[-300:]
        run.ended = f"{result.status} {result.code}: {said}"
    return run


def _prefixes(python: str) -> list[str]:
    """Folders that another interpreter reads itself from.

    Raises:
        UsageError: there is none.

    """
    try:
        answer = subprocess.run([python, "-I", "-c", _PREFIXES], capture_output=True, check=True, timeout=60)
        return [python, *(str(path) for path in json.loads(answer.stdout) if path != "/")]
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(f"{python}: not an interpreter that can be started: {error}") from error


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_RECORDING) if data else b""
    except zlib.error:
        return b""


def _is_part(part: object) -> bool:
    return isinstance(part, list) and len(part) == 2 and all(isinstance(n, int) and n >= 0 for n in part)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
