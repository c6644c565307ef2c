"""How alike two texts are: the Jaccard similarity of their shingles, and MinHash, which estimates it (Broder 1997).

similarity(shingles("a b c d e f"), shingles("a b c d e g"))        # exact
(signature(one) == signature(other)).mean()                         # off by some 0.04
"""

import re
from collections.abc import Set
from typing import TYPE_CHECKING

from foretrace.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HASHES = 128
"""Of a signature."""
SHINGLE = 5
"""Tokens in a row."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


def shingles(text: str) -> set[str]:
    """Each `SHINGLE` tokens in a row; of a short text, all at once."""
    tokens = _TOKEN.findall(text)
    return {" ".join(tokens[i : i + SHINGLE]) for i in range(max(1, len(tokens) - SHINGLE + 1))}


def similarity(one: Set[object], other: Set[object]) -> float:
    """Jaccard similarity of two sets, which are not both empty."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def signature(found: Set[str]) -> "NDArray[np.uint32]":
    """MinHash of shingles: (`HASHES`,) uint32.

    Raises:
        UsageError: rensa is missing.

    """
    import numpy as np

    try:
        from rensa import RMinHash
    except ImportError as error:
        raise UsageError('finding duplicates needs rensa: pip install "foretrace[data]"') from error
    hashes = RMinHash(num_perm=HASHES, seed=1)
    hashes.update(sorted(found))
    return np.array(hashes.digest(), dtype=np.uint32)
