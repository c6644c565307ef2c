"""Which system calls a process may still make, for itself and all that it starts: a seccomp filter, written by hand.

    seccomp.restrict_calls()                     # this process, and what it starts
    seccomp.box_filter()                         # the same as a program in bytes, for `bwrap --seccomp`

Each function that restricts returns whether the kernel could do it. Sources: `seccomp(2)`, `bpf(4)` (classic), the
tables of system calls of Linux for x86-64 and for arm64. `EPERM` is the answer to a call that is forbidden.
"""

import ctypes
import errno
import os
import platform
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_Instruction = tuple[int, int, int, int]
_ByArgument = tuple[tuple[int, int], int, tuple[int, ...]]

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_FORBIDDEN = {
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
    "fanotify_init": (300, 262),
}
"""Calls that nobody who runs a program needs, and that have been a way out."""
_SOCKETS = {"socket": (41, 198), "connect": (42, 203), "bind": (49, 200)}
_SHARED = {
    "setpriority": (141, 140),  # of all processes of the user, for good
    "ioprio_set": (251, 30),
    "inotify_add_watch": (254, 27),  # tells the names of files in folders that may not be read
    # what would outlive the process that made it
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
"""Calls that reach others where processes, files and IPC are not in namespaces of their own."""
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
_SIGNALLING: tuple[_ByArgument, ...] = (
    ((72, 25), 0xFFFFFFFF, (8, 10, 15)),  # fcntl: F_SETOWN, F_SETSIG, F_SETOWN_EX, by which the kernel signals others
    ((16, 29), 0xFFFFFFFF, (0x8901, 0x8902)),  # ioctl: FIOSETOWN, SIOCSPGRP, the same
)
_DATAGRAMS: tuple[_ByArgument, ...] = (
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


def restrict_calls(*, network: bool = False) -> bool:
    """Forbids network, namespaces, mounts, looking into others, and what would outlive its maker."""
    machine = _machine()
    if machine is None:
        return False
    forbidden = _FORBIDDEN | _SHARED | ({} if network else _SOCKETS)
    return _install(_refusing(forbidden, _SIGNALLING + (() if network else _DATAGRAMS), machine[1]), machine)


def box_filter() -> bytes | None:
    """The program for a box that has namespaces of its own; None on a machine whose calls are not in the table.

    Sockets, IPC and priorities stay allowed, since they reach nothing but the box.
    """
    machine = _machine()
    return _assemble(_refusing(_FORBIDDEN, (), machine[1]), machine) if machine is not None else None


def _refusing(
    forbidden: dict[str, tuple[int, int]], by_argument: tuple[_ByArgument, ...], column: int
) -> list[_Instruction]:
    """A program that refuses these calls, and new namespaces, and allows the rest."""
    denied = _RETURN, 0, 0, _ERROR | errno.EPERM
    program: list[_Instruction] = []
    for numbers in forbidden.values():
        program += [(_EQUAL, 0, 1, numbers[column]), denied]
    for numbers, mask, values in by_argument:
        checks = [(_LOAD, 0, 0, _SECOND_ARGUMENT), (_AND, 0, 0, mask)]
        for value in values:
            checks += [(_EQUAL, 0, 1, value), denied]
        program += [(_EQUAL, 0, len(checks) + 1, numbers[column]), *checks, (_LOAD, 0, 0, _NUMBER)]
    program += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]  # its flags cannot be read: `clone` is used
    program += [(_EQUAL, 0, 3, _CLONE[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), denied]
    return program


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
    whole = _assemble(program, machine)
    code = ctypes.create_string_buffer(whole)
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(whole) // 8, ctypes.addressof(code)))
    mode, address = ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.c_ulong(ctypes.addressof(filter_))
    return bool(_libc.prctl(_PR_SET_SECCOMP, mode, address, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0)


def _assemble(program: list[_Instruction], machine: tuple[int, int]) -> bytes:
    """The instructions, 8 bytes each, after a check that the calls are those of this machine."""
    whole = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, machine[0]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    if machine[1] == 0:  # the numbers of x32, of which the table says nothing
        whole += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    whole += [*program, (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in whole)
