"""What expressions say of the values in them: operators, comparisons, subscripts, attributes, calls.

`evaluate` walks an expression once. It returns the guess of what the expression gives, so that evidence flows: in
`sorted(words)[0].lower()` the elements of `words` are texts.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from foretrace.corpus.arguments.calls import BOOL, INT, NONE, STR, play
from foretrace.corpus.arguments.guess import ITERABLE, NUMBER, Guess, known_kind
from foretrace.corpus.arguments.invocations import Invocations
from foretrace.corpus.arguments.operators import belong, compare, operate
from foretrace.corpus.arguments.terms import term_of

_SUBSCRIPTED = ("list", "str", "dict", "tuple", "bytes", "bytearray")
_LONGEST = 12
"""Sequences of which a constant index asks for more elements are dicts, rather."""
_SLICED = ("list", "str", "tuple", "bytes", "bytearray")


class Expressions(Invocations):
    """Walks expressions; `names` are the guesses of variables."""

    def evaluate(self, node: ast.expr | None) -> Guess | None:
        """What is known of the value of an expression; None if nothing is."""
        if node is None:
            return None
        handler = self._HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node)
        self.children(node)
        return None

    def children(self, node: ast.AST) -> None:
        """Walks whatever expressions a node has."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)
            elif isinstance(child, ast.keyword | ast.FormattedValue | ast.Slice | ast.withitem):
                self.children(child)

    # leaves -----------------------------------------------------------------------------------------------------------

    def _name(self, node: ast.Name) -> Guess | None:
        if node.id in self.names:
            return self.names[node.id]
        value = self.module.assigned.get(node.id)
        return self._constant(value) if isinstance(value, ast.Constant) else None

    def _constant(self, node: ast.Constant) -> Guess | None:
        kind = known_kind(node.value)
        return {"int": INT, "str": STR, "bool": BOOL, "none": NONE}.get(kind) or Guess(kind)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Guess | None:
        found = [self.evaluate(one) for one in node.elts]
        if not isinstance(node, ast.Tuple):
            for one in found[1:]:
                self.same(found[0], one)
        else:
            return Guess("tuple", found[0] if found else None, fields=[one or Guess() for one in found])
        return Guess("set" if isinstance(node, ast.Set) else "list", (found[0] if found else None) or Guess())

    def _dict(self, node: ast.Dict) -> Guess | None:
        keys, values = [self.evaluate(k) for k in node.keys], [self.evaluate(v) for v in node.values]
        made = Guess("dict", (keys[0] if keys else None) or Guess())
        made._item = (values[0] if values else None) or Guess()
        return made

    def _joined(self, node: ast.JoinedStr) -> Guess | None:
        self.children(node)
        return STR

    # operators --------------------------------------------------------------------------------------------------------

    def _binary(self, node: ast.BinOp) -> Guess | None:
        return operate(self, self.evaluate(node.left), node.op, self.evaluate(node.right))

    def _unary(self, node: ast.UnaryOp) -> Guess | None:
        found = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            return BOOL
        if found is not None:
            found.restrict(("int",) if isinstance(node.op, ast.Invert) else NUMBER)
        return found

    def _boolean(self, node: ast.BoolOp) -> Guess | None:
        found = [one for one in map(self.evaluate, node.values) if one is not None]
        if isinstance(node.op, ast.Or) and len(found) > 1:  # `names or []`
            self.same(found[0], found[-1])
        return found[0] if found else None

    def _either(self, node: ast.IfExp) -> Guess | None:
        self.evaluate(node.test)
        first, second = self.evaluate(node.body), self.evaluate(node.orelse)
        return second if first is None or first is NONE else first

    def _compare(self, node: ast.Compare) -> Guess | None:
        operands = [(one, self.evaluate(one)) for one in (node.left, *node.comparators)]
        for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                belong(self, left, right)
            else:
                compare(self, op, left, right)
        return BOOL

    # subscripts and attributes ----------------------------------------------------------------------------------------

    def _subscript(self, node: ast.Subscript) -> Guess | None:
        base = self.evaluate(node.value)
        if isinstance(node.slice, ast.Slice):
            for bound in (node.slice.lower, node.slice.upper, node.slice.step):
                play(self.evaluate(bound), "int")
            if base is not None:
                base.restrict(_SLICED)
            return base
        index = self.evaluate(node.slice)
        if base is None:
            return None
        constant = term_of(node.slice) if isinstance(node.slice, ast.Constant | ast.UnaryOp) else None
        if isinstance(constant, str):
            base.restrict(("dict",))
            return base.keys.setdefault(constant, Guess()) if not base.is_known else base.items()
        base.restrict(_SUBSCRIPTED)
        if index is not None and not index.is_known:
            index.is_member = True
        if isinstance(constant, int):
            wanted = constant + 1 if constant >= 0 else -constant
            base.favour(("dict",), 0.3 if wanted <= _LONGEST else 5)
            base.length = max(base.length, wanted if wanted <= _LONGEST else 0)
            if base.fields and 0 <= constant < len(base.fields):
                return base.fields[constant]
        elif index is not None and not base.is_known and base.share("dict") > 0.6:
            self.same(base.elements(), index)
        elif index is not None and index.is_known and index.likeliest == "str":
            base.restrict(("dict",))
        elif base.share("dict") < 0.3:
            play(index, "int")
        return STR if base.is_known and base.likeliest == "str" else base.items()

    def _attribute(self, node: ast.Attribute) -> Guess | None:
        base = self.evaluate(node.value)
        if base is None or base is STR or base is INT:
            return None
        self.holds(base, node.attr)
        return base.attribute(node.attr)

    # scopes -----------------------------------------------------------------------------------------------------------

    def _lambda(self, node: ast.Lambda) -> Guess | None:
        self.hand_over(node)
        return None

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Guess | None:
        outer, found = self.names, None
        self.names = dict(outer)
        for generator in node.generators:
            self.bind(generator.target, self.iterate(self.evaluate(generator.iter)))
            for test in generator.ifs:
                self.evaluate(test)
        if isinstance(node, ast.DictComp):
            found = Guess("dict", self.evaluate(node.key) or Guess())
            found._item = self.evaluate(node.value) or Guess()
        else:
            found = Guess("list", self.evaluate(node.elt) or Guess())
        self.names = outer
        return found

    def iterate(self, guess: Guess | None) -> Guess | None:
        """What iterating over a value gives."""
        if guess is None:
            return None
        guess.restrict((*ITERABLE, *(k for k in guess.weights() if k.startswith("class:"))))
        return guess.elements()

    def bind(self, target: ast.expr, value: Guess | None) -> None:
        """Gives the names of a target their values."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Starred):
            self.bind(target.value, None)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Subscript):
            held = self._subscript(target)
            base = self.evaluate(target.value)
            if base is not None:
                base.restrict(("list", "dict"))
            self.same(held, value)
        elif isinstance(target, ast.Attribute):
            base = self.evaluate(target.value)
            if base is not None and value is not None and target.attr not in base.attributes:
                base.attributes[target.attr] = value
            elif base is not None:
                self.same(base.attribute(target.attr), value)

    def _unpack(self, targets: list[ast.expr], value: Guess | None) -> None:
        parts: Sequence[Guess | None] = [None] * len(targets)
        if value is not None and not any(isinstance(one, ast.Starred) for one in targets):
            value.restrict(("tuple", "list"))
            value.favour(("tuple",), 12)
            parts = value.unpack(len(targets))
        for target, part in zip(targets, parts, strict=True):
            self.bind(target, part)

    def _walrus(self, node: ast.NamedExpr) -> Guess | None:
        found = self.evaluate(node.value)
        self.bind(node.target, found)
        return found

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], Guess | None]]] = {
        ast.Name: _name,
        ast.Constant: _constant,
        ast.List: _sequence,
        ast.Tuple: _sequence,
        ast.Set: _sequence,
        ast.Dict: _dict,
        ast.JoinedStr: _joined,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.BoolOp: _boolean,
        ast.IfExp: _either,
        ast.Compare: _compare,
        ast.Subscript: _subscript,
        ast.Attribute: _attribute,
        ast.Call: Invocations.call,
        ast.Lambda: _lambda,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _comprehension,
        ast.NamedExpr: _walrus,
    }
