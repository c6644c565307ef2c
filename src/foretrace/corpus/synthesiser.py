"""Endless short Python functions with arguments, in the manner of puzzle functions that language models write.

    program = synthesise(7)
    program.source, program.entry, program.arguments

One seed, one program, on every platform. Productions are text with holes (`grammar.py`, `idioms.py`); the writer keeps
an environment of typed variables, so that what it writes is type-correct, and chooses literals that have to do with the
arguments, so that branches go both ways.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from foretrace.corpus.grammar import EXPRESSIONS, LOCAL_EXPRESSIONS
from foretrace.corpus.idioms import FINALS, GUARDS, HELPERS, LOOPS, SIMPLE
from foretrace.corpus.layout import Layout
from foretrace.corpus.literals import Literals
from foretrace.corpus.names import Names
from foretrace.corpus.popularity import Pool
from foretrace.corpus.values import Values, literal

_HOLE = re.compile(r"«([^»]*)»")
_PARAMETERS = {
    "str": 40, "listint": 17, "liststr": 8, "int": 18, "word": 20, "dictsi": 7, "dictss": 3, "dictis": 2, "liststrlist": 2,
    "tuple": 1, "set": 1, "bool": 1,
}  # fmt: skip
_LATER_PARAMETERS = {
    "word": 44, "int": 27, "str": 10, "listint": 9, "liststr": 3, "dictsi": 3, "dictss": 1, "tuple": 1, "set": 1, "bool": 1,
}  # fmt: skip
"""After the first: mostly what to look for in it, or where."""
_RETURNS = {"str": 40, "liststr": 10, "listint": 10, "int": 12, "bool": 6, "dictsi": 3, "tuple": 3, "set": 1}
_MUTABLE = ("listint", "liststr", "dictsi", "dictss", "dictis", "set", "liststrlist")
_CHOICES = {
    "strmethod": ["upper()", "lower()", "title()", "capitalize()", "swapcase()", "strip()", "casefold()", "lstrip()", "rstrip()"],
    "cmp": ["<", ">", "<=", ">=", "==", "!="],
    "eq": ["==", "==", "!="],
    "op": ["+", "-", "*", "+", "-"],
    "aug": ["+", "-", "*", "+"],
    "ispred": ["isalpha", "isdigit", "isupper", "islower", "isalnum", "isspace"],
    "side": ["1:", ":-1"],
    "popat": ["", "0", "-1"],
    "q": ["''", '""', "str()"],
    "intish": ["0", "-1", "1", "100", "-5"],
}  # fmt: skip


_VARIABLE_FOR = {
    "sub": ("word", 0.75), "char": ("word", 0.75), "word": ("word", 0.5), "sep": ("word", 0.75), "prefix": ("word", 0.7),
    "suffix": ("word", 0.7), "inside": ("word", 0.5), "dkey": ("word", 0.5), "int": ("int", 0.3), "index": ("int", 0.4),
    "elem": ("int", 0.5), "pos": ("int", 0.35), "width": ("int", 0.6), "one": ("int", 0.2), "two": ("int", 0.5),
    "big": ("int", 0.4), "mid": ("int", 0.4), "big10": ("int", 0.4),
}  # fmt: skip
"""For a kind of literal: the kind of variable that people write there as often, and how often if there is one."""
_FINISHES = {
    "liststr": ("''.join({0})", "''.join({0})", "''.join({0})", "' '.join({0})", "«'sep».join({0})", "len({0})", "{0}[::-1]", "{0}[0]"),
    "listint": ("len({0})", "{0}[::-1]", "sum({0})", "sorted({0})", "{0}[«'index»]", "{0} + [«'int»]", "{0}[«'index»:]"),
    "str": ("len({0})", "{0}[::-1]", "{0}.strip()", "{0} + «'word»", "{0}[«'index»:]", "{0}.upper()", "list({0})", "{0} + «?str»"),
    "int": ("str({0})", "{0} + «'int»", "{0} * «'pos»", "{0} == «'int»", "{0} > «'int»", "-{0}", "{0} + «?int»", "«?str»[{0}:]", "«?str»[:{0}]"),
    "dictsi": ("len({0})", "list({0}.keys())", "list({0}.values())", "sorted({0}.items())", "{0}.get(«'dkey», 0)", "«'dkey» in {0}"),
    "dictss": ("len({0})", "list({0}.keys())", "list({0}.values())", "«'dkey» in {0}"),
}  # fmt: skip
"""What is made of the last variable, of some kind, in the return statement."""
_VERDICTS = ["True", "False", "True", "False", "-1", "0", "None", "[]", "«'word»", "''", "«'int»"]
_LOCAL_KINDS = {
    "charcond": "char", "charexpr": "char", "intcond": "elem", "intexpr": "elem", "strcond": "word", "strexpr": "word",
    "intofstr": "word", "anyexpr": "elem",
}  # fmt: skip
_ATTEMPTS = 6
_EXPRESSIONS = {kind: Pool(productions) for kind, productions in EXPRESSIONS.items()}
_LOCAL_EXPRESSIONS = {word: Pool(productions) for word, productions in LOCAL_EXPRESSIONS.items()}
_SIMPLE, _GUARDS, _LOOPS, _FINALS = Pool(SIMPLE), Pool(GUARDS), Pool(LOOPS), Pool(FINALS)
_INNER = Pool(s for s in SIMPLE if "«!" in s)


class Unusable(Exception):
    """A production asks for a variable that does not exist."""


@dataclass(frozen=True, slots=True)
class Program:
    """A module, the function to call, and the text of its argument list."""

    source: str
    entry: str
    arguments: str


@dataclass(slots=True, eq=False)
class _Variable:
    name: str
    kind: str
    uses: int = 0
    fixed: bool = False
    """Not to be assigned to: a loop's own variable."""
    short: bool = False
    """A text to look for in another: a parameter such as `sep` or `char`."""


def programs(seed: int = 0) -> Iterator[Program]:
    """Endless programs from `seed` on."""
    while True:
        yield synthesise(seed)
        seed += 1


def synthesise(seed: int) -> Program:
    """The program of `seed`. Functions that ignore a parameter are mostly written anew."""
    rng = random.Random(seed)
    for _ in range(_ATTEMPTS):
        writer = _Writer(rng)
        program = writer.program()
        if writer.uses_all_parameters(program.source) or rng.random() < 0.1:
            break
    return program


@cache
def _parse(template: str) -> tuple[tuple[bool, str], ...]:
    """Text and holes in turn: (is a hole, content)."""
    return tuple((bool(i % 2), part) for i, part in enumerate(_HOLE.split(template)) if part)


class _Writer:
    """Writes one program."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = Names(rng)
        self.values = Values(rng)
        self.layout = Layout(rng)
        self.variables: list[_Variable] = []
        self.literals = Literals(rng, self.values, [])

    def program(self) -> Program:
        """Signature, body, return, layout."""
        rng = self.rng
        arguments = self._parameters()
        self.literals = Literals(rng, self.values, arguments)
        entry = "f" if rng.random() < 0.65 else self.names.fresh("function")
        parameters = list(self.variables)
        self._parameter_names = [v.name for v in parameters]
        inside, beside = self._helper() if rng.random() < 0.08 else ("", "")
        body = inside + self._body()
        source = beside + self.layout.function(entry, [(v.name, v.kind) for v in parameters], body)
        return Program(self.layout.finish(source), entry, self._argument_list(parameters, arguments))

    def uses_all_parameters(self, source: str) -> bool:
        """Whether every parameter's name occurs outside the signature."""
        return all(len(re.findall(rf"\b{name}\b", source)) > 1 for name in self._parameter_names)

    def _parameters(self) -> list[Any]:
        rng = self.rng
        count = rng.choices((1, 2, 3, 4), (44, 42, 12, 2))[0]
        kinds = rng.choices(list(_PARAMETERS), list(_PARAMETERS.values()))
        kinds += rng.choices(list(_LATER_PARAMETERS), list(_LATER_PARAMETERS.values()), k=count - 1)
        if kinds[0] == "word":
            kinds[0] = "str"
        values = []
        for kind in kinds:
            value = self.values.make(kind)
            known = "str" if kind == "word" else kind
            name = self.names.fresh("char" if kind == "word" and len(value) == 1 and rng.random() < 0.5 else known)
            self.variables.append(_Variable(name, known, short=kind == "word"))
            values.append(value)
        return self._relate(kinds, values)

    def _relate(self, kinds: list[str], values: list[Any]) -> list[Any]:
        """A second string is often a part of the first, a number often an element or an index."""
        rng = self.rng
        first = values[0]
        for at in range(1, len(values)):
            if rng.random() < 0.4 or not isinstance(first, str | list) or not first:
                continue
            if kinds[at] == "word":
                inner = rng.choice(first)
                values[at] = inner if isinstance(inner, str) else values[at]
            elif kinds[at] == "int":
                inner = rng.choice(first)
                values[at] = inner if type(inner) is int and rng.random() < 0.5 else rng.randrange(len(first))
        return values

    def _argument_list(self, parameters: list[_Variable], arguments: list[Any]) -> str:
        texts = [literal(self.rng, value) for value in arguments]
        if self.rng.random() < 0.03:
            texts[-1] = f"{parameters[-1].name}={texts[-1]}"
        return ", ".join(texts)

    # -- bodies --------------------------------------------------------------------------------------

    def _body(self) -> str:
        rng = self.rng
        plan = rng.random()
        lines: list[str] = []
        if plan < 0.5:  # a few straight lines: many programs for few tokens
            lines += self._statements(_SIMPLE, rng.choice((0, 0, 1, 1, 1, 2, 2, 3)))
        elif plan < 0.6:
            lines += self._statements(_GUARDS, rng.choice((1, 1, 2)))
            lines += self._statements(_SIMPLE, rng.choice((0, 0, 1)))
        elif plan < 0.93:
            lines += self._statements(_SIMPLE, rng.choice((0, 0, 0, 1, 1, 2)))
            lines += self._statements(_LOOPS, 1)
            lines += self._statements(_SIMPLE, rng.choice((0, 0, 0, 1)))
        else:
            for pool in rng.choices((_SIMPLE, _LOOPS, _GUARDS), (4, 4, 2), k=rng.choice((2, 3, 3, 4))):
                lines += self._statements(pool, 1)
        if rng.random() < 0.08:
            lines += self._statements(_FINALS, 1)
            if lines and "else:" in lines[-1]:
                return "\n".join(lines)
        return "\n".join([*lines, f"return {self._returned()}"])

    def _statements(self, pool: Pool, count: int) -> list[str]:
        made: list[str] = []
        for _ in range(12 * count):
            if len(made) == count:
                break
            try:
                made.append(self._expand(pool.draw(self.rng), {}, 0))
            except Unusable:
                continue
        return made

    def _returned(self) -> str:
        """Usually what was made last; sometimes any expression."""
        rng = self.rng
        recent = [v for v in self.variables if not v.fixed][-2:]
        roll = rng.random()
        plain = 0.5 if not recent or recent[-1].kind != "liststr" else 0.3
        if roll < plain and recent and len(self.variables) > 1:
            return rng.choice(recent).name
        if roll < 0.68 and recent and recent[-1].kind in _FINISHES:
            finish = rng.choice(_FINISHES[recent[-1].kind]).format(recent[-1].name)
            try:
                return self._expand(finish, {}, 0)
            except Unusable:
                return recent[-1].name
        if roll < 0.82 and recent:
            kind = rng.choice(recent).kind
            return self._expression(kind, {}, 0)
        kind = rng.choices(list(_RETURNS), list(_RETURNS.values()))[0]
        return self._expression(kind, {}, 0)

    def _helper(self) -> tuple[str, str]:
        """A helper function, written inside the main one or before it; makes its use a variable-like expression."""
        rng = self.rng
        template, key, kinds, result = rng.choice(HELPERS)
        outer, self.variables = self.variables, []
        names: dict[str, str] = {}
        source = self._expand(template, names, 0)
        self.variables = outer
        nested = rng.random() < 0.5
        indented = source + "\n"
        calls = ", ".join(self._helper_argument(kind) for kind in kinds.split(","))
        name = self.names.fresh("result")
        statement = f"{name} = {names[key]}({calls})\n"
        self.variables.append(_Variable(name, result))
        if nested:
            return indented + statement, ""
        return statement, indented + self.layout.between()

    def _helper_argument(self, kind: str) -> str:
        rng = self.rng
        small = {"small": (1, 6), "tiny": (1, 4)}
        if kind in small:
            return str(rng.randint(*small[kind]))
        if kind == "shortstr":
            return literal(rng, self.values.make("word")[:5])
        return self._expression("str" if kind == "char" else kind, {}, 1)

    # -- expansion -----------------------------------------------------------------------------------

    def _expand(self, template: str, names: dict[str, str], depth: int) -> str:
        """Fills the holes of `template`. `names` are the local names of the production, by key.

        Raises:
            Unusable: a variable it asks for does not exist.

        """
        out: list[str] = []
        chosen: dict[str, _Variable] = {}
        added: list[_Variable] = []
        for is_hole, part in _parse(template):
            out.append(self._fill(part, names, depth, chosen, added, out) if is_hole else part)
        self.variables += added
        return "".join(out)

    def _fill(
        self,
        hole: str,
        names: dict[str, str],
        depth: int,
        chosen: dict[str, _Variable],
        added: list[_Variable],
        before: list[str],
    ) -> str:
        mark = hole[0]
        if mark == "'":
            return self._variable_for(hole[1:], chosen) or self.literals.make(hole[1:])
        if mark in "?!":
            return self._variable(hole, chosen).name
        if mark in "$+":
            return self._name(hole, names, added)
        word, _, rest = hole.partition(" ")
        if word == "x":
            return names["x"]
        if word == "inner":
            return self._inner(rest, names, before)
        if word == "ret":
            return self._returned()
        if word == "verdict":
            return self._expand(self.rng.choice(_VERDICTS), {}, depth)
        if word in _CHOICES:
            return self.rng.choice(_CHOICES[word])
        if word in LOCAL_EXPRESSIONS:
            return self._local(word, self._name(f"${rest}:{_LOCAL_KINDS[word]}", names, added), depth)
        return self._expression(word, names, depth + 1)

    def _variable_for(self, literal_kind: str, chosen: dict[str, _Variable]) -> str | None:
        """The name of a variable to stand where a literal could, none that is `chosen`; None if a literal shall."""
        kind, share = _VARIABLE_FOR.get(literal_kind, ("", 0.0))
        if self.rng.random() >= share:
            return None
        fitting = [v for v in self._of_kind(kind) if v not in chosen.values()]
        if not fitting:
            return None
        picked = self.rng.choice(fitting)
        picked.uses += 1
        return picked.name

    def _of_kind(self, kind: str) -> list[_Variable]:
        return [v for v in self.variables if (v.short if kind == "word" else v.kind == kind)]

    def _variable(self, hole: str, chosen: dict[str, _Variable]) -> _Variable:
        kind, _, same = hole[1:].partition("=")
        kind = kind.rstrip("2")
        if (same or hole[0] == "!") and kind in chosen:
            return chosen[kind]
        fitting = [v for v in self._of_kind(kind) if not (v.fixed and hole[0] == "!")]
        others = [v for v in fitting if v not in chosen.values()]
        if others or kind == "word":  # `text.find(text)` is nobody's program
            fitting = others
        if not fitting:
            raise Unusable(hole)
        picked = self.rng.choices(
            fitting, [(4.0 / (1 + v.uses) + 1) * (0.3 if v.short and kind == "str" else 1.0) for v in fitting]
        )[0]
        picked.uses += 1
        chosen[kind] = picked
        return picked

    def _name(self, hole: str, names: dict[str, str], added: list[_Variable]) -> str:
        key, _, kind = hole[1:].partition(":")
        if key not in names:
            result_like = hole[0] == "+" and self.rng.random() < 0.6
            names[key] = self.names.fresh("result" if result_like else kind or "elem")
            if hole[0] == "+" and kind:
                added.append(_Variable(names[key], kind))
        return names[key]

    def _inner(self, binding: str, names: dict[str, str], before: list[str]) -> str:
        """One simple statement that may use a local name, indented to where the hole stands."""
        key, _, kind = binding.partition(":")
        local = _Variable(names[key], "str" if kind == "char" else kind, fixed=True)
        size = len(self.variables)
        self.variables.append(local)
        made = self._statements(_INNER, 1)
        self.variables = [v for v in self.variables[: size + 1] if v is not local]
        indent = " " * (len("".join(before)) - "".join(before).rfind("\n") - 1)
        return (made[0] if made else "pass").replace("\n", "\n" + indent)

    def _local(self, word: str, name: str, depth: int) -> str:
        pool = _LOCAL_EXPRESSIONS[word]
        for _ in range(8):
            production = pool.draw(self.rng)
            if depth < 3 or "cond" not in production:
                return self._expand(production, {"x": name}, depth + 1)
        return self._expand(pool.productions[0], {"x": name}, depth + 1)

    def _expression(self, kind: str, names: dict[str, str], depth: int) -> str:
        pool = _EXPRESSIONS[kind]
        for _ in range(10):
            production = pool.draw(self.rng)
            if depth > 1 and production.count("«") > 2:
                continue
            try:
                return self._expand(production, dict(names), depth + 1)
            except Unusable:
                continue
        if kind == "bool" and depth:
            raise Unusable(kind)  # nobody writes `if True`
        return self._constant(kind)

    def _constant(self, kind: str) -> str:
        if kind in ("str", "int") and self.rng.random() < 0.7:
            return self.literals.make("word" if kind == "str" else "int")
        return literal(self.rng, self.values.make(kind))
