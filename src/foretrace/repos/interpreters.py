"""Pythons of this machine, which one a project wants, and a copy of it as a layer of images.

    pythons = find_interpreters()
    choose(pythons, requires=">=3.9", tested=["3.11", "3.12"])          # Interpreter(version='3.11.7', …)

A layer leaves out what is installed for that Python and the wheels that it bundles: an image must not hold another copy of
the package that an agent is to repair. A Python below `/usr` comes with the host's system, and needs no layer.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from foretrace.errors import UsageError

_PROGRAM = (
    "import json, platform, sys, sysconfig; print(json.dumps([sys.version.split()[0], sys.base_prefix, platform.machine(), "
    "sysconfig.get_path('stdlib'), sys.implementation.name]))"
)
_FOLDERS = ("~/.pyenv/versions/*/bin", "~/.local/share/uv/python/*/bin", "/usr/local/bin", "/usr/bin", "/opt/*/bin")
_LEFT_OUT = {"site-packages", "dist-packages", "idlelib", "turtledemo", "_bundled", "lib2to3", "pydoc_data"}
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|~=|>|<|===)\s*([\d.]+)(\.\*)?[\w.]*\s*")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine."""

    path: Path
    """Of the program itself, no link, no virtual environment."""
    version: str
    """`3.11.7`."""
    prefix: Path
    machine: str
    library: Path
    """Folder of the standard library."""

    @property
    def minor(self) -> str:
        """`3.11`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def is_of_system(self) -> bool:
        """Whether it lies where images without a system of their own see the host's."""
        return Path("/usr") in self.prefix.parents or self.prefix == Path("/usr")

    @property
    def name(self) -> str:
        """For a folder: equal names, equal contents."""
        return f"cpython-{self.version}-{self.machine}-{hashlib.sha256(bytes(self.prefix)).hexdigest()[:8]}"


@cache
def find_interpreters() -> tuple[Interpreter, ...]:
    """One CPython for each minor version from 3.8 on, newest patch first; our own before others of its version."""
    found: dict[str, Interpreter] = {}
    candidates = [_ask(path) for path in dict.fromkeys(_programs())]
    real = [each for each in candidates if each is not None]
    own = _ask(Path(sys.executable))
    for interpreter in ([own] if own else []) + sorted(real, key=lambda each: _numbers(each.version), reverse=True):
        if _numbers(interpreter.version) >= (3, 8):
            found.setdefault(interpreter.minor, interpreter)
    return tuple(found[minor] for minor in sorted(found, key=_numbers))


def _programs() -> Iterator[Path]:
    for pattern in _FOLDERS:
        expanded = Path(pattern).expanduser()
        parts = expanded.parts[1:]
        for folder in sorted(Path("/").glob("/".join(parts))):
            for path in sorted(folder.glob("python3.*")):
                if re.fullmatch(r"python3\.\d+", path.name) and os.access(path, os.X_OK):
                    yield path.resolve()


def _ask(program: Path) -> Interpreter | None:
    """What a program says of itself; None if it is no CPython, or does not start."""
    try:
        answer = subprocess.run([program, "-I", "-c", _PROGRAM], capture_output=True, timeout=20, check=True)
        version, prefix, machine, library, kind = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    path = Path(prefix) / "bin" / f"python{'.'.join(version.split('.')[:2])}"
    is_plain = kind == "cpython" and re.fullmatch(r"3\.\d+\.\d+", version) and path.exists()
    return Interpreter(path, version, Path(prefix), machine, Path(library)) if is_plain else None


def choose(pythons: Sequence[Interpreter], *, requires: str, tested: Sequence[str] = ()) -> Interpreter:
    """The one to take: our own version if the project can have it and does not say that it is tested with others only.

    Args:
        pythons: what there is.
        requires: as `Requires-Python` has it.
        tested: versions that the project names, as `3.11`.

    Raises:
        UsageError: none will do.

    """
    allowed = [each for each in pythons if satisfies(each.version, requires)]
    if not allowed:
        there = ", ".join(each.version for each in pythons)
        raise UsageError(f"the project needs Python {requires}; here are {there or 'none'}")
    ours = ".".join(map(str, sys.version_info[:2]))
    liked = [each for each in allowed if each.minor in tested] or allowed
    return next((each for each in liked if each.minor == ours), liked[-1])


def satisfies(version: str, requires: str) -> bool:
    """Whether a version fits a specifier of PEP 440, as far as those of Pythons go."""
    have = _numbers(version)
    for clause in filter(None, map(str.strip, requires.split(","))):
        match = _CLAUSE.fullmatch(clause)
        if match and not _fits(have, match[1], _numbers(match[2]), bool(match[3])):
            return False
    return True


def _fits(have: tuple[int, ...], sign: str, wanted: tuple[int, ...], is_prefix: bool) -> bool:
    start = have[: len(wanted)]
    padded = wanted + (0,) * (len(have) - len(wanted))
    if sign == "~=":
        return have >= padded and have[: len(wanted) - 1] == wanted[:-1]
    if sign in ("==", "===", "!="):
        is_equal = start == wanted if is_prefix else have == padded
        return is_equal is (sign != "!=")
    return {">=": have >= padded, "<=": have <= padded, ">": have > padded, "<": have < padded}[sign]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def interpreter_layer(interpreter: Interpreter, folder: Path) -> Path | None:
    """A copy of a Python as a layer in a folder of them, made once; None if the system has it."""
    if interpreter.is_of_system:
        return None
    layer = folder / interpreter.name
    if not layer.is_dir():
        unfinished = layer.with_name(f".{layer.name}.{os.getpid()}")
        _copy(interpreter, unfinished / str(interpreter.prefix).lstrip("/"))
        try:
            unfinished.rename(layer)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return layer


def _copy(interpreter: Interpreter, prefix: Path) -> None:
    """The program, its shared library and the standard library."""
    binaries = prefix / "bin"
    binaries.mkdir(parents=True)
    shutil.copy2(interpreter.path, binaries / interpreter.path.name)
    for name in ("python3", "python"):
        (binaries / name).symlink_to(interpreter.path.name)
    library = interpreter.library.relative_to(interpreter.prefix)
    shutil.copytree(interpreter.library, prefix / library, symlinks=True, ignore=partial(_unwanted, interpreter.library))
    (prefix / library / "site-packages").mkdir(exist_ok=True)
    for path in (interpreter.prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(path, prefix / "lib" / path.name, follow_symlinks=False)


def _unwanted(library: Path, folder: str, names: list[str]) -> list[str]:
    """What a layer does without."""
    is_tests = Path(folder) == library / "test"
    return [name for name in names if _is_left_out(name) or (is_tests and name not in ("__init__.py", "support"))]


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.startswith("config-") or name.endswith((".a", ".opt-1.pyc", ".opt-2.pyc"))
