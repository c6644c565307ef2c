"""What a trajectory tells a reader: which files were changed when, and how the tests stood over time.

    story = story_of(trajectory)
    story.tests[-1].passed, story.tests[-1].failed          # of the last test run that the agent saw
    story.files[0].path, story.files[0].touches[0].step

How tests stood is read off what pytest printed, as the agent read it: it is what was seen, and no verdict.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from foretrace.errors import FormatError
from foretrace.forager.format import read_observation
from foretrace.forager.trajectory import Step, Trajectory

_SUMMARY = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+\s?s(?: \([\d:]+\))?(?: =+)?$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) ([a-z]+)")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsSeen:
    """The summary of a test run, as a step's observation shows it."""

    __test__ = False

    step: int
    passed: int = 0
    failed: int = 0
    """Errors among them."""
    skipped: int = 0
    """Expected failures among them."""
    names: tuple[str, ...] = ()
    """Tests that are said to have failed, as far as they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """What a step did to a file."""

    step: int
    kind: str
    """`added`, `changed` or `removed`."""
    added: int
    """Lines."""
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStory:
    """A file that was changed, and when."""

    path: str
    touches: tuple[Touch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """See the module."""

    tests: tuple[TestsSeen, ...]
    files: tuple[FileStory, ...]
    actions: Mapping[str, int]
    """How often each tool was called; `refused`: messages whose call could not be run; `last word`."""


def story_of(trajectory: Trajectory) -> Story:
    """The story of an episode, finished or not."""
    touches: dict[str, list[Touch]] = {}
    for step in trajectory.steps:
        for change in step.changes:
            added, removed = lines_of(change.patch)
            touch = Touch(step=step.number, kind=change.kind, added=added, removed=removed)
            touches.setdefault(change.path, []).append(touch)
    files = (FileStory(path=path, touches=tuple(found)) for path, found in sorted(touches.items()))
    seen = tuple(found for step in trajectory.steps if (found := tests_seen(step)))
    return Story(tests=seen, files=tuple(files), actions=Counter(map(kind_of, trajectory.steps)))


def kind_of(step: Step) -> str:
    """What kind of action a step is: the tool's name; `refused`; `last word`."""
    return "refused" if step.refused else step.action.tool or "last word"


def output_of(step: Step) -> str:
    """What was answered, without the frame in which the agent saw it."""
    try:
        return read_observation(step.observation)[0]
    except FormatError:
        return step.observation


def tests_seen(step: Step) -> TestsSeen | None:
    """How tests stood in a step; None if it ran none, or what it printed tells nothing."""
    if step.action.tool != "bash":
        return None
    output = output_of(step)
    found = list(_SUMMARY.finditer(output))
    if not found:
        return None
    counts: Counter[str] = Counter()
    for number, name in _COUNT.findall(found[-1][1]):
        counts[name.rstrip("s")] += int(number)
    return TestsSeen(
        step=step.number,
        passed=counts["passed"] + counts["xpassed"],
        failed=counts["failed"] + counts["error"],
        skipped=counts["skipped"] + counts["xfailed"],
        names=tuple(dict.fromkeys(_FAILED.findall(output))),
    )


def lines_of(patch: str) -> tuple[int, int]:
    """Lines that a patch adds, and lines that it removes."""
    marks = Counter(mark for mark, _ in marked_lines(patch))
    return marks["+"], marks["-"]


def marked_lines(patch: str) -> Iterator[tuple[str, str]]:
    """The lines of a patch, each with what it is: `+`, `-`, ` `, `@` for where, and empty for a head."""
    inside = False
    # Lines end at line feeds and nowhere else: Python would split them at form feeds and the like, too
    for line in patch.removesuffix("\n").split("\n") if patch else ():
        line = line.removesuffix("\r")
        if line.startswith(("diff ", "@@")):
            inside = line.startswith("@@")
            yield ("@" if inside else ""), line
        else:
            yield (line[:1] if inside and line[:1] in "+- " else ""), line
