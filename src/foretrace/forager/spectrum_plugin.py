"""A pytest plugin: which lines of a tree each test runs. It imports nothing but Python, for it works inside an image.

    FORETRACE_SPECTRUM=/tmp/lines.jsonl pytest -p spectrum_plugin

Each line of the file is one test: `{"test": "tests/test_a.py::test_b", "lines": {"pkg/a.py": [3, 4, 9]}}`. From 3.12 on
`sys.monitoring` tells each line once a test and costs next to nothing; before, a trace function is called for every line.
What runs in other threads is seen from 3.12 on; what runs in other processes is not.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import pytest

_ROOT = os.path.realpath(os.getcwd()) + os.sep
_SKIPPED = (os.sep + ".", os.sep + "site-packages" + os.sep)


class Traced:
    """The lines that have run since the last `take`, by `sys.settrace`."""

    def __init__(self) -> None:
        self._lines: dict[str, set[int]] = defaultdict(set)
        self._paths: dict[str, str] = {}

    def start(self) -> None:
        """From here on."""
        sys.settrace(self._call)

    def stop(self) -> None:
        """Up to here."""
        sys.settrace(None)

    def take(self) -> dict[str, list[int]]:
        """Lines by path."""
        found, self._lines = self._lines, defaultdict(set)
        return {path: sorted(lines) for path, lines in sorted(found.items())}

    def path_of(self, filename: str) -> str:
        """A file's path relative to the tree, empty for files outside of it."""
        path = self._paths.get(filename)
        if path is None:
            whole = os.path.realpath(filename)
            inside = whole.startswith(_ROOT) and not any(part in whole[len(_ROOT) - 1 :] for part in _SKIPPED)
            path = self._paths[filename] = whole[len(_ROOT) :].replace(os.sep, "/") if inside else ""
        return path

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        path = self.path_of(frame.f_code.co_filename)
        if not path:
            return None
        lines = self._lines[path]

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            return line

        return line


if sys.version_info >= (3, 12):

    class Monitored(Traced):
        """The same by `sys.monitoring`."""

        def __init__(self) -> None:
            super().__init__()
            self._tool = sys.monitoring.COVERAGE_ID
            sys.monitoring.use_tool_id(self._tool, "foretrace")
            sys.monitoring.register_callback(self._tool, sys.monitoring.events.LINE, self._line)

        def start(self) -> None:
            """From here on."""
            sys.monitoring.set_events(self._tool, sys.monitoring.events.LINE)
            sys.monitoring.restart_events()

        def stop(self) -> None:
            """Up to here."""
            sys.monitoring.set_events(self._tool, 0)

        def _line(self, code: CodeType, number: int) -> Any:
            path = self.path_of(code.co_filename)
            if path:
                self._lines[path].add(number)
            return sys.monitoring.DISABLE

    _LINES: Traced = Monitored()
else:
    _LINES = Traced()

_FILE = open(os.environ["FORETRACE_SPECTRUM"], "w", encoding="utf-8")  # noqa: SIM115 -- it stays open until pytest ends


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Around a test, its fixtures included."""
    _LINES.take()
    _LINES.start()
    yield
    _LINES.stop()
    print(json.dumps({"test": item.nodeid, "lines": _LINES.take()}), file=_FILE, flush=True)
