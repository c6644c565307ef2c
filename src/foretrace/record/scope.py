"""What is in scope: which files are recorded, and which calls are stepped into."""

import ast
import fnmatch
import linecache
import os
import site
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MASK = 2**64 - 1
_LIBRARIES = tuple(
    {
        str(Path(str(path)).resolve()) + os.sep
        for path in (
            *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
            *site.getsitepackages(),
            site.getusersitepackages(),
            Path(__file__).resolve().parents[1],
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which code is recorded; all else runs unseen, as one step."""

    include: tuple[str, ...] = ()
    """Patterns of file names, as a shell has them; a folder stands for all files in it. Empty: everything but the standard
    library, installed packages and this package."""
    exclude: tuple[str, ...] = ()
    depth: int = 0
    """Calls more than that many levels below the entry are not recorded; 0: all are."""
    step_in: float = 1.0
    """Probability that a call below the entry is recorded (CWM report, section 2.2)."""
    seed: int = 0
    """Of the draws of `step_in`."""

    def lines_of(self, filename: str) -> list[str] | None:
        """The source lines of a file in scope, `None` if it is not in scope or has no source."""
        if not self._contains(filename):
            return None
        lines = [line.removesuffix("\n") for line in linecache.getlines(filename)]
        return [*lines, ""] if lines else None

    def _contains(self, filename: str) -> bool:
        path = filename if filename.startswith("<") else str(Path(filename).resolve())
        if any(_matches(path, pattern) for pattern in self.exclude):
            return False
        if self.include:
            return any(_matches(path, pattern) for pattern in self.include)
        return not path.startswith(_LIBRARIES) and not path.startswith("<frozen ")


def _matches(path: str, pattern: str) -> bool:
    whole = pattern if pattern.startswith(("<", "*")) else os.path.abspath(pattern)
    return fnmatch.fnmatchcase(path, whole) or path.startswith(whole.rstrip(os.sep) + os.sep)


class Sampler:
    """Draws whether a call is stepped into: SplitMix64 (Steele et al., OOPSLA 2014), so that C draws the same."""

    def __init__(self, probability: float, seed: int) -> None:
        self.probability, self._state = probability, seed & _MASK

    def draw(self) -> bool:
        """The next draw."""
        if self.probability >= 1:
            return True
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
        return (z ^ z >> 31) >> 11 < self.probability * 2**53


def def_line(lines: list[str], line: int) -> int:
    """The line of the `def` or `class` of a scope that starts at `line`, which may be that of its first decorator."""
    if not 0 < line <= len(lines) or not lines[line - 1].lstrip().startswith("@"):
        return line
    return _decorated("\n".join(lines)).get(line, line)


@lru_cache(maxsize=64)
def _decorated(source: str) -> dict[int, int]:
    """First decorator's line to the line of the `def` or `class`."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return {}
    definitions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    return {n.decorator_list[0].lineno: n.lineno for n in definitions if n.decorator_list}
