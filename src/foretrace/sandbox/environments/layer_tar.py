"""A layer of an image as a tar: files, folders and links, and names that say what of the layers below is gone.

    with open("layer.tar", "rb") as file:
        left = layer_tar.unpack(file, root, most_bytes)        # over what is in the folder already
    layer_tar.pack(folder, "layer.tar")

Nothing in a tar is trusted: every name is resolved within the folder by the kernel, devices, pipes and set-user bits are
left out. Packing the same folder twice gives the same bytes. `.wh.NAME` means that NAME is gone, and `.wh..wh..opq` that
nothing of the folder below is left (OCI image-spec 1.1, `layer`); how folders say the same is in `layers`.
"""

import gzip
import os
import posixpath
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from foretrace.errors import SandboxError
from foretrace.sandbox.environments import files
from foretrace.sandbox.environments.layers import is_whiteout
from foretrace.sandbox.server import remove_tree

PIECE = 1 << 20
"""Bytes that are copied at a time."""
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


def unpack(file: IO[bytes], root: int, most_bytes: int) -> int:
    """Unpacks a layer over what is in the folder at the descriptor `root`; how many of the bytes are left for others.

    Raises:
        SandboxError: it holds more than `most_bytes`, or is compressed in a way that is not known here.
        tarfile.TarError, zlib.error, OSError, EOFError: it is damaged.

    """
    magic = file.read(4)
    file.seek(0)
    if magic == b"\x28\xb5\x2f\xfd":
        raise SandboxError("a layer is compressed with zstd; save the image with gzip or uncompressed layers")
    stream: IO[bytes] = gzip.GzipFile(fileobj=file) if magic[:2] == b"\x1f\x8b" else file  # type: ignore[assignment]
    with tarfile.open(fileobj=stream, mode="r|") as layer:
        for member in layer:
            most_bytes -= member.size
            if most_bytes < 0:
                raise SandboxError("the archive holds more than is allowed; raise most_bytes if you trust it")
            _unpack_member(layer, member, root)
    return most_bytes


def _unpack_member(layer: tarfile.TarFile, member: tarfile.TarInfo, root: int) -> None:
    path = posixpath.normpath(f"/{member.name}")
    place, name = posixpath.split(path)
    if not name:
        return
    files.make_folders(root, place)
    parent = files.open_in(root, place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if name == _OPAQUE:
            for inner in os.listdir(parent):
                _clear(parent, inner)
        elif name.startswith(_WHITEOUT):
            _clear(parent, name[len(_WHITEOUT) :])
        else:
            _put(layer, member, root, parent, name)
    finally:
        os.close(parent)


def _put(layer: tarfile.TarFile, member: tarfile.TarInfo, root: int, parent: int, name: str) -> None:
    """Makes a file, folder or link; of other kinds nothing."""
    if member.isdir():
        if not _is_folder(parent, name):
            _clear(parent, name)
            os.mkdir(name, 0o755, dir_fd=parent)
        mode = member.mode & 0o1777 | 0o700
    elif member.isreg():
        _clear(parent, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        content = layer.extractfile(member)
        with open(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, PIECE)
        mode = member.mode & 0o777
    elif member.issym():
        _clear(parent, name)
        os.symlink(member.linkname, name, dir_fd=parent)
        return
    elif member.islnk():
        place, other = posixpath.split(posixpath.normpath(f"/{member.linkname}"))
        source = files.open_in(root, place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _clear(parent, name)
            os.link(other, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)
        return
    else:
        return
    os.chmod(name, mode, dir_fd=parent)
    os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)


def _is_folder(parent: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)
    except FileNotFoundError:
        return False


def _clear(parent: int, name: str) -> None:
    if _is_folder(parent, name):
        remove_tree(f"/proc/{os.getpid()}/fd/{parent}/{name}")
        return
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


# ---- out


def pack(folder: Path, archive: Path) -> None:
    """Writes a folder as a tar."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as layer:
        for path in _sorted(folder):
            _pack_member(layer, folder, path)


def _sorted(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *names]):
            yield os.path.relpath(f"{place}/{name}", folder)


def _pack_member(layer: tarfile.TarFile, folder: Path, path: str) -> None:
    place = folder / path
    status = place.lstat()
    if is_whiteout(status):
        above, name = posixpath.split(path)
        layer.addfile(tarfile.TarInfo(posixpath.join(above, _WHITEOUT + name)))
        return
    entry = tarfile.TarInfo(path)
    entry.mode, entry.mtime = stat.S_IMODE(status.st_mode) & 0o1777, int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        entry.type = tarfile.DIRTYPE
        layer.addfile(entry)
    elif stat.S_ISLNK(status.st_mode):
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(place), 0o777
        layer.addfile(entry)
    elif stat.S_ISREG(status.st_mode):
        entry.size = status.st_size
        with place.open("rb") as file:
            layer.addfile(entry, file)
