"""What an error says of the arguments' types: `'int' object is not iterable` speaks against the integers among them."""

import re
from collections.abc import Sequence
from types import TracebackType

from foretrace.corpus.arguments.generate import Choice
from foretrace.corpus.arguments.guess import ITERABLE, SEQUENCE, SIZED
from foretrace.corpus.arguments.module import Module
from foretrace.corpus.arguments.tables import HOLDERS, TYPE_NAMES

_QUOTED = re.compile(r"'([\w.]+)'")
_FOUND = re.compile(r"(?:not|found|got|with) \(?['\"]?(\w+)")
_NO_ATTRIBUTE = re.compile(r"has no attribute '(\w+)'")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_WANTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("is not iterable", ITERABLE[:5]),
    ("not subscriptable", (*SEQUENCE[:3], "dict")),
    ("object is not callable", ("callable",)),
    ("has no len()", SIZED[:5]),
    ("cannot be interpreted as an integer", ("int",)),
    ("must be real number", ("int", "float")),
    ("must be str", ("str",)),
    ("expected str", ("str",)),
    ("expected string", ("str",)),
    ("not an iterator", ("iterator",)),
    ("does not support item assignment", ("list", "dict")),
    ("not a mapping", ("dict",)),
    ("indices must be integers", ("dict",)),
    ("unhashable type", ("int", "str", "tuple")),
    ("a bytes-like object is required", ("bytes",)),
)
_BLAMED, _SUSPECTED, _PRAISED, _WISHED = 0.4, 0.8, 1.15, 1.6


def praise(choices: Sequence[Choice]) -> None:
    """The call returned: these types are right."""
    for _, guess, kind in dict.fromkeys(choices):
        guess.favour((kind,), _PRAISED)


def blame(choices: Sequence[Choice], error: BaseException, module: Module, filename: str) -> None:
    """The call raised: if the error is one of types, those it names become less probable, and what it asks for more."""
    if not choices or not isinstance(error, TypeError | AttributeError):
        return
    message = str(error)
    bad = _named_kinds(message)
    named = names_at(error.__traceback__, module, filename)
    unique = list(dict.fromkeys(choices))
    suspects = [one for one in unique if one[2] in bad]
    suspects = [one for one in suspects if one[0] in named] or suspects
    for _, guess, kind in suspects:
        guess.favour((kind,), _BLAMED)
        guess.favour(_wanted(message, module), _WISHED)
    if not suspects:
        for _, guess, kind in unique:
            guess.favour((kind,), _SUSPECTED)


def _named_kinds(message: str) -> set[str]:
    """Kinds that a message names."""
    names = _QUOTED.findall(message) + _FOUND.findall(message)
    return {TYPE_NAMES.get(name, f"class:{name}") for name in names}


def _wanted(message: str, module: Module) -> tuple[str, ...]:
    """Kinds that would not have caused the error."""
    missing = _NO_ATTRIBUTE.search(message)
    if missing is not None:
        return (*HOLDERS.get(missing[1], ()), *module.holders.get(missing[1], ()))
    return next((kinds for text, kinds in _WANTED if text in message), ())


def names_at(traceback: TracebackType | None, module: Module, filename: str) -> set[str]:
    """Names on the line of the module where an error came from."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return set(_IDENTIFIER.findall(module.line_text(line))) if line else set()
