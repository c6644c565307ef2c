"""What is in scope: which files are recorded, and which calls are stepped into."""

import fnmatch
import linecache
import os
import re
import site
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MASK = 2**64 - 1
_LIBRARIES = tuple(
    {
        form(str(path)) + os.sep
        for path in (
            *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
            *site.getsitepackages(),
            site.getusersitepackages(),
            Path(__file__).parents[1],
        )
        for form in (os.path.abspath, os.path.realpath)
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

    def reader(self) -> Callable[[str], list[str] | None]:
        """What gives the source lines of a file in scope, and `None` for one that is not or has no source."""
        plain, prefixes, includes = _parts_of(self.include)
        excludes = _matcher(self.exclude) if self.exclude else None
        is_own = not self.include
        cached, getlines = linecache.cache.get, linecache.getlines

        def lines_of(filename: str) -> list[str] | None:
            path = filename if filename.startswith("<") else os.path.abspath(filename)
            is_in = _is_own(path) if is_own else path.startswith(prefixes) or path in plain or includes(path)
            if not is_in or (excludes is not None and excludes(path)):
                return None
            entry = cached(filename)  # what `getlines` does first: programs of one function are many
            return (entry[2] if entry is not None and len(entry) == 4 else getlines(filename)) or None

        return lines_of


def _is_own(path: str) -> bool:
    """Whether a file is neither of a library nor of the interpreter."""
    return not path.startswith((*_LIBRARIES, "<frozen "))


def _parts_of(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...], Callable[[str], bool]]:
    """What `patterns` say, from what is found out fast to what is not: whole paths, how paths begin, and all else."""
    whole = [p if p.startswith(("<", "*")) else os.path.abspath(p) for p in patterns]
    wild = [p for p in whole if any(c in p for c in "*?[")]
    starts = [p[:-1] for p in wild if p.endswith("*") and not any(c in p[:-1] for c in "*?[")]
    starts += [p.rstrip(os.sep) + os.sep for p in whole if not p.startswith("<")]
    other = [p for p in wild if p[:-1] not in starts]
    match = re.compile("|".join(map(fnmatch.translate, other)) if other else r"(?!)").match
    return frozenset(whole), tuple(starts), lambda path: match(path) is not None


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a path is one of `patterns`, or in a folder that is."""
    plain, prefixes, other = _parts_of(patterns)
    return lambda path: path.startswith(prefixes) or path in plain or other(path)


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


_DEFINITION = re.compile(r"(async[ \t]+def|def|class)[ \t(]")


def def_line(lines: list[str], line: int) -> int:
    """The line of the `def` or `class` of a scope that starts at `line`, which may be that of its first decorator."""
    first = lines[line - 1] if 0 < line <= len(lines) else ""
    start = first.lstrip(" \t\f")
    if not start.startswith("@"):
        return line
    indent = first[: len(first) - len(start)]
    for number in range(line, len(lines)):
        if lines[number].startswith(indent) and _DEFINITION.match(lines[number], len(indent)):
            return number + 1
    return line
