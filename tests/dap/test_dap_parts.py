"""Parts of values: found, named, and changed, from texts alone."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.dap.arguments import Arguments
from foretrace.dap.parts import find_part, new_value, part_at, parts_of, with_part
from foretrace.dap.references import References
from foretrace.debug.reading import read, show
from foretrace.errors import UsageError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 'a']", [("0", "[0]"), ("1", "[1]")]),
        ("(1,)", [("0", "[0]")]),
        ("{'a': 1, (2, 3): 4}", [("'a'", "['a']"), ("(2, 3)", "")]),
        ("{3, 1}", [("0", ""), ("1", "")]),
        ("<Node value=3, next=None>", [("value", ".value"), ("next", ".next")]),
        ("Point(1, y=2)", [("0", ""), ("y", ".y")]),
        ("'text'", []),
        ("[0, 1, …+998]", []),
    ],
)
def test_the_parts_of_a_value_and_how_an_expression_says_them(text, expected) -> None:
    assert [(part.label, part.suffix) for part in parts_of(read(text))] == expected


@given(VALUES)
def test_each_part_is_found_by_its_expression(value) -> None:
    state = {"x": show(value)}
    waiting = [("x", (), value)]
    while waiting:
        expression, path, whole = waiting.pop()
        assert find_part(expression, state) == ("x", path)
        assert part_at(value, path) == whole
        for at, part in enumerate(parts_of(whole)):
            assert ast.parse(expression + part.suffix, mode="eval")
            waiting.append((expression + part.suffix, (*path, at), part.value))


@given(VALUES, st.data())
def test_one_part_is_changed_and_no_other(value, data) -> None:
    path, whole = (), value
    while parts_of(whole) and data.draw(st.booleans()):
        path = (*path, data.draw(st.integers(0, len(parts_of(whole)) - 1)))
        whole = part_at(value, path)
    changed = with_part(value, path, "new")
    assert part_at(changed, path) == "new"
    assert with_part(changed, path, whole) == value


def test_parts_that_cannot_be_changed_say_why() -> None:
    with pytest.raises(UsageError, match="a part of a set cannot be changed by itself; change the whole"):
        with_part({1, 2}, (0,), 3)
    with pytest.raises(UsageError, match="a part of a Node cannot be changed"):
        with_part(read("<Node value=3>"), (0,), 4)
    with pytest.raises(UsageError, match="has other parts by now"):
        with_part([1], (3,), 4)


@pytest.mark.parametrize("expression", ["", "1", "f(x)", "x[", "x[0](1)", "x + 1", "\0", "x" + "[0]" * 10_000])
def test_what_is_no_part_is_an_error(expression) -> None:
    with pytest.raises(UsageError):
        find_part(expression, {"x": "[1]"})


def test_errors_name_what_is_missing() -> None:
    with pytest.raises(UsageError, match="no name 'y' here; those there are: x"):
        find_part("y[0]", {"x": "[1]"})
    with pytest.raises(UsageError, match=r"'x\[5\]': there is no \[5\]"):
        find_part("x[5]", {"x": "[1]"})


def test_new_values_are_texts_or_expressions() -> None:
    state = {"n": "3"}
    assert new_value("n + 1", state) == 4
    assert new_value("[1, 2]", state) == [1, 2]
    assert show(new_value("<Node value=3>", state)) == "<Node value=3>"
    with pytest.raises(UsageError, match="no name 'm'"):
        new_value("m", state)


def test_references_are_the_same_within_a_stop_and_never_come_again() -> None:
    references = References()
    first, second = references.add("a"), references.add(("b", 2))
    assert (references.add("a"), references.get(second, tuple, "x")) == (first, ("b", 2))
    with pytest.raises(UsageError, match="there is no x 1"):
        references.get(first, tuple, "x")
    references.renew()
    assert references.add("a") == 3
    for number in (first, second):
        with pytest.raises(UsageError, match=f"x {number} is of an earlier stop, and void since"):
            references.get(number, object, "x")
    for number in (0, -1, 4):
        with pytest.raises(UsageError, match=f"there is no x {number}"):
            references.get(number, object, "x")


def test_arguments_are_what_they_must_be_or_an_error() -> None:
    arguments = Arguments("next", {"a": "x", "n": 3, "yes": True, "part": {"b": 1.5}, "all": [{"c": None}], "none": None})
    assert (arguments.text("a"), arguments.number("n"), arguments.real("n"), arguments.flag("yes")) == ("x", 3, 3.0, True)
    assert arguments.section("part").real("b") == 1.5
    assert arguments.items("all")[0].text("c", "default") == "default"
    assert (arguments.flag("none"), arguments.number("none", 7), arguments.texts("none")) == (False, 7, [])
    assert ("a" in arguments, "none" in arguments) == (True, False)
    for read_it, message in [
        (lambda: arguments.text("n"), "next: n must be a text, not 3"),
        (lambda: arguments.number("yes"), "next: yes must be a whole number, not True"),
        (lambda: arguments.number("missing"), "next: missing must be a whole number, and is missing"),
        (lambda: arguments.flag("a"), "next: a must be true or false, not 'x'"),
        (lambda: arguments.items("a"), "next: a must be a list, not 'x'"),
        (lambda: arguments.texts("all"), "next: all must be a list of texts"),
        (lambda: arguments.section("part").text("b"), "next: part: b must be a text, not 1.5"),
    ]:
        with pytest.raises(UsageError, match=message):
            read_it()
