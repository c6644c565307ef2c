"""One bash for an episode, which nothing that it runs can bring out of step.

    shell = PersistentShell(start, limits)
    shell.run("cd src; export X=1").cwd

The command is read from a file, its standard input is empty, and its status comes over a descriptor that it does not
have, after a number that it cannot guess: a command may read, leave quotes open, print what it likes or close all its
files. Where there is a PID namespace bash is its first process, so that nothing within can kill it. When its time is
over, bash is told to return from the file, at whatever depth of functions and loops, and everything else is killed; if
that does not help, a new bash begins in the same folder with the exported variables of the last command that came back,
as after `exit`.
"""

import secrets
import shlex
import time
from collections.abc import Callable
from typing import Protocol

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import ShellResult, Status
from foretrace.sandbox.environments.process import TIMEOUT_CODE, Output

_RETURN_SECONDS = 2.0
_SWEEP_SECONDS = 0.02
_ANSWER_SECONDS = 5.0
"""For the status after the end of the output, or for a shell to start."""

LOOP = """
exec 7>&1 2>/dev/null
__unwind() {{ builtin return $(( ${{#FUNCNAME[@]}} > 1 ? 2 : 0 )); }}
trap '__late=1; builtin shopt -s extdebug; builtin trap __unwind DEBUG; builtin return {timeout}' USR1
while IFS= builtin read -r -u 8 __nonce; do
  {fetch}
  if [[ $__late ]]; then __late=; builtin trap - DEBUG; builtin shopt -u extdebug; fi
  builtin . {file} </dev/null >&7 2>&1 7>&- 8<&- 9>&-
  __code=$?
  {mark}
  builtin printf '%s %d %s\\0' "$__nonce" "$__code" "$PWD" >&9
  {{ builtin export -p; builtin printf '\\0'; }} >&9
done
"""
"""Text of the shell's own program. 7: output; 8: control, a line a command; 9: status. `fetch` brings the command to
`file`, `mark` ends its output. After the signal, bash simulates a `return` before each command of a function or file
(`extdebug`)."""


def loop(file: str, fetch: str = "", mark: str = "") -> str:
    """See `LOOP`."""
    return LOOP.format(timeout=TIMEOUT_CODE, file=file, fetch=fetch, mark=mark)


class Line(Protocol):
    """The connection to a running bash."""

    def submit(self, nonce: str, command: str) -> None:
        """Begins a command."""

    def wait(self, output: Output, seconds: float) -> bytes | None:
        """Takes output, waits for more or for a status; what came of the status, None when bash has ended."""

    def settle(self, output: Output) -> None:
        """Takes what output there is once a status has come."""

    def interrupt(self) -> None:
        """Tells bash to return."""

    def sweep(self) -> None:
        """Kills all that bash has started."""

    @property
    def code(self) -> int:
        """Exit code of a bash that has ended."""

    def ran_out_of_memory(self, code: int) -> bool:
        """Whether memory ran out since the last time that this was asked; `code` is the last command's exit code."""

    def close(self) -> None:
        """Ends bash and all that it has started."""


class PersistentShell:
    """See above; `start` makes a connection to a new bash, `remaining` says how many seconds the environment has left."""

    def __init__(self, start: Callable[[], Line], remaining: Callable[[], float], cwd: str, output_bytes: int) -> None:
        self._start, self._remaining = start, remaining
        self._line: Line | None = None
        self._cwd, self._exports, self._output_bytes = cwd, "", output_bytes

    @property
    def cwd(self) -> str:
        """Where it is."""
        return self._cwd

    def run(self, command: str, *, seconds: float = 60) -> ShellResult:
        """See `environment.Shell`."""
        started = time.monotonic()
        seconds = min(seconds, self._remaining())
        output = Output(self._output_bytes)
        if seconds <= 0:
            return self._result(output, Status.TIMEOUT, TIMEOUT_CODE, started)
        try:
            line = self._ready()
            is_late, code = self._ask(line, command, output, seconds)
            status = Status.TIMEOUT if is_late else status_of(code, is_out_of_memory=line.ran_out_of_memory(code))
        except SandboxError as error:
            self.close()
            output.add(str(error).encode())
            status, code = Status.BROKEN, -1
        return self._result(output, status, code, started)

    def close(self) -> None:
        """Ends it; the next command begins a new one."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _result(self, output: Output, status: Status, code: int, started: float) -> ShellResult:
        text = output.text().decode(errors="replace")
        seconds, is_new = time.monotonic() - started, self._line is None and status is not Status.BROKEN
        return ShellResult(
            output=text,
            code=code,
            status=status,
            seconds=seconds,
            truncated=output.dropped,
            cwd=self._cwd,
            restarted=is_new,
        )

    def _ready(self) -> Line:
        """A bash that waits for a command, where the last one was."""
        if self._line is None:
            self._line = self._start()
            if self._exports:
                text = f"{self._exports}\nbuiltin cd -- {shlex.quote(self._cwd)}\n"
                is_late, _ = self._ask(self._line, text, Output(1 << 12), _ANSWER_SECONDS)
                if is_late or self._line is None:
                    raise SandboxError("a new shell did not start")
        return self._line

    def _ask(self, line: Line, command: str, output: Output, seconds: float) -> tuple[bool, int]:
        """Runs a command to its end, or to the shell's: whether its time was over, and its exit code."""
        nonce = secrets.token_hex(16)
        line.submit(nonce, command if command.endswith("\n") else command + "\n")
        answer = self._await(line, output, time.monotonic() + seconds)
        is_late = answer is None
        if answer is None:
            answer = self._interrupt(line, output)
        if answer is None or not answer.startswith(nonce):  # it cannot be stopped, has ended, or says what makes no sense
            code = line.code
            self.close()
            return is_late, TIMEOUT_CODE if is_late else code
        line.settle(output)
        head, self._exports, _ = answer.split("\0", 2)
        _, code_text, self._cwd = head.split(" ", 2)
        return is_late, TIMEOUT_CODE if is_late else int(code_text)

    def _interrupt(self, line: Line, output: Output) -> str | None:
        """Has the command return, again and again: what ignored the signal, or came up since, may listen the next time."""
        end = time.monotonic() + _RETURN_SECONDS
        while time.monotonic() < end:
            line.interrupt()
            line.sweep()
            answer = self._await(line, output, time.monotonic() + _SWEEP_SECONDS)
            if answer:
                line.sweep()  # what bash began between the last time and its return
            if answer is not None:
                return answer
        return None

    def _await(self, line: Line, output: Output, end: float) -> str | None:
        """The whole status; empty if bash ended, None if time did."""
        said = bytearray()
        while True:
            seconds = end - time.monotonic()
            data = line.wait(output, max(0.0, seconds if not said else seconds + _ANSWER_SECONDS))
            if data is None:
                return ""
            said += data
            if said.count(0) >= 2:
                return said.decode(errors="surrogateescape")
            if seconds <= (-_ANSWER_SECONDS if said else 0):
                return "" if said else None


def status_of(code: int, *, is_out_of_memory: bool = False) -> Status:
    """What an exit code says, given whether memory ran out meanwhile."""
    if code and is_out_of_memory:
        return Status.MEMORY
    return Status.KILLED if 128 < code <= 128 + 64 else Status.OK
