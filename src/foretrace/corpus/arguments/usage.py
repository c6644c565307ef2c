"""What the body of a function says of its parameters: a walk through its statements, first to last.

usage = Usage(module, {"text": guess}, propagate)
usage.walk(function.body)
usage.settle()
"""

import ast
from collections.abc import Callable
from typing import Any, ClassVar

from foretrace.corpus.arguments.expressions import Expressions
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.module import FunctionNode, base_name
from foretrace.corpus.arguments.operators import operate, seed


class Usage(Expressions):
    """Walks statements."""

    _depth = 0
    """Of conditions around the statement."""

    def walk(self, statements: list[ast.stmt]) -> None:
        """Walks statements one after the other."""
        for node in statements:
            handler = self._STATEMENTS.get(type(node))
            if handler is not None:
                handler(self, node)
            else:
                self.children(node)

    def _assign(self, node: ast.Assign) -> None:
        targets = [(t, node.value) for t in node.targets]
        first = node.targets[0]
        if isinstance(first, ast.Tuple) and isinstance(node.value, ast.Tuple) and len(first.elts) == len(node.value.elts):
            targets = list(zip(first.elts, node.value.elts, strict=True))
        found = [(target, self.evaluate(value)) for target, value in targets]
        for target, value in found:
            self._rebind(target, value)

    def _rebind(self, target: ast.expr, value: Guess | None) -> None:
        """A variable gets a value; one that only some runs give says what the variable is, too."""
        if self._depth and isinstance(target, ast.Name):
            old = self.names.get(target.id)
            if old is not None and not old.is_known:
                self.same(old, value)
                return
        self.bind(target, value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._rebind(node.target, self.evaluate(node.value))

    def _augmented(self, node: ast.AugAssign) -> None:
        value = self.evaluate(node.value)
        target = self.evaluate(node.target)
        found = operate(self, target, node.op, value)
        if target is None:
            self.bind(node.target, found)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self.bind(node.target, self.iterate(self.evaluate(node.iter)))
        self._block(node.body, node.orelse)

    def _while(self, node: ast.While | ast.If) -> None:
        self.evaluate(node.test)
        if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise):
            self._refuse(node.test)
        self._block(node.body, node.orelse)

    def _refuse(self, test: ast.expr) -> None:
        """`if not isinstance(x, int): raise`: what does not hold where the function goes on."""
        if isinstance(test, ast.BoolOp):
            for one in test.values:
                self._refuse(one)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self._require(test.operand)

    def _assert(self, node: ast.Assert) -> None:
        self.evaluate(node.test)
        self._require(node.test)

    def _require(self, test: ast.expr) -> None:
        """`assert isinstance(x, int)`: it must be one."""
        if isinstance(test, ast.BoolOp):
            for one in test.values:
                self._require(one)
        elif (
            isinstance(test, ast.Call)
            and isinstance(test.func, ast.Name)
            and test.func.id == "isinstance"
            and len(test.args) == 2
        ):
            guess, kinds = self.evaluate(test.args[0]), self.tested_kinds(test.args[1])
            if guess is not None and kinds:
                guess.restrict(kinds, 0.05)

    def _try(self, node: ast.Try) -> None:
        self._block(node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.evaluate(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, None)
        self.walk(node.body)

    def _block(self, *blocks: list[ast.stmt]) -> None:
        self._depth += 1
        for block in blocks:
            self.walk(block)
        self._depth -= 1

    def _function(self, node: FunctionNode) -> None:
        self.names[node.name] = None
        arguments = node.args
        own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        self.within({one.arg: None for one in own}, lambda: self.walk(node.body))

    def _class(self, node: ast.ClassDef) -> None:
        self.names[node.name] = None

    def _match(self, node: ast.Match) -> None:
        subject = self.evaluate(node.subject)
        self._depth += 1
        for case in node.cases:
            if subject is not None:
                self._pattern(case.pattern, subject)
            self.evaluate(case.guard)
            self.walk(case.body)
        self._depth -= 1

    def _pattern(self, pattern: ast.pattern, subject: Guess) -> None:
        if isinstance(pattern, ast.MatchValue):
            seed(subject, pattern.value)
            subject.favour((type(getattr(pattern.value, "value", None)).__name__,), 2)
        elif isinstance(pattern, ast.MatchOr):
            for one in pattern.patterns:
                self._pattern(one, subject)
        elif isinstance(pattern, ast.MatchSequence):
            subject.favour(("list", "tuple"), 3)
            for one in pattern.patterns:
                self._pattern(one, subject.elements())
        elif isinstance(pattern, ast.MatchMapping):
            subject.favour(("dict",), 3)
            for key in pattern.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    subject.keys.setdefault(key.value, Guess())
        elif isinstance(pattern, ast.MatchClass):
            name = base_name(pattern.cls)
            subject.favour((f"class:{name}" if name in self.module.classes else name,), 3)
        elif isinstance(pattern, ast.MatchAs) and pattern.name:
            if pattern.pattern is not None:
                self._pattern(pattern.pattern, subject)
            self.names[pattern.name] = subject

    _STATEMENTS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ast.Assign: _assign,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.While: _while,
        ast.If: _while,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
        ast.ClassDef: _class,
        ast.Match: _match,
        ast.Assert: _assert,
    }
