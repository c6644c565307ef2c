"""What is read out of a task: its function, its examples in each form, and nothing that is none."""

import pytest

from foretrace.errors import UsageError
from foretrace.solve.statement import arguments_of, read_calls, read_task
from foretrace.solve.types import Check, Origin


def checks(text: str, entry: str | None = None) -> list[tuple[str, str | None, str]]:
    return [(check.text, check.expected, check.raises) for check in read_task(text, entry).checks]


def test_doctests_are_exact_and_may_raise() -> None:
    task = read_task(
        "Write `half(n)`.\n\n    >>> half(4)\n    2\n    >>> half('a')\n    Traceback (most recent call last):\n"
        "      ...\n    ValueError: no number\n"
    )
    assert task.entry == "half"
    first, second = task.checks
    assert first == Check(origin=Origin.STATEMENT, text="half(4)", expected="2", is_exact=True)
    assert (second.raises, second.expected) == ("ValueError", None)
    assert first.holds(2)
    assert not first.holds(2.0)
    assert second.holds(None, "ValueError: x")
    assert not second.holds(3)


def test_assertions_equalities_and_arrows() -> None:
    text = (
        "def f(xs):\n    ...\n\nassert f([1,\n   2]) == 3\nassert not f([])\n- `f([4]) == 4`\n* f([5, 5]) -> 10\n"
        "f([6]) == g(6)\nwhere x == 3\n"
    )
    assert checks(text) == [
        ("f([1, 2])", "3", ""),
        ("bool(not f([]))", "True", ""),
        ("f([4])", "4", ""),
        ("f([5, 5])", "10", ""),
    ]


def test_an_equality_within_a_text_is_not_the_equality() -> None:
    assert checks("f('a == b') == 'b'") == [("f('a == b')", "'b'", "")]


def test_blocks_name_arguments_or_are_standard_input() -> None:
    two_sum = "Write `two_sum(nums, target)`.\n\n**Input:** nums = [2, 7], target = 9\n**Output:** [0, 1]\n"
    assert checks(two_sum) == [("two_sum(nums = [2, 7], target = 9)", "[0, 1]", "")]
    squares = (
        "## Input\n\nThe first line has n.\n\n## Output\n\nIts square.\n\nSample Input 1\n```\n3\n```\n"
        "Sample Output 1\n```\n9\n```\n"
    )
    task = read_task(squares)
    assert task.entry == ""
    assert [(c.text, c.expected, c.is_input) for c in task.checks] == [("3\n", "9\n", True)]


def test_the_function_is_the_one_that_is_asked_for() -> None:
    assert read_task("assert sorted(f(3)) == [1]\nassert f(2) == 2").entry == "f"
    assert read_task("def helper(): ...\ndef g(n): ...\n\ng(2) == 4").entry == "g"
    assert read_task("Write it.", entry="h").entry == "h"
    with pytest.raises(UsageError, match="what the function is called"):
        read_task("Write something nice.")
    with pytest.raises(UsageError, match="empty"):
        read_task(" \n")
    with pytest.raises(UsageError, match="malformed"):
        read_task("    >>> f(1)\n  2\n")


def test_argument_lists_hold_literals_only() -> None:
    assert arguments_of("f(1, k=[2])", "f") == "1, k=[2]"
    assert arguments_of("f()", "f") == ""
    for other in ("g(1)", "f(x)", "f(1) + 1", "f(*[1])", "f(", "f(**{'a': 1})"):
        assert arguments_of(other, "f") is None, other


def test_a_models_tests_are_marked_as_its_own() -> None:
    [check] = read_calls("Here they are:\n```python\nassert f(1) == 2\n```", Origin.MODEL)
    assert check.origin is Origin.MODEL
    assert check.told == "f(1) == 2"
