"""Where untrusted code runs: a warm interpreter in a box, one fork a job.

    with Sandbox("process", preload=["my.module"]) as sandbox:
        result = sandbox.run("my.module:job", b"payload")           # job(payload: bytes, output: int) -> None
        result.status, result.output

Backends, which are chosen and never fallen back to:

`process`
    The interpreter gives up files, network, dangerous calls and privileges by itself (`confine`). Needs nothing installed.
`bubblewrap`
    The same within `bwrap`: own file system (read-only, but for a bounded one in memory), process, network, IPC and user
    namespaces. What runs wild ends with its process namespace.
"""

import json
import os
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from foretrace.errors import SandboxError, UsageError
from foretrace.sandbox.server import FILES, remove_tree
from foretrace.sandbox.types import Result, SandboxLimits, Status

Backend = Literal["process", "bubblewrap"]
_HEAD = struct.Struct("<II")
_PACKAGES = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_GRACE = 5.0
_TEXT_BYTES = 1 << 20
"""Of standard output and error that are kept."""
_SCRATCH_BYTES = 1 << 30
"""Of the file system in memory that `bubblewrap` gives to all processes of a sandbox."""

_FIRST_USER = 0x60000000
"""User numbers from here on belong to nobody; each sandbox that root starts is one of its own."""
_FOR_ROOT = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN", "CAP_DAC_READ_SEARCH")


def backends() -> dict[str, str]:
    """Each backend, and why it cannot be used here; empty if it can."""
    linux = "" if sys.platform == "linux" else "needs Linux"
    bwrap = "" if shutil.which("bwrap") else "bwrap is not installed; on Debian and Ubuntu: apt install bubblewrap"
    return {"process": linux, "bubblewrap": linux or bwrap}


def readable_paths() -> list[str]:
    """What an interpreter needs to read: itself, its libraries, this package."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    libraries = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    system = {"/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"}
    devices = {"/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"}
    own = {str(_PACKAGES), os.path.dirname(os.path.realpath(sys.executable))}
    return sorted(path for path in prefixes | libraries | system | devices | own if path != "/" and os.path.exists(path))


@dataclass(slots=True)
class _Process:
    """A running server."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    walls: dict[str, bool]


class Sandbox:
    """Runs jobs one at a time, each in a process of its own that the next one cannot see. Not for two threads at once."""

    def __init__(
        self,
        backend: str = "process",
        *,
        preload: Sequence[str] = (),
        readable: Sequence[str] = (),
        processes: int = 64,
    ) -> None:
        """Starts nothing yet.

        Args:
            backend: see above.
            preload: modules to import once, before any job; jobs start from there.
            readable: more files and folders that jobs may read.
            processes: how many processes and threads jobs may have, beyond those that the user has.

        Raises:
            UsageError: there is no such backend, or it cannot be used here.

        """
        known = backends()
        if backend not in known:
            raise UsageError(f"no sandbox called {backend!r}; there are: {', '.join(get_args(Backend))}")
        if known[backend]:
            raise UsageError(f"the sandbox {backend!r} cannot be used here: {known[backend]}")
        self.backend = backend
        self._preload, self._processes = list(preload), processes
        self._readable = sorted({*readable_paths(), *map(os.path.realpath, readable)})
        self._files = {name: os.memfd_create(f"foretrace-{name}") for name in FILES}
        self._folder = ""
        self._running: _Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def walls(self) -> dict[str, bool]:
        """What stands between a job and the machine, and whether the kernel could do it."""
        return dict(self._start().walls)

    def run(
        self,
        function: str,
        payload: bytes,
        limits: SandboxLimits | None = None,
        stdin: str = "",
        channel: socket.socket | None = None,
    ) -> Result:
        """Runs `function(payload, output)`, named as `module:function`, where `output` is a file descriptor to write to.

        A job has a second file, `TAIL`, empty at first, for what must outlive it, such as memory that it maps. One end of
        a pair of sockets may be its `channel`, by which it talks to who has the other: it finds it as the file `CHANNEL`.
        Of what was said nobody knows when a sandbox fails, so with a channel there is one try only.

        Raises:
            SandboxError: the sandbox does not start.

        """
        limits = limits or SandboxLimits()
        for _ in range(2 if channel is None else 1):
            start = time.monotonic()
            answer = self._ask(function, payload, limits, stdin, channel)
            if answer is not None:
                return self._result(answer, limits)
            if self._timed_out(start, limits):
                return Result(Status.TIMEOUT, 0, b"", b"", b"", time.monotonic() - start)
        return Result(Status.BROKEN, 0, b"", b"", b"", time.monotonic() - start)

    def close(self) -> None:
        """Ends everything; the sandbox cannot be used again."""
        self._stop()
        for file in self._files.values():
            os.close(file)
        self._files = {}

    def _timed_out(self, start: float, limits: SandboxLimits) -> bool:
        return time.monotonic() - start > limits.seconds

    def _result(self, answer: dict[str, Any], limits: SandboxLimits) -> Result:
        output = _content(self._files["output"], limits.file_mb << 20)
        stdout, stderr = (_content(self._files[name], _TEXT_BYTES) for name in ("stdout", "stderr"))
        status = Status(answer["status"])
        tail = _content(self._files["tail"], limits.file_mb << 20)
        return Result(status, answer["code"], output, stdout, stderr, answer["seconds"], answer["leftovers"], tail)

    def _ask(
        self, function: str, payload: bytes, limits: SandboxLimits, stdin: str, channel: socket.socket | None
    ) -> dict[str, Any] | None:
        """The server's answer; None if it did not give any, and was ended."""
        head = {"function": function, "stdin": stdin, "seconds": limits.seconds, "cpu": limits.cpu_seconds}
        head |= {"memory": limits.memory_mb << 20, "file": limits.file_mb << 20}
        control = self._start().control
        try:
            text = json.dumps(head).encode()
            control.settimeout(_GRACE)
            sizes = _HEAD.pack(len(text), len(payload))
            sent = socket.send_fds(control, [sizes], [] if channel is None else [channel.fileno()])
            control.sendall(sizes[sent:] + text + payload)
            return _receive(control, limits.seconds + _GRACE)
        except OSError:
            self._stop()
            return None

    def _start(self) -> _Process:
        if self._running is not None:
            return self._running
        if not self._files:
            raise SandboxError("this sandbox is closed")
        ours, theirs = socket.socketpair()
        self._folder = tempfile.mkdtemp(prefix="foretrace-")  # a new one: what jobs did to the last must not count
        folder = self._folder if self.backend == "process" else "/tmp/jobs"
        settings = {"control": theirs.fileno(), "files": self._files, "folder": folder, "preload": self._preload}
        settings |= {"readable": self._readable, "processes": self._processes, "user": _FIRST_USER + secrets.randbits(28)}
        settings |= {"read_only": self.backend == "bubblewrap"}
        environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        with tempfile.TemporaryFile() as errors, theirs:
            process = subprocess.Popen(
                [*self._wrapper(), *_interpreter(), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(theirs.fileno(), *self._files.values()),
                cwd="/",
                env=environment,
                start_new_session=True,
            )
            theirs.close()
            try:
                answer = _receive(ours, _START_SECONDS)
            except OSError as error:
                _end(process)
                remove_tree(self._folder)
                errors.seek(0)
                said = errors.read()[-2000:].decode(errors="replace").strip()
                raise SandboxError(f"the sandbox {self.backend!r} did not start: {said or error}") from error
        self._running = _Process(process, ours, answer["walls"])
        self._refuse_gaps(answer["walls"])
        return self._running

    def _refuse_gaps(self, walls: dict[str, bool]) -> None:
        optional = {"own user", "files"} if self.backend == "bubblewrap" else {"own user"}  # it has a file system of its own
        missing = [wall for wall, stands in walls.items() if not stands and wall not in optional]
        if missing:
            self._stop()
            other = "use the sandbox bubblewrap" if self.backend == "process" else "use a newer kernel"
            raise SandboxError(f"the sandbox {self.backend!r} would have no wall for: {', '.join(missing)}; {other}")

    def _stop(self) -> None:
        if self._running is not None:
            self._running.control.close()
            _end(self._running.process)
            self._running = None
            remove_tree(self._folder)

    def _wrapper(self) -> list[str]:
        """The command that the interpreter is started by."""
        if self.backend == "process":
            return []
        command = ["bwrap", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        if os.getuid():
            command += ["--unshare-all"]
        else:  # root needs no user namespace, and can become a user of its own, whose processes are counted
            command += [f"--unshare-{what}" for what in ("pid", "net", "ipc", "uts", "cgroup-try")]
            command += [word for name in _FOR_ROOT for word in ("--cap-add", name)]
        command += ["--dev", "/dev", "--proc", "/proc", "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp"]
        for path in self._readable:
            if not path.startswith("/dev/"):
                command += ["--ro-bind", path, path]
        return [*command, "--remount-ro", "/", "--chdir", "/", "--"]


def _interpreter() -> list[str]:
    program = f"import sys; sys.path.insert(0, {str(_PACKAGES)!r}); import foretrace.sandbox.server as s; s.main()"
    # -I would ignore PYTHONHASHSEED, so isolation is asked for piece by piece
    return [sys.executable, "-s", "-P", "-B", "-X", "utf8", "-c", program]


def _receive(control: socket.socket, seconds: float) -> dict[str, Any]:
    """The head of the next message.

    Raises:
        OSError: none came in time, or the other side hung up.

    """
    end = time.monotonic() + seconds
    data = bytearray()
    while len(data) < _HEAD.size or len(data) < _HEAD.size + _HEAD.unpack_from(data)[0]:
        control.settimeout(max(0.001, end - time.monotonic()))
        part = control.recv(1 << 16)
        if not part:
            raise ConnectionResetError("it ended")
        data += part
    answer: dict[str, Any] = json.loads(data[_HEAD.size :])
    return answer


def _content(file: int, limit: int) -> bytes:
    return os.pread(file, min(limit, os.fstat(file).st_size), 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and what it started: without control it ends its job, and then itself."""
    waiting = select.poll()
    descriptor = os.pidfd_open(process.pid)
    waiting.register(descriptor, select.POLLIN)
    waiting.poll(_GRACE * 1000)
    os.close(descriptor)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
