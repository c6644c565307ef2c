"""The files of a running container: read and written by its own programs, and compared with those of its image.

inside = ContainerFiles(engine, container, image, limits)
inside.read("a.py")
touched, there = inside.listed(since, known)
with inside.fetched(touched) as folder: ...        # copies of them, to be compared by `diff`
"""

import io
import os
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from foretrace.sandbox.environment import EnvironmentLimits, Image, PathError, PathKind
from foretrace.sandbox.environments import files, layers
from foretrace.sandbox.environments.engine import Engine
from foretrace.sandbox.environments.process import Output

_MISSING = 3
_TOO_LARGE = 4
_READ = f'[ -f "$1" ] || exit {_MISSING}; [ "$(stat -Lc %s -- "$1")" -le "$2" ] || exit {_TOO_LARGE}; exec cat -- "$1"'
_WRITE = f'[ ! -e "$1" ] || [ -f "$1" ] || exit {_MISSING}; mkdir -p -- "$(dirname -- "$1")" && cat > "$1"'
_REMOVE = f"""[ -e "$1" ] || [ -L "$1" ] || exit {_MISSING}
rm -rf -- "$1" 2> /dev/null || {{ chmod -R u+rwX -- "$1"; exec rm -rf -- "$1"; }}"""
_KIND = '[ -f "$1" ] && echo file || { [ -d "$1" ] && echo folder || { [ -e "$1" ] && echo other; }; }; true'
_FETCH = "exec tar --create --no-recursion --ignore-failed-read --null --files-from=- --directory=/ 2>/dev/null"
_LIST = "exec find / -xdev -mindepth 1 -printf '%y %C@ %P\\0' 2>/dev/null"
_ENGINES = {"etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab", ".dockerenv"}
"""Files that engines make."""
_FILE_SECONDS = 60.0


class ContainerFiles:
    """See above."""

    def __init__(self, engine: Engine, container: Callable[[], str], image: Image, limits: EnvironmentLimits) -> None:
        """`container` gives the name of one that runs, and starts it if need be."""
        self._engine, self._container, self._limits = engine, container, limits
        self.workdir = image.workdir
        self.image = [str(layer) for layer in image.root]
        """Folders of the image's layers."""

    def _script(self, script: str, path: str, data: bytes = b"", limit: int = 1 << 16) -> bytes:
        """Runs a script on a path; what it says.

        Raises:
            PathError: it failed.
            SandboxError: the container broke.

        """
        output = Output(2 * limit)
        argv = ["bash", "-c", script, "bash", files.absolute(path, self.workdir), str(limit)]
        code = self._engine.exec(self._container(), argv, output, _FILE_SECONDS, stdin=data)
        if code:
            told = {_MISSING: "there is no such regular file", _TOO_LARGE: f"it has more than {limit} bytes"}
            raise PathError(
                f"{path} in the environment: {told.get(code, output.text().decode(errors='replace').strip()[-300:])}"
            )
        return output.text()

    def read(self, path: str, limit: int | None = None) -> bytes:
        """See `environment.Environment`."""
        return self._script(_READ, path, limit=limit if limit is not None else self._limits.disk_bytes)

    def write(self, path: str, data: bytes) -> None:
        """See `environment.Environment`."""
        self._script(_WRITE, path, data)

    def remove(self, path: str) -> None:
        """See `environment.Environment`."""
        self._script(_REMOVE, path)

    def kind(self, path: str) -> PathKind | None:
        """See `environment.Environment`."""
        said = self._script(_KIND, path).decode().strip()
        return PathKind(said) if said else None

    def listed(self, began: float, known: Collection[str]) -> tuple[set[str], set[str]]:
        """Paths that may differ from the image, and all that are there. Those may differ whose inodes are newer than
        `began`, in seconds since the epoch, and those that are `known` to have differed by then.

        The engine's own list of changes will not do: Podman fails where a folder took a file's place.
        """
        output = Output(4 * self._limits.disk_bytes)
        self._engine.exec(self._container(), ["bash", "-c", _LIST], output, _FILE_SECONDS)
        touched, there, files_there = set(known), set(), set()
        for line in output.text().decode(errors="surrogateescape").split("\0")[:-1]:
            kind, changed, path = line.split(" ", 2)
            there.add(path)
            if kind == "d":
                continue
            files_there.add(path)
            if float(changed) >= began and path not in _ENGINES and not layers.is_scratch(path):
                touched.update((path, *layers.below(self.image, path)))
        gone = {path for path in layers.below(self.image) if path not in files_there and not layers.is_scratch(path)}
        return touched | gone, there

    @contextmanager
    def fetched(self, paths: set[str]) -> Iterator[str]:
        """A folder with these files of the container; those that are gone are not there."""
        output = Output(4 * self._limits.disk_bytes)
        names = b"".join(f"./{path}\0".encode(errors="surrogateescape") for path in sorted(paths))
        argv = ["bash", "-c", _FETCH]
        self._engine.exec(self._container(), argv, output, _FILE_SECONDS, stdin=names, folder="/")
        with TemporaryDirectory(prefix="foretrace-") as folder:
            with tarfile.open(fileobj=io.BytesIO(output.text())) as archive:
                archive.extractall(folder, filter=_tame)
            yield folder


def _tame(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Files, folders and links as they are, wherever links point: they are compared and never followed."""
    if not (member.isreg() or member.isdir() or member.issym()):
        return None
    name = member.name.removeprefix("./").strip("/")
    if ".." in name.split("/"):
        return None
    mode = member.mode & 0o7777 | (0o700 if member.isdir() else 0)
    return member.replace(name=name or ".", mode=mode, uid=os.getuid(), gid=os.getgid(), uname="", gname="", deep=False)
