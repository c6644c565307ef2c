"""Generated and mutated argument lists: typed, small, repeatable, and evaluable in the module."""

import ast
import random
import textwrap
from collections import Counter
from typing import Any

import pytest

from foretrace.corpus.arguments.constants import Constants, constants
from foretrace.corpus.arguments.generate import Generator
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.hypothesis_strategies import by_hypothesis
from foretrace.corpus.arguments.infer import Inference, infer
from foretrace.corpus.arguments.model import propose, read_reply
from foretrace.corpus.arguments.module import Module
from foretrace.corpus.arguments.mutate import cross, mutate, relate
from foretrace.corpus.arguments.terms import Arguments, copy_arguments, parse_arguments
from foretrace.errors import UsageError
from foretrace.record.program import evaluate_arguments, load_module

COUNT = 120


def generator(source: str, entry: str = "f", seed: int = 0) -> Generator:
    module = Module(textwrap.dedent(source))
    inference = Inference(module)
    signature = infer(module, entry, (), inference)
    pool = constants(module.find(entry)[0], module.assigned)
    return Generator(random.Random(seed), inference, signature, pool)


def values(source: str, entry: str = "f", count: int = COUNT) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Many generated argument lists, evaluated in the module."""
    source = textwrap.dedent(source)
    namespace = load_module(source, "<test>")
    made = generator(source, entry)
    return [evaluate_arguments(made.arguments().text, namespace) for _ in range(count)]


def first_values(annotation: str, prefix: str = "") -> list[Any]:
    return [args[0] for args, _ in values(f"{textwrap.dedent(prefix)}\ndef f(a: {annotation}):\n    return a\n")]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("int", int),
        ("str", str),
        ("bytes", bytes),
        ("bool", bool),
        ("list", list),
        ("dict", dict),
        ("set", set),
        ("tuple", tuple),
    ],
)
def test_values_have_the_annotated_type(annotation: str, kind: type) -> None:
    kinds = Counter(type(value) for value in first_values(annotation))
    assert kinds[kind] > 0.9 * COUNT


def test_nested_types() -> None:
    found = first_values("dict[str, list[tuple[int, str]]]")
    pairs = [pair for value in found for inner in value.values() for pair in inner]
    fit = [p for p in pairs if len(p) == 2 and type(p[0]) is int and type(p[1]) is str]
    assert len(pairs) > 100
    assert len(fit) > 0.9 * len(pairs)


def test_numbers_are_mostly_small_and_sometimes_edges() -> None:
    found = first_values("int")
    assert sum(0 <= value <= 10 for value in found) > COUNT / 2
    assert any(value < 0 for value in found)
    assert 0 in found
    assert max(map(abs, found)) <= 1000


def test_lists_are_short_and_sometimes_empty_sorted_or_repetitive() -> None:
    found = first_values("list[int]")
    assert max(map(len, found)) <= 12
    assert [] in found
    assert any(len(x) > 2 and x == sorted(x) for x in found)
    assert any(len(set(x)) < len(x) for x in found)
    assert any(x != sorted(x) for x in found)


def test_texts_are_readable_and_diverse() -> None:
    found = first_values("str")
    assert len(set(found)) > 0.8 * COUNT
    assert sum(text.replace(" ", "").isalnum() for text in found) > COUNT / 2
    assert max(map(len, found)) < 100


def test_rows_of_a_matrix_mostly_have_one_length() -> None:
    found = [value for value in first_values("list[list[int]]") if value]
    assert sum(len({len(row) for row in value}) == 1 for value in found) > 0.4 * len(found)


def test_lists_of_one_call_are_often_of_one_length() -> None:
    found = values("def f(a: list[int], b: list[int]): pass")
    assert sum(len(args[0]) == len(args[1]) for args, _ in found) > 0.3 * COUNT


def test_constants_of_the_source_are_tried() -> None:
    found = [args for args, _ in values("def f(mode, n):\n    if mode == 'encrypt' and n > 77: return mode")]
    assert any(mode == "encrypt" for mode, _ in found)
    assert any(n in (76, 77, 78) for _, n in found)


def test_dicts_have_the_keys_that_are_asked_for() -> None:
    found = [args[0] for args, _ in values("def f(d):\n    return d['name'].lower() + d['town'].lower()")]
    assert sum(isinstance(d, dict) and {"name", "town"} <= set(d) for d in found) > 0.6 * COUNT


def test_members_are_often_in_the_container() -> None:
    source = "def f(names, one):\n    names.append('a')\n    return names.index(one)"
    found = [args for args, _ in values(source) if isinstance(args[0], list)]
    assert sum(one in names for names, one in found) > 0.15 * len(found)


def test_graphs_are_closed() -> None:
    found = [value for value in first_values("dict[int, list[int]]") if value]
    assert sum(all(n in graph for near in graph.values() for n in near) for graph in found) > 0.4 * len(found)


def test_callables_fit_how_they_are_called() -> None:
    for args, _ in values("from typing import Callable\ndef f(fn: Callable[[int, int], int]): pass"):
        args[0](3, 4)
    for args, _ in values("def f(fn):\n    return [fn(w) for w in ('a', 'b')]"):
        if callable(args[0]):
            args[0]("a")


def test_instances_enumerations_and_the_library() -> None:
    prefix = """
    import datetime
    from decimal import Decimal
    from enum import Enum
    from abc import ABC, abstractmethod
    from dataclasses import dataclass
    class Colour(Enum):
        RED = 1
        BLUE = 2
    @dataclass
    class Point:
        x: int
        y: int = 0
    class Shape(ABC):
        @abstractmethod
        def area(self): ...
    class Square(Shape):
        def __init__(self, side: int): self.side = side
        def area(self): return self.side
    class Node:
        def __init__(self, value: int, next: "Node"): self.value, self.next = value, next
    """
    assert {value.name for value in first_values("Colour", prefix)} == {"RED", "BLUE"}
    assert all(type(value.x) is int for value in first_values("Point", prefix))
    assert {type(value).__name__ for value in first_values("Shape", prefix)} == {"Square"}
    assert all(type(value.value) is int for value in first_values("Node", prefix) if value is not None)
    assert all(value.year > 1900 for value in first_values("datetime.date", prefix))
    assert {type(value).__name__ for value in first_values("Decimal", prefix)} == {"Decimal"}
    assert set(first_values("'Literal[1, \"up\"]'", prefix)) == {1, "up"}


STACK = """
class Stack:
    def __init__(self, limit: int = 10):
        self.items, self.limit = [], limit
    def push(self, item: int) -> None:
        self.items.append(item)
    def pop(self):
        return self.items.pop()
    @classmethod
    def of(cls, items: list): return cls()
    @staticmethod
    def double(n: int): return n * 2
"""


def test_methods_get_an_object_first_and_it_is_often_filled() -> None:
    found = [args[0] for args, _ in values(STACK, "Stack.pop")]
    assert {type(one).__name__ for one in found} == {"Stack"}
    filled = sum(bool(one.items) for one in found)
    assert 0.2 * COUNT < filled < 0.9 * COUNT


def test_static_and_class_methods_get_no_object() -> None:
    assert all(type(args[0]) is int and len(args) == 1 for args, _ in values(STACK, "Stack.double"))
    assert all(type(args[0]) is list and len(args) == 1 for args, _ in values(STACK, "Stack.of"))


def test_every_kind_of_parameter_binds() -> None:
    import inspect

    source = "def f(a: int, /, b: int, c: int = 1, *rest: int, d: int, e: int = 2, **more): pass"
    binding = inspect.signature(load_module(source, "<test>")["f"])
    shapes = set()
    for args, kwargs in values(source):
        binding.bind(*args, **kwargs)
        shapes.add((len(args), tuple(sorted(kwargs))))
    assert len(shapes) > 5


def test_objects_with_the_attributes_that_are_used() -> None:
    found = values("def f(thing):\n    return thing.width + thing.height_of('x')")
    assert sum(hasattr(args[0], "width") for args, _ in found) > COUNT / 2


def test_self_referring_types_stay_small() -> None:
    source = "def f(tree: 'dict[str, Tree]'): pass\nTree = dict[str, 'Tree']\n"
    made = generator(source)
    assert max(len(made.arguments().text) for _ in range(COUNT)) < 700


def test_the_same_seed_gives_the_same() -> None:
    source = "def f(a, b: set, c: dict): return a"
    texts = [[generator(source, seed=seed).arguments().text for _ in range(1)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


# mutation -----------------------------------------------------------------------------------------------------------


def test_mutation_keeps_types_and_leaves_the_original() -> None:
    source = "def f(a: int, b: str, c: list[int], d: dict[str, float], e: tuple[int, bool]): pass"
    made, rng = generator(source), random.Random(3)
    original = parse_arguments("5, 'word', [1, 2, 3], {'a': 1.5}, (1, True)")
    assert original is not None
    before, seen = original.text, set()
    for _ in range(300):
        changed = mutate(rng, original, made)
        seen.add(changed.text)
        values = ast.literal_eval(f"({changed.text},)")
        assert [type(v) for v in values] == [int, str, list, dict, tuple]
    assert original.text == before
    assert len(seen) > 200


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5", {"6", "4", "0", "-5", "50"}),
        ("[1, 2]", {"[2, 1]", "[1]", "[1, 1, 2]"}),
        ("'ab'", {"'ba'", "'a'", "'aab'"}),
        ("True", {"False"}),
        ("{'a': 1}", {"{}"}),
        ("Node(3)", {"Node(4)"}),
    ],
)
def test_what_mutation_does(text: str, wanted: set[str]) -> None:
    made, rng, original = generator("def f(a=None): return 'x'"), random.Random(0), parse_arguments(text)
    assert original is not None
    assert wanted <= {mutate(rng, original, made).text for _ in range(1500)}


def test_mutation_uses_constants() -> None:
    made = generator("def f(a: str, b: int):\n    if a.startswith('magic-') and b == 4321: return 1")
    texts = {mutate(made.rng, Arguments(["word", 5]), made).text for _ in range(400)}
    assert any("magic-" in text for text in texts)
    assert any("4321" in text for text in texts)


def test_mutation_keeps_values_small() -> None:
    made, current = generator("def f(a: int, b: list, c: str): pass"), Arguments([5000, [1] * 10, "x" * 50])
    for _ in range(500):
        current = mutate(made.rng, current, made)
        assert len(current.text) <= 300
        assert abs(current.positional[0]) <= 10_000


def test_crossing_and_relating() -> None:
    rng, one, other = random.Random(1), Arguments([1, 2], {"k": 3}), Arguments([10, 20], {"k": 30})
    texts = set()
    for _ in range(60):
        copied = copy_arguments(one)
        cross(rng, copied, other)
        texts.add(copied.text)
    assert len(texts) == 8
    assert {relate(rng, 0, [4, 5]) for _ in range(30)} == {4, 5}
    assert relate(rng, 0, "text") == 0


# proposals from elsewhere -------------------------------------------------------------------------------------------

REPLY = """Sure! Here are the calls:

```python
f([1, 2], key=len)
result = f(["a"], None)
assert f((), 3) == 4
f(undefined_name)
```

1. `f({1}, 2)`
- f('b'); it fails
>>> f([1, 2], key=len)
print(f(7, 8))
"""


def test_replies_of_models_are_read_leniently() -> None:
    source = "def f(a, key=None): return a"
    found = read_reply(REPLY, source, "f")
    assert found[:3] == ["[1, 2], key=len", "['a'], None", "(), 3"]
    assert {"{1}, 2", "7, 8"} <= set(found)
    assert not any("undefined" in text for text in found)
    assert read_reply('["f(1)", "f(2, 3)"]', source, "f") == ["1", "2, 3"]
    assert read_reply("I cannot do that (sorry).", source, "f") == []
    assert read_reply("", source, "f") == []


def test_prompts_show_the_source_and_methods_get_their_object() -> None:
    prompts = []

    def complete(prompt: str) -> str:
        prompts.append(prompt)
        return "Stack(3).push(4)\nStack.push(Stack(), 5)\n"

    assert propose(complete, STACK, "Stack.push") == ["Stack(3), 4", "Stack(), 5"]
    assert STACK in prompts[0]
    assert "Stack.push" in prompts[0]
    with pytest.raises(UsageError):
        propose(complete, "def f(:", "f")


def test_hypothesis_gives_the_same_for_the_same_seed() -> None:
    pytest.importorskip("hypothesis")

    def f(a: int, b: dict[str, bool], c: str = "") -> None: ...

    def g(a) -> None: ...

    found = by_hypothesis(f, seed=1)
    assert found == by_hypothesis(f, seed=1)
    assert len(found) > 5
    for text in found:
        number, mapping = ast.literal_eval(f"({text})")
        assert type(number) is int
        assert type(mapping) is dict
    assert by_hypothesis(g) == []


def test_guesses_learn() -> None:
    guess = Guess()
    before = guess.share("int")
    guess.favour(("int",), 5)
    assert guess.share("int") > before
    guess.restrict(("str", "list"))
    assert guess.share("int") < 0.3
    known = Guess("int")
    known.restrict(("str",))
    assert known.share("int") == 1.0


def test_an_empty_pool_is_fine() -> None:
    module = Module("def f(a): pass")
    inference = Inference(module)
    made = Generator(random.Random(0), inference, infer(module, "f", (), inference), Constants())
    assert made.arguments().text
