"""Where a predicted source line stands (temporary: text search in the function, nearest forward first)."""

from foretrace.trace.types import Event


class LinePlacer:
    """Places lines."""

    def __init__(self, source: str, entry_line: int) -> None:
        self._lines = source.split("\n")
        self._entry = entry_line
        self._stack: list[int] = []

    def place(self, event: Event, source_line: str) -> tuple[int, str]:
        """Line number and function name."""
        at = self._stack[-1] if self._stack else self._entry - 1
        order = [*range(at, len(self._lines)), *range(at)]
        if event is Event.LINE and self._stack:
            order = [*order[1:], order[0]]
        line = next((i + 1 for i in order if self._lines[i] == source_line), 0)
        if event is Event.CALL:
            self._stack.append(max(line - 1, 0))
        elif line:
            self._stack[-1] = line - 1
        return line, ""

    def leave(self) -> None:
        """The scope was left."""
        self._stack.pop()
