"""A box without namespaces: a warden, which no program in it can reach, and a process that has given up its rights.

Runs in a fork of `inside`. The warden adopts what the program leaves behind, kills it at the end, and tells the exit
code in the same words as `bwrap --json-status-fd`. `SIGTERM` has it end everything, `SIGUSR1` everything but the
program itself.
"""

import json
import os
import resource
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from foretrace.sandbox import confine, landlock, seccomp

_ROUNDS = 400
_PAUSE = 0.0005
_CANNOT = 126


def limit(request: dict[str, Any]) -> None:
    """Puts this process into its control groups and under its limits."""
    for path in request["groups"]:
        Path(path).write_text("0")
    for name, value in request["limits"].items():
        _, hard = resource.getrlimit(getattr(resource, name))
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, value))


def enter(request: dict[str, Any]) -> NoReturn:
    """Runs the request's program in a child that can reach only what its `jail` names, and stays as its warden.

    The warden stays outside of the control groups: it must be able to fork where the program no longer can.
    """
    status, user = request["jail"]["status"], request["jail"]["user"]
    confine.adopt_orphans()
    program = os.fork()
    if program == 0:
        os.close(status)
        _become(request)

    def end(number: int, frame: FrameType | None) -> None:
        _kill_descendants(0, user)
        os._exit(0)

    def sweep(number: int, frame: FrameType | None) -> None:
        _kill_descendants(program, 0)
        swept[0] += 1
        os.write(status, json.dumps({"swept": swept[0]}).encode() + b"\n")

    swept = [0]
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, sweep)
    confine.die_with_parent(signal.SIGTERM)
    os.write(status, json.dumps({"child-pid": program}).encode() + b"\n")
    code = _wait(program)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    _kill_descendants(0, user)
    os.write(status, json.dumps({"exit-code": code}).encode() + b"\n")
    os._exit(0)


def _wait(program: int) -> int:
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == program:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(request: dict[str, Any]) -> NoReturn:
    settings, argv = request["jail"], request["argv"]
    try:
        os.setsid()
        os.chdir(request["cwd"])
        limit(request)
        if settings["user"]:
            confine.become(settings["user"])
        keeps_reading = bool(settings["user"])  # until files are restricted: what root alone may read, an interpreter say
        walls = [confine.drop_privileges(all_of_them=not keeps_reading)]
        walls += [landlock.restrict_files(settings["readable"], settings["writable"], [])]
        walls += [
            confine.drop_privileges(all_of_them=not keeps_reading),
            seccomp.restrict_calls(network=settings["network"]),
        ]
        if not all(walls):
            raise OSError("the kernel could not build a wall")
        confine.die_with_parent()  # last, since changes of privileges undo it
        os.execvpe(argv[0], argv, request["env"])
    except FileNotFoundError:
        os.write(2, f"{argv[0]}: command not found\n".encode())
        os._exit(_CANNOT + 1)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
        os._exit(_CANNOT)


def _kill_descendants(spared: int, user: int) -> None:
    """Kills all that this process has below it, but `spared`, which is its child; a user of its own is killed in one go."""
    for _ in range(_ROUNDS):
        if user:
            _kill_all_of(user)
        found = [process for process in _descendants(os.getpid()) if process != spared]
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not found:
            return
        _reap(spared)
        time.sleep(_PAUSE)


def _reap(spared: int) -> None:
    for child in _children(os.getpid()):
        if child != spared:
            try:
                os.waitpid(child, os.WNOHANG)
            except ChildProcessError:
                continue


def _kill_all_of(user: int) -> None:
    child = os.fork()
    if child == 0:
        try:
            confine.become(user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _descendants(process: int) -> list[int]:
    found, waiting = [], [process]
    while waiting:
        children = _children(waiting.pop())
        found += children
        waiting += children
    return found


def _children(process: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []
