"""What an action did to the files, and a name for the state that they are in.

    watch = Watch(environment, image)
    changes, state = watch.look()       # since the last look, with patches; a hash of all that differs from the image
    watch.diff()                        # all of it as one patch, for `git apply` in the working folder

Two environments of one image with equal states hold equal files. What differs from run to run by its nature does not count:
bytecode, caches of tools, git's own folder (its index holds times); nor does what stands in `/tmp`.
"""

import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from foretrace.errors import SandboxError
from foretrace.forager.patches import patch_of
from foretrace.forager.trajectory import FileChange
from foretrace.sandbox.environment import Environment, Image, Kind

PASSING = frozenset({"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".coverage"})
"""Files and folders that do not count, wherever they are."""
_SHOWN = 256 * 1024
"""Bytes of a file; a longer one is not shown as text."""
_PATCHES = 4 * 1024 * 1024
"""Characters of all patches of a step, or of an episode's difference; files after that are named, and not shown."""


@dataclass(frozen=True, slots=True)
class _File:
    digest: str
    text: str | None
    """None: it is no text, or too long."""


_UNKNOWN = _File("", None)
"""As it is in the image, wherever that may be kept."""


class Watch:
    """Knows the last state of an environment."""

    def __init__(self, environment: Environment, image: Image) -> None:
        self.state = ""
        """Hash of the state at the last look."""
        self._environment = environment
        self._image = image
        self._files: dict[str, _File | None] = {}
        """What differs from the image, by path; None: it is removed."""
        self._added: set[str] = set()
        """Paths that the image does not have, of all that were ever seen to differ."""

    def look(self) -> tuple[tuple[FileChange, ...], str]:
        """What has changed since the last look, by path, and the hash of the state."""
        before, now = self._files, self._differing()
        touched = [path for path in before.keys() | now.keys() if before.get(path, _UNKNOWN) != now.get(path, _UNKNOWN)]
        changes = tuple(self._changes((path, self._at(before, path), self._at(now, path)) for path in sorted(touched)))
        self._files = now
        lines = [f"{path}\0{file.digest if file else ''}\n" for path, file in sorted(now.items())]
        self.state = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        return changes, self.state

    def diff(self) -> str:
        """All that differs from the image, as far as it is text."""
        differing = sorted(self._files.items())
        return "".join(
            change.patch for change in self._changes((path, self._original(path), file) for path, file in differing)
        )

    def _differing(self) -> dict[str, _File | None]:
        found: dict[str, _File | None] = {}
        for change in self._environment.changes():
            if not PASSING.isdisjoint(PurePosixPath(change.path).parts) or change.path.endswith(".pyc"):
                continue
            path = self._in_image(change.path)
            if change.kind is Kind.ADDED:
                self._added.add(path)
            found[path] = None if change.kind is Kind.REMOVED else self._read(change.path)
        return found

    def _in_image(self, path: str) -> str:
        """A path as the image has it: a backend without mounts works in a folder of another name."""
        inside = path.removeprefix(self._environment.workdir + "/")
        return path if inside == path else f"{self._image.workdir.rstrip('/')}/{inside}"

    def _read(self, path: str) -> _File:
        try:
            return _file(self._environment.read(path))
        except SandboxError:  # a link to nothing, or to a folder
            return _File("no file", None)

    def _at(self, files: Mapping[str, _File | None], path: str) -> _File | None:
        return files[path] if path in files else self._original(path)

    def _changes(self, found: Iterable[tuple[str, _File | None, _File | None]]) -> Iterator[FileChange]:
        """The changes of files, each with what it was and what it is."""
        left = _PATCHES
        for path, old, new in found:
            kind = "added" if old is None else "removed" if new is None else "changed"
            name = path.removeprefix(self._image.workdir.rstrip("/")).lstrip("/")
            is_text = all(file is None or file.text is not None for file in (old, new))
            patch = patch_of(name, old.text if old else None, new.text if new else None) if is_text and left > 0 else ""
            left -= len(patch)
            yield FileChange(path=path, kind=kind, digest=new.digest if new else "", patch=patch)

    def _original(self, path: str) -> _File | None:
        """A file of the image; no link is followed, for it would be one of this machine."""
        if path in self._added:
            return None
        for layer in self._image.root:
            place = layer
            for part in PurePosixPath(path).parts[1:]:
                place = place / part
                if place.is_symlink():
                    return _UNKNOWN
            if place.is_file():
                return _file(place.read_bytes())
            if place.exists() and stat.S_ISCHR(place.stat().st_mode):
                break  # hides what lies below
        return _UNKNOWN


def _file(content: bytes) -> _File:
    text = None
    if len(content) <= _SHOWN and b"\0" not in content:
        text = content.decode("utf-8", "surrogateescape")
    return _File(hashlib.sha256(content).hexdigest(), text)
