"""Streams of a container: frames of standard output and error over one socket, and the shell's connection made of them.

A frame is a byte for the stream, three of padding, four for the length, and the data (Docker Engine API, "attach").
"""

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from foretrace.sandbox.environments.process import Output

OUTPUT, STATUS = 1, 2
_HEAD = struct.Struct(">BxxxL")
_PIECE = 1 << 16
_MARK_SECONDS = 5.0
_KILLED = 137
COMMAND = "/dev/shm/.foretrace"
FETCH = f"IFS= builtin read -r -d '' -u 8 __text; builtin printf '%s' \"$__text\" >| {COMMAND}"
"""The command comes after its number, up to a zero byte; there is no folder here that the container sees."""
MARK = "builtin printf '\\0%s\\0' \"$__nonce\" >&7"
"""The two streams come by different ways: what ends a command's output must be in the output."""
STREAMS = "exec 8<&0 9>&2 </dev/null"


class Frames:
    """Reads and writes a socket of frames without ever waiting longer than it is told."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.socket: socket.socket = getattr(stream, "_sock", stream)
        self.socket.setblocking(False)
        # what came together with the head of the engine's answer is in the reader, which the SDK passes over
        self._buffer = bytearray(stream._response.raw._fp.fp.read1(_PIECE) or b"")
        self.is_over = False

    def send(self, data: bytes, seconds: float) -> None:
        """Sends all of it.

        Raises:
            OSError: the other side does not take it.

        """
        end, view = time.monotonic() + seconds, memoryview(data)
        while view:
            if not self._ready(select.POLLOUT, end - time.monotonic()):
                raise TimeoutError("the container does not read")
            try:
                view = view[self.socket.send(view) :]
            except BlockingIOError:
                continue

    def receive(self, seconds: float) -> list[tuple[int, bytes]]:
        """Whole frames, as they come; none when time is over or, then `is_over`, at the end."""
        if not self.is_over and self._ready(select.POLLIN, 0.0 if self._has_frame() else seconds):
            try:
                data = self.socket.recv(_PIECE)
                self.is_over = not data
                self._buffer += data
            except BlockingIOError:
                pass
            except OSError:  # the other side has gone
                self.is_over = True
        found = []
        while self._has_frame():
            stream, size = _HEAD.unpack_from(self._buffer)
            found.append((stream, bytes(self._buffer[_HEAD.size : _HEAD.size + size])))
            del self._buffer[: _HEAD.size + size]
        return found

    def _has_frame(self) -> bool:
        if len(self._buffer) < _HEAD.size:
            return False
        return len(self._buffer) >= _HEAD.size + int(_HEAD.unpack_from(self._buffer)[1])

    def _ready(self, event: int, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self.socket, event)
        return bool(waiting.poll(max(0.0, seconds) * 1000))

    def close(self) -> None:
        """Hangs up."""
        self.is_over = True
        self._stream.close()
        self.socket.close()


class Marked:
    """Passes output on up to a mark, which ends what belongs to one command; `begun` is what came before it."""

    def __init__(self, nonce: str, begun: bytes = b"") -> None:
        self._mark, self._held = b"\0" + nonce.encode() + b"\0", bytearray(begun)
        self.is_over = False

    def hear(self, output: Output, data: bytes) -> None:
        """Takes output; what may be the beginning of the mark is held back, and all that follows it."""
        self._held += data
        if self.is_over:
            return
        at = self._held.find(self._mark)
        self.is_over = at >= 0
        known = at if self.is_over else max(0, len(self._held) - len(self._mark) + 1)
        output.add(bytes(self._held[:known]))
        del self._held[: known + (len(self._mark) if self.is_over else 0)]

    def rest(self) -> bytes:
        """What is held back."""
        held = bytes(self._held)
        self._held.clear()
        return held


class StreamLine:
    """See `shell.Line`: a container's first process, over what it was attached to."""

    def __init__(
        self,
        frames: Frames,
        *,
        interrupt: Callable[[], None],
        sweep: Callable[[], bool],
        stop: Callable[[], int],
        ran_out: Callable[[], bool],
    ) -> None:
        self._frames, self._interrupt, self._sweep, self._stop, self._ran_out = frames, interrupt, sweep, stop, ran_out
        self._marked = Marked("")
        self._code: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it can take a command."""
        return not self._frames.is_over

    def submit(self, nonce: str, command: str) -> None:
        """Begins a command."""
        self._marked = Marked(nonce, self._marked.rest())
        text = command.replace("\0", "").encode(errors="surrogateescape")
        try:
            self._frames.send(nonce.encode() + b"\n" + text + b"\0", _MARK_SECONDS)
        except OSError:  # it has ended, as `wait` will find
            return

    def wait(self, output: Output, seconds: float) -> bytes | None:
        """Takes output, waits for more or for a status; what came of the status, None when bash has ended."""
        said = bytearray()
        for stream, data in self._frames.receive(seconds):
            if stream == STATUS:
                said += data
            else:
                self._marked.hear(output, data)
        if self._frames.is_over and not said:
            output.add(self._marked.rest())
            return None
        return bytes(said)

    def settle(self, output: Output) -> None:
        """Takes what comes before the mark."""
        end = time.monotonic() + _MARK_SECONDS
        while not (self._marked.is_over or self._frames.is_over) and time.monotonic() < end:
            for stream, data in self._frames.receive(end - time.monotonic()):
                if stream == OUTPUT:
                    self._marked.hear(output, data)

    def interrupt(self) -> None:
        """Tells bash to return."""
        self._interrupt()

    def sweep(self) -> None:
        """Kills all that bash has started; with bash, where it cannot be done otherwise."""
        if not self._sweep():
            self.close()

    @property
    def code(self) -> int:
        """Exit code of a bash that has ended."""
        if self._code is None:
            self.close()
        return self._code if self._code is not None else -1

    def ran_out_of_memory(self, code: int) -> bool:
        """Whether memory ran out since the last time that this was asked; the engine is asked only where it is likely."""
        return code == _KILLED and self._ran_out()

    def close(self) -> None:
        """Ends bash and all that it has started."""
        if self._code is None:
            self._frames.close()
            self._code = self._stop()
