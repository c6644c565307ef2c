"""Each operator, by the lines that its edits change."""

import difflib

import pytest

from foretrace.forager.mutation.edits import functions_of, read_module
from foretrace.forager.mutation.operators import FAMILIES, OPERATORS

SOURCE = '''\
"""A module."""
from __future__ import annotations
import os, sys
from a.b import (c, d as e)

LIMIT = 3 + 4


class Reader:
    """A class."""

    def read(self, a, b=2, *, k=1):
        """Reads."""
        if not a and b > 3:
            return -a
        y = a + b  # why
        y += g(a, k)
        return self.h(y, b)


def g(n, m):
    def inner(o):
        return o - n
    if n not in [1]: return 1
    return inner(m)


def constant():
    return 1
'''


def changes(operator: str, function: str) -> list[list[str]]:
    """What every edit of an operator removes (-) and adds (+)."""
    module = read_module(SOURCE)
    assert module
    [found] = [f for f in functions_of(module) if f.name == function]
    return [_difference(edit.apply(module)) for edit in OPERATORS[operator](found)]


def _difference(after: str | None) -> list[str]:
    if after is None:
        return []
    lines = difflib.unified_diff(SOURCE.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line[0] + line[1:].strip() for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_functions_are_found_with_their_names_and_lines() -> None:
    module = read_module(SOURCE)
    assert module
    found = [(f.name, f.first, f.last) for f in functions_of(module)]
    assert found == [("Reader.read", 12, 18), ("g", 21, 25), ("g.inner", 22, 23), ("constant", 28, 29), ("", 1, 30)]


def test_every_operator_has_a_family_and_the_shares_are_those_of_the_paper() -> None:
    assert sorted(o for _, operators in FAMILIES.values() for o in operators) == sorted(OPERATORS)
    assert [share for share, _ in FAMILIES.values()] == [7, 9, 6, 11, 12]


def test_a_body_that_is_gone_leaves_its_docstring() -> None:
    [removed] = changes("function_body_removed", "Reader.read")
    assert [line for line in removed if line[0] == "+"] == ["+pass"]
    assert '-"""Reads."""' not in removed
    assert "-return self.h(y, b)" in removed


def test_parts_are_runs_of_statements_but_never_all() -> None:
    parts = changes("function_part_removed", "Reader.read")
    assert ["-y = a + b  # why"] in parts
    assert ["-y = a + b  # why", "-y += g(a, k)"] in parts
    assert ["-return self.h(y, b)"] not in parts  # another operator's
    assert not any("-if not a and b > 3:" in part and "-return self.h(y, b)" in part for part in parts)
    assert changes("function_part_removed", "constant") == []


def test_a_parameter_is_gone_from_the_definition_alone() -> None:
    definition = "-def read(self, a, b=2, *, k=1):"
    assert changes("parameter_removed", "Reader.read") == [
        [definition, "+def read(self, b=2, *, k=1):"],
        [definition, "+def read(self, a, *, k=1):"],
        [definition, "+def read(self, a, b=2):"],
    ]


def test_arguments_change_places() -> None:
    assert changes("arguments_reordered", "Reader.read") == [
        ["-y += g(a, k)", "+y += g(k, a)"],
        ["-return self.h(y, b)", "+return self.h(b, y)"],
    ]


def test_two_variables_change_places_in_the_body() -> None:
    swapped = changes("variables_swapped", "g")
    assert swapped[0] == ["-if n not in [1]: return 1", "-return inner(m)", "+if m not in [1]: return 1", "+return inner(n)"]


def test_two_locals_change_places_only_where_they_are_read() -> None:
    source = "def f():\n    a = 1\n    b = 2\n    return a - b\n"
    module = read_module(source)
    assert module
    [function, _] = functions_of(module)
    [edit] = OPERATORS["variables_swapped"](function)
    assert edit.apply(module) == source.replace("a - b", "b - a")


def test_imports_go_one_by_one_and_never_those_from_the_future() -> None:
    assert changes("import_removed", "") == [
        ["-import os, sys", "+import sys"],
        ["-import os, sys", "+import os"],
        ["-from a.b import (c, d as e)", "+from a.b import (d as e)"],
        ["-from a.b import (c, d as e)", "+from a.b import (c)"],
    ]


def test_returns_go_and_what_must_not_be_empty_passes() -> None:
    assert changes("return_removed", "Reader.read") == [["-return -a", "+pass"], ["-return self.h(y, b)"]]
    assert changes("return_removed", "g") == [["-if n not in [1]: return 1", "+if n not in [1]: pass"], ["-return inner(m)"]]


@pytest.mark.parametrize(
    ("operator", "function", "expected"),
    [
        ("binary_operator", "Reader.read", ["+y = a - b  # why", "+y -= g(a, k)"]),
        ("binary_operator", "g", []),  # what is in `inner` is inner's
        ("binary_operator", "g.inner", ["+return o + n"]),
        ("comparison_operator", "Reader.read", ["+if not a and b >= 3:", "+if not a and b < 3:"]),
        ("comparison_operator", "g", ["+if n in [1]: return 1"]),
        ("boolean_operator", "Reader.read", ["+if not a or b > 3:"]),
        ("unary_operator", "Reader.read", ["+if a and b > 3:", "+return a"]),
    ],
)
def test_operators_are_replaced(operator: str, function: str, expected: list[str]) -> None:
    assert [added for _, added in changes(operator, function)] == expected


def test_what_is_the_same_but_for_its_looks_is_no_mutation() -> None:
    module = read_module("def f(a):\n    return g(a, (a))\n")
    assert module
    [function, _] = functions_of(module)
    assert [edit.apply(module) for edit in OPERATORS["arguments_reordered"](function)] == [None]


def test_what_does_not_parse_is_no_module() -> None:
    assert read_module("def f(:\n") is None
