"""A parameter that the definition lacks: the body names it, or callers pass it.

    parameters(function, ["strict"])               # def read(text) becomes def read(text, strict=False), …

Where it stood and what its default was is taken from functions with a parameter of this name, and from how it is used.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Code, Function, Piece
from foretrace.forager.repair.names import scope_of

_KEYWORD = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
_COUNT = re.compile(r"(\w+)\(\) takes (?:from \d+ to )?\d+ positional arguments? but \d+")


def wanted_parameters(function: Function, messages: Iterable[str], others: Iterable[Code]) -> list[str]:
    """Names that a function may lack in its definition, the likeliest first.

    Args:
        function: the function.
        messages: of the exceptions that failing tests end with.
        others: files in which functions of the same name may tell what it should take.

    """
    found = list(scope_of(function).undefined)
    short = function.name.rsplit(".", 1)[-1]
    missing = False
    for message in messages:
        for name, keyword in _KEYWORD.findall(message):
            if name.rsplit(".", 1)[-1] in (short, "__init__") and keyword not in function.parameters:
                found.append(keyword)
        missing = missing or any(name == short for name in _COUNT.findall(message))
    if missing:
        for other in _namesakes(short, others):
            found += [name for name in other.parameters if name not in function.parameters]
        found.append("_unused")
    return list(dict.fromkeys(found))[:4]


def parameters(function: Function, names: Iterable[str], others: Iterable[Code]) -> Iterator[Candidate]:
    """Each name at each place, with and without a default."""
    known = [each for code in others for each in code.functions]
    for rank, name in enumerate(names):
        told = _elsewhere(name, known)
        for at, keyword_only in _places(function):
            for text, cost in _forms(function, name, at, keyword_only, told):
                piece = _piece(function, at, text, keyword_only)
                if piece is not None:
                    what = f"add the parameter `{text}`"
                    yield Candidate(function.code, (piece,), what, "parameters", 0.2 + rank + cost)


def _namesakes(short: str, others: Iterable[Code]) -> list[Function]:
    return [each for code in others for each in code.functions if each.name.rsplit(".", 1)[-1] == short]


def _elsewhere(name: str, functions: Iterable[Function]) -> dict[str, int]:
    """Defaults of parameters of this name in other functions, with how often; an empty text for none."""
    found: dict[str, int] = {}
    for function in functions:
        given = function.node.args
        plain = [*given.posonlyargs, *given.args]
        pairs = list(zip(reversed(plain), reversed(given.defaults), strict=False))
        defaults = {arg.arg: value for arg, value in pairs} | {
            arg.arg: value for arg, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value
        }
        for arg in [*plain, *given.kwonlyargs]:
            if arg.arg == name:
                text = function.code.text(defaults[name]) if name in defaults else ""
                found[text] = found.get(text, 0) + 1
    return found


def _places(function: Function) -> Iterator[tuple[int, bool]]:
    """Indexes among the positional parameters, and one more behind the keywords."""
    given = function.node.args
    first = 1 if function.owner is not None and function.parameters[:1] in (("self",), ("cls",)) else 0
    for at in range(len(given.posonlyargs) + len(given.args), first - 1, -1):
        yield at, False
    yield 0, True


def _forms(function: Function, name: str, at: int, keyword_only: bool, told: dict[str, int]) -> Iterator[tuple[str, float]]:
    given = function.node.args
    plain = [*given.posonlyargs, *given.args]
    required = len(plain) - len(given.defaults)
    place = 0.3 * (len(plain) - at) if at > required else 0.4 * (required - at)
    place += 1.5 if keyword_only else 0.0
    may_lack = keyword_only or at <= required
    must_lack = not keyword_only and at < required
    most = max(told.values(), default=0)
    if may_lack:
        yield name, place + (0.0 if must_lack or told.get("", 0) == most > 0 else 0.6)
    if must_lack:
        return
    for rank, text in enumerate(
        dict.fromkeys([*sorted(filter(None, told), key=lambda t: -told[t]), *_likely(function, name)])
    ):
        yield f"{name}={text}", place + 0.4 + 0.35 * rank


def _likely(function: Function, name: str) -> list[str]:
    """Defaults, by how the body uses the name."""
    uses = [function.code.text(node) for node in function.own if isinstance(node, ast.Compare | ast.UnaryOp)]
    texts = " ".join(uses)
    base = ["None", "False", "True", "0", "1", "''", "()"]
    if f"{name} is None" in texts or f"{name} is not None" in texts:
        return base
    tested = any(
        isinstance(getattr(node, "test", None), ast.Name) and node.test.id == name  # type: ignore[attr-defined]
        for node in function.own
    )
    return ["False", "True", *[b for b in base if b not in ("False", "True")]] if tested or f"not {name}" in texts else base


def _piece(function: Function, at: int, text: str, keyword_only: bool) -> Piece | None:
    code, given = function.code, function.node.args
    plain = [*given.posonlyargs, *given.args]
    if keyword_only:
        if given.kwonlyargs:
            start = code.span(given.kwonlyargs[0])[0]
            return Piece(start, start, f"{text}, ")
        if given.vararg is not None:
            end = code.span(given.vararg)[1]
            return Piece(end, end, f", {text}")
        if given.kwarg is not None:
            start = code.source.rindex("**", 0, code.span(given.kwarg)[0])
            return Piece(start, start, f"*, {text}, ")
        return None if not plain else _after(function, len(plain) - 1, f"*, {text}")
    if at < len(plain):
        start = code.span(plain[at])[0]
        return Piece(start, start, f"{text}, ")
    if plain:
        return _after(function, at - 1, text)
    first = given.vararg or (given.kwonlyargs or [None])[0] or given.kwarg  # type: ignore[list-item]
    start, end = _parenthesis(function)
    lead = code.source[start:end]
    return Piece(start, start, f"{text}, " if first is not None and lead.strip() else text)


def _after(function: Function, at: int, text: str) -> Piece:
    """Behind a parameter and its default."""
    given = function.node.args
    plain = [*given.posonlyargs, *given.args]
    default = at - (len(plain) - len(given.defaults))
    node = given.defaults[default] if default >= 0 else plain[at]
    end = function.code.span(node)[1]
    while function.code.source[end : end + 1] == ")" and function.code.source[:end].count("(", _parenthesis(function)[0]) > (
        function.code.source[:end].count(")", _parenthesis(function)[0])
    ):
        end += 1  # the default stands in parentheses
    return Piece(end, end, f", {text}")


def _parenthesis(function: Function) -> tuple[int, int]:
    """Between the parentheses of a definition without positional parameters: their beginning and about their end."""
    code = function.code
    start = code.source.index("(", code.offset(function.node.lineno)) + 1
    return start, code.source.index(")", start)
