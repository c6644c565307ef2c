"""What calls say of the values in them: of what is called, of what is passed, of whose method it is."""

import ast
import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from foretrace.corpus.arguments.calls import BOOL, function_result, method_result
from foretrace.corpus.arguments.guess import PRIOR, Guess
from foretrace.corpus.arguments.module import Module, base_name
from foretrace.corpus.arguments.tables import HOLDERS

_BUILTINS = set(dir(builtins))
Propagate = Callable[[str, list[Guess | None], dict[str, Guess | None]], None]
"""Asks what a function of the module says of the arguments it is called with."""


class Invocations(ABC):
    """Walks calls; `names` are the guesses of variables."""

    def __init__(self, module: Module, names: dict[str, Guess | None], propagate: Propagate) -> None:
        self.module, self.names, self.propagate = module, names, propagate
        self.links: list[tuple[Guess, Guess]] = []

    @abstractmethod
    def evaluate(self, node: ast.expr | None) -> Guess | None:
        """What is known of the value of an expression; None if nothing is."""

    def same(self, one: Guess | None, other: Guess | None) -> None:
        """Two values are probably of the same type: settled at the end."""
        if one is not None and other is not None and one is not other and not (one.is_known and other.is_known):
            self.links.append((one, other))

    def settle(self) -> None:
        """Lets guesses of the same type learn from each other; nearest evidence first."""
        for one, other in (*self.links, *reversed(self.links)):
            one.resemble(other, 0.4)
            other.resemble(one, 0.4)
        self.links.clear()

    def holds(self, base: Guess, attribute: str) -> None:
        """The value has an attribute: only some types have it."""
        holders = [*HOLDERS.get(attribute, ()), *self.module.holders.get(attribute, ())]
        if holders:
            base.restrict(holders)
        elif not base.is_known and base.share("object") < 0.9:
            base.restrict(("object", *(k for k in base.weights() if k.startswith("make:"))))

    def call(self, node: ast.Call) -> Guess | None:
        """What a call gives."""
        dotted = self.dotted(node.func)
        if dotted is None and isinstance(node.func, ast.Attribute):
            return self._method(node, node.func)
        callee = node.func.id if isinstance(node.func, ast.Name) else ""
        function = self.evaluate(node.func) if not dotted else None
        given = [self.evaluate(one) for one in node.args]
        keywords = {k.arg: self._keyword(k, given) for k in node.keywords if k.arg}
        if callee in self.names or (function is not None and not dotted):
            return self._called(function, given)
        if callee in self.module.functions or callee in self.module.classes:
            self.propagate(callee, given, keywords)
            return Guess(f"class:{callee}") if callee in self.module.classes else None
        if dotted == "isinstance" and len(node.args) == 2 and given[0] is not None:
            given[0].favour(self.tested_kinds(node.args[1]), 8)
            return BOOL
        return function_result(self, dotted, node, given) if dotted else None

    def tested_kinds(self, node: ast.expr) -> list[str]:
        """Kinds that the second argument of `isinstance` names."""
        names = [base_name(one) for one in (node.elts if isinstance(node, ast.Tuple) else [node])]
        kinds = [f"class:{name}" if name in self.module.classes else name.lower() for name in names]
        return [kind for kind in kinds if kind in PRIOR or kind.startswith("class:")]

    def dotted(self, node: ast.expr) -> str | None:
        """The full name of a built-in or imported function: `math.sqrt`, `len`; None if it is none."""
        if isinstance(node, ast.Name):
            if node.id in self.names:
                return None
            return self.module.imports.get(node.id) or (node.id if self._is_builtin(node.id) else None)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value) if isinstance(node.value, ast.Name | ast.Attribute) else None
            return f"{base}.{node.attr}" if base else None
        return None

    def _is_builtin(self, name: str) -> bool:
        return name in _BUILTINS and name not in self.module.functions and name not in self.module.classes

    def _keyword(self, keyword: ast.keyword, given: Sequence[Guess | None]) -> Guess | None:
        found = self.evaluate(keyword.value)
        if keyword.arg == "key" and given and given[0] is not None:
            self.call_with(keyword.value, found, [given[0].elements()])
        return found

    def _called(self, function: Guess | None, given: list[Guess | None]) -> Guess | None:
        """A parameter is called."""
        if function is None:
            return None
        function.restrict(("callable", *(k for k in function.weights() if k.startswith("class:"))))
        function.arity = len(given) if function.arity is None else function.arity
        if function.fields is None:
            function.fields = [one or Guess() for one in given]
        return function.calling()

    def call_with(self, node: ast.expr, function: Guess | None, given: list[Guess]) -> None:
        """A function is handed over and will be called with these."""
        if isinstance(node, ast.Lambda):
            self.hand_over(node, given)
        elif isinstance(node, ast.Name) and node.id in self.module.functions and node.id not in self.names:
            self.propagate(node.id, list(given), {})
        elif function is not None and not function.is_known:
            self._called(function, list(given))

    def _method(self, node: ast.Call, func: ast.Attribute) -> Guess | None:
        base = self.evaluate(func.value)
        if base is not None:
            self.holds(base, func.attr)
            own = next((k[6:] for k in self.module.holders.get(func.attr, ()) if base.share(k) > 0.5), "")
        given = [self.evaluate(one) for one in node.args]
        keywords = {k.arg: self.evaluate(k.value) for k in node.keywords if k.arg}
        if base is not None and own:
            self.propagate(f"{own}.{func.attr}", given, keywords)
            return None
        if base is not None and base.share("object") > 0.5:
            return self._called(base.attribute(func.attr), given)
        return method_result(self, base, func.attr, node, given)

    def hand_over(self, node: ast.Lambda, given: Sequence[Guess | None] = ()) -> None:
        """Walks a function that is handed over and will be called with these."""
        names = [one.arg for one in node.args.args]
        bound = dict.fromkeys(names) | dict(zip(names, given, strict=False))
        self.within(bound, lambda: self.evaluate(node.body))

    def within(self, bound: dict[str, Guess | None], act: Callable[[], Any]) -> None:
        """Walks something with other meanings of some names."""
        outer = self.names
        self.names = outer | bound
        act()
        self.names = outer
