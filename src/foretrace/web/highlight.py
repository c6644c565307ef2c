r"""Which parts of a program's text are keywords, strings, numbers, comments and names that are defined.

    highlight("def f(x):\\n    return 1\\n")     # [[[0, 3, 'keyword'], [4, 5, 'name']], [[4, 10, 'keyword'], …]]

Python's own tokenizer says it. Where a text does not tokenise, the rest stays plain.
"""

import io
import keyword
import token
import tokenize
from collections.abc import Iterator

_KINDS = {token.STRING: "string", token.NUMBER: "number", tokenize.COMMENT: "comment"}
_STRINGS = {getattr(token, name) for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END") if hasattr(token, name)}
_CONSTANTS = frozenset({"None", "True", "False"})
_DEFINES = frozenset({"def", "class"})


def highlight(source: str) -> list[list[tuple[int, int, str]]]:
    """For each line, its parts that have a kind: first column, the one after the last, kind."""
    texts = source.split("\n")
    lines: list[list[tuple[int, int, str]]] = [[] for _ in texts]
    for kind, (row, first), (last_row, last) in _parts(source):
        for line in range(row, min(last_row, len(lines)) + 1):
            length = last if line == last_row else len(texts[line - 1])
            lines[line - 1].append((first if line == row else 0, length, kind))
    return lines


def _parts(source: str) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    before = ""
    try:
        for item in tokenize.generate_tokens(io.StringIO(source).readline):
            kind = _KINDS.get(item.type) or ("string" if item.type in _STRINGS else "")
            if item.type == token.NAME:
                kind = "name" if before in _DEFINES else _of_name(item.string)
                before = item.string
            if kind:
                yield kind, item.start, item.end
    except (tokenize.TokenError, SyntaxError):
        return


def _of_name(name: str) -> str:
    if name in _CONSTANTS:
        return "number"
    return "keyword" if keyword.iskeyword(name) else ""
