"""Dotted names of a tree's modules, from their paths and from how they import each other.

`src/toolz/dicttoolz.py` is `toolz.dicttoolz`, whether or not `toolz` has an `__init__.py`.
"""

import re
import sys
from collections.abc import Mapping

_IMPORTED = re.compile(r"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_ROOTS = {"src", "lib"}


def module_names(files: Mapping[str, str]) -> dict[str, str]:
    """Dotted names by path. Of two files of one name, the second is called by its whole path."""
    imported = {name for text in files.values() for name in _IMPORTED.findall(text)} - sys.stdlib_module_names
    regular = {path.rpartition("/")[0] for path in files if path.rpartition("/")[2] == "__init__.py"}
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(files):
        *folders, file = path.removesuffix(".py").split("/")
        ending = [] if file == "__init__" else [file]
        for start in (_start(folders, imported, regular), 0):
            name = ".".join(folders[start:] + ending)
            if name and name not in taken:
                names[path] = name
                taken.add(name)
                break
    return names


def _start(folders: list[str], imported: set[str], regular: set[str]) -> int:
    """Index of the first folder that is part of the name."""
    first = 0
    for index, folder in enumerate(folders):
        if not folder.isidentifier() or (folder in _ROOTS and "/".join(folders[: index + 1]) not in regular):
            first = index + 1
    top = len(folders)
    while top > first and "/".join(folders[:top]) in regular:  # up a chain of folders that have an `__init__.py`
        top -= 1
    for index in range(first, top):
        if folders[index] in imported:  # a folder without one, which others import by its name
            return index
    return top if top < len(folders) else first
