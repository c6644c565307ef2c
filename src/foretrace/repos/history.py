"""A repository of one commit: what an agent may know of the past is that there is none.

    commit = squash(testbed, files, created="2024-05-01T12:00:00+00:00")

SWE-bench's images carried the fixes that were to be found in their history. Here git gets a root commit of the source's own
files, with nothing else: no parents, remotes, tags, branches, logs or hooks. What the build left beside them is excluded, so
that `git status` is clean and a patch holds only what somebody changed. Equal files and times give an equal commit.
"""

import hashlib
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from foretrace.repos.sources import GIT_ENVIRONMENT
from foretrace.repos.store import MOMENT

_INDEX = ".git/index"
_ALWAYS = ("__pycache__/", ".pytest_cache/", "*.pyc")
_NAME, _ADDRESS = "foretrace", "foretrace@localhost"
_CONFIGURATION = {
    "core.autocrlf": "false",
    "core.fileMode": "false",
    "core.checkStat": "minimal",  # copies of an image have other inodes, and git is not to read every file again
    "core.trustctime": "false",
    "core.logAllRefUpdates": "false",
    "gc.auto": "0",
    "user.name": "agent",
    "user.email": "agent@localhost",
    "safe.directory": "*",
}


def squash(root: Path, files: Iterable[str], *, created: str) -> str:
    """Replaces whatever history a folder has; the commit's hash.

    Args:
        root: the folder.
        files: those to commit, relative to it; others that are there are excluded.
        created: the commit's time, in ISO 8601.

    """
    _remove(root / ".git")
    there = {path.relative_to(root).as_posix() for path in _files(root)}
    kept = sorted(there & set(files))
    _git(root, created, "init", "--quiet", "--initial-branch=main", "--template=")
    for name, value in _CONFIGURATION.items():
        _git(root, created, "config", name, value)
    information = root / ".git" / "info"
    information.mkdir()
    (information / "attributes").write_text("* -text -filter -ident -working-tree-encoding\n")  # bytes are kept as they are
    extra = sorted(_outermost(there - set(kept), set(kept)))
    excluded = "\n".join([*(f"/{_escaped(name)}" for name in extra), *_ALWAYS, ""])
    (information / "exclude").write_bytes(os.fsencode(excluded))  # a build may make names that are no text
    for name in kept:
        os.utime(root / name, (MOMENT, MOMENT), follow_symlinks=False)
    _git(root, created, "update-index", "--add", "-z", "--stdin", given="\0".join(kept).encode("utf-8", "surrogateescape"))
    _git(root, created, "commit", "--quiet", "--allow-empty", "--no-verify", "--cleanup=verbatim", "-m", "The repository\n")
    _git(root, created, "repack", "-a", "-d", "-q", "--threads=1")
    for name in ("COMMIT_EDITMSG", "description", "branches", "hooks", "logs"):
        _remove(root / ".git" / name)
    _without_machine(root / _INDEX)
    return _git(root, created, "rev-parse", "HEAD").strip()


def settle_index(root: Path) -> None:
    """Makes git's index newer than all files, or else git would read each of them to see whether it has changed."""
    os.utime(root / _INDEX, (MOMENT + 1, MOMENT + 1))


def _without_machine(index: Path) -> None:
    """Takes from an index what is of this machine alone: times of change, devices, inodes, owners.

    Entries of version 2 are 62 bytes and a name, padded to eight (`Documentation/gitformat-index.adoc` of git); nobody asks
    for those fields, as `core.checkStat` is minimal.
    """
    data = bytearray(index.read_bytes())
    version, count = struct.unpack_from(">LL", data, 4)
    if version != 2:
        return
    at = 12
    for _ in range(count):
        for start, length in ((0, 8), (16, 8), (28, 8)):
            data[at + start : at + start + length] = bytes(length)
        end = data.index(0, at + 62)
        at += (end - at + 8) // 8 * 8
    data[-20:] = hashlib.sha1(data[:-20], usedforsecurity=False).digest()
    index.write_bytes(data)


def _remove(path: Path) -> None:
    """Removes whatever is there, and nothing that a link points to: else git would write there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def files_of(root: Path) -> list[str]:
    """Files and links of a tree, by their paths in it."""
    return sorted(path.relative_to(root).as_posix() for path in _files(root))


def _files(root: Path) -> Iterable[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name != ".git"]
        links = [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
        yield from (Path(folder, name) for name in [*names, *links])


def _outermost(names: set[str], kept: set[str]) -> set[str]:
    """Names, shortened to folders in which nothing is kept: `build/` rather than each file in it."""
    folders = {"/".join(name.split("/")[:depth]) for name in kept for depth in range(1, name.count("/") + 1)}
    found = set()
    for name in names:
        parts = name.split("/")
        whole = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        found.add(next((f"{folder}/" for folder in whole if folder not in folders), name))
    return found


def _escaped(name: str) -> str:
    """A name as a pattern that means just it."""
    return "".join(f"\\{letter}" if letter in "*?[\\" or letter == " " else letter for letter in name)


def _git(root: Path, created: str, *arguments: str, given: bytes = b"") -> str:
    """Runs git on a repository that nobody else has written to.

    Raises:
        RuntimeError: git refused, which it has no reason to.

    """
    person = {"NAME": _NAME, "EMAIL": _ADDRESS, "DATE": created}
    people = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in person.items()}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.devnull, **GIT_ENVIRONMENT, **people}
    answer = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, env=environment, input=given)
    if answer.returncode:
        raise RuntimeError(f"git {arguments[0]}: {answer.stderr.decode(errors='replace')}")
    return answer.stdout.decode()
