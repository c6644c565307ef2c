"""Where repositories come from: a folder, an archive, a release on a package index, a git repository, or a list of these.

    for source in read_sources(["toolz==1.2.0", "git+https://host/project.git@v2", "checkout/", "sources.jsonl"]):
        origin = fetch(source, folder, cache)          # the files are in the folder, and nothing of them was run

What comes out is a plain tree: no version control, no caches, no virtual environments, no builds; links are the files that
they pointed to. A git repository is kept as a mirror in the cache, as one mostly wants many of its revisions.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foretrace.corpus.licence import METADATA_FILES, is_licence_file, read_metadata
from foretrace.corpus.repositories.archive import pack, unpack
from foretrace.corpus.tree import ARCHIVE_SUFFIXES
from foretrace.errors import UsageError
from foretrace.repos.index import download, find_sdist

Kind = Literal["folder", "archive", "release", "git"]
_RELEASE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([A-Za-z0-9][\w.!+-]*)")
_GIT = re.compile(r"(?:git\+)?((?:https?|ssh|git|file)://\S+?|[\w.-]+@[\w.-]+:\S+?)(?:@([\w./+-]+))?")
_GIT_SECONDS = 1800
_FORMS = f"""a source is one of
  NAME==VERSION, a release whose sdist a package index has
  a folder or an archive ({" ".join(ARCHIVE_SUFFIXES[2:])} .zip)
  git+URL or git+URL@REVISION
  a .jsonl file of {{"source": one of these}}, one a line"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One repository at one time, not yet fetched."""

    kind: Kind
    place: str
    """A path, a name on an index, or a URL."""
    revision: str = ""
    """A version, or what git calls a revision."""

    @property
    def spec(self) -> str:
        """What `read_source` reads back as this source."""
        if self.kind == "release":
            return f"{self.place}=={self.revision}"
        return f"git+{self.place}" + (f"@{self.revision}" if self.revision else "") if self.kind == "git" else self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What was fetched, and from where."""

    name: str
    version: str
    source: str
    """Its `spec`."""
    commit: str = ""
    """Of git."""
    sha256: str = ""
    """Of the archive; of a folder, of its files."""
    created: str = "2000-01-01T00:00:00+00:00"
    """When it was committed or published, if that is known; in ISO 8601."""
    licence: str = "unknown"
    """SPDX expression."""

    @property
    def slug(self) -> str:
        """A name for a folder, as `toolz-1.2.0`: its version, or the beginning of what identifies it."""
        mark = self.commit[:12] or self.version or self.sha256[:12]
        return re.sub(r"[^\w.+-]+", "-", f"{self.name}-{mark}").strip("-.")


def read_sources(specs: Iterable[str]) -> Iterator[Source]:
    """Sources that specs name, each once; lists are opened.

    Raises:
        UsageError: something is no source.

    """
    seen = set()
    for spec in specs:
        for source in _listed(Path(spec)) if spec.endswith(".jsonl") else [read_source(spec)]:
            if source not in seen:
                seen.add(source)
                yield source


def read_source(spec: str) -> Source:
    """The source that a spec names.

    Raises:
        UsageError: it names none.

    """
    release = _RELEASE.fullmatch(spec.strip())
    git = _GIT.fullmatch(spec.strip())
    if release:
        return Source(kind="release", place=release[1], revision=release[2])
    if git:
        return Source(kind="git", place=git[1], revision=git[2] or "")
    path = Path(spec)
    if path.is_dir():
        return Source(kind="folder", place=os.path.abspath(path))
    if path.is_file() and path.name.endswith(ARCHIVE_SUFFIXES):
        return Source(kind="archive", place=os.path.abspath(path))
    raise UsageError(f"{spec}: no such source; {_FORMS}")


def _listed(path: Path) -> Iterator[Source]:
    if not path.is_file():
        raise UsageError(f"{path}: no such file; {_FORMS}")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                yield read_source(str(json.loads(line)["source"]))
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f'{path}, line {number}: not of the form {{"source": …}}: {error}') from error


def fetch(source: Source, folder: Path, cache: Path) -> Origin:
    """Writes a source's files into a new folder.

    Raises:
        UsageError: it cannot be had.

    """
    commit = created = ""
    if source.kind == "release":
        file = find_sdist(source.place, source.revision)
        data, created = download(file, cache / "sdists").read_bytes(), file.uploaded
    elif source.kind == "git":
        mirror, commit, created = _mirror(source, cache)
        data = _git(mirror, "archive", "--format=tar", commit)
    else:
        data = pack(Path(source.place))
    unpacked = folder.with_name(f"{folder.name}.unpacked")
    root = unpack(data, unpacked)
    _clean(root)
    root.rename(folder)
    shutil.rmtree(unpacked, ignore_errors=True)
    metadata = read_metadata(_metadata_texts(folder))
    name, _, version = metadata.title.partition(" ")
    return Origin(
        name=name or _name(source),
        version=source.revision if source.kind == "release" else version or (_described(mirror, commit) if commit else ""),
        source=source.spec,
        commit=commit,
        sha256=hashlib.sha256(data).hexdigest(),
        licence=metadata.licence,
        **({"created": created.replace("Z", "+00:00")} if created else {}),
    )


def _name(source: Source) -> str:
    if source.kind == "release":
        return source.place
    name = source.place.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    return next((name.removesuffix(suffix) for suffix in ARCHIVE_SUFFIXES if name.endswith(suffix)), name)


def _metadata_texts(root: Path) -> dict[str, str]:
    """Texts of files that tell a name, a version or a licence, near the top of the tree."""
    wanted = [path for path in sorted([*root.glob("*"), *root.glob("*.egg-info/*")]) if path.is_file()]
    names = [path for path in wanted if path.name in METADATA_FILES or is_licence_file(path.name)]
    return {
        path.relative_to(root).as_posix(): path.read_text(errors="replace")
        for path in names
        if path.stat().st_size < 1 << 20
    }


_LEFTOVERS = {".git", ".hg", ".svn", ".tox", ".nox", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__"}
_LEFTOVERS |= {".eggs", ".hypothesis", "node_modules", ".coverage"}


def _clean(root: Path) -> None:
    """Removes what tools left: copies of the code, of its history, of its tests' results."""
    builds = [root / "build", root / "dist"]
    is_output = [path for path in builds if path.is_dir() and not (path / "__init__.py").exists()]
    stale = [path for path in root.rglob("*") if path.name in _LEFTOVERS or path.name.endswith((".pyc", ".pyo"))]
    for path in [*(path for path in is_output if not any(path.glob("*.py"))), *stale]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.exists():
            path.unlink()


def _mirror(source: Source, cache: Path) -> tuple[Path, str, str]:
    """A repository's mirror, the commit that is meant, and when that was made."""
    key = hashlib.sha256(source.place.encode()).hexdigest()[:16]
    mirror = cache / "git" / f"{key}.git"
    revision = source.revision or "HEAD"
    if not mirror.is_dir():
        mirror.parent.mkdir(parents=True, exist_ok=True)
        partial = mirror.with_name(f"{key}.{os.getpid()}")
        _git(None, "clone", "--quiet", "--mirror", "--template=", "--", source.place, str(partial))
        (partial / "info").mkdir(exist_ok=True)
        (partial / "info" / "attributes").write_text("* -export-ignore -export-subst\n")  # else archives lack the tests
        try:
            partial.rename(mirror)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    elif not source.revision or not _has(mirror, revision):
        _git(mirror, "fetch", "--quiet", "--prune", "origin")
    if not _has(mirror, revision):
        raise UsageError(f"{source.place}: it has no revision {revision!r}")
    commit = _git(mirror, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    return mirror, commit, _git(mirror, "show", "-s", "--format=%cI", commit).decode().strip()


def _has(mirror: Path, revision: str) -> bool:
    try:
        _git(mirror, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except UsageError:
        return False
    return True


def _described(mirror: Path, commit: str) -> str:
    """A version by the last tag that looks like one."""
    try:
        tag = _git(mirror, "describe", "--tags", "--abbrev=0", commit).decode().strip()
    except UsageError:
        return ""
    match = re.search(r"\d+(\.\d+)*([abc]|rc|\.?post|\.?dev)?\d*$", tag)
    return match[0] if match else ""


GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "LC_ALL": "C",
}
"""What keeps git to itself: nobody's configuration, hooks, helpers or questions."""


def _git(repository: Path | None, *arguments: str) -> bytes:
    where = [] if repository is None else ["--git-dir", str(repository)]
    environment = {**os.environ, **GIT_ENVIRONMENT}
    try:
        answer = subprocess.run(
            ["git", *where, *arguments], capture_output=True, env=environment, timeout=_GIT_SECONDS, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed; on Debian and Ubuntu: apt install git") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"git {arguments[0]}: not done in {_GIT_SECONDS} seconds") from error
    if answer.returncode:
        raise UsageError(f"git {arguments[0]}: {answer.stderr.decode(errors='replace').strip()[-500:]}")
    return answer.stdout
