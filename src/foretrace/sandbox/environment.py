"""An episode's world: an image, changed by whoever works in it, behind one interface whatever the walls are made of.

    with open_environment(image, EnvironmentLimits(seconds=600)) as environment:  # sandbox.environments
        environment.exec(["python", "-m", "pytest", "-q"], seconds=60).code       # a process of its own
        shell = environment.shell()                                               # one bash; folder and variables stay
        shell.run("cd src && export DEBUG=1")
        before = environment.snapshot()                                           # files, in milliseconds
        environment.write("/testbed/src/a.py", b"x = 1")
        environment.changes()                                                     # [Change("/testbed/src/a.py", modified)]
        environment.restore(before)

`Image`, limits and results are plain values; `Environment`, `Shell`, `Snapshot` and `Backend` are protocols, which each
module of `sandbox.environments` implements. What a program does is never an exception: it is a `Status`.
`Status.BROKEN` alone means that the walls failed and not the program; such a result must be tried again or set aside,
and never be scored.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from foretrace.errors import SandboxError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A file system to begin with. Nobody writes to its folders while an environment is open on them."""

    root: tuple[Path, ...]
    """Unpacked layers, uppermost first. A character device 0/0 hides what lies below it, as in overlayfs."""
    workdir: str = "/testbed"
    """Where commands start."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of every command, besides those that a box always sets."""
    digest: str = ""
    """Names the content; equal digests, equal files."""
    host: tuple[str, ...] = ()
    """Files and folders of this machine that are seen, read-only, at the same place: for an image without a system."""

    def __post_init__(self) -> None:
        if not self.workdir.startswith("/") or ".." in self.workdir.split("/"):
            raise UsageError(f"the working folder of an image must be an absolute path: {self.workdir!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentLimits:
    """Of one environment. What cannot be limited here is named in `Environment.gaps`."""

    memory_bytes: int = 2 << 30
    """Of all its processes together (of each, where there is no control group)."""
    processes: int = 256
    """Processes and threads at one time."""
    cpu_seconds: int = 600
    """Processor time of each process."""
    disk_bytes: int = 1 << 30
    """Of all that is written."""
    output_bytes: int = 1 << 20
    """Of a command's output that are kept: the first half and the last half of them."""
    seconds: float = 3600.0
    """Wall-clock seconds of the whole environment; later commands time out at once."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UsageError(f"a limit must be a positive number: {name} is {value}")


class Status(StrEnum):
    """How a command ended."""

    OK = "ok"
    """By itself, whatever its exit code."""
    TIMEOUT = "timeout"
    """Its time was over; it and what it had started were killed."""
    MEMORY = "memory"
    """The kernel killed a process of it since memory had run out."""
    KILLED = "killed"
    """A signal ended it."""
    BROKEN = "broken"
    """The environment itself failed: nothing is known of the command, and it is not to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a process left."""

    output: bytes
    """Standard output and error, in the order written: `EnvironmentLimits.output_bytes`, and a line on what was cut."""
    code: int
    """Exit code; 128 + the signal's number where one ended it; 127 if there is no such program."""
    status: Status
    seconds: float
    """Wall-clock seconds."""
    truncated: int = 0
    """Bytes of output that were dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellResult:
    """What a command left in the shell."""

    output: str
    """As in `ExecResult`; bytes that are not UTF-8 are replaced."""
    code: int
    status: Status
    seconds: float
    truncated: int = 0
    cwd: str = ""
    """Where the shell is now."""
    restarted: bool = False
    """The command ended the shell (`exit`, `exec`, `set -e`): the next runs in a new one, in the same folder, with the
    exported variables as they were when the last command came back."""


class PathError(SandboxError):
    """A path that is not there, is something else than what is asked for, or may not be changed: the asker's mistake."""


class PathKind(StrEnum):
    """What is at a path."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"


class Kind(StrEnum):
    """What became of a file."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A file or symbolic link that is not as it was in the image. Folders count only by what they hold."""

    path: str
    kind: Kind
    mode: int = field(default=0, compare=False)
    """Of what is there now, kind and rights as `stat` has them; 0 of what was removed."""
    size: int = field(default=0, compare=False)
    """Bytes."""
    digest: str = field(default="", compare=False)
    """SHA-256 of the content now, of a link: of its target; empty of what was removed. Times and owners do not count."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of really opening an environment and trying to leave it."""

    works: bool
    reason: str
    """Why it does not work and what would help; or how it works."""
    gaps: tuple[str, ...] = ()
    """What is promised and cannot be kept on this machine."""


class Snapshot(Protocol):
    """The files of an environment at one time; processes are not part of it. It is kept as long
    as somebody holds it, and no longer than the process that took it.
    """

    @property
    def id(self) -> str:
        """A name that is unique within this machine's boot."""


class Shell(Protocol):
    """One bash for a whole episode."""

    @property
    def cwd(self) -> str:
        """Where it is."""

    def run(self, command: str, *, seconds: float = 60) -> ShellResult:
        """Runs a command, of any number of lines, as if it were read from a file; standard input is empty.

        After a timeout the shell lives on with its folder and variables; only what it had started is killed.
        """


class Environment(Protocol):
    """A box with files of its own. Not for two threads at once; different environments may be.

    Paths are those of the box, absolute or relative to `workdir`. Neither `..` nor a symbolic link leads out of it: a
    link to `/etc` is the box's own `/etc`.
    """

    @property
    def workdir(self) -> str:
        """The image's working folder as commands see it."""

    @property
    def gaps(self) -> tuple[str, ...]:
        """What `EnvironmentLimits` and the walls promise and this environment cannot keep."""

    def exec(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        seconds: float = 60,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Runs a program to its end; what it leaves running is killed. `env` is added to the image's variables."""

    def shell(self) -> Shell:
        """The environment's shell, started at the first call."""

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The content of a regular file.

        Raises:
            PathError: there is none, or it has more than `limit` bytes (`EnvironmentLimits.disk_bytes`, if None).
            SandboxError: the environment broke.

        """

    def kind(self, path: str) -> PathKind | None:
        """What is at a path, at the end of links; None if nothing is.

        Raises:
            SandboxError: the environment broke.

        """

    def write(self, path: str, data: bytes) -> None:
        """Makes or replaces a file, and the folders that it needs. An existing file keeps its mode.

        Raises:
            PathError: it cannot be written, or the disk is full.
            SandboxError: the environment broke.

        """

    def remove(self, path: str) -> None:
        """Removes a file, a link, or a folder with all that it holds.

        Raises:
            PathError: there is nothing, or it cannot be removed.
            SandboxError: the environment broke.

        """

    def changes(self, under: str = "/") -> list[Change]:
        """What differs from the image, sorted by path; `/tmp`, `/var/tmp` and `/run` do not count.

        Raises:
            SandboxError: the environment broke.

        """

    def snapshot(self) -> Snapshot:
        """All files as they are now."""

    def restore(self, snapshot: Snapshot) -> None:
        """Brings all files back, and ends all processes: the next command has a new shell, in `workdir`."""

    def fork(self, snapshot: Snapshot | None = None) -> "Environment":
        """Another environment, with the files of the snapshot or of now, and the same limits."""

    def commit(self, folder: Path) -> Image:
        """Writes what differs from the image into a new folder, and gives the image with that layer on top.

        Raises:
            SandboxError: the folder is there already, or cannot be written.

        """

    def close(self) -> None:
        """Ends its processes and removes all that it wrote. A second call does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Backend(Protocol):
    """A way to build the walls."""

    @property
    def name(self) -> str:
        """As `open_environment` takes it."""

    def probe(self) -> Probe:
        """Opens an environment, works in it and tries to leave it."""

    def open(self, image: Image, limits: EnvironmentLimits, *, network: bool = False) -> Environment:
        """Opens an environment.

        Raises:
            SandboxError: it cannot be opened here; the message says what would help.

        """
