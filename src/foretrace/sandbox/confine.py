"""What a process gives up for good, for itself and all that it starts: its user, its privileges, its survival.

Linux, by the C library alone; files are given up in `landlock`, calls in `seccomp`. Each function returns whether the kernel
could do it, since a wall that is not there must be named and not assumed. Sources: `capabilities(7)`, `prctl(2)`.

    confine.become(user)
    confine.drop_privileges(all_of_them=True)
"""

import ctypes
import os
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 1, 4, 8, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 36, 38, 47, 2
_CAP_DAC_READ_SEARCH = 2
_ADDR_NO_RANDOMIZE = 0x0040000


def _prctl(option: int, *arguments: int) -> bool:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return bool(_libc.prctl(option, *(ctypes.c_ulong(a) for a in padded)) == 0)


def adopt_orphans() -> bool:
    """Makes this process the parent of what its descendants leave behind, so that it can end them."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(by: int = signal.SIGKILL) -> bool:
    """Has this process killed, or signalled otherwise, when the thread that made it ends."""
    return _prctl(_PR_SET_PDEATHSIG, by)


def end_without(parent: int) -> None:
    """Ends this process if its parent is no longer `parent`, and later with it. A change of user undoes that."""
    die_with_parent()
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)


def set_dumpable(is_dumpable: bool) -> bool:
    """Whether processes of the same user may look into this one's memory."""
    return _prctl(_PR_SET_DUMPABLE, int(is_dumpable))


def fix_addresses() -> bool:
    """Asks for the same addresses in each run, from the next `exec` on: the order of some sets depends on them.

    Returns:
        Whether an `exec` is needed for it to hold.

    """
    now = _libc.personality(ctypes.c_ulong(0xFFFFFFFF))
    return now >= 0 and not now & _ADDR_NO_RANDOMIZE and _libc.personality(ctypes.c_ulong(now | _ADDR_NO_RANDOMIZE)) >= 0


def become(user: int) -> bool:
    """From root to a user without a name, whose processes the kernel counts and who may signal no others.

    Files that only root can read, such as an interpreter in root's home, stay readable until all privileges are dropped.

    """
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    return True


def drop_privileges(*, all_of_them: bool) -> bool:
    """Gives up all capabilities, or all but reading files, and every way to get any by executing a file."""
    for capability in range(64):
        _prctl(_PR_CAPBSET_DROP, capability)
    kept = 0 if all_of_them else 1 << _CAP_DAC_READ_SEARCH
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = struct.pack("=6I", kept, kept, kept, 0, 0, 0)  # effective, permitted, inheritable; then those from number 32 on
    if not _prctl(_PR_SET_NO_NEW_PRIVS, 1) or _libc.capset(header, sets) != 0:
        return False
    return not kept or _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH)  # through `exec` too
