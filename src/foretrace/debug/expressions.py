"""Python expressions over the texts of values: for watches, conditions of breakpoints, and new values.

    expression = Expression("n > 2 and letter in word")
    expression.value({"n": "3", "letter": "'r'", "word": "'strawberry'"})          # True
    expression.text({"n": "3", "letter": "'r'", "word": "'strawberry'"})           # 'True'

Nothing is executed: the syntax tree is walked, and what is not known here is refused with an error that says so. Work
and size are bounded. What there is: literals, names, arithmetic, comparisons, boolean operators, subscripts and slices,
`x if y else z`, comprehensions, `f(x)` for the functions of `pure.py`, its methods of built-in types, fields of objects
that their text shows, `type(x).__name__` and `isinstance(x, int)`.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from foretrace.debug.pure import FUNCTIONS, KEYWORDS, TYPES, call_method, check_growth, ordered, type_name, weigh, weigh_all
from foretrace.debug.reading import Thing, read, show
from foretrace.errors import ForetraceError, UsageError
from foretrace.trace.syntax import parse

MAX_CHARACTERS = 1_000
MAX_WORK = 1_000_000
"""Units of work: each node that is visited, and each part of what it makes."""
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Pow": operator.pow,
    "LShift": operator.lshift,
    "RShift": operator.rshift,
    "BitAnd": operator.and_,
    "BitOr": operator.or_,
    "BitXor": operator.xor,
}
_UNARY: dict[str, Callable[[Any], Any]] = {
    "USub": operator.neg,
    "UAdd": operator.pos,
    "Not": operator.not_,
    "Invert": operator.invert,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "In": lambda a, b: a in b,
    "NotIn": lambda a, b: a not in b,
    "Is": operator.is_,
    "IsNot": operator.is_not,
}
_RAISED = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError)
_ITERABLE = (str, bytes, list, tuple, set, frozenset, dict, range)


class Expression:
    """One expression, to be evaluated in many states."""

    def __init__(self, text: str) -> None:
        """Reads `text`.

        Raises:
            UsageError: it does not parse, or holds what cannot be evaluated here.

        """
        self.source = text.strip()
        if len(self.source) > MAX_CHARACTERS:
            raise UsageError(f"an expression may have {MAX_CHARACTERS} characters, not {len(self.source)}")
        try:
            self._tree = parse(self.source, expression=True).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            what = error.msg if isinstance(error, SyntaxError) else str(error)
            raise UsageError(f"{self.source!r} is no expression: {what}") from error
        for node in ast.walk(self._tree):
            if isinstance(node, ast.expr) and not hasattr(_Evaluation, _method(node)):
                written = ast.get_source_segment(self.source, node)
                raise UsageError(f"{written!r} ({type(node).__name__}) cannot be evaluated here; {_WHAT_CAN}")

    def value(self, state: Mapping[str, str]) -> Any:
        """Its value, the names having the values that their texts show.

        Raises:
            UsageError: it has none: a name is not bound, it raises, a text shows only a part, or it takes too much
            work.

        """
        with self._told():
            return _Evaluation(state).value(self._tree)

    def text(self, state: Mapping[str, str]) -> str:
        """The text of its value; of a name, its own. Raises as `value` does."""
        if isinstance(self._tree, ast.Name) and self._tree.id in state:
            return state[self._tree.id]
        with self._told():
            return show(self.value(state))

    def holds(self, state: Mapping[str, str]) -> bool:
        """Whether it is true; one that has no value there is not."""
        try:
            return bool(self.value(state))
        except UsageError:
            return False

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What Python raises within is told to the user."""
        try:
            yield
        except ForetraceError:
            raise
        except _RAISED as error:
            raise UsageError(f"{self.source!r} raises {type(error).__name__}: {error}") from error


_WHAT_CAN = "what can be: literals, names, operators, subscripts, comprehensions, and calls such as len(x)"


def _method(node: ast.expr) -> str:
    return f"_{type(node).__name__.lower()}"


class _Evaluation:
    """Walks one syntax tree in one state; the method `_x` evaluates the nodes of class `X`."""

    def __init__(self, state: Mapping[str, str]) -> None:
        self._state = state
        self._values: dict[str, Any] = {}
        """Of the names that were read, and of the targets of comprehensions."""
        self._work = MAX_WORK

    def value(self, node: ast.expr) -> Any:
        self._spend(1)
        found = getattr(self, _method(node))(node)
        if not isinstance(node, ast.Name):
            self._spend(weigh(found))
        return found

    def _spend(self, work: int) -> None:
        self._work -= work
        if self._work < 0:
            raise UsageError(f"that takes too much work: more than {MAX_WORK} steps")

    def _operand(self, node: ast.expr) -> Any:
        """A value to compute with."""
        found = self.value(node)
        if isinstance(found, Thing) and not found.fields:
            raise UsageError(f"{ast.unparse(node)} is shown only as {found.text[:80]}: one cannot compute with it")
        return found

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        if node.id not in self._values:
            if node.id not in self._state:
                there = ", ".join(self._state) or "none"
                raise UsageError(f"there is no name {node.id!r} here; those there are: {there}")
            self._values[node.id] = read(self._state[node.id])
            self._spend(weigh(self._values[node.id]))
        return self._values[node.id]

    def _binop(self, node: ast.BinOp) -> Any:
        left, right, name = self._operand(node.left), self._operand(node.right), type(node.op).__name__
        if name not in _BINARY:
            raise UsageError(f"the operator of {ast.unparse(node)!r} cannot be evaluated here")
        check_growth(name, left, right)
        return _BINARY[name](left, right)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op).__name__](self._operand(node.operand))

    def _boolop(self, node: ast.BoolOp) -> Any:
        is_and, found = isinstance(node.op, ast.And), None
        for part in node.values:
            found = self._operand(part)
            if bool(found) is not is_and:
                break
        return found

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        for comparison, part in zip(node.ops, node.comparators, strict=True):
            right, name = self.value(part), type(comparison).__name__
            self._spend(weigh_all(right) if name.endswith("In") else weigh(right))
            if name.startswith("Is") and not any(value is None or isinstance(value, bool) for value in (left, right)):
                raise UsageError("`is` can only be told of None, True and False; use ==")
            if not _COMPARISONS[name](left, right):
                return False
            left = right
        return True

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self._operand(node.test) else node.orelse)

    def _subscript(self, node: ast.Subscript) -> Any:
        return self._operand(node.value)[self.value(node.slice)]

    def _slice(self, node: ast.Slice) -> slice:
        return slice(*(None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)))

    def _list(self, node: ast.List) -> list[Any]:
        return [self.value(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self.value(item) for item in node.elts)

    def _set(self, node: ast.Set) -> set[Any]:
        return {self.value(item) for item in node.elts}

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        if None in node.keys:
            raise UsageError("`**` cannot be evaluated here")
        return {self.value(k): self.value(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}

    def _attribute(self, node: ast.Attribute) -> Any:
        match node:
            case ast.Attribute(ast.Call(ast.Name("type"), [argument], []), "__name__"):
                return type_name(self.value(argument))
        owner = self.value(node.value)
        if not isinstance(owner, Thing) or node.attr not in owner.fields:
            raise UsageError(f"{ast.unparse(node.value)} shows no attribute {node.attr!r}")
        return owner.fields[node.attr]

    def _call(self, node: ast.Call) -> Any:
        match node:
            case ast.Call(ast.Name("isinstance"), [argument, kinds], []):
                return self._isinstance(self.value(argument), kinds)
        if strange := [str(keyword.arg) for keyword in node.keywords if keyword.arg not in KEYWORDS]:
            raise UsageError(f"the argument {strange[0]}= cannot be given here")
        keywords = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
        arguments = [self._operand(argument) for argument in node.args]
        self._spend(sum(map(weigh_all, arguments)))
        if isinstance(node.func, ast.Attribute):
            owner = self._operand(node.func.value)
            self._spend(weigh_all(owner))
            return call_method(owner, node.func.attr, arguments, keywords)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise UsageError(f"{ast.unparse(node.func)} cannot be called here; what can: {', '.join(FUNCTIONS)}")
        return FUNCTIONS[name](*arguments, **keywords)

    def _isinstance(self, value: Any, kinds: ast.expr) -> bool:
        names = [ast.unparse(kind) for kind in (kinds.elts if isinstance(kinds, ast.Tuple) else [kinds])]
        if isinstance(value, Thing):
            return value.name in names
        return any(isinstance(value, TYPES[name]) for name in names if name in TYPES)

    def _listcomp(self, node: ast.ListComp) -> list[Any]:
        return self._collect(node.generators, lambda: self.value(node.elt))

    def _generatorexp(self, node: ast.GeneratorExp) -> list[Any]:
        return self._collect(node.generators, lambda: self.value(node.elt))

    def _setcomp(self, node: ast.SetComp) -> set[Any]:
        return set(self._collect(node.generators, lambda: self.value(node.elt)))

    def _dictcomp(self, node: ast.DictComp) -> dict[Any, Any]:
        return dict(self._collect(node.generators, lambda: (self.value(node.key), self.value(node.value))))

    def _collect(self, generators: list[ast.comprehension], make: Callable[[], Any]) -> list[Any]:
        """What `make` gives in each pass; the targets are bound only within."""
        outside = dict(self._values)
        found = [make() for _ in self._passes(generators)]
        self._values = outside
        return found

    def _passes(self, generators: list[ast.comprehension]) -> Iterator[None]:
        """Binds the targets of a comprehension to each combination of items in turn."""
        if not generators:
            yield
            return
        first, rest = generators[0], generators[1:]
        items = ordered(self._operand(first.iter))
        if not isinstance(items, _ITERABLE):
            raise UsageError(f"one cannot go through {ast.unparse(first.iter)}")
        for item in items:
            self._bind(first.target, item)
            if all(self._operand(condition) for condition in first.ifs):
                yield from self._passes(rest)

    def _bind(self, target: ast.expr, item: Any) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for part, value in zip(target.elts, item, strict=True):
                self._bind(part, value)
        elif isinstance(target, ast.Name):
            self._values[target.id] = item
        else:
            raise UsageError(f"{ast.unparse(target)!r} cannot be a target here")
