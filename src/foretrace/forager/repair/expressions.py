"""Expressions that could stand at a place of a function, the likeliest first: a small enumeration over its own vocabulary.

    for cost, text in expressions(function, point, quarry)[:100]: ...

Names that can be seen, attributes of `self`, constants, fragments of the same file with these names put in, and one
operation on top of them: calls of what the file calls elsewhere, methods, items, pairs, and comparisons.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from foretrace.forager.repair.code import Code, Function
from foretrace.forager.repair.fragments import Quarry, attributes_of, distance, fillings
from foretrace.forager.repair.names import Scope, scope_of
from foretrace.forager.repair.points import Point

SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "add": "+", "sub": "-", "mul": "*", "or": "|"}
"""Operators of special methods, by the word in their names."""
_CONSTANTS = {
    "True": 1.9,
    "False": 1.9,
    "None": 2.2,
    "0": 2.4,
    "''": 2.6,
    "[]": 2.6,
    "1": 2.6,
    "{}": 2.9,
    "()": 2.9,
    "-1": 3.0,
}


def expressions(function: Function, point: Point, quarry: Quarry, *, limit: int = 400) -> list[tuple[float, str]]:
    """Costs and texts, without the ones that say the same."""
    scope = scope_of(function)
    best: dict[str, float] = {}
    for cost, text in _all(function, point, quarry, scope):
        if cost < best.get(text, 99.0):
            best[text] = cost
    return sorted((cost, text) for text, cost in best.items())[:limit]


def _all(function: Function, point: Point, quarry: Quarry, scope: Scope) -> Iterator[tuple[float, str]]:
    atoms = list(_atoms(function, point, scope))
    yield from atoms
    yield from ((cost, text) for text, cost in _CONSTANTS.items())
    yield from _customary(function)
    yield from _of_base(function)
    for fragment in quarry.expressions:
        base = distance(fragment, function) + 0.09 * fragment.size + 0.9 - 0.5 * fragment.returned
        if isinstance(fragment.nodes[0], ast.Constant):
            base += 0.4 if fragment.function is function else 1.5
        for cost, text in fillings(fragment, scope, point, quarry.names):
            yield base + cost, text
    yield from _on_top(function, [(cost, text) for cost, text in atoms if text.isidentifier()], scope)


def _atoms(function: Function, point: Point, scope: Scope) -> Iterator[tuple[float, str]]:
    """Names, and attributes of `self`."""
    for rank, name in enumerate(scope.visible(point.line, point.loop)):
        if name in ("self", "cls"):
            yield 1.8, name
            continue
        unused = name in scope.unused
        parameter = name in function.parameters
        yield 0.7 + 0.25 * min(rank, 6) + 0.5 * parameter - 0.7 * unused, name
    for rank, (name, _) in enumerate(attributes_of(function).most_common(8)):
        yield 1.7 + 0.15 * rank, f"self.{name}"


def _customary(function: Function) -> Iterator[tuple[float, str]]:
    """What special methods mostly give, of the attributes that their class reads."""
    name = function.node.name
    if function.owner is None or not (name.startswith("__") or len(function.parameters) == 1):
        return
    other = next(iter(function.parameters[1:]), "other")
    given = ", ".join(function.parameters[1:])
    sign = next((sign for word, sign in SIGNS.items() if name == f"__{word}__"), "==")
    for rank, (attribute, _) in enumerate(attributes_of(function).most_common(8)):
        value = f"self.{attribute}"
        forms = {
            "__len__": (f"len({value})",),
            "__iter__": (f"iter({value})",),
            "__contains__": (f"{other} in {value}",),
            "__getitem__": (f"{value}[{other}]",),
            "__hash__": (f"hash({value})",),
            "__bool__": (f"bool({value})",),
            "__str__": (f"str({value})",),
            "__repr__": (f"repr({value})", f'f"{{self.__class__.__name__}}({{{value}!r}})"'),
            "__call__": (f"{value}({given})",),
        }
        usual = (f"{value} {sign} {other}.{attribute}",) if len(function.parameters) == 2 else ()
        for text in forms.get(name, usual):
            yield 0.9 + 0.2 * rank, text
    if name == "__ne__":
        yield 0.5, f"not self == {other}"
    if name == "__eq__":
        yield 1.2, f"isinstance({other}, self.__class__) and self.__dict__ == {other}.__dict__"


def _of_base(function: Function) -> Iterator[tuple[float, str]]:
    """What the same method of the class below gives, with all parameters, or the first alone."""
    if function.owner is None or not function.owner.bases or not function.parameters:
        return
    name, own, given = function.node.name, function.parameters[0], function.parameters[1:]
    base = function.code.text(function.owner.bases[0])
    for rank, arguments in enumerate(dict.fromkeys([given, given[:1]])):
        yield 1.4 + 0.3 * rank, f"super().{name}({', '.join(arguments)})"
        yield 1.6 + 0.3 * rank, f"{base}.{name}({', '.join((own, *arguments))})"


def _on_top(function: Function, atoms: list[tuple[float, str]], scope: Scope) -> Iterator[tuple[float, str]]:
    """One operation on names."""
    near = atoms[:6]
    callables, methods = _vocabulary(function.code)
    for name, arities in callables.items():
        for arity, count in arities.items():
            for cost, arguments in _arguments(near, arity, _expected(function.code, name)):
                yield 1.9 + cost - 0.1 * min(count, 5) - (0.6 if name in scope.unused else 0.0), f"{name}({arguments})"
    for cost, text in near:
        if text not in ("self", "cls"):
            for rank, (method, _) in enumerate(methods.most_common(12)):
                yield cost + 1.6 + 0.08 * rank, f"{text}.{method}()"
            for kind in ("list", "tuple", "str", "len", "dict", "set", "iter", "bool", "int", "type", "sorted"):
                yield cost + 2.2, f"{kind}({text})"
            yield cost + 2.0, f"not {text}"
    for cost, one in near:
        for other_cost, other in near:
            if one != other:
                yield cost + other_cost + 0.7, f"{one}, {other}"
                yield cost + other_cost + 1.0, f"{one}[{other}]"
                yield cost + other_cost + 1.2, f"{one} + {other}"
                yield cost + other_cost + 1.5, f"{one} == {other}"


def _vocabulary(code: Code) -> tuple[dict[str, Counter[int]], Counter[str]]:
    """What a file calls by name, with numbers of positional arguments; and methods that it calls without any."""
    callables: dict[str, Counter[int]] = {}
    methods: Counter[str] = Counter()
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call):
            text = code.text(node.func)
            plain = isinstance(node.func, ast.Name) or (text.startswith(("self.", "cls.")) and text.count(".") == 1)
            if plain and "\n" not in text and not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args):
                callables.setdefault(text, Counter())[len(node.args)] += 1
            elif isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
                methods[node.func.attr] += 1
    for function in code.functions:
        given = function.node.args
        own = function.parameters[:1] in (("self",), ("cls",))
        arity = len(given.posonlyargs) + len(given.args) - len(given.defaults) - own
        if "." not in function.name or function.owner is not None:
            name = function.name if "." not in function.name else f"self.{function.node.name}"
            callables.setdefault(name, Counter())[arity] += 1
    return callables, methods


def _expected(code: Code, name: str) -> tuple[str, ...]:
    """The parameters of a function of the file."""
    short = name.rsplit(".", 1)[-1]
    for function in code.functions:
        if function.node.name == short:
            return tuple(p for p in function.parameters if p not in ("self", "cls"))
    return ()


def _arguments(atoms: list[tuple[float, str]], arity: int, expected: tuple[str, ...]) -> Iterator[tuple[float, str]]:
    """Names as arguments: those that are called like the parameters first."""
    names = [(cost, text) for cost, text in atoms if text not in ("self", "cls")]
    if arity == 0:
        yield 1.0, ""
    elif arity == 1:
        for cost, text in names:
            yield cost - (0.7 if expected[:1] == (text,) else 0.0), text
    elif arity in (2, 3) and len(names) >= arity:
        known = {text for _, text in names}
        if len(expected) >= arity and set(expected[:arity]) <= known:
            yield 0.6, ", ".join(expected[:arity])
        yield from _pairs(names[:4], arity)


def _pairs(names: Iterable[tuple[float, str]], arity: int) -> Iterator[tuple[float, str]]:
    several = list(names)
    if arity == 2:
        for cost, one in several:
            for other_cost, other in several:
                if one != other:
                    yield 0.6 * (cost + other_cost) + 0.6, f"{one}, {other}"
