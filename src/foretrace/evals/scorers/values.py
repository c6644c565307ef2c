"""Plain values as text, and back, across a wall behind which anybody may write what he likes.

    to_text({1, 2.5})                    # '{"s":[1,2.5]}'
    from_text('{"t":[1,true]}')          # (1, True)
    same_value((1, True), (1, 1))        # False

The text is JSON in ASCII, on one line. What JSON does not know is an object with one key: `t`uple, `s`et, `f`rozenset,
`d`ict (pairs), `b`ytes (hexadecimal), `c`omplex, `i`nteger of more than 64 bits (hexadecimal). Types are exact: an object
of a class of its own is no plain value, whatever it is derived from, since it may be equal to whatever it likes.
"""

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from foretrace.trace.literals import identity

MAX_DEPTH = 100
MAX_CHARACTERS = 16 << 20
"""Of the text of a value."""
_MAX_ALIKE = 100
"""Elements of a set or keys of a dictionary with the same hash: more are chosen to take time."""
_DICTIONARIES = (dict, Counter, OrderedDict, defaultdict)
_SMALL = 1 << 63
_CONTENTS: dict[type, Callable[[Any], object]] = {
    int: lambda value: int.__add__(value, 0),
    float: lambda value: float.__mul__(value, 1.0),
    complex: lambda value: complex.__mul__(value, 1),
    str: lambda value: str.__getitem__(value, slice(None)),
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    list: lambda value: list.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    set: lambda value: set.union(set(), value),
    frozenset: lambda value: frozenset.union(frozenset(), value),
    dict: lambda value: dict(dict.items(value)),
}


class NotPlainError(ValueError):
    """A value that text cannot carry, or a text that tells none."""


def to_text(value: object, inexact: list[str] | None = None) -> str:
    """The text of a plain value. Counters, ordered dictionaries and those with defaults are the dictionaries they are.

    Args:
        value: the value.
        inexact: if given, values of classes derived from plain ones and scalars of NumPy are carried as the plain values
            that they are in content, and the names of their types are added to this list.

    Raises:
        NotPlainError: it is none.

    """
    return json.dumps(_tree(value, 0, inexact), separators=(",", ":"))


def _tree(value: Any, depth: int, inexact: list[str] | None) -> Any:
    kind = type(value)
    if kind in (str, bool, float, type(None)) or (kind is int and -_SMALL <= value < _SMALL):
        return value
    if depth > MAX_DEPTH:
        raise NotPlainError(f"it is nested more than {MAX_DEPTH} deep")
    if kind is list:
        return [_tree(item, depth + 1, inexact) for item in value]
    if kind in (tuple, set, frozenset):
        return {kind.__name__[0]: [_tree(item, depth + 1, inexact) for item in value]}
    if kind in _DICTIONARIES:
        pairs = dict.items(value)
        return {"d": [[_tree(key, depth + 1, inexact), _tree(item, depth + 1, inexact)] for key, item in pairs]}
    if kind is int:
        return {"i": hex(value)}
    if kind is bytes:
        return {"b": value.hex()}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if inexact is not None and (content := _content(value, kind)) is not None:
        inexact.append(kind.__name__)
        return _tree(content, depth + 1, inexact)
    raise NotPlainError(f"a value of type {kind.__name__} cannot be carried out of the sandbox")


def _content(value: Any, kind: type) -> object:
    """What is in a value of a derived class, by the methods of its base; or in a scalar of NumPy."""
    for base, read in _CONTENTS.items():
        if issubclass(kind, base):
            return read(value)
    return value.item() if kind.__module__ == "numpy" and getattr(value, "shape", None) == () else None


def from_text(text: str) -> Any:
    """The value of a text from anybody.

    Raises:
        NotPlainError: it tells none.

    """
    if len(text) > MAX_CHARACTERS:
        raise NotPlainError("it is too long")
    try:
        value = json.loads(text, object_hook=_value)
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(value, 0)
        return value
    except NotPlainError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise NotPlainError(f"no plain value: {type(error).__name__}") from error


def _check_depth(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotPlainError(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        _check_depth([*value.keys(), *value.values()], depth)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _check_depth(item, depth + 1)


def _value(tagged: dict[str, Any]) -> object:
    ((tag, content),) = tagged.items()
    return _READERS[tag](content)


def _few_alike(items: list[Any]) -> list[Any]:
    if len(items) <= _MAX_ALIKE:
        return items
    hashes = sorted(map(hash, items))
    if any(a == b for a, b in zip(hashes, hashes[_MAX_ALIKE:], strict=False)):
        raise NotPlainError("its elements are chosen to have the same hash")
    return items


def _dictionary(pairs: list[Any]) -> dict[Any, Any]:
    _few_alike([key for key, _ in pairs])
    return dict(pairs)


_READERS: dict[str, Callable[[Any], object]] = {
    "t": tuple,
    "s": lambda items: set(_few_alike(items)),
    "f": lambda items: frozenset(_few_alike(items)),
    "d": _dictionary,
    "i": lambda text: int(text, 16),
    "b": bytes.fromhex,
    "c": lambda parts: complex(*parts),
}


def same_value(a: object, b: object) -> bool:
    """Equality that tells 1 from 1.0 and True at any depth, and keeps the order of dictionaries out of account.

    NaN is the same as NaN, and 0.0 the same as -0.0.
    """
    try:
        return identity(a) == identity(b)
    except RecursionError:
        return False


def shown(value: object, characters: int = 100) -> str:
    """A plain value for people, shortened."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # integers of thousands of digits
        return f"a large {type(value).__name__}"
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
