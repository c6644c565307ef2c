"""What a request may hold: JSON Schemas that check, and that the OpenAPI document shows as they are.

One table for both, so that neither can promise what the other refuses. Only the few keywords of JSON Schema are known that
our requests need; another one is a mistake of ours and raises KeyError when something is checked by it.

    body = parse(data)                          # bytes -> JSON object
    check(body, COMPLETION, "")                 # raises Problem(400, "max_tokens must be at least 0", param="max_tokens")
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from foretrace.serve.problem import Problem

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_NAMES = {"null": "null", "boolean": "true or false", "integer": "an integer", "number": "a number", "string": "a text"}
_NAMES |= {"array": "a list", "object": "an object"}


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        Problem: 400; it is none.

    """
    try:
        body = json.loads(data.decode(), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise Problem(400, "the body is nested too deeply") from error
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Problem(400, "the body must be a JSON object")
    return body


def check(value: Any, schema: Schema, where: str) -> None:
    """Raises Problem (400) unless `value` is as `schema` says; `where` is what the message calls it, empty for the body."""
    for keyword, wanted in schema.items():
        _KEYWORDS[keyword](value, wanted, where)


def with_defaults(body: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """All fields that a body of this schema has: those given, else their defaults, else None."""
    fields = schema["properties"]
    return {name: field.get("default") if body.get(name) is None else body[name] for name, field in fields.items()}


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _fail(where: str, what: str) -> NoReturn:
    field = where.partition("[")[0].partition(".")[0]
    raise Problem(400, f"{where or 'the body'} {what}", param=field or None)


def _type(value: Any, wanted: str | list[str], where: str) -> None:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if not any(_TYPES[kind](value) for kind in kinds):
        _fail(where, f"must be {' or '.join(_NAMES[kind] for kind in kinds)}")


def _any_of(value: Any, wanted: list[Schema], where: str) -> None:
    problems = []
    for schema in wanted:
        try:
            return check(value, schema, where)
        except Problem as problem:
            problems.append(problem)
    # That of the right type says best what is wrong.
    raise next((p for p, s in zip(problems, wanted, strict=True) if _TYPES[s.get("type", "object")](value)), problems[0])


def _enum(value: Any, wanted: list[Any], where: str) -> None:
    if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in wanted):
        _fail(where, f"must be {' or '.join(json.dumps(one) for one in wanted)}")


def _range(keyword: str, is_within: Callable[[Any, Any], bool], what: str) -> Callable[[Any, Any, str], None]:
    """A check of a number, of a text's length or of a list's, by the keyword's name."""

    def ranged(value: Any, wanted: Any, where: str) -> None:
        kind = str if "Length" in keyword else list if "Items" in keyword else (int, float)
        if isinstance(value, kind) and not isinstance(value, bool):
            size = len(value) if isinstance(value, str | list) else value
            if not is_within(size, wanted):
                _fail(where, what.format(wanted))

    return ranged


def _items(value: Any, wanted: Schema, where: str) -> None:
    if not isinstance(value, list):
        return
    numbers: Iterable[int] = range(len(value))
    if wanted["type"] == "integer":  # prompts have a hundred thousand: look closely only at what is odd
        least = wanted["minimum"]
        numbers = (number for number, item in enumerate(value) if type(item) is not int or item < least)
    for number in numbers:
        check(value[number], wanted, f"{where}[{number}]")


def _required(value: Any, wanted: list[str], where: str) -> None:
    missing = [name for name in wanted if isinstance(value, dict) and name not in value]
    if missing:
        _fail(_join(where, missing[0]), "is missing")


def _properties(value: Any, wanted: Mapping[str, Schema], where: str) -> None:
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if name not in wanted:
            _fail(_join(where, name[:60]), f"is not known; the fields are: {', '.join(wanted)}")
        check(item, wanted[name], _join(where, name))


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _nothing(value: Any, wanted: Any, where: str) -> None:
    """Of keywords that only describe; `additionalProperties` is always false, and `properties` sees to it."""


_KEYWORDS: dict[str, Callable[[Any, Any, str], None]] = {
    "type": _type,
    "anyOf": _any_of,
    "enum": _enum,
    "minimum": _range("minimum", lambda size, least: size >= least, "must be at least {}"),
    "maximum": _range("maximum", lambda size, most: size <= most, "must be at most {}"),
    "exclusiveMinimum": _range("exclusiveMinimum", lambda size, least: size > least, "must be more than {}"),
    "minLength": _range("minLength", lambda size, least: size >= least, "must have at least {} characters"),
    "maxLength": _range("maxLength", lambda size, most: size <= most, "must have at most {:,} characters"),
    "minItems": _range("minItems", lambda size, least: size >= least, "must have at least {} items"),
    "maxItems": _range("maxItems", lambda size, most: size <= most, "must have at most {:,} items"),
    "items": _items,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _nothing,
    "default": _nothing,
    "description": _nothing,
}
