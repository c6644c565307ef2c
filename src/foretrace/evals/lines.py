"""Files of JSON lines that are appended to, and survive a kill at any moment.

    with closing(Lines(path, is_synced=True)) as lines: lines.append({"item": "a"})
    for content in read_lines(path, read=dict): …

A line that a kill has cut is not there: readers stop before it, and the next writer cuts it off.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from foretrace.errors import FormatError, UsageError

T = TypeVar("T")
_BLOCK = 1 << 16


class Lines:
    """A file of JSON lines that one process appends to; a last line that a kill has cut is cut off."""

    def __init__(self, path: Path, *, is_synced: bool) -> None:
        """`is_synced`: a line is on the disk when `append` returns, so that it survives even a power cut.

        Raises:
            UsageError: another process is at it.

        """
        self._path, self._is_synced = path, is_synced
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(path, "a+b")  # noqa: SIM115 (closed by `close`)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"another process writes {path}; wait for it, or give another folder: -o RUN") from None
        self._file.truncate(_whole(self._file))

    def append(self, content: Mapping[str, Any]) -> None:
        """Writes a line, whole."""
        self._file.write(json.dumps(content, allow_nan=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        if self._is_synced:
            os.fsync(self._file.fileno())

    def sync(self) -> None:
        """Puts all lines on the disk."""
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Takes away the file, which is not needed any more."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets another process at it."""
        self._file.close()


def _whole(file: BinaryIO) -> int:
    """Bytes up to the end of the last whole line."""
    at = file.seek(0, os.SEEK_END)
    while at > 0:
        start = max(0, at - _BLOCK)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def read_lines(path: Path, read: Callable[[Any], T]) -> Iterator[T]:
    """What `read` makes of each whole line; nothing where there is no file.

    Raises:
        FormatError: a line is something else; it is said which.

    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return  # a kill has cut it
            try:
                yield read(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise FormatError(f"{path}, line {number}: {error}") from error
