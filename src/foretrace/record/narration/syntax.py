"""Which statement stands on a line. One look at a source serves all its traces.

syntax = syntax_of(source)
syntax.statement(4)                 # the ast node whose header or body is on line 4, if there is exactly one
"""

import ast
import warnings
from functools import lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


class Syntax:
    """A source by lines."""

    def __init__(self, source: str) -> None:
        """A source that does not parse has no statements: its lines are then only quoted."""
        self.lines = source.split("\n")
        self.functions: dict[int, Function] = {}
        """By each line that a call of it may show."""
        self.lambdas: dict[int, list[ast.Lambda]] = {}
        self.coroutines: set[str] = set()
        """Names of asynchronous functions that are not generators."""
        self.guarded: set[int] = set()
        """Lines within a `with` or a `try` that has a `finally`: jumps out of it run other lines first."""
        self.classes: set[int] = set()
        self.bound: set[str] = set()
        """Names that the source gives a meaning anywhere: a builtin among them may be another thing."""
        self._at: dict[int, list[ast.AST]] = {}
        self._names: dict[ast.AST, tuple[str, ...]] = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for node in ast.walk(tree):
            self._register(node)

    def statement(self, line: int) -> ast.AST | None:
        """The statement, `except` clause or `case` that has this line to itself; of a compound one this is its header."""
        found = self._at.get(line, ())
        return found[0] if len(found) == 1 else None

    def statements(self, line: int) -> list[ast.AST]:
        """All of them that share the line."""
        return self._at.get(line, [])

    def is_inside(self, line: int, block: list[ast.stmt]) -> bool:
        """Whether the line is one of a block."""
        return bool(block) and _first_line(block[0]) <= line <= _end(block[-1])

    def source_of(self, node: ast.AST) -> str:
        """The text of an expression, on one line."""
        line, end_line = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        if not line or line != end_line:
            return ast.unparse(node)
        text = self.lines[line - 1]
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0)
        return text[start:end] if text.isascii() else text.encode()[start:end].decode()

    def names_in(self, node: ast.AST) -> tuple[str, ...]:
        """The names that an expression reads, each once, in order."""
        known = self._names.get(node)
        if known is None:
            found = [n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
            found.sort(key=lambda n: (n.lineno, n.col_offset))
            known = self._names[node] = tuple(dict.fromkeys(n.id for n in found))
        return known

    def _register(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.bound.add(node.name)
                self.functions.update(dict.fromkeys(range(_first_line(node), node.lineno + 1), node))
                if isinstance(node, ast.AsyncFunctionDef) and not any(
                    isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(node)
                ):
                    self.coroutines.add(node.name)
            case ast.With() | ast.AsyncWith():
                self.guarded.update(range(node.lineno, _end(node) + 1))
            case ast.Try() | ast.TryStar() if node.finalbody:
                self.guarded.update(range(node.lineno, _end(node) + 1))
            case ast.Lambda():
                self.lambdas.setdefault(node.lineno, []).append(node)
            case ast.ClassDef():
                self.bound.add(node.name)
                self.classes.update(range(_first_line(node), node.lineno + 1))
            case ast.Name(ctx=ast.Store()):
                self.bound.add(node.id)
            case ast.arg():
                self.bound.add(node.arg)
            case ast.alias():
                self.bound.add((node.asname or node.name).partition(".")[0])
        if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            for line in range(_first_line(node), header_end(node) + 1):
                self._at.setdefault(line, []).append(node)


@lru_cache(maxsize=64)
def syntax_of(source: str) -> Syntax:
    """The syntax of a source, kept for the next trace of it."""
    return Syntax(source)


def header_end(node: ast.AST) -> int:
    """The last line of a statement, or of a compound statement's header."""
    if not any(getattr(node, name, None) for name in _BLOCKS):
        return _end(node)
    first = _first_line(node)
    inner = [child for name in _BLOCKS for child in getattr(node, name, ())]
    outer = [child for child in ast.iter_child_nodes(node) if child not in inner]
    return max([getattr(node, "lineno", first), *(_end(child) for child in outer)])


def loop_end(node: Loop) -> int:
    """The last line of a loop's body."""
    return _end(node.body[-1])


def targets_of(node: ast.AST) -> list[str]:
    """The names that a `for` target or an assignment binds."""
    match node:
        case ast.Name():
            return [node.id]
        case ast.Tuple() | ast.List():
            return [name for item in node.elts for name in targets_of(item)]
        case ast.Starred():
            return targets_of(node.value)
    return []


def _first_line(node: ast.AST) -> int:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    decorators = [decorator.lineno for decorator in getattr(node, "decorator_list", ())]
    return int(min([getattr(node, "lineno", 0), *decorators]))


def _end(node: ast.AST) -> int:
    if isinstance(node, ast.withitem):
        return max(_end(child) for child in ast.iter_child_nodes(node))
    if isinstance(node, ast.arguments):
        return max([0, *(_end(child) for child in ast.iter_child_nodes(node))])
    if isinstance(node, ast.match_case):
        return _end(node.body[-1])
    return int(getattr(node, "end_lineno", 0) or 0)
