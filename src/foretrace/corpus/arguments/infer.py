r"""What the parameters of a function are, from all that its source says.

signature = infer(Module("def f(words):\\n    return [w.lower() for w in words]\\n"), "f")
signature.parameters[0].guess.likeliest              # 'list'

Annotations weigh most, then examples and defaults, then how the parameter is used, and least its name.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from foretrace.corpus.arguments.annotations import annotate, observe
from foretrace.corpus.arguments.docstrings import annotate_by_text, stated_types
from foretrace.corpus.arguments.guess import Guess
from foretrace.corpus.arguments.hints import hints
from foretrace.corpus.arguments.module import FunctionNode, Module, decorators
from foretrace.corpus.arguments.names import hint
from foretrace.corpus.arguments.terms import Arguments, parse_arguments, term_of
from foretrace.corpus.arguments.usage import Usage

Place = Literal["positional", "either", "keyword", "star", "double star"]
_DEEPEST = 3
"""How far calls of other functions of the module are followed."""


@dataclass(slots=True)
class Parameter:
    """A parameter of a function."""

    name: str
    guess: Guess
    place: Place
    is_optional: bool


@dataclass(slots=True)
class Signature:
    """What is known of what a function takes."""

    parameters: list[Parameter]
    examples: list[Arguments] = field(default_factory=list)
    """Argument lists that are known to make sense."""
    owner: str = ""
    """The class whose instance comes first."""


class Inference:
    """Inference about the functions of one module; each function is looked at once."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._signatures: dict[str, Signature] = {}
        self._selves: dict[str, Guess] = {}
        self._depth = 0

    def signature(self, entry: str) -> Signature:
        """The signature of `f` or `Class.method`, by all that its definition says.

        Raises:
            UsageError: there is no such definition.

        """
        if entry not in self._signatures:
            node, owner = self.module.find(entry)
            self._signatures[entry] = self._look(entry, node, owner)
        return self._signatures[entry]

    def constructor(self, name: str) -> Signature:
        """What making an instance of a class takes."""
        found = self._signatures.get(f"{name}()")
        if found is None:
            init = self.module.method(name, "__init__") or self.module.method(name, "__new__")
            found = self.signature_of_init(name, init) if init is not None else self._fields(name)
            self._signatures[f"{name}()"] = found
        return found

    def signature_of_init(self, name: str, init: FunctionNode) -> Signature:
        """What `__init__` takes, without `self`."""
        holder = next(base for base in self.module.line(name) if init in self.module.classes[base].body)
        found = self.signature(f"{holder}.{init.name}")
        return Signature(found.parameters[1:], owner=name)

    def tell_constructor(self, guess: Guess) -> None:
        """What is done with the attributes of an instance says what the constructor takes."""
        kind = guess.likeliest
        name = kind.removeprefix("class:")
        if name is kind or name not in self.module.classes or guess.is_known:
            return
        self.constructor(name)
        own = self._selves.get(name)
        for attribute, found in guess.attributes.items():
            if own is not None and attribute in own.attributes:
                own.attributes[attribute].resemble(found, 0.8)

    def _fields(self, name: str) -> Signature:
        """The fields of a dataclass or a named tuple."""
        node = self.module.classes[name]
        found: list[Parameter] = []
        if "dataclass" in decorators(node) or {"NamedTuple", "TypedDict"} & set(self.module.bases(name)):
            for base in reversed(self.module.line(name)):
                for one in self.module.classes[base].body:
                    if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and not _is_class_variable(one):
                        guess = self._selves.setdefault(name, Guess(f"class:{name}")).attribute(one.target.id)
                        annotate(guess, one.annotation, self.module)
                        hint(guess, one.target.id)
                        found.append(Parameter(one.target.id, guess, "either", one.value is not None))
        elif "Exception" in self.module.bases(name):
            found.append(Parameter("message", Guess("str"), "positional", False))
        return Signature(found, owner=name)

    def _look(self, entry: str, node: FunctionNode, owner: ast.ClassDef | None) -> Signature:
        names = decorators(node)
        parameters = _parameters(node)
        signature = Signature(parameters)
        self._signatures[entry] = signature  # recursion finds it unfinished
        if owner is not None and "staticmethod" not in names and parameters:
            self._receiver(signature, owner.name, is_class="classmethod" in names or node.name == "__new__")
            if node.name not in ("__init__", "__new__"):
                self.constructor(owner.name)
        docstring = ast.get_docstring(node, clean=False) or ""
        stated = stated_types(docstring) if docstring else {}
        arguments = {one.arg: one for one in _arguments(node)}
        for one in parameters:
            annotate(one.guess, arguments[one.name].annotation, self.module)
            if arguments[one.name].annotation is None and one.name in stated:
                annotate_by_text(one.guess, stated[one.name], self.module)
        _defaults(node, parameters)
        self._use(node, parameters)
        for one in parameters:
            hint(one.guess, one.name, 4.0 if arguments[one.name].annotation is None else 1.5)
        if "classmethod" in names:
            signature.parameters = parameters[1:]
        return signature

    def _receiver(self, signature: Signature, owner: str, is_class: bool) -> None:
        first = signature.parameters[0]
        if not is_class:
            signature.owner = owner
            first.guess = self._selves.setdefault(owner, Guess(f"class:{owner}"))

    def _use(self, node: FunctionNode, parameters: list[Parameter]) -> None:
        names: dict[str, Guess | None] = {}
        for one in parameters:
            names[one.name] = one.guess
            if one.place == "star":
                names[one.name] = Guess("tuple", one.guess)
            elif one.place == "double star":
                names[one.name] = Guess("dict", Guess("str"))
        usage = Usage(self.module, names, self._propagate)
        usage.walk(node.body)
        usage.settle()
        for one in parameters:
            cohere(one.guess)

    def _propagate(self, callee: str, given: list[Guess | None], keywords: dict[str, Guess | None]) -> None:
        """What another function of the module says of the arguments that it gets."""
        if self._depth >= _DEEPEST:
            return
        self._depth += 1
        try:
            if callee in self.module.classes:
                parameters = self.constructor(callee).parameters
            elif "." in callee and self.module.method(*callee.split(".", 1)) is None:
                parameters = []
            else:
                found = self.signature(callee)
                parameters = found.parameters[1:] if found.owner else found.parameters
        finally:
            self._depth -= 1
        by_name = {one.name: one for one in parameters}
        pairs = [(one, parameter) for one, parameter in zip(given, parameters, strict=False) if parameter.place != "star"]
        pairs += [(one, by_name[name]) for name, one in keywords.items() if name in by_name]
        for one, parameter in pairs:
            if one is not None and one is not parameter.guess:
                one.resemble(parameter.guess, 0.7)
                one.is_character = one.is_character or parameter.guess.is_character


def infer(module: Module, entry: str, calls: Sequence[str] = (), inference: Inference | None = None) -> Signature:
    """What the entry takes; `calls` are texts of argument lists known from elsewhere.

    Raises:
        UsageError: there is no such definition.

    """
    inference = inference or Inference(module)
    signature = inference.signature(entry)
    for parameter in signature.parameters:
        inference.tell_constructor(parameter.guess)
    node, owner = module.find(entry)
    docstrings = [ast.get_docstring(one, clean=False) or "" for one in (node, owner, module.tree) if one is not None]
    known = [arguments for arguments in map(parse_arguments, calls) if arguments is not None]
    signature.examples = known + hints(module, entry, docstrings)
    for arguments in signature.examples:
        _observe(signature, arguments)
    return signature


def _observe(signature: Signature, arguments: Arguments) -> None:
    by_name = {one.name: one for one in signature.parameters}
    for term, parameter in zip(arguments.positional, signature.parameters, strict=False):
        if parameter.place == "star":
            break
        observe(parameter.guess, term)
    for name, term in arguments.keywords.items():
        if name in by_name:
            observe(by_name[name].guess, term)


def cohere(guess: Guess, depth: int = 0) -> None:
    """Lets a container learn from what is in it: elements that are no texts are not those of a text."""
    if guess.is_known or depth > 4 or not guess.has_inner:
        return
    cohere(guess.elements(), depth + 1)
    cohere(guess.items(), depth + 1)
    if guess.likeliest == "dict":
        return
    element = guess.inner()
    texts = element.share("str")
    if texts < 0.3:
        guess.favour(("str",), max(texts, 0.02))
    elif element.is_character:
        guess.favour(("str",), 2)
    if element.share("int") < 0.2:
        guess.favour(("bytes", "bytearray"), 0.2)


def _arguments(node: FunctionNode) -> list[ast.arg]:
    given = node.args
    stars = [one for one in (given.vararg, given.kwarg) if one is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *stars]


def _parameters(node: FunctionNode) -> list[Parameter]:
    given = node.args
    positional = [(one, "positional") for one in given.posonlyargs] + [(one, "either") for one in given.args]
    required = len(positional) - len(given.defaults)
    found: list[Parameter] = []
    for index, (one, place) in enumerate(positional):
        found.append(Parameter(one.arg, Guess(), "positional" if place == "positional" else "either", index >= required))
    if given.vararg is not None:
        found.append(Parameter(given.vararg.arg, Guess(), "star", True))
    for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found.append(Parameter(one.arg, Guess(), "keyword", default is not None))
    if given.kwarg is not None:
        found.append(Parameter(given.kwarg.arg, Guess(), "double star", True))
    return found


def _defaults(node: FunctionNode, parameters: list[Parameter]) -> None:
    """A default says what the parameter is; None says only that it may be missing."""
    given = node.args
    positional = [one for one in parameters if one.place in ("positional", "either")]
    pairs = list(zip(reversed(positional), reversed(given.defaults), strict=False))
    keyword = [one for one in parameters if one.place == "keyword"]
    pairs += [(one, default) for one, default in zip(keyword, given.kw_defaults, strict=True) if default is not None]
    for parameter, default in pairs:
        term = term_of(default)
        observe(parameter.guess, term, 2.0 if term is None else 60.0)


def _is_class_variable(node: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(node.annotation)
