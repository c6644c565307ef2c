"""Fields of nested frozen dataclasses, overridden by dotted name: `train.steps=500`."""

import ast
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from foretrace.errors import UsageError

T = TypeVar("T")


def override(config: T, settings: Iterable[str]) -> T:
    """`config` with every `dotted.name=value` applied.

    Raises:
        UsageError: an unknown field (the nearest is suggested) or a value of another type.

    """
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise UsageError(f"{setting!r} sets nothing; write FIELD=VALUE, such as train.steps=500")
        config = _set(config, name.split("."), text, name)
    return config


def _set(config: Any, path: list[str], text: str, name: str) -> Any:
    first, *rest = path
    known = [f.name for f in fields(config)] if is_dataclass(config) else []
    if first not in known:
        close = get_close_matches(first, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"no field {name!r} ({hint}fields here: {', '.join(known) or 'none'})")
    current = getattr(config, first)
    if rest:
        return replace(config, **{first: _set(current, rest, text, name)})
    if is_dataclass(current):
        inner = ", ".join(f"{name}.{f.name}" for f in fields(current))
        raise UsageError(f"{name} is a group of fields; set one of {inner}")
    return replace(config, **{first: _parse(text, current, name)})


def _parse(text: str, current: Any, name: str) -> Any:
    """`text` as a value of the type that the field has now."""
    if isinstance(current, Path) or (current is None and text not in ("None", "none")):
        return Path(text)
    if isinstance(current, str):
        return text
    try:
        value = ast.literal_eval(text.capitalize() if text in ("true", "false", "none") else text)
    except (ValueError, SyntaxError) as error:
        raise UsageError(f"{name}={text!r} is not a value; it is {current!r} now") from error
    if isinstance(current, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(current) and current is not None:
        raise UsageError(
            f"{name}={text!r} has type {type(value).__name__}, wanted {type(current).__name__}, such as {current!r}"
        )
    return value
