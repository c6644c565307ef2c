"""What is read off a program without running it."""

import pytest

from foretrace.engine.statements import Statements

SOURCE = """\
def f(xs, n=2, *, k=None):
    a, b = n, k
    xs.append(a); c = xs
    for i, x in enumerate(xs):
        b = g(x, k=c)
        xs[i].y += 1
    for q in xs:
        del q
    for r in range(1, n):
        with open(n) as h:
            print(xs.copy())
    return xs if n else g(n)

def g(u, /, v=1, *, k=2):
    return u
"""
STATEMENTS = Statements(SOURCE)


@pytest.mark.parametrize(
    ("line", "names"),
    [(1, "f"), (2, "a b"), (3, "xs c"), (4, "i x"), (5, "b"), (6, "xs"), (7, "q"), (8, "q"), (9, "r"), (10, "h"), (12, ""), (99, "")],
)  # fmt: skip
def test_what_a_line_may_change(line: int, names: str) -> None:
    assert STATEMENTS.changes(line) >= set(names.split()) - {"f"}
    assert STATEMENTS.changes(line) <= set(names.split())


def test_values_that_can_be_read() -> None:
    state = {"xs": "[3, 'b']", "n": "4", "c": "[3, 'b']"}
    assert STATEMENTS.assigned(3, "c", state) == "[3, 'b']"
    assert STATEMENTS.assigned(2, "a", state) is None  # several at once
    assert STATEMENTS.assigned(5, "b", state) is None
    assert STATEMENTS.assigned(5, "b", state, returned="7") == "7"
    assert STATEMENTS.result(12, state) is None
    assert STATEMENTS.result(15, {"u": "1"}) == "1"
    assert STATEMENTS.result(3, state) == "None"  # left without a return
    assert [STATEMENTS.returns(line) for line in (11, 12)] == [False, True]


def test_loops() -> None:
    assert STATEMENTS.loop(7) == ("q", range(7, 9))
    assert STATEMENTS.loop(4) is None  # no single variable
    assert STATEMENTS.items(7, {"xs": "[3, 'b']"}) == ["3", "'b'"]
    assert STATEMENTS.items(7, {"xs": "'ab'"}) == ["'a'", "'b'"]
    assert STATEMENTS.items(7, {"xs": "<Node a=1>"}) is None
    assert STATEMENTS.items(9, {"n": "4"}) == ["1", "2", "3"]
    assert STATEMENTS.items(9, {}) is None


def test_arguments() -> None:
    assert STATEMENTS.arguments(5, "g", {"x": "1", "c": "'c'"}) == {"u": "1", "v": None, "k": "'c'"}
    assert STATEMENTS.arguments(12, "g", {}) == {"u": None, "v": None, "k": None}
    assert STATEMENTS.arguments(5, "unknown", {}) == {}


def test_what_does_not_parse_has_no_statements() -> None:
    broken = Statements("def f(:\n    x = 1\n")
    assert (broken.changes(2), broken.loop(1), broken.items(1, {}), broken.order) == (frozenset(), None, None, {})
