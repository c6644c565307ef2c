r"""Short functions of one parameter, endlessly many, each with calls that tell it from others: for learning from examples.

    function = short_function(7)
    function.source         # "def f(xs):\n    return sorted(xs)[:2]\n"
    function.examples       # (("[5, 2, 9]", "[2, 5]"), …)

One to four lines over integers, strings and lists, put together by type from what programs do most: a chain of operations,
a comprehension, a loop that collects, a case distinction. The same seed gives the same function. What is constant, or gives
its argument back, is no function to be found and is not given.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

INT, TEXT, INTS, TEXTS, BOOL = "int", "str", "list[int]", "list[str]", "bool"
PARAMETERS = {INT: "n", TEXT: "s", INTS: "xs", TEXTS: "words"}
ITEMS = {INTS: ("x", INT), TEXTS: ("w", TEXT), TEXT: ("c", TEXT)}
"""What one goes over, by what it is an item of."""
_WORDS = (
    "ant",
    "bee",
    "cat",
    "dog",
    "eel",
    "fox",
    "gnu",
    "hen",
    "ibis",
    "jay",
    "koi",
    "lynx",
    "mole",
    "newt",
    "owl",
    "pig",
    "swan",
)
SHOWN = 4
"""Examples of which a function is to be found; the others are for telling whether it was."""
_MOST_CHARACTERS = 60
"""Of a value."""
_TRIES = 40

Random = random.Random
Step = tuple[str, str, Callable[[Random], str]]
"""From a type, to a type, the expression of `{}`."""


def _fixed(text: str) -> Callable[[Random], str]:
    return lambda rng: text


def _with(text: str, low: int, high: int) -> Callable[[Random], str]:
    return lambda rng: text.replace("#", str(rng.randint(low, high)))


def _lettered(text: str) -> Callable[[Random], str]:
    return lambda rng: text.replace("@", rng.choice("aeiorstn-_ "), 1).replace("@", rng.choice("xyz*.-"))


STEPS: tuple[Step, ...] = (
    (INT, INT, _with("{} + #", 1, 9)),
    (INT, INT, _with("{} - #", 1, 9)),
    (INT, INT, _with("{} * #", 2, 5)),
    (INT, INT, _with("{} // #", 2, 4)),
    (INT, INT, _with("{} % #", 2, 7)),
    (INT, INT, _fixed("{} * {}")),
    (INT, INT, _fixed("abs({})")),
    (INT, INT, _fixed("-{}")),
    (INT, TEXT, _fixed("str({})")),
    (INT, INTS, _fixed("list(range({}))")),
    (TEXT, TEXT, _fixed("{}.upper()")),
    (TEXT, TEXT, _fixed("{}.title()")),
    (TEXT, TEXT, _fixed("{}[::-1]")),
    (TEXT, TEXT, _with("{}[#:]", 1, 3)),
    (TEXT, TEXT, _with("{}[:#]", 1, 4)),
    (TEXT, TEXT, _with("{} * #", 2, 3)),
    (TEXT, TEXT, _lettered("{}.replace('@', '@')")),
    (TEXT, TEXT, _fixed("''.join(sorted({}))")),
    (TEXT, INT, _fixed("len({})")),
    (TEXT, INT, _lettered("{}.count('@')")),
    (TEXT, TEXTS, _fixed("list({})")),
    (TEXT, TEXTS, _fixed("{}.split()")),
    (TEXTS, TEXT, _lettered("'@'.join({})")),
    (TEXTS, INT, _fixed("len({})")),
    (TEXTS, TEXTS, _fixed("sorted({})")),
    (TEXTS, TEXTS, _fixed("sorted({}, key=len)")),
    (TEXTS, TEXTS, _fixed("{}[::-1]")),
    (TEXTS, TEXTS, _with("{}[#:]", 1, 2)),
    (TEXTS, TEXT, _fixed("max({}, key=len)")),
    (INTS, INTS, _fixed("sorted({})")),
    (INTS, INTS, _fixed("sorted({}, reverse=True)")),
    (INTS, INTS, _fixed("{}[::-1]")),
    (INTS, INTS, _with("{}[#:]", 1, 3)),
    (INTS, INTS, _with("{}[:#]", 1, 3)),
    (INTS, INTS, _fixed("{}[::2]")),
    (INTS, INTS, _fixed("list(dict.fromkeys({}))")),
    (INTS, INTS, _with("{} + [#]", 0, 9)),
    (INTS, INT, _fixed("sum({})")),
    (INTS, INT, _fixed("len({})")),
    (INTS, INT, _fixed("max({})")),
    (INTS, INT, _fixed("min({})")),
    (INTS, INT, _with("{}.count(#)", 0, 9)),
)
CONDITIONS: tuple[tuple[str, Callable[[Random], str]], ...] = (
    (INT, _with("{} > #", 0, 9)),
    (INT, _with("{} < #", 1, 9)),
    (INT, _fixed("{} % 2 == 0")),
    (INT, _fixed("{} % 2 == 1")),
    (INT, _with("{} % # == 0", 3, 5)),
    (TEXT, _lettered("'@' in {}")),
    (TEXT, _with("len({}) > #", 2, 6)),
    (TEXT, _fixed("{} > 'm'")),
    (INTS, _with("len({}) > #", 1, 4)),
    (INTS, _with("sum({}) > #", 5, 30)),
    (TEXTS, _with("len({}) > #", 1, 3)),
)


@dataclass(frozen=True, slots=True)
class ShortFunction:
    """A function, and what it gives."""

    source: str
    entry: str
    examples: tuple[tuple[str, str], ...]
    """Texts of argument lists, no two alike, and the literals of the values."""


def short_function(seed: int, *, examples: int = 10) -> ShortFunction:
    """The function of a seed.

    Args:
        seed: whatever it is, there is a function.
        examples: how many calls.

    """
    rng = Random(seed)
    while True:
        kind = rng.choice(list(PARAMETERS))
        source = _written(rng, kind)
        found = _examples(rng, source, kind, examples)
        if found:
            return ShortFunction(source, "f", found)


def short_functions(seed: int) -> Iterator[ShortFunction]:
    """The functions of a seed and those after it."""
    return map(short_function, count(seed))


# ---------------------------------------------------------------------------------------------------
# Writing


def _written(rng: Random, kind: str) -> str:
    name = PARAMETERS[kind]
    forms = [_chain, _chain, _distinction]
    if kind in ITEMS:
        forms += [_comprehension, _comprehension, _loop]
    lines = rng.choice(forms)(rng, kind, name)
    return "\n    ".join([f"def f({name}):", *lines]) + "\n"


def _chain(rng: Random, kind: str, name: str) -> list[str]:
    return [f"return {_expression(rng, kind, name, rng.choice((1, 2, 2, 3)))[0]}"]


def _distinction(rng: Random, kind: str, name: str) -> list[str]:
    condition = _condition(rng, kind, name)
    yes, wanted = _expression(rng, kind, name, rng.choice((1, 2)))
    no = _expression_to(rng, kind, name, wanted)
    if rng.random() < 0.5:
        return [f"return {yes} if {condition} else {no}"]
    return [f"if {condition}:", f"    return {yes}", f"return {no}"]


def _comprehension(rng: Random, kind: str, name: str) -> list[str]:
    item, item_kind = ITEMS[kind]
    made, result = _expression(rng, item_kind, item, rng.choice((0, 1, 1, 2)))
    condition = f" if {_condition(rng, item_kind, item)}" if made == item or rng.random() < 0.4 else ""
    inner = f"{made} for {item} in {name}{condition}"
    if result == INT and rng.random() < 0.4:
        return [f"return sum({inner})"]
    if result == TEXT and rng.random() < 0.4:
        return [f"return ''.join({inner})"]
    return [f"return [{inner}]"]


def _loop(rng: Random, kind: str, name: str) -> list[str]:
    item, item_kind = ITEMS[kind]
    made, result = _expression(rng, item_kind, item, rng.choice((0, 1)))
    starts = {INT: ("total", "0", f"total += {made}"), TEXT: ("text", "''", f"text = {made} + text")}
    if result not in starts or rng.random() < 0.3:
        variable, start, change = "found", "[]", f"found.append({made})"
    else:
        variable, start, change = starts[result]
    body = [f"    {change}"]
    if rng.random() < 0.6:
        body = [f"    if {_condition(rng, item_kind, item)}:", f"        {change}"]
    return [f"{variable} = {start}", f"for {item} in {name}:", *body, f"return {variable}"]


def _condition(rng: Random, kind: str, name: str) -> str:
    return rng.choice([make for of, make in CONDITIONS if of == kind])(rng).replace("{}", name)


def _expression(rng: Random, kind: str, name: str, steps: int) -> tuple[str, str]:
    """An expression of a name, and its type."""
    text, is_simple = name, True
    for _ in range(steps):
        _, to, make = rng.choice([step for step in STEPS if step[0] == kind])
        form = make(rng)
        needs_brackets = not is_simple and not form.endswith(("({})", "({}))")) and "({}" not in form
        text = form.replace("{}", f"({text})" if needs_brackets else text)
        is_simple = form[-1] in ")]" and not form.startswith("{} ")
        kind = to
    return text, kind


def _expression_to(rng: Random, kind: str, name: str, wanted: str) -> str:
    for _ in range(_TRIES):
        text, made = _expression(rng, kind, name, rng.choice((0, 1, 2)))
        if made == wanted:
            return text
    return {INT: "0", TEXT: "''"}.get(wanted, "[]")


# ---------------------------------------------------------------------------------------------------
# Calling


def _examples(rng: Random, source: str, kind: str, wanted: int) -> tuple[tuple[str, str], ...]:
    """Calls and values; none if the function is no use."""
    namespace: dict[str, Callable[[object], object]] = {}
    exec(compile(source, "<short>", "exec"), namespace)  # our own text: it only does what stands above
    found: dict[str, str] = {}
    changed = False
    for _ in range(3 * wanted):
        argument = _argument(rng, kind)
        try:
            value = repr(namespace["f"](argument))
        except (ValueError, IndexError):  # of an empty list there is no largest
            continue
        if len(value) > _MOST_CHARACTERS:
            continue
        found[repr(argument)] = value
        changed = changed or value != repr(argument)
        if len(found) == wanted:
            break
    is_of_use = len(found) == wanted and changed and len(set(found.values())) > wanted // 3
    return tuple(found.items()) if is_of_use else ()


def _argument(rng: Random, kind: str) -> int | str | list[int] | list[str]:
    if kind == INT:
        return rng.randint(-9, 30)
    if kind == TEXT:
        return " ".join(rng.choice(_WORDS) for _ in range(rng.choice((1, 1, 2, 3))))
    if kind == INTS:
        return [rng.randint(-5, 12) for _ in range(rng.choice((1, 2, 3, 4, 5, 6)))]
    return [rng.choice(_WORDS) for _ in range(rng.choice((1, 2, 3, 4)))]
