"""Episodes: calls of a repository's own functions, cut from the traces of its tests (CWM report, section 2.2).

    counts = Counts()
    for trace, origin in episodes_of("toolz-1.2.0.tar.gz", step_in=0.5, depth=3, counts=counts):
        ...
    print(counts)

An episode is a trace of its own: one call, from its `call` frame to where its scope is left, with the calls within it that
are stepped into, and one small source of just what appears in it. A call that is not stepped into is one step, and an
episode itself. That of a generator or coroutine is its whole life in the test, all resumptions one after the other.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

from foretrace.corpus.cutting.calls import Call, Calls
from foretrace.corpus.cutting.checks import is_readable, unpredictable
from foretrace.corpus.cutting.choose import Candidate, choose, without_repetitions
from foretrace.corpus.cutting.context import Context, Place, can_show, make_context
from foretrace.corpus.cutting.sources import Sources
from foretrace.corpus.cutting.walk import Cut, CutLimits, Walker
from foretrace.corpus.repository import RecordedTest, Suite, SuiteLimits, record_suite
from foretrace.corpus.types import Origin
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame, Header, Outcome, Trace, to_segments, to_text

_OF_TESTS = re.compile(r"(^|/)(tests?|\.\w+)/|(^|/)(conftest|test_[^/]*|[^/]*_tests?|tests?)\.py$")


def is_of_tests(path: str) -> bool:
    """Whether a file, by its path in a repository, is part of its tests, or of a hidden folder."""
    return _OF_TESTS.search(path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOptions:
    """What episodes are cut."""

    seed: int = 0
    step_in: float = 0.5
    """Probability that a call is stepped into."""
    depth: int = 3
    """Levels of calls below the entry that may be stepped into; 0: no limit. Fewer where an episode would be too long."""
    max_events: int = 2_000
    max_characters: int = 200_000
    """Of the episode as text, its source included."""
    per_function: int = 8
    """Episodes of one function that are kept."""
    with_tests: bool = False
    """Whether code of tests may be in episodes, and an episode itself."""
    failing: bool = False
    """Whether tests that fail, recorded or not, are used."""

    def __post_init__(self) -> None:
        if not 0 <= self.step_in <= 1:
            raise UsageError(f"a probability is between 0 and 1: step_in is {self.step_in}")
        for name in ("max_events", "max_characters", "per_function"):
            if getattr(self, name) < 1:
                raise UsageError(f"a limit must be a positive number: {name} is {getattr(self, name)}")
        if self.depth < 0:
            raise UsageError(f"a depth is 0 or more: {self.depth}")


@dataclass(slots=True)
class Counts:
    """What became of a repository's tests and calls, for a report."""

    tests: int = 0
    passed: int = 0
    """When they were recorded."""
    recorded: int = 0
    differing: list[str] = field(default_factory=list)
    """Tests that ended differently when they were recorded."""
    used: int = 0
    """Tests whose traces were cut."""
    traces: int = 0
    cut_off: int = 0
    """Traces that a limit ended."""
    calls: int = 0
    """Of functions that may be episodes."""
    stepped_into: int = 0
    """Calls that are part of another's episode."""
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Calls that are in no episode, by reason."""


def episodes_of(
    root: str | Path,
    *,
    backend: str = "process",
    python: str = "",
    limits: SuiteLimits | None = None,
    counts: Counts | None = None,
    seed: int = 0,
    step_in: float = 0.5,
    depth: int = 3,
    max_events: int = 2_000,
    max_characters: int = 200_000,
    per_function: int = 8,
) -> Iterator[tuple[Trace, Origin]]:
    """Records a repository's tests in a sandbox, and cuts them; see `record_suite` and `EpisodeOptions`.

    Raises:
        UsageError: there is no such repository, or an option cannot be.
        RecordError: its tests do not start.

    """
    options = EpisodeOptions(
        seed=seed,
        step_in=step_in,
        depth=depth,
        max_events=max_events,
        max_characters=max_characters,
        per_function=per_function,
    )
    yield from cut_suite(record_suite(root, backend, limits=limits, python=python), options, counts)


def cut_suite(
    suite: Suite, options: EpisodeOptions | None = None, counts: Counts | None = None
) -> Iterator[tuple[Trace, Origin]]:
    """Cuts a recorded suite: always the same episodes in the same order."""
    return _Cutter(suite, options or EpisodeOptions(), counts if counts is not None else Counts()).run()


class _DroppedError(Exception):
    """An episode cannot be had; the message is the reason. Never leaves this module."""


class _Cutter:
    """Two passes over the traces: all episodes that there could be as fingerprints, then those that were chosen."""

    def __init__(self, suite: Suite, options: EpisodeOptions, counts: Counts) -> None:
        self.suite, self.options, self.counts = suite, options, counts
        self.sources = Sources(suite.tree.files)
        self.tests = suite.usable(failing=options.failing)
        self.limits = CutLimits(
            step_in=options.step_in,
            depth=options.depth,
            events=options.max_events,
            characters=options.max_characters,
            seed=options.seed,
        )

    def run(self) -> Iterator[tuple[Trace, Origin]]:
        self._count_tests()
        found = list(self._candidates())
        distinct = without_repetitions(found)
        chosen = choose(distinct, self.options.per_function)
        self._drop("the same as another", len(found) - len(distinct))
        self._drop("enough of its function", len(distinct) - len(chosen))
        wanted: dict[int, dict[int, list[Candidate]]] = {}
        for candidate in chosen:
            wanted.setdefault(candidate.test, {}).setdefault(candidate.trace, []).append(candidate)
        for test, by_trace in wanted.items():
            for number, trace in enumerate(self.tests[test].traces()):
                if number in by_trace:
                    yield from self._made(trace, self._walker(self.tests[test], number, trace), by_trace[number])

    def _drop(self, reason: str, count: int = 1) -> None:
        if count:
            self.counts.dropped[reason] += count

    def _count_tests(self) -> None:
        counts, tests = self.counts, self.suite.tests
        counts.tests += len(tests)
        counts.passed += sum(test.verdict == "passed" for test in tests)
        counts.recorded += sum(bool(test.recording) for test in tests)
        counts.differing += [test.name for test in self.suite.differing]
        counts.used += len(self.tests)

    def _candidates(self) -> Iterator[Candidate]:
        for index, test in enumerate(self.tests):
            for number, trace in enumerate(test.traces()):
                self.counts.traces += 1
                self.counts.cut_off += trace.header.outcome is Outcome.TRUNCATED
                walker = self._walker(test, number, trace)
                entries = sum(map(walker.is_entry, range(len(walker.calls.list))))
                self.counts.calls += entries
                for cut in walker.roots():
                    entries -= 1
                    if isinstance(cut, Call):
                        self._drop("too long" if cut.is_complete else "cut off")
                    else:
                        entries -= cut.stepped_into
                        self.counts.stepped_into += cut.stepped_into
                        yield _candidate(index, number, walker.calls, cut)
                self._drop("in a generator that is not followed", entries)

    def _walker(self, test: RecordedTest, number: int, trace: Trace) -> Walker:
        for path, text in {trace.header.path: trace.header.source, **trace.header.files}.items():
            if here := self._path(path):
                self.sources.replace(here, text)
        return Walker(Calls(trace), f"{test.name}#{number}", self._can_show, self.limits)

    def _path(self, path: str) -> str:
        """A file's path in the repository."""
        return path.removeprefix(self.suite.root).lstrip("/") if path.startswith(self.suite.root + "/") else ""

    def _can_show(self, path: str, line: int) -> bool:
        path = self._path(path)
        is_wanted = bool(path) and (self.options.with_tests or not is_of_tests(path))
        return is_wanted and can_show(self.sources, (path, line))

    def _made(self, trace: Trace, walker: Walker, candidates: list[Candidate]) -> Iterator[tuple[Trace, Origin]]:
        for candidate in candidates:
            cut = walker.again(candidate.root, candidate.depth)
            try:
                episode = self._episode(trace, cut, walker.calls)
            except _DroppedError as error:
                self._drop(str(error))
                continue
            self.counts.kept += 1
            yield episode

    def _episode(self, trace: Trace, cut: Cut, calls: Calls) -> tuple[Trace, Origin]:
        """A trace of some frames of another, with a source of its own."""
        frames = [trace.frames[index] for index in cut.frames]
        if reason := unpredictable(frames, self.suite.folder):
            raise _DroppedError(reason)
        paths = {path: self._path(path) for path in {calls.path_of(frame) for frame in frames}}
        places = [(paths[calls.path_of(f)], f.line) for f in frames if f.event is Event.CALL and not f.resumed]
        context = make_context(self.sources, places, places[0])
        if context is None:
            raise _DroppedError("its source is not to be found")
        moved = tuple(
            _moved(frame, (paths[calls.path_of(frame)], frame.line), depth, context)
            for frame, depth in zip(frames, cut.depths, strict=True)
        )
        header = _header(trace.header, frames, context, places[0][0])
        episode = Trace(header, moved)
        text = to_text(to_segments(episode))
        if len(text) > self.options.max_characters:
            raise _DroppedError("too long")
        if not is_readable(text, header, moved):
            raise _DroppedError("its text would be read as something else")
        tree = self.suite.tree
        licence = tree.licences.get(places[0][0], tree.licence)
        return episode, Origin(kind="test", name=tree.name, path=places[0][0], line=places[0][1], licence=licence)


def _header(header: Header, frames: list[Frame], context: Context, path: str) -> Header:
    """The header of an episode."""
    return replace(
        header,
        source=context.text,
        files={},
        path=path,
        entry=frames[0].function,
        arguments=dict(frames[0].state),
        outcome=Outcome.RETURNED if frames[-1].event is Event.RETURN else Outcome.RAISED,
        detail="",
    )


def _moved(frame: Frame, place: Place, depth: int, context: Context) -> Frame:
    """A frame as it is in the episode's own source."""
    line = context.lines.get(place, 0)
    if not line or context.rows[line - 1] != frame.source:
        raise _DroppedError("its source is not what ran")
    return replace(frame, line=line, depth=depth, path="")


def _candidate(test: int, trace: int, calls: Calls, cut: Cut) -> Candidate:
    content, lines = blake2b(digest_size=16), set()
    frames = [calls.frames[index] for index in cut.frames]
    for frame in frames:
        path = calls.path_of(frame)
        said = (frame.event, path, str(frame.line), str(frame.value), *frame.state, *frame.state.values(), "\0")
        content.update("\0".join(said).encode("utf-8", "surrogatepass"))
        if frame.event is not Event.CALL:
            lines.add(f"{path}:{frame.line}:{frame.event is Event.EXCEPTION}")
    covered = blake2b("\n".join(sorted(lines)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    function = (calls.path_of(frames[0]), frames[0].function)
    return Candidate(test, trace, cut.root, cut.depth, function, covered, content.digest())
