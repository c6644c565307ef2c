"""A small image without a network: pytest as it is installed here, and the files of a repository."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

import pytest

from foretrace.repos.image import environment_of, system
from foretrace.repos.plan import TESTBED, VENV, InstallPlan
from foretrace.repos.testing import TestCommand, TestRun, run_tests
from foretrace.sandbox.environment import EnvironmentLimits, Image
from foretrace.sandbox.environments import backends, open_environment

BACKEND = "bubblewrap"
PROBE = backends()[BACKEND].probe()
needs_box = pytest.mark.skipif(not PROBE.works, reason=f"{BACKEND}: {PROBE.reason}")
_NEEDED = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@dataclass(frozen=True)
class SmallImage:
    """What `run_tests` and `open_environment` need."""

    image: Image
    command: TestCommand = field(default_factory=TestCommand)

    def run(self, tests: list[str] | None = None, **settings: float) -> TestRun:
        """The tests, in a fresh environment."""
        with open_environment(self.image, EnvironmentLimits(seconds=120), backend=BACKEND) as environment:
            return run_tests(environment, self, tests, **settings)


def venv_layer(layer: Path) -> None:
    """Writes a virtual environment with pytest."""
    venv = layer / VENV[1:]
    packages = venv / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    packages.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))
    (venv / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\ninclude-system-site-packages = false\n")
    for name in _NEEDED:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if ".." not in file.parts}:
            place = Path(str(found.locate_file(top)))
            if place.is_dir():
                shutil.copytree(place, packages / top, ignore=shutil.ignore_patterns("*.pyc"), dirs_exist_ok=True)
            elif place.suffix == ".py":
                shutil.copy(place, packages / top)


def image_of(files: Mapping[str, str], layer: Path, venv: Path, **command: object) -> SmallImage:
    """An image of a repository's files."""
    for name, text in files.items():
        path = layer / TESTBED[1:] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    image = Image(
        root=(layer, venv),
        workdir=TESTBED,
        env=environment_of(InstallPlan(python="3")),
        host=(*system(), *([] if sys.base_prefix.startswith("/usr") else [sys.base_prefix])),
    )
    return SmallImage(image, TestCommand(**command))
