"""Long values as their digests: a list of a million numbers does not have to come back whole to be the right one.

    short([1, 2])                    # [1, 2]
    short([0] * 1_000_000)           # "sha256:…"

`short` runs with the code that made the value, which may have it give what it likes, as any function may. But who gives
the right digest must have had the right value. Equal values may have different digests, such as 1 and True: those must be
fetched.
"""

import marshal
from hashlib import sha256
from typing import Any

LONG = 8192
"""Bytes from which on there is a digest."""
_PREFIX = "sha256:"
_PART = 1000
"""Elements at a time, since a text of all might not fit into memory."""
_VERSION = 2
"""Of the form: later ones depend on what else refers to an element."""


def short(value: Any) -> Any:
    """The value, or the digest of a long one. What cannot be told in bytes is left as it is."""
    kind, size = type(value), 0
    digest = sha256(kind.__name__.encode())
    parts = (value[at : at + _PART] for at in range(0, len(value), _PART)) if kind in (list, tuple) else (value,)
    try:
        for part in parts:
            data = marshal.dumps(part, _VERSION)
            size += len(data)
            digest.update(data)
    except ValueError:
        return value
    return value if size < LONG else _PREFIX + digest.hexdigest()


def is_digest(value: Any) -> bool:
    """Whether it looks like one; a value may look like one, too."""
    return type(value) is str and value.startswith(_PREFIX)
