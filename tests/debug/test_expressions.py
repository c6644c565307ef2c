"""Expressions over texts: they agree with Python where they have a value, and cost and do no more than they should."""

import math
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foretrace.debug.expressions import Expression
from foretrace.debug.reading import Thing, is_value, read, show
from foretrace.errors import UsageError

STATE = {
    "n": "3",
    "x": "-2.5",
    "s": "'strawberry'",
    "xs": "[1, 2, 3, 2]",
    "d": "{'a': 1, 'b': [2, 3]}",
    "t": "(1, 'a', None)",
    "u": "{3, 1, 2}",
    "flag": "True",
    "node": "<Node#1 value=3, next=<Node#2 value=4, next=None>>",
    "point": "Point(x=1, y=2)",
    "cut": "[0, 1, …+98]",
}
PYTHON = {name: eval(text) for name, text in STATE.items() if name not in ("node", "point", "cut")}


@pytest.mark.parametrize(
    "text",
    [
        "n + 2 * 3",
        "n ** 2 // 2 % 4",
        "-x",
        "~n & 6 | 8 ^ 1",
        "1 < n <= 3 != 4",
        "n > 2 and s or xs",
        "not flag",
        "s[0] + s[-1]",
        "s[1:4:2]",
        "xs[::-1]",
        "d['b'][1]",
        "'berry' in s",
        "5 not in xs",
        "t[2] is None",
        "flag is not True",
        "len(s) + abs(x)",
        "min(xs), max(xs), sum(xs), sorted(xs, reverse=True)",
        "max([], default=7)",
        "any(c == 'r' for c in s), all(v for v in xs)",
        "[i * j for i in range(3) for j in xs if i != j]",
        "{k: len(str(v)) for k, v in d.items()}",
        "{v % 2 for v in xs}",
        "sorted(u) + list(enumerate(xs))",
        "s.count('r') + s.find('w') + len(s.upper().split('A'))",
        "'-'.join(s)",
        "s.replace('r', 'R', 1)",
        "d.get('z', 0), list(d.keys())",
        "type(xs).__name__ + type(x).__name__",
        "isinstance(n, int), isinstance(s, (list, tuple))",
        "xs if n > 5 else t",
        "str(n) + repr(s)",
        "int('12') + float('1.5') + round(x)",
        "ord(s[0]), chr(97), divmod(7, 2), bool(xs)",
        "u | {9}, u & {1}, u - {1}",
        "xs + [n] * 2",
    ],
)
def test_they_agree_with_python(text: str) -> None:
    assert Expression(text).value(STATE) == eval(text, dict(PYTHON))


NUMBERS = st.sampled_from(["n", "x", "7", "0", "2.5", "len(s)", "xs[1]", "True"])
OPERATORS = ["+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", ">", "and", "or"]
TREES = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"(-{t})"),
        inner.map(lambda t: f"(not {t})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda ts: f"max([{', '.join(ts)}])"),
    ),
    max_leaves=8,
)


@given(TREES)
@settings(max_examples=300, deadline=None)
@example("(7 / 0)")
@example("(True % 0)")
def test_arithmetic_of_any_shape_agrees_with_python_or_says_why_not(text: str) -> None:
    try:
        value = eval(text, dict(PYTHON))
    except (ArithmeticError, TypeError) as error:
        with pytest.raises(UsageError, match=f"raises {type(error).__name__}"):
            Expression(text).value(STATE)
    else:
        assert repr(Expression(text).value(STATE)) == repr(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("node.next.value", "4"),
        ("node.next.next is None", "True"),
        ("type(node).__name__", "'Node'"),
        ("isinstance(node, Node)", "True"),
        ("point.x + point.y", "3"),
        ("node", STATE["node"]),
        ("cut", STATE["cut"]),
        ("cut is None", "False"),
        ("[node.next]", "[<Node#2 value=4, next=None>]"),
        ("{'b', 'a'}", "{'a', 'b'}"),
        ("[v for v in {'b', 'a'}]", "['a', 'b']"),
    ],
)
def test_objects_are_what_their_texts_show(text: str, shown: str) -> None:
    assert Expression(text).text(STATE) == shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("__import__('os')", "cannot be called here"),
        ("s.__class__", "no attribute '__class__'"),
        ("().__class__.__bases__", "no attribute"),
        ("s.format(n)", "method 'format'"),
        ("'%0100d' % n", "text cannot be formatted"),
        ("xs.append(4)", "method 'append'"),
        ("lambda: 1", "Lambda"),
        ("[*xs]", "Starred"),
        ("f'{n}'", "JoinedStr"),
        ("(n := 4)", "NamedExpr"),
        ("{**d}", r"\*\*"),
        ("print(n)", "cannot be called here; what can"),
        ("node.missing", "shows no attribute 'missing'"),
        ("cut[0]", "shown only as"),
        ("len(cut)", "shown only as"),
        ("missing + 1", "no name 'missing' here; those there are: n, x"),
        ("xs[9]", "raises IndexError"),
        ("n @ n", "operator"),
        ("n is 3", "only be told of None, True and False"),
        ("n n", "no expression"),
        ("", "no expression"),
        ("x" * 2_000, "1000 characters"),
        ("sum([xs, xs])", "only numbers are added up"),
        ("max(xs, key=len)", "key= cannot be given"),
        ("[1 for s.x in xs]", "cannot be a target"),
        ("[1 for i in 3]", "cannot go through"),
    ],
)
def test_what_cannot_be_evaluated_says_why(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Expression(text).value(STATE)


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9",
        "1 << 10 ** 9",
        "'a' * 10 ** 9",
        "[0] * 10 ** 8",
        "list(range(10 ** 12))",
        "[a for a in range(99999) for b in range(99999)]",
        "(10 ** 3000) * (10 ** 3000) * (10 ** 3000) * (10 ** 3000)",
        "[[d, d] for a in [[s]*9] for b in [[a]*99] for c in [[b]*99] for d in [[c]*99] for e in [[d]*99]]",
        "('a' * 90000).replace('a', 'b' * 90000)",
        "('a' * 90000).join('b' * 90000)",
        "round(5, -10 ** 9)",
        "repr([node] * 99990)",
        "sum(sum(sum(1 for i in range(9999)) for j in range(9999)) for k in range(9999))",
    ],
)
def test_work_and_size_are_bounded(text: str) -> None:
    with pytest.raises(UsageError, match=r"too large|too much work|too many"):
        Expression(text).value(STATE)


@pytest.mark.parametrize("text", ["list(r)", "max(r)", "1.5 in r", "r.count(1.5)", "r.index(1.5)", "set(r)"])
def test_a_range_that_a_text_shows_is_not_gone_through_if_it_is_long(text: str) -> None:
    with pytest.raises(UsageError, match="too much work"):
        Expression(text).value({"r": "range(0, 1000000000)"})
    assert Expression("r[7] + len(r[:3])").text({"r": "range(0, 1000000000)"}) == "10"


def test_errors_of_any_size_are_errors_of_the_user() -> None:
    with pytest.raises(UsageError, match="raises ValueError"):
        Expression("x + x").text({"x": "9" * 4300})
    with pytest.raises(UsageError, match="cannot be evaluated here"):
        Expression(f"(yield {'-' * 900}1)")


def test_the_targets_of_a_comprehension_stay_within_it() -> None:
    assert Expression("[n for n in xs] + [n]").value(STATE) == [1, 2, 3, 2, 3]


def test_strange_escapes_are_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(r"'\d'") == "\\d"
        assert Expression(r"'\d' + s").value({"s": r"'\w'"}) == "\\d\\w"


def test_a_condition_without_a_value_does_not_hold() -> None:
    assert Expression("n > 2").holds(STATE)
    assert not Expression("n > 2").holds({})
    assert not Expression("xs[9]").holds(STATE)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4),
        st.frozensets(st.integers() | st.text(max_size=3), max_size=4),
        st.sets(st.booleans() | st.tuples(st.integers()), max_size=4),
    ),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, float | complex):
        return type(a) is type(b) and repr(a) == repr(b)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(VALUES)
@settings(max_examples=300, deadline=None)
@example(float("nan"))
@example([-math.inf, 1e-300])
def test_reading_is_the_inverse_of_repr_and_of_show(value: object) -> None:
    assert same(read(repr(value)), value) or "j" in repr(value)
    assert same(read(show(read(repr(value)))), read(repr(value)))


@given(st.text(alphabet="[](){}<>,:='\"…#.aN1- j", max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_reads_as_something(text: str) -> None:
    value = read(text)
    assert isinstance(show(value), str)
    assert not (isinstance(value, Thing) and value.name) or is_value(text)


def test_deep_and_wide_texts_are_read_in_no_time() -> None:
    assert isinstance(read("{" * 5_000), Thing)
    assert isinstance(read("[" * 50_000 + "]" * 50_000), Thing)
    deep = "1"
    for _ in range(30):
        deep = f"frozenset({{{deep}}})"
    assert show(read(deep)) == deep
    assert read("[" + "1, " * 9_999 + "1]") == [1] * 10_000
    assert isinstance(read("1" * 200_000), Thing)
    for bomb in ("set(range(0, 10000000000))", "deque(range(0, 10000000000))", "bytearray(100000000000)"):
        assert isinstance(read(bomb), Thing)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("deque([1, 2])", [1, 2]),
        ("Counter({'a': 2})", {"a": 2}),
        ("defaultdict(<class 'int'>, {'a': 1})", {"a": 1}),
        ("range(0, 3)", range(3)),
        ("dict_keys(['a'])", ["a"]),
        ("set()", set()),
        ("{}", {}),
        ("(1,)", (1,)),
        ("-inf", -math.inf),
        ("(1-2j)", 1 - 2j),
        ("{<A x=1>: 2}", {read("<A x=1>"): 2}),
        ("{<A x=1>}", {read("<A x=1>")}),
    ],
)
def test_library_types_have_the_value_that_they_hold(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "name", "fields"),
    [
        ("<Node#1 value=3, next=<Node#2>>", "Node", ["value", "next"]),
        ("<L#1 [1, 2], k='>'>", "L", ["0", "k"]),
        ("KeyError('x')", "KeyError", ["0"]),
        ("datetime.date(2020, 1, 2)", "datetime.date", ["0", "1", "2"]),
        ("<function f>", "function", []),
        ("<ndarray 3 i8 [0, 1, 2]>", "ndarray", []),
        ("<Color.RED: 1>", "", []),
        ("nonsense", "", []),
    ],
)
def test_objects_are_things(text: str, name: str, fields: list[str]) -> None:
    thing = read(text)
    assert isinstance(thing, Thing)
    assert (thing.name, list(thing.fields), thing.text) == (name, fields, text)
