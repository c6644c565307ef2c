"""Wheels that a build needs, fetched before it: what runs a project's own code then needs no network.

    wheels = Wheelhouse(cache / "wheels")
    answer = wheels.fetch(["pytest"], interpreter, layer / "wheels")      # links, in a folder of its own
    answer.is_complete, answer.log

Fetching runs nothing that it fetches: `pip download --only-binary`. What was asked for once, for one Python, is not asked
for again; so a build can be repeated with no network at all. What has no wheel makes the answer incomplete: then the build
itself must reach the index.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foretrace.errors import UsageError
from foretrace.repos.interpreters import Interpreter

TOOLS = ("pip", "setuptools", "wheel", "editables")
"""What building may ask for on top of what a project declares."""
_SECONDS = 600
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[\w\s,.-]*\])?\s*(\(?[<>=!~][^;@/]*\)?)?\s*(;.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of fetching."""

    is_complete: bool
    log: str = ""


class Wheelhouse:
    """A folder of wheels, and of what was asked for; several processes may use it at once."""

    def __init__(self, folder: Path, *, online: bool = True) -> None:
        """Not `online`: only what is here already can be had."""
        self._folder, self._online = folder, online

    def fetch(self, requirements: Sequence[str], interpreter: Interpreter, into: Path) -> Fetched:
        """Links the wheels of requirements, and of what they need in turn, into a folder."""
        plain = sorted({text.strip() for text in requirements if _PLAIN.fullmatch(text.strip())})
        into.mkdir(parents=True, exist_ok=True)
        if not plain:
            return Fetched(True)
        key = hashlib.sha256(json.dumps([interpreter.version, interpreter.machine, plain]).encode()).hexdigest()[:32]
        known = self._folder / "sets" / f"{key}.json"
        names = json.loads(known.read_text()) if known.is_file() else []
        if not names or not all((self._folder / name).is_file() for name in names):
            names, log = self._download(plain, interpreter)
            if not names:
                return Fetched(False, log)
            _write(known, json.dumps(names))
        for name in names:
            if not (into / name).exists():
                os.link(self._folder / name, into / name)
        return Fetched(True)

    def tools(self, interpreter: Interpreter, uv: Path | None, place: str) -> Path:
        """A layer with uv, if one is given, and else pip, at a place of a box; `fetch` must have had `TOOLS`.

        An image itself has neither: pip carries copies of packages that an agent may be asked to repair.
        """
        if uv:
            version = hashlib.sha256(f"{uv} {uv.stat().st_mtime_ns}".encode()).hexdigest()[:12]
            return self._layer(f"uv-{version}", lambda layer: _copy_uv(uv, layer / place.lstrip("/")))
        wheel = max(self._folder.glob("pip-*.whl"), key=lambda path: path.stat().st_mtime)
        name = f"{wheel.stem}-{interpreter.name}"
        return self._layer(name, lambda layer: _unpack_pip(wheel, layer / place.lstrip("/"), interpreter))

    def _layer(self, name: str, make: Callable[[Path], None]) -> Path:
        """A folder of that name, made once."""
        layer = self._folder / "tools" / name
        if not layer.is_dir():
            unfinished = layer.with_name(f".{name}.{os.getpid()}")
            make(unfinished)
            try:
                unfinished.rename(layer)
            except OSError:  # another process was faster
                shutil.rmtree(unfinished)
        return layer

    def _download(self, requirements: list[str], interpreter: Interpreter) -> tuple[list[str], str]:
        """Names of the wheels, which the folder has then; none if they cannot be had, and what pip said."""
        if not self._online:
            return [], f"not fetched before, and this is offline: {', '.join(requirements)}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".download") as place:
            command = [*_pip(interpreter), "download", "--quiet", "--no-input", "--disable-pip-version-check"]
            command += ["--only-binary=:all:", "--find-links", str(self._folder), "--dest", place, "--", *requirements]
            try:
                answer = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, cwd=place, check=False)
            except subprocess.TimeoutExpired:
                return [], f"pip download took more than {_SECONDS} seconds"
            wheels = sorted(path.name for path in Path(place).glob("*.whl"))
            if answer.returncode or not wheels:
                return [], (answer.stderr or answer.stdout).strip()[-2000:]
            for name in wheels:
                (Path(place) / name).replace(self._folder / name)
        return wheels, ""


def find_installer(name: str) -> Path | None:
    """The program `uv`, beside our Python or on the path; None for pip.

    Args:
        name: `uv`, `pip`, or nothing: uv if it is there.

    Raises:
        UsageError: it is something else, or uv is not there.

    """
    if name not in ("", "uv", "pip"):
        raise UsageError(f"no installer called {name!r}; there are: uv, pip")
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if name == "uv" and not found:
        raise UsageError("uv is not installed: pip install uv")
    return Path(found) if found and name != "pip" else None


def _copy_uv(program: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(program, folder / "uv")


def _unpack_pip(wheel: Path, folder: Path, interpreter: Interpreter) -> None:
    """Pip as a folder that the interpreter can run, compiled."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("pip/")])
    compiling = ["-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run([interpreter.path, *compiling], check=False, capture_output=True)


def _pip(interpreter: Interpreter) -> list[str]:
    """A pip that knows what that Python can use: its own, or ours if it is of the same version."""
    ours = ".".join(map(str, sys.version_info[:2]))
    return [sys.executable if interpreter.minor == ours else str(interpreter.path), "-m", "pip"]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)
