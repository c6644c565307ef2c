"""The literal scorer: model text is parsed, never executed.

same_literal("[1, 2]", "[1,2]")      # True
same_literal("True", "1")            # False: equal is not the same
"""

from foretrace.trace.syntax import UNREADABLE, literal

MAX_CHARACTERS = 100_000


def parse_literal(text: str) -> tuple[bool, object]:
    """Whether `text` is a Python literal (sets and `set()` included), and its value."""
    if len(text) > MAX_CHARACTERS:
        return False, None
    if text.strip() == "set()":
        return True, set()
    try:
        return True, literal(text.strip())
    except UNREADABLE:
        return False, None


def same_literal(predicted: str, expected: str) -> bool:
    """Whether both texts are literals of the same value and the same types throughout; NaN is the same as NaN."""
    (valid, ours), (known, theirs) = parse_literal(predicted), parse_literal(expected)
    return valid and known and same_value(ours, theirs)


def same_value(a: object, b: object) -> bool:
    """Equality that tells 1 from 1.0 and True, and keeps the order of dictionaries out of account."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        keys = {(type(k), k) for k in a} == {(type(k), k) for k in b}
        return keys and all(same_value(a[k], b[k]) for k in a)
    if isinstance(a, set) and isinstance(b, set):
        return {(type(x), x) for x in a} == {(type(x), x) for x in b}
    return a == b or (a != a and b != b)


def type_name(text: str) -> str:
    """The type of a literal, by name; `other` if it is none."""
    valid, value = parse_literal(text)
    return type(value).__name__ if valid else "other"
