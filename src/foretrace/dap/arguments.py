"""The arguments of a request, each read as what it must be.

    arguments = Arguments("setVariable", {"variablesReference": 3, "name": "n", "value": "7"})
    arguments.number("variablesReference"), arguments.text("name")        # 3, 'n'
    arguments.flag("allowRun")                                            # False: it is not given

Editors send what they like; what is of another kind is an error that names it, and never a crash.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from foretrace.errors import UsageError

T = TypeVar("T", str, int, float)


class Arguments:
    """Values by name; null is the same as not given."""

    def __init__(self, command: str, values: Mapping[str, Any]) -> None:
        """`command` is what they belong to, for people."""
        self._command = command
        self._values = {name: value for name, value in values.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        """A text. All these raise UsageError where the value is missing and has no default, or is of another kind."""
        return self._read(name, str, "a text", default)

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        return self._read(name, int, "a whole number", default)

    def real(self, name: str, default: float | None = None) -> float:
        """A number."""
        if isinstance(self._values.get(name), int):
            return float(self.number(name))
        return self._read(name, float, "a number", default)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts, empty if it is not given."""
        found = self._list(name)
        if not all(isinstance(item, str) for item in found):
            raise self._wrong(name, "a list of texts")
        return found

    def items(self, name: str) -> "list[Arguments]":
        """A list of objects, empty if it is not given."""
        found = self._list(name)
        if not all(isinstance(item, dict) for item in found):
            raise self._wrong(name, "a list of objects")
        return [Arguments(f"{self._command}: {name}", item) for item in found]

    def section(self, name: str) -> "Arguments":
        """An object, empty if it is not given."""
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Arguments(f"{self._command}: {name}", value)

    def _list(self, name: str) -> list[Any]:
        value = self._values.get(name, [])
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def _read(self, name: str, kind: type[T], called: str, default: T | None) -> T:
        value = self._values.get(name, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong(name, called)
        return value

    def _wrong(self, name: str, called: str) -> UsageError:
        given = f"not {self._values[name]!r:.80}" if name in self._values else "and is missing"
        return UsageError(f"{self._command}: {name} must be {called}, {given}")
