"""From the text of a value back to the value, as far as a text can say it. Nothing is executed.

    read("[1, {'a': 2.5}]")                    # the list
    read("<Node value=3, next=None>")          # Thing('Node', {'value': 3, 'next': None}, …)
    read("[0, 1, …+998]")                      # Thing without a name: what was cut off is not known

`show` is the inverse. The texts are those of `docs/trace-format.md`, section 2.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foretrace.trace.syntax import UNREADABLE, literal

MAX_CHARACTERS = 100_000
_STRING = re.compile(r"""[bB]?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_NUMBER = re.compile(r"-?(?:inf\b|nan\b|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?j?)")
_COMPLEX = re.compile(r"\([^()\s]+j\)")
_NAME = re.compile(r"[^\W\d][\w.]*")
_FIELD = re.compile(r"([^\W\d]\w*)=")
_ANGLE = re.compile(r"<([^\W\d][\w.]*)(?:#\d+)?(?=[ >])")
_CONSTANTS = {"True": True, "False": False, "None": None, "inf": math.inf, "nan": math.nan, "Ellipsis": ...}
_COPIES: dict[str, Any] = {
    "set": set,
    "frozenset": frozenset,
    "deque": list,
    "Counter": dict,
    "OrderedDict": dict,
    "mappingproxy": dict,
    "dict_keys": list,
    "dict_values": list,
    "dict_items": list,
    "bytearray": bytes,
    "range": range,
    "defaultdict": lambda kind, items: dict(items),
}
"""What has a plain value of its own, from what its parentheses hold."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, or whatever else is no literal."""

    name: str
    """Of its type; empty if even that is not known."""
    fields: Mapping[str, Any]
    """Its attributes; what has no name is called by its number."""
    text: str

    def __repr__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.text)


def read(text: str) -> Any:
    """The value that a text shows; a `Thing` if it is no literal."""
    if len(text) <= MAX_CHARACTERS:
        parser = _Parser(text)
        try:
            value = parser.value()
            if parser.at == len(text):
                return value
        except UNREADABLE:
            pass  # shown in part, or not as Python would
    return Thing("", {}, text)


def is_value(text: str) -> bool:
    """Whether a text shows a value, or an object of a type that has a name."""
    value = read(text)
    return not isinstance(value, Thing) or bool(value.name)


def show(value: Any) -> str:
    """The text of a value, sets in the order of their elements' texts."""
    match value:
        case set() | frozenset() if value:
            inside = "{" + ", ".join(sorted(map(show, value))) + "}"
            return inside if isinstance(value, set) else f"frozenset({inside})"
        case list():
            return "[" + ", ".join(map(show, value)) + "]"
        case tuple():
            return "(" + ", ".join(map(show, value)) + (",)" if len(value) == 1 else ")")
        case dict():
            return "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in value.items()) + "}"
    return repr(value)


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def value(self) -> Any:
        """The value that begins here.

        Raises:
            ValueError: none does.

        """
        for pattern in (_STRING, _NUMBER):
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
                return float(found[0]) if found[0][-1] in "fn" else literal(found[0])
        match self.text[self.at : self.at + 1]:
            case "[":
                return [item for _, item in self._items("[", "]")]
            case "(":
                return self._tuple()
            case "{":
                return self._braces()
            case "<":
                return self._angle()
        return self._named()

    def _items(self, opening: str, closing: str) -> list[tuple[str, Any]]:
        """What stands between two brackets: each value, and the name before its `=`, if there is one."""
        self._take(opening)
        items: list[tuple[str, Any]] = []
        while not self._skip(closing):
            named = _FIELD.match(self.text, self.at)
            self.at = named.end() if named else self.at
            items.append((named[1] if named else "", self.value()))
            if not self._skip(", "):
                self._skip(",")  # of a tuple of one
                self._take(closing)
                break
        return items

    def _tuple(self) -> Any:
        if found := _COMPLEX.match(self.text, self.at):
            self.at = found.end()
            return complex(found[0])
        return tuple(item for _, item in self._items("(", ")"))

    def _braces(self) -> Any:
        self._take("{")
        pairs: dict[Any, Any] = {}
        is_set = False
        while not self._skip("}"):
            key = self.value()
            is_set = is_set or not self._is(": ")
            pairs[key] = None if is_set else self._after(": ")
            if not self._skip(", "):
                self._take("}")
                break
        return set(pairs) if is_set else pairs

    def _after(self, text: str) -> Any:
        self._take(text)
        return self.value()

    def _angle(self) -> Any:
        start = self.at
        head = _ANGLE.match(self.text, start)
        try:
            if head is None:
                raise ValueError
            self.at = head.end()
            fields = _by_name(self._items(" " if self._is(" ") else "", ">"))
        except ValueError:  # such as <function f>
            self.at, fields = start, {}
            self._pass_over()
        return Thing(head[1] if head else "", fields, self.text[start : self.at])

    def _pass_over(self) -> None:
        """Goes on after the `>` that closes the `<` here."""
        depth = 0
        while True:
            string = _STRING.match(self.text, self.at)
            character = self.text[self.at : self.at + 1]
            if not character:
                raise ValueError("a < is not closed")
            self.at = string.end() if string else self.at + 1
            depth += (character == "<") - (character == ">")
            if depth == 0:
                return

    def _named(self) -> Any:
        """A constant, or a call."""
        start = self.at
        name = _NAME.match(self.text, start)
        if name is None:
            raise ValueError(f"no value begins at character {start}")
        self.at = name.end()
        if name[0] in _CONSTANTS:
            return _CONSTANTS[name[0]]
        if not self._is("("):
            raise ValueError(f"{name[0]} is no value")
        items = self._items("(", ")")
        if name[0] in _COPIES:
            given = [item for _, item in items]
            if name[0] != "range" and any(isinstance(item, int | range) for item in given):
                raise ValueError(f"{name[0]} shows what it holds")  # a few characters could make it as large as memory
            return _COPIES[name[0]](*given)
        return Thing(name[0], _by_name(items), self.text[start : self.at])

    def _is(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def _skip(self, text: str) -> bool:
        there = self._is(text)
        self.at += len(text) if there else 0
        return there

    def _take(self, text: str) -> None:
        if not self._skip(text):
            raise ValueError(f"{text!r} is missing at character {self.at}")


def _by_name(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name or str(number): item for number, (name, item) in enumerate(items)}
