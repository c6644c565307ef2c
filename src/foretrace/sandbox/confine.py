"""What a process gives up for good, for itself and all that it starts: files, the network, dangerous calls, other processes.

Linux, by the C library alone. Each function returns whether the kernel could do it, since a wall that is not there must be
named and not assumed. Sources: `landlock(7)`, `seccomp(2)`, `capabilities(7)`, `prctl(2)`.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 8, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 36, 38, 47, 2
_CAP_DAC_READ_SEARCH = 2
_ADDR_NO_RANDOMIZE = 0x0040000


def _prctl(option: int, *arguments: int) -> bool:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return bool(_libc.prctl(option, *(ctypes.c_ulong(a) for a in padded)) == 0)


def adopt_orphans() -> bool:
    """Makes this process the parent of what its descendants leave behind, so that it can end them."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> bool:
    """Has this process killed when the thread that made it ends."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


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


# ---- files: Landlock ------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each version of Landlock knows, as the lowest bits of a mask."""
_READ = 0b1101  # execute, read a file, read a folder
_MOVE_INTO = 1 << 7 | 1 << 13  # make a folder, have things moved from elsewhere
_OF_FILE = 0b1000000000000111 | 1 << 14  # execute, write, read; device calls; truncate
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract sockets, signals


def restrict_files(readable: Iterable[str], writable: Iterable[str], sinks: Iterable[str]) -> bool:
    """Leaves only these files and folders: to read and execute, to do everything with, to move folders into; and no TCP."""
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    everything = (1 << _RIGHTS[min(version, 5)]) - 1
    attributes = struct.pack("=QQQ", everything, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    ruleset = _libc.syscall(
        _CREATE_RULESET, attributes, ctypes.c_size_t(24 if version >= 6 else 16 if version >= 4 else 8), 0
    )
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


# ---- calls: seccomp -------------------------------------------------------------------------------

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_FORBIDDEN = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "setpriority": (141, 140),  # of all processes of the user, for good
    "ioprio_set": (251, 30),
    "inotify_add_watch": (254, 27),  # tells the names of files in folders that may not be read
    "fanotify_init": (300, 262),
    # what would outlive the process that made it
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
_OF_A_PROCESS = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
"""Calls whose first argument is a process."""
_BY_SECOND_ARGUMENT = (
    ((72, 25), 0xFFFFFFFF, (8, 10, 15)),  # fcntl: F_SETOWN, F_SETSIG, F_SETOWN_EX, by which the kernel signals others
    ((16, 29), 0xFFFFFFFF, (0x8901, 0x8902)),  # ioctl: FIOSETOWN, SIOCSPGRP, the same
    ((53, 199), 0xF, (2, 3)),  # socketpair: SOCK_DGRAM and SOCK_RAW, which send to any address without `connect`
)
"""Calls, a mask of their second argument, and the values of it that are forbidden."""
_METADATA = (
    *((90, -1), (91, 52), (268, 53), (452, 452), (92, -1), (93, 55), (94, -1), (260, 54)),  # chmod, chown and their kin
    *((132, -1), (235, -1), (261, -1), (280, 88)),  # utime and its kin
    *((188, 5), (189, 6), (190, 7), (197, 14), (198, 15), (199, 16), (463, 463), (466, 466), (469, 469)),  # attributes
)
"""Calls that Landlock does not know, on whatever a user owns."""
_CLONE, _CLONE3 = (56, 220), 435
_NEW_NAMESPACES = 0x7E020000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _MACHINE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000

_Instruction = tuple[int, int, int, int]


def restrict_calls() -> bool:
    """Forbids network, namespaces, mounts, looking into others, and what would outlive its maker; `EPERM` is the answer."""
    machine = _machine()
    if machine is None:
        return False
    _, column = machine
    denied = _RETURN, 0, 0, _ERROR | errno.EPERM
    program: list[_Instruction] = []
    for numbers in _FORBIDDEN.values():
        program += [(_EQUAL, 0, 1, numbers[column]), denied]
    for numbers, mask, values in _BY_SECOND_ARGUMENT:
        checks = [(_LOAD, 0, 0, _SECOND_ARGUMENT), (_AND, 0, 0, mask)]
        for value in values:
            checks += [(_EQUAL, 0, 1, value), denied]
        program += [(_EQUAL, 0, len(checks) + 1, numbers[column]), *checks, (_LOAD, 0, 0, _NUMBER)]
    program += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]  # its flags cannot be read: `clone` is used
    program += [(_EQUAL, 0, 3, _CLONE[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), denied]
    return _install(program, machine)


def keep_metadata() -> bool:
    """Has changes of modes, owners, times and attributes do nothing and say that they did, as `shutil.copy` needs."""
    machine = _machine()
    if machine is None:
        return False
    numbers = [pair[machine[1]] for pair in _METADATA if pair[machine[1]] >= 0]
    return _install([step for number in numbers for step in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR))], machine)


def restrict_signals() -> bool:
    """Leaves this process only itself and its group to signal or to limit: not who started it, nor its own children."""
    machine = _machine()
    if machine is None:
        return False
    own, numbers = os.getpid(), [pair[machine[1]] for pair in _OF_A_PROCESS.values()]
    check: list[_Instruction] = [(_LOAD, 0, 0, _FIRST_ARGUMENT)]
    check += [(_EQUAL, 3 - at, 0, allowed) for at, allowed in enumerate((own, 0, -own & 0xFFFFFFFF))]
    check += [(_RETURN, 0, 0, _ERROR | errno.EPERM)]
    jumps = [(_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    return _install([*jumps, (_RETURN, 0, 0, _ALLOW), *check], machine)


def _machine() -> tuple[int, int] | None:
    """What seccomp calls this machine, and its column in the tables."""
    return _MACHINES.get(platform.machine()) if struct.calcsize("P") == 8 else None


def _install(program: list[_Instruction], machine: tuple[int, int]) -> bool:
    """Installs a filter that allows what `program`, which starts with the number loaded, does not return an answer for."""
    whole = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, machine[0]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    if machine[1] == 0:  # the numbers of x32, of which the table says nothing
        whole += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    whole += [*program, (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in whole))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(whole), ctypes.addressof(code)))
    return _prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(filter_))
