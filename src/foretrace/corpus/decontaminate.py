"""Proof that no training program is, or closely resembles, a benchmark's.

Two tests. A program is contaminated if one of its functions has the normalised syntax tree of a reference function (names
renamed by order of appearance, but for built-in ones; constants replaced by their types, docstrings dropped), or if more
than half of its 8-grams of code tokens stand in a single reference. Single 8-grams are no evidence: every loop over a
string shares some.

    Decontaminator(benchmark_sources).overlaps(source)      # None, or why
"""

import ast
import builtins
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable

_BUILTINS = frozenset(dir(builtins))
NGRAM = 8
MAX_SHARED = 0.5
MIN_NGRAMS = 8
"""A program with fewer 8-grams is too short for the second test; the first still holds."""
MIN_NODES = 12
"""A function with fewer nodes, such as `return x.lower()`, is nobody's."""


class Decontaminator:
    """Compares programs with a fixed set of references."""

    def __init__(self, references: Iterable[str]) -> None:
        self._trees: dict[str, int] = {}
        self._grams: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, source in enumerate(references):
            for tree in normalised_functions(source):
                self._trees.setdefault(tree, number)
            for gram in set(ngrams(source)):
                self._grams[gram].append(number)

    def overlaps(self, source: str) -> str | None:
        """Why `source` is contaminated, or None."""
        found = self.match(source)
        return found[0] if found else None

    def match(self, source: str) -> tuple[str, int] | None:
        """Why `source` is contaminated and the number of the reference that it is like, or None."""
        if not self._trees and not self._grams:
            return None
        for tree in normalised_functions(source):
            if tree in self._trees:
                return "same normalised syntax tree", self._trees[tree]
        grams = set(ngrams(source))
        if len(grams) < MIN_NGRAMS:
            return None
        shared = Counter(number for gram in grams for number in self._grams.get(gram, ()))
        if shared and max(shared.values()) > MAX_SHARED * len(grams):
            return f"more than {MAX_SHARED:.0%} of its 8-grams stand in one reference", max(
                shared, key=lambda n: (shared[n], -n)
            )
        return None


def ngrams(source: str) -> list[tuple[str, ...]]:
    """8-grams of code tokens; layout and comments left out."""
    skipped = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENDMARKER)
    try:
        found = [t.string for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in skipped]
    except (tokenize.TokenError, SyntaxError):
        found = source.split()
    return [tuple(found[i : i + NGRAM]) for i in range(len(found) - NGRAM + 1)]


def normalised_functions(source: str) -> list[str]:
    """The normalised syntax tree of each function, as text; none if the source does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [_normalised(f) for f in functions if sum(1 for _ in ast.walk(f)) >= MIN_NODES]


def _normalised(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Pre-order list of node types; names by order of first appearance, but built-in ones; attributes; constants by type."""
    names: dict[str, str] = {}
    parts: list[str] = []

    def visit(node: ast.AST) -> None:
        parts.append(type(node).__name__)
        for field in ("id", "arg", "name"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                parts.append(value if value in _BUILTINS else names.setdefault(value, f"n{len(names)}"))
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        if isinstance(node, ast.Constant):
            parts.append(type(node.value).__name__)
        for child in () if isinstance(node, ast.arg) else ast.iter_child_nodes(node):  # an annotation changes nothing
            visit(child)
        parts.append(")")

    body = function.body
    has_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    for part in (function.args, *(body[1:] if has_docstring and len(body) > 1 else body)):
        visit(part)
    return " ".join(parts)
