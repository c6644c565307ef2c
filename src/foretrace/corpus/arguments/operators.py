"""What operators and comparisons say of their operands: `x + 1` of `x`, `word in words` of both, `mode == "fast"`."""

import ast
from typing import TYPE_CHECKING

from foretrace.corpus.arguments.calls import NONE, STR
from foretrace.corpus.arguments.guess import NUMBER, REAL, Guess, known_kind
from foretrace.corpus.arguments.terms import term_of

if TYPE_CHECKING:
    from foretrace.corpus.arguments.invocations import Invocations

Operand = tuple[ast.expr, Guess | None]
_CONTAINERS = ("list", "str", "dict", "set", "tuple", "frozenset", "bytes")
_ORDERED = ("int", "float", "str", "list", "tuple", "set", "bool", "bytes")
_BITWISE = ("int", "set", "bool", "frozenset")
_ALLOWED: dict[type[ast.operator], tuple[str, ...]] = {
    ast.LShift: ("int",),
    ast.RShift: ("int",),
    ast.BitAnd: _BITWISE,
    ast.BitOr: _BITWISE,
    ast.BitXor: _BITWISE,
    ast.Sub: ("int", "float", "set", "complex"),
    ast.FloorDiv: REAL,
    ast.Mod: REAL,
}
_MAX_SEEDS = 24


def operate(walker: "Invocations", left: Guess | None, op: ast.operator, right: Guess | None) -> Guess | None:
    """What `left op right` says of both, and gives."""
    if isinstance(op, ast.Add):
        return _add(walker, left, right)
    if isinstance(op, ast.Mult):
        return _multiply(left, right)
    if isinstance(op, ast.Mod) and left is not None and left.share("str") > 0.9:
        return STR
    allowed = _ALLOWED.get(type(op), NUMBER)
    for one, other in ((left, right), (right, left)):
        if one is not None and not one.is_known:
            one.restrict(NUMBER if other is not None and other.is_known and other.likeliest in NUMBER else allowed)
    walker.same(left, right)
    if left is None or (left.is_known and right is not None and not right.is_known):
        return right if right is not None else left
    return left


def _add(walker: "Invocations", left: Guess | None, right: Guess | None) -> Guess | None:
    for one, other in ((left, right), (right, left)):
        if one is None or one.is_known:
            continue
        if other is None or not other.is_known:
            one.restrict((*NUMBER, "str", "list", "tuple", "bytes"))
        else:
            one.restrict(NUMBER if other.likeliest in NUMBER else (other.likeliest,))
    walker.same(left, right)
    return left if left is not None else right


def _multiply(left: Guess | None, right: Guess | None) -> Guess | None:
    for one, other in ((left, right), (right, left)):
        if one is None or one.is_known:
            continue
        kind = other.likeliest if other is not None and other.is_known else ""
        if kind in ("str", "list", "tuple", "bytes"):
            one.restrict(("int",))
        elif kind == "float":
            one.restrict(NUMBER)
        else:
            one.restrict((*NUMBER, "str", "list"))
            one.favour(("str", "list"), 0.15)
    return left if left is not None and not (left.is_known and left.likeliest in NUMBER) else right or left


def compare(walker: "Invocations", op: ast.cmpop, left: Operand, right: Operand) -> None:
    """`left < right`, `left == right`, `left is right`."""
    is_order = isinstance(op, ast.Lt | ast.Gt | ast.LtE | ast.GtE)
    for (_, one), (node, other) in ((left, right), (right, left)):
        if one is None or one.is_known:
            continue
        seed(one, node)
        known = other.likeliest if other is not None and other.is_known else ""
        if other is NONE:
            one.favour(("none",), 2)
        elif is_order:
            one.restrict(REAL if known in REAL else (known,) if known else _ORDERED)
        elif known and not isinstance(op, ast.Is | ast.IsNot):
            one.restrict(REAL if known in REAL else (known,), 0.3)
    if left[1] is not NONE and right[1] is not NONE:
        walker.same(left[1], right[1])


def belong(walker: "Invocations", left: Operand, right: Operand) -> None:
    """`left in right`."""
    (left_node, member), (right_node, container) = left, right
    if container is not None and not container.is_known:
        container.restrict(_CONTAINERS)
        if isinstance(left_node, ast.Constant) and isinstance(left_node.value, str):
            seed(container.elements(), left_node)
            container.elements().favour(("str",), 2)
            container.seeds.append(left_node.value)
    if member is None or member.is_known:
        return
    member.is_member = True
    if isinstance(right_node, ast.Name) and right_node.id not in walker.names:
        right_node = walker.module.assigned.get(right_node.id, right_node)
    constants = _constants(right_node)
    for one in constants:
        seed(member, one)
    kinds = {known_kind(one.value) for one in constants if isinstance(one, ast.Constant)}
    if kinds:
        member.restrict(sorted(kinds), 0.3)
    elif container is not None and container.is_known and container.likeliest == "str":
        member.restrict(("str",))
        text = right_node.value if isinstance(right_node, ast.Constant) else None
        if isinstance(text, str):
            member.seeds.extend(c for c in text[:6] if c not in member.seeds)
    elif container is not None:
        walker.same(member, container.elements())


def _constants(node: ast.expr) -> list[ast.expr]:
    """Elements of a container that is written out."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    return [key for key in node.keys if key is not None] if isinstance(node, ast.Dict) else []


def seed(guess: Guess, node: ast.expr | None) -> None:
    """Remembers a constant that a value is compared with."""
    if guess.is_known or not isinstance(node, ast.Constant | ast.UnaryOp | ast.Tuple | ast.List):
        return
    term = term_of(node)
    if type(term) in (int, float, str, bytes, list, tuple) and len(guess.seeds) < _MAX_SEEDS and term not in guess.seeds:
        guess.seeds.append(term)
