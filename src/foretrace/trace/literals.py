"""Values that a text tells as a Python literal. Nothing is run.

    read_literal("[1, {'a': 2}]")        # (True, [1, {'a': 2}])
    read_literal("open('x')")            # (False, None)

Sets are literals here too: `set()` and `frozenset()` have no other spelling.
"""

from foretrace.trace.syntax import UNREADABLE, literal


def read_literal(text: str, max_characters: int) -> tuple[bool, object]:
    """Whether `text`, without the space around it, is a literal, and its value; what is longer is none."""
    if len(text) > max_characters:
        return False, None
    text = text.strip()
    if text in ("set()", "frozenset()"):
        return True, set() if text == "set()" else frozenset()
    try:
        return True, literal(text)
    except UNREADABLE:
        return False, None


def identity(value: object) -> object:
    """A key that is equal for values of the same types throughout: 1, 1.0 and True differ; NaN is NaN, and -0.0 is 0.0."""
    if isinstance(value, list | tuple):
        return type(value), tuple(identity(item) for item in value)
    if isinstance(value, dict):
        return dict, frozenset((identity(k), identity(v)) for k, v in value.items())
    if isinstance(value, set | frozenset):
        return type(value), frozenset(identity(item) for item in value)
    return type(value), repr(value or type(value)()) if isinstance(value, float | complex) else value
