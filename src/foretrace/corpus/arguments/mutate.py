"""Small changes of an argument list that keep its types: other numbers, longer and shorter lists, texts spliced and cut.

mutate(rng, arguments, generator)       # a new list; the old one is as it was
"""

import random
from collections.abc import Callable
from typing import Any

from foretrace.corpus.arguments.generate import Generator
from foretrace.corpus.arguments.scalars import splice
from foretrace.corpus.arguments.terms import (
    Arguments,
    Construction,
    Expression,
    Prepared,
    SetOf,
    copy_arguments,
    copy_term,
    parts,
)

_LARGEST = 10_000
_LONGEST_TEXT = 80
_MOST_ITEMS = 16
_MAX_TEXT = 300


def mutate(rng: random.Random, arguments: Arguments, generator: Generator, other: Arguments | None = None) -> Arguments:
    """A changed copy; `other`, if given, is one to take arguments from."""
    generator.choices.clear()
    for _ in range(3):
        made = copy_arguments(arguments)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _step(rng, made, generator, other)
        if len(made.text) <= _MAX_TEXT:
            return made
    return copy_arguments(arguments)


def _step(rng: random.Random, made: Arguments, generator: Generator, other: Arguments | None) -> None:
    roll = rng.random()
    if other is not None and roll < 0.15:
        cross(rng, made, other)
    elif roll < 0.3:
        replace(rng, made, generator)
    elif roll < 0.38 and len(made.positional) > 1:
        first, second = rng.sample(range(len(made.positional)), 2)
        made.positional[first] = relate(rng, made.positional[first], made.positional[second])
    else:
        _change(rng, made, generator)


def _change(rng: random.Random, made: Arguments, generator: Generator) -> None:
    places = [*range(len(made.positional)), *made.keywords]
    if not places:
        return
    place = rng.choice(places)
    if isinstance(place, int):
        made.positional[place] = change(rng, made.positional[place], generator)
    else:
        made.keywords[place] = change(rng, made.keywords[place], generator)


def replace(rng: random.Random, made: Arguments, generator: Generator) -> None:
    """Puts a new value in the place of one argument, or adds one that may be missing."""
    parameters = [one for one in generator.signature.parameters if one.place in ("positional", "either", "keyword")]
    if not parameters:
        return
    index = rng.randrange(len(parameters))
    one = parameters[index]
    if one.name in made.keywords:
        if one.is_optional and rng.random() < 0.3:
            del made.keywords[one.name]
        else:
            made.keywords[one.name] = generator.of(one)
    elif index < len(made.positional) and one.place != "keyword":
        made.positional[index] = generator.of(one)
    elif one.place != "positional":
        made.keywords[one.name] = generator.of(one)


def cross(rng: random.Random, made: Arguments, other: Arguments) -> None:
    """Takes some arguments of another list."""
    for index in range(min(len(made.positional), len(other.positional))):
        if rng.random() < 0.5:
            made.positional[index] = copy_term(other.positional[index])
    for name in made.keywords:
        if name in other.keywords and rng.random() < 0.5:
            made.keywords[name] = copy_term(other.keywords[name])


def relate(rng: random.Random, one: Any, other: Any) -> Any:
    """A value made of another argument: of one of its type that is or is in it, the whole or a part."""
    fit = [part for part in parts(other) if type(part) is type(one)]
    if not fit:
        return one
    chosen = rng.choice(fit)
    if isinstance(chosen, str | list) and len(chosen) > 1 and rng.random() < 0.6 and type(chosen) is not SetOf:
        start = rng.randrange(len(chosen))
        chosen = chosen[start : start + rng.randint(1, 3)]
    return copy_term(chosen)


def change(rng: random.Random, term: Any, generator: Generator) -> Any:
    """A term of the same type."""
    changer = _CHANGERS.get(type(term))
    return changer(rng, term, generator) if changer is not None else term


def _int(rng: random.Random, term: int, generator: Generator) -> int:
    roll = rng.random()
    if generator.scalars.pool.ints and roll < 0.2:
        found = rng.choice(generator.scalars.pool.ints) + rng.choice((0, 0, 1, -1))
    elif roll < 0.55:
        found = term + rng.choice((1, -1, 2, -2, 10, -10))
    else:
        found = rng.choice((0, 1, -term, term * 2, term // 2, term * 10, term // 10, term + rng.randint(-50, 50)))
    return found if abs(found) <= _LARGEST else rng.randint(0, 100)


def _float(rng: random.Random, term: float, generator: Generator) -> float:
    if generator.scalars.pool.floats and rng.random() < 0.2:
        return rng.choice(generator.scalars.pool.floats)
    found = rng.choice((-term, term + 1, term - 1, term * 2, term / 2, 0.0, round(term), term + rng.uniform(-9, 9)))
    return round(float(found), 2) if abs(found) <= _LARGEST else 1.5


def _bool(rng: random.Random, term: bool, generator: Generator) -> bool:
    return not term


def _str(rng: random.Random, term: str, generator: Generator) -> str:
    roll, texts = rng.random(), generator.scalars.pool.texts
    if texts and roll < 0.3:
        found = splice(rng, term, rng.choice(texts))
    elif not term or roll < 0.4:
        found = splice(rng, term, str(generator.scalars.values.make("char")))
    else:
        at, width = rng.randrange(len(term)), rng.randint(1, 3)
        found = rng.choice(_TEXTS)(term, at, width)
        if roll > 0.9:
            found = term[:at] + str(generator.scalars.values.make("char")) + term[at + 1 :]
    return found[:_LONGEST_TEXT]


_TEXTS: tuple[Callable[[str, int, int], str], ...] = (
    lambda text, at, width: text[:at] + text[at + width :],
    lambda text, at, width: text[:at] + text[at : at + width] * 2 + text[at + width :],
    lambda text, at, width: text[at:] + text[:at],
    lambda text, at, width: text[:at] + text[at:].swapcase(),
    lambda text, at, width: text[::-1],
    lambda text, at, width: text[:at],
    lambda text, at, width: text + text[: at + 1],
    lambda text, at, width: text[:at] + " " + text[at:],
)


def _bytes(rng: random.Random, term: bytes, generator: Generator) -> bytes:
    return _str(rng, term.decode("latin-1"), generator).encode("latin-1", "ignore")


def _list(rng: random.Random, term: list[Any], generator: Generator) -> list[Any]:
    if not term:
        return term
    roll, at = rng.random(), rng.randrange(len(term))
    if roll < 0.4:
        term[at] = change(rng, term[at], generator)
    elif roll < 0.55 and len(term) < _MOST_ITEMS:
        term.insert(rng.randint(0, len(term)), change(rng, copy_term(term[at]), generator))
    elif roll < 0.65 and len(term) < _MOST_ITEMS:
        term.insert(rng.randint(0, len(term)), copy_term(term[at]))
    elif roll < 0.8:
        del term[at]
    elif roll < 0.9:
        other = rng.randrange(len(term))
        term[at], term[other] = term[other], term[at]
    elif roll < 0.95:
        term.reverse()
    else:
        _sorted(term)
    return term


def _sorted(term: list[Any]) -> None:
    try:
        term.sort()
    except TypeError:
        term.reverse()


def _set(rng: random.Random, term: SetOf, generator: Generator) -> SetOf:
    try:
        return SetOf(dict.fromkeys(_list(rng, term, generator)))
    except TypeError:
        return term


def _tuple(rng: random.Random, term: tuple[Any, ...], generator: Generator) -> tuple[Any, ...]:
    if not term:
        return term
    found = list(term)
    if rng.random() < 0.8:  # tuples mostly have a length that means something
        at = rng.randrange(len(found))
        found[at] = change(rng, found[at], generator)
        return tuple(found)
    return tuple(_list(rng, found, generator))


def _dict(rng: random.Random, term: dict[Any, Any], generator: Generator) -> dict[Any, Any]:
    if not term:
        return term
    roll, key = rng.random(), rng.choice(list(term))
    if roll < 0.5:
        term[key] = change(rng, term[key], generator)
    elif roll < 0.65:
        del term[key]
    else:
        new = change(rng, copy_term(key), generator)
        value = copy_term(term[key]) if roll < 0.85 else term.pop(key)
        try:
            term[new] = value
        except TypeError:
            return term
    return term


def _construction(rng: random.Random, term: Construction, generator: Generator) -> Construction:
    _change(rng, term.arguments, generator)
    return term


def _prepared(rng: random.Random, term: Prepared, generator: Generator) -> Prepared:
    roll = rng.random()
    if not term.steps or roll < 0.2:
        _construction(rng, term.made, generator)
        return term
    at = rng.randrange(len(term.steps))
    if roll < 0.6:
        _change(rng, term.steps[at][1], generator)
    elif roll < 0.75 and len(term.steps) > 1:
        del term.steps[at]
    else:
        name, arguments = term.steps[at]
        copied = copy_arguments(arguments)
        _change(rng, copied, generator)
        term.steps.insert(at, (name, copied))
    return term


_CHANGERS: dict[type, Callable[[random.Random, Any, Generator], Any]] = {
    int: _int,
    float: _float,
    bool: _bool,
    str: _str,
    bytes: _bytes,
    list: _list,
    SetOf: _set,
    tuple: _tuple,
    dict: _dict,
    Construction: _construction,
    Prepared: _prepared,
    Expression: lambda rng, term, generator: term,
}
