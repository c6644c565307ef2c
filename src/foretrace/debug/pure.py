"""What an expression may call, and how large what it makes may be. None of it runs code or changes anything.

Functions and methods are Python's own. Those whose result can be far larger than their arguments are measured before.
"""

from collections.abc import Callable, Mapping
from typing import Any

from foretrace.debug.reading import Thing, show
from foretrace.errors import UsageError

MOST = 100_000
"""The weight that a value may have: its parts, and its characters by sixteen."""
_MOST_BITS = 10_000


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adding containers up is quadratic."""

    def checked(items: Any, /) -> Any:
        if not all(isinstance(item, int | float | complex) for item in items):
            raise TypeError("only numbers are added up here")
        return function(items)

    return checked


def _text(value: Any = "", /) -> str:
    return value if isinstance(value, str) else show(value)


def _round(number: Any, digits: int | None = None, /) -> Any:
    if digits is not None and abs(digits) > 300:
        raise ValueError("that many digits are too many")
    return round(number, digits)


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if made and (made[-1] - made[0]) // made.step >= MOST:
        raise too_large()
    return made


def _in_order(function: Callable[..., Any], make: Callable[..., Any] = list) -> Callable[..., Any]:
    """The function over sets in a fixed order, its result made into a container."""
    return lambda *arguments, **keywords: make(function(*map(ordered, arguments), **keywords))


def ordered(value: Any) -> Any:
    """A set as a list in the order of its elements' texts, so that no result depends on hashes; others as they are."""
    return sorted(value, key=show) if isinstance(value, set | frozenset) else value


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (abs, all, any, bool, chr, divmod, float, int, len, max, min, ord)},
    "sum": _of_numbers(sum),
    "str": _text,
    "repr": show,
    "round": _round,
    "range": _range,
    **{kind.__name__: kind for kind in (set, frozenset, dict)},
    **{each.__name__: _in_order(each) for each in (list, enumerate, zip, reversed, sorted)},
    "tuple": _in_order(tuple, tuple),
}
KEYWORDS = frozenset({"default", "reverse", "maxsplit", "sep"})
TYPES: Mapping[str, type] = {
    kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, range)
}
_OF_SEQUENCES = {"count", "index"}
_OF_SETS = {"union", "intersection", "difference", "symmetric_difference", "issubset", "issuperset", "isdisjoint"}
_OF_TEXTS = frozenset(
    name
    for name in vars(str)
    if not name.startswith("_")
    and name not in {"format", "format_map", "maketrans", "translate", "encode"}  # do more than is needed here
    and name not in {"center", "expandtabs", "ljust", "rjust", "zfill"}  # make texts of any length
)
METHODS: Mapping[type, frozenset[str]] = {
    str: _OF_TEXTS,
    list: frozenset(_OF_SEQUENCES | {"copy"}),
    tuple: frozenset(_OF_SEQUENCES),
    range: frozenset(_OF_SEQUENCES),
    dict: frozenset({"get", "keys", "values", "items", "copy"}),
    set: frozenset(_OF_SETS | {"copy"}),
    frozenset: frozenset(_OF_SETS | {"copy"}),
    float: frozenset({"is_integer"}),
    int: frozenset({"bit_length", "bit_count"}),
}


def call_method(value: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Calls a method that is allowed; dictionary views become lists.

    Raises:
        UsageError: it is not, or its result would be too large.

    """
    if name not in METHODS.get(type(value), ()):
        raise UsageError(f"the method {name!r} of {type_name(value)} cannot be called here")
    if name == "join":
        arguments = [ordered(argument) for argument in arguments]
        _check_length(sum(len(part) + len(value) for part in arguments[0]))
    if name == "replace" and len(arguments) > 1:
        _check_length(len(value) + value.count(arguments[0]) * len(arguments[1]))
    found = getattr(value, name)(*arguments, **keywords)
    return list(found) if name in ("keys", "values", "items") else found


def check_growth(operator: str, left: Any, right: Any) -> None:
    """Refuses an operation whose result would be too large, before it is computed.

    Raises:
        UsageError: it would.

    """
    if operator == "Mod" and isinstance(left, str | bytes):
        raise UsageError("text cannot be formatted here")
    if operator == "Mult":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, int) and isinstance(other, str | bytes | list | tuple):
                _check_length(one * max(weigh(other), 1))
    if isinstance(left, int) and isinstance(right, int):
        size = left.bit_length()
        bits = {"Mult": size + right.bit_length(), "Pow": size * max(right, 1), "LShift": size + right}
        if bits.get(operator, 0) > _MOST_BITS:
            raise too_large()


def weigh(value: Any) -> int:
    """The number of parts of a value, and its characters by sixteen.

    Raises:
        UsageError: there are more than `MOST`; so one that contains itself over and over is found too.

    """
    weight, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        weight += 1
        if isinstance(part, str | bytes):
            weight += len(part) // 16
        elif isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
        elif isinstance(part, int):
            weight += part.bit_length() // 64
        elif isinstance(part, Thing):
            weight += len(part.text) // 16
        if weight + len(waiting) > MOST:
            raise too_large()
    return weight


def weigh_all(value: Any) -> int:
    """What it costs to go through a value: its weight, and of a range each of its numbers."""
    return weigh(value) + (len(value) if isinstance(value, range) else 0)


def type_name(value: Any) -> str:
    """The name of a value's type, of an object's too."""
    return (value.name or "unknown") if isinstance(value, Thing) else type(value).__name__


def too_large() -> UsageError:
    """The error for a result that is too large."""
    return UsageError(f"the result would be too large: a value may have {MOST} parts here")


def _check_length(length: int) -> None:
    if length > MOST:
        raise too_large()
