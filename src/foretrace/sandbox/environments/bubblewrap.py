"""The default: an overlay of one's own on the image, in a `bwrap` box with its own processes, network, IPC and names.

    with Bubblewrap().open(image, EnvironmentLimits()) as environment:
        environment.exec(["true"])

Needs Linux 5.14, bubblewrap and, unless started by root, unprivileged user namespaces. Root in the box is nobody
outside: started by root, the image is shown with the owners of a user that nobody else is (idmapped mounts, Linux
5.19); started by anybody else, root is that user. No capabilities either way, no way to get any, and a filter of system
calls.
"""

import os
import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.sandbox import seccomp
from foretrace.sandbox.environment import Change, EnvironmentLimits, Image, Probe, Snapshot
from foretrace.sandbox.environments import diff, files, host, layers, mounts, probing, reaper
from foretrace.sandbox.environments.base import LocalEnvironment
from foretrace.sandbox.environments.cgroups import Group
from foretrace.sandbox.environments.keeper import Keeper, keeper_of_this_process
from foretrace.sandbox.environments.process import FILTER, STATUS, Box, Output, Process

_SHARED_MEMORY_BYTES = 64 << 20
_NOT_RUN, _NOT_FOUND, _CANNOT = b"bwrap: execvp ", 127, 126
_HOSTNAME, _SHELL = "testbed", "foretrace"
_ROOT_OUTSIDE = (
    "the image's file system cannot be mounted with other owners (idmapped mounts): root of the box is root outside, "
    "without any capability"
)
_NO_QUOTA = "files are written to a folder on disk: all that an environment writes together is not limited"


class Bubblewrap:
    """See above. `scratch`: a folder for what is written, where it does not fit into memory (snapshots still must)."""

    name = "bubblewrap"

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch

    def probe(self) -> Probe:
        """See `environment.Backend`."""
        return probing.probe(self, "apt install bubblewrap; a kernel that allows user namespaces, or root")

    def open(self, image: Image, limits: EnvironmentLimits, *, network: bool = False) -> "BubblewrapEnvironment":
        """See `environment.Backend`."""
        return BubblewrapEnvironment(image, limits, network=network, scratch=self._scratch)


class BubblewrapSnapshot:
    """A copy of what an environment has written, on those that it began from."""

    def __init__(self, keeper: Keeper, below: tuple["BubblewrapSnapshot", ...]) -> None:
        self.id = reaper.new_name()
        self.stack: tuple[BubblewrapSnapshot, ...] = (self, *below)
        """Itself and those below, uppermost first; they live as long as it."""
        self.keeper = keeper


class BubblewrapEnvironment(LocalEnvironment):
    """See above."""

    def __init__(
        self,
        image: Image,
        limits: EnvironmentLimits,
        *,
        network: bool,
        scratch: Path | None = None,
        snapshot: BubblewrapSnapshot | None = None,
    ) -> None:
        """Opens it.

        Raises:
            SandboxError: this machine cannot.

        """
        program, filter_ = shutil.which("bwrap"), seccomp.box_filter()
        if program is None:
            raise SandboxError("bwrap is not installed; on Debian and Ubuntu: apt install bubblewrap")
        if filter_ is None or not mounts.is_supported():
            raise SandboxError("no filter of system calls is known for this machine; use an x86-64 or arm64 Linux")
        layers.check(image)
        super().__init__(keeper_of_this_process(has_mounts=True), image, limits, network=network)
        self._program, self._filter, self._scratch = program, filter_, scratch
        self._base: tuple[BubblewrapSnapshot, ...] = snapshot.stack if snapshot else ()
        self._enclose(limits.memory_bytes + (0 if scratch else limits.disk_bytes))  # where files are memory, they count
        self._opened: list[int] = []
        self._end = weakref.finalize(self, _end, self._keeper, self.name, self._boxes, self._opened, self._group, scratch)
        try:
            self._mount()
        except SandboxError:
            self.close()
            raise

    def _mount(self) -> None:
        """Makes the file system: what the box sees as its root, what it changes, and where the shell's command is put."""
        if self._scratch is not None:
            (self._scratch / self.name).mkdir(parents=True)
        answer, opened = self._keeper.ask(
            "open",
            name=self.name,
            size=self.limits.disk_bytes,
            scratch=str(self._scratch / self.name) if self._scratch else None,
            snapshots=[snapshot.id for snapshot in self._base],
            layers=[str(layer.resolve()) for layer in self.image.root],
            host=list(self.image.host),
            texts=host.texts(network=self.network),
            groups=self._entries(),
        )
        self._root, self._shell_folder, self._user = answer["root"], answer["shell"], answer["user"]
        self._opened[:] = opened  # root, upper, shell, snapshots, attendant

    def _unmount(self) -> None:
        self._end_shell()
        _close_files(self._opened)
        self._keeper.ask("close", name=self.name)
        if self._scratch is not None:
            shutil.rmtree(self._scratch / self.name, ignore_errors=True)

    @property
    def gaps(self) -> tuple[str, ...]:
        """See `environment.Environment`."""
        root = (_ROOT_OUTSIDE,) if os.geteuid() == 0 and not self._user else ()
        return (*super().gaps, *root, *((_NO_QUOTA,) if self._scratch else ()))

    # ---- programs

    def _box(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], *, is_shell: bool) -> Box:
        command = [self._program, "--bind", self._root, "/", "--dev", "/dev"]
        if is_shell:
            command += ["--ro-bind", self._shell_folder, f"/dev/{_SHELL}", "--as-pid-1"]
        command += ["--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--proc", "/proc"]
        if not self._user:
            command += ["--ro-bind", "/proc/sys", "/proc/sys"]  # whose files ask for the user alone and for no capability
        command += [
            "--unshare-all",
            *(["--share-net"] if self.network else []),
            "--unshare-user",
            "--uid",
            "0",
            "--gid",
            "0",
        ]
        command += ["--hostname", _HOSTNAME, "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        for name, value in env.items():  # not `bwrap`'s own: LD_PRELOAD of a repository's workflow would take hold outside
            command += ["--setenv", name, value]
        command += ["--seccomp", str(FILTER), "--json-status-fd", str(STATUS), "--chdir", cwd, "--", *argv]
        settings = {"user": self._user, "groups": [], "limits": self._limits()}
        attendant = self._opened[-1] if self._group is not None else -1
        return Box(argv=command, env={}, settings=settings, filter=self._filter, attendant=attendant)

    def _failure(self, output: Output, argv: Sequence[str]) -> int:
        said = output.text()
        if not said.startswith(_NOT_RUN):
            return -1
        return _NOT_FOUND if b"No such file" in said else _CANNOT

    def _sweep(self, process: Process) -> None:
        if process.inner is not None:
            self._keeper.ask("sweep", process=process.inner)

    def _command_folder(self) -> tuple[int, str]:
        return self._opened[2], f"/dev/{_SHELL}"

    # ---- files

    def _place(self, path: str, *, is_written: bool) -> tuple[int, str]:
        return self._opened[0], path

    def _owner(self) -> int | None:
        return self._user or None

    def _descriptor(self, number: int) -> str:
        return f"/proc/self/fd/{self._opened[number]}"

    def _written(self) -> list[str]:
        """Layers that are not the image's, uppermost first."""
        return [self._descriptor(number) for number in (1, *range(3, 3 + len(self._base)))]

    def changes(self, under: str = "/") -> list[Change]:
        """See `environment.Environment`."""
        self._check()
        image = [str(layer) for layer in self.image.root]
        inside = files.absolute(under, self.workdir).strip("/")
        return diff.overlay(self._written(), image, inside, self._digests)

    def snapshot(self) -> BubblewrapSnapshot:
        """See `environment.Environment`."""
        self._check()
        snapshot = BubblewrapSnapshot(self._keeper, self._base)
        self._keeper.ask("copy", name=self.name, snapshot=snapshot.id)
        weakref.finalize(snapshot, _forget, self._keeper, snapshot.id)
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """See `environment.Environment`."""
        self._check()
        self._base = self._own(snapshot).stack
        self._unmount()
        self._mount()

    def fork(self, snapshot: Snapshot | None = None) -> "BubblewrapEnvironment":
        """See `environment.Environment`."""
        own = self._own(snapshot) if snapshot is not None else self.snapshot()
        return BubblewrapEnvironment(self.image, self.limits, network=self.network, scratch=self._scratch, snapshot=own)

    def _own(self, snapshot: Snapshot) -> BubblewrapSnapshot:
        if not isinstance(snapshot, BubblewrapSnapshot) or snapshot.keeper is not self._keeper:
            raise SandboxError("this snapshot is of another backend or another process")
        return snapshot

    def commit(self, folder: Path) -> Image:
        """See `environment.Environment`."""
        self._check()
        written = self._written()
        now = [*written, *(str(layer) for layer in self.image.root)]
        return layers.commit(layers.entries(written), lambda path: layers.find(now, path), self.image, folder)

    def close(self) -> None:
        """See `environment.Environment`."""
        self._end_shell()
        self._is_open = False
        self._end()


def _end(
    keeper: Keeper, name: str, boxes: list[Process], opened: list[int], group: Group | None, scratch: Path | None
) -> None:
    """All that an environment leaves, whether it was closed or forgotten."""
    for process in boxes:
        process.close()
    _close_files(opened)
    if keeper.is_alive:
        keeper.ask("close", name=name)
    if group is not None:
        group.close()
    if scratch is not None:
        shutil.rmtree(scratch / name, ignore_errors=True)


def _close_files(opened: list[int]) -> None:
    while opened:
        os.close(opened.pop())


def _forget(keeper: Keeper, name: str) -> None:
    if keeper.is_alive:
        keeper.ask("forget", name=name)
