"""The literal scorer: equal values of equal types, and no text is ever run."""

from pathlib import Path

import pytest

from foretrace.evals import Share, same_literal
from foretrace.evals.literal import type_name


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ("[1, 2]", "[1,2]"),
        ("'a'", '"a"'),
        ("{1: 2, 3: 4}", "{3: 4, 1: 2}"),
        ("set()", "set()"),
        ("{2, 1}", "{1, 2}"),
        ("-1", "- 1"),
    ],
)
def test_the_same_value_in_other_words_is_right(predicted: str, expected: str) -> None:
    assert same_literal(predicted, expected)


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ("True", "1"),
        ("1", "True"),
        ("1.0", "1"),
        ("[True]", "[1]"),
        ("{1: True}", "{1: 1}"),
        ("{True: 1}", "{1: 1}"),
        ("(1, 2)", "[1, 2]"),
        ("1 or True", "1"),
        ("[1, 2", "[1, 2]"),
        ("", "''"),
        ("None", "'None'"),
        ("'１'", "'1'"),
        ("9" * 200_000, "1"),
        ("[" * 100_000, "1"),
    ],
)
def test_anything_else_is_wrong(predicted: str, expected: str) -> None:
    assert not same_literal(predicted, expected)


def test_text_is_parsed_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    assert not same_literal(f"open({str(marker)!r}, 'w')", "1")
    assert not same_literal(f"__import__('pathlib').Path({str(marker)!r}).touch()", "None")
    assert not marker.exists()


def test_types_are_named() -> None:
    assert [type_name(t) for t in ("1", "'a'", "[", "set()", "True")] == ["int", "str", "other", "set", "bool"]


def test_intervals_are_wilsons() -> None:
    low, high = Share(8, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert Share(0, 10).interval[0] == 0
    assert Share(0, 10).interval[1] > 0.2
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share.of([True, False]).text() == "50.0 % [9.5, 90.5] (1/2)"
