"""A bounded `repr` that never runs user code.

Exact built-in and common library types are written as `repr` would, but by us, without recursion, with limits on depth,
items and characters; objects of other types show their attributes. Sets are written in the order of their elements'
texts, so that no text depends on the hash seed. What is cut is marked `…` with the number left out.

    Renderer().render([1, "a", {2: None}])      # "[1, 'a', {2: None}]"

Rules: `docs/trace-format.md`, section 2.
"""

import array
import collections
import datetime
import decimal
import enum
import fractions
import pathlib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ATOMS = {type(None), bool, float, complex, type(Ellipsis), type(NotImplemented)}
_PLAIN = {
    datetime.date,
    datetime.datetime,
    datetime.time,
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
}
_BASES = {*_BRACKETS, str, int, float, bytes}
"""Built-in types whose content a subclass shows."""
_EMPTY: dict[type, str] = {set: "set()", frozenset: "frozenset()", collections.Counter: "Counter()"}
_exception_arguments = BaseException.__dict__["args"].__get__
_class_dict = type.__dict__["__dict__"].__get__
_class_flags = type.__dict__["__flags__"].__get__
_class_mro = type.__dict__["__mro__"].__get__
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a class statement
_MAX_PARTS = 4096
"""Values within a value that are looked at; what lies beyond is `…`."""
_MAX_INT_BITS = 13_000  # below the interpreter's limit of 4,300 digits


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLimits:
    """How much of a value is shown."""

    depth: int = 5
    items: int = 64
    characters: int = 1000


class Renderer:
    """Renders values; lives as long as one trace, because it numbers objects (`<Node#1 …>`)."""

    def __init__(self, limits: ValueLimits | None = None) -> None:
        self.limits = limits or ValueLimits()
        self._numbers: dict[int, int] = {}
        self._per_type: collections.Counter[str] = collections.Counter()
        self._left = 0
        """Parts that may still be looked at in the value being rendered."""

    def render(self, value: Any) -> str:
        """The text of `value`; never raises and never calls code of the traced program."""
        kind = type(value)
        if kind is str:
            return self._string(value)
        if kind is int:
            return _integer(value)
        self._left = _MAX_PARTS
        try:
            text = self._value(value, 0, [])
        except Exception:  # an object that is broken inside: whatever it does, the program must not see it
            return f"<{_type_name(kind)} not shown>"
        if len(text) > 4 * self.limits.characters:
            return f"{text[: self.limits.characters]}…+{len(text) - self.limits.characters}"
        return text

    def _value(self, value: Any, depth: int, inside: list[int]) -> str:
        """`inside` holds the ids of the containers around `value`; its length is bounded by the depth limit."""
        kind = type(value)
        self._left -= 1
        if self._left < 0:
            return "…"
        if kind is str or kind is bytes or kind is bytearray:
            return self._string(value)
        if kind is int:
            return _integer(value)
        if issubclass(kind, type):
            return f"<class '{_type_name(value)}'>"
        if type(kind) is type:  # a class with a metaclass of its own may have any hash and equality
            if kind in _ATOMS or (kind in _PLAIN and not _has_own_zone(value)):
                return repr(value)
            if kind in _FUNCTIONS:
                return f"<function {_function_name(value)}>"
        if kind is types.ModuleType:
            return f"<module '{value.__dict__.get('__name__', '?')}'>"
        if id(value) in inside or depth >= self.limits.depth:
            return self._stub(value, kind, cyclic=id(value) in inside)
        inside.append(id(value))
        try:
            return self._compound(value, kind, depth + 1, inside)
        finally:
            inside.pop()

    def _stub(self, value: object, kind: type, *, cyclic: bool) -> str:
        """What stands for a container inside itself (as `repr` writes it) or below the depth limit."""
        if type(kind) is not type or kind not in _BRACKETS:
            return f"<{self._name(value, kind)}>"
        opening, closing = _BRACKETS[kind]
        if cyclic:
            return f"{opening}...{closing}"
        count = len(value)  # type: ignore[arg-type]
        return f"{opening}…+{count}{closing}" if count else self._compound(value, kind, 0, [])

    def _compound(self, value: Any, kind: type, depth: int, inside: list[int]) -> str:
        if kind is fractions.Fraction:
            return f"Fraction({_integer(value._numerator)}, {_integer(value._denominator)})"
        if type(kind) is not type:
            return self._object(value, kind, depth, inside)
        if kind in (list, tuple, collections.deque):
            return self._sequence(value, kind, depth, inside)
        if kind in (set, frozenset):
            return self._set(value, kind, depth, inside)
        if kind in (dict, collections.Counter, collections.OrderedDict, types.MappingProxyType):
            return self._mapping(value, kind, depth, inside)
        if kind is collections.defaultdict:
            factory = self._value(value.default_factory, depth, inside)
            return f"defaultdict({factory}, {self._mapping(value, dict, depth, inside)})"
        if kind is range:
            bounds = [value.start, value.stop, value.step]
            return f"range({', '.join(map(_integer, bounds if value.step != 1 else bounds[:2]))})"
        if kind in _PLAIN:  # a date with a zone of the program's
            zone = self._value(value.tzinfo, depth, inside)
            return f"{repr(value.replace(tzinfo=None))[:-1]}, tzinfo={zone})"
        if kind is slice:
            parts = (self._value(x, depth, inside) for x in (value.start, value.stop, value.step))
            return f"slice({', '.join(parts)})"
        if kind is array.array:
            return f"array('{value.typecode}', {self._sequence(value.tolist(), list, depth, inside)})"
        if _type_name(kind) == "ndarray" and _class_dict(kind).get("__module__", "numpy") == "numpy":
            return _numpy(value)
        return self._object(value, kind, depth, inside)

    def _sequence(self, value: Any, kind: type, depth: int, inside: list[int]) -> str:
        opening, closing = _BRACKETS[kind]
        parts = [self._value(x, depth, inside) for x in _first(value, self.limits.items)]
        parts += self._rest(len(value))
        if kind is tuple and len(parts) == 1:
            closing = ",)"
        if kind is collections.deque and value.maxlen is not None:
            closing = f"], maxlen={value.maxlen})"
        return opening + ", ".join(parts) + closing

    def _set(self, value: Any, kind: type, depth: int, inside: list[int]) -> str:
        if not value:
            return _EMPTY[kind]
        opening, closing = _BRACKETS[kind]
        if len(value) > _MAX_PARTS:
            return f"{opening}…+{len(value)}{closing}"
        texts = sorted(self._value(x, depth, inside) for x in value)
        return opening + ", ".join([*texts[: self.limits.items], *self._rest(len(texts))]) + closing

    def _mapping(self, value: Any, kind: type, depth: int, inside: list[int]) -> str:
        if not value:
            return _EMPTY.get(kind, "".join(_BRACKETS.get(kind, ("{", "}"))))
        opening, closing = _BRACKETS.get(kind, ("mappingproxy({", "})"))
        parts = []
        for key, item in _first(_items(value, kind), self.limits.items):
            parts.append(f"{self._value(key, depth, inside)}: {self._value(item, depth, inside)}")
        return opening + ", ".join([*parts, *self._rest(len(value))]) + closing

    def _object(self, value: Any, kind: type, depth: int, inside: list[int]) -> str:
        """Instances of user and library types: attributes from the instance dictionary and slots."""
        if issubclass(kind, enum.Enum):
            name = _instance_dict(value, kind).get("_name_", "?")
            return f"<{_type_name(kind)}.{name}>"
        fields = _class_dict(kind).get("_fields")
        if issubclass(kind, tuple) and type(fields) is tuple and all(type(n) is str for n in fields):
            items = zip(fields, tuple.__iter__(value), strict=False)
            shown = ", ".join(f"{n}={self._value(x, depth, inside)}" for n, x in items)
            return f"{_type_name(kind)}({shown})"
        if issubclass(kind, BaseException):
            shown = ", ".join(self._value(x, depth, inside) for x in _exception_arguments(value))
            return f"{_type_name(kind)}({shown})"
        attributes = list(_attributes(value, kind))
        parts = [f"{n}={self._value(x, depth, inside)}" for n, x in attributes[: self.limits.items]]
        parts += self._rest(len(attributes))
        if "__dataclass_fields__" in _class_dict(kind):
            return f"{_type_name(kind)}({', '.join(parts)})"
        built_in = next((base for base in _class_mro(kind) if type(base) is type and base in _BASES), None)
        if built_in is not None:
            parts.insert(0, self._value(_plain_copy(value, built_in), depth, inside))
        return f"<{' '.join([self._name(value, kind), ', '.join(parts)]).strip()}>"

    def _name(self, value: object, kind: type) -> str:
        """`Node#2`: the type and a number, by first appearance in this trace."""
        name = _type_name(kind)
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


def _items(value: Any, kind: type) -> Any:
    """Items in the order of `repr`: a counter shows the most common first."""
    if kind is collections.Counter and all(type(n) is int for n in value.values()):
        return sorted(value.items(), key=lambda item: -item[1])
    return value.items()


def _integer(value: int) -> str:
    bits = value.bit_length()
    return repr(value) if bits < _MAX_INT_BITS else f"<int, {bits} bits>"


def _first(values: Any, count: int) -> Iterator[Any]:
    for index, value in enumerate(values):
        if index == count:
            return
        yield value


def _type_name(kind: Any) -> str:
    name: str = type.__dict__["__name__"].__get__(kind)
    return name


def _attributes(value: object, kind: type) -> Iterator[tuple[str, object]]:
    """Instance attributes: slots by their descriptors, then the instance dictionary; properties are not run."""
    for base in reversed(_class_mro(kind)):
        if not _class_flags(base) & _HEAP_TYPE:
            continue  # the members of a generator or a code object are the interpreter's, not the program's
        for name, member in list(_class_dict(base).items()):
            if type(member) is types.MemberDescriptorType and not name.startswith("__"):
                try:
                    yield name, member.__get__(value, kind)
                except AttributeError:
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
    """Whether this is a date or a time whose zone is the program's object, with a `__repr__` of its own."""
    dated = type(value) in (datetime.datetime, datetime.time)
    return dated and value.tzinfo is not None and type(value.tzinfo) is not datetime.timezone


def _function_name(value: Any) -> str:
    """The name of a function or method, of whatever a method was made of."""
    inner = value.__func__ if type(value) is types.MethodType else value
    named = type(type(inner)) is type and type(inner) in _FUNCTIONS
    return str(inner.__name__) if named else _type_name(type(inner))


def _plain_copy(value: Any, base: Any) -> object:
    """The built-in content of a subclass, read by the base's own methods."""
    if base in (str, bytes):
        return base.__getitem__(value, slice(None))
    if base in (int, float):
        return base.__pos__(value)
    if issubclass(base, dict):
        return dict(dict.items(value))
    return list(base.__iter__(value)) if base is not tuple else tuple(tuple.__iter__(value))


def _numpy(value: Any) -> str:
    shape = "x".join(map(str, value.shape))
    first = value.ravel()[:8].tolist() if value.dtype.kind in "biuf" else []
    more = f" …+{value.size - len(first)}" if value.size > len(first) else ""
    return f"<ndarray {shape or '()'} {value.dtype.str[1:]} {first}{more}>"
