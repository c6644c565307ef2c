"""One container as an environment; see `docker`."""

import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import (
    Change,
    EnvironmentLimits,
    ExecResult,
    Image,
    PathKind,
    Shell,
    Snapshot,
    Status,
)
from foretrace.sandbox.environments import diff, files, layers, reaper, shell
from foretrace.sandbox.environments.base import VARIABLES, result_of
from foretrace.sandbox.environments.container_files import ContainerFiles
from foretrace.sandbox.environments.engine import Engine
from foretrace.sandbox.environments.process import TIMEOUT_CODE, Output
from foretrace.sandbox.environments.streams import StreamLine

_GAPS = (
    "root of the container is root outside, without any capability, unless Docker or Podman are rootless",
    "what is written to the container's disk is not limited",
    "what a command of exec leaves running ends with the next timeout or the environment",
    "files are read and compared by the container's own find, tar and bash, which whoever works there may have replaced",
)
_CLOCK_SECONDS = 0.02
"""By which the time of an inode may lie before the clock."""
_KILLED = 137


class ContainerSnapshot:
    """A commit of a container, and which paths differed from the image by then."""

    def __init__(self, engine: Engine, container: str, touched: set[str]) -> None:
        self.id, self.engine, self.touched = reaper.new_name(), engine, touched
        self.reference = engine.commit(container, self.id)
        weakref.finalize(self, engine.remove_image, self.reference)


class ContainerEnvironment:
    """See above."""

    def __init__(
        self,
        engine: Engine,
        reference: str,
        image: Image,
        limits: EnvironmentLimits,
        *,
        network: bool,
        snapshot: ContainerSnapshot | None = None,
    ) -> None:
        """Starts it from the engine's image `reference`.

        Raises:
            SandboxError: it does not start.

        """
        self.name = reaper.new_name()
        self.image, self.limits, self.network = image, limits, network
        self._engine, self._reference, self._base = engine, reference, snapshot
        self._deadline = time.monotonic() + limits.seconds
        self._containers: list[str] = []
        self._line: StreamLine | None = None
        self._shell: shell.PersistentShell | None = None
        self._kills, self._is_open, self._began = 0, True, 0.0
        layers.check(image)
        self._files = ContainerFiles(engine, self._container, image, limits)
        self._end = weakref.finalize(self, engine.remove, self._containers)
        try:
            self._create()
        except SandboxError:
            self.close()
            raise

    def _create(self) -> None:
        self._began = time.time() - _CLOCK_SECONDS
        reference = self._base.reference if self._base is not None else self._reference
        variables = {**VARIABLES, **self.image.env}
        self._engine.create(self._containers, self.name, reference, self.image, self.limits, variables, network=self.network)
        self._line = None

    @property
    def workdir(self) -> str:
        """See `environment.Environment`."""
        return self.image.workdir

    @property
    def gaps(self) -> tuple[str, ...]:
        """See `environment.Environment`."""
        return _GAPS

    # ---- commands

    def _container(self) -> str:
        """The container, running: its first process is a shell, which a command may have ended."""
        if not self._is_open:
            raise SandboxError("this environment is closed")
        if self._line is None or not self._line.is_alive:
            if self._line is not None:
                self._line.close()
            self._line = self._engine.start(self._containers[0], self._ran_out)
        return self._containers[0]

    def _fresh_line(self) -> StreamLine:
        self._container()
        if self._line is None:
            raise SandboxError("the container did not start")
        return self._line

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
        how: dict[str, Any] = {"folder": files.absolute(cwd or "", self.workdir), "stdin": stdin, "env": env}
        try:
            try:
                code = self._engine.exec(self._container(), argv, output, seconds, **how)
            except SandboxError:
                if not self._is_open:
                    raise
                self._sweep()  # what was left running may have used up the processes
                code = self._engine.exec(self._container(), argv, output, seconds, **how)
            if code is None:
                self._sweep()
                return result_of(output, Status.TIMEOUT, TIMEOUT_CODE, started)
            is_out = code == _KILLED and self._ran_out()
        except SandboxError as error:
            output.add(str(error).encode())
            return result_of(output, Status.BROKEN, -1, started)
        return result_of(output, shell.status_of(code, is_out_of_memory=is_out), code, started)

    def _sweep(self) -> None:
        if self._line is not None:
            self._line.sweep()

    def shell(self) -> Shell:
        """See `environment.Environment`."""
        self._container()
        if self._shell is None:
            self._shell = shell.PersistentShell(self._fresh_line, self._remaining, self.workdir, self.limits.output_bytes)
        return self._shell

    def _ran_out(self) -> bool:
        """Whether memory ran out since the last time that this was asked."""
        before, self._kills = self._kills, self._engine.oom_kills(self._container())
        return self._kills > before

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    # ---- files

    def read(self, path: str, limit: int | None = None) -> bytes:
        """See `environment.Environment`."""
        return self._files.read(path, limit)

    def write(self, path: str, data: bytes) -> None:
        """See `environment.Environment`."""
        self._files.write(path, data)

    def remove(self, path: str) -> None:
        """See `environment.Environment`."""
        self._files.remove(path)

    def kind(self, path: str) -> PathKind | None:
        """See `environment.Environment`."""
        return self._files.kind(path)

    def _listed(self) -> tuple[set[str], set[str]]:
        """Paths that may differ from the image, and all that are there."""
        return self._files.listed(self._began, self._base.touched if self._base is not None else ())

    def changes(self, under: str = "/") -> list[Change]:
        """See `environment.Environment`."""
        touched, _ = self._listed()
        wanted = files.absolute(under, self.workdir).rstrip("/")
        with self._files.fetched(touched) as folder:
            found = diff.paths(touched, folder, self._files.image)
        return [change for change in found if change.path == wanted or change.path.startswith(f"{wanted}/")]

    def snapshot(self) -> ContainerSnapshot:
        """See `environment.Environment`."""
        return ContainerSnapshot(self._engine, self._container(), self._listed()[0])

    def restore(self, snapshot: Snapshot) -> None:
        """See `environment.Environment`."""
        self._base = self._own(snapshot)
        self._stop()
        self._engine.remove(self._containers)
        self._create()

    def fork(self, snapshot: Snapshot | None = None) -> "ContainerEnvironment":
        """See `environment.Environment`."""
        own = self._own(snapshot) if snapshot is not None else self.snapshot()
        return ContainerEnvironment(
            self._engine, self._reference, self.image, self.limits, network=self.network, snapshot=own
        )

    def _own(self, snapshot: Snapshot) -> ContainerSnapshot:
        if not isinstance(snapshot, ContainerSnapshot) or snapshot.engine is not self._engine:
            raise SandboxError("this snapshot is of another backend or another engine")
        return snapshot

    def commit(self, folder: Path) -> Image:
        """See `environment.Environment`."""
        (touched, there), image = self._listed(), self._files.image
        with self._files.fetched(touched) as fetched:
            changed = diff.paths(touched, fetched, image)

            def now(path: str) -> str | None:
                if path not in there:
                    return None
                return layers.find([fetched] if path in touched else [fetched, *image], path)

            return layers.commit(layers.lineage(changed, now), now, self.image, folder)

    # ---- its end

    def _stop(self) -> None:
        self._shell = None
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        """See `environment.Environment`."""
        self._stop()
        self._is_open = False
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
