"""Which files a process may still reach, for itself and all that it starts: Landlock, by the C library alone.

    landlock.restrict_files(readable=["/usr"], writable=[folder], sinks=[])

Returns whether the kernel could do it. Source: `landlock(7)`.
"""

import ctypes
import os
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each version of Landlock knows, as the lowest bits of a mask."""
_READ = 0b1101  # execute, read a file, read a folder
_MOVE_INTO = 1 << 7 | 1 << 13  # make a folder, have things moved from elsewhere
_OF_FILE = 0b1000000000000111 | 1 << 14  # execute, write, read; device calls; truncate
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract sockets, signals


def version() -> int:
    """Of the kernel's interface; less than 1 where there is none."""
    return int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def restrict_files(readable: Iterable[str], writable: Iterable[str], sinks: Iterable[str]) -> bool:
    """Leaves only these files and folders: to read and execute, to do everything with, to move folders into; and no TCP."""
    known = version()
    if known < 1:
        return False
    everything = (1 << _RIGHTS[min(known, 5)]) - 1
    attributes = struct.pack("=QQQ", everything, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for rights, paths in ((_READ, readable), (everything, writable), (_MOVE_INTO, sinks)):
            for path in paths:
                _allow(ruleset, path, rights & everything)
        return bool(_libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no access
        return
    try:
        rights = rights if os.path.isdir(path) else rights & _OF_FILE
        _libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, file), 0)
    finally:
        os.close(file)
