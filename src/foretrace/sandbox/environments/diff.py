"""What an environment has changed about its image, by comparing: an overlay's layers, or two trees.

    diff.overlay([upper], [image])                 # [Change("/testbed/src/a.py", modified)]
    diff.tree(copy, [image], "testbed")            # of a folder that is a changed copy of the image's /testbed

A file is the same if its kind, its rights and its content are; times do not count, and neither do folders by
themselves.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence

from foretrace.sandbox.environment import Change, Kind
from foretrace.sandbox.environments.layers import SCRATCH, below, find, is_file, is_opaque, lstat, names_in, open_file


class Digests:
    """SHA-256 of files and links, remembered as long as their inodes are as they were."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    def of(self, place: str) -> str:
        """Of the content; empty if it cannot be read."""
        try:
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                return hashlib.sha256(os.fsencode(os.readlink(place))).hexdigest()
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if key not in self._known:
                with open(open_file(place), "rb") as file:
                    self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return self._known[key]
        except OSError:  # nobody but the user in the box may read it, or it is something else by now
            return ""


def overlay(upper: Sequence[str], image: Sequence[str], under: str = "", digests: Digests | None = None) -> list[Change]:
    """What the layers of `upper` change about those of `image`, sorted."""
    now = (*upper, *image)
    pairs = ((path, find(image, path), find(now, path)) for path in _touched(upper, image, under))
    return _changes(pairs, "/", digests or Digests())


def _changes(pairs: Iterable[tuple[str, str | None, str | None]], prefix: str, digests: Digests) -> list[Change]:
    """Of paths, where they were, and where they are."""
    found = (_change(prefix + path, _file(before), _file(after), digests) for path, before, after in pairs)
    return sorted(change for change in found if change is not None)


def _change(path: str, before: str | None, after: str | None, digests: Digests) -> Change | None:
    status = lstat(after) if after is not None else None
    if after is None or status is None:
        return Change(path, Kind.REMOVED) if before is not None else None
    if before is not None:
        old = os.lstat(before)
        is_like = (old.st_mode, old.st_size) == (status.st_mode, status.st_size)
        if before == after or (is_like and digests.of(before) == digests.of(after) != ""):
            return None
    kind = Kind.ADDED if before is None else Kind.MODIFIED
    return Change(path, kind, status.st_mode, status.st_size, digests.of(after))


def tree(folder: str, image: Sequence[str], inside: str, digests: Digests | None = None) -> list[Change]:
    """What differs between a folder and the folder `inside` of an image, of which it is a changed copy; sorted."""
    paths = {*below([folder]), *(path[len(inside) + 1 :] for path in below(image, inside))}
    pairs = ((path, find(image, f"{inside}/{path}"), find([folder], path)) for path in paths)
    return _changes(pairs, f"/{inside}/", digests or Digests())


def paths(paths: Iterable[str], folder: str, image: Sequence[str]) -> list[Change]:
    """What differs between an image and a folder to which these paths of its descendant were fetched; sorted."""
    return _changes(((path, find(image, path), find([folder], path)) for path in paths), "/", Digests())


def _touched(upper: Sequence[str], image: Sequence[str], under: str = "") -> set[str]:
    """Every file that a layer of `upper` has, hides, or lies in the place of."""
    found: set[str] = set()
    waiting = [under]
    while waiting:
        path = waiting.pop()
        if path in SCRATCH:
            continue
        for layer in upper:
            folder = f"{layer}/{path}" if path else layer
            if path and is_opaque(folder):
                found.update(below(image, path))
            for name in names_in(folder):
                inner = f"{path}/{name}" if path else name
                status = lstat(f"{layer}/{inner}")
                if status is not None and stat.S_ISDIR(status.st_mode):
                    waiting.append(inner)
                    continue
                found.add(inner)
                found.update(below(image, inner))
            if path and not os.path.isdir(folder) and os.path.lexists(folder):
                found.update((path, *below(image, path)))
    return found


def _file(place: str | None) -> str | None:
    """The place if a file or a link is there."""
    return place if place is not None and is_file(place) else None
