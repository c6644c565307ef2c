"""Argument lists that a language model proposes, to be handed to `explore` as hints.

texts = propose(complete, source, "f")            # complete: from a prompt to a reply, by whatever client
explore(source, "f", hints=texts)

Replies are read leniently: calls in code blocks, in prose, as doctests, asserted, or a JSON list of texts. Nothing of them
is run here; what does not parse, or refers to names that the module does not have, is left out.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator

from foretrace.corpus.arguments.hints import calls_in
from foretrace.corpus.arguments.module import Module

_PROMPT = """Here is a Python module:

```python
{source}
```

Write {count} different calls of `{entry}`, one a line, that together run every line of it. Use short, realistic
literal arguments; make most calls succeed, and one or two raise an error if the function checks its arguments.{method}
Write only the calls, each complete in itself, without variables and without results.
"""
_METHOD = " Call the method on its class, with the object first: `{entry}({owner}(…), …)`."
_FENCED = re.compile(r"```[\w+-]*\n(.*?)(?:```|\Z)", re.DOTALL)
_MARKS = re.compile(r"^\s*(?:[-*•]|\d+[.)]|>>>|\.\.\.)?\s*")
_MOST = 50


def propose(complete: Callable[[str], str], source: str, entry: str, count: int = 8) -> list[str]:
    """Texts of argument lists from a model's reply.

    Raises:
        UsageError: the source does not parse.

    """
    owner, _, _ = entry.rpartition(".")
    method = _METHOD.format(entry=entry, owner=owner) if owner else ""
    return read_reply(complete(_PROMPT.format(source=source, count=count, entry=entry, method=method)), source, entry)


def read_reply(reply: str, source: str, entry: str) -> list[str]:
    """Texts of the argument lists of a reply, without repetition.

    Raises:
        UsageError: the source does not parse.

    """
    module = Module(source)
    found = (arguments.text for statements in _statements(reply) for arguments in calls_in(statements, module, entry))
    return list(dict.fromkeys(found))[:_MOST]


def _statements(reply: str) -> Iterator[list[ast.stmt]]:
    """Whatever in a reply can be read as Python."""
    for block in [*_FENCED.findall(reply), reply]:
        listed = _listed(block)
        statements = _parsed(block) if not listed else None
        if statements is not None:
            yield statements
            continue
        for text in listed or block.split("\n"):
            statements = _parsed(_MARKS.sub("", text).strip().strip("`;,"))
            if statements is not None:
                yield statements


def _parsed(text: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _listed(text: str) -> list[str]:
    """The texts of a JSON list."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
