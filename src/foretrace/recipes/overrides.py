"""Fields of nested frozen dataclasses, overridden by dotted name: `midtrain.steps=500`.

An element of a tuple is called by its name: `midtrain.mixture.sources.traces.weight=0.5`,
`data.traces.max_tokens=900`.
"""

import ast
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

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
            raise UsageError(f"{setting!r} sets nothing; write FIELD=VALUE, such as {_an_example(config)}")
        config = _set(config, name.split("."), text, name)
    return config


def _an_example(config: Any) -> str:
    """A setting that `config` really has."""
    for field in fields(config):
        value = getattr(config, field.name)
        if type(value) in (int, float, bool):
            return f"{field.name}={value}"
    return f"{fields(config)[0].name}=…"


def _set(config: Any, path: list[str], text: str, name: str) -> Any:
    first, *rest = path
    members = _members(config)
    if first not in members:
        close = get_close_matches(first, members, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"no field {name!r} ({hint}fields here: {', '.join(members) or 'none'})")
    current = members[first]
    if rest:
        return _with(config, first, _set(current, rest, text, name))
    if text in ("None", "none") and _may_be(config, first, NoneType):
        return _with(config, first, None)
    inner = _members(current)
    if inner:
        raise UsageError(f"{name} is a group of fields; set one of {', '.join(f'{name}.{member}' for member in inner)}")
    value = Path(text) if _may_be(config, first, Path) else _parse(text, current, name)
    return _with(config, first, value)


def _members(config: Any) -> dict[str, Any]:
    """Fields of a dataclass; elements of a tuple by their `name`, or by the first of a pair."""
    if is_dataclass(config) and not isinstance(config, type):
        return {field.name: getattr(config, field.name) for field in fields(config)}
    if isinstance(config, tuple) and config and all(is_dataclass(c) and hasattr(c, "name") for c in config):
        return {element.name: element for element in config}
    if isinstance(config, tuple) and config and all(isinstance(c, tuple) and is_dataclass(c[-1]) for c in config):
        return dict(config)
    return {}


def _may_be(config: Any, name: str, kind: type) -> bool:
    """Whether a dataclass says that one of its fields may be of that type, among others."""
    return is_dataclass(config) and any(f.name == name and kind in get_args(f.type) for f in fields(config))


def _with(config: Any, name: str, value: Any) -> Any:
    """`config` with one member exchanged."""
    if not isinstance(config, tuple):
        return replace(config, **{name: value})
    if isinstance(config[0], tuple):
        return tuple((key, value if key == name else old) for key, old in config)
    return tuple(value if element.name == name else element for element in config)


def _parse(text: str, current: Any, name: str) -> Any:
    """`text` as a value of the type that the field has now."""
    if isinstance(current, Path):
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
