"""JSON of any size that fits into memory, or JSON lines, from files that others made."""

import json
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError

MAX_BYTES = 1 << 30


def read_content(file: Path) -> Any:
    """The value of a JSON file; of JSON lines their list.

    Raises:
        UsageError: it is neither, or too large.

    """
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise UsageError(f"{file} has {size:,} bytes, and at most {MAX_BYTES:,} are read")
    try:
        text = file.read_text(encoding="utf-8")
        try:
            return json.loads(text)
        except ValueError:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is neither JSON nor JSON lines: {error}") from error


def rows_with(content: Any, *keys: str) -> list[dict[str, Any]] | None:
    """Objects that all have these keys; a single object is one of them. None if anything else is there, or nothing."""
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows:
        return None
    return rows if all(isinstance(row, dict) and all(key in row for key in keys) for row in rows) else None


def texts_in(value: Any, where: str) -> list[str]:
    """A list of texts; None among them is an empty one. Raises UsageError if it is something else."""
    if not isinstance(value, list) or not all(text is None or isinstance(text, str) for text in value):
        raise UsageError(f"{where} has no list of texts")
    return [text or "" for text in value]
