"""What a program imports and is not installed: what comes from there can only be imagined. Nothing is imported to find out.

missing_modules(source)                     # ['stripe']
imagined_lines(source)                      # {3, 7}: the lines that use something of it
"""

import ast
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from foretrace.trace.syntax import UNREADABLE, parse


def missing_modules(source: str, folder: Path | None = None, *, everywhere: bool = True) -> list[str]:
    """The modules that a program imports and that are not installed, in the order of its text; none if it does not parse.

    Args:
        source: of a module.
        folder: where it stands: its neighbours can be imported too.
        everywhere: also those that are imported within functions and conditions, without which it may still run.

    """
    tree = _tree(source)
    modules = dict.fromkeys(module for module, _ in _imports(ast.walk(tree) if everywhere else tree.body))
    return [module for module in modules if not _is_installed(module, folder)]


def imagined_lines(source: str, folder: Path | None = None) -> set[int]:
    """The lines that mention a name that comes from a missing module."""
    tree, missing = _tree(source), missing_modules(source, folder)
    bound = {name for module, name in _imports(ast.walk(tree)) if module in missing}
    return {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in bound}


def _tree(source: str) -> ast.Module:
    try:
        return parse(source)
    except UNREADABLE:
        return ast.Module([], [])


def _imports(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The top-level module of each import, and the name that it binds."""
    for node in nodes:
        match node:
            case ast.Import():
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    yield top, alias.asname or top
            case ast.ImportFrom(module=str(module), level=0):
                for alias in node.names:
                    yield module.partition(".")[0], alias.asname or alias.name


def _is_installed(module: str, folder: Path | None) -> bool:
    try:
        neighbour = PathFinder.find_spec(module, [str(folder)]) if folder is not None else None
        return neighbour is not None or find_spec(module) is not None
    except (ImportError, ValueError):  # it is there, and has no spec, as `__main__`
        return True
