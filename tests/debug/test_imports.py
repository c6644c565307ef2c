"""What is not installed, and the lines that use it."""

from pathlib import Path

from foretrace.debug.imports import imagined_lines, missing_modules

SOURCE = """from __future__ import annotations
import os.path, sys as system, neighbour
from . import sibling
import gone.parts, away as far


def f(x):
    from lost import found as kept, other
    y = gone.parts.make(x)
    z = far(y) + kept(z)
    def inner():
        return other
    return os.path.join(z, sibling, system.path, neighbour.x)
"""


def test_modules_that_are_not_installed(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("raise SystemExit('nobody imports this')\n")
    assert missing_modules(SOURCE, tmp_path) == ["gone", "away", "lost"]
    assert missing_modules(SOURCE) == ["neighbour", "gone", "away", "lost"]
    assert missing_modules(SOURCE, everywhere=False) == ["neighbour", "gone", "away"]


def test_lines_that_use_them(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("")
    assert imagined_lines(SOURCE, tmp_path) == {9, 10, 12}
    assert imagined_lines(SOURCE) == {9, 10, 12, 13}


def test_a_program_that_needs_nothing() -> None:
    assert missing_modules("import __main__, json\nx = json\n") == []
    assert missing_modules("def f(:") == []
    assert imagined_lines("def f(:") == set()
