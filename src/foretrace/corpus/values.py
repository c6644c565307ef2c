r"""Argument values of every shape, as Python objects and as source text in varied layout.

value = Values(rng).make("liststr")         # ['abc', 'x', '']
literal(rng, value)                          # "['abc', \\"x\\", '']"
"""

import random
import string
from typing import Any

_LOWER = string.ascii_lowercase
_MIXED = string.ascii_letters
_PUNCTUATION = "!?.,:;-_+*/#@$%&()[]{}<>=|~^'\" "
_WORDS = [
    "the",
    "a",
    "hello",
    "world",
    "cat",
    "dog",
    "big",
    "red",
    "fox",
    "run",
    "jump",
    "over",
    "lazy",
    "python",
    "code",
    "data",
    "test",
    "value",
    "key",
    "name",
    "list",
    "apple",
    "banana",
    "cherry",
    "grape",
    "lemon",
    "mango",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "north",
    "south",
    "east",
    "west",
    "spring",
    "summer",
    "winter",
    "monday",
    "friday",
    "john",
    "mary",
    "alice",
    "bob",
    "carol",
    "dave",
    "paris",
    "tokyo",
    "london",
    "rome",
    "blue",
    "green",
    "black",
    "white",
    "yes",
    "no",
    "ok",
    "true",
    "false",
    "none",
    "left",
    "right",
    "up",
    "down",
    "start",
    "end",
    "first",
    "last",
    "foo",
    "bar",
    "baz",
    "spam",
    "eggs",
    "tea",
    "milk",
    "water",
    "bread",
    "sugar",
    "happy",
    "sad",
    "quick",
    "slow",
    "old",
    "new",
    "good",
    "bad",
    "is",
    "in",
    "on",
    "at",
    "to",
    "of",
    "and",
    "or",
    "not",
    "for",
    "with",
    "from",
    "by",
    "as",
    "if",
    "it",
    "he",
    "she",
    "we",
    "you",
    "they",
    "this",
    "that",
    "these",
    "those",
    "some",
    "any",
    "all",
    "every",
    "each",
    "other",
    "more",
    "most",
    "less",
]
_SEPARATORS = [" ", ",", ", ", "-", "_", ".", ":", ";", "|", "/", "\n", "--", "#", "=", "+", "  ", "\t", "::", "&", "a", "@"]


class Values:
    """Random values for the arguments of one program."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def make(self, kind: str) -> Any:
        """A value of type `kind` (names as in `grammar.py`)."""
        made: Any = getattr(self, f"_{kind}")()
        return made

    def _int(self) -> int:
        rng = self.rng
        roll = rng.random()
        if roll < 0.6:
            return rng.randint(0, 10)
        if roll < 0.75:
            return rng.randint(-10, 0)
        if roll < 0.93:
            return rng.randint(-100, 120)
        return rng.randint(-100_000, 1_000_000)

    def _bool(self) -> bool:
        return self.rng.random() < 0.5

    def _char(self) -> str:
        return self.rng.choice(self.rng.choice((_LOWER, _LOWER, _LOWER, _MIXED, string.digits, _PUNCTUATION)))

    def _word(self) -> str:
        rng = self.rng
        roll = rng.random()
        if roll < 0.04:
            return ""
        if roll < 0.3:
            return rng.choice(_WORDS)
        if roll < 0.45:
            return self._char()
        if roll < 0.55:
            return str(rng.randint(0, 200))
        return self._letters(rng.choice((_LOWER, _LOWER, _LOWER[:5], _MIXED, _LOWER + string.digits)), 1, 8)

    def _str(self) -> str:
        rng = self.rng
        roll = rng.random()
        if roll < 0.04:
            return ""
        if roll < 0.40:
            return self._letters(rng.choice((_LOWER, _LOWER, _LOWER, _LOWER[:6], "abc")), 1, 12)
        if roll < 0.50:
            return self._letters(rng.choice((_MIXED, string.ascii_uppercase, _MIXED + "  ")), 2, 14)
        if roll < 0.58:
            return self._letters(rng.choice((string.digits, "01", _LOWER + string.digits, _MIXED + string.digits)), 1, 12)
        if roll < 0.63:
            return self._letters(_LOWER + _PUNCTUATION + string.digits, 2, 12)
        if roll < 0.65:
            return self._letters(_PUNCTUATION, 1, 8)
        if roll < 0.95:
            return self._phrase()
        if roll < 0.97:
            return self._letters(_LOWER, 16, 48)
        if roll < 0.992:
            return self._letters(_LOWER[:4] + " \n\t\r", 3, 12)
        return self._letters("äöüßéñçøабвπλ中文字" + _LOWER[:6], 2, 8)

    def _letters(self, alphabet: str, low: int, high: int) -> str:
        rng = self.rng
        length = min(rng.randint(low, high), rng.randint(low, high + 6))
        return "".join(rng.choices(alphabet, k=length))

    def _phrase(self) -> str:
        rng = self.rng
        words = [rng.choice(_WORDS) if rng.random() < 0.75 else self._word() for _ in range(rng.randint(1, 5))]
        case = rng.random()
        if case < 0.15:
            words = [w.capitalize() for w in words]
        elif case < 0.22:
            words = [w.upper() for w in words]
        elif case < 0.3 and words:
            words[0] = words[0].capitalize()
        separator = " " if rng.random() < 0.6 else rng.choice(_SEPARATORS)
        text = separator.join(words)
        if rng.random() < 0.1:
            text = rng.choice((" ", "  ", "\n", separator)) + text
        if rng.random() < 0.15:
            text += rng.choice((" ", "!", "?", ".", "\n", separator, "  "))
        return text

    def _length(self) -> int:
        rng = self.rng
        roll = rng.random()
        if roll < 0.09:
            return 0 if roll < 0.06 else rng.randint(7, 14)
        return min(rng.randint(1, 6), rng.randint(1, 10))

    def _listint(self) -> list[int]:
        rng = self.rng
        low, high = rng.choice(((0, 5), (0, 9), (1, 10), (-5, 9), (-9, 9), (0, 100), (-50, 99), (1, 3)))
        values = [rng.randint(low, high) for _ in range(self._length())]
        if rng.random() < 0.15:
            values.sort()
        return values

    def _liststr(self) -> list[str]:
        rng = self.rng
        count = self._length()
        if rng.random() < 0.3:
            return [self._char() for _ in range(count)]
        pool = [self._word() for _ in range(count)]
        return [rng.choice(pool) if rng.random() < 0.15 else w for w in pool]

    def _liststrlist(self) -> list[list[Any]]:
        rng = self.rng
        kind = rng.choice(("word", "int", "char"))
        return [[self.make(kind) for _ in range(rng.randint(0, 4))] for _ in range(rng.randint(1, 4))]

    def _keys(self) -> list[str]:
        return list(dict.fromkeys(self._word() for _ in range(min(self._length(), 5))))

    def _dictsi(self) -> dict[str, int]:
        return {k: self.rng.randint(-3, 50) for k in self._keys()}

    def _dictss(self) -> dict[str, str]:
        return {k: self._word() for k in self._keys()}

    def _dictis(self) -> dict[int, str]:
        return {self.rng.randint(0, 30): self._word() for _ in range(min(self._length(), 5))}

    def _tuple(self) -> tuple[Any, ...]:
        kind = self.rng.choice(("int", "word"))
        return tuple(self.make(kind) for _ in range(self.rng.randint(1, 4)))

    def _set(self) -> set[Any]:
        kind = self.rng.choice(("int", "char"))
        return {self.make(kind) for _ in range(self.rng.randint(1, 4))}


def literal(rng: random.Random, value: Any) -> str:
    """`value` as source text: quotes and spaces vary as people's do."""
    if isinstance(value, str):
        return _quoted(rng, value)
    if isinstance(value, list | tuple | set) and value:
        opening, closing = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}[type(value)]
        separator = ", " if rng.random() < 0.9 else rng.choice((",", " , ", ",  "))
        ordered = sorted(value, key=repr) if isinstance(value, set) else value
        inner = separator.join(literal(rng, x) for x in ordered)
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opening}{inner}{comma}{closing}"
    if isinstance(value, dict):
        colon = ": " if rng.random() < 0.92 else ":"
        return "{" + ", ".join(f"{literal(rng, k)}{colon}{literal(rng, v)}" for k, v in value.items()) + "}"
    return repr(value)


def _quoted(rng: random.Random, text: str) -> str:
    single = repr(text)
    if rng.random() < 0.25 and single.startswith("'") and '"' not in text and "\\'" not in single:
        return f'"{single[1:-1]}"'
    return single


def separator(rng: random.Random) -> str:
    """A string that programs split and join by."""
    return rng.choice(_SEPARATORS)
