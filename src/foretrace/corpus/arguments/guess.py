"""What is known of one value before it exists: how probable each type is, and what is in it.

guess = Guess()
guess.restrict(("str", "list"))          # it is iterated over
guess.elements().restrict(("str",))      # and what comes is lowered
guess.share("list")                      # 0.46

Types are named by words: those of `PRIOR`, `class:Node` for an instance of a class of the module, `choice` for one of the
`seeds`, and `make:date` for a value of the standard library that is made by a call. Evidence multiplies: what is used in
two ways has the types that allow both.
"""

import random
from collections.abc import Iterable
from typing import Any

PRIOR: dict[str, float] = {
    "int": 3.0,
    "str": 4.0,
    "list": 4.0,
    "dict": 1.2,
    "float": 0.8,
    "tuple": 0.5,
    "bool": 0.4,
    "set": 0.3,
    "none": 0.15,
    "callable": 0.4,
    "bytes": 0.1,
    "iterator": 0.1,
    "bytearray": 0.02,
    "frozenset": 0.02,
    "complex": 0.02,
    "object": 0.01,
}
_NESTED = {
    "list": 0.25,
    "dict": 0.15,
    "tuple": 0.4,
    "set": 0.1,
    "float": 0.6,
    "bool": 0.5,
    "none": 0.5,
    "bytes": 0.2,
    **dict.fromkeys(("callable", "iterator", "bytearray", "frozenset", "complex", "object"), 0.02),
}
"""What is in containers is mostly simpler."""
_OTHER = 0.5
"""Of types that are possible only where something speaks for them."""
ITERABLE = ("list", "str", "tuple", "set", "dict", "iterator", "bytes", "bytearray", "frozenset")
SIZED = ("list", "str", "tuple", "set", "dict", "bytes", "bytearray", "frozenset")
SEQUENCE = ("list", "str", "tuple", "bytes", "bytearray")
NUMBER = ("int", "float", "bool", "complex")
REAL = ("int", "float", "bool")
_LEAST, _MOST = 1e-8, 1e4
_FEW, _SOME = 0.015, 0.1
"""What is left of the other types where only one or two, or several, are allowed: rare types must win over usual ones."""


class Guess:
    """Evidence about one value; `is_known` if it is a value of the program's own, about which there is nothing to learn."""

    __slots__ = (
        "_element",
        "_factors",
        "_item",
        "_merged",
        "_rest",
        "_weights",
        "arity",
        "attributes",
        "fields",
        "is_character",
        "is_known",
        "is_member",
        "is_number_text",
        "keys",
        "length",
        "result",
        "seeds",
    )

    def __init__(self, known: str = "", element: "Guess | None" = None, fields: "list[Guess] | None" = None) -> None:
        self._factors: dict[str, float] = {known: 1.0} if known else {}
        self._rest = 0.0 if known else 1.0
        self._weights: dict[str, float] | None = None
        self._element, self._item = element, None if element is None else element
        self._merged = element
        self.is_known = bool(known)
        self.fields: list[Guess] | None = fields
        """Of a tuple that is unpacked: its parts."""
        self.keys: dict[str, Guess] = {}
        """Of a dict: what is under constant keys."""
        self.attributes: dict[str, Guess] = {}
        self.result: Guess | None = None
        """What calling it gives."""
        self.arity: int | None = None
        self.seeds: list[Any] = []
        """Values that it is compared with, or that it had in examples."""
        self.length = 0
        """The least number of elements, by its constant indexes."""
        self.is_character = False
        self.is_number_text = False
        self.is_member = False
        """It is looked up in something else: a key, an index, an element."""

    # evidence ---------------------------------------------------------------------------------------------------------

    def restrict(self, kinds: Iterable[str], penalty: float = 0.0) -> None:
        """It is used as only these types can be: all others become less probable, the more the fewer these are."""
        if self.is_known:
            return
        kinds = set(kinds)
        penalty = penalty or (_FEW if len(kinds) <= 2 else _SOME)
        for kind in kinds:
            self._factors.setdefault(kind, self._rest)
        self._rest = max(self._rest * penalty, _LEAST)
        for kind, factor in self._factors.items():
            if kind not in kinds:
                self._factors[kind] = max(factor * penalty, _LEAST)
        self._weights = None

    def favour(self, kinds: Iterable[str], factor: float = 3.0) -> None:
        """Something hints at these types, or against them if `factor` is below 1."""
        if self.is_known:
            return
        for kind in kinds:
            self._factors[kind] = min(max(self._factors.get(kind, self._rest) * factor, _LEAST), _MOST)
        self._weights = None

    def resemble(self, other: "Guess", power: float = 0.5) -> None:
        """It is probably of the same type as `other`."""
        if self.is_known or other is self:
            return
        if other.is_known:
            self.restrict(other._factors, 0.15)
        else:
            rest = self._rest
            for kind in sorted({*self._factors, *other._factors}):
                theirs = other._factors.get(kind, other._rest)
                self._factors[kind] = min(max(self._factors.get(kind, rest) * theirs**power, _LEAST), _MOST)
            self._rest = max(rest * other._rest**power, _LEAST)
            self._weights = None
        if self._element is None and other._element is not None:
            self._element = other._element
        if self._item is None and other._item is not None:
            self._item = other._item
        self.seeds.extend(seed for seed in other.seeds if seed not in self.seeds)

    # parts ------------------------------------------------------------------------------------------------------------

    def elements(self) -> "Guess":
        """What iterating over it gives: elements, keys of a dict."""
        if self._element is None:
            self._element = Guess()
        return self._element

    def items(self) -> "Guess":
        """What subscripting it gives: elements, values of a dict."""
        if self._item is None:
            self._item = Guess()
        return self._item

    def attribute(self, name: str) -> "Guess":
        """The value of an attribute."""
        return self.attributes.setdefault(name, Guess())

    def unpack(self, count: int) -> "list[Guess]":
        """What unpacking it into `count` gives."""
        if self.fields is None or len(self.fields) != count:
            if self.fields is None and not self.is_known:
                self.fields = [Guess() for _ in range(count)]
            else:
                return [self.elements()] * count
        return self.fields

    def calling(self) -> "Guess":
        """What calling it gives."""
        if self.result is None:
            self.result = Guess()
        return self.result

    def inner(self) -> "Guess":
        """What a list or tuple of it holds: iterating and subscripting give the same."""
        if self._element is None or self._item is None:
            return self.items() if self._element is None and self._item is not None else self.elements()
        if self._merged is None:
            self._merged = self._element
            if self._item is not self._element:
                self._merged = self._element.merged(self._item)
        return self._merged

    def merged(self, other: "Guess") -> "Guess":
        """A guess with the evidence of both."""
        both = Guess()
        for one in (self, other):
            both.resemble(one, 1.0)
            both.fields, both.keys = both.fields or one.fields, both.keys or one.keys
            both.result, both.arity = both.result or one.result, one.arity if both.arity is None else both.arity
            both.attributes, both.length = both.attributes or one.attributes, max(both.length, one.length)
            both.is_character = both.is_character or one.is_character
            both.is_number_text = both.is_number_text or one.is_number_text
        return both

    @property
    def has_inner(self) -> bool:
        """Whether anything is known of what is in it."""
        return self._element is not None or self._item is not None

    # probabilities ----------------------------------------------------------------------------------------------------

    def weights(self) -> dict[str, float]:
        """How probable each type is, not normalised."""
        if self._weights is None:
            found = {kind: prior * self._factors.get(kind, self._rest) for kind, prior in PRIOR.items()}
            found.update((kind, _OTHER * factor) for kind, factor in self._factors.items() if kind not in PRIOR)
            self._weights = found
        return self._weights

    def share(self, kind: str) -> float:
        """How probable a type is, from 0 to 1."""
        weights = self.weights()
        return weights.get(kind, 0.0) / (sum(weights.values()) or 1.0)

    @property
    def likeliest(self) -> str:
        """The most probable type."""
        weights = self.weights()
        return max(weights, key=weights.__getitem__)

    def draw(self, rng: random.Random, is_nested: bool = False) -> str:
        """A type, drawn by its weight; within others, simple ones more often."""
        weights = self.weights()
        if is_nested:
            weights = {kind: weight * _NESTED.get(kind, 1.0) for kind, weight in weights.items()}
        return rng.choices(list(weights), list(weights.values()))[0]


def known_kind(value: object) -> str:
    """The word for the type of a constant."""
    return "none" if value is None else type(value).__name__ if type(value).__name__ in PRIOR else "object"
