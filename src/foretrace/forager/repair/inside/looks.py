"""`survey` and `watch`: what tests call, which lines they run, and how functions end."""

from __future__ import annotations

import os
import sys
from types import CodeType
from typing import Any

from .session import ROOT, Record, Session, Tell, collect

_ENDS = 400
"""Ends of calls that are noted of one test, at most."""
_VARIABLES = 30


def survey(settings: Record, tell: Tell) -> None:
    """All tests, each with the functions of the tree that it calls; and the modules of others that it imports."""
    called: dict[CodeType, None] = {}

    def note(frame: Any, event: str, arg: Any) -> None:
        called[frame.f_code] = None

    def work(session: Session, items: list[Any]) -> None:
        known: dict[str, str] = {}
        tell({"modules": _others()})
        for at, item in enumerate(items):
            called.clear()
            sys.settrace(note)
            record = session.run(item, items[at + 1] if at + 1 < len(items) else None)
            sys.settrace(None)
            found: dict[str, list[int]] = {}
            for code in called:
                path = _path(code, known)
                if path:
                    found.setdefault(path, []).append(code.co_firstlineno)
            tell({**record, "calls": found})

    session = collect(settings["arguments"], work)
    for name, text in session.uncollected.items():
        tell({"uncollected": name, "detail": text})


def watch(settings: Record, tell: Tell) -> None:
    """Some tests, each with the lines that it runs in some files, and the ends of calls of functions in them."""
    watcher = _Watcher({ROOT + path: path for path in settings["files"]})
    wanted = set(settings["tests"])

    def work(session: Session, items: list[Any]) -> None:
        chosen = [item for item in items if item.nodeid in wanted]
        for at, item in enumerate(chosen):
            watcher.lines, watcher.ends = {}, []
            sys.settrace(watcher.enter)
            record = session.run(item, chosen[at + 1] if at + 1 < len(chosen) else None)
            sys.settrace(None)
            lines = {path: sorted(found) for path, found in watcher.lines.items()}
            tell({"test": record["test"], "lines": lines, "ends": watcher.ends})

    collect(settings["arguments"], work)


class _Watcher:
    """A trace function for some files."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._known: dict[str, str] = {}
        self.lines: dict[str, set[int]] = {}
        self.ends: list[list[Any]] = []

    def enter(self, frame: Any, event: str, arg: Any) -> Any:
        """A call begins."""
        name = frame.f_code.co_filename
        if name not in self._known:
            self._known[name] = self._files.get(os.path.realpath(name), "")
        path = self._known[name]
        if not path:
            return None
        lines, first = self.lines.setdefault(path, set()), frame.f_code.co_firstlineno
        lines.add(first)
        is_raising = False

        def follow(frame: Any, event: str, arg: Any) -> Any:
            nonlocal is_raising
            if event == "line":
                lines.add(frame.f_lineno)
            if event == "return" and len(self.ends) < _ENDS and not frame.f_code.co_name.startswith("<"):
                how = "raises" if is_raising and arg is None else type(arg).__name__
                variables = list(frame.f_locals.items())[:_VARIABLES]
                self.ends.append([path, first, frame.f_lineno, how, {k: type(v).__name__ for k, v in variables}])
            is_raising = event == "exception"
            return follow

        return follow


def _path(code: CodeType, known: dict[str, str]) -> str:
    """The file of some code relative to the tree; empty for others."""
    name = code.co_filename
    if name not in known:
        whole = os.path.realpath(name)
        known[name] = whole[len(ROOT) :] if whole.startswith(ROOT) and "site-packages" not in whole else ""
    return known[name]


def _others() -> list[str]:
    """Modules that are imported and are none of the tree's, in the order of their import."""
    files = {name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())}
    return [name for name, file in files.items() if file and not os.path.realpath(file).startswith(ROOT)]
