"""Docker or Podman, asked through the `docker` SDK: only what `container` needs, with our errors.

engine = Engine.connect()
reference = engine.load(image)
"""

import functools
import hashlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import EnvironmentLimits, Image
from foretrace.sandbox.environments import host, layers, oci, podman, reaper, shell, streams
from foretrace.sandbox.environments.process import Output
from foretrace.sandbox.environments.streams import Frames, Marked, StreamLine

LABEL = "org.foretrace.owner"
"""Of containers: the name that tells whose they are."""
_IMAGES, _SNAPSHOTS = "foretrace/image", "foretrace/snapshot"
_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
_CALL_SECONDS, _SLICE_SECONDS = 300, 1.0
_SHARED_MEMORY_BYTES = 64 << 20
_EXEC = """mark=$1 n=$2; shift 2; printf . >&2
if [ "$n" = 0 ]; then "$@" < /dev/null; else head -c "$n" | "$@"; fi 2>&1
code=$?; printf '%d;' $code >&2; printf '\\0%s\\0' "$mark"; exec 2> /dev/null
while IFS= read -r -t 10 line; do [ "$line" = "$mark" ] && break; done; exit $code"""
"""Runs a command and makes one stream of its two. On the other it says that it is there and, at the end, the exit code;
then it waits to be heard, since an engine may hang up before it has passed on the last words."""
_BASH = ("bash", "--noprofile", "--norc", "-c")
_OOM = "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null | grep '^oom_kill '"


def reference_of(image: Image) -> str:
    """What an image is called in an engine."""
    digest = image.digest or "".join(layers.digest_of(layer) for layer in image.root)
    return f"{_IMAGES}:{hashlib.sha256(f'{digest} {image.host}'.encode()).hexdigest()[:32]}"


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turns what the SDK raises into `SandboxError`."""
    import docker

    try:
        yield
    except (docker.errors.DockerException, OSError) as error:  # what `requests` raises is of the latter
        raise SandboxError(f"{what}: {error}") from error


class Engine:
    """See above."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def connect(cls) -> "Engine":
        """Whatever there is: `DOCKER_HOST`, a socket of the system's, a Podman of our own.

        Raises:
            SandboxError: there is nothing, or it does not answer.

        """
        return _connect(os.getpid(), os.environ.get("DOCKER_HOST", ""))

    # ---- images

    def load(self, image: Image) -> str:
        """The engine's name of an image, which is given to it if it does not have it."""
        import docker

        reference = reference_of(image)
        with _told("cannot give the image to the container engine"), tempfile.TemporaryDirectory() as folder:
            try:
                self._client.images.get(reference)
            except docker.errors.ImageNotFound:
                base = Path(folder, "base")
                host.lay(base, image.host, host.texts(network=False))
                oci.pack(image, Path(folder, "image.tar"), base=[base], name=reference)
                with Path(folder, "image.tar").open("rb") as archive:
                    self._client.images.load(archive)
        return reference

    def commit(self, container: str, name: str) -> str:
        """Makes an image of a container as it is."""
        with _told("cannot take a snapshot of the container"):
            self._client.api.commit(container, _SNAPSHOTS, name)
        return f"{_SNAPSHOTS}:{name}"

    def remove_image(self, reference: str) -> None:
        """Removes an image, as far as nothing uses it."""
        with suppress(SandboxError), _told("the engine has gone, or keeps it"):
            self._client.images.remove(reference)  # without force, which would remove containers too

    # ---- containers

    def create(
        self,
        containers: list[str],
        name: str,
        reference: str,
        image: Image,
        limits: EnvironmentLimits,
        env: Mapping[str, str],
        *,
        network: bool,
    ) -> None:
        """Makes a container, whose first process will be a shell, and adds it to `containers`."""
        import docker

        program = f"{streams.STREAMS}\n{shell.loop(streams.COMMAND, streams.FETCH, streams.MARK)}"
        ulimits = podman.ulimits() | {"core": 0, "cpu": int(limits.cpu_seconds)}
        with _told("cannot make a container"):
            settings = self._client.api.create_host_config(
                binds=[f"{path}:{path}:ro" for path in image.host if not os.path.islink(path)],
                network_mode="bridge" if network else "none",
                mem_limit=limits.memory_bytes,
                memswap_limit=limits.memory_bytes,
                pids_limit=limits.processes,
                shm_size=_SHARED_MEMORY_BYTES,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                ulimits=[docker.types.Ulimit(name=name, soft=value, hard=value) for name, value in ulimits.items()],
                log_config=docker.types.LogConfig(type="none"),
            )
            made = self._client.api.create_container(
                reference,
                [*_BASH, program],
                entrypoint=[],
                user="0:0",
                stdin_open=True,
                environment=dict(env),
                working_dir=image.workdir,
                name=name if not containers else f"{name}-{len(containers)}",
                labels={LABEL: name},
                host_config=settings,
            )
        containers.insert(0, made["Id"])

    def start(self, container: str, ran_out: Callable[[], bool]) -> StreamLine:
        """Starts a container; its shell's connection."""
        with _told("cannot start the container"):
            wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            frames = Frames(self._client.api.attach_socket(container, params=wanted))
            self._client.api.start(container)
        return StreamLine(
            frames,
            interrupt=lambda: self.interrupt(container),
            sweep=lambda: self.sweep(container),
            stop=lambda: self.stop(container),
            ran_out=ran_out,
        )

    def stop(self, container: str) -> int:
        """Ends a container's processes; the exit code of the first."""
        import docker

        try:
            self._client.api.kill(container, "KILL")
        except docker.errors.APIError:  # it has ended
            pass
        with _told("cannot stop the container"):
            return int(self._client.api.wait(container, timeout=_CALL_SECONDS)["StatusCode"])

    def interrupt(self, container: str) -> None:
        """Has the shell return."""
        with _told("cannot signal the container"):
            self._client.api.kill(container, "USR1")

    def sweep(self, container: str) -> bool:
        """Kills all but the shell, and says so; where no more processes can be had to do it, the shell too."""
        with suppress(SandboxError), _told("cannot begin a command"):
            made = self._client.api.exec_create(container, ["bash", "-c", "kill -9 -1 || true"])  # by bash itself: no fork
            self._client.api.exec_start(made["Id"])
            if self._client.api.exec_inspect(made["Id"])["ExitCode"] == 0:
                return True
        self.stop(container)
        return False

    def remove(self, containers: list[str]) -> None:
        """Removes containers."""
        while containers:
            with suppress(SandboxError), _told("the engine has gone, and they with it, or `reap` will find them"):
                self._client.api.remove_container(containers.pop(), force=True, v=True)

    def oom_kills(self, container: str) -> int:
        """How often memory ran out."""
        output = Output(1 << 10)
        self.exec(container, ["bash", "-c", _OOM], output, _CALL_SECONDS)
        return sum(int(line.split()[1]) for line in output.text().decode().splitlines())

    def exec(
        self,
        container: str,
        argv: Sequence[str],
        output: Output,
        seconds: float,
        *,
        folder: str = "/",
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> int | None:
        """Runs a program in a running container; its exit code, None when time was over. What it started may live on."""
        mark = secrets.token_hex(16)
        command = ["bash", "-c", _EXEC, "bash", mark, str(len(stdin)), *argv]
        with _told("cannot run a command in the container"):
            made = self._client.api.exec_create(container, command, stdin=True, workdir=folder, environment=dict(env or {}))
            frames = Frames(self._client.api.exec_start(made["Id"], socket=True))
            try:
                return self._follow(made["Id"], frames, mark, output, time.monotonic() + seconds, stdin)
            finally:
                frames.close()

    def _follow(self, command: str, frames: Frames, mark: str, output: Output, end: float, stdin: bytes) -> int | None:
        marked, said = Marked(mark), b""
        while not (frames.is_over or (marked.is_over and b";" in said)):
            if (left := end - time.monotonic()) <= 0:
                output.add(marked.rest())
                return None
            for stream, data in frames.receive(left):
                if stream == streams.OUTPUT:
                    marked.hear(output, data)
                else:
                    if not said:
                        frames.send(stdin, left)
                    said += data
        output.add(marked.rest())
        if told := re.fullmatch(rb"\.(\d+);", said):
            with suppress(OSError):  # it may not have waited
                frames.send(b"\n%s\n" % mark.encode(), _SLICE_SECONDS)
            return int(told[1])
        state = self._client.api.exec_inspect(command)
        if said != b"." or state["Running"]:  # bash was not there, or had words of its own: it could not fork
            raise SandboxError(f"the container could not run a command: {said[1:200].decode(errors='replace').strip()}")
        return int(state["ExitCode"])  # something killed what was to tell it

    def reap(self) -> list[str]:
        """Removes containers and snapshots of processes that have ended."""
        gone = []
        with _told("cannot list containers"):
            for found in self._client.api.containers(all=True, filters={"label": LABEL}):
                if reaper.is_orphan(found["Labels"][LABEL]):
                    self.remove([found["Id"]])
                    gone.append(found["Labels"][LABEL])
            for image in self._client.api.images(_SNAPSHOTS):
                for reference in image["RepoTags"] or ():
                    if reaper.is_orphan(reference.rpartition(":")[2]):
                        self.remove_image(reference)
                        gone.append(reference)
        return gone


@functools.cache
def _connect(process: int, address: str) -> Engine:
    """One for each process: connections are not shared with forks."""
    try:
        import docker
    except ImportError as error:
        raise SandboxError("the Docker SDK is not installed: pip install 'foretrace[docker]'") from error
    found = [f"unix://{path}" for path in _SOCKETS if os.access(path, os.W_OK)]
    with _told("no container engine answers"):
        url = address or (found[0] if found else podman.service())
        engine = Engine(docker.DockerClient(base_url=url, timeout=_CALL_SECONDS))
        engine._client.ping()
    engine.reap()
    return engine
