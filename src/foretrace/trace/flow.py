r"""Which line can run after which: a control-flow graph by lines, from the source text alone.

A model predicts text, not line numbers; `trace/lines.py` places its lines with this graph. The graph may
allow too much (any physical line of a statement can follow another; a `finally` may lead to every jump
around it), because the text decides among the candidates; it should not allow too little.

    >>> [scope.name for scope in scopes_of("def f(x):\\n    return [y for y in x]\\n")]
    ['<module>', 'f', 'f.<locals>.<listcomp>']
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from foretrace.trace.syntax import parse

Lines = list[int]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS: dict[type[ast.expr], str] = {
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
}
DEFINITION = re.compile(r"([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w+)")


@dataclass(slots=True)
class Scope:
    """A function, lambda, comprehension, class body or the module. Lines are 1-based."""

    name: str
    """Qualified as Python does."""
    kind: str
    """`module`, `function`, `class`, `lambda` or `comprehension`."""
    entries: Lines = field(default_factory=list)
    """Lines that a call frame may show: decorators and `def`."""
    def_line: int = 0
    parent: "Scope | None" = None
    children: list["Scope"] = field(default_factory=list)
    spans: dict[int, range] = field(default_factory=dict)
    """Line to the lines of its statement (of a compound statement: of its header)."""
    flow: dict[int, Lines] = field(default_factory=dict)
    """Line to the lines that may run after its statement, likeliest first."""
    handlers: dict[int, Lines] = field(default_factory=dict)
    """Line to the lines where an exception raised in it may continue, innermost first."""
    calls: dict[int, set[str]] = field(default_factory=dict)
    """Line to the last names of what its statement calls."""
    yields: set[int] = field(default_factory=set)
    parameters: frozenset[str] = frozenset()
    """Names that are bound when the scope is entered."""
    targets: frozenset[str] = frozenset()
    """Names of a comprehension that are not bound yet when it is entered."""

    def child(self, name: str, kind: str, entries: Iterable[int], def_line: int) -> "Scope":
        """Adds a scope that is defined in this one."""
        joint = "." if self.kind in ("class", "comprehension") else ".<locals>."
        prefix = "" if self.kind == "module" else self.name + joint
        scope = Scope(prefix + name, kind, list(entries), def_line, parent=self)
        self.children.append(scope)
        return scope

    def walk(self) -> Iterator["Scope"]:
        """This scope and all within it."""
        waiting = [self]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting.extend(reversed(scope.children))


def scopes_of(source: str) -> list[Scope]:
    """All scopes of `source`, the module first; where it does not parse, only names and extents."""
    module = Scope("<module>", "module", [1], 1)
    try:
        _Graph(module).body(parse(source).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        module = _by_indentation(source.split("\n"))
    return list(module.walk())


def _by_indentation(lines: Sequence[str]) -> Scope:
    """The scopes of a text that does not parse: a definition owns the deeper lines below it."""
    module = Scope("<module>", "module", [1], 1)
    open_scopes = [(-1, module)]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        while indent <= open_scopes[-1][0]:
            open_scopes.pop()
        if match := DEFINITION.match(line):
            kind = "function" if match[2] == "def" else "class"
            scope = open_scopes[-1][1].child(match[3], kind, [number], number)
            open_scopes.append((indent, scope))
        open_scopes[-1][1].spans[number] = range(number, number + 1)
    return module


@dataclass(slots=True)
class _Jumps:
    """Where control can go from inside a block, other than on."""

    handlers: tuple[int, ...] = ()
    leave: tuple[int, ...] = ()
    """The innermost `finally` or `with` that a `return` passes first."""
    cleanup: tuple[int, ...] = ()
    """The same, within the innermost loop: what `break` and `continue` pass first."""
    loop: tuple[int, ...] = ()
    """Where `continue` goes."""
    after_loop: tuple[int, ...] = ()
    """Where `break` goes."""

    def around(self) -> Lines:
        """Every target of a jump that passes a cleanup."""
        return [*self.leave, *self.handlers, *self.loop, *self.after_loop]


class _Graph:
    """Fills one scope. Blocks are built backwards, so that what follows is known."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.jumps = _Jumps()

    def body(self, statements: Sequence[ast.stmt]) -> None:
        first = self.block(statements, [])
        for line in self.scope.entries:
            self.scope.flow[line] = [*first, *self.scope.flow.get(line, [])]
            self.scope.spans.setdefault(line, range(line, line + 1))

    def block(self, statements: Sequence[ast.stmt], after: Lines, jumps: _Jumps | None = None) -> Lines:
        """Builds `statements`, followed by the lines `after`; returns where the block can start."""
        outer, self.jumps = self.jumps, jumps or self.jumps
        for statement in reversed(statements):
            after = self.statement(statement, after)
        self.jumps = outer
        return after

    def statement(self, node: ast.stmt, after: Lines) -> Lines:
        match node:
            case ast.If():
                start = self.block(node.body, after) + self.block(node.orelse, after)
                return self.header(node, [node.test], start)
            case ast.While():
                return self.loop(node, [node.test], after)
            case ast.For() | ast.AsyncFor():
                return self.loop(node, [node.target, node.iter], after)
            case ast.With() | ast.AsyncWith():
                return self.with_(node, after)
            case ast.Try() | ast.TryStar():
                return self.try_(node, after)
            case ast.Match():
                return self.match(node, after)
            case ast.Return():
                return self.header(node, [node.value] if node.value else [], list(self.jumps.leave))
            case ast.Raise():
                return self.header(node, _expressions(node), list(self.jumps.handlers))
            case ast.Break():
                return self.header(node, [], [*self.jumps.cleanup, *self.jumps.after_loop])
            case ast.Continue():
                return self.header(node, [], [*self.jumps.cleanup, *self.jumps.loop])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return self.definition(node, after)
        start = self.header(node, _expressions(node), after, end=node.end_lineno)
        return start + after if _is_silent(node) else start

    def header(self, node: ast.stmt, parts: Sequence[ast.AST], after: Lines, end: int | None = None) -> Lines:
        """A simple statement, or the head of a compound one: its lines lead to `after`."""
        last = max([end or node.lineno, *(_last_line(part) for part in parts)])
        return self.link(range(node.lineno, last + 1), parts, after)

    def link(self, span: range, parts: Sequence[ast.AST], after: Lines) -> Lines:
        names = {name for part in parts for name in _called(part)}
        has_yield = any(_yields(part) for part in parts)
        for line in span:
            self.scope.spans[line] = span
            known = self.scope.flow.get(line, [])
            self.scope.flow[line] = after + known if known else after
            self.scope.handlers[line] = [*self.jumps.handlers]
            self.scope.calls[line] = self.scope.calls.get(line, set()) | names
            if has_yield:
                self.scope.yields.add(line)
        for part in parts:
            _nested(part, self.scope)
        return list(span)

    def loop(self, node: ast.While | ast.For | ast.AsyncFor, parts: list[ast.expr], after: Lines) -> Lines:
        head = list(range(node.lineno, max(_last_line(part) for part in parts) + 1))
        otherwise = self.block(node.orelse, after)
        inside = _Jumps(self.jumps.handlers, self.jumps.leave, (), tuple(head), tuple(after))
        start = self.block(node.body, head, inside)
        return self.header(node, parts, start + otherwise) + start

    def with_(self, node: ast.With | ast.AsyncWith, after: Lines) -> Lines:
        parts: list[ast.expr] = []
        for item in node.items:
            parts += [item.context_expr, *([item.optional_vars] if item.optional_vars else [])]
        head = range(node.lineno, max(_last_line(part) for part in parts) + 1)
        inside = self._guarded((*head,), (*head,))
        start = self.block(node.body, [*head, *after], inside)
        if isinstance(node, ast.AsyncWith):
            self.scope.yields.update(head)
        return self.link(head, parts, [*start, *after, *self.jumps.around()])

    def try_(self, node: ast.Try | ast.TryStar, after: Lines) -> Lines:
        last: Lines = []
        if node.finalbody:
            last = self.block(node.finalbody, [*after, *self.jumps.around()])
            after = last
        guarded = self._guarded(tuple(last), tuple(last))
        otherwise = self.block(node.orelse, after, guarded) if node.orelse else after
        heads: Lines = []
        for handler in reversed(node.handlers):
            inner = self.block(handler.body, after, guarded)
            end = _last_line(handler.type) if handler.type else handler.lineno
            unmatched = heads or [*guarded.handlers]
            parts = [handler.type] if handler.type else []
            head = self.link(range(handler.lineno, end + 1), parts, inner + unmatched)
            heads = head + heads
        start = self.block(node.body, otherwise, self._guarded(tuple(heads + last), tuple(last)))
        return self.link(range(node.lineno, node.lineno + 1), [], start) + start

    def match(self, node: ast.Match, after: Lines) -> Lines:
        following = after
        for case in reversed(node.cases):
            inner = self.block(case.body, after)
            parts: list[ast.AST] = [case.pattern, *([case.guard] if case.guard else [])]
            span = range(case.pattern.lineno, max(_last_line(part) for part in parts) + 1)
            following = self.link(span, parts, inner + following)
        return self.header(node, [node.subject], following)

    def definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, after: Lines) -> Lines:
        parts: list[ast.expr] = [*node.decorator_list]
        if isinstance(node, ast.ClassDef):
            parts += [*node.bases, *(keyword.value for keyword in node.keywords)]
        else:
            parts += [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
        first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
        last = max([node.lineno, *(_last_line(part) for part in parts)])
        start = self.link(range(first, last + 1), parts, after)
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        inner = self.scope.child(node.name, kind, range(first, node.lineno + 1), node.lineno)
        inner.parameters = frozenset() if isinstance(node, ast.ClassDef) else _parameters(node.args)
        _Graph(inner).body(node.body)
        return start

    def _guarded(self, handlers: tuple[int, ...], cleanup: tuple[int, ...]) -> _Jumps:
        """The jumps inside a block whose exceptions go to `handlers` and whose exits pass `cleanup`."""
        outer = self.jumps
        leave, cleanup = cleanup or outer.leave, cleanup or outer.cleanup
        return _Jumps((*handlers, *outer.handlers), leave, cleanup, outer.loop, outer.after_loop)


def _is_silent(node: ast.stmt) -> bool:
    """Whether the interpreter may pass over this statement without an event."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant or isinstance(node, (ast.Global, ast.Nonlocal, ast.Pass, ast.Assert))


def _expressions(node: ast.AST) -> list[ast.AST]:
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _last_line(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0) or 0)


def _own(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes of an expression that run in the scope it stands in; an inner scope is yielded, not entered.

    Inner scopes come in the order in which they can first run.
    """
    waiting = [(root, False)]
    while waiting:
        node, done = waiting.pop()
        outside = _outside(node)
        if done or outside is None:
            yield node
        if outside is None:
            outside = list(ast.iter_child_nodes(node))
        elif not done:
            waiting.append((node, True))
        if not done:
            waiting += [(child, False) for child in reversed(outside)]


def _outside(node: ast.AST) -> list[ast.AST] | None:
    """What of an inner scope runs before it, in the outer one; `None` for other nodes."""
    if isinstance(node, ast.Lambda):
        return [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return [node.generators[0].iter]
    return None


def _called(root: ast.AST) -> Iterator[str]:
    for node in _own(root):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr


def _yields(root: ast.AST) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await)) for node in _own(root))


def _parameters(arguments: ast.arguments) -> frozenset[str]:
    return frozenset(node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg))


def _nested(root: ast.AST, scope: Scope) -> None:
    """Adds the lambdas and comprehensions of an expression to `scope`."""
    for node in _own(root):
        if isinstance(node, ast.Lambda):
            inner = scope.child("<lambda>", "lambda", _lines(node), node.lineno)
            inner.parameters = _parameters(node.args)
            _inline(node, inner, [node.body])
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            inner = scope.child(_COMPREHENSIONS[type(node)], "comprehension", _lines(node), node.lineno)
            names = (n for generator in node.generators for n in ast.walk(generator.target))
            inner.targets = frozenset(n.id for n in names if isinstance(n, ast.Name))
            first, *rest = node.generators
            heads = [first.target, *first.ifs]
            for generator in rest:
                heads += [generator.target, generator.iter, *generator.ifs]
            _inline(node, inner, [*_expressions(node), *heads])
            if isinstance(node, ast.GeneratorExp):
                inner.yields.update(inner.spans)


def _lines(node: ast.expr) -> range:
    return range(node.lineno, _last_line(node) + 1)


def _inline(node: ast.expr, scope: Scope, parts: Sequence[ast.AST]) -> None:
    """A scope that is one expression: each of its lines can follow each."""
    _Graph(scope).link(_lines(node), parts, [])
