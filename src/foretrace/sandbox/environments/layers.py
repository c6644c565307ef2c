"""Folders laid on one another, as overlayfs does it: what a path means in a stack, and what a layer on top has changed.

    layers.find([upper, image], "src/a.py")                        # the file that is seen; None if it is hidden
    layers.commit(layers.entries([upper]), now, image, folder)     # the image with the changes as a layer of its own

A layer hides what lies below it by a character device 0/0 of the same name, or, for all of a folder, by the attribute
`overlay.opaque` on it (`Documentation/filesystems/overlayfs.rst`). `flatten` writes only the former, which anybody can
make and any file system keeps. Links are never followed.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Change, Image
from foretrace.sandbox.environments import files
from foretrace.sandbox.server import remove_tree

SCRATCH = ("tmp", "var/tmp", "run", "proc", "dev", "sys")
"""Folders that are nobody's work."""
Find = Callable[[str], str | None]
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def places(stack: Sequence[str], path: str) -> Iterator[str]:
    """Where a path (relative, no `..`) is seen in a stack, uppermost first: one place, or all of a merged folder."""
    parts = path.split("/") if path else []
    for layer in stack:
        here, is_sealed = layer, False
        for number, part in enumerate(parts):
            here = f"{here}/{part}"
            status = lstat(here)
            if status is None:
                break
            if is_whiteout(status) or (number + 1 < len(parts) and not stat.S_ISDIR(status.st_mode)):
                return
            is_sealed = is_sealed or is_opaque(here)  # then nothing below it, at any depth, is seen of lower layers
        else:
            yield here
            if not os.path.isdir(here) or os.path.islink(here):
                return
        if is_sealed:
            return


def find(stack: Sequence[str], path: str) -> str | None:
    """The place of a path in a stack; None if there is none, or it is hidden."""
    return next(places(stack, path), None)


def check(image: Image) -> None:
    """Raises what an environment of this image cannot begin with.

    Raises:
        SandboxError: a layer, or the folder where commands are to start, is not there.

    """
    for layer in image.root:
        if not layer.is_dir():
            raise SandboxError(f"the image has no layer {layer}; build it again")
    place = find([str(layer) for layer in image.root], image.workdir.strip("/")) if image.workdir.strip("/") else "/"
    if place is None or not os.path.isdir(place):
        raise SandboxError(f"the image has no folder {image.workdir}, where commands are to start")


def is_scratch(path: str) -> bool:
    """Whether a path, relative to the root, is in a folder that is nobody's work."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in SCRATCH)


def below(stack: Sequence[str], path: str = "") -> Iterator[str]:
    """Files and links that are seen at or below a path, as paths relative to the stack."""
    place = find(stack, path) if path else stack[0] if stack else None
    if place is None:
        return
    if path and not stat.S_ISDIR(os.lstat(place).st_mode):
        yield path
        return
    waiting = [path]
    while waiting:  # and no recursion: a program may have made folders deeper than Python can go
        for inner, is_folder in _seen_in(stack, waiting.pop()):
            if is_folder:
                waiting.append(inner)
            else:
                yield inner


def _seen_in(stack: Sequence[str], path: str) -> Iterator[tuple[str, bool]]:
    """What a folder that is seen holds, and what of it are folders."""
    found: set[str] = set()
    for folder in places(stack, path):
        for name in names_in(folder):
            if name in found:
                continue
            found.add(name)
            status = lstat(f"{folder}/{name}")
            if status is not None and not is_whiteout(status):
                yield (f"{path}/{name}" if path else name), stat.S_ISDIR(status.st_mode)


def _walk(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`, but paths are relative, and depth is no matter."""
    waiting = [""]
    while waiting:
        path = waiting.pop()
        folders: list[str] = []
        others: list[str] = []
        for name in names_in(f"{top}/{path}"):
            status = lstat(f"{top}/{path}/{name}")
            if status is not None:
                (folders if stat.S_ISDIR(status.st_mode) else others).append(name)
        yield path, folders, others
        waiting += [f"{path}/{name}" if path else name for name in folders]


def lineage(changed: Iterable[Change], now: Find) -> set[str]:
    """Paths of changes for `commit`: with the folders that they are in, or instead the first of those that is gone."""
    found = set()
    for change in changed:
        parts = change.path.strip("/").split("/")
        for number in range(1, len(parts) + 1):
            path = "/".join(parts[:number])
            found.add(path)
            if now(path) is None:
                break
    return found


def commit(paths: Iterable[str], now: Find, image: Image, folder: Path) -> Image:
    """The image with what is different now at `paths` as a new layer on top, in `folder`.

    Raises:
        SandboxError: the folder is there already, or cannot be written.

    """
    try:
        flatten(paths, now, [str(layer) for layer in image.root], folder)
    except OSError as error:
        raise SandboxError(f"cannot write the layer {folder}: {error}") from error
    return on_top(image, folder)


def on_top(image: Image, folder: Path) -> Image:
    """The image with a layer on top that `commit` has written."""
    root = (folder, *image.root)
    digest = hashlib.sha256(f"{image.digest}\n{digest_of(folder)}".encode()).hexdigest()
    return replace(image, root=root, digest=f"sha256:{digest}")


def digest_of(folder: Path) -> str:
    """SHA-256 of a tree: paths, kinds, the right to execute, contents; times and owners do not count."""
    whole = hashlib.sha256()
    for path in sorted(f"{place}/{name}" if place else name for place, _, names in _walk(str(folder)) for name in names):
        whole.update(os.fsencode(path) + b"\0" + _content_digest(f"{folder}/{path}"))
    return whole.hexdigest()


def _content_digest(path: str) -> bytes:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return hashlib.sha256(b"link " + os.fsencode(os.readlink(path))).digest()
    if not stat.S_ISREG(status.st_mode):
        return hashlib.sha256(b"nothing").digest()
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    return hashlib.sha256((b"program " if status.st_mode & stat.S_IXUSR else b"file ") + content).digest()


def flatten(paths: Iterable[str], now: Find, image: Sequence[str], target: Path) -> None:
    """Writes a layer for on top of `image` that has `paths` as `now` finds them, each after the folder that it is in.

    Raises:
        OSError: the folder is there already, or cannot be written.

    """
    target.mkdir(parents=True)
    for path in sorted(paths):
        place, made = now(path), target / path
        if place is None:
            if find(image, path) is not None and made.parent.is_dir() and not made.parent.is_symlink():
                _hide(made)
        elif stat.S_ISDIR(os.lstat(place).st_mode):
            made.mkdir(exist_ok=True)
            for name in {name for layer in image for name in names_in(f"{layer}/{path}")}:
                if now(f"{path}/{name}") is None and find(image, f"{path}/{name}") is not None:
                    _hide(made / name)  # what an opaque folder hides without naming it
            _keep(place, made)
        elif is_file(place):
            _copy(place, made)
            _keep(place, made)


def _copy(place: str, made: Path) -> None:
    if os.path.islink(place):
        made.symlink_to(os.readlink(place))
        return
    with open(open_file(place), "rb") as source, made.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _keep(place: str, made: Path) -> None:
    """Copies mode and times, and not attributes: overlayfs has its own, which mean something else in another stack."""
    status = os.lstat(place)
    if not stat.S_ISLNK(status.st_mode):
        made.chmod(stat.S_IMODE(status.st_mode) & 0o1777)
    os.utime(made, ns=(status.st_mtime_ns, status.st_mtime_ns), follow_symlinks=False)


def _hide(path: Path) -> None:
    if not os.path.lexists(path):
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def unfold(stack: Sequence[str], inside: str, target: Path) -> None:
    """Copies what is seen of a folder of a stack into a new folder.

    Raises:
        SandboxError: it cannot be copied.

    """
    target.mkdir(parents=True)
    for layer in reversed(stack):
        source = f"{layer}/{inside}"
        if not os.path.isdir(source) or os.path.islink(source):
            continue
        hidden = []
        for inner, folders, names in _walk(source):
            gone = [name for name in names if is_whiteout(os.lstat(f"{source}/{inner}/{name}"))]
            hidden += [target / inner / name for name in gone]
            if inner and is_opaque(f"{source}/{inner}"):
                remove_tree(str(target / inner))
            for name in (*folders, *names):
                place = target / inner / name
                if os.path.lexists(place) and (
                    name in gone or (place.is_dir() and not place.is_symlink()) != (name in folders)
                ):
                    remove_tree(str(place))
        command = ["cp", "-a", "--reflink=auto", "--remove-destination", "--", f"{source}/.", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(f"cannot copy {source}: {done.stderr.strip()[-500:]}")
        for path in hidden:
            path.unlink()


def give(folder: str, owner: int) -> None:
    """Makes a user the owner of all that a folder holds."""
    for inside, folders, names in _walk(folder):
        for name in (*folders, *names):
            os.chown(f"{folder}/{inside}/{name}", owner, owner, follow_symlinks=False)


def entries(upper: Sequence[str]) -> set[str]:
    """Paths of everything in these layers, whiteouts among them."""
    found: set[str] = set()
    for layer in upper:
        for inside, folders, names in _walk(layer):
            found.update(f"{inside}/{name}" if inside else name for name in (*folders, *names))
            if not inside:
                folders[:] = [name for name in folders if name not in SCRATCH]
    return {path for path in found if not is_scratch(path)}


def is_file(place: str) -> bool:
    """Whether a regular file or a link is at a place."""
    status = lstat(place)  # which a program in the box may have taken away since
    return status is not None and (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode))


def open_file(place: str) -> int:
    """A descriptor of a regular file of a stack, whatever a program in the box makes of its path meanwhile.

    No link leads out of a layer that is named by its descriptor, and no pipe keeps us waiting.

    Raises:
        OSError: there is none.

    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    inside = re.fullmatch(r"/proc/self/fd/(\d+)(/.+)", place, re.DOTALL)
    file = files.open_in(int(inside[1]), inside[2], flags) if inside else os.open(place, flags)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(f"{place} is no regular file")
    return file


def is_whiteout(status: os.stat_result) -> bool:
    """Whether this hides what lies below it."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(folder: str) -> bool:
    """Whether a folder hides all that lies below it."""
    for name in _OPAQUE:
        try:
            if os.getxattr(folder, name, follow_symlinks=False) == b"y":
                return True
        except OSError:  # it has none, or its file system has none
            continue
    return False


def lstat(path: str) -> os.stat_result | None:
    """The status of what is there; None if nothing is, or it is too deep to be named."""
    try:
        return os.lstat(path)
    except OSError:  # it is not there, or too deep to be named
        return None


def names_in(folder: str) -> list[str]:
    """What a folder holds; nothing if it is no folder, or one that cannot be read or named."""
    try:
        return os.listdir(folder)
    except OSError:  # no folder, or one that cannot be read or named
        return []
