"""What being passed to a known function says of a value, and what comes out.

Methods: `words.append(x)` says that `words` is a list and `x` one of its elements. Functions: `sorted(x)`, `math.sqrt(x)`.
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretrace.corpus.arguments.guess import ITERABLE, NUMBER, REAL, SEQUENCE, SIZED, Guess
from foretrace.corpus.arguments.tables import RESULTS, takes

if TYPE_CHECKING:
    from foretrace.corpus.arguments.invocations import Invocations

Given = Sequence[Guess | None]
_ROLES: dict[str, tuple[str, ...]] = {
    "sized": SIZED,
    "character": ("str",),
    "text": ("str",),
    "json": ("str",),
    "code": ("int",),
    "int": ("int",),
    "real": REAL,
    "number": NUMBER,
    "number_text": ("str", "int", "float"),
    "iterable": ITERABLE,
    "ordered": ITERABLE,
    "numbers": ("list", "tuple", "set", "iterator", "dict"),
    "nested": ("list", "tuple", "iterator"),
    "iterator": ("iterator",),
    "callable": ("callable",),
    "mapping": ("dict", "list"),
    "bytes_like": ("bytes", "bytearray"),
    "sequence": SEQUENCE,
    "list": ("list",),
}
_KNOWN_RESULTS = ("int", "str", "float", "bool", "none", "bytes", "complex")
INT, STR, FLOAT, BOOL, NONE = (Guess(kind) for kind in ("int", "str", "float", "bool", "none"))
STR._element = STR._item = STR
_TEXT_ARGUMENTS = {
    "center": ("int", "character"),
    "ljust": ("int", "character"),
    "rjust": ("int", "character"),
    "zfill": ("int",),
    "expandtabs": ("int",),
    "join": ("strings",),
    "split": ("text", "int"),
    "rsplit": ("text", "int"),
    "replace": ("text", "text", "int"),
    "find": ("text", "int", "int"),
    "rfind": ("text", "int", "int"),
    "startswith": ("text", "int"),
    "endswith": ("text", "int"),
    "translate": ("mapping",),
    "splitlines": ("any",),
    "encode": ("any",),
    "format": ("any",),
}


def play(guess: Guess | None, role: str) -> None:
    """The value is passed where `role` is asked for."""
    if guess is None or guess.is_known or role == "any":
        return
    if role == "strings":
        guess.restrict(("list", "tuple", "str", "set", "iterator"))
        guess.favour(("list",), 2)
        guess.elements().restrict(("str",))
        return
    guess.restrict(_ROLES[role])
    if role == "character":
        guess.is_character = True
    elif role == "number_text":
        guess.is_number_text = True
    elif role == "numbers":
        guess.elements().restrict(REAL)
    elif role == "nested":
        guess.elements().restrict(ITERABLE)
    elif role == "code":
        guess.seeds.extend(seed for seed in (65, 97, 122) if seed not in guess.seeds)
    elif role == "json":
        guess.seeds.extend(('{"a": 1}', "[1, 2]", "3", "null"))


def function_result(walker: "Invocations", name: str, call: ast.Call, given: Given) -> Guess | None:
    """What a function of the standard library gives; its arguments are asked to fit."""
    rule = takes(name)
    if rule is None:
        return None
    roles, result = rule
    if name in ("min", "max", "set", "list", "tuple", "sorted") and len(given) > 1:
        return _of_several(walker, given)
    for guess, role in zip(given, roles, strict=False):
        play(guess, role)
    return _result(walker, result, call, given)


def _of_several(walker: "Invocations", given: Given) -> Guess | None:
    """`max(a, b)`: they are of one type, and so is the result."""
    first = next((one for one in given if one is not None), None)
    for one in given:
        walker.same(first, one)
    return first


def _result(walker: "Invocations", result: str, call: ast.Call, given: Given) -> Guess | None:
    if result in _KNOWN_RESULTS:
        return {"int": INT, "str": STR, "float": FLOAT, "bool": BOOL, "none": NONE}.get(result) or Guess(result)
    first = given[0] if given else None
    if result == "same":
        return first
    if result in ("ints", "numbers"):
        return Guess("list", INT)
    elements = [None if one is None else one.elements() for one in given]
    if result in ("element", "list", "set", "counts"):
        element = elements[0] if elements else None
        if result == "element":
            return element
        return Guess("dict" if result == "counts" else "list", element or Guess())
    if result == "enumerated":
        return Guess("list", Guess("tuple", fields=[INT, (elements[0] if elements else None) or Guess()]))
    if result == "zipped":
        return Guess("list", Guess("tuple", fields=[one or Guess() for one in elements]))
    if result in ("mapped", "filtered"):
        return _mapped(walker, result, call, given)
    if result == "dict":
        return first if first is not None and first.share("dict") > 0.4 else Guess("dict")
    if result == "inner":
        return Guess("list", elements[0].elements() if elements and elements[0] else Guess())
    return None


def _mapped(walker: "Invocations", result: str, call: ast.Call, given: Given) -> Guess | None:
    """`map` and its kin: the function gets elements."""
    elements = [one.elements() for one in given[1:] if one is not None]
    if not call.args or not elements:
        return None
    walker.call_with(call.args[0], given[0], elements)
    if result == "filtered":
        return Guess("list", elements[0])
    function = call.args[0]
    name = function.id if isinstance(function, ast.Name) else ""
    if takes(name) and name not in walker.names:
        return Guess("list", function_result(walker, name, ast.Call(function, [], []), elements[:1]) or Guess())
    return Guess("list", Guess())


def method_result(walker: "Invocations", owner: Guess | None, name: str, call: ast.Call, given: Given) -> Guess | None:
    """What a method of a built-in type gives; its arguments are asked to fit the type that the owner probably has."""
    kind = owner.likeliest if owner is not None else ""
    first = given[0] if given else None
    if (
        owner is not None
        and name in ("index", "count")
        and first is not None
        and first.is_known
        and first.likeliest != "str"
    ):
        owner.restrict(("list", "tuple"))
        kind = "list"
    if owner is not None and kind in ("list", "dict", "set", "str", "tuple"):
        handler = {"dict": _of_dict, "str": _of_text}.get(kind, _of_elements)
        found = handler(walker, owner, name, given)
        if found is not None:
            return found
    for keyword in call.keywords:
        if keyword.arg == "key" and owner is not None:
            walker.call_with(keyword.value, None, [owner.elements()])
    result = RESULTS.get(name, "")
    if result in ("int", "str", "float", "bool"):
        return _result(walker, result, call, given)
    return None


def _of_text(walker: "Invocations", owner: Guess, name: str, given: Given) -> Guess | None:
    if owner.is_known or owner.share("str") > 0.5:
        roles = _TEXT_ARGUMENTS.get(name) or ("text",) * len(given)
        for guess, role in zip(given, roles, strict=False):
            play(guess, role)
            if guess is not None and not guess.is_known and role in ("text", "character"):
                guess.is_member = True
    if name in ("isdigit", "isnumeric", "isdecimal"):
        owner.is_number_text = owner.is_number_text or not owner.is_character
    return Guess("list", STR) if RESULTS.get(name) in ("list", "tuple") else None


def _of_elements(walker: "Invocations", owner: Guess, name: str, given: Given) -> Guess | None:
    """Methods of lists, tuples and sets."""
    if name in ("append", "remove", "count", "index", "add", "discard") and given:
        walker.same(owner.elements(), given[0])
        if given[0] is not None and not given[0].is_known:
            given[0].is_member = name not in ("append", "add")
    elif name == "insert" and len(given) > 1:
        play(given[0], "int")
        walker.same(owner.elements(), given[1])
    elif name in ("extend", "update", "union", "intersection", "difference", "issubset", "issuperset"):
        for one in given:
            play(one, "iterable")
            if one is not None:
                walker.same(owner.elements(), one.elements())
    elif name == "pop":
        play(given[0] if given else None, "int")
        return owner.elements()
    return owner if name in ("copy", "union", "intersection", "difference", "symmetric_difference") else None


def _of_dict(walker: "Invocations", owner: Guess, name: str, given: Given) -> Guess | None:
    if name in ("get", "pop", "setdefault") and given:
        walker.same(owner.elements(), given[0])
        if given[0] is not None and not given[0].is_known:
            given[0].is_member = True
        if len(given) > 1 and given[1] is not None:
            owner.items().resemble(given[1])
        return owner.items()
    if name == "items":
        return Guess("list", Guess("tuple", fields=[owner.elements(), owner.items()]))
    if name == "keys":
        return Guess("list", owner.elements())
    if name == "values":
        return Guess("list", owner.items())
    if name == "popitem":
        return Guess("tuple", fields=[owner.elements(), owner.items()])
    if name == "update" and given:
        play(given[0], "mapping")
    return owner if name == "copy" else None
