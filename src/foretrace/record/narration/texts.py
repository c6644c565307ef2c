"""The texts of values: read back, taken apart and cut to length. Nothing of the program is ever run.

pieces("a=1 b='x y'", " ")      # ['a=1', "b='x y'"]
"""

from functools import lru_cache

from foretrace.trace.literals import identity, read_literal

MAX_CHARACTERS = 20_000
_OPENING, _CLOSING = "([{<", ")]}>"


@lru_cache(maxsize=2048)
def literal(text: str) -> tuple[bool, object]:
    """Whether `text` is a Python literal, and its value, which is not to be changed."""
    return (False, None) if text.startswith("<") else read_literal(text, MAX_CHARACTERS)


def exact_literal(text: str) -> object:
    """The value of a text that is exactly the `repr` of a literal, else `None`; sets of plain elements count too."""
    valid, value = literal(text)
    if valid and (repr(value) == text or isinstance(value, set)):
        return value
    return None


def same_value(a: str, b: str) -> bool:
    """Whether two texts mean the same value: as literals where both are some, else letter by letter."""
    (a_valid, a_value), (b_valid, b_value) = literal(a), literal(b)
    if a_valid and b_valid:
        return identity(a_value) == identity(b_value)
    return a.strip() == b.strip()


def depths(text: str) -> list[int]:
    """For each character how many brackets are open behind it; -1 inside a string. A string must end, brackets match.

    Raises:
        ValueError: they do not.

    """
    open_brackets: list[str] = []
    found: list[int] = []
    quote = ""
    escaped = False
    for char in text:
        if quote:
            if escaped or char == "\\":
                escaped = not escaped
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in _OPENING:
            open_brackets.append(_CLOSING[_OPENING.index(char)])
        elif char in _CLOSING and (not open_brackets or open_brackets.pop() != char):
            raise ValueError("brackets do not match")
        found.append(-1 if quote else len(open_brackets))
    if quote or open_brackets:
        raise ValueError("a string or a bracket is not closed")
    return found


def is_balanced(text: str) -> bool:
    """Whether its strings end and its brackets match."""
    try:
        depths(text)
    except ValueError:
        return False
    return True


def pieces(text: str, separator: str) -> list[str]:
    """`text` split at each one-character separator outside strings and brackets; empty if it is not balanced."""
    try:
        at = [i for i, depth in enumerate(depths(text)) if depth == 0 and text[i] == separator]
    except ValueError:
        return []
    return [text[start + 1 : end] for start, end in zip([-1, *at], [*at, len(text)], strict=True)]


def attributes(text: str) -> tuple[str, dict[str, str]]:
    """Head and attributes of an object's text: `<Node#1 val=1, next=None>` is `Node#1`, `{'val': '1', 'next': 'None'}`."""
    head, _, rest = text[1:-1].partition(" ")
    parts = [part.strip().partition("=") for part in pieces(rest, ",")] if rest else []
    if not all(name.isidentifier() and equals for name, equals, _ in parts):
        return "", {}
    return head, {name: value for name, _, value in parts}


def shortened(text: str, limit: int) -> str:
    """`text`, the middle of it left out where it is longer than `limit`."""
    text = text.replace("\n", "\\n")
    if len(text) <= limit:
        return text
    tail = min(10, limit // 4)
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"
