"""Values: as `repr` where it is small and plain, bounded and harmless everywhere else."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.record import Renderer, ValueLimits

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=5)
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def depth(value: object) -> int:
    if isinstance(value, list | tuple):
        return 1 + max(map(depth, value), default=0)
    return 1 + max(map(depth, value.values()), default=0) if isinstance(value, dict) else 0


@given(PLAIN)
def test_plain_values_are_as_repr_has_them(value: object) -> None:
    if depth(value) <= 5:
        assert Renderer().render(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2024, 2, 29),
        datetime.timedelta(3),
        decimal.Decimal("1.50"),
        fractions.Fraction(1, 3),
        pathlib.PurePosixPath("a/b"),
        range(3),
        slice(1, None),
        collections.deque([1, 2], maxlen=3),
        collections.Counter("abracadabra"),
        set(),
        frozenset(),
        {3},
        (1,),
        ValueError("x", 1),
        bytearray(b"x"),
    ],
)
def test_library_types_are_as_repr_has_them(value: object) -> None:
    assert Renderer().render(value) == repr(value)


def test_sets_are_sorted_so_that_no_text_depends_on_the_hash_seed() -> None:
    assert Renderer().render({"b", "a", "c"}) == "{'a', 'b', 'c'}"


def test_what_is_cut_is_marked_with_its_count() -> None:
    small = Renderer(ValueLimits(depth=2, items=3, characters=10))
    assert small.render(list(range(1000))) == "[0, 1, 2, …+997]"
    assert small.render("x" * 25) == "'xxxxxxxxxx'…+15"
    assert small.render([[[1, 2]]]) == "[[[…+2]]]"
    assert Renderer().render(2**100_000) == "<int, 100001 bits>"


def test_cycles_end() -> None:
    loop: list[object] = [1]
    loop.append(loop)
    assert Renderer().render(loop) == repr(loop)


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: list[int]


class Slotted:
    __slots__ = ("a", "b")


Pair = collections.namedtuple("Pair", "left right")


class Text(str):
    def __repr__(self) -> str:
        raise SystemExit


def test_objects_show_their_attributes_and_no_address() -> None:
    renderer = Renderer()
    slotted = Slotted()
    slotted.a = 1
    assert renderer.render(Point(1, [2])) == "Point(x=1, y=[2])"
    assert renderer.render(Pair(1, "b")) == "Pair(left=1, right='b')"
    assert renderer.render(Colour.RED) == "<Colour.RED>"
    assert renderer.render(slotted) == "<Slotted#1 a=1>"
    assert renderer.render([slotted, Slotted()]) == "[<Slotted#1 a=1>, <Slotted#2>]"
    assert renderer.render(Text("q")) == "<Text#1 'q'>"
    assert renderer.render(x for x in ()) == "<generator#1>"
    assert renderer.render(len) == "<function len>"
    assert renderer.render(Point) == "<class 'Point'>"
    assert renderer.render(dataclasses) == "<module 'dataclasses'>"


def test_arrays_show_shape_type_and_first_items() -> None:
    assert Renderer().render(np.arange(10, dtype=np.int32).reshape(2, 5)) == "<ndarray 2x5 i4 [0, 1, 2, 3, 4, 5, 6, 7] …+2>"


class _RaisingMeta(type):
    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    def __hash__(cls) -> int:
        raise RuntimeError


class _Odd(metaclass=_RaisingMeta):
    pass


class _Zone(datetime.tzinfo):
    def __repr__(self) -> str:
        raise RuntimeError


class _NotFields(tuple):  # type: ignore[type-arg]
    _fields = 5


class _DictProperty:
    @property
    def __dict__(self) -> dict[str, int]:  # type: ignore[override]
        raise RuntimeError


class _Slotted:
    __slots__ = ("x",)


class _Aliased:
    other, own = _Slotted.x, 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (_Aliased(), "<_Aliased#1>"),
        (_Odd(), "<_Odd#1>"),
        ([_Odd()], "[<_Odd#1>]"),
        (_NotFields((1, 2)), "<_NotFields#1 (1, 2)>"),
        (_DictProperty(), "<_DictProperty#1>"),
        (datetime.datetime(2020, 1, 2, tzinfo=_Zone()), "datetime.datetime(2020, 1, 2, 0, 0, tzinfo=<_Zone#1>)"),
        (range(10**5000), f"range(0, <int, {(10**5000).bit_length()} bits>)"),
        (range(0, 9, 2), "range(0, 9, 2)"),
        (fractions.Fraction(1, 3), "Fraction(1, 3)"),
        (types.MethodType(functools.partial(int), "1"), "<function partial>"),
        (set(range(5000)), "{…+5000}"),
    ],
)
def test_hostile_and_huge_values_have_a_text_and_run_nothing(value: object, text: str) -> None:
    assert Renderer().render(value) == text
