"""What environments on this machine have in common: time, variables, files through descriptors, one command, one shell.

A subclass builds the walls: how a program gets into its box (`_box`), where a path is (`_place`), what becomes of
files.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import EnvironmentLimits, ExecResult, Image, PathError, PathKind, Shell, Status
from foretrace.sandbox.environments import diff, files, reaper, shell
from foretrace.sandbox.environments.cgroups import Group
from foretrace.sandbox.environments.keeper import Keeper
from foretrace.sandbox.environments.piping import PipeLine
from foretrace.sandbox.environments.process import TIMEOUT_CODE, Box, Output, Process

VARIABLES = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""Of every command, whoever started us: tests must come out alike, and no secret of ours is seen. Bytecode is not kept
since Python takes it for that of a source of the same size and second, as an edit within a second leaves it."""
_OWN_PROCESSES = 8
"""That boxes need for themselves, of a command and of the shell."""
_NO_GROUP = (
    "no control group can be written here: memory is limited for each process and not for all together, and the number of "
    "processes for all environments of one process of foretrace together"
)


class LocalEnvironment:
    """See above."""

    def __init__(self, keeper: Keeper, image: Image, limits: EnvironmentLimits, *, network: bool) -> None:
        self.name = reaper.new_name()
        self.image, self.limits, self.network = image, limits, network
        self._keeper = keeper
        self._deadline = time.monotonic() + limits.seconds
        self._group: Group | None = None
        self._shell: shell.PersistentShell | None = None
        self._boxes: list[Process] = []  # of shells
        self._digests = diff.Digests()
        self._is_open = True

    # ---- what a subclass says

    def _box(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], *, is_shell: bool) -> Box:
        """The box that a program runs in, with these variables."""
        raise NotImplementedError

    def _place(self, path: str, *, is_written: bool) -> tuple[int, str]:
        """The descriptor that a path of the box is below, and the path from there."""
        raise NotImplementedError

    def _seen(self, path: str) -> str:
        """A path of the image as commands see it."""
        return path

    def _owner(self) -> int | None:
        """To whom new files belong; None: to this user."""
        return None

    def _sweep(self, process: Process) -> None:
        """Kills all that a shell has started."""
        raise NotImplementedError

    def _command_folder(self) -> tuple[int, str]:
        """Where the shell's command is put: a descriptor, and the path in the box."""
        raise NotImplementedError

    def _failure(self, output: Output, argv: Sequence[str]) -> int:
        """The exit code where the box has none: the program could not be run, or, -1, the box itself failed."""
        return -1

    # ---- commands

    @property
    def workdir(self) -> str:
        """See `environment.Environment`."""
        return self.image.workdir

    @property
    def gaps(self) -> tuple[str, ...]:
        """See `environment.Environment`."""
        return () if self._group is not None else (_NO_GROUP,)

    def exec(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        seconds: float = 60,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """See `environment.Environment`."""
        output, started = Output(self.limits.output_bytes), time.monotonic()
        seconds = min(seconds, self._remaining())
        if seconds <= 0:
            return result_of(output, Status.TIMEOUT, TIMEOUT_CODE, started)
        try:
            try:
                code, is_out = self._run(argv, cwd, seconds, stdin, env, output)
            except SandboxError:
                if not (self._boxes and self._is_open):
                    raise
                code, is_out = -1, False
            if code is not None and code < 0 and self._boxes:  # what the shell left running may have used up the processes
                self._sweep(self._boxes[0])
                output = Output(self.limits.output_bytes)
                code, is_out = self._run(argv, cwd, seconds, stdin, env, output)
        except SandboxError as error:
            output.add(str(error).encode())
            return result_of(output, Status.BROKEN, -1, started)
        if code is None:
            return result_of(output, Status.TIMEOUT, TIMEOUT_CODE, started)
        status = Status.BROKEN if code < 0 else shell.status_of(code, is_out_of_memory=is_out)
        return result_of(output, status, code, started)

    def _run(
        self,
        argv: Sequence[str],
        cwd: str | None,
        seconds: float,
        stdin: bytes,
        env: Mapping[str, str] | None,
        output: Output,
    ) -> tuple[int | None, bool]:
        """Exit code, None when time was over, -1 when the box failed; and whether memory ran out."""
        self._check()
        kills = self._oom_kills()
        folder = self._seen(files.absolute(cwd or "", self.image.workdir))
        box = self._box(argv, folder, self._variables(env), is_shell=False)
        process = Process.start(self._keeper, box, stdin=stdin)
        try:
            is_over = process.finish(output, seconds)
        finally:
            process.close()
        code = process.code if process.code is not None else self._failure(output, argv)
        return code if is_over else None, self._oom_kills() > kills

    def shell(self) -> Shell:
        """See `environment.Environment`."""
        self._check()
        if self._shell is None:
            self._shell = shell.PersistentShell(self._line, self._remaining, self.workdir, self.limits.output_bytes)
        return self._shell

    def _line(self) -> PipeLine:
        self._check()
        folder, seen = self._command_folder()
        argv = ["bash", "--noprofile", "--norc", "-c", shell.loop(f"{seen}/{PipeLine.COMMAND}")]
        box = self._box(argv, self.workdir, self._variables(None), is_shell=True)
        line = PipeLine(self._keeper, box, folder, self._sweep, self._oom_kills)
        self._boxes[:] = [line.process]
        return line

    def _variables(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        return {**VARIABLES, **self.image.env, **(extra or {})}

    def _limits(self) -> dict[str, int]:
        """Of each process, by their names in `resource`."""
        limits = {"RLIMIT_CORE": 0, "RLIMIT_CPU": int(self.limits.cpu_seconds)}
        if self._group is None:
            limits |= {"RLIMIT_AS": self.limits.memory_bytes, "RLIMIT_NPROC": self.limits.processes + _OWN_PROCESSES}
        return limits

    def _enclose(self, memory_bytes: int) -> None:
        """Makes the control group."""
        self._group = Group.make(self.name, memory_bytes=memory_bytes, processes=self.limits.processes + _OWN_PROCESSES)

    def _entries(self) -> list[str]:
        return self._group.entries if self._group is not None else []

    def _oom_kills(self) -> int:
        return self._group.oom_kills() if self._group is not None else 0

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    # ---- files

    def read(self, path: str, limit: int | None = None) -> bytes:
        """See `environment.Environment`."""
        self._check()
        root, inside = self._place(files.absolute(path, self.image.workdir), is_written=False)
        return files.read(root, inside, limit if limit is not None else self.limits.disk_bytes)

    def kind(self, path: str) -> PathKind | None:
        """See `environment.Environment`."""
        self._check()
        with suppress(PathError):
            return files.kind(*self._place(files.absolute(path, self.image.workdir), is_written=False))
        return None

    def write(self, path: str, data: bytes) -> None:
        """See `environment.Environment`."""
        self._check()
        root, inside = self._place(files.absolute(path, self.image.workdir), is_written=True)
        files.write(root, inside, data, self._owner())

    def remove(self, path: str) -> None:
        """See `environment.Environment`."""
        self._check()
        root, inside = self._place(files.absolute(path, self.image.workdir), is_written=True)
        files.remove(root, inside)

    # ---- its end

    def _check(self) -> None:
        if not self._is_open:
            raise SandboxError("this environment is closed")

    def _end_shell(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None

    def close(self) -> None:
        """See `environment.Environment`."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def result_of(output: Output, status: Status, code: int, started: float) -> ExecResult:
    """The result of a command that began at `started`, by the monotonic clock."""
    seconds = time.monotonic() - started
    return ExecResult(output=output.text(), code=code, status=status, seconds=seconds, truncated=output.dropped)
