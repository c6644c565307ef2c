"""Types that docstrings state: `:type x: int`, Google's `x (int): …`, numpy's `x : int`.

The text of a type is read as an annotation; `list of str` and `str or None` are turned into one first.
"""

import ast
import re

from foretrace.corpus.arguments.annotations import annotate
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.module import Module

_SPHINX = re.compile(r":type\s+\*{0,2}(\w+)\s*:\s*(.+)")
_SPHINX_INLINE = re.compile(r":param\s+([\w\[\], |.]+?)\s+(\w+)\s*:")
_GOOGLE = re.compile(r"^\s+\*{0,2}(\w+)\s*\(([^)]+)\)\s*:", re.MULTILINE)
_NUMPY = re.compile(r"^\s*(\w+)\s+:\s+(.+)$", re.MULTILINE)
_SYNONYMS = {
    "string": "str",
    "strings": "str",
    "integer": "int",
    "integers": "int",
    "ints": "int",
    "floats": "float",
    "number": "Number",
    "numbers": "Number",
    "boolean": "bool",
    "bools": "bool",
    "lists": "list",
    "tuples": "tuple",
    "dictionary": "dict",
    "array": "list",
    "array-like": "list",
    "array_like": "list",
    "function": "Callable",
    "callable": "Callable",
    "sequence": "Sequence",
    "iterable": "Iterable",
    "mapping": "Mapping",
    "char": "str",
    "character": "str",
}
_WORD = re.compile(r"[A-Za-z_][\w-]*")


def stated_types(docstring: str) -> dict[str, str]:
    """Of each parameter the text of the type that a docstring states."""
    found: dict[str, str] = {}
    if ":type" in docstring or ":param" in docstring:
        found.update((m[1], m[2]) for m in _SPHINX.finditer(docstring))
        found.update((m[2], m[1]) for m in _SPHINX_INLINE.finditer(docstring))
    if "(" in docstring:
        for match in _GOOGLE.finditer(docstring):
            found.setdefault(match[1], match[2])
    if " : " in docstring:
        for match in _NUMPY.finditer(docstring):
            found.setdefault(match[1], match[2])
    return found


def annotate_by_text(guess: Guess, text: str, module: Module) -> None:
    """Adds what a type in words says, if anything."""
    text = text.strip().strip("`").split(", optional")[0].split(", default")[0].rstrip(".,")
    text = _WORD.sub(lambda m: _SYNONYMS.get(m[0].lower(), m[0]), text)
    text = re.sub(r"\s+or\s+", " | ", text)
    text = re.sub(r"\b(\w+)\s+of\s+(\w+)\b", r"\1[\2]", text)
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return
    annotate(guess, node, module)
