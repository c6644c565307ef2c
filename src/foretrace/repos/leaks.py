"""Copies of a repository's own code beside it: an agent that is to repair a function must not find it whole elsewhere.

    names = modules(testbed, "toolz")                 # ['tlz', 'toolz']
    copies(layer, names)                              # ['opt/venv/lib/python3.11/site-packages/toolz/functoolz.py']
    without(["/usr"], on_host(names))                 # all of /usr but the copy that the distribution has

In an image, files equal to one of the repository's and modules that are called like one of its own (a vendored copy, mostly
of another version) are reason enough to refuse it. What the host has of the kind is left out of what the image sees.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from foretrace.repos.plan import TESTBED, VENV

_LEAST_BYTES = 200
"""Of a file that tells something; an empty `__init__.py` is everywhere."""
_NOT_PACKAGES = {
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "example",
    "benchmarks",
    "scripts",
    "tools",
    "src",
    "lib",
}
_PACKAGES = ("usr/lib/python3*/*-packages", "usr/local/lib/python3*/*-packages")
_HOST = (*_PACKAGES, *(f"{pattern}/*/_vendor" for pattern in _PACKAGES))
"""Where a host's own Pythons have packages; the interpreter of an image comes without any."""
_WHEELS = "/usr/share/python-wheels"
"""Pip's own, with all that it carries."""


def modules(testbed: Path, name: str) -> list[str]:
    """Names by which the code of a repository, whose project is called `name`, is imported."""
    folders = (testbed, testbed / "src", testbed / "lib")
    found = {path.parent.name for folder in folders for path in folder.glob("*/__init__.py")}
    single = name.replace("-", "_").lower()
    found |= {path.stem for folder in folders for path in folder.glob("*.py") if path.stem.lower() == single}
    return sorted(found - _NOT_PACKAGES)


def copies(layer: Path, names: Sequence[str]) -> list[str]:
    """Files and folders of a layer that are copies of the repository's code, whose modules have these names."""
    testbed, installed = layer / TESTBED[1:], layer / VENV[1:]
    own = {_hash(path) for path in _files(testbed) if path.suffix == ".py" and path.stat().st_size >= _LEAST_BYTES}
    found = []
    for path in _files(installed):
        is_large = path.suffix == ".py" and path.stat().st_size >= _LEAST_BYTES
        if is_large and (path.stem in names or _hash(path) in own):
            found.append(path)
    for folder, subfolders, _ in os.walk(installed):
        found += [Path(folder, name) for name in subfolders if name in names and any(Path(folder, name).glob("*.py"))]
    return sorted({path.relative_to(layer).as_posix() for path in found})


def on_host(names: Sequence[str]) -> list[str]:
    """Places where this machine's system has modules of these names."""
    folders = [folder for pattern in _HOST for folder in Path("/").glob(pattern)]
    places = [folder / text for folder in folders for name in names for text in (name, f"{name}.py")]
    found = [str(place) for place in places if place.exists()]
    return [*found, _WHEELS] if found else []


def without(paths: Iterable[str], hidden: Sequence[str]) -> list[str]:
    """Paths of which some places below are left out: folders on the way to them are replaced by what else they hold."""
    found = []
    for path in paths:
        if path in hidden:
            continue
        if any(place.startswith(f"{path}/") for place in hidden) and not os.path.islink(path):
            found += without(sorted(entry.path for entry in os.scandir(path)), hidden)
        else:
            found.append(path)
    return found


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _hash(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
