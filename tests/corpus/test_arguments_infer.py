"""What is inferred of parameters: each rule alone."""

import textwrap

import pytest

from foretrace.corpus.arguments.constants import constants
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.infer import Signature, infer
from foretrace.corpus.arguments.module import Module
from foretrace.corpus.arguments.terms import arguments_of, parse_arguments
from foretrace.errors import UsageError


def signature(source: str, entry: str = "f", calls: tuple[str, ...] = ()) -> Signature:
    return infer(Module(textwrap.dedent(source)), entry, calls)


def first(source: str, entry: str = "f", index: int = 0) -> Guess:
    return signature(source, entry).parameters[index].guess


def body(text: str, parameters: str = "x") -> Guess:
    """The first parameter of a function with this body; its name says nothing."""
    return first(f"def f({parameters}):\n" + textwrap.indent(textwrap.dedent(text), "    "))


def test_nothing_known_allows_the_usual() -> None:
    guess = body("return x", "thing")
    assert {"int", "str", "list", "dict", "float", "tuple", "none"} <= set(guess.weights())
    assert guess.share("list") < 0.4


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("int", "int"),
        ("str", "str"),
        ("bytes", "bytes"),
        ("'int'", "int"),
        ("list", "list"),
        ("list[int]", "list"),
        ("List[int]", "list"),
        ("typing.List[int]", "list"),
        ("tuple[int, str]", "tuple"),
        ("dict[str, int]", "dict"),
        ("Mapping[str, int]", "dict"),
        ("set[int]", "set"),
        ("frozenset[int]", "frozenset"),
        ("Callable[[int], int]", "callable"),
        ("collections.abc.Callable", "callable"),
        ("Iterator[int]", "iterator"),
        ("Literal['up', 'down']", "choice"),
        ("Annotated[int, 'metres']", "int"),
        ("Final[int]", "int"),
        ("Optional[dict]", "dict"),
        ("'dict[str, int] | None'", "dict"),
        ("Union[set[int], None]", "set"),
        ("Thing", "class:Thing"),
        ("'Thing'", "class:Thing"),
        ("Alias", "dict"),
        ("T", "bytes"),
        ("UserId", "int"),
        ("datetime.date", "make:date"),
        ("Decimal", "make:Decimal"),
        ("Path", "make:Path"),
        ("None", "none"),
    ],
)
def test_annotations(annotation: str, kind: str) -> None:
    source = f"""
    Alias = dict[str, int]
    T = TypeVar("T", bound=bytes)
    UserId = NewType("UserId", int)
    class Thing:
        pass
    def f(a: {annotation}):
        pass
    """
    guess = first(source)
    assert guess.likeliest == kind
    assert guess.share(kind) > 0.7


def test_annotations_say_what_is_inside() -> None:
    guess = first("def f(a: dict[str, list[tuple[int, bytes]]]): pass")
    assert guess.elements().likeliest == "str"
    assert guess.items().likeliest == "list"
    pair = guess.items().inner()
    assert pair.likeliest == "tuple"
    assert [one.likeliest for one in pair.fields or []] == ["int", "bytes"]


def test_union_offers_all_and_none_least() -> None:
    guess = first("def f(a: int | str | None): pass")
    assert guess.share("int") > guess.share("none") > 0.01
    assert guess.share("str") > 0.2
    assert guess.share("list") < 0.01


def test_callables_know_their_arity_and_result() -> None:
    guess = first("def f(a: Callable[[int, str], bool]): pass")
    assert guess.arity == 2
    assert guess.calling().likeliest == "bool"


def test_literal_keeps_its_values() -> None:
    assert first("def f(a: Literal['up', 3]): pass").seeds == ["up", 3]


def test_constrained_type_variables() -> None:
    guess = first('N = TypeVar("N", int, float)\ndef f(a: N): pass')
    assert guess.share("int") + guess.share("float") > 0.9


@pytest.mark.parametrize(
    ("default", "kind"), [("3", "int"), ("''", "str"), ("True", "bool"), ("()", "tuple"), ("{}", "dict")]
)
def test_defaults(default: str, kind: str) -> None:
    guess = first(f"def f(thing={default}): pass")
    assert guess.likeliest == kind


def test_keyword_only_defaults() -> None:
    found = signature("def f(*, thing=b'', other): pass").parameters
    assert found[0].guess.likeliest == "bytes"
    assert [one.is_optional for one in found] == [True, False]


@pytest.mark.parametrize(
    "docstring",
    [
        ":type thing: set",
        ":param set thing: what",
        "Args:\n        thing (set): what",
        "Args:\n        thing (set, optional): what",
        "Parameters\n    ----------\n    thing : set\n        what",
        "Args:\n        thing (set of int): what",
    ],
)
def test_types_that_docstrings_state(docstring: str) -> None:
    guess = first(f'def f(thing):\n    """Does.\n\n    {docstring}\n    """\n')
    assert guess.likeliest == "set"


def test_doctests_are_examples() -> None:
    found = signature('''
    def f(thing, other):
        """
        >>> words = {"a": 1}
        >>> f(words,
        ...   other={3})
        3
        """
    ''')
    assert [one.text for one in found.examples] == ["{'a': 1}, other={3}"]
    assert found.parameters[0].guess.likeliest == "dict"
    assert found.parameters[1].guess.likeliest == "set"


def test_doctests_of_methods_give_the_object_first() -> None:
    found = signature(
        '''
    class Stack:
        """
        >>> s = Stack(2)
        >>> s.push({1})
        """
        def __init__(self, size): pass
        def push(self, thing): pass
    ''',
        "Stack.push",
    )
    assert [one.text for one in found.examples] == ["Stack(2), {1}"]
    assert found.parameters[1].guess.likeliest == "set"


def test_call_sites_are_examples() -> None:
    found = signature("""
    LIMIT = 3
    def f(thing, n): pass
    def test_f():
        data = [b"x"]
        assert f(data, LIMIT) == 2
        assert f(unknown, 1)
    if __name__ == "__main__":
        a, b = {}, 5
        print(f(a, b))
    """)
    assert [one.text for one in found.examples] == ["{}, 5", "[b'x'], LIMIT"]


def test_calls_from_elsewhere_come_first() -> None:
    found = signature("def f(thing): pass\nf(1)\n", calls=("{2}", "not valid("))
    assert [one.text for one in found.examples] == ["{2}", "1"]


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        ("x.split()", "str"),
        ("x.append(1)", "list"),
        ("x.items()", "dict"),
        ("x.isdisjoint(y)", "set"),
        ("x.bit_length()", "int"),
        ("x.hex()", "float"),
        ("x + 'a'", "str"),
        ("x + [1]", "list"),
        ("x + 1", "int"),
        ("x - 1", "int"),
        ("x * 2.5", "int"),
        ("'a' * x", "int"),
        ("x % 2 == 0", "int"),
        ("'%s' % 3 + x", "str"),
        ("-x", "int"),
        ("~x", "int"),
        ("x << 2", "int"),
        ("x[1:]", "str"),
        ("x['name']", "dict"),
        ("x[0] = 1; x[0:2]", "list"),
        ("x == 'a'", "str"),
        ("x < 3", "int"),
        ("x in 'abc'", "str"),
        ("x in (1, 2)", "int"),
        ("isinstance(x, list)", "list"),
        ("assert isinstance(x, set)", "set"),
        ("if not isinstance(x, tuple): raise TypeError", "tuple"),
        ("range(x)", "int"),
        ("ord(x)", "str"),
        ("chr(x)", "int"),
        ("math.sqrt(x)", "int"),
        ("re.sub('a', 'b', x)", "str"),
        ("','.join(x)", "list"),
        ("sum(x)", "list"),
        ("x(3)", "callable"),
        ("sorted([1], key=x)", "callable"),
        ("map(x, [1])", "callable"),
        ("next(x)", "iterator"),
        ("heapq.heappush(x, 1)", "list"),
        ("Box(x)", "bytes"),
        ("helper(x)", "dict"),
        ("y = x; y.items()", "dict"),
        ("a, b = x", "tuple"),
        ("x.width", "class:Box"),
    ],
)
def test_use_says_the_type(use: str, kind: str) -> None:
    source = f"""
    import heapq, math, re
    class Box:
        def __init__(self, width: bytes):
            self.width = width
    def helper(a):
        return a.items()
    def f(x, y=None):
        {use}
    """
    guess = first(source)
    assert guess.likeliest == kind
    if kind not in ("bytes", "float", "iterator", "int"):
        assert guess.share(kind) > 0.4


def test_strings_are_unlikely_where_elements_are_numbers() -> None:
    guess = body("for thing in x:\n    total = thing * 2.0 - 1")
    assert guess.share("str") < 0.05
    assert guess.inner().likeliest == "int"


@pytest.mark.parametrize(
    ("use", "element"),
    [
        ("for w in x: w.lower()", "str"),
        ("for i, w in enumerate(x): w.items()", "dict"),
        ("for a, b in zip([1], x): b.lower()", "str"),
        ("[w.lower() for w in x]", "str"),
        ("x[0].lower()", "str"),
        ("sorted(x)[0].lower()", "str"),
        ("x.append('a')", "str"),
        ("x.index(3)", "int"),
        ("max(x).lower()", "str"),
        ("sum(x)", "int"),
        ("list(map(ord, x))", "str"),
        ("sorted(x, key=lambda w: w.lower())", "str"),
        ("for row in x:\n    for v in row: v + 1.5", "list"),
        ("for a, b in x: pass", "tuple"),
    ],
)
def test_use_says_what_is_inside(use: str, element: str) -> None:
    guess = body(use)
    assert guess.inner().likeliest == element


def test_pairs_know_their_parts() -> None:
    guess = body("for name, count in x:\n    name.lower(); range(count)")
    assert [one.likeliest for one in guess.inner().fields or []] == ["str", "int"]


def test_dicts_know_keys_and_values() -> None:
    guess = body("for k, v in x.items():\n    k.lower(); v.append(1)")
    assert guess.likeliest == "dict"
    assert guess.elements().likeliest == "str"
    assert guess.items().likeliest == "list"
    named = body("return x['name'].lower() + x['size'].lower()")
    assert list(named.keys) == ["name", "size"]


def test_a_text_that_is_iterated_over_may_still_be_one() -> None:
    assert body("for c in x:\n    if c.isalpha(): pass").share("str") > 0.2


def test_what_a_called_parameter_gives() -> None:
    guess = body("return x(1, 2) + 'a'")
    assert guess.arity == 2
    assert guess.calling().likeliest == "str"


def test_parameters_that_are_compared_are_alike() -> None:
    assert body("y.lower()\nreturn x == y", "x, y").share("str") > 0.6


def test_constant_indexes_ask_for_length() -> None:
    assert body("return x[0] + x[3]").length == 4
    assert body("return x[1000]").length == 0


def test_constants_to_compare_with_are_remembered() -> None:
    assert body("if x == 'add' or x in ('sub', 'mul'): pass").seeds == ["add", "sub", "mul"]
    assert body("match x:\n    case 'up' | 'down': pass").seeds == ["up", "down"]


def test_names_are_weak_hints() -> None:
    found = signature("def f(n, text, items, config, func, is_big, words): pass").parameters
    assert [one.guess.likeliest for one in found] == ["int", "str", "list", "dict", "callable", "bool", "list"]
    assert found[-1].guess.inner().likeliest == "str"
    assert body("x.items()", "text").likeliest == "str"
    assert first("def f(text):\n    text.items()\n    text.keys()").likeliest == "dict"


def test_methods_take_their_object_and_teach_the_constructor() -> None:
    source = """
    class Bag:
        def __init__(self, thing):
            self.thing = thing
        def size(self, other):
            self.thing.items()
            return other.lower()
        @staticmethod
        def plain(a): return a.lower()
        @classmethod
        def made(cls, a): return a.lower()
    def f(bag):
        bag.thing.items()
    """
    module = Module(textwrap.dedent(source))
    found = infer(module, "Bag.size")
    assert found.owner == "Bag"
    assert found.parameters[0].guess.likeliest == "class:Bag"
    assert found.parameters[0].guess.attributes["thing"].likeliest == "dict"
    for entry in ("Bag.plain", "Bag.made"):
        assert [one.guess.likeliest for one in infer(module, entry).parameters] == ["str"]


def test_recursion_and_mutual_recursion_end() -> None:
    source = "def f(a): return g(a) if a else f(a - 1)\ndef g(a): return f(a - 1)\n"
    assert first(source).likeliest == "int"


def test_missing_definitions() -> None:
    with pytest.raises(UsageError, match="no definition"):
        signature("x = 1")
    with pytest.raises(UsageError, match="does not parse"):
        signature("def f(:")


def test_constants_of_the_source() -> None:
    module = Module(
        "WORDS = {'red': 7}\n"
        "def f(x=99):\n"
        "    'docstring'\n"
        "    if x > 10: raise ValueError('too big')\n"
        "    return WORDS[x] + 'a' + f'b{x}' + str(0.5)\n"
    )
    found = constants(module.functions["f"], module.assigned)
    assert (found.ints, found.floats, found.texts) == ([10, 7], [0.5], ["red", "a"]) or sorted(found.texts) == ["a", "red"]
    assert 99 not in found.ints
    assert "too big" not in found.texts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "-2.5, 'a'",
        "[1, (2,), {3}], k={'a': None}",
        "Node(3, left=Node(1))",
        "lambda x: x + 1",
        "*[1, 2]",
        "set()",
        "b'\\x00'",
    ],
)
def test_argument_lists_keep_their_text(text: str) -> None:
    found = parse_arguments(text)
    assert found is not None
    assert found.text == text


@pytest.mark.parametrize("text", ["1,,", "**{'a': 1}", ")", "x" * 10_000])
def test_argument_lists_that_are_none(text: str) -> None:
    assert parse_arguments(text) is None


def test_arguments_of_a_call_node() -> None:
    import ast

    call = ast.parse("f(1, {'a': [g]}, {**x})", mode="eval").body
    assert isinstance(call, ast.Call)
    found = arguments_of(call)
    assert found is not None
    assert found.text == "1, {'a': [g]}, {**x}"
