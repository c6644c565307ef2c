"""A small repository as they are: a package below `src`, constants, classes, generators, and tests of all kinds."""

import tarfile
from pathlib import Path

UNITS = '''
"""Units."""
SCALE = {"cm": 100, "mm": 1000}
UNUSED = 5


class UnitError(ValueError):
    """No such unit."""

    def hint(self):
        return "use cm"


def convert(value, unit):
    """Value in another unit."""
    if unit not in SCALE:
        raise UnitError(unit)
    return value * SCALE[unit]


def limited(value):
    return min(value, 10)
'''
AREA = '''
"""Areas."""
from __future__ import annotations

import functools
import os, sys
from dataclasses import dataclass
from math import pi, sqrt

from .units import UnitError, convert
from . import units as other_units

PRECISION = 2
DEPTH = PRECISION + 1


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@dataclass
class Point:
    x: int
    y: int = 0

    def moved(self, by):
        return Point(self.x + by, self.y)


class Shape:
    sides = 0
    names = []

    def area(self):
        """Of all shapes."""
        return 0

    @property
    def name(self):
        return type(self).__name__

    def describe(self):
        return f"{self.name} of {self.area()}"


class Square(Shape):
    sides = 4

    def __init__(self, side):
        self.side = side

    def area(self):
        return round(self.side**2 + super().area(), PRECISION)

    @classmethod
    def unit(cls):
        return cls(1)

    def grow(self, by):
        self.side = self.side + by
        return self


@logged
def circle(radius):
    """The area of a circle.

    Rounded.
    """
    return round(pi * radius**2, PRECISION)


def total(tree):
    """The sum of a nested list."""
    if isinstance(tree, int):
        return tree
    return sum([total(part) for part in tree])


def corners(count):
    for number in range(count):
        got = yield number * DEPTH
        if got:
            number = got
    return count


def zipped(one, other):
    out = []
    for a in corners(one):
        out.append(a)
    first, second = corners(one), corners(other)
    for a in first:
        out.append((a, next(second, None)))
    return out


def counting(stop):
    number = 0
    while number < stop:
        yield (number := number + 1)


def closed(count):
    numbers = counting(count)
    got = next(numbers)
    numbers.close()
    return got


def take(iterator):
    return next(iterator, None)


def outer(count):
    yield from corners(count)
    yield -1


def in_unit(value, unit):
    try:
        return convert(value, unit)
    except UnitError as error:
        return str(error)


def apply(function, values):
    return [function(value) for value in values]


async def ready(value):
    return value


async def waited(value):
    import asyncio

    await asyncio.sleep(0)
    return await ready(value) + 1


def clash(value):
    return other_units.limited(value) + limited(value)


def limited(value):
    return max(value, 1)


def busy(count):
    seen = 0
    for number in range(count):
        seen += number
    return seen
'''
TESTS = """
import asyncio
import sys
import traceback
import unittest

import pytest

from shapes import area
from shapes.area import Point, Square, circle, corners, in_unit, outer, total, zipped


@pytest.fixture
def square():
    return Square(3)


def test_square(square):
    assert square.area() == 9
    assert square.describe() == "Square of 9"
    assert Square.unit().grow(1).side == 2


def test_point():
    assert Point(1).moved(2) == Point(3)


@pytest.mark.parametrize("tree, expected", [(1, 1), ([1, [2, 3]], 6), ([], 0)])
def test_total(tree, expected):
    assert total(tree) == expected


def test_generators():
    assert list(corners(3)) == [0, 3, 6]
    assert zipped(2, 1) == [0, 3, (0, 0), (3, None)]
    assert list(outer(1)) == [0, -1]
    assert list(area.counting(3)) == [1, 2, 3]
    assert area.closed(2) == 1
    one = corners(2)
    assert next(one) == 0
    two = corners(3)
    assert [next(two), area.take(two), next(two), area.take(two)] == [0, 3, 6, None]


@pytest.mark.parametrize("unit", ["cm", "mm", "inch"])
def test_units(unit):
    assert in_unit(2, unit) in (200, 2000, "inch")


def test_callback():
    assert area.apply(lambda value: value + 1, [1, 2]) == [2, 3]
    assert area.apply(total, [[1], [2]]) == [1, 2]
    assert circle(1) == 3.14


def test_clash():
    assert area.clash(20) == 30


def test_coroutine():
    assert asyncio.run(area.waited(1)) == 2


def test_busy():
    assert area.busy(100) == 4950
    assert area.busy(3) == 3


def test_path(tmp_path):
    assert total([len(str(tmp_path)) * 0]) == 0
    assert area.in_unit(0, str(tmp_path)) == str(tmp_path)


def test_own_traceback():
    try:
        area.convert(1, "ell")
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
    assert [frame.name for frame in frames] == ["test_own_traceback", "convert"]
    assert frames[0].line == 'area.convert(1, "ell")'


def test_own_trace_function():
    seen = []
    before = sys.gettrace()
    sys.settrace(lambda frame, event, argument: seen.append(event))
    total(1)
    sys.settrace(before)
    assert seen


def test_fails():
    assert total([1]) == 2


@pytest.mark.xfail
def test_expected_to_fail():
    assert total([2]) == 3


@pytest.mark.skip
def test_skipped():
    pass


@pytest.fixture
def broken():
    raise OSError


def test_of_a_broken_fixture(broken):
    pass


class SquareCase(unittest.TestCase):
    def setUp(self):
        self.square = Square(2)

    def test_area(self):
        self.assertEqual(self.square.area(), 4)
"""
PROJECT = """
[project]
name = "shapes"
version = "1.0"
license = "MIT"

[tool.pytest.ini_options]
addopts = "--cov=shapes"
filterwarnings = ["error"]
"""


def write_repository(root: Path, tests: str = TESTS) -> Path:
    """Writes it."""
    files = {"src/shapes/__init__.py": "", "src/shapes/units.py": UNITS, "src/shapes/area.py": AREA}
    files |= {"tests/test_area.py": tests, "pyproject.toml": PROJECT}
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip("\n"))
    return root


def as_sdist(root: Path, to: Path) -> Path:
    """The same as an sdist."""
    (root / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: shapes\nVersion: 1.0\nLicense-Expression: MIT\n\nText.\n")
    with tarfile.open(to, "w:gz") as archive:
        archive.add(root, "shapes-1.0")
    return to
