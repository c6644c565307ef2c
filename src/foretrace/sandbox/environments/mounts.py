"""The system calls that make a file system out of folders: namespaces, tmpfs, overlayfs, bind mounts with other owners.

    mounts.enter_namespaces()                                  # this process's own mounts; the host's stay as they are
    mounts.tmpfs(folder, size=1 << 30)
    mounts.overlay(root, lower=[image], upper=upper, work=work, is_rootless=False)

Linux, by the C library alone: `mount(8)` is a process a call, which costs more than the call. Sources: `mount(2)`,
`mount_setattr(2)`, `user_namespaces(7)`, and the kernel's `Documentation/filesystems/overlayfs.rst`.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_SLAVE = 2, 4, 1 << 12, 1 << 14, 1 << 19
_MNT_DETACH = 2
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _AT_EMPTY_PATH, _AT_RECURSIVE = 1, 4, 0x1000, 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_IDMAP = 0x1, 0x100000
_IDS = 1 << 16
_INODES, _INODE_BYTES = 10_000, 4096
"""A file system in memory may have a file for each so many bytes, and some besides."""


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """`unshare(2)`, which Python has from 3.12 on."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, flags: int) -> None:
    """`setns(2)` with the descriptor of a process, which Python has from 3.12 on."""
    _check(_libc.setns(descriptor, flags), "setns")


def enter_namespaces() -> bool:
    """Gives this process mounts of its own, as root or, in a user namespace of its own, as anybody.

    Returns:
        Whether a user namespace was needed.

    Raises:
        OSError: the kernel does not allow it to this user.

    """
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWNS)
        is_rootless = False
    except PermissionError:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        map_ids(os.getpid(), f"0 {user} 1", f"0 {group} 1")
        is_rootless = True
    _mount(None, "/", None, _MS_REC | _MS_SLAVE)
    return is_rootless


def map_ids(process: int, users: str, groups: str) -> None:
    """Says who the users and groups of a new user namespace are outside."""
    folder = Path(f"/proc/{process}")
    (folder / "setgroups").write_text("deny")
    (folder / "uid_map").write_text(users)
    (folder / "gid_map").write_text(groups)


def owners(user: int) -> int:
    """A user namespace in which root is `user`, for `clone_tree`; a descriptor.

    Raises:
        OSError: this process may not make one.

    """
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            unshare(CLONE_NEWUSER)
            os.write(ready[1], b"1")
            os.close(go[1])
            os.read(go[0], 1)
        finally:
            os._exit(0)
    try:
        os.close(ready[1])
        if not os.read(ready[0], 1):
            raise PermissionError("no user namespace can be made")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{name}").write_text(f"0 {user} {_IDS}")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for descriptor in (ready[0], *go):
            os.close(descriptor)
        os.waitpid(child, 0)


def tmpfs(folder: str, size: int, *, mode: str = "0755") -> None:
    """Mounts a file system in memory, of at most `size` bytes."""
    files = _INODES + size // _INODE_BYTES
    _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode={mode},size={size},nr_inodes={files}")


def overlay(root: str, *, lower: Sequence[str], upper: str, work: str, is_rootless: bool) -> None:
    """Mounts, on `root`, the folders of `lower` (uppermost first), with changes going to `upper`.

    Layers are named by descriptors: no character in a path needs care, and 4096 bytes of options are enough for 200
    layers.
    """
    descriptors = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (*lower, upper, work)]
    try:
        *below, above, aside = (f"/proc/self/fd/{descriptor}" for descriptor in descriptors)
        options = f"lowerdir={':'.join(below)},upperdir={above},workdir={aside},volatile,index=off"
        # without privileges, the kernel does neither of what is switched off here, and refuses to hear of it
        options += ",userxattr" if is_rootless else ",metacopy=off,redirect_dir=off"
        _mount("overlay", root, "overlay", _MS_NOSUID | _MS_NODEV, options)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def clone_tree(source: str, target: str, namespace: int | None = None) -> None:
    """Mounts `source` on `target` once more, read-only; in `namespace` its owners are those that `owners` says.

    Raises:
        OSError: there is no such file, or, with `namespace`, its file system cannot show other owners.

    """
    everything = 0 if namespace is not None else _AT_RECURSIVE
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | everything
    tree = _check(_libc.syscall(_OPEN_TREE, -100, os.fsencode(source), flags), f"open_tree {source}")
    try:
        set_, user = (
            (_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_IDMAP, namespace) if namespace is not None else (_MOUNT_ATTR_RDONLY, 0)
        )
        attributes = struct.pack("=QQQQ", set_, 0, 0, user)
        size = ctypes.c_size_t(len(attributes))
        changed = _libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | everything, attributes, size)
        _check(changed, f"mount_setattr {source}")
        moved = _libc.syscall(_MOVE_MOUNT, tree, b"", -100, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)
        _check(moved, f"move_mount {source} to {target}")
    finally:
        os.close(tree)


def bind(source: str, target: str) -> None:
    """Mounts a folder at a second place, writable."""
    _mount(source, target, None, _MS_BIND)


def detach(folder: str) -> None:
    """Takes a mount, and all below it, out of sight; what still uses it keeps it."""
    _check(_libc.umount2(os.fsencode(folder), _MNT_DETACH), f"umount {folder}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    raw = [os.fsencode(text) if text is not None else None for text in (source, target, kind)]
    result = _libc.mount(*raw, ctypes.c_ulong(flags), os.fsencode(options) if options else None)
    _check(result, f"mount {kind or source or ''} on {target}")


def is_supported() -> bool:
    """Whether the numbers of the calls above are those of this machine."""
    return platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64")
