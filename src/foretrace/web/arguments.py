"""What a request says, by name, each of the type that is asked for.

given = Arguments(json.loads(body))
given.text("name"), given.number("line"), given.number("visit", None)
"""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from foretrace.errors import UsageError

_MISSING: Any = object()
_LARGEST = 10**9
T = TypeVar("T")


class Arguments:
    """Named values from outside. Whatever is wrong with them is a `UsageError` that names one."""

    def __init__(self, values: object) -> None:
        if not isinstance(values, Mapping):
            raise UsageError("a JSON object is expected")
        self._values = values

    def text(self, name: str, default: T = _MISSING, *, characters: int = 10_000) -> str | T:
        """A text of at most so many characters."""
        value = self._values.get(name, default)
        if value is default and default is not _MISSING:
            return default
        if not isinstance(value, str):
            raise UsageError(f"{name} must be a text")
        if len(value) > characters:
            raise UsageError(f"{name} is longer than {characters:,} characters")
        return value

    def number(self, name: str, default: T = _MISSING) -> int | T:
        """A whole number, also as digits, as in the query of an address."""
        value = self._values.get(name, default)
        if value is default and default is not _MISSING:
            return default
        try:
            number = int(value) if isinstance(value, str) and len(value) < 20 else value
        except ValueError:
            number = None
        if not isinstance(number, int) or isinstance(number, bool) or abs(number) > _LARGEST:
            raise UsageError(f"{name} must be a whole number")
        return number

    def share(self, name: str, default: T = _MISSING) -> float | T:
        """A finite number."""
        value = self._values.get(name, default)
        if value is default and default is not _MISSING:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"{name} must be a number")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false; false if it is not given."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty if it is not given."""
        value = self._values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{name} must be a list of texts")
        return value
