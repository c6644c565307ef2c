r"""When a value is the expected one: the strict rule and the official one, side by side.

same(1, True)                        # (False, True)
same_with_tuples([1], (1,))          # (False, True)
same_lines("9\n", "9.0")             # (False, True)
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from foretrace.evals.scorers.values import same_value

_TOKEN_CHARACTERS = 1000
"""Of what is read as a decimal number."""


def same(expected: object, value: object) -> tuple[bool, bool]:
    """Strict: of the same types throughout; official: equal by `==`, so that 1, 1.0 and True are."""
    strict = same_value(expected, value)
    return strict, strict or _equal(expected, value)


def same_with_tuples(expected: object, value: object) -> tuple[bool, bool]:
    """As `same`, but officially a tuple is as good as a list, at any depth (LiveCodeBench)."""
    strict = same_value(expected, value)
    return strict, strict or _equal(_lists(expected), _lists(value))


def _lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return {key: _lists(item) for key, item in value.items()} if isinstance(value, dict) else value


def _equal(a: object, b: object) -> bool:
    try:
        return bool(a == b)
    except RecursionError:
        return False


def same_lines(expected: str, printed: str) -> tuple[bool, bool]:
    """Of what a program prints. Strict: the same lines, but for space at their ends and blank lines before and after.

    Official: with no regard to space around lines; and lines of decimal numbers are compared as numbers (LiveCodeBench).
    """
    ours, theirs = _lines(printed), _lines(expected)
    strict = ours == theirs
    if strict or len(ours) != len(theirs):
        return strict, strict
    pairs = zip(map(str.strip, ours), map(str.strip, theirs), strict=True)
    return False, all(a == b or _same_numbers(a, b) for a, b in pairs)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.rstrip().split("\n")]
    first = next((at for at, line in enumerate(lines) if line), len(lines))
    return lines[first:]


def _same_numbers(a: str, b: str) -> bool:
    ours, theirs = a.split(), b.split()
    if len(ours) != len(theirs) or any(len(token) > _TOKEN_CHARACTERS for token in ours):
        return False
    try:
        return all(Decimal(x) == Decimal(y) for x, y in zip(ours, theirs, strict=True))
    except InvalidOperation:
        return False
