"""Fixes in a repository's history: commits that change code and its tests at once.

    for fix in fixes(Path("checkout"), limit=50):
        fix.patch, fix.test_patch, fix.text, fix.parent

Whether the tests really fail before and pass after is not known here: `issues.py` runs them. Only the first parent of each
commit is followed, so that a merged pull request is one change. Nothing of the repository is run: no hooks, no filters, no
external diff programs.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foretrace.corpus.episodes import is_of_tests
from foretrace.errors import UsageError

_FILE = re.compile(rb"^diff --git ", re.MULTILINE)
_NAMES = re.compile(rb'"?a/(.*?)"? "?b/(.*?)"?$')
_TRAILER = re.compile(
    r"^(?:Signed-off-by|Co-authored-by|Reviewed-by|Change-Id|git-svn-id)\b.*$", re.MULTILINE | re.IGNORECASE
)
_GIT = (
    "git",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "safe.directory=*",
    "-c",
    "core.quotePath=false",
)
_DIFF = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--full-index",
    "--binary",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A commit that changes code and tests."""

    commit: str
    parent: str
    created_at: str
    """ISO 8601, of its author."""
    text: str
    """What its author wrote of it."""
    patch: str
    """All that is no test, against the parent: for `git apply`."""
    test_patch: str
    """The files of tests, against the parent."""
    test_files: tuple[str, ...]
    """Those that are there afterwards."""


def fixes(repo: Path, *, limit: int | None = None, lines: int = 400, commits: int = 10_000) -> Iterator[Fix]:
    """Commits that change Python code and tests, newest first.

    Args:
        repo: a checkout or a bare repository.
        limit: fixes that are yielded at most.
        lines: of the code's patch, at most; larger ones are seldom one thing.
        commits: that are looked at, at most.

    Raises:
        UsageError: it is no git repository, or git is missing.

    """
    found = 0
    listed = _git(repo, "log", "--first-parent", f"--max-count={commits}", "-z", "--format=%H%n%P%n%aI%n%B")
    for record in listed.decode("utf-8", "replace").split("\0"):
        commit, parents, created_at, text = [*record.split("\n", 3), "", "", ""][:4]
        fix = _read(repo, commit, parents.split()[0], created_at, text) if parents else None
        if fix is not None and fix.patch.count("\n") <= lines:
            yield fix
            found += 1
            if found == limit:
                return


def _read(repo: Path, commit: str, parent: str, created_at: str, text: str) -> Fix | None:
    parts = _by_file(_git(repo, *_DIFF, parent, commit))
    code = {path: part for path, part in parts.items() if not is_of_tests(path)}
    tests = {path: part for path, part in parts.items() if is_of_tests(path)}
    if not any(path.endswith(".py") for path in code) or not any(path.endswith(".py") for path in tests):
        return None
    there = tuple(path for path, part in tests.items() if b"\ndeleted file mode " not in part)
    try:
        patch, test_patch = (b"".join(some.values()).decode() for some in (code, tests))
    except UnicodeDecodeError:
        return None  # a patch is text, or it is not kept
    written = _TRAILER.sub("", text).strip()
    return Fix(
        commit=commit,
        parent=parent,
        created_at=created_at,
        text=written,
        patch=patch,
        test_patch=test_patch,
        test_files=there,
    )


def _by_file(diff: bytes) -> dict[str, bytes]:
    """The parts of a diff by the path they change."""
    starts = [match.start() for match in _FILE.finditer(diff)]
    found = {}
    for start, end in zip(starts, [*starts[1:], len(diff)], strict=True):
        part = diff[start:end]
        names = _NAMES.search(part.split(b"\n", 1)[0])
        if names:
            found[names[2].decode("utf-8", "replace")] = part
    return found


def _git(repo: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            [*_GIT, "-C", str(repo), *arguments], capture_output=True, check=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise UsageError("git is missing; install it to read a repository's history") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode("utf-8", "replace").strip()
        raise UsageError(f"cannot read the history of {repo}: {message}") from error
    return done.stdout
