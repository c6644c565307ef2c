"""Values as text: what goes in comes out, of the same types, and no text does harm."""

import time
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from enum import IntEnum
from typing import Any

import pytest

from foretrace.evals.scorers.rules import same, same_lines, same_with_tuples
from foretrace.evals.scorers.values import MAX_DEPTH, NotPlainError, from_text, same_value, shown, to_text

Point = namedtuple("Point", "x y")
INFINITY = float("inf")


class Colour(IntEnum):
    RED = 1


class Sly(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __int__(self) -> int:
        return 9

    __hash__ = int.__hash__


@pytest.mark.parametrize("value", [
    None, True, 0, -1, 2**63, -(2**70), 10**5000, 1.5, -0.0, INFINITY, -INFINITY, float("nan"), 1j, complex("nan"), "", "a\n\0",
    "\ud800", "∞", b"\xff\0", [], [1, [2, (3,)]], (), ((),), set(), {1, "1", (2, frozenset({3}))}, frozenset(), {},
    {"a": {1: [2]}, (1, 2): None, True: b""}, {"t": 1}, {"i": "0x1"}, [{"s": []}],
], ids=lambda value: shown(value, 20))  # fmt: skip
def test_what_goes_in_comes_out(value: Any) -> None:
    text = to_text(value)
    assert text.isascii()
    assert "\n" not in text
    assert same_value(from_text(text), value)


def test_dictionaries_of_the_library_are_dictionaries() -> None:
    for made in (Counter("aab"), OrderedDict(a=2, b=1), defaultdict(int, a=2, b=1)):
        inexact: list[str] = []
        assert same_value(from_text(to_text(made, inexact)), {"a": 2, "b": 1})
        assert inexact == []


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [object(), deque([1]), (i for i in ()), len, int, Sly(0), Colour.RED, Point(1, 2), deep(200), cyclic(), [{1: open}]],
)
def test_other_values_are_not_plain(value: object) -> None:
    with pytest.raises(NotPlainError):
        to_text(value)


@pytest.mark.parametrize(
    ("value", "content"),
    [(Colour.RED, 1), (Point(1, 2), (1, 2)), (Sly(0), 0), ([Sly(3)], [3]), ({Colour.RED: Point(1, 2)}, {1: (1, 2)})],
)
def test_derived_types_are_carried_as_their_content_where_that_is_told(value: object, content: object) -> None:
    inexact: list[str] = []
    assert same_value(from_text(to_text(value, inexact)), content)
    assert inexact


def test_scalars_of_numpy_are_carried_as_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    inexact: list[str] = []
    text = to_text([numpy.int64(9), numpy.float64(0.5), numpy.bool_(True)], inexact)
    assert same_value(from_text(text), [9, 0.5, True])
    assert len(inexact) == 3
    with pytest.raises(NotPlainError):
        to_text(numpy.arange(3), [])


@pytest.mark.parametrize("text", [
    "", "nonsense", "[1", '{"x": 1}', "{}", '{"t": 1}', '{"t": [], "s": []}', '{"s": [[]]}', '{"d": [[[], 1]]}', '{"d": [1]}',
    '{"d": {"a": 1}}', '{"b": "zz"}', '{"b": 3}', '{"c": ["x", 1]}', '{"c": 1}', '{"i": "zz"}', '{"i": 3}', "[" * 100_000, "9" * 100_000,
    '{"t":' * 50_000, "\ud800", "__import__('os')",
], ids=range(22))  # fmt: skip
def test_a_text_that_tells_no_value_is_an_error(text: str) -> None:
    with pytest.raises(NotPlainError):
        from_text(text)


@pytest.mark.parametrize("tag", "sfd")
def test_elements_with_one_hash_cannot_take_all_time(tag: str) -> None:
    step = 2**61 - 1  # integers that differ by it have the same hash
    elements = (hex(step * i) for i in range(40_000))
    texts = (f'{{"i":"{element}"}}' for element in elements)
    start = time.monotonic()
    with pytest.raises(NotPlainError, match="hash"):
        from_text(f'{{"{tag}":[{",".join(f"[{text},1]" if tag == "d" else text for text in texts)}]}}')
    assert time.monotonic() - start < 20
    assert len(from_text(to_text(set(range(10_000))))) == 10_000


def test_values_deeper_than_code_can_walk_are_not_the_same_as_anything() -> None:
    assert same([1], deep(900)) == (False, False)
    assert same(from_text(to_text(deep(MAX_DEPTH))), deep(MAX_DEPTH)) == (True, True)
    for opening, closing in ("[]", ('{"t":[', "]}"), ('{"d":[[1,', "]]}")):
        with pytest.raises(NotPlainError, match="deep"):
            from_text(opening * 150 + "1" + closing * 150)


@pytest.mark.parametrize(("expected", "value", "verdicts"), [
    (9, 9, (True, True)),
    (9, 9.0, (False, True)),
    (1, True, (False, True)),
    ({1: 1}, {True: 1}, (False, True)),
    ({(1,)}, {(True,)}, (False, True)),
    ([1, 2], (1, 2), (False, False)),
    (0.0, -0.0, (True, True)),
    (float("nan"), float("nan"), (True, True)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, (True, True)),
    (2**53 + 1, float(2**53), (False, False)),
    ("9", 9, (False, False)),
])  # fmt: skip
def test_the_same_and_the_equal(expected: object, value: object, verdicts: tuple[bool, bool]) -> None:
    assert same(expected, value) == verdicts
    assert same(value, expected) == verdicts


def test_officially_a_tuple_may_be_as_good_as_a_list() -> None:
    assert same_with_tuples([1, [2]], (1, (2,))) == (False, True)
    assert same_with_tuples({"a": [1]}, {"a": (1,)}) == (False, True)
    assert same_with_tuples([1], [1]) == (True, True)
    assert same_with_tuples([1], (2,)) == (False, False)


@pytest.mark.parametrize(("expected", "printed", "verdicts"), [
    ("9\n", "9", (True, True)),
    ("9\n", "\n9  \r\n\n", (True, True)),
    ("\r\n9\n", " \n9", (True, True)),
    ("9\n", "  9", (False, True)),
    ("", "\n", (True, True)),
    ("1 2\n3", "1 2\n3\n", (True, True)),
    ("9", "9.0", (False, True)),
    ("9", "９", (False, True)),
    ("1 2", "1.0  2e0", (False, True)),
    ("a\nb", "a\n  b", (False, True)),
    ("9", "9\u200b", (False, False)),
    ("1\n2", "1\n\n2", (False, False)),
    ("1 2", "1", (False, False)),
    ("a", "A", (False, False)),
    ("9", "nan", (False, False)),
    ("9", "9" * 5000, (False, False)),
    ("", "0", (False, False)),
    ("1", "1\x0c", (True, True)),
    ("1\n2", "1\x0b2", (False, False)),
])  # fmt: skip
def test_lines_are_compared_as_lines_and_officially_as_numbers(
    expected: str, printed: str, verdicts: tuple[bool, bool]
) -> None:
    assert same_lines(expected, printed) == verdicts


def test_values_are_shown_short() -> None:
    assert shown([1, 2]) == "[1, 2]"
    assert len(shown("a" * 10_000)) == 100
    assert shown(10**5000) == "a large int"
