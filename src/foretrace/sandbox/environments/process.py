"""A program in a box, from outside: its output, bounded; its end, whatever it does to put it off.

    process = Process.start(keeper, Box(argv=argv, env=env, settings=settings))
    output = Output(1 << 20)
    process.finish(output, seconds=60), process.code

A box tells its process and its exit code as `bwrap --json-status-fd` does, one JSON object a line.
"""

import json
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foretrace.errors import SandboxError
from foretrace.sandbox.environments.keeper import Keeper

STATUS = 11
"""Number, in the process, of the file to which the box tells its status."""
FILTER = 10
"""Number of the file from which `bwrap` reads the filter of calls."""
TIMEOUT_CODE = 124
"""Exit code of what timed out, as `timeout(1)` has it."""
_END_SECONDS = 5.0
_PIECE = 1 << 16


class Output:
    """Keeps the first half and the last half of what is said."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._head, self._tail, self._total = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        """Takes more."""
        self._total += len(data)
        space = self._half - len(self._head)
        if space > 0:
            self._head += data[:space]
            data = data[space:]
        self._tail += data
        if len(self._tail) > 2 * self._half + _PIECE:  # now and then, or each byte would move many
            del self._tail[: -self._half]

    @property
    def dropped(self) -> int:
        """Bytes that are not kept."""
        return self._total - len(self._head) - min(self._half, len(self._tail))

    def text(self) -> bytes:
        """What is kept, with a line that says what is not."""
        cut = b"\n[... %d bytes are left out ...]\n" % self.dropped if self.dropped else b""
        return bytes(self._head) + cut + bytes(self._tail[-self._half :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """How a program gets into its box; see `attendant.spawn`."""

    argv: Sequence[str]
    env: Mapping[str, str]
    """Variables of what builds the walls, too, if `argv` is a program that does: then they must be nobody else's."""
    settings: Mapping[str, Any]
    filter: bytes | None = None
    """Of calls, for `bwrap --seccomp`."""
    ends_by: int = signal.SIGKILL
    """Signal that ends the box and all in it."""
    attendant: int = -1
    """Descriptor of who starts it; without one, the keeper does."""


@dataclass(slots=True)
class Process:
    """A running program and its box. `output` and `status` do not block."""

    own: int
    """Descriptor of the box's process outside."""
    output: int
    status: int
    ends_by: int
    _said: bytearray = field(default_factory=bytearray)
    _told: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, keeper: Keeper, box: Box, *, stdin: bytes = b"", extra: Mapping[int, int] | None = None) -> "Process":
        """Has the keeper start it, with further files `extra` by their number.

        Raises:
            SandboxError: the keeper is gone.

        """
        output, theirs = os.pipe2(os.O_CLOEXEC)
        status, told = os.pipe2(os.O_CLOEXEC)
        passed = {0: _memory("stdin", stdin), 1: theirs, STATUS: told}
        if box.filter is not None:
            passed[FILTER] = _memory("filter", box.filter)
        files = passed | {2: theirs} | dict(extra or {})
        request = {"argv": list(box.argv), "env": dict(box.env), "numbers": list(files), **box.settings}
        try:
            _, opened = keeper.ask("spawn", list(files.values()), by=box.attendant, **request)
        except SandboxError:
            os.close(output)
            os.close(status)
            raise
        finally:
            for file in passed.values():
                os.close(file)
        os.set_blocking(output, False)
        os.set_blocking(status, False)
        return cls(opened[0], output, status, box.ends_by)

    @property
    def code(self) -> int | None:
        """Exit code, 128 + n for signal n; None as long as it is not known, or if the box never ran the program."""
        return self._told.get("exit-code")

    @property
    def inner(self) -> int | None:
        """The number, outside, of the first process within the box."""
        return self._told.get("child-pid")

    @property
    def has_ended(self) -> bool:
        """Whether the box's process has ended."""
        waiting = select.poll()
        waiting.register(self.own, select.POLLIN)
        return bool(waiting.poll(0))

    def finish(self, output: Output, seconds: float) -> bool:
        """Takes its output until it has ended, and kills it when its time is over; whether it ended by itself.

        Raises:
            SandboxError: it does not end even then.

        """
        if self._drain(output, time.monotonic() + seconds):
            return True
        self.signal(self.ends_by)
        if not self._drain(output, time.monotonic() + _END_SECONDS):
            raise SandboxError("a process of an environment does not end")
        return False

    def _drain(self, output: Output, end: float) -> bool:
        """Whether both the output and the status came to their end in time."""
        waiting = select.poll()
        waiting.register(self.output, select.POLLIN)
        waiting.register(self.status, select.POLLIN)
        left = 2
        while left:
            seconds = end - time.monotonic()
            found = waiting.poll(max(0.0, seconds) * 1000)
            if not found or seconds <= 0:
                return False
            for file, _ in found:
                data = take(file)
                if data == b"":
                    waiting.unregister(file)
                    left -= 1
                elif file == self.output:
                    output.add(data or b"")
                else:
                    self.hear(data or b"")
        return True

    def hear(self, data: bytes) -> None:
        """Takes what the box said about itself."""
        self._said += data
        *lines, rest = self._said.split(b"\n")
        self._said = bytearray(rest)
        for line in lines:
            if line.strip():
                self._told |= json.loads(line)

    def ask(self, number: int, what: str) -> None:
        """Signals the box's process, and waits until it has told another `what`."""
        before, end = self._told.get(what), time.monotonic() + _END_SECONDS
        self.signal(number)
        waiting = select.poll()
        waiting.register(self.status, select.POLLIN)
        while self._told.get(what) == before and waiting.poll(max(0.0, end - time.monotonic()) * 1000):
            data = take(self.status)
            if not data:
                return
            self.hear(data)

    def signal(self, number: int) -> None:
        """Signals the box's process, if there still is one."""
        try:
            signal.pidfd_send_signal(self.own, number)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Ends it at once and closes its files."""
        if self.own < 0:
            return
        self.signal(self.ends_by)
        if self.ends_by != signal.SIGKILL:  # it cleans up first
            waiting = select.poll()
            waiting.register(self.own, select.POLLIN)
            waiting.poll(_END_SECONDS * 1000)
        for file in (self.own, self.output, self.status):
            os.close(file)
        self.own = -1


def take(file: int) -> bytes | None:
    """What there is to read; empty at the end, None if there is nothing now."""
    try:
        return os.read(file, _PIECE)
    except BlockingIOError:
        return None


def _memory(name: str, content: bytes) -> int:
    file = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
    os.lseek(file, 0, os.SEEK_SET)
    return file
