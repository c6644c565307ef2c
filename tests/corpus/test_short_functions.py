"""Short functions: the same seed the same function; what is said of them is so."""

import ast
from itertools import islice

from foretrace.corpus.short_functions import SHOWN, short_function, short_functions


def test_a_seed_has_one_function() -> None:
    assert short_function(7) == short_function(7)
    assert list(islice(short_functions(3), 2)) == [short_function(3), short_function(4)]


def test_examples_hold_and_tell_the_function_from_others() -> None:
    for seed in range(300):
        function = short_function(seed)
        assert len(function.examples) == len(dict(function.examples)) == 10 > SHOWN
        namespace: dict[str, object] = {}
        exec(function.source, namespace)
        for arguments, value in function.examples:
            assert repr(eval(f"f({arguments})", namespace)) == value
            assert ast.literal_eval(value) == ast.literal_eval(value)
        assert len({value for _, value in function.examples}) >= 3  # none is constant
        assert any(arguments != value for arguments, value in function.examples)  # nor gives its argument back


def test_they_are_short_and_of_many_kinds() -> None:
    sources = [short_function(seed).source for seed in range(1000)]
    assert max(source.count("\n") for source in sources) <= 6
    assert len(set(sources)) > 650
    for word in ("for x in xs", "if ", "sorted(", ".append(", "def f(n)", "def f(words)", "def f(s)", " else "):
        assert sum(word in source for source in sources) >= 20, word
