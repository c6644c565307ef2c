r"""JSON Lines of functions with inputs, in CRUXEval's form, and of whole modules to harvest from.

    {"code": "def f(s):\n    return s[::-1]", "input": "'abc'", "id": "sample_0"}
    {"code": "def g(n): ...", "entry": "g", "calls": ["1", "n=2"]}
    {"path": "maths/gcd.py", "source": "def gcd(a, b): ...", "licence": "MIT"}

Rows with the same code and entry become one subject with all their calls. A line that is not of the form is an error of
whoever wrote the file, and said before anything is yielded; code that cannot be used is refused like any other.
"""

import ast
import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foretrace.corpus.licence import UNKNOWN
from foretrace.corpus.refusals import Refusal, Refused
from foretrace.corpus.tree import MAX_FILE_BYTES, SourceTree
from foretrace.corpus.types import Origin, Subject
from foretrace.errors import UsageError

Row = Mapping[str, Any]
PROGRAM_FORM = '{"code": text, "input": text} or {"code": text, "entry": name, "calls": [texts]}'
MODULE_FORM = '{"path": text, "source": text}'
_ENTRIES = ("entry", "function", "function_name", "entry_point")
_DEFAULT_ENTRY = "f"


def rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of a file with their line numbers; empty lines are skipped.

    Raises:
        UsageError: a line is not a JSON object.

    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise UsageError(f"{path}, line {number}: not JSON ({error}); wanted: one object a line") from error
                if not isinstance(row, dict):
                    raise UsageError(f"{path}, line {number}: {type(row).__name__}; wanted: one JSON object a line")
                yield number, row


def text_of(row: Row, key: str, where: str, form: str) -> str:
    """A field that has to be a text.

    Raises:
        UsageError: it is not, or not there.

    """
    value = row.get(key)
    if not isinstance(value, str):
        problem = f"{key!r} is {type(value).__name__}, not a text" if key in row else f"no {key!r}"
        raise UsageError(f"{where}: {problem}; wanted: {form}")
    return value


def texts_of(value: object, key: str, where: str, form: str) -> list[str]:
    """A field that has to be a list of texts.

    Raises:
        UsageError: it is not.

    """
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(f"{where}: {key!r} is not a list of texts; wanted: {form}")
    return value


def licence_of(row: Row, licence: str) -> str:
    """The licence that a row tells, else that of all."""
    return str(row.get("licence") or row.get("license") or licence or UNKNOWN)


def programs_in(path: Path, licence: str = "") -> Iterator[Subject | Refused]:
    """Functions with inputs, in order of their first rows. The whole file is read before the first."""
    found: dict[tuple[str, str], list[str]] = {}
    origins: dict[tuple[str, str], Origin] = {}
    for number, row in rows(path):
        where = f"{path}, line {number}"
        code = text_of(row, "code", where, PROGRAM_FORM)
        key = (code, _entry_of(row, where))
        if "calls" in row:
            calls = texts_of(row["calls"], "calls", where, PROGRAM_FORM)
        else:
            calls = [text_of(row, "input", where, PROGRAM_FORM)]
        known = found.setdefault(key, [])
        known += (call for call in dict.fromkeys(calls) if call not in known)
        origins.setdefault(
            key,
            Origin(kind="jsonl", name=path.name, path=str(row.get("id", "")), line=number, licence=licence_of(row, licence)),
        )
    for (code, entry), calls in found.items():
        origin = origins[code, entry]
        yield _subject(code, entry, calls, origin, f"{path}, line {origin.line}")


def module_tree(path: Path, licence: str = "") -> SourceTree:
    """Whole modules, as the tree that they are of."""
    files: dict[str, str] = {}
    licences: dict[str, str] = {}
    refused: list[Refused] = []
    for number, row in rows(path):
        where = f"{path}, line {number}"
        name = text_of(row, "path", where, MODULE_FORM)
        source = text_of(row, "source", where, MODULE_FORM)
        if len(source) > MAX_FILE_BYTES:
            refused.append(Refused(name, Refusal.TOO_LARGE, f"{len(source):,} characters"))
            continue
        files[name] = source
        licences[name] = licence_of(row, licence)
    return SourceTree(name=path.stem, files=files, licence=licence or UNKNOWN, licences=licences, refused=tuple(refused))


def parsed(code: str, name: str) -> ast.Module | Refused:
    """The tree of code that stands alone, or why it cannot be used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, in code that is not ours
            tree = ast.parse(code)
            compile(code, "<code>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Refused(name, Refusal.SYNTAX, f"line {error.lineno}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Refused(name, Refusal.SYNTAX, str(error) or type(error).__name__)
    for node in ast.walk(tree):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        modules += ["." * node.level + (node.module or "")] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            if module.split(".")[0] not in sys.stdlib_module_names:
                return Refused(name, Refusal.THIRD_PARTY, module)
    return tree


def _entry_of(row: Row, where: str) -> str:
    entry = next((row[key] for key in _ENTRIES if row.get(key)), "")
    if not isinstance(entry, str):
        raise UsageError(f"{where}: the entry is {type(entry).__name__}, not a name; wanted: {PROGRAM_FORM}")
    return entry


def _subject(code: str, entry: str, calls: list[str], origin: Origin, name: str) -> Subject | Refused:
    tree = parsed(code, name)
    if isinstance(tree, Refused):
        return tree
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    names |= {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    wanted = entry or (names.copy().pop() if len(names) == 1 else _DEFAULT_ENTRY)
    if wanted.split(".")[0] not in names:
        return Refused(name, Refusal.NO_ENTRY, f"{wanted}; there is: {', '.join(sorted(names)) or 'nothing'}")
    return Subject(source=code, entry=wanted, origin=origin, calls=tuple(calls))
