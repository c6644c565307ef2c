"""A repository with tests, as an image that needed no network to be made."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from small_image import BACKEND, venv_layer

from foretrace.repos.history import files_of, squash
from foretrace.repos.image import LAYER, MANIFEST, RepoImage, load_image
from foretrace.repos.plan import InstallPlan
from foretrace.repos.sources import Origin
from foretrace.repos.store import digest_of
from foretrace.repos.testing import TestCommand
from foretrace.repos.verify import combine, run_once
from foretrace.sandbox.environment import Image

SHAPES = '''\
"""Shapes."""
from math import pi


def area(kind, a, b=1):
    """The area of a shape."""
    if kind == "circle":
        return pi * a * a
    if kind == "rectangle" and b:
        return a * b
    return total([a, -b])


def total(numbers):
    found = 0
    for number in numbers:
        found += number
    return found


def unused(n):
    return n - 1
'''
TESTS = """\
import pytest

from shapes import area, total


def test_circle():
    assert area("circle", 1) == pytest.approx(3.14159, abs=1e-4)


@pytest.mark.parametrize("a", [2, 3])
def test_rectangle(a):
    assert area("rectangle", a, 2) == 2 * a


def test_other():
    assert area("other", 3, 1) == 2


def test_total():
    assert total([1, 2]) == 3


@pytest.mark.skip
def test_skipped():
    pass
"""


class HostedImage(RepoImage):
    """Its interpreter is this machine's: a copy would take longer than all tests."""

    @property
    def image(self) -> Image:
        """With the interpreter."""
        image = super().image
        return image if sys.base_prefix.startswith("/usr") else replace(image, host=(*image.host, sys.base_prefix))


def built_image(folder: Path) -> RepoImage:
    """The image, with its tests run twice."""
    layer = folder / LAYER
    testbed = layer / "testbed"
    (testbed / "tests").mkdir(parents=True)
    (testbed / "shapes.py").write_text(SHAPES)
    (testbed / "tests/test_shapes.py").write_text(TESTS)
    (testbed / "conftest.py").touch()
    head = squash(testbed, files_of(testbed), created="2024-01-01T00:00:00+00:00")
    venv_layer(layer)
    common = {"python": "3", "packages": {}, "plan": InstallPlan(python="3"), "command": TestCommand(), "build_seconds": 0.0}
    origin = Origin(name="shapes", version="1", source=str(folder), licence="MIT")
    made = {
        "folder": folder,
        "origin": origin,
        "head": head,
        "digest": digest_of(layer),
        "layers": (LAYER,),
        "modules": ("shapes",),
        "bytes": 0,
        "new_bytes": 0,
    }
    image = HostedImage(**common, **made, tests={}, seconds=0.0)
    runs = [run_once(image.image, image, backend=BACKEND) for _ in range(2)]
    return HostedImage(**common, **made, tests=combine(runs).tests, seconds=runs[0].seconds)


def load_hosted(folder: str) -> RepoImage:
    """As `load_image`, of what `save` wrote."""
    return HostedImage(**vars(load_image(folder)))


def save(image: RepoImage) -> RepoImage:
    """Writes the manifest of an image."""
    (image.folder / MANIFEST).write_text(json.dumps(image.as_json()))
    return image
