"""Small loops that end for some arguments and not for others.

    program = loop_program(Random(7), "residues")
    program.source, program.draw(Random(1))       # the text of a function `f`, and of an argument list

All arguments of one program look alike (as many digits, as many elements), so that nothing but what the program does with
them tells whether it ends. Whether it does is found out elsewhere (`termination.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

_NAMES = ("a", "b", "c", "k", "m", "n", "p", "q", "u", "v", "x", "y")
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class LoopProgram:
    """A function `f`, and how its arguments are drawn."""

    family: str
    source: str
    draw: Callable[[Random], str]
    """The text of an argument list."""
    never: Callable[[str], str] = lambda arguments: ""
    """Why the call does not end, where its making tells: an invariant; empty if it does end, or if that is not known."""


def loop_program(rng: Random, family: str) -> LoopProgram:
    """A program of one of `FAMILIES`."""
    return FAMILIES[family](rng)


# ---------------------------------------------------------------------------------------------------
# Numbers below a modulus: whatever is done to them, states come back


def _residues(rng: Random) -> LoopProgram:
    """Some numbers, each kept below the modulus, and any condition on them."""
    modulus = rng.randint(11, 40)
    names = rng.sample(_NAMES, rng.choice((1, 2, 2, 3)))
    body = [line for _ in range(rng.choice((1, 2, 2, 3))) for line in _statement(rng, names, modulus)]
    condition, returned = _condition(rng, names, modulus), rng.choice(names)
    if rng.random() < 0.3:
        lines = ["while True:", f"{_INDENT}if {condition[1]}:", f"{_INDENT * 2}return {returned}", *_inside(body)]
    else:
        lines = [f"while {condition[0]}:", *_inside(body), f"return {returned}"]
    draw = rng.choice((_below(10, min(modulus, 99), len(names)), _below(0, 9, len(names))))
    return LoopProgram("residues", _function(names, lines), draw)


def _statement(rng: Random, names: list[str], modulus: int) -> list[str]:
    roll = rng.random()
    if roll < 0.55:
        return [_update(rng, names, modulus)]
    if roll < 0.85:
        test = _condition(rng, names, modulus)[rng.randrange(2)]
        one, other = (_update(rng, names, modulus) for _ in range(2))
        return [f"if {test}:", _INDENT + one, *rng.choice(([], ["else:", _INDENT + other]))]
    return [f"for i in range({rng.randint(2, 3)}):", _INDENT + _update(rng, [*names, "i"], modulus, rng.choice(names))]


def _update(rng: Random, names: list[str], modulus: int, name: str = "") -> str:
    name = name or rng.choice(names)
    other, factor, term = rng.choice(names), rng.randint(2, 5), rng.randint(1, 9)
    expression = rng.choice((
        f"{name} * {factor} + {term}", f"{name} + {term}", f"{name} - {term}", f"{name} + {other}", f"{other} - {name}",
        f"{name} * {other} + {term}", f"{name} * {name} + {term}", f"{term} - {name}",
    ))  # fmt: skip
    return f"{name} = ({expression}) % {modulus}"


def _condition(rng: Random, names: list[str], modulus: int) -> tuple[str, str]:
    """A condition, and its contrary."""
    name, other, number, small = rng.choice(names), rng.choice(names), rng.randrange(modulus), rng.randint(2, 5)
    rest = rng.randrange(small)
    choices = [
        (f"{name} != {number}", f"{name} == {number}"),
        (f"{name} % {small} != {rest}", f"{name} % {small} == {rest}"),
        (f"{name} > {number // 2}", f"{name} <= {number // 2}"),
    ]
    if other != name:
        choices += [
            (f"{name} != {other}", f"{name} == {other}"),
            (f"{name} + {other} != {number}", f"{name} + {other} == {number}"),
        ]
    return rng.choice(choices)


# ---------------------------------------------------------------------------------------------------
# Other things whose states come back


def _pointers(rng: Random) -> LoopProgram:
    """A walk from index to index, until one is outside, or what is there is what is looked for."""
    xs, i = rng.choice(("xs", "nums", "items", "table")), rng.choice(("i", "j", "k", "at"))
    length, term, modulus = rng.randint(5, 8), rng.randint(1, 3), rng.randint(3, 5)
    condition, update = rng.choice((
        (f"0 <= {i} < len({xs})", f"{xs}[{i}]{rng.choice(('', f' + {term}', f' - {term}'))}"),
        (f"{xs}[{i}] != {rng.randint(0, 9)}", f"({i} + {xs}[{i}]) % len({xs})"),
        (f"{xs}[{i}] != {rng.randint(0, 9)}", f"({xs}[{i}] + {term}) % len({xs})"),
        (f"{xs}[{i}] % {modulus} != {rng.randrange(modulus)}", f"({i} + {xs}[{i}] + {term}) % len({xs})"),
    ))  # fmt: skip
    lines = [f"while {condition}:", f"{_INDENT}{i} = {update}", f"return {i}"]

    def draw(rng: Random) -> str:
        return f"[{', '.join(str(rng.randint(0, 9)) for _ in range(length))}], {rng.randrange(length)}"

    return LoopProgram("pointers", _function([xs, i], lines), draw)


def _rotations(rng: Random) -> LoopProgram:
    """A text that is turned, and changed a little, until it begins or ends in some way."""
    letters, shift = rng.choice(("abc", "xyz", "pqr")), rng.randint(2, 4)
    change = rng.choice((
        f"s = s[{shift}:] + s[:{shift}]", f"s = s[{shift}:] + s[:{shift}][::-1]", "s = s[-1] + s[:-1].swapcase()",
        f"s = s[::-1][{shift}:] + s[:{shift}]",
    ))  # fmt: skip
    head = "".join(rng.choices(letters, k=2))
    condition = rng.choice((f"not s.startswith({head!r})", f"not s.endswith({head!r})", f"s[:2] != {head!r}"))
    lines = [f"while {condition}:", f"{_INDENT}{change}", f"return {rng.choice(('s', 's[1:]', 'len(s)'))}"]

    def draw(rng: Random) -> str:
        return repr("".join(rng.choices(letters, k=6)))

    return LoopProgram("rotations", _function(["s"], lines), draw)


def _digits(rng: Random) -> LoopProgram:
    """A number that becomes a sum over its digits."""
    n, power, term, modulus = rng.choice(_NAMES), rng.choice((2, 2, 3)), rng.randint(0, 5), rng.randint(5, 9)
    condition = rng.choice((f"{n} != {rng.randint(1, 60)}", f"{n} % {modulus} != {rng.randrange(modulus)}"))
    lines = [
        f"while {condition}:",
        f"{_INDENT}total = {term}",
        f"{_INDENT}for d in str({n}):",
        f"{_INDENT * 2}total += int(d) ** {power}",
        f"{_INDENT}{n} = total",
        f"return {n}",
    ]
    return LoopProgram("digits", _function([n], lines), _below(10, 99, 1))


def _queue(rng: Random) -> LoopProgram:
    """Work that makes more work."""
    modulus, factor, term, least = rng.randint(11, 30), rng.randint(2, 5), rng.randint(1, 9), rng.randint(2, 7)
    lines = [
        "while todo:",
        f"{_INDENT}x = todo.pop({rng.choice(('', '0'))})",
        f"{_INDENT}x = (x * {factor} + {term}) % {modulus}",
        f"{_INDENT}if x % {rng.randint(2, 4)} or x > {least}:",
        f"{_INDENT * 2}todo.append(x)",
        "return x",
    ]

    def draw(rng: Random) -> str:
        return f"[{', '.join(str(rng.randint(10, 40)) for _ in range(2))}]"

    return LoopProgram("queue", _function(["todo"], lines), draw)


# ---------------------------------------------------------------------------------------------------
# Numbers without bound: no state comes back, an invariant tells


def _chase(rng: Random) -> LoopProgram:
    """Two numbers, one behind the other and faster, until they meet or the one is past the other."""
    fast, slow = rng.sample(_NAMES, 2)
    pace, gap = rng.randint(0, 3), rng.randint(2, 5)
    moves = [f"{fast} += {pace + gap}", *([f"{slow} += {pace}"] if pace else [])]
    rng.shuffle(moves)
    names = rng.sample((fast, slow), 2)
    lines = [f"while {fast} != {slow}:", *_inside(moves), f"return {rng.choice(names)}"]

    def draw(rng: Random) -> str:
        low = rng.randint(10, 40)
        values = {fast: low, slow: low + rng.randint(2 * gap, 59)}
        return ", ".join(str(values[name]) for name in names)

    def never(arguments: str) -> str:
        behind = dict(zip(names, map(int, arguments.split(", ")), strict=True))
        by = behind[slow] - behind[fast]
        passes, left = divmod(by, gap)
        if not left and passes >= 0:
            return ""
        return f"{slow} - {fast} is {by} at first and falls by {gap} in each pass: it is never 0"

    return LoopProgram("chase", _function(names, lines), draw, never)


# ---------------------------------------------------------------------------------------------------


def _below(low: int, high: int, count: int) -> Callable[[Random], str]:
    """Draws so many numbers from `low` to `high`."""
    return lambda rng: ", ".join(str(rng.randint(low, high)) for _ in range(count))


def _function(parameters: list[str], lines: list[str]) -> str:
    return f"def f({', '.join(parameters)}):\n" + "".join(f"{_INDENT}{line}\n" for line in lines)


def _inside(lines: list[str]) -> list[str]:
    return [_INDENT + line for line in lines]


FAMILIES: dict[str, Callable[[Random], LoopProgram]] = {
    "residues": _residues,
    "chase": _chase,
    "rotations": _rotations,
    "pointers": _pointers,
    "queue": _queue,
    "digits": _digits,
}
"""By name."""
