"""A bounded `repr` that never runs user code.

Exact built-in and common library types are written as `repr` would, but by us, with limits on depth, items and
characters; objects of other types show their attributes. Sets are written in the order of their elements' texts, so that
no text depends on the hash seed. What is cut is marked `…` with the number left out.

    Renderer().render([1, "a", {2: None}])      # "[1, 'a', {2: None}]"

Rules: `docs/trace-format.md`, section 2. The recorder in C has the same rules in `record/_recorder/render.c`; the two are
changed together.
"""

import array
import collections
import datetime
import decimal
import enum
import fractions
import gc
import pathlib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from foretrace.errors import UsageError

_DICT_KEYS: type = type({}.keys())
_DICT_VALUES: type = type({}.values())
_DICT_ITEMS: type = type({}.items())
_ATOMS = {type(None), bool, float, complex, type(Ellipsis), type(NotImplemented)}
_DATED = {datetime.datetime, datetime.time}
_PLAIN = {
    datetime.date,
    datetime.timedelta,
    datetime.timezone,
    decimal.Decimal,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
}
_FUNCTIONS = {
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
}
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
    collections.deque: ("deque([", "])"),
    collections.Counter: ("Counter({", "})"),
    collections.OrderedDict: ("OrderedDict({", "})"),
    types.MappingProxyType: ("mappingproxy({", "})"),
    _DICT_KEYS: ("dict_keys([", "])"),
    _DICT_VALUES: ("dict_values([", "])"),
    _DICT_ITEMS: ("dict_items([", "])"),
}
_BASES = {list, tuple, set, frozenset, dict, collections.deque, str, int, float, bytes}
"""Built-in types whose content a subclass shows."""
_EMPTY: dict[type, str] = {set: "set()", frozenset: "frozenset()", collections.Counter: "Counter()"}
_ORDINARY_KEYS = {str, int, float, bool, bytes, type(None)}
"""Types whose hash and equality are not the program's."""
_exception_arguments = BaseException.__dict__["args"].__get__
_class_dict = type.__dict__["__dict__"].__get__
type_flags = type.__dict__["__flags__"].__get__
_class_mro = type.__dict__["__mro__"].__get__
_class_name = type.__dict__["__name__"].__get__
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a class statement
DEEPEST = 32
"""The largest limit of depth."""
_MAX_NAME = 200
_MAX_INT_BITS = 13_000  # below the interpreter's limit of 4,300 digits


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLimits:
    """How much of a value is shown."""

    depth: int = 5
    items: int = 64
    characters: int = 1000
    """Of one string; the parts of a value show four times as many, and `…` from then on."""
    parts: int = 4096
    """Values within a value that are looked at; what lies beyond is `…`."""

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= DEEPEST:
            raise UsageError(f"values are shown to a depth of 1 to {DEEPEST}, not {self.depth}")
        for name in ("items", "characters", "parts"):
            if getattr(self, name) < 1:
                raise UsageError(f"a limit of values must be positive: {name} is {getattr(self, name)}")


class Renderer:
    """Renders values. Objects are numbered by their appearance since the last `begin`: `<Node#1 …>`."""

    def __init__(self, limits: ValueLimits | None = None) -> None:
        self.limits = limits or ValueLimits()
        self.begin()
        self._parts = self._characters = 0
        """What may still be looked at, and shown, of the value being rendered."""
        self._inside: list[int] = []
        """Identities of the containers around the part being rendered; at most as many as the depth limit."""
        self._is_numbering = True
        self._unnumbered = 0
        """Objects that were rendered without a number."""

    def begin(self) -> None:
        """A new frame: the first `Node` is `Node#1` again, so that a text does not depend on what died before."""
        self._numbers: dict[int, int] = {}
        self._per_type: collections.Counter[str] = collections.Counter()

    def render(self, value: Any) -> str:
        """The text of `value`; never raises and never calls code of the traced program."""
        self._parts, self._characters, self._inside = self.limits.parts, 4 * self.limits.characters, []
        self._is_numbering = True  # whatever broke while a set was rendered
        try:
            return self._value(value)
        except Exception:  # an object that is broken inside: whatever it does, the program must not see it
            return f"<{type_name(type(value))} not shown>"

    def _value(self, value: Any) -> str:
        kind = type(value)
        self._parts -= 1
        if self._parts < 0 or self._characters < 0:
            return "…"
        text = self._leaf(value, kind)
        if text is not None:
            self._characters -= len(text)
            return text
        if id(value) in self._inside or len(self._inside) >= self.limits.depth:
            return self._stub(value, kind, cyclic=id(value) in self._inside)
        self._inside.append(id(value))
        try:
            return self._compound(value, kind)
        finally:
            self._inside.pop()

    def _leaf(self, value: Any, kind: type) -> str | None:
        """The text of a value that has no parts."""
        if kind is str or kind is bytes or kind is bytearray:
            return self._string(value)
        if kind is int:
            return _integer(value)
        if kind is fractions.Fraction:
            parts = value._numerator, value._denominator
            return f"Fraction({', '.join(map(_integer, parts))})" if all(type(x) is int for x in parts) else None
        if issubclass(kind, type):
            return f"<class '{type_name(value)}'>"
        if type(kind) is not type:  # a class with a metaclass of its own may have any hash and equality
            if issubclass(kind, enum.Enum):
                name = _instance_dict(value, kind).get("_name_")
                return f"<{type_name(kind)}.{_clipped(name) if type(name) is str else '?'}>"
        elif kind in _ATOMS or kind in _PLAIN or (kind in _DATED and not _has_own_zone(value)):
            return repr(value)
        elif kind in _FUNCTIONS:
            return f"<function {_function_name(value)}>"
        elif kind is types.ModuleType:
            name = value.__dict__.get("__name__")
            return f"<module '{_clipped(name) if type(name) is str else '?'}'>"
        elif kind is range:
            bounds = [value.start, value.stop, value.step]
            return f"range({', '.join(map(_integer, bounds if value.step != 1 else bounds[:2]))})"
        return None

    def _stub(self, value: Any, kind: type, *, cyclic: bool) -> str:
        """What stands for a container inside itself (as `repr` writes it) or below the depth limit."""
        if type(kind) is not type or kind not in _BRACKETS or kind is types.MappingProxyType:
            return f"<{self._name(value, kind)}>"
        opening, closing = _BRACKETS[kind]
        if cyclic:
            return f"{opening}...{closing}"
        return f"{opening}…+{len(value)}{closing}" if len(value) else self._empty(kind)

    def _compound(self, value: Any, kind: type) -> str:
        if type(kind) is not type:
            return self._object(value, kind)
        if kind in (list, tuple, collections.deque):
            return self._sequence(value, kind)
        if kind in (set, frozenset):
            return self._set(value, kind)
        if kind in (dict, collections.Counter, collections.OrderedDict):
            return self._mapping(value, kind)
        if kind is types.MappingProxyType:
            inner = gc.get_referents(value)[0]
            return self._mapping(inner, kind) if type(inner) is dict else self._object(value, kind)
        if kind in (_DICT_KEYS, _DICT_VALUES, _DICT_ITEMS):
            inner = gc.get_referents(value)[0]
            return self._view(inner, kind) if isinstance(inner, dict) else self._object(value, kind)
        if kind is collections.defaultdict:
            factory = self._value(value.default_factory)
            return f"defaultdict({factory}, {self._mapping(value, dict)})"
        if kind in _DATED:  # with a zone of the program's
            zone = self._value(value.tzinfo)
            return f"{repr(value.replace(tzinfo=None))[:-1]}, tzinfo={zone})"
        if kind is slice:
            return f"slice({', '.join(map(self._value, (value.start, value.stop, value.step)))})"
        if kind is array.array:
            shown = [self._value(x) for x in value[: self.limits.items].tolist()] + self._rest(len(value))
            return f"array('{value.typecode}', [{', '.join(shown)}])"
        if type_name(kind) == "ndarray" and not type_flags(kind) & HEAP_TYPE:
            return describe_array(value)
        return self._object(value, kind)

    def _empty(self, kind: type) -> str:
        return _EMPTY.get(kind) or "".join(_BRACKETS[kind])

    def _sequence(self, value: Any, kind: type) -> str:
        opening, closing = _BRACKETS[kind]
        parts = [self._value(x) for x in _first(value, self.limits.items)]
        parts += self._rest(len(value))
        if kind is tuple and len(parts) == 1:
            closing = ",)"
        if kind is collections.deque and value.maxlen is not None:
            closing = f"], maxlen={value.maxlen})"
        return opening + ", ".join(parts) + closing

    def _set(self, value: Any, kind: Any) -> str:
        """Elements by their texts; the numbers of objects among them are given in that order."""
        count = kind.__len__(value)
        if not count:
            return _EMPTY[kind]
        opening, closing = _BRACKETS[kind]
        if count > self.limits.parts:
            return f"{opening}…+{count}{closing}"
        was_numbering, self._is_numbering = self._is_numbering, False
        unnumbered = self._unnumbered
        ordered = sorted(((self._value(x), i, x) for i, x in enumerate(kind.__iter__(value))), key=lambda item: item[:2])
        self._is_numbering = was_numbering
        shown = ordered[: self.limits.items]
        texts = [text for text, _, _ in shown]
        if was_numbering and self._unnumbered != unnumbered:
            texts = [self._value(x) for _, _, x in shown]
        return opening + ", ".join([*texts, *self._rest(count)]) + closing

    def _mapping(self, value: Any, kind: type) -> str:
        if not dict.__len__(value):
            return self._empty(kind)
        opening, closing = _BRACKETS[kind]
        items = _first(_items(value, kind, self.limits.parts), self.limits.items)
        parts = [f"{self._value(key)}: {self._value(item)}" for key, item in items]
        return opening + ", ".join([*parts, *self._rest(dict.__len__(value))]) + closing

    def _view(self, value: Any, kind: type) -> str:
        opening, closing = _BRACKETS[kind]
        parts = []
        for key, item in _first(_items(value, dict, self.limits.parts), self.limits.items):
            if kind is _DICT_ITEMS:
                parts.append(f"({self._value(key)}, {self._value(item)})")
            else:
                parts.append(self._value(key if kind is _DICT_KEYS else item))
        return opening + ", ".join([*parts, *self._rest(dict.__len__(value))]) + closing

    def _object(self, value: Any, kind: type) -> str:
        """Instances of user and library types: attributes from the instance dictionary and slots."""
        fields = _class_dict(kind).get("_fields")
        if issubclass(kind, tuple) and type(fields) is tuple and all(type(n) is str for n in fields):
            items = zip(fields, tuple.__iter__(value), strict=False)
            shown = [f"{_clipped(n)}={self._value(x)}" for n, x in _first(items, self.limits.items)]
            return f"{type_name(kind)}({', '.join(shown)})"
        if issubclass(kind, BaseException):
            arguments = _exception_arguments(value)
            parts = [self._value(x) for x in arguments[: self.limits.items]] + self._rest(len(arguments))
            return f"{type_name(kind)}({', '.join(parts)})"
        is_dataclass = "__dataclass_fields__" in _class_dict(kind)
        head = f"{type_name(kind)}(" if is_dataclass else f"<{self._name(value, kind)}"
        parts = []
        built_in = next((base for base in _class_mro(kind) if type(base) is type and base in _BASES), None)
        if built_in is not None and not is_dataclass:
            parts.append(self._content(value, built_in))
        attributes = list(_attributes(value, kind))
        parts += [f"{_clipped(n)}={self._value(x)}" for n, x in attributes[: self.limits.items]]
        parts += self._rest(len(attributes))
        if is_dataclass:
            return f"{head}{', '.join(parts)})"
        return f"{head} {', '.join(parts)}>" if parts else f"{head}>"

    def _content(self, value: Any, base: Any) -> str:
        """The built-in content of a subclass, read by the base's own methods."""
        if base in (str, bytes):
            return self._string(base.__getitem__(value, slice(None)))
        if base is int:
            return _integer(int.__pos__(value))
        if base is float:
            return repr(float.__pos__(value))
        if base is dict:
            return self._mapping(value, dict)
        if base in (set, frozenset):
            return self._set(value, base)
        return (
            self._sequence(tuple(base.__iter__(value)), tuple)
            if base is tuple
            else self._sequence(list(base.__iter__(value)), list)
        )

    def _name(self, value: object, kind: type) -> str:
        """`Node#2`: the type and a number, by first appearance in this frame."""
        name = type_name(kind)
        if not self._is_numbering:
            self._unnumbered += 1
            return name
        number = self._numbers.get(id(value))
        if number is None:
            self._per_type[name] += 1
            number = self._numbers[id(value)] = self._per_type[name]
        return f"{name}#{number}"

    def _string(self, value: str | bytes | bytearray) -> str:
        limit = self.limits.characters
        if len(value) <= limit:
            return repr(value)
        return f"{value[:limit]!r}…+{len(value) - limit}"

    def _rest(self, count: int) -> list[str]:
        left = count - self.limits.items
        return [f"…+{left}"] if left > 0 else []


def _items(value: Any, kind: type, most: int) -> Any:
    """Items in the order of `repr`: a counter shows the most common first."""
    is_counter = kind is collections.Counter and dict.__len__(value) <= most
    if is_counter and all(type(n) is int for n in dict.values(value)):
        return sorted(dict.items(value), key=lambda item: -item[1])
    if kind is collections.OrderedDict and all(
        type(type(k)) is type and type(k) in _ORDINARY_KEYS for k in dict.keys(value)
    ):
        return value.items()
    return dict.items(value)


def _integer(value: int) -> str:
    bits = value.bit_length()
    return repr(value) if bits < _MAX_INT_BITS else f"<int, {bits} bits>"


def _first(values: Any, count: int) -> Iterator[Any]:
    for index, value in enumerate(values):
        if index == count:
            return
        yield value


def _clipped(name: str) -> str:
    text = str.__getitem__(name, slice(0, _MAX_NAME + 1))
    return text if len(text) <= _MAX_NAME else f"{text[:_MAX_NAME]}…"


def type_name(kind: Any) -> str:
    """The name of a class, past any `__name__` of its metaclass."""
    return _clipped(_class_name(kind))


def _attributes(value: object, kind: type) -> Iterator[tuple[str, object]]:
    """Instance attributes: slots by their descriptors, then the instance dictionary; properties are not run."""
    for base in reversed(_class_mro(kind)):
        if not type_flags(base) & HEAP_TYPE:
            continue  # the members of a generator or a code object are the interpreter's, not the program's
        for name, member in list(_class_dict(base).items()):
            if type(name) is str and type(member) is types.MemberDescriptorType and not name.startswith("__"):
                try:
                    yield name, member.__get__(value, kind)
                except (AttributeError, TypeError):  # it is not set, or the slot of another class
                    continue
    attributes = _instance_dict(value, kind)
    yield from ((n, x) for n, x in list(attributes.items()) if type(n) is str)


def _instance_dict(value: object, kind: type) -> dict[Any, Any]:
    """The instance dictionary, read past any `__dict__` property of the program's; empty if there is none."""
    for base in _class_mro(kind):
        member = _class_dict(base).get("__dict__")
        if type(member) is types.GetSetDescriptorType:
            found = member.__get__(value, kind)
            return found if type(found) is dict else {}
    return {}


def _has_own_zone(value: Any) -> bool:
    """Whether a date or time has a zone that is the program's object, with a `__repr__` of its own."""
    return value.tzinfo is not None and type(value.tzinfo) is not datetime.timezone


def _function_name(value: Any) -> str:
    """The name of a function or method, of whatever a method was made of."""
    inner = value.__func__ if type(value) is types.MethodType else value
    named = type(type(inner)) is type and type(inner) in _FUNCTIONS and type(inner) is not types.MethodType
    return _clipped(inner.__name__) if named else type_name(type(inner))


def describe_array(value: Any) -> str:
    """A NumPy array: shape, dtype and first items."""
    shape = "x".join(map(str, value.shape))
    first = value.ravel()[:8].tolist() if value.dtype.kind in "biuf" else []
    more = f" …+{value.size - len(first)}" if value.size > len(first) else ""
    return f"<ndarray {shape or '()'} {value.dtype.str[1:]} {first}{more}>"
