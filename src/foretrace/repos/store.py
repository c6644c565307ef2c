"""Equal files of many images are one file: images are links into a store of contents.

    size = Store(folder / ".store").absorb(layer)           # Absorbed(digest, files, bytes, new_bytes)

Sixteen virtual environments have sixteen times the same pytest. Contents are named by their SHA-256 and whether they can be
executed; times are set to one moment, so that a digest of a layer names paths, modes, links and contents and nothing else.
Images are read-only to whoever works in them: an environment writes to a layer of its own. What no image links to any more
has a single link, and `prune` removes it.
"""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOMENT = 946_684_800
"""Of all files: 1 January 2000, in seconds."""


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What became of a layer."""

    digest: str
    """`sha256:…` of its files."""
    files: int
    bytes: int
    new_bytes: int
    """That the store did not have."""


class Store:
    """Contents by their hash. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """The folder must be on the file system of the layers, as links cannot leave it."""
        self._folder = folder

    def absorb(self, layer: Path) -> Absorbed:
        """Links a layer's files to the store's, and brings in those that it does not have."""
        entries = [*_entries(layer)]
        files = [
            (path, content, kind == "program", path.stat().st_size) for path, kind, content in entries if kind in _FILES
        ]
        new = sum(size for path, content, is_program, size in files if self._link(path, content, is_program))
        settle(layer)
        return Absorbed(_digest(entries, layer), len(files), sum(size for *_, size in files), new)

    def _link(self, path: Path, digest: str, is_program: bool) -> bool:
        """Makes a file a link to the store's; whether the store did not have it."""
        path.chmod(0o755 if is_program else 0o644)
        os.utime(path, (MOMENT, MOMENT))
        kept = self._folder / digest[:2] / (digest[2:] + ("x" if is_program else ""))
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, kept)
            return True
        except FileExistsError:
            partial = path.with_name(f".{os.getpid()}.link")
            try:
                os.link(kept, partial)
            except OSError as error:
                if error.errno != errno.EMLINK:  # as many links as the file system allows: this one stays a file
                    raise
                return False
            partial.replace(path)
            return False

    def prune(self) -> int:
        """Removes contents that no image has; the bytes that this frees."""
        freed = 0
        for path in self._folder.glob("*/*"):
            status = path.stat()
            if status.st_nlink == 1:
                freed += status.st_size
                path.unlink()
        return freed


def digest_of(layer: Path) -> str:
    """The digest of a layer, changing nothing; see `Store.absorb`."""
    return _digest([*_entries(layer)], layer)


_FILES = ("file", "program")


def _entries(layer: Path) -> Iterator[tuple[Path, str, str]]:
    """Each path, what it is, and a link's target or a file's hash."""
    for path in walk(layer):
        if path.is_symlink():
            yield path, "link", os.readlink(path)
        elif path.is_dir():
            yield path, "folder", ""
        else:
            yield path, "program" if path.stat().st_mode & 0o100 else "file", _hash(path)


def _digest(entries: Iterable[tuple[Path, str, str]], layer: Path) -> str:
    lines = "\n".join(f"{path.relative_to(layer).as_posix()}\0{kind}\0{content}" for path, kind, content in entries)
    return "sha256:" + hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder in a fixed order; links are not followed."""
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        path = Path(entry.path)
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from walk(path)


def settle(folder: Path) -> None:
    """Sets the times of folders and links, innermost first, and lets everybody into the folders."""
    for path in reversed([*walk(folder)]):
        if path.is_symlink() or path.is_dir():
            if not path.is_symlink():
                path.chmod(0o755)
            os.utime(path, (MOMENT, MOMENT), follow_symlinks=False)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
