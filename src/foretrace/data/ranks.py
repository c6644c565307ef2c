"""Meta's `tokenizer.model`: tiktoken's text format, a line a token: its bytes in base64, and its rank.

A rank is the token's id, and also when it is joined: of all neighbours in a text whose bytes together are a token, the
pair with the lowest rank is joined first. Files of Hugging Face list the pairs instead; `merges` finds them.

    ranks = read_ranks(Path("tokenizer.model").read_bytes())      # {b"!": 0, …, b" the": 279, …}
    merges(ranks)                                                 # [(b" ", b" "), …, (b" t", b"he"), …]
"""

import base64
import binascii
from itertools import pairwise

RESERVED = 256
"""Special ids after the last rank (CWM release, `cwm/text/tokenizers.py`)."""

SPECIAL_OFFSETS = {
    "<|begin_of_text|>": 0,
    "<|end_of_text|>": 1,
    "<|pad|>": 4,
    "<|start_header_id|>": 6,
    "<|end_header_id|>": 7,
    "<|eom_id|>": 8,
    "<|eot_id|>": 9,
    "<|frame_sep|>": 100,
    "<|action_sep|>": 101,
    "<|return_sep|>": 102,
    "<|call_sep|>": 103,
    "<|line_sep|>": 104,
    "<|exception_sep|>": 105,
    "<|arg_sep|>": 106,
    "<|trace_context_start|>": 107,
    "<|reasoning_thinking_start|>": 120,
    "<|reasoning_thinking_end|>": 121,
}
"""CWM's special tokens, from the first reserved id on: `<|eot_id|>` is 128009, whatever its prompting guide says."""


def reserved_names() -> list[str]:
    """The texts of all reserved ids, in order; those that have no use are called by their number."""
    names = [f"<|reserved_special_token_{offset}|>" for offset in range(RESERVED)]
    for name, offset in SPECIAL_OFFSETS.items():
        names[offset] = name
    return names


def read_ranks(data: bytes) -> dict[bytes, int]:
    """The tokens of such a file, in the order of their ranks.

    Raises:
        ValueError: it has another form; the message says in which line.

    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise ValueError(f"line {number} is not a token in base64 and its rank") from None
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError("its ranks are not the numbers from 0 on, each once")
    if any(bytes([byte]) not in ranks for byte in range(256)):
        raise ValueError("it lacks the token of a single byte")
    return dict(sorted(ranks.items(), key=lambda item: item[1]))


def merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The pair that each token is joined from, in the order in which pairs are joined.

    There is one: what lies within a token is joined in the order of ranks whatever stands around it, so the last two
    parts before it are the same everywhere. A token that no joining leads to has no pair; it is only found as a word.
    """
    found = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _parts(token, rank, ranks)
            if len(parts) == 2:
                found.append((parts[0], parts[1]))
    return found


def _parts(token: bytes, rank: int, ranks: dict[bytes, int]) -> list[bytes]:
    """What byte-pair encoding makes of a token by joins of lower rank than its own."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [ranks.get(left + right, rank) for left, right in pairwise(parts)]
        lowest = min(joined)
        if lowest >= rank:
            break
        at = joined.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts
