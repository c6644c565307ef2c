"""Expressions and statements that stand elsewhere, with other names put in: what is missing here is mostly there somewhere.

    quarry = Quarry(codes)
    for cost, text in quarry.expressions(function, point): ...        # "self._parse(text)", …
    for cost, text in quarry.statements(function, point): ...

Names that the donor binds are holes. They keep their names where these can be seen, else they get each of the nearest names
that can. What names that are bound and never read would do with it is likelier; so is what stands near. (That programs
mostly repeat themselves: Barr et al., "The plastic surgery hypothesis", 2014.)
"""

import ast
import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from foretrace.forager.repair.code import Code, Function, Piece, blocks, splice
from foretrace.forager.repair.names import BUILTINS, Scope, module_names, scope_of
from foretrace.forager.repair.points import Point

_EXPRESSIONS = (
    ast.Call,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.Subscript,
    ast.Attribute,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.ListComp,
    ast.GeneratorExp,
    ast.DictComp,
    ast.SetComp,
    ast.IfExp,
    ast.UnaryOp,
    ast.Constant,
    ast.JoinedStr,
    ast.Lambda,
    ast.Name,
    ast.Yield,
)
_NAME = re.compile(r"(?<=\bid=')(\w+)")
_NODES = 24
"""Nodes of an expression, at most."""
_LINES = 8
"""Of a statement, at most."""
_HOLES, _WAYS = 8, 64
"""Holes of a fragment, and ways to fill them that are weighed, at most."""
_FILLINGS = 6
"""Ways in which the holes of one fragment are filled, at most."""


@dataclass(frozen=True, eq=False)
class Fragment:
    """A piece of some function."""

    function: Function
    nodes: tuple[ast.AST, ...]
    """One expression, or statements that follow one another."""
    text: str
    holes: tuple[tuple[int, int, str], ...]
    """Where its text names what its function binds."""
    free: frozenset[str]
    """What it names besides, of its module."""
    binds: frozenset[str]
    size: int
    previous: str = ""
    """What stands before and behind it, as `shape_of` has it; empty for expressions."""
    following: str = ""
    returned: bool = False
    """It is what a `return` gives."""


class Quarry:
    """The fragments of some files."""

    def __init__(self, codes: Iterable[Code]) -> None:
        self._codes = list(codes)

    @cached_property
    def expressions(self) -> list[Fragment]:
        """Each expression once, under its text with the holes numbered."""
        found: dict[tuple[str, str], Fragment] = {}
        for function, bound in self._functions():
            returned = {id(n.value) for n in function.own if isinstance(n, ast.Return) and n.value is not None}
            for node in function.own:
                if isinstance(node, _EXPRESSIONS) and not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                    size = sum(1 for _ in ast.walk(node))
                    if size <= _NODES and not _is_text(node):
                        fragment = _fragment(function, (node,), bound, size, returned=id(node) in returned)
                        key = (function.code.path, fragment.text)
                        if key not in found or (fragment.returned and not found[key].returned):
                            found[key] = fragment
        return list(found.values())

    @cached_property
    def statements(self) -> list[Fragment]:
        """Each statement, and each two that follow one another."""
        found = []
        for function, bound in self._functions():
            for _, _, block in blocks(function.node):
                shapes = ["", *(shape_of(each, bound) for each in block), ""]
                for at, size in product(range(len(block)), (1, 2)):
                    chosen = block[at : at + size]
                    if len(chosen) == size and _is_plain(chosen):
                        nodes = sum(1 for each in chosen for _ in ast.walk(each))
                        fragment = _fragment(function, tuple(chosen), bound, nodes, shapes[at], shapes[at + size + 1])
                        found.append(fragment)
        return found

    def _functions(self) -> Iterator[tuple[Function, frozenset[str]]]:
        for code in self._codes:
            for function in code.functions:
                scope = scope_of(function)
                yield function, frozenset(scope.bound) | scope.outside

    @cached_property
    def names(self) -> Mapping[str, frozenset[str]]:
        """What each file binds at its top."""
        return {code.path: module_names(code) for code in self._codes}


def shape_of(node: ast.AST, bound: frozenset[str]) -> str:
    """A statement with no matter which names its function binds."""
    return _NAME.sub(lambda match: "" if match[1] in bound else match[0], ast.dump(node))


def fillings(
    fragment: Fragment, scope: Scope, point: Point, names: Mapping[str, frozenset[str]]
) -> Iterator[tuple[float, str]]:
    """Its text with names that can be seen at a place, each with a cost; none if its module's names cannot be."""
    function = scope.function
    here = names[function.code.path]
    if fragment.function.code is not function.code and not fragment.free <= here:
        return
    visible = scope.visible(point.line, point.loop)
    seen = set(visible)
    holes = list(dict.fromkeys(name for _, _, name in fragment.holes))
    if ("self" in holes and "self" not in seen) or ("cls" in holes and "cls" not in seen):
        return
    bound_here = fragment.binds
    choices: list[list[tuple[float, str]]] = []
    for name in holes:
        if name in seen or name in bound_here or name in scope.undefined:
            kept = [(0.0, name)]
            others = (
                [] if name in ("self", "cls") or len(holes) > 3 else [n for n in visible if n not in ("self", "cls", name)]
            )
            choices.append(kept + [(1.4 + 0.3 * rank, n) for rank, n in enumerate(_first(others, scope)[:2])])
        else:
            others = [n for n in visible if n not in ("self", "cls")]
            choices.append([(0.7 + 0.3 * rank, n) for rank, n in enumerate(_first(others, scope)[:4])])
    if not all(choices) or len(holes) > _HOLES:
        return
    while prod(map(len, choices)) > _WAYS:
        max(choices, key=len).pop()
    ways = heapq.nsmallest(_FILLINGS, ((sum(c for c, _ in way), [n for _, n in way]) for way in product(*choices)))
    for cost, way in ways:
        mapped = dict(zip(holes, way, strict=True))
        if len(set(way)) < len(way):
            cost += 1.0
        text = splice(fragment.text, [Piece(start, end, mapped[name]) for start, end, name in fragment.holes])
        used = len(set(way) & set(scope.unused))
        yield cost - 1.3 * used, text


def distance(fragment: Fragment, function: Function) -> float:
    """How far a fragment is from a function."""
    other = fragment.function
    if other is function:
        return 0.0
    if other.code is not function.code:
        return 2.2
    near = other.owner is not None and other.owner is function.owner
    alike = _alike(other.name, function.name)
    return (0.6 if near else 1.2) - (0.6 if alike else 0.0)


def _alike(one: str, other: str) -> bool:
    """Whether two functions are called nearly the same."""
    words = [set(name.rsplit(".", 1)[-1].strip("_").split("_")) for name in (one, other)]
    return bool(words[0] & words[1])


def _first(names: Sequence[str], scope: Scope) -> list[str]:
    """The names that are never read first."""
    return sorted(names, key=lambda name: name not in scope.unused)


def _fragment(
    function: Function,
    nodes: tuple[ast.AST, ...],
    bound: frozenset[str],
    size: int,
    previous: str = "",
    following: str = "",
    returned: bool = False,
) -> Fragment:
    code = function.code
    start, end = code.span(nodes[0])[0], code.span(nodes[-1])[1]
    column = start - code.source.rfind("\n", 0, start) - 1
    own = {node.arg for each in nodes for node in ast.walk(each) if isinstance(node, ast.arg)}
    own |= {
        node.id
        for each in nodes
        for part in ast.walk(each)
        if isinstance(part, ast.comprehension)
        for node in ast.walk(part.target)
        if isinstance(node, ast.Name)
    }
    holes, free, binds = [], set(), set()
    for node in (node for each in nodes for node in ast.walk(each)):
        if not isinstance(node, ast.Name) or node.id in own:
            continue
        if node.id in bound:
            at = code.span(node)
            holes.append((at[0] - start, at[1] - start, node.id))
            if isinstance(node.ctx, ast.Store):
                binds.add(node.id)
        elif node.id not in BUILTINS:
            free.add(node.id)
    text, holes = _dedented(code.source[start:end], sorted(holes), column)
    return Fragment(
        function, nodes, text, tuple(holes), frozenset(free), frozenset(binds), size, previous, following, returned
    )


def _dedented(text: str, holes: list[tuple[int, int, str]], column: int) -> tuple[str, list[tuple[int, int, str]]]:
    """A text as it would stand at the left margin."""
    if "\n" not in text:
        return text, holes
    gaps = []
    at = text.find("\n")
    while at >= 0:
        size = 0
        while size < column and text[at + 1 + size : at + 2 + size] == " ":
            size += 1
        gaps.append((at + 1, size))
        at = text.find("\n", at + 1)
    moved = []
    for start, end, name in holes:
        shift = sum(size for where, size in gaps if where <= start)
        moved.append((start - shift, end - shift, name))
    pieces = [Piece(where, where + size, "") for where, size in gaps]
    return splice(text, pieces), moved


def _is_text(node: ast.AST) -> bool:
    """A string literal of its own is seldom what is missing, unless it is short."""
    return isinstance(node, ast.Constant) and (
        node.value is Ellipsis or (isinstance(node.value, str) and len(node.value) > 24)
    )


def _is_plain(statements: Sequence[ast.stmt]) -> bool:
    lines = (statements[-1].end_lineno or 0) - statements[0].lineno + 1
    skipped = (ast.Import, ast.ImportFrom, ast.Pass, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global)
    first = statements[0]
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return lines <= _LINES and not docstring and not any(isinstance(each, skipped) for each in statements)


def attributes_of(function: Function) -> Counter[str]:
    """Attributes of `self` that the class of a function reads, with how often."""
    found: Counter[str] = Counter()
    if function.owner is not None:
        for node in ast.walk(function.owner):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                found[node.attr] += isinstance(node.ctx, ast.Load)
    return found
