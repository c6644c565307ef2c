"""Patches without tests: whether git can read them, whether they apply, and whether they change the right files.

    with localisation_scorer(Setting()) as score:
        score(item, patch).counts            # {"files found": (1, 1), "files right": (1, 2), "applies": (1, 1)}

That is far less than whether they solve anything, and must never be told as if it were. Git reads them in an environment of
its own. Whether they apply is known only where a clone is given that has the commit; its objects are read, and nothing else.
"""

import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path

from foretrace.corpus.episodes import is_of_tests
from foretrace.errors import FormatError, SandboxError
from foretrace.evals.scorers.patch import is_a_patch, require_files
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict
from foretrace.forager.story import marked_lines
from foretrace.sandbox.environment import Environment, EnvironmentLimits, Image, Status
from foretrace.sandbox.environments import host, open_environment

MEASURES = ("files found", "files right", "applies")
SECONDS = 60.0
"""Of one command of git."""
_PATCH = "/tmp/foretrace.patch"
_COMPARED = 1_000
"""Lines of a patch; the rest is not compared, as that takes the square of the time."""
_CHECK = """
export GIT_INDEX_FILE=/tmp/foretrace.index GIT_CONFIG_NOSYSTEM=1
rm -f "$GIT_INDEX_FILE"
git -c safe.directory=* --git-dir={clone} read-tree {commit} || exit 99
git -c safe.directory=* --git-dir={clone} apply --cached --check --whitespace=nowarn {patch}
"""
_NO_COMMIT = 99
_CREATES = re.compile(r"^ create (?:mode \d+ )?(.+)$", re.MULTILINE)
_LIMITS = EnvironmentLimits(seconds=86_400.0)
_SHOWN = 300


@contextmanager
def localisation_scorer(setting: Setting) -> Iterator[Score]:
    """Scores a patch against `item.row`: `patch`, the right one, and maybe `clone` and `base_commit`.

    Official: git can read it, and it changes every file that the right one changes. Strict: it changes no other file,
    tests and new ones aside, and it applies, where that can be known.

    Raises:
        RefusedError: the isolation that is asked for cannot be had here.

    """
    backend = require_files(setting)
    with tempfile.TemporaryDirectory(prefix="foretrace-") as scratch:
        scorer = _Scorer(setting, backend, Path(scratch))
        try:
            yield scorer
        finally:
            scorer.close()


def similarity(patch: str, gold: str) -> float:
    """How alike the changed lines of two patches are, from 0 to 1 (Ratcliff and Obershelp; of lines, not of letters)."""
    ours, theirs = (
        [f"{mark}{line[1:].strip()}" for mark, line in marked_lines(text) if mark in ("+", "-")][:_COMPARED]
        for text in (patch, gold)
    )
    return SequenceMatcher(None, ours, theirs).ratio()


class _Scorer:
    """A `Score`; one environment for all patches to one clone, and one for those to none."""

    def __init__(self, setting: Setting, backend: str, scratch: Path) -> None:
        self._seconds, self._backend, self._scratch = setting.seconds or SECONDS, backend, scratch
        self._open: dict[str, Environment] = {}
        self._gold: dict[str, frozenset[str]] = {}

    def __call__(self, item: Item, answer: str | None) -> Verdict:
        if not is_a_patch(answer):
            return _failed(Reason.UNPARSABLE, "there is no patch")
        assert answer is not None
        clone: str = item.places.get("clone", "")
        try:
            return self._judge(item, answer, clone)
        except SandboxError as error:
            if clone in self._open:
                self._open.pop(clone).close()
            return _failed(Reason.BROKEN, str(error))

    def close(self) -> None:
        """Ends the environments."""
        for environment in self._open.values():
            environment.close()

    def _judge(self, item: Item, patch: str, clone: str) -> Verdict:
        environment = self._environment(clone)
        read, problem = self._read(environment, patch)
        if read is None:
            return _failed(Reason.REFUSED, problem)
        changed, created = read
        wanted = self._wanted(environment, item)
        found, others = wanted & changed, {path for path in changed - created - wanted if not is_of_tests(path)}
        applies, problem = self._applies(environment, clone, item.row["base_commit"]) if clone else (None, "")
        is_exact = found == wanted and not others and applies is not False
        counts = {"files found": (len(found), len(wanted)), "files right": (len(found), len(found) + len(others))}
        return Verdict(
            strict=is_exact,
            official=found == wanted,
            reason=Reason.RIGHT if is_exact else Reason.REFUSED if applies is False else Reason.WRONG,
            detail=problem or ("" if is_exact else f"it changes {', '.join(sorted(changed)) or 'no file'}"[:_SHOWN]),
            counts=counts if applies is None else counts | {"applies": (int(applies), 1)},
            extra={"similarity": round(similarity(patch, item.row["patch"]), 4)},
        )

    def _environment(self, clone: str) -> Environment:
        if clone not in self._open:
            image = Image(root=(self._scratch,), workdir="/", host=tuple(host.paths([clone] if clone else [])))
            self._open[clone] = open_environment(image, _LIMITS, backend=self._backend)
        return self._open[clone]

    def _wanted(self, environment: Environment, item: Item) -> frozenset[str]:
        """Files that the right patch changes; those that it makes, if it only makes some."""
        if item.id not in self._gold:
            read, problem = self._read(environment, item.row["patch"], at=f"{_PATCH}.gold")
            if read is None:
                raise FormatError(f"{item.id}: git cannot read the right patch: {problem}")
            changed, created = read
            self._gold[item.id] = frozenset(changed - created or changed)
        return self._gold[item.id]

    def _read(self, environment: Environment, patch: str, at: str = _PATCH) -> tuple[tuple[set[str], set[str]] | None, str]:
        """Files that a patch changes, and those of them that it makes; or None, and why git cannot read it."""
        environment.write(at, patch.encode("utf-8", "surrogateescape"))
        done = environment.exec(["git", "apply", "--numstat", "-z", "--summary", at], cwd="/tmp", seconds=self._seconds)
        text = done.output.decode("utf-8", "replace")
        if done.status is Status.BROKEN:
            raise SandboxError(f"git could not be run: {text[:_SHOWN]}")
        if done.status is not Status.OK or done.code:
            return None, text.strip()[:_SHOWN] or str(done.status)
        *files, summary = text.split("\0")
        return ({file.split("\t")[-1] for file in files}, set(_CREATES.findall(summary))), ""

    def _applies(self, environment: Environment, clone: str, commit: str) -> tuple[bool | None, str]:
        """Whether the patch that was read last applies to a commit; None, and why that is not known."""
        script = _CHECK.format(clone=shlex.quote(clone), commit=shlex.quote(commit), patch=_PATCH)
        done = environment.exec(["sh", "-c", script], cwd="/tmp", seconds=self._seconds)
        text = done.output.decode("utf-8", "replace").strip()[:_SHOWN]
        if done.status is not Status.OK or done.code == _NO_COMMIT:
            return None, f"whether it applies is not known: {text or done.status}"
        return not done.code, text if done.code else ""


def _failed(reason: Reason, detail: str) -> Verdict:
    return Verdict(strict=False, official=False, reason=reason, detail=detail)
