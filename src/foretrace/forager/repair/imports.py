"""An import that a file lacks: a name that is bound nowhere, or that others want from this file.

    imports(code, {"json": 12}, tree)        # import json

Where a name comes from is told by other files of the tree that import it, by the files that define it, and by the standard
library. The statement goes where its like stand: into an import from the same module, or in order between others.
"""

import ast
import importlib
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Code, Function, Piece
from foretrace.forager.repair.names import module_names
from foretrace.forager.repair.points import points_of

_NOT_DEFINED = re.compile(r"name '(\w+)' is not defined")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_LIBRARY = (
    "typing collections collections.abc functools itertools os os.path sys re json math datetime time operator "
    "contextlib io string warnings types abc copy decimal fractions enum dataclasses pathlib random textwrap inspect "
    "numbers heapq bisect struct threading tempfile shutil subprocess urllib.parse urllib.request html html.parser "
    "base64 binascii hashlib hmac uuid calendar locale codecs unicodedata traceback logging weakref ast keyword "
    "tokenize pprint csv statistics secrets queue socket glob fnmatch zlib gzip importlib importlib.metadata "
    "concurrent.futures platform errno signal select array argparse reprlib timeit cmath xml.sax xml.sax.saxutils "
    "xml.sax.xmlreader xml.parsers.expat xml.etree.ElementTree gc atexit"
)


def wanted_imports(messages: Iterable[str], codes: Mapping[str, Code]) -> dict[str, list[str]]:
    """Names that errors say are missing, by the path of the file that lacks them: an empty one if it is not said."""
    found: dict[str, list[str]] = {}
    for message in messages:
        for name in _NOT_DEFINED.findall(message):
            found.setdefault("", []).append(name)
        pairs = [(module, name) for name, module in _NO_NAME.findall(message)] + _NO_ATTRIBUTE.findall(message)
        for module, name in pairs:
            path = _path_of(module, codes)
            if path:
                found.setdefault(path, []).append(name)
    return {path: list(dict.fromkeys(names)) for path, names in found.items()}


def imports(code: Code, names: Iterable[str], codes: Mapping[str, Code]) -> Iterator[Candidate]:
    """Each name, by each import that may bind it."""
    for rank, name in enumerate(names):
        for at, statement in enumerate(_sources(code, name, codes)):
            pieces = _placed(code, statement)
            yield Candidate(code, pieces, f"add `{_text(statement)}`", "imports", 0.1 + 0.4 * at + 0.5 * rank)


def local_imports(function: Function, names: Iterable[str], codes: Mapping[str, Code]) -> Iterator[Candidate]:
    """The same at the beginning of a function: what is imported there may not be imported before."""
    point = next(iter(points_of(function)), None)
    if point is None:
        return
    for name in names:
        for at, statement in enumerate(_sources(function.code, name, codes)):
            text = _text(statement)
            yield Candidate(function.code, point.insert(text), f"add `{text}`", "imports", 1.1 + 0.4 * at)


def guarded_imports(code: Code, codes: Mapping[str, Code]) -> Iterator[Candidate]:
    """A `try` that tries nothing any more, and whose handlers bind the name that it once imported."""
    for node in ast.walk(code.tree):
        if not (isinstance(node, ast.Try) and len(node.body) == 1 and isinstance(node.body[0], ast.Pass)):
            continue
        names = {
            n.id for h in node.handlers for n in ast.walk(h) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        imported = [n for h in node.handlers for n in ast.walk(h) if isinstance(n, ast.Import | ast.ImportFrom)]
        names |= {alias.asname or alias.name for statement in imported for alias in statement.names}
        for name in sorted(names):
            for at, statement in enumerate(_sources(code, name, codes)):
                text = _text(statement)
                yield Candidate(code, (Piece(*code.span(node.body[0]), text),), f"add `{text}`", "imports", 0.5 + 0.4 * at)


# -- where a name comes from -----------------------------------------------------------------------------


Statement = tuple[str, int, str, str]
"""Module (empty for a plain import), level of a relative one, name, name as which it is bound."""


def _sources(code: Code, name: str, codes: Mapping[str, Code]) -> list[Statement]:
    found: Counter[Statement] = Counter()
    for other in codes.values():
        for node in ast.walk(other.tree):
            for statement in _binding(node, name):
                seen = _seen_from(code.path, other.path, statement)
                if seen:
                    found[seen] += 4 if other.path == code.path else 1
    ordered = [statement for statement, _ in found.most_common(4)]
    ordered += [("", 0, name, name)] if name in sys.stdlib_module_names else []
    ordered += list(_defined(code, name, codes))
    ordered += [("", 0, module, module) for module in codes_modules(codes) if module == name]
    ordered += [(module, 0, name, name) for module in library_members().get(name, ())]
    return list(dict.fromkeys(ordered))[:7]


def _binding(node: ast.AST, name: str) -> Iterator[Statement]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if (alias.asname or alias.name.split(".")[0]) == name:
                yield "", 0, alias.name, alias.asname or alias.name
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                yield node.module or "", node.level or -1, alias.name, alias.asname or alias.name


def _seen_from(path: str, other: str, statement: Statement) -> Statement | None:
    """A statement of another file as it would stand in this one."""
    module, level, name, bound = statement
    if level == -1:
        return module, 0, name, bound
    if level > 0 and PurePosixPath(path).parent != PurePosixPath(other).parent:
        package = _package(other)[: len(_package(other)) - level + 1]
        whole = ".".join([*package, *([module] if module else [])])
        return whole, 0, name, bound
    return module, level, name, bound


def _defined(code: Code, name: str, codes: Mapping[str, Code]) -> Iterator[Statement]:
    """Files of the tree that bind the name at their top, the nearest first; and the file of that name."""
    relative = any(isinstance(node, ast.ImportFrom) and node.level for node in code.tree.body)
    here = PurePosixPath(code.path).parent
    for path, other in sorted(codes.items(), key=lambda each: (PurePosixPath(each[0]).parent != here, each[0])):
        place = PurePosixPath(path)
        if path == code.path or place.name.startswith("test") or "tests" in place.parts or place.name == "setup.py":
            continue
        stem = "" if place.name == "__init__.py" else place.stem
        near = place.parent == here and bool(_package(code.path))
        if stem == name and near:
            yield "", 1, name, name
        if name in module_names(other):
            whole = ".".join([*_package(path), *([stem] if stem else [])])
            local: Statement = (stem, 1, name, name)
            yield from [local, (whole, 0, name, name)] if near and relative else [(whole, 0, name, name), local][: 1 + near]


def _package(path: str) -> list[str]:
    """The package of a file: its folders, without those that are only there to hold sources."""
    parts = list(PurePosixPath(path).parent.parts)
    return parts[1:] if parts[:1] == ["src"] else parts


def codes_modules(codes: Mapping[str, Code]) -> set[str]:
    """Top-level modules and packages of the tree."""
    return {(_package(path) or [PurePosixPath(path).stem])[0] for path in codes}


def _path_of(module: str, codes: Mapping[str, Code]) -> str:
    for path in codes:
        place = PurePosixPath(path)
        stem = [] if place.name == "__init__.py" else [place.stem]
        if ".".join([*_package(path), *stem]) == module:
            return path
    return ""


@cache
def library_members() -> Mapping[str, tuple[str, ...]]:
    """Public names of common modules of the standard library, with the modules that have them."""
    found: dict[str, list[str]] = {}
    for module in _LIBRARY.split():
        try:
            loaded = importlib.import_module(module)
        except ImportError:
            continue
        for name in getattr(loaded, "__all__", None) or [n for n in dir(loaded) if not n.startswith("_")]:
            found.setdefault(name, []).append(module)
        for each in pkgutil.iter_modules(getattr(loaded, "__path__", ())):
            found.setdefault(each.name, []).append(module)
    return {name: tuple(modules[:3]) for name, modules in found.items()}


# -- where it goes ---------------------------------------------------------------------------------------


def _text(statement: Statement) -> str:
    module, level, name, bound = statement
    renamed = name if bound == name else f"{name} as {bound}"
    return f"from {'.' * level}{module} import {renamed}" if module or level else f"import {renamed}"


def _placed(code: Code, statement: Statement) -> tuple[Piece, ...]:
    module, level, name, bound = statement
    renamed = name if bound == name else f"{name} as {bound}"
    for node in code.tree.body:
        same = isinstance(node, ast.ImportFrom) and (node.module or "", node.level) == (module, level)
        if (module or level) and same and node.names[0].name != "*":  # type: ignore[attr-defined]
            return (_into(code, node, name, renamed),)  # type: ignore[arg-type]
    at = _line(code, _text(statement))
    start = code.offset(at)
    return (Piece(start, start, _text(statement) + "\n"),)


def _into(code: Code, node: ast.ImportFrom, name: str, renamed: str) -> Piece:
    """Into the list of an import, where its order wants it."""
    before = [alias for alias in node.names if alias.name < name]
    ordered = [a.name for a in node.names] == sorted(a.name for a in node.names)
    multiline = (node.end_lineno or node.lineno) - node.lineno >= len(node.names)
    if ordered and not before:
        start = code.span(node.names[0])[0]
        gap = ",\n" + " " * node.names[0].col_offset if multiline else ", "
        return Piece(start, start, f"{renamed}{gap}")
    last = before[-1] if ordered else node.names[-1]
    end = code.span(last)[1]
    gap = ",\n" + " " * last.col_offset if multiline else ", "
    return Piece(end, end, f"{gap}{renamed}")


def _line(code: Code, text: str) -> int:
    """The line before which a new import goes."""
    statements = [node for node in code.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    alike = [node for node in statements if isinstance(node, ast.Import) == text.startswith("import ")]
    alike = [node for node in alike if getattr(node, "module", "") != "__future__"]
    for node in alike:
        if code.text(node) > text:
            return node.lineno
    if alike or statements:
        last = (alike or statements)[-1]
        return (last.end_lineno or last.lineno) + 1
    return _top(code)


def _top(code: Code) -> int:
    first = code.tree.body[0] if code.tree.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return (first.end_lineno or 1) + 1
    return first.lineno if first is not None else 1
