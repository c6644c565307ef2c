"""A history where there is none to be had: releases of a package as commits, one a version.

    repo = history_of_releases("semver", ["3.0.1", "3.0.2", "3.0.3"], Path("semver.git"), cache=Path("images/.cache"))
    for fix in fixes(repo, lines=2_000): ...

What a version's change log (or a readme that has one) added is the text of its commit. Where that does not name the version,
the log is behind, or says nothing of it: there is no text, and no task is made of it. A release is more than one change, so
such tasks are harder than those of a real history; where there is one, use it.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from foretrace.errors import UsageError
from foretrace.repos.sources import GIT_ENVIRONMENT, Source, fetch

_LOG = re.compile(r"(change|history|news|release|readme)[\w-]*(\.(rst|md|txt))?", re.IGNORECASE)
_CHARACTERS = 4_000
"""Of a change log's addition, at most."""


def history_of_releases(name: str, versions: Sequence[str], repo: Path, *, cache: Path) -> Path:
    """A bare repository with one commit a version, in the order given; one that is there is kept.

    Raises:
        UsageError: fewer than two versions, or one that the index does not have.

    """
    if len(versions) < 2:
        raise UsageError(f"{name}: a change is between two versions; give at least two")
    if repo.is_dir():
        return repo
    repo.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=repo.parent, prefix=".releases.") as work:
        bare = Path(work) / "bare"
        _git(bare, None, "init", "--quiet", "--bare", "--initial-branch=main", "--template=", str(bare))
        before: dict[str, str] = {}
        for version in versions:
            tree = Path(work) / version
            origin = fetch(Source(kind="release", place=name, revision=version), tree, cache)
            for built in tree.rglob("*.egg-info"):  # what setuptools wrote of it, and not the project
                shutil.rmtree(built, ignore_errors=True)
            now = _logs(tree)
            _git(bare, tree, "add", "--all", "--force", ".")
            added = _added(before, now, version)
            text = f"{name} {version}\n\n{added}" if added else ""
            options = ("--quiet", "--no-verify", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim")
            _git(bare, tree, "commit", *options, "-m", text, created=origin.created)
            before = now
        bare.rename(repo)
    return repo


def _logs(tree: Path) -> dict[str, str]:
    """The change logs at the top of a tree, or in its documentation."""
    found = [path for path in (*tree.glob("*"), *tree.glob("doc*/*")) if path.is_file() and _LOG.fullmatch(path.name)]
    return {path.relative_to(tree).as_posix(): path.read_text(errors="replace") for path in sorted(found)}


def _added(before: dict[str, str], now: dict[str, str], version: str) -> str:
    """Lines of change logs that were not there before; of a readme, those that name the version."""
    known = {line.strip() for text in before.values() for line in text.splitlines()}
    new = []
    for path, text in now.items():
        is_readme = "readme" in path.lower()
        lines = [line for line in text.splitlines() if line.strip() and line.strip() not in known]
        new += [line for line in lines if version in line or not is_readme]
    told = "\n".join(new)
    return told[:_CHARACTERS] if before and version in told else ""


def _git(repo: Path, tree: Path | None, *arguments: str, created: str = "") -> None:
    where = [] if tree is None else ["--git-dir", str(repo), "--work-tree", str(tree)]
    people = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "foretrace", "EMAIL": "foretrace@localhost", "DATE": created}.items()
    }
    environment = {**os.environ, **GIT_ENVIRONMENT, **people}
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", *where, *arguments],
        capture_output=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise UsageError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()[-500:]}")
