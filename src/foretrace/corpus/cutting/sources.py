"""The source files of a repository, parsed when they are asked for, and what the imports between them mean."""

import ast
from collections.abc import Mapping

from foretrace.corpus.cutting.outline import Outline
from foretrace.corpus.dotted import module_names


class Sources:
    """Files by path."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = dict(files)
        self._names = module_names(self._files)
        self._paths = {name: path for path, name in self._names.items()}
        self._outlines: dict[str, Outline | None] = {}

    def replace(self, path: str, text: str) -> None:
        """Takes the text of a file that ran for what it was: the repository may be another one than on the disk."""
        if path in self._outlines and self._files.get(path) == text:
            return
        known = self._outlines.get(path)
        if known is None or "\n".join(known.lines) != text:
            self._files[path] = text
            self._outlines.pop(path, None)

    def outline(self, path: str) -> Outline | None:
        """A file's outline; None if there is no such file, or it does not parse."""
        if path not in self._outlines:
            text = self._files.get(path)
            try:
                self._outlines[path] = None if text is None else Outline(text.replace("\r\n", "\n").replace("\r", "\n"))
            except SyntaxError:
                self._outlines[path] = None
        return self._outlines[path]

    def imported(self, path: str, node: ast.ImportFrom) -> str | None:
        """The file of the repository that a `from … import` imports from."""
        if not node.level:
            return self._paths.get(node.module or "")
        parts = self._names.get(path, "").split(".")
        is_package = path.rpartition("/")[2] == "__init__.py"
        kept = len(parts) - node.level + is_package
        if kept < 0:
            return None
        return self._paths.get(".".join([*parts[:kept], *([node.module] if node.module else [])]))
