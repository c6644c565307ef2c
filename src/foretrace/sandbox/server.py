"""The inside of a sandbox: a warm interpreter that forks for each job, and outlives whatever the job does.

Started by `foretrace.sandbox.backend`. It gives up its own rights before it answers, so that
a job has only what is left: its folder, its output, its limits. Control comes over a socket that jobs do not have; one job
runs at a time, and the next begins when nothing of the last is left.
"""

import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from foretrace.sandbox import confine, landlock, seccomp

FILES = ("stdin", "stdout", "stderr", "output", "tail")
"""Open files of a job."""
OUTPUT, TAIL, CHANNEL = 200, 201, 202
"""Numbers of the last two, which a program does not hit upon when it opens small integers; and of a job's channel."""
HEAD = struct.Struct("<II")
FAILED = 97
"""Exit code of a job whose function raised."""
_AGAIN = "FORETRACE_STARTED_AGAIN"
_ROUNDS = 200
_REMOVAL_SECONDS = 1.0
"""For what a job has left in its folder; what takes longer stays, out of jobs' sight, until the sandbox is closed."""
_LIST_BYTES = 4096 * 8  # whole numbers only: a list is read a page at a time, each line of which is whole


def main() -> NoReturn:
    """Serves until the other side hangs up. The last argument is a JSON object: see `backend._Settings`."""
    settings = json.loads(sys.argv[-1])
    if _AGAIN not in os.environ and confine.fix_addresses():
        os.execve(sys.executable, sys.orig_argv, os.environ | {_AGAIN: "1"})  # once: the kernel may not keep it
    os.environ.pop(_AGAIN, None)
    control = socket.socket(fileno=settings["control"])
    jobs, left = (os.path.join(settings["folder"], name) for name in ("jobs", "left"))
    for folder in (jobs, left):
        os.makedirs(folder, exist_ok=True)
    sys.argv[:] = sys.orig_argv[:] = [""]  # of no interest to jobs
    server = _Server(control, settings["files"], jobs, left)
    for module in settings["preload"]:
        import_module(module)
    walls = _confine(settings, jobs, left)
    gc.collect()
    gc.freeze()  # a fork then shares these objects for good
    gc.disable()  # when garbage is found depends on what was made before, and must not decide what a job does
    control.sendall(_message({"walls": {"no orphans": server.ends_orphans, **walls}}))
    server.serve()
    os._exit(0)


def _confine(settings: dict[str, Any], jobs: str, left: str) -> dict[str, bool]:
    """Gives up what jobs must not have; says which walls stand."""
    limit = tasks_of_user() + settings["processes"]
    was_root = os.getuid() == 0
    if was_root:
        user = settings["user"]
        for folder in (settings["folder"], jobs, left):
            os.chown(folder, user, user)
        confine.become(user)
        limit = settings["processes"] + 1
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    confine.set_dumpable(False)
    confine.drop_privileges(all_of_them=not was_root)
    files = landlock.restrict_files(settings["readable"], [jobs, os.devnull], [left])
    return {
        "own user": was_root,
        "files": files,
        "no privileges": confine.drop_privileges(all_of_them=not (was_root and files)),
        "calls and network": seccomp.restrict_calls(),
        "metadata": was_root or settings["read_only"] or seccomp.keep_metadata(),
    }


def tasks_of_user() -> int:
    """Processes and threads that this user has now."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += len(os.listdir(process / "task")) if process.stat().st_uid == os.getuid() else 0
        except OSError:  # it has ended
            continue
    return count


def _message(head: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return HEAD.pack(len(text), len(body)) + text + body


class _Server:
    """Runs jobs, one after the other."""

    def __init__(self, control: socket.socket, files: dict[str, int], jobs: str, left: str) -> None:
        self._control, self._files, self._folder, self._left = control, files, jobs, left
        self._functions: dict[str, Callable[[bytes, int], None]] = {}
        self._jobs = 0
        self._is_alone = os.getuid() == 0  # it will become a user of its own
        self.ends_orphans = confine.adopt_orphans()
        self._children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)  # later there is no /proc

    def serve(self) -> None:
        """Answers requests until there are no more."""
        while (request := self._receive()) is not None:
            head, body, channel = request
            for file in self._files.values():
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
            answer = self._run(head, body, channel)
            if answer is None:
                return
            self._control.sendall(_message(answer))

    def _receive(self) -> tuple[dict[str, Any], bytes, int | None] | None:
        """Head, body, and the file that came with them."""
        first, files, _, _ = socket.recv_fds(self._control, HEAD.size, 1)
        rest = self._read(HEAD.size - len(first)) if first else None
        if rest is None:
            return None
        head_size, body_size = HEAD.unpack(first + rest)
        head, body = self._read(head_size), self._read(body_size)
        return (json.loads(head), body, files[0] if files else None) if head is not None and body is not None else None

    def _read(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            part = self._control.recv(size - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)

    def _run(self, head: dict[str, Any], body: bytes, channel: int | None) -> dict[str, Any] | None:
        """Runs one job to its end; None if there is nobody left to tell."""
        self._jobs += 1
        folder = os.path.join(self._folder, str(self._jobs))
        os.mkdir(folder, 0o700)
        os.pwrite(self._files["stdin"], head["stdin"].encode("utf-8", "surrogatepass"), 0)
        function = self._function(head["function"])
        success = 1 + os.urandom(1)[0] % (FAILED - 1)  # a program that just exits does not know it
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._child(function, body, folder, head, success, channel)
        if channel is not None:
            os.close(channel)
        is_over, is_wanted = self._await(pid, head["seconds"])
        seconds = time.monotonic() - start
        _kill_group(pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        leftovers = self._end_orphans()
        self._clear()
        ending = "timeout" if not is_over else "killed" if status < 0 else "done" if status == success else "exited"
        code = 0 if ending == "done" else abs(status)
        return {"status": ending, "code": code, "seconds": seconds, "leftovers": leftovers} if is_wanted else None

    def _function(self, name: str) -> Callable[[bytes, int], None]:
        if name not in self._functions:
            module, _, attribute = name.partition(":")
            self._functions[name] = getattr(import_module(module), attribute)
        return self._functions[name]

    def _await(self, pid: int, seconds: float) -> tuple[bool, bool]:
        """Whether the job ended within its time, and whether anybody still wants to know."""
        process = os.pidfd_open(pid)
        try:
            waiting = select.poll()
            waiting.register(process, select.POLLIN)
            waiting.register(self._control, select.POLLHUP | select.POLLRDHUP)
            found = {file for file, _ in waiting.poll(seconds * 1000)}
        finally:
            os.close(process)
        return process in found, self._control.fileno() not in found

    def _child(
        self,
        function: Callable[[bytes, int], None],
        body: bytes,
        folder: str,
        head: dict[str, Any],
        success: int,
        channel: int | None,
    ) -> NoReturn:
        """The job's process."""
        code = FAILED
        try:
            confine.die_with_parent()
            os.setsid()
            self._arrange_files(folder, channel)
            _limit(head)
            confine.set_dumpable(True)
            seccomp.restrict_signals()
            function(body, OUTPUT)
            code = success
        except BaseException:
            try:
                os.write(2, traceback.format_exc().encode(errors="backslashreplace"))
            except OSError:
                pass
        finally:
            os._exit(code)

    def _clear(self) -> None:
        """Removes all that the job has made, wherever it was put, or moves it to where no job can look."""
        for folder in (os.path.dirname(self._folder), self._folder, self._left):
            os.chmod(folder, 0o700)  # theirs too, if they are of the same user
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            try:
                os.rmdir(path)
            except OSError:
                remove_tree(path, _REMOVAL_SECONDS)
                if os.path.lexists(path):
                    os.rename(path, os.path.join(self._left, os.urandom(16).hex()))

    def _end_orphans(self) -> int:
        """Kills what the job left behind, which is now this process's: nothing of it may see the next."""
        found: set[int] = set()
        for _ in range(_ROUNDS):
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return len(found)
            children = [int(child) for child in os.pread(self._children, _LIST_BYTES, 0).split()]
            found.update(children)
            for target in [-1] if self._is_alone else children:  # -1: all processes of this user but this one
                try:
                    os.kill(target, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.0005)
        os._exit(1)  # they multiply faster than they die: whoever started this process ends all

    def _arrange_files(self, folder: str, channel: int | None) -> None:
        """Standard streams, the output and the tail, the channel if there is one, and no other file open."""
        wanted = [*(self._files[name] for name in FILES), *([] if channel is None else [channel])]
        kept = [fcntl.fcntl(file, fcntl.F_DUPFD, CHANNEL + 1) for file in wanted]
        for file, number in zip(kept, (0, 1, 2, OUTPUT, TAIL, CHANNEL), strict=False):
            os.dup2(file, number)
        os.closerange(3, OUTPUT)
        os.closerange(OUTPUT + len(kept) - 3, 1 << 16)
        os.chdir(folder)
        os.environ["TMPDIR"] = os.environ["HOME"] = folder


def _limit(head: dict[str, Any]) -> None:
    """Limits of each process of a job."""
    wanted = {
        resource.RLIMIT_AS: head["memory"],
        resource.RLIMIT_FSIZE: head["file"],
        resource.RLIMIT_CPU: head["cpu"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
    }
    for what, value in wanted.items():
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        above = 1 if what == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else 0  # for SIGXCPU, which says why
        resource.setrlimit(what, (value, value + above))


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)  # until it is waited for, nobody else can have this number
    except (ProcessLookupError, PermissionError):
        pass


def remove_tree(folder: str, seconds: float | None = None) -> None:
    """Removes a folder that may be deeper than Python can walk, as far as that takes no longer than `seconds`."""
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):  # folders that cannot be read are made so
        try:
            subprocess.run([*command, "--", folder], stderr=subprocess.DEVNULL, check=False, timeout=seconds)
        except subprocess.TimeoutExpired:
            return
        if not os.path.lexists(folder):
            return


if __name__ == "__main__":
    main()
