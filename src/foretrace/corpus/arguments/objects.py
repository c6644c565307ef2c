"""Instances of the module's classes: made by their constructors, members of enumerations, filled by their methods."""

import ast
from typing import TYPE_CHECKING, Any

from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.module import FunctionNode, decorators
from foretrace.corpus.arguments.terms import Arguments, Construction, Expression, Prepared

if TYPE_CHECKING:
    from foretrace.corpus.arguments.generate import Generator

_ENUMS = {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}
_FILLING_WORDS = ("add", "insert", "push", "append", "put", "set", "enqueue", "extend", "update")
_DEEPEST = 2
_FILLING = 0.5
"""How often an object that its methods can change is changed before it is handed over."""


class Objects:
    """Makes instances for a generator."""

    def __init__(self, generator: "Generator") -> None:
        self.generator, self.module = generator, generator.module
        self._depth = 0
        self._fillers: dict[str, list[str]] = {}

    def instance(self, name: str, guess: Guess, depth: int) -> Any:
        """An instance of a class, or of one derived from it if it is abstract."""
        rng = self.generator.rng
        if name not in self.module.classes:
            return Construction(name, Arguments())
        if self.module.is_abstract(name) and self.module.subclasses[name]:
            name = rng.choice(self.module.subclasses[name])
        members = self._members(name)
        if members:
            return Expression(f"{name}.{rng.choice(members)}")
        if self._depth >= _DEEPEST:
            return None
        self._depth += 1
        made = Construction(name, self._arguments(name, depth))
        self._depth -= 1
        fillers = self.fillers(name) if depth == 0 and self._depth == 0 else []
        if not fillers or rng.random() > _FILLING:
            return made
        chosen = rng.choice(fillers)
        count = rng.randint(1, 4)
        self._depth += 1
        steps = [(chosen if rng.random() < 0.8 else rng.choice(fillers)) for _ in range(count)]
        filled = Prepared(made, [(method, self._arguments(f"{name}.{method}", 1)) for method in steps])
        self._depth -= 1
        return filled if len(repr(filled)) < 200 else made

    def _arguments(self, entry: str, depth: int) -> Arguments:
        inference, rng = self.generator.inference, self.generator.rng
        if "." in entry:
            parameters = inference.signature(entry).parameters[1:]
        else:
            parameters = inference.constructor(entry).parameters
        made = Arguments()
        is_named = False
        value = self.generator.value
        for one in parameters:
            if one.place == "double star" or (one.is_optional and rng.random() < 0.5):
                is_named = is_named or one.place == "either"
            elif one.place == "star":
                made.positional.extend(value(one.guess, depth + 1) for _ in range(0 if is_named else rng.randint(0, 3)))
            elif one.place == "keyword" or (is_named and one.place == "either"):
                made.keywords[one.name] = value(one.guess, depth + 1)
            elif not is_named:
                made.positional.append(value(one.guess, depth + 1))
        return made

    def fillers(self, name: str) -> list[str]:
        """Methods that change their object, take something and have plain names."""
        if name not in self._fillers:
            found: list[str] = []
            for base in self.module.line(name):
                for node in self.module.classes[base].body:
                    if isinstance(node, FunctionNode) and _fills(node) and f"{name}.{node.name}" not in found:
                        found.append(node.name)
            self._fillers[name] = [one for one in found if self._is_reachable(name, one)]
        return self._fillers[name]

    def _is_reachable(self, name: str, method: str) -> bool:
        return self.module.method(name, method) is not None

    def _members(self, name: str) -> list[str]:
        """Members of an enumeration."""
        if not any(_ENUMS & set(self.module.bases(base)) for base in self.module.line(name)):
            return []
        targets = [t for node in self.module.classes[name].body if isinstance(node, ast.Assign) for t in node.targets]
        return [one.id for one in targets if isinstance(one, ast.Name) and not one.id.startswith("_")]


def _fills(node: FunctionNode) -> bool:
    if node.name.startswith("_") or decorators(node) or isinstance(node, ast.AsyncFunctionDef) or len(node.args.args) < 2:
        return False
    if not any(
        word in node.name for word in ("add", "insert", "push", "append", "put", "set", "enqueue", "extend", "update")
    ):
        return False
    return not any(isinstance(one, ast.Return) and one.value is not None for one in node.body)
