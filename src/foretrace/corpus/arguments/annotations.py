"""What annotations say: `dict[str, list[int]]`, `"Node | None"`, `Optional[T]`, `Literal["up"]`, aliases of the module."""

import ast

from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.module import Module, base_name
from foretrace.corpus.arguments.terms import Construction, Expression, SetOf, term_of

_CERTAIN = 1e-7
"""What is left of the other types: annotations are wrong now and then."""
_KINDS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("int", "str", "bool", "bytes", "bytearray", "complex", "set", "frozenset")},
    **dict.fromkeys(("list", "List", "MutableSequence", "UserList"), ("list",)),
    **dict.fromkeys(("tuple", "Tuple"), ("tuple",)),
    **dict.fromkeys(("dict", "Dict", "Mapping", "MutableMapping", "UserDict", "TypedDict"), ("dict",)),
    **dict.fromkeys(("Set", "AbstractSet", "MutableSet"), ("set",)),
    **dict.fromkeys(("Callable", "FunctionType"), ("callable",)),
    **dict.fromkeys(("Iterator", "Generator"), ("iterator",)),
    **dict.fromkeys(("Sequence", "Collection", "Reversible", "Sized", "Container"), ("list", "tuple", "str")),
    "float": ("float", "int"),
    "Iterable": ("list", "tuple", "set", "str", "iterator"),
    "FrozenSet": ("frozenset",),
    "None": ("none",),
    "NoneType": ("none",),
    "Text": ("str",),
    "AnyStr": ("str", "bytes"),
    "LiteralString": ("str",),
    "SupportsInt": ("int",),
    "SupportsIndex": ("int",),
    "SupportsFloat": ("float",),
    "SupportsAbs": ("int",),
    "Number": ("int", "float"),
    "Real": ("int", "float"),
    "Integral": ("int",),
    "Rational": ("int",),
    "Hashable": ("int", "str", "tuple"),
    "ByteString": ("bytes",),
    "Buffer": ("bytes",),
}
_PAIRED = {"dict", "Dict", "Mapping", "MutableMapping", "DefaultDict", "OrderedDict", "defaultdict"}
_SINGLE = {"Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "InitVar", "Type"}
MADE: dict[str, tuple[str, ...]] = {
    "datetime": ("2024, 2, 29", "2023, 12, 31, 23, 59, 59", "2000, 1, 1", "1999, 7, 4, 12, 30"),
    "date": ("2024, 2, 29", "2023, 12, 31", "2000, 1, 1", "1999, 7, 4"),
    "time": ("12, 30", "0, 0", "23, 59, 59"),
    "timedelta": ("1", "0, 90", "-1", "hours=5", "7"),
    "Decimal": ("'1.5'", "'0'", "'-2.25'", "3", "'100'"),
    "Fraction": ("1, 2", "3", "-2, 7", "0"),
    "Path": ("'a.txt'", "'folder/file.tar.gz'", "'.'", "'/tmp'"),
    "PurePath": ("'a.txt'", "'folder/file.tar.gz'", "'.'"),
    "PurePosixPath": ("'a.txt'", "'folder/file.tar.gz'", "'.'"),
    "Counter": ("'abracadabra'", "[1, 2, 2]", "", "{'a': 2}"),
    "OrderedDict": ("a=1, b=2", "", "{'x': 1}"),
    "deque": ("[1, 2, 3]", "", "'abc'", "[5]"),
    "defaultdict": ("int", "list", "int, {'a': 1}", "list, {1: [2]}"),
    "ChainMap": ("{'a': 1}", "{'a': 1}, {'a': 2, 'b': 3}"),
    "StringIO": ("'one\\ntwo\\n'", "", "'a,b\\n1,2\\n'"),
    "BytesIO": ("b'abc'", ""),
    "UUID": ("int=5", "'12345678123456781234567812345678'"),
    "SimpleNamespace": ("a=1", "name='x', value=2"),
    "array": ("'i', [1, 2, 3]",),
    "Random": ("0", "42"),
}
"""Arguments of constructors of the standard library."""
_ALIASES = {"DefaultDict": "defaultdict", "Deque": "deque", "TextIO": "StringIO", "IO": "StringIO", "Pattern": "Pattern"}
_DEEPEST = 8


def annotate(guess: Guess, node: ast.expr | None, module: Module, depth: int = 0) -> None:
    """Adds what an annotation says to a guess; one that says nothing known is left out of account."""
    if node is None or depth > _DEEPEST or guess.is_known:
        return
    parts = _union(node, module)
    if len(parts) > 1 or parts[0] is not node:
        alternatives = [Guess() for _ in parts]
        for alternative, part in zip(alternatives, parts, strict=True):
            annotate(alternative, part, module, depth + 1)
        _merge(guess, alternatives)
    elif isinstance(node, ast.Constant):
        guess.restrict(("none",) if node.value is None else (), _CERTAIN if node.value is None else 1)
    elif isinstance(node, ast.Subscript):
        _generic(guess, base_name(node.value), node, module, depth)
    else:
        _plain(guess, base_name(node), module, depth)


def _union(node: ast.expr, module: Module) -> list[ast.expr]:
    """The alternatives of an annotation; texts are parsed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _union(ast.parse(node.value.strip(), mode="eval").body, module)
        except (SyntaxError, ValueError):
            return [node]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(node.left, module) + _union(node.right, module)
    if isinstance(node, ast.Subscript):
        name, inner = base_name(node.value), _inner(node)
        if name == "Optional":
            return [*_union(inner[0], module), ast.Constant(None)]
        if name == "Union":
            return [part for one in inner for part in _union(one, module)]
        if name == "Annotated" or name in _SINGLE:
            return _union(inner[0], module)
    return [node]


def _inner(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) and node.slice.elts else [node.slice]


def _merge(guess: Guess, alternatives: list[Guess]) -> None:
    """Any of the alternatives; None is the least interesting."""
    kinds = {kind: None for one in alternatives for kind, weight in one.weights().items() if weight > _CERTAIN * 50_000}
    informed = [one for one in alternatives if one.likeliest != "none"]
    guess.restrict(kinds, _CERTAIN)
    if len(kinds) > 1:
        guess.favour([kind for kind in kinds if kind not in ("none", "str")], 1.5)
    for one in informed:
        if one.has_inner and not guess.has_inner:
            guess.elements().resemble(one.elements(), 1.0)
            guess.items().resemble(one.items(), 1.0)
        guess.fields = guess.fields or one.fields
        guess.seeds.extend(one.seeds)
        guess.result, guess.arity = guess.result or one.result, guess.arity if one.arity is None else one.arity


def _plain(guess: Guess, name: str, module: Module, depth: int) -> None:
    if name in module.classes:
        guess.restrict([f"class:{name}", *(f"class:{sub}" for sub in module.subclasses[name])], _CERTAIN)
    elif name in module.assigned and depth < _DEEPEST:
        _alias(guess, module.assigned[name], module, depth)
    elif name in _KINDS:
        guess.restrict(_KINDS[name], _CERTAIN)
    elif _ALIASES.get(name, name) in MADE:
        guess.restrict((f"make:{_ALIASES.get(name, name)}",), _CERTAIN)
    elif name in ("Pattern", "Match"):
        guess.restrict((f"make:{name}",), _CERTAIN)
    elif name in ("type", "Type"):
        guess.restrict(("callable",), 0.2)


def _alias(guess: Guess, value: ast.expr, module: Module, depth: int) -> None:
    """A name of the module in an annotation: an alias, a `TypeVar`, a `NewType`."""
    if not isinstance(value, ast.Call):
        annotate(guess, value, module, depth + 1)
        return
    made = base_name(value)
    bound = next((k.value for k in value.keywords if k.arg == "bound"), None)
    if made == "NewType" and len(value.args) > 1:
        annotate(guess, value.args[1], module, depth + 1)
    elif made == "TypeVar" and bound is not None:
        annotate(guess, bound, module, depth + 1)
    elif made == "TypeVar" and len(value.args) > 1:
        alternatives = [Guess() for _ in value.args[1:]]
        for alternative, part in zip(alternatives, value.args[1:], strict=True):
            annotate(alternative, part, module, depth + 1)
        _merge(guess, alternatives)
    elif made == "TypeVar":
        guess.favour(("int", "str"), 1.5)
    elif made == "namedtuple":
        guess.restrict(("tuple",), _CERTAIN)


def _generic(guess: Guess, name: str, node: ast.Subscript, module: Module, depth: int) -> None:
    """A type with arguments."""
    inner = _inner(node)
    if name == "Literal":
        guess.seeds.extend(term_of(one) for one in inner)
        guess.restrict(("choice",), _CERTAIN)
        return
    _plain(guess, name, module, depth)
    if name == "Callable":
        _callable(guess, inner, module, depth)
    elif name in ("tuple", "Tuple") and not (len(inner) == 2 and base_or_dots(inner[1]) == "..."):
        guess.fields = [Guess() for _ in inner]
        for field, part in zip(guess.fields, inner, strict=True):
            annotate(field, part, module, depth + 1)
        guess.elements().resemble(guess.fields[0])
    elif name in _PAIRED and len(inner) == 2:
        annotate(guess.elements(), inner[0], module, depth + 1)
        annotate(guess.items(), inner[1], module, depth + 1)
    else:
        annotate(guess.elements(), inner[0], module, depth + 1)
        if guess.elements().share("str") < 0.5:
            guess.favour(("str",), 0.05)


def base_or_dots(node: ast.expr) -> str:
    """The name of a type, or `...`."""
    return "..." if isinstance(node, ast.Constant) and node.value is ... else base_name(node)


def _callable(guess: Guess, inner: list[ast.expr], module: Module, depth: int) -> None:
    if isinstance(inner[0], ast.List):
        guess.arity = len(inner[0].elts)
        guess.fields = [Guess() for _ in inner[0].elts]
        for field, part in zip(guess.fields, inner[0].elts, strict=True):
            annotate(field, part, module, depth + 1)
    if len(inner) > 1:
        annotate(guess.calling(), inner[1], module, depth + 1)


def observe(guess: Guess, term: object, factor: float = 40.0) -> None:
    """Adds what an example of the value says."""
    if isinstance(term, Expression):
        guess.favour(("callable",), factor if "lambda" in term.text else 1)
        return
    if isinstance(term, Construction):
        guess.favour((f"class:{term.name}",), factor)
        return
    kind = "set" if isinstance(term, SetOf) else "none" if term is None else type(term).__name__
    guess.favour((kind,), factor)
    if kind in ("int", "float", "str", "bytes") and term not in guess.seeds and len(guess.seeds) < 16:
        guess.seeds.append(term)
    if isinstance(term, dict):
        for key, value in list(term.items())[:3]:
            observe(guess.elements(), key, factor)
            observe(guess.items(), value, factor)
    elif isinstance(term, list | tuple):
        for part in term[:3]:
            observe(guess.inner(), part, factor)
