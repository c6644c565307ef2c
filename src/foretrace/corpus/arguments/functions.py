"""Functions as arguments: lambdas and built-ins, by how many arguments they get and what is done with what they give.

callable_text(rng, guess)            # 'lambda x: x % 2 == 0'
"""

import random

from foretrace.corpus.arguments.guess import Guess

_ONE: dict[str, tuple[str, ...]] = {
    "int": (
        "lambda x: x + 1",
        "lambda x: x * 2",
        "abs",
        "lambda x: -x",
        "lambda x: x * x",
        "lambda x: x // 2",
        "lambda x: x % 3",
    ),
    "float": (
        "lambda x: x * 0.5",
        "lambda x: x ** 2 - 2",
        "lambda x: x + 1.5",
        "float",
        "lambda x: x * x",
        "lambda x: 2 * x - 3",
    ),
    "str": ("str.upper", "str.strip", "lambda s: s + '!'", "str.title", "lambda s: s[::-1]", "str.lower", "lambda s: s * 2"),
    "list": ("sorted", "list", "lambda xs: xs[1:]", "lambda xs: [*xs, 1]", "lambda xs: xs[::-1]"),
    "bool": ("bool", "lambda x: not x"),
    "any": ("lambda x: x", "str", "repr", "lambda x: [x]", "lambda x: (x, x)", "lambda x: None"),
}
_TESTS: dict[str, tuple[str, ...]] = {
    "int": ("lambda x: x > 2", "lambda x: x % 2 == 0", "lambda x: x < 5", "lambda x: x == 3", "lambda x: x >= 0"),
    "float": ("lambda x: x > 1", "lambda x: x < 5.5", "lambda x: x >= 0"),
    "str": ("str.isalpha", "str.isupper", "lambda s: 'a' in s", "lambda s: len(s) > 2", "str.isdigit", "lambda s: s > 'm'"),
    "list": ("lambda xs: len(xs) > 1", "any", "all"),
    "any": ("bool", "lambda x: x is not None", "lambda x: True", "lambda x: isinstance(x, int)", "lambda x: not x"),
}
_SIZES: dict[str, tuple[str, ...]] = {
    "str": ("len", "ord", "lambda s: s.count('a')"),
    "list": ("len", "sum", "lambda xs: len(xs) * 2"),
}
_TWO: dict[str, tuple[str, ...]] = {
    "int": ("lambda a, b: a + b", "lambda a, b: a * b", "max", "min", "lambda a, b: a - b", "pow", "divmod"),
    "float": ("lambda a, b: a + b", "lambda a, b: a - b", "max", "lambda x, y: x * y", "lambda x, y: x + 0.5 * y"),
    "str": ("lambda a, b: a + b", "lambda a, b: a + ' ' + b", "max"),
    "list": ("lambda a, b: a + b", "lambda a, b: [*a, b]"),
    "any": ("lambda a, b: a", "lambda a, b: (a, b)", "lambda a, b: b", "lambda a, b: [a, b]"),
}
_COMPARE = ("lambda a, b: a < b", "lambda a, b: a == b", "lambda a, b: a > b", "lambda a, b: a != b")
_NONE = ("lambda: 1", "lambda: 'x'", "lambda: [1, 2]", "int", "list", "dict", "lambda: None", "lambda: 0")
_KINDS = ("int", "float", "str", "list", "bool")
_LIKELY = 0.55


def callable_text(rng: random.Random, guess: Guess) -> str:
    """The text of a function that fits what is known of how it is called."""
    arity = guess.arity if guess.arity is not None else rng.choice((1, 1, 1, 1, 2, 0))
    given = guess.fields[0] if guess.fields else Guess()
    kind = _draw(rng, given)
    result = guess.result
    wanted = result.likeliest if result is not None and result.share(result.likeliest) > _LIKELY else "any"
    if arity == 0:
        return rng.choice(_NONE)
    if arity > 2:
        names = ", ".join("abcdefgh"[:arity]) if arity <= 8 else "*a"
        return f"lambda {names}: {rng.choice(('a', '0', 'True', '(a,)'))}"
    if arity == 2:
        return rng.choice(
            _COMPARE if wanted == "bool" or (wanted == "any" and rng.random() < 0.15) else _TWO.get(kind, _TWO["any"])
        )
    if wanted in ("int", "float") and kind in _SIZES:
        return rng.choice(_SIZES[kind])
    roll = rng.random()
    if wanted == "bool" or (wanted == "any" and roll < 0.35):
        return rng.choice(_TESTS.get(kind if roll < 0.3 or wanted == "bool" else "any", _TESTS["any"]))
    return rng.choice(_ONE.get(kind if roll < 0.85 else "any", _ONE["any"]))


def _draw(rng: random.Random, guess: Guess) -> str:
    """The kind that the function gets, as far as it is known."""
    weights = [guess.weights().get(kind, 0.0) for kind in _KINDS]
    return rng.choices(_KINDS, weights)[0] if any(weights) else "any"
