"""The patch scorer: a change to a repository, applied by git, judged by tests that it cannot have touched.

    row = folder_row(Path("minirepo"), fail_to_pass=["tests/test_calc.py::test_add"])
    with patch_scorer(Setting()) as score:
        score(Item(id="calc", row=row), patch)           # Verdict(strict=True, …, counts={"fail to pass": (1, 1), …})

`forager.grading` does it: files of the tests and of their configuration are put back, and results come over a channel that
the patch does not know. A repository is an image with a mistake in it, as `foretrace forage tasks` makes them, or a plain
folder whose tests need nothing but pytest. Both rules are one: skipped or expected to fail has not passed.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foretrace.errors import RefusedError, SandboxError, UsageError
from foretrace.evals.thoughts import after_thought
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict
from foretrace.forager import grading
from foretrace.forager.story import marked_lines
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.world import world_of
from foretrace.repos.history import files_of, squash
from foretrace.repos.image import RepoImage, environment_of, load_image
from foretrace.repos.plan import TESTBED, InstallPlan
from foretrace.repos.testing import HasTests, TestCommand, run_tests
from foretrace.sandbox.environment import EnvironmentLimits, Image
from foretrace.sandbox.environments import backends, host, open_environment

MAX_CHARACTERS = 1 << 20
"""Of a patch."""
MEASURES = ("fail to pass", "pass to pass")
SECONDS = 900.0
"""Of all tests together."""
_WITH_FILES = ("bubblewrap", "docker")
"""Isolations that give tests files of their own, and a folder for results that nothing else knows of."""
_FENCE = re.compile(r"^```(?:diff|patch)[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
"""Lines of a patch begin with a mark: a fence of the file that it changes is not at the beginning of one."""
_TAG = re.compile(r"<(diff|patch)>[ \t]*\n?(.*?)</\1>", re.DOTALL)
_BARE = re.compile(r"\s*(?:diff --git |--- (?:a/|/dev/null))")
_ENDS = "\r\n"
_LIMITS = EnvironmentLimits(seconds=2 * SECONDS)
_PLAIN = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_CREATED = "2024-01-01T00:00:00+00:00"
_MEDDLES = re.compile(r"\b(_?pytest|settrace|setprofile|_getframe|get_objects|get_referrers|__code__|_exit)\b")
"""What a patch that solves its problem seldom has in it, and one that deceives its tests from within often."""
_REASONS = {
    grading.Verdict.RESOLVED: Reason.RIGHT,
    grading.Verdict.FAILED: Reason.WRONG,
    grading.Verdict.EMPTY: Reason.UNPARSABLE,
    grading.Verdict.UNAPPLIED: Reason.REFUSED,
    grading.Verdict.BROKEN: Reason.BROKEN,
}


def read_patch(text: str) -> str | None:
    """The first patch behind a text's thought: fenced or tagged as `diff` or `patch`, or all of it; None: there is none."""
    answer = after_thought(text) or ""
    if _BARE.match(answer):
        return _ended(answer)
    found = min((match for form in (_FENCE, _TAG) if (match := form.search(answer))), key=re.Match.start, default=None)
    return _ended(found[found.re.groups]) if found and found[found.re.groups].strip() else None


def write_patch(patch: str) -> str:
    """A patch as a model would say it."""
    return f"```diff\n{patch}```\n" if patch.endswith("\n") else f"```diff\n{patch}\n```\n"


def _ended(patch: str) -> str:
    """A patch without empty lines around it, and with the end of its last line."""
    return f"{patch.lstrip(_ENDS).rstrip(_ENDS)}\n"


def is_a_patch(patch: str | None) -> bool:
    """Whether there is anything that git may be given."""
    if patch is None or not patch.strip() or len(patch) > MAX_CHARACTERS:
        return False
    try:
        patch.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, which no file has
        return False
    return True


def meddling(patch: str) -> list[str]:
    """Words in added lines that a person should look at before a pass is believed: see `docs/evals-scoring.md`."""
    return sorted({word for mark, line in marked_lines(patch) if mark == "+" for word in _MEDDLES.findall(line)})


def folder_row(
    folder: Path, fail_to_pass: Sequence[str], pass_to_pass: Sequence[str] = (), problem: str = ""
) -> dict[str, Any]:
    """An item's row for a repository in a plain folder, with the mistake in it."""
    instance = Instance(
        instance_id=folder.name,
        repo=folder.name,
        patch="",
        problem_statement=problem,
        fail_to_pass=tuple(fail_to_pass),
        pass_to_pass=tuple(pass_to_pass),
    )
    return {"instance": instance.to_json(), "folder": str(folder)}


@dataclass(frozen=True, slots=True)
class FolderImage:
    """A repository of a plain folder, as an image whose tests run by this interpreter and its pytest."""

    image: Image
    command: TestCommand


def image_of_folder(folder: Path, place: Path, *, backend: str = "bubblewrap") -> FolderImage:
    """Copies a folder into `place`, commits it there, and runs its tests once to see what is usual in them.

    Raises:
        UsageError: pytest is not installed, or there is no such folder.
        SandboxError: the tests cannot be run.

    """
    if find_spec("pytest") is None:
        raise UsageError("the tests of a plain folder are run by this interpreter's pytest: pip install pytest")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    testbed = place / TESTBED[1:]
    shutil.copytree(folder, testbed, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__", ".pytest_cache"))
    for path in [testbed, *testbed.rglob("*")]:
        if not path.is_symlink():  # what cannot be written here may be, in the copy
            path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))
    squash(testbed, files_of(testbed), created=_CREATED)
    image = Image(
        root=(place,),
        workdir=TESTBED,
        env=environment_of(InstallPlan(python="3")) | _PLAIN,
        host=tuple(host.paths([sys.prefix])),
    )
    first = FolderImage(image, TestCommand(python=sys.executable))
    with open_environment(image, _LIMITS, backend=backend) as environment:
        run = run_tests(environment, first, seconds=SECONDS)
    if "pytest" not in run.versions:
        raise SandboxError(f"the tests of {folder} cannot be run: {run.ended}")
    return FolderImage(image, TestCommand(python=sys.executable, hooks=run.hooks, patched=run.patched))


def require_files(setting: Setting) -> str:
    """Sees that tests can be run as they should be; the name of the environments' backend.

    Raises:
        RefusedError: they cannot.

    """
    name = setting.isolation
    if name not in _WITH_FILES:
        raise RefusedError(f"patches are tested within {' or '.join(_WITH_FILES)}, and the isolation {name!r} is too weak")
    probe = backends()[name].probe()
    if not probe.works:
        raise RefusedError(f"tests would run without the isolation {name!r}: {probe.reason}")
    return name


@contextmanager
def patch_scorer(setting: Setting, load: Callable[[str], RepoImage] = load_image) -> Iterator[Score]:
    """Scores a patch against `item.row`.

    That has `instance`, as `Instance.to_json` writes it, and either `folder`, as from `folder_row`, or `image` and `world`:
    the folder of the repository's image, and that of the layer with the mistake, which is made if it is not there.

    Args:
        setting: isolation, seconds of all tests together, and repetitions.
        load: reads an image's manifest.

    Raises:
        RefusedError: the isolation that is asked for cannot be had here.

    """
    backend = require_files(setting)
    with tempfile.TemporaryDirectory(prefix="foretrace-") as scratch:
        yield _Scorer(setting, backend, Path(scratch), load)


class _Scorer:
    """A `Score`."""

    def __init__(self, setting: Setting, backend: str, scratch: Path, load: Callable[[str], RepoImage]) -> None:
        self._setting, self._backend, self._scratch, self._load = setting, backend, scratch, load
        self._folders: dict[str, FolderImage] = {}

    def __call__(self, item: Item, answer: str | None) -> Verdict:
        if not is_a_patch(answer):
            return Verdict(strict=False, official=False, reason=Reason.UNPARSABLE, detail="there is no patch")
        assert answer is not None
        instance = Instance.from_json(item.row["instance"])
        if not instance.fail_to_pass:
            return Verdict(strict=False, official=False, reason=Reason.BROKEN, detail="there are no tests that must pass")
        try:
            world, tests = self._repository(instance, item)
            grade = self._grade(instance, answer, world, tests)
            verdict = _verdict(grade, answer)
            for _ in range(self._setting.repeats if verdict.strict else 0):
                again = _verdict(self._grade(instance, answer, world, tests), answer)
                if not again.strict:
                    reason = Reason.BROKEN if again.reason is Reason.BROKEN else Reason.FLAKY
                    return Verdict(strict=False, official=False, reason=reason, detail=again.detail, counts=again.counts)
        except SandboxError as error:
            return Verdict(strict=False, official=False, reason=Reason.BROKEN, detail=str(error))
        return verdict

    def _repository(self, instance: Instance, item: Item) -> tuple[Image, HasTests]:
        if "folder" in item.row:
            name = item.row["folder"]
            if name not in self._folders:
                place = Path(tempfile.mkdtemp(dir=self._scratch))
                self._folders[name] = image_of_folder(Path(name), place, backend=self._backend)
            return self._folders[name].image, self._folders[name]
        tests = self._load(item.places["image"])
        return world_of(instance, tests.image, Path(item.places["world"]), backend=self._backend, limits=_LIMITS), tests

    def _grade(self, instance: Instance, patch: str, world: Image, tests: HasTests) -> grading.Grade:
        seconds = self._setting.seconds or SECONDS
        return grading.grade_patch(instance, patch, world, tests, seconds=seconds, backend=self._backend, limits=_LIMITS)


def _verdict(grade: grading.Grade, patch: str) -> Verdict:
    is_resolved = grade.verdict is grading.Verdict.RESOLVED
    passed = (grade.fail_to_pass, grade.pass_to_pass)
    told = {"put back": grade.put_back, "doubts": grade.doubts, "look at": meddling(patch)}
    return Verdict(
        strict=is_resolved,
        official=is_resolved,
        reason=_REASONS[grade.verdict],
        detail=grade.reason,
        counts={name: (sum(tests.values()), len(tests)) for name, tests in zip(MEASURES, passed, strict=True) if tests},
        extra={name: list(told) for name, told in told.items() if told},
    )
