"""Files of a box, from outside: no `..` and no link leads out of the folder that a path starts from.

    data = files.read(root, "/testbed/a.py", limit=1 << 20)       # root: a descriptor of the box's file system
    files.write(root, "/testbed/new/b.py", data, owner=0)

The kernel resolves the whole path below the descriptor (`openat2(2)`, `RESOLVE_IN_ROOT`), as if it had been changed
into by `chroot`: whoever changes links meanwhile gains nothing. Pipes, sockets and devices are not read from and not
written to.
"""

import ctypes
import errno
import os
import posixpath
import stat
import struct

from foretrace.sandbox.environment import PathError, PathKind
from foretrace.sandbox.server import remove_tree

_libc = ctypes.CDLL(None, use_errno=True)
_OPENAT2, _RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 437, 0x02, 0x10
_PIECE = 1 << 20


def open_in(root: int, path: str, flags: int, mode: int = 0) -> int:
    """`open` as the box would see it; the path is taken from its root.

    Raises:
        OSError: as `open`.

    """
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    while True:
        descriptor: int = _libc.syscall(_OPENAT2, root, os.fsencode(path) or b"/", how, ctypes.c_size_t(len(how)))
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):  # a folder moved meanwhile: the kernel asks to try again
            raise OSError(number, os.strerror(number), path)


def absolute(path: str, workdir: str) -> str:
    """The path from the root of the box, by its text alone, as `posixpath.normpath` has it."""
    return "/" + posixpath.normpath(posixpath.join(workdir, path)).lstrip("/")


def read(root: int, path: str, limit: int) -> bytes:
    """The content of a regular file.

    Raises:
        PathError: there is none, or it is larger than `limit` bytes.

    """
    try:
        file = open_in(root, path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not keep us waiting
        with open(file, "rb") as stream:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise PathError(f"{path} in the environment is no regular file")
            if status.st_size > limit:
                raise PathError(f"{path} in the environment has {status.st_size} bytes; at most {limit} are read")
            return stream.read(limit)
    except OSError as error:
        raise PathError(f"cannot read {path} in the environment: {error.strerror}") from error


def kind(root: int, path: str) -> PathKind | None:
    """What is at a path, at the end of links within the box; None if nothing is."""
    try:
        file = open_in(root, path, os.O_PATH)
    except OSError:
        return None
    try:
        mode = os.fstat(file).st_mode
    finally:
        os.close(file)
    return PathKind.FILE if stat.S_ISREG(mode) else PathKind.FOLDER if stat.S_ISDIR(mode) else PathKind.OTHER


def write(root: int, path: str, data: bytes, owner: int | None = None) -> None:
    """Makes or replaces a regular file, and the folders that it needs; they belong to `owner`, None: to this user.

    Raises:
        PathError: it cannot be written.

    """
    try:
        make_folders(root, posixpath.dirname(path), owner)
        is_new = False
        try:
            file = open_in(root, path, os.O_WRONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            file = open_in(root, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            is_new = True
        with open(file, "wb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise PathError(f"{path} in the environment is no regular file")
            if is_new and owner is not None:
                os.fchown(file, owner, owner)
            stream.truncate()
            stream.write(data)
    except OSError as error:
        raise PathError(f"cannot write {path} in the environment: {error.strerror}") from error


def make_folders(root: int, path: str, owner: int | None = None) -> None:
    """As `mkdir -p`, also below a link, which stays in the box.

    Raises:
        OSError: as `mkdir`.

    """
    missing = []
    while path not in ("/", ""):
        try:
            os.close(open_in(root, path, os.O_PATH | os.O_DIRECTORY))
            break
        except FileNotFoundError:
            missing.append(path)
            path = posixpath.dirname(path)
    for folder in reversed(missing):
        parent = open_in(root, posixpath.dirname(folder), os.O_PATH | os.O_DIRECTORY)
        try:
            name = posixpath.basename(folder)
            os.mkdir(name, 0o755, dir_fd=parent)
            if owner is not None:
                os.chown(name, owner, owner, dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)


def remove(root: int, path: str) -> None:
    """Removes a file or link, or a folder with all in it.

    Raises:
        PathError: there is nothing, or it cannot be removed.

    """
    try:
        parent = open_in(root, posixpath.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            name = posixpath.basename(path)
            if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
                remove_tree(f"/proc/{os.getpid()}/fd/{parent}/{name}")  # which follows no links, however deep it is
            else:
                os.unlink(name, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise PathError(f"cannot remove {path} in the environment: {error.strerror}") from error
