"""The connection to a bash on this machine: pipes, and a file for the command. See `shell.Line`."""

import os
import select
import signal
from collections.abc import Callable

from foretrace.errors import SandboxError
from foretrace.sandbox.environments.keeper import Keeper
from foretrace.sandbox.environments.process import Box, Output, Process, take

_CONTROL, _STATUS = 8, 9
_END_SECONDS = 5.0


class PipeLine:
    """See above."""

    COMMAND = "command"
    """Name of the file."""

    def __init__(
        self,
        keeper: Keeper,
        box: Box,
        folder: int,
        sweep: Callable[[Process], None],
        oom_kills: Callable[[], int],
    ) -> None:
        """Starts bash in its box. The command is put into `folder`, a descriptor; `sweep` kills what bash has started.

        Raises:
            SandboxError: it does not start.

        """
        self._folder, self._sweep_all, self._oom_kills = folder, sweep, oom_kills
        self._kills = oom_kills()
        theirs, self._control = os.pipe2(os.O_CLOEXEC)
        self._status, told = os.pipe2(os.O_CLOEXEC)
        try:
            self.process = Process.start(keeper, box, extra={_CONTROL: theirs, _STATUS: told})
        except SandboxError:
            os.close(self._control)
            os.close(self._status)
            raise
        finally:
            os.close(theirs)
            os.close(told)
        os.set_blocking(self._status, False)

    def submit(self, nonce: str, command: str) -> None:
        """Begins a command; one that cannot be begun, since bash has ended, is found out by `wait`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(self.COMMAND, flags, 0o644, dir_fd=self._folder), "wb") as file:
            file.write(command.encode(errors="surrogateescape"))
        try:
            os.write(self._control, nonce.encode() + b"\n")
        except BrokenPipeError:
            pass

    def wait(self, output: Output, seconds: float) -> bytes | None:
        """Takes output, waits for more or for a status; what came of the status, None when bash has ended."""
        waiting = select.poll()
        for file in (self.process.output, self._status, self.process.status):
            waiting.register(file, select.POLLIN)
        found = {file for file, _ in waiting.poll(seconds * 1000)}
        if self.process.output in found:
            output.add(take(self.process.output) or b"")
        said = take(self._status) if self._status in found else None
        if self.process.status in found and self._hears_the_end():
            self.settle(output)
            return None
        if said == b"":  # all writers are gone: its end is about to be told
            self.process.finish(output, _END_SECONDS)
            return None
        return said or b""

    def _hears_the_end(self) -> bool:
        data = take(self.process.status)
        self.process.hear(data or b"")
        return data == b"" or self.process.code is not None

    def settle(self, output: Output) -> None:
        """Takes what output there is."""
        while data := take(self.process.output):
            output.add(data)

    def interrupt(self) -> None:
        """Tells bash to return."""
        self.process.hear(take(self.process.status) or b"")
        if self.process.inner is not None and self.process.code is None:
            try:
                os.kill(self.process.inner, signal.SIGUSR1)  # it cannot be another: its box has not told its end
            except ProcessLookupError:
                return

    def sweep(self) -> None:
        """Kills all that bash has started."""
        self._sweep_all(self.process)

    @property
    def code(self) -> int:
        """Exit code of a bash that has ended."""
        return self.process.code if self.process.code is not None else -1

    def ran_out_of_memory(self, code: int) -> bool:
        """Whether memory ran out since the last time that this was asked."""
        before, self._kills = self._kills, self._oom_kills()
        return self._kills > before

    def close(self) -> None:
        """Ends bash and all that it has started."""
        if self._control >= 0:
            self.process.close()
            os.close(self._control)
            os.close(self._status)
            self._control = -1
