"""Where namespaces are forbidden: the working folder is copied for each episode, and Landlock leaves nothing else to
write.

    with Landlock().open(image, EnvironmentLimits()) as environment:
        environment.workdir                         # a folder of this machine: there is no file system of one's own

Needs Linux 5.13. Weaker than `bubblewrap`, and says how in `gaps`. The image's other folders are read where they lie,
and variables that name a place in the image are rewritten; programs that have `/testbed` written in them do not find
it.
"""

import os
import secrets
import signal
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Change, EnvironmentLimits, Image, PathError, Probe, Snapshot
from foretrace.sandbox.environments import diff, files, layers, probing, reaper
from foretrace.sandbox.environments.base import LocalEnvironment
from foretrace.sandbox.environments.cgroups import Group
from foretrace.sandbox.environments.keeper import FIRST_USER, keeper_of_this_process
from foretrace.sandbox.environments.process import STATUS, Box, Process
from foretrace.sandbox.landlock import version
from foretrace.sandbox.server import remove_tree, tasks_of_user

_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_SCOPED = 6
_GAPS = (
    "no file system of its own: the working folder is elsewhere; only it and a folder for temporary files can be written",
    "programs are in this machine's process and network namespaces, have no sockets and see no /proc",
    "files are on this machine's disk: each is limited in size, and not all together",
)
_SIGNALS = "the kernel is too old to keep programs from signalling other processes of this user"


class Landlock:
    """See above."""

    name = "landlock"

    def probe(self) -> Probe:
        """See `environment.Backend`."""
        return probing.probe(self, "Linux 5.13 with Landlock among its security modules")

    def open(self, image: Image, limits: EnvironmentLimits, *, network: bool = False) -> "LandlockEnvironment":
        """See `environment.Backend`."""
        return LandlockEnvironment(image, limits, network=network)


class LandlockSnapshot:
    """A copy of an environment's files."""

    def __init__(self) -> None:
        self.id = reaper.new_name()
        self.folder = Path(tempfile.gettempdir(), self.id)
        weakref.finalize(self, remove_tree, str(self.folder))


class LandlockEnvironment(LocalEnvironment):
    """See above."""

    def __init__(
        self, image: Image, limits: EnvironmentLimits, *, network: bool, snapshot: LandlockSnapshot | None = None
    ) -> None:
        """Opens it.

        Raises:
            SandboxError: this machine cannot.

        """
        if version() < 1:
            raise SandboxError("the kernel has no Landlock")
        layers.check(image)
        super().__init__(keeper_of_this_process(has_mounts=False), image, limits, network=network)
        self._layers = [str(layer.resolve()) for layer in image.root]
        self._user = FIRST_USER + secrets.randbits(28) if os.geteuid() == 0 else 0
        self._folder = Path(tempfile.gettempdir(), self.name)
        self._files, self._command = self._folder / "files", self._folder / "shell"
        self._work, self._temporary = self._files / "work", self._files / "tmp"
        self._opened: list[int] = []
        self._enclose(limits.memory_bytes)
        self._end = weakref.finalize(self, _end, str(self._folder), self._boxes, self._opened, self._group)
        try:
            self._command.mkdir(parents=True)
            os.chmod(self._folder, 0o711)
            self._fill(snapshot)
        except SandboxError:
            self.close()
            raise

    def _fill(self, snapshot: LandlockSnapshot | None) -> None:
        if snapshot is not None:
            layers.unfold([str(snapshot.folder)], ".", self._files)
        else:
            inside = self.image.workdir.strip("/")
            layers.unfold(self._layers, inside, self._work)
            self._temporary.mkdir()
        if self._user:
            layers.give(str(self._files), self._user)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._opened[:] = [
            os.open(path, flags) for path in (*map(str, (self._work, self._temporary, self._command)), *self._layers)
        ]

    @property
    def workdir(self) -> str:
        """See `environment.Environment`."""
        return str(self._work)

    @property
    def gaps(self) -> tuple[str, ...]:
        """See `environment.Environment`."""
        own_user = bool(self._user)
        return (*super().gaps, *_GAPS, *(() if own_user or version() >= _SCOPED else (_SIGNALS,)))

    # ---- programs

    def _box(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], *, is_shell: bool) -> Box:
        readable = [*self.image.host, *self._layers, *_DEVICES, *([str(self._command)] if is_shell else [])]
        if self.network:
            readable += ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"]
        jail = {"status": STATUS, "user": self._user, "network": self.network, "readable": readable}
        jail["writable"] = [str(self._work), str(self._temporary), os.devnull]
        settings = {"user": self._user, "groups": self._entries(), "limits": self._limits(), "jail": jail, "cwd": cwd}
        return Box(argv=argv, env=env, settings=settings, ends_by=signal.SIGTERM)

    def _limits(self) -> dict[str, int]:
        limits = super()._limits() | {"RLIMIT_FSIZE": self.limits.disk_bytes}
        return limits | {"RLIMIT_NPROC": self.limits.processes + (0 if self._user else tasks_of_user())}

    def _sweep(self, process: Process) -> None:
        process.ask(signal.SIGUSR1, "swept")

    def _command_folder(self) -> tuple[int, str]:
        return self._opened[2], str(self._command)

    def _variables(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        found = super()._variables(extra) | {"HOME": str(self._temporary), "TMPDIR": str(self._temporary)}
        found |= {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        return {name: ":".join(map(self._seen, value.split(":"))) for name, value in found.items()}

    # ---- files

    def _seen(self, path: str) -> str:
        workdir = self.image.workdir
        if path == workdir or path.startswith(f"{workdir}/"):
            return f"{self._work}{path[len(workdir) :]}"
        place = layers.find(self._layers, path.strip("/")) if path.startswith("/") and path.strip("/") else None
        return place or path

    def _place(self, path: str, *, is_written: bool) -> tuple[int, str]:
        path = self._seen(path) if not path.startswith(f"{self._folder}/") else path
        for number, folder in enumerate((str(self._work), str(self._temporary), "/tmp")):
            if path == folder or path.startswith(f"{folder}/"):
                return self._opened[min(number, 1)], path[len(folder) :] or "/"
        if is_written:
            raise PathError(f"{path} cannot be written: with landlock, only {self.image.workdir} and /tmp can")
        for number, layer in enumerate(self._layers):
            if path.startswith(f"{layer}/"):
                return self._opened[3 + number], path[len(layer) :]
        raise PathError(f"cannot read {path} in the environment: No such file or directory")

    @property
    def _walled(self) -> str:
        """The working folder, as `layers.open_file` lets nothing lead out of it."""
        return f"/proc/self/fd/{self._opened[0]}"

    def _owner(self) -> int | None:
        return self._user or None

    def changes(self, under: str = "/") -> list[Change]:
        """See `environment.Environment`."""
        self._check()
        inside = self.image.workdir.strip("/")
        wanted = files.absolute(under, self.image.workdir).rstrip("/")
        return [
            change
            for change in diff.tree(self._walled, self._layers, inside, self._digests)
            if change.path == wanted or change.path.startswith(f"{wanted}/")
        ]

    def snapshot(self) -> LandlockSnapshot:
        """See `environment.Environment`."""
        self._check()
        snapshot = LandlockSnapshot()
        layers.unfold([str(self._files)], ".", snapshot.folder)
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """See `environment.Environment`."""
        self._check()
        own = _own(snapshot)
        self._end_shell()
        _close_files(self._opened)
        remove_tree(str(self._files))
        self._fill(own)

    def fork(self, snapshot: Snapshot | None = None) -> "LandlockEnvironment":
        """See `environment.Environment`."""
        own = _own(snapshot) if snapshot is not None else self.snapshot()
        return LandlockEnvironment(self.image, self.limits, network=self.network, snapshot=own)

    def commit(self, folder: Path) -> Image:
        """See `environment.Environment`."""
        inside = self.image.workdir.strip("/")

        def now(path: str) -> str | None:
            if path == inside or path.startswith(f"{inside}/"):
                rest = path[len(inside) + 1 :]
                return layers.find([self._walled], rest) if rest else str(self._work)
            return layers.find(self._layers, path)

        return layers.commit(layers.lineage(self.changes(), now), now, self.image, folder)

    def close(self) -> None:
        """See `environment.Environment`."""
        self._end_shell()
        self._is_open = False
        self._end()


def _own(snapshot: Snapshot) -> LandlockSnapshot:
    if not isinstance(snapshot, LandlockSnapshot):
        raise SandboxError("this snapshot is of another backend")
    return snapshot


def _end(folder: str, boxes: list[Process], opened: list[int], group: Group | None) -> None:
    """All that an environment leaves, whether it was closed or forgotten."""
    for process in boxes:
        process.close()
    _close_files(opened)
    remove_tree(folder)
    if group is not None:
        group.close()


def _close_files(opened: list[int]) -> None:
    while opened:
        os.close(opened.pop())
