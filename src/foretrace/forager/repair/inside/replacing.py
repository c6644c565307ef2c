"""New code for functions that exist: a version is in force without an import, in this process and its forks.

functions = functions_of({"/testbed/pkg/a.py"})
for function, code in changes(functions, version, called): function.__code__ = code
"""

from __future__ import annotations
import __future__

import gc
import os
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from .session import ROOT

_CONTENT = ("co_code", "co_names", "co_varnames", "co_cellvars", "co_flags")


class UnfitError(Exception):
    """A version whose functions cannot take the places of those that exist."""


class Called:
    """Which functions of some files are called while others are imported: new code would come too late for them."""

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self._known: dict[str, bool] = {}
        self.functions: set[tuple[str, int]] = set()

    def start(self) -> None:
        """From here on."""
        sys.settrace(self._note)

    def stop(self) -> None:
        """Up to here."""
        sys.settrace(None)

    def _note(self, frame: Any, event: str, arg: Any) -> None:
        code = frame.f_code
        name = code.co_filename
        if name not in self._known:
            self._known[name] = os.path.realpath(name) in self._files
        if self._known[name]:
            self.functions.add((os.path.realpath(name), code.co_firstlineno))


def functions_of(files: set[str]) -> dict[str, list[Any]]:
    """All functions that exist now, by the file they come from."""
    known: dict[str, str] = {}
    found: dict[str, list[Any]] = {}
    for each in gc.get_objects():
        if type(each) is FunctionType:
            name = each.__code__.co_filename
            if name not in known:
                known[name] = os.path.realpath(name)
            if known[name] in files:
                found.setdefault(known[name], []).append(each)
    return found


def changes(functions: dict[str, list[Any]], version: dict[str, Any], called: Called) -> list[tuple[Any, CodeType]]:
    """The functions that a version changes, each with its new code.

    Raises:
        UnfitError: there are none, they cannot have it, or they have been called already.
        SyntaxError: it is no Python.

    """
    path, segment = ROOT + version["path"], version["segment"]
    mine = functions.get(path, [])
    flags = next((f.__code__.co_flags for f in mine), 0) & __future__.annotations.compiler_flag
    before, after = (_compiled(text, path, segment[0], flags) for text in segment[1:])
    keys = {(code.co_name, code.co_firstlineno): key for key, code in before.items()}
    found = []
    for function in mine:
        own = function.__code__
        key = keys.get((own.co_name, own.co_firstlineno))
        if key is None:
            continue
        code = after.get(key)
        if code is None or code.co_freevars != own.co_freevars:
            raise UnfitError
        if _differ(own, code):
            if (path, own.co_firstlineno) in called.functions:
                raise UnfitError
            found.append((function, code))
    if not found:
        raise UnfitError
    return found


def _compiled(text: str, path: str, first: int, flags: int) -> dict[tuple[Any, ...], CodeType]:
    """All code of a text that begins in some line, by the way to it."""
    return dict(_inner(compile("\n" * (first - 1) + text, path, "exec", flags, dont_inherit=True), ()))


def _inner(code: CodeType, way: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], CodeType]]:
    counts: dict[str, int] = {}
    for const in code.co_consts:
        if isinstance(const, CodeType):
            counts[const.co_name] = counts.get(const.co_name, 0) + 1
            key = (*way, const.co_name, counts[const.co_name])
            yield key, const
            yield from _inner(const, key)


def _differ(one: CodeType, other: CodeType) -> bool:
    """Whether they do different things; where they stand does not matter."""
    if any(getattr(one, name) != getattr(other, name) for name in _CONTENT):
        return True
    if len(one.co_consts) != len(other.co_consts):
        return True
    for a, b in zip(one.co_consts, other.co_consts):  # noqa: B905 -- no `strict` before Python 3.10
        nested = isinstance(a, CodeType) and isinstance(b, CodeType)
        if _differ(a, b) if nested else (type(a), a) != (type(b), b):
            return True
    return False
