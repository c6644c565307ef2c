"""Argument lists that people could have written, by what is known of the parameters.

generator = Generator(random.Random(1), inference, signature, constants(function, {}))
generator.arguments().text            # "['red', 'fox'], 3"

Values are short and plain; now and then they are empty, negative, repeated or not sorted. `generator.choices` says which
type was chosen for which guess, so that what happens can change the guesses.
"""

import random
from collections.abc import Callable
from typing import Any

from foretrace.corpus.arguments.constants import Constants
from foretrace.corpus.arguments.functions import callable_text
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.infer import Inference, Parameter, Signature
from foretrace.corpus.arguments.library import made_value
from foretrace.corpus.arguments.objects import Objects
from foretrace.corpus.arguments.scalars import Scalars
from foretrace.corpus.arguments.terms import Arguments, Construction, Expression, SetOf, copy_term

Choice = tuple[str, Guess, str]
"""Parameter, guess and the type that was chosen for it."""
_DEEPEST = 4
_MOST_VALUES, _FEW_VALUES = 60, 10
"""In one argument, at first and if its text became too long."""
_OPEN = 0.6
"""A parameter whose likeliest type is less probable can be anything."""
_RELATED = 0.3
_EVEN = 0.65
"""How often the rows of a matrix are of one length."""
_MIXED = 0.08
"""How often the elements of a container may be of different types."""
_LONGEST = 300
_EMPTY: dict[str, Any] = {"list": [], "tuple": (), "dict": {}, "set": SetOf()}
_SIMPLE = ("int", "str", "float", "bool")
_HASHABLE = {"int": 1.0, "str": 1.0, "tuple": 1.0, "float": 0.2, "bool": 0.1, "bytes": 0.2, "none": 0.1}
"""What can be a key, and how usual that is."""


class Generator:
    """Makes argument lists for one signature."""

    def __init__(
        self, rng: random.Random, inference: Inference, signature: Signature, pool: Constants | None = None
    ) -> None:
        self.rng, self.inference, self.signature = rng, inference, signature
        self.module = inference.module
        self.scalars = Scalars(rng, pool or Constants())
        self.objects = Objects(self)
        self.choices: list[Choice] = []
        self.parameter = ""
        self._length: int | None = None
        """Of the lists of this argument list, if they are to be alike."""
        self._is_even = False
        """All rows of a matrix are to be of that length."""
        self._left = 0
        """Values that the argument may still consist of."""
        self._sizes: list[int] = []
        """Lengths of the lists and texts of this argument list so far."""
        self._keys_before: list[Any] = []
        """Of the last dict."""
        self._earlier: dict[type, list[Any]] = {}
        """Numbers and texts of this argument list so far: others are often related to them."""

    def arguments(self) -> Arguments:
        """A new argument list."""
        self.choices.clear()
        rng = self.rng
        self._length = rng.randint(1, 5) if rng.random() < 0.6 else None
        self._earlier.clear()
        self._sizes.clear()
        self._keys_before = []
        made = Arguments()
        is_named = False
        for parameter in self.signature.parameters:
            if parameter.place == "double star":
                continue
            if parameter.is_optional and rng.random() < (0.3 if parameter.place == "star" else 0.6):
                is_named = is_named or parameter.place == "either"
                continue
            if parameter.place == "star":
                made.positional.extend(self.of(parameter) for _ in range(0 if is_named else rng.randint(1, 3)))
            elif parameter.place == "keyword" or (is_named and parameter.place == "either"):
                made.keywords[parameter.name] = self.of(parameter)
            elif not is_named:
                made.positional.append(self.of(parameter))
        return made

    def of(self, parameter: Parameter) -> Any:
        """A value for a parameter."""
        self.parameter = parameter.name
        guess, earlier = parameter.guess, self._earlier
        chance = 2 * _RELATED if guess.is_member else _RELATED
        if any(earlier.values()) and self.rng.random() < chance and guess.share(guess.likeliest) < _OPEN:
            return self.rng.choice([one for values in earlier.values() for one in values])
        for most in (_MOST_VALUES, _FEW_VALUES):
            self._left = most
            made = self.value(guess)
            if len(repr(made)) <= _LONGEST:
                break
        else:
            made = self.value(guess, _DEEPEST)
        if isinstance(made, list | str | tuple) and made:
            self._sizes.append(len(made))
        elif isinstance(made, dict):
            self._keys_before = list(made)
        return made

    def value(self, guess: Guess, depth: int = 0) -> Any:
        """A value of a type drawn from the guess."""
        return self.of_kind(guess, guess.draw(self.rng, depth > 0), depth)

    def of_kind(self, guess: Guess, kind: str, depth: int) -> Any:
        """A value of a type."""
        self._left -= 1
        if (depth >= _DEEPEST or self._left < 0) and kind in _EMPTY:
            simple = max(_SIMPLE, key=guess.share)
            if guess.share(simple) < 0.1:
                return copy_term(_EMPTY[kind])
            kind = simple
        if not guess.is_known:
            self.choices.append((self.parameter, guess, kind))
        if kind == "int" or kind == "str":
            return self._simple(guess, kind, depth)
        name = kind.removeprefix("class:")
        if name is not kind:
            return self.objects.instance(name, guess, depth)
        name = kind.removeprefix("make:")
        if name is not kind:
            return made_value(self.rng, self.module.imports, name)
        return self._MAKERS[kind](self, guess, depth)

    def _simple(self, guess: Guess, kind: str, depth: int) -> Any:
        """A number or text: now and then one that is already there, or a part of it."""
        rng = self.rng
        earlier = self._earlier.get(int if kind == "int" else str)
        chance = 2 * _RELATED if guess.is_member else _RELATED if depth == 0 else _RELATED / 3
        if kind == "int" and guess.is_member and self._sizes and rng.random() < _RELATED:
            return rng.randrange(rng.choice(self._sizes))
        if earlier and rng.random() < chance:
            found = rng.choice(earlier)
            if kind == "str" and len(found) > 1 and (guess.is_character or rng.random() < 0.6):
                start = rng.randrange(len(found))
                found = found[start : start + (1 if guess.is_character else rng.choice((1, 1, 2, 3)))]
            if kind == "int" or (found and len(found) <= 60):
                return found
        made = self.scalars.int_(guess, depth) if kind == "int" else self.scalars.str_(guess, depth)
        if len(self._earlier.setdefault(type(made), [])) < 30:
            self._earlier[type(made)].append(made)
        return made

    def _choice(self, guess: Guess, depth: int) -> Any:
        return self.rng.choice(guess.seeds) if guess.seeds else None

    def _callable(self, guess: Guess, depth: int) -> Expression:
        return Expression(callable_text(self.rng, guess))

    # containers -------------------------------------------------------------------------------------------------------

    def _count(self, guess: Guess) -> int:
        rng = self.rng
        if self._length is not None and rng.random() < (1.0 if self._is_even else 0.9):
            return max(self._length, guess.length)
        if rng.random() < 0.07 or self._left <= 0:
            return guess.length
        return max(rng.randint(1, 5) if rng.random() < 0.8 else rng.randint(1, 9), guess.length)

    def _list(self, guess: Guess, depth: int) -> list[Any]:
        if guess.fields:
            return [self.value(one, depth + 1) for one in guess.fields]
        rng, inner = self.rng, guess.inner()
        count = self._count(guess) if depth == 0 else min(self._count(guess), 5)
        kind = inner.draw(rng, True)
        nested = ("list", "tuple", "dict", "set")
        was_even = self._is_even
        if kind in nested and rng.random() < _EVEN:
            self._length, self._is_even = self._length or rng.randint(1, 4), True
            count = count if rng.random() < 0.4 else max(self._length, guess.length)  # mostly square
        is_mixed = rng.random() < _MIXED
        made = [self.of_kind(inner, inner.draw(rng, True) if is_mixed else kind, depth + 1) for _ in range(count)]
        self._is_even = was_even
        if made and rng.random() < 0.15:
            made.append(made[rng.randrange(len(made))])
        if rng.random() < 0.2:
            _sort(made)
        return made

    def _tuple(self, guess: Guess, depth: int) -> tuple[Any, ...]:
        if guess.fields is not None:
            return tuple([self.value(one, depth + 1) for one in guess.fields])
        return tuple(self._list(guess, depth + 1))

    def _set(self, guess: Guess, depth: int) -> SetOf:
        return SetOf(self._keys(guess.elements(), self._count(guess), depth))

    def _frozenset(self, guess: Guess, depth: int) -> Construction:
        return Construction("frozenset", Arguments([self._list(guess, depth)]))

    def _iterator(self, guess: Guess, depth: int) -> Construction:
        return Construction("iter", Arguments([self._list(guess, depth)]))

    def _keys(self, guess: Guess, count: int, depth: int) -> list[Any]:
        """Different values that can be keys, mostly of one type."""
        weights = guess.weights()
        kinds = [kind for kind in weights if kind in _HASHABLE and weights[kind] > 0] or ["str"]
        chances = [weights.get(kind, 1.0) * _HASHABLE[kind] for kind in kinds]
        drawn = self.rng.choices(kinds, chances, k=count if self.rng.random() < _MIXED else 1)
        made = [self.of_kind(guess, drawn[i % len(drawn)], max(depth, 2)) for i in range(count)]
        try:
            return list(dict.fromkeys(made))
        except TypeError:  # a tuple of lists
            return list(dict.fromkeys(self.scalars.int_(guess, depth) for _ in range(count)))

    def _dict(self, guess: Guess, depth: int) -> dict[Any, Any]:
        rng = self.rng
        if guess.keys:
            chosen = [name for name in guess.keys if rng.random() < 0.93]
            made: dict[Any, Any] = {name: self.value(guess.keys[name], depth + 1) for name in chosen}
            return made
        keys, items = self._keys(guess.elements(), self._count(guess), depth), guess.items()
        if self._keys_before and rng.random() < _RELATED:
            keys = self._keys_before
        if items.share("list") + items.share("dict") + items.share("set") > 0.6 and rng.random() < 0.7:
            return {key: self._neighbours(keys, key, items, depth) for key in keys}
        kind, is_mixed = items.draw(rng, True), rng.random() < _MIXED
        return {key: self.of_kind(items, items.draw(rng, True) if is_mixed else kind, depth + 1) for key in keys}

    def _neighbours(self, keys: list[Any], key: Any, guess: Guess, depth: int) -> Any:
        """As in a graph: what is under a key is made of keys."""
        inner = guess.inner()
        made = self.value(guess, depth + 1)
        if not isinstance(made, list | dict) or not made or inner.share("list") > 0.5:
            return made
        others = [self.rng.choice(keys) for _ in range(min(len(made), 3))]
        if isinstance(made, dict):
            return dict(zip(others, made.values(), strict=False))
        if all(isinstance(one, tuple) and one and type(one[0]) is type(key) for one in made):
            return [(other, *one[1:]) for other, one in zip(others, made, strict=False)]
        return type(made)(dict.fromkeys(others)) if type(made[0]) is type(key) else made

    def _object(self, guess: Guess, depth: int) -> Expression:
        """An object that has the attributes that are used."""
        parts = ", ".join(f"{name!r}: {self._attribute(one, depth)}" for name, one in list(guess.attributes.items())[:8])
        return Expression(f"type('Thing', (), {{{parts}}})()")

    def _attribute(self, guess: Guess, depth: int) -> str:
        if guess.result is not None or guess.share("callable") > 0.5:
            return f"lambda self, *args: {self.value(guess.calling(), depth + 2)!r}"
        return repr(self.value(guess, depth + 1))

    _MAKERS: "dict[str, Callable[[Generator, Guess, int], Any]]" = {  # noqa: RUF012
        "float": lambda self, guess, depth: self.scalars.float_(guess, depth),
        "bool": lambda self, guess, depth: self.scalars.bool_(guess, depth),
        "none": lambda self, guess, depth: None,
        "complex": lambda self, guess, depth: self.scalars.complex_(guess, depth),
        "bytes": lambda self, guess, depth: self.scalars.bytes_(guess, depth),
        "bytearray": lambda self, guess, depth: Construction("bytearray", Arguments([self.scalars.bytes_(guess, depth)])),
        "choice": _choice,
        "callable": _callable,
        "list": _list,
        "tuple": _tuple,
        "set": _set,
        "frozenset": _frozenset,
        "iterator": _iterator,
        "dict": _dict,
        "object": _object,
    }


def _sort(values: list[Any]) -> None:
    try:
        values.sort()
    except TypeError:
        return
