"""Lengths in tokens. To tokenise takes longer than to record, so most lengths are estimated from a few."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from foretrace.data.tokenizer import Tokenizer
from foretrace.trace import read_binary, to_segments

_EVERY = 256
_AT_LEAST = 16
_CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "tiny"


def count_tokens(rows: list[dict[str, Any]]) -> None:
    """Sets `tokens` of all rows from their `characters`, at the rate of every 256th row, but of 16 rows at least."""
    sample = rows[:: max(1, min(_EVERY, len(rows) // _AT_LEAST))]
    counted = sum(len(_tokenizer().encode(to_segments(next(read_binary(row["trace"]))))) for row in sample)
    rate = counted / max(1, sum(row["characters"] for row in sample))
    for row in rows:
        row["tokens"] = max(1, round(row["characters"] * rate))


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    return Tokenizer.load(_CHECKPOINT)
