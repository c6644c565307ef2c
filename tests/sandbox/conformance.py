"""What all tests of environments start from: an image, and each backend that really works here."""

import functools
import os
from collections.abc import Iterator

import pytest

from foretrace.sandbox.environment import Backend, Environment, EnvironmentLimits, Image, Probe
from foretrace.sandbox.environments import backends, host
from foretrace.sandbox.environments.engine import Engine, reference_of

LIMITS = EnvironmentLimits(
    memory_bytes=192 << 20, processes=48, cpu_seconds=20, disk_bytes=32 << 20, output_bytes=1 << 16, seconds=300
)
TREE = {
    "testbed/a.txt": "alpha\n",
    "testbed/src/code.py": "x = 1\n",
    "testbed/src/deep/er/b.txt": "beta\n",
    "testbed/gone/c.txt": "gamma\n",
    "opt/tool": "#!/bin/sh\necho tool\n",
}


PROBED: set[str] = set()


@functools.cache
def probe(name: str) -> Probe:
    PROBED.add(name)
    return backends()[name].probe()


SLOW = {"docker"}
"""Engines that need a second for what takes others a hundredth of one: `pytest -m slow`."""


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in backends()]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    found = probe(request.param)
    if not found.works:
        pytest.skip(f"{request.param}: {found.reason}")
    return backends()[request.param]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Two layers: the lower has one file more, which the upper hides, and one that it replaces."""
    upper, lower = tmp_path_factory.mktemp("upper"), tmp_path_factory.mktemp("lower")
    for name, text in TREE.items():
        place = upper / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (upper / "opt/tool").chmod(0o755)
    (upper / "testbed/link").symlink_to("a.txt")
    (lower / "testbed/src").mkdir(parents=True)
    (lower / "testbed/a.txt").write_text("older\n")
    (lower / "testbed/hidden").write_text("not seen\n")
    (lower / "testbed/src/below.txt").write_text("below\n")
    os.mknod(upper / "testbed/hidden", 0o020000, os.makedev(0, 0))
    paths = tuple(host.paths())
    made = Image(root=(upper, lower), env={"GREETING": "hello"}, digest=f"test-{upper}", host=paths)
    yield made
    if "docker" in PROBED and probe("docker").works:
        Engine.connect().remove_image(reference_of(made))


@pytest.fixture
def box(backend: Backend, image: Image) -> Iterator[Environment]:
    with backend.open(image, LIMITS) as environment:
        yield environment


def python(source: str, *arguments: str) -> list[str]:
    """A command that every box can run."""
    return ["python3", "-c", source, *arguments]
