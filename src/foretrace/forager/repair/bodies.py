"""The whole body of a function is gone: what functions like it do, put in its place.

for candidate in bodies(function, quarry): ...
"""

import ast
import re
from collections.abc import Iterator

from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Function, is_docstring
from foretrace.forager.repair.expressions import SIGNS, expressions
from foretrace.forager.repair.fragments import Quarry, attributes_of
from foretrace.forager.repair.names import BUILTINS
from foretrace.forager.repair.points import Point, points_of

_TWINS = (
    ("encode", "decode"), ("load", "dump"), ("min", "max"), ("first", "last"), ("left", "right"), ("start", "end"),
    ("get", "set"), ("push", "pop"), ("open", "close"), ("lt", "gt"), ("le", "ge"), ("eq", "ne"), ("add", "sub"),
    ("and", "or"), ("any", "all"), ("upper", "lower"), ("next", "prev"), ("keys", "values"), ("lstrip", "rstrip"),
    ("head", "tail"), ("take", "drop"), ("some", "none"), ("before", "after"), ("filter", "remove"), ("with", "without"),
    ("some", "all"), ("major", "minor"), ("minor", "patch"), ("patch", "prerelease"),
)  # fmt: skip


def bodies(function: Function, quarry: Quarry) -> Iterator[Candidate]:
    """Bodies of other functions with its names put in, and single statements."""
    point = next((p for p in points_of(function) if p.owner is function.node), None)
    if point is None or not point.is_pass:
        return
    for cost, text, other in _relatives(function, quarry):
        yield Candidate(function.code, point.insert(text), f"write a body like that of `{other.name}`", "bodies", cost)
    if function.node.name == "__init__":
        yield from _constructor(function, point)
    for cost, text in expressions(function, point, quarry, limit=400):
        statement = f"return {text}"
        yield Candidate(function.code, point.insert(statement), f"make `{statement}` the body", "bodies", 0.8 + cost)
        if "(" in text and cost < 3.2:
            yield Candidate(function.code, point.insert(text), f"make `{text}` the body", "bodies", 1.8 + cost)


def _relatives(function: Function, quarry: Quarry) -> Iterator[tuple[float, str, Function]]:
    """The bodies of functions that are called alike or take the same."""
    own = list(function.parameters)
    for code, other in ((other.code, other) for other in _others(quarry)):
        if other.node is function.node or (code.path != function.code.path and not _same(other, function)):
            continue
        body = [s for s in other.node.body if not is_docstring(s)]
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 99
        if not body or lines > 25 or len(other.parameters) != len(own) or isinstance(body[0], ast.Pass):
            continue
        start, end = code.span(body[0])[0], code.span(body[-1])[1]
        text = _dedent(code.source[start:end], body[0].col_offset)
        renamed = dict(zip(other.parameters, own, strict=True))
        same = _same(other, function)
        cost = 0.4 + 0.04 * lines + (0.0 if same else 1.0) + (0.0 if other.parameters == function.parameters else 0.7)
        text = _rename(text, renamed)
        yield cost, text, other
        for rank, (one, two) in enumerate(_differences(other, function)):
            yield cost - 0.3 + 0.1 * rank, re.sub(rf"(?<![a-zA-Z]){one}(?![a-zA-Z])", two, text), other
            yield cost + 0.2, text.replace(one, two), other


def _others(quarry: Quarry) -> list[Function]:
    return list(dict.fromkeys(f.function for f in quarry.statements))


def _same(one: Function, other: Function) -> bool:
    return one.node.name == other.node.name


def _differences(other: Function, function: Function) -> Iterator[tuple[str, str]]:
    """Words that turn the name of one function into that of another."""
    one, two = other.node.name.strip("_"), function.node.name.strip("_")
    if one == two:
        return
    yield one, two
    words, own = one.split("_"), two.split("_")
    if len(words) == len(own):
        differing = [(a, b) for a, b in zip(words, own, strict=True) if a != b]
        if len(differing) == 1:
            yield differing[0]
    if one in SIGNS and two in SIGNS:
        yield re.escape(SIGNS[one]), SIGNS[two]
    for pair in _TWINS:
        for a, b in (pair, pair[::-1]):
            if a in one and b in two:
                yield a, b


def _constructor(function: Function, point: Point) -> Iterator[Candidate]:
    """Each parameter becomes an attribute: the one that the class reads."""
    read = attributes_of(function)
    lines = []
    for name in function.parameters[1:]:
        attribute = next((a for a in (name, f"_{name}", f"__{name}") if read[a]), name)
        lines.append(f"self.{attribute} = {name}")
    if lines:
        text = "\n".join(lines)
        yield Candidate(function.code, point.insert(text), "keep the parameters as attributes", "bodies", 0.3)
        if function.owner is not None and function.owner.bases:
            yield Candidate(
                function.code,
                point.insert(f"super().__init__()\n{text}"),
                "call the base class, and keep the parameters as attributes",
                "bodies",
                0.6,
            )


def _rename(text: str, names: dict[str, str]) -> str:
    changed = {one: two for one, two in names.items() if one != two and one not in BUILTINS}
    if not changed:
        return text
    pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, changed)) + r")\b(?!\s*=[^=])")
    return pattern.sub(lambda m: changed[m[1]], text)


def _dedent(text: str, column: int) -> str:
    lines = text.split("\n")
    gap = " " * column
    return "\n".join([lines[0], *(line.removeprefix(gap) for line in lines[1:])])
