"""Literals inside function bodies, more often than not related to the arguments that the function will get.

A `replace` that never finds its substring teaches little, and so does one that always does: about six in ten of these
literals are taken from an argument.
"""

import random
import string
from typing import Any

from foretrace.corpus.values import Values, literal, separator

_RELATED = 0.6
_TEXTS = ["-", "_", ": ", "=", "!", " ", ", ", "x", "/", "+", "#", ".", "->", "|", "s", "?"]


class Literals:
    """Makes the literal of each kind (`'sub`, `'index`, …) for one program."""

    def __init__(self, rng: random.Random, values: Values, arguments: list[Any]) -> None:
        self.rng, self.values = rng, values
        self.texts = [t for t in _texts(arguments) if t]
        self.numbers = [n for n in _numbers(arguments) if abs(n) < 1000]
        self.keys = [k for a in arguments if isinstance(a, dict) for k in a]

    def make(self, kind: str) -> str:
        """The source text of a literal."""
        made: str = getattr(self, f"_{kind}")()
        return made

    def _text(self) -> str | None:
        """A text to relate to, if this literal is to be related and there is one."""
        return self.rng.choice(self.texts) if self.texts and self.rng.random() < _RELATED else None

    def _quote(self, text: str) -> str:
        return literal(self.rng, text)

    def _sub(self) -> str:
        text = self._text()
        if text is None:
            return self._quote(self.rng.choice((self.values.make("char"), self.values.make("word"), separator(self.rng))))
        start = self.rng.randrange(len(text))
        return self._quote(text[start : start + self.rng.choice((1, 1, 2, 2, 3, 4))])

    def _inside(self) -> str:
        if not self.texts:
            return self._quote(self.values.make("char"))
        return self._quote(self.rng.choice(self.rng.choice(self.texts)))

    def _char(self) -> str:
        text = self._text()
        return self._quote(self.rng.choice(text) if text else self.values.make("char"))

    def _charlit(self) -> str:
        return f"'{self.rng.choice(string.ascii_lowercase)}'"

    def _word(self) -> str:
        text = self._text() if self.rng.random() < 0.3 else None
        return self._quote(text[:8] if text else self.values.make("word"))

    def _sep(self) -> str:
        text = self._text() if self.rng.random() < 0.5 else None
        return self._quote(self.rng.choice(text) if text else separator(self.rng))

    def _sepl(self) -> str:
        return self._quote(separator(self.rng))

    def _prefix(self) -> str:
        text = self._text()
        return self._quote(text[: self.rng.randint(1, 3)] if text else self.values.make("word"))

    def _suffix(self) -> str:
        text = self._text()
        return self._quote(text[-self.rng.randint(1, 3) :] if text else self.values.make("word"))

    def _key(self) -> str:
        return self.values.rng.choice(_TEXTS)

    def _int(self) -> str:
        return str(self.rng.choice((0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 10, -1)))

    def _pos(self) -> str:
        return str(self.rng.choice((1, 2, 2, 2, 3, 3, 4, 5)))

    def _one(self) -> str:
        return str(self.rng.choice((1, 1, 2)))

    def _two(self) -> str:
        return str(self.rng.choice((2, 2, 3)))

    def _bit(self) -> str:
        return self.rng.choice("01")

    def _mid(self) -> str:
        return str(self.rng.randint(3, 8))

    def _width(self) -> str:
        longest = max(map(len, self.texts), default=5)
        return str(max(1, longest + self.rng.randint(-3, 8)))

    def _width5(self) -> str:
        return str(self.rng.randint(2, 7))

    def _big(self) -> str:
        return str(self.rng.choice((5, 10, 10, 20, 50, 100)))

    def _big10(self) -> str:
        return str(self.rng.randint(2, 9))

    def _step(self) -> str:
        return str(self.rng.choice((2, 2, 3, -1, -2)))

    def _third(self) -> str:
        return self.rng.choice(("0", "2", "-1", "0", "2", "1"))

    def _index(self) -> str:
        return str(self.rng.choice((0, 0, 1, 1, 2, 3, 4, -1, -1, -2)))

    def _elem(self) -> str:
        if self.numbers and self.rng.random() < _RELATED:
            return str(self.rng.choice(self.numbers))
        return str(self.rng.randint(-2, 12))

    def _dkey(self) -> str:
        if self.keys and self.rng.random() < _RELATED:
            return literal(self.rng, self.rng.choice(self.keys))
        return self._quote(self.values.make("word"))

    def _digits(self) -> str:
        return "".join(self.rng.sample(string.digits, self.rng.randint(2, 5)))

    def _punct(self) -> str:
        return "".join(self.rng.sample("!?.,:;-_+*/#@ ", self.rng.randint(2, 4)))

    def _punct1(self) -> str:
        return self.rng.choice("-_.,:+* ")

    # unquoted: the inside of a literal or of an f-string
    def _plain(self) -> str:
        return self.rng.choice(_TEXTS)


def _inner(values: Any) -> list[Any] | None:
    """What a container holds, in an order that does not depend on the hash seed; None if it is no container."""
    if isinstance(values, dict):
        return [*values, *values.values()]
    if isinstance(values, set):
        return sorted(values, key=repr)
    return list(values) if isinstance(values, list | tuple) else None


def _texts(values: Any) -> list[str]:
    if isinstance(values, str):
        return [values]
    return [text for value in _inner(values) or [] for text in _texts(value)]


def _numbers(values: Any) -> list[int]:
    if isinstance(values, int):
        return [] if isinstance(values, bool) else [values]
    return [number for value in _inner(values) or [] for number in _numbers(value)]
