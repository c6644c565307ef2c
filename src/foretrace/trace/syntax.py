"""Parsing Python text, from any thread and without warnings. Nothing is run.

parse("x = 1").body       # [<ast.Assign>]
literal("[1, {'a': 2}]")  # [1, {'a': 2}]

In CPython 3.11 the recursion counter of `ast.parse` belongs to the interpreter, not to the thread: two threads that parse at
once can end in `SystemError: AST constructor recursion depth mismatch`. Warnings can be silenced for a whole process only.
So one text is parsed at a time.
"""

import ast
import threading
import warnings
from typing import Any, overload

_ONE_AT_A_TIME = threading.RLock()  # a finalizer that runs while a text is parsed may parse too

UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
"""What a text that is no Python, or too much of it, may raise."""


@overload
def parse(text: str) -> ast.Module: ...
@overload
def parse(text: str, *, expression: bool) -> ast.Expression: ...
def parse(text: str, *, expression: bool = False) -> ast.Module | ast.Expression:
    r"""The syntax tree of a module or of an expression; that `\d` is no escape is not worth a warning.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it does not parse.

    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval") if expression else ast.parse(text)


def literal(text: str) -> Any:
    """The value of a literal.

    Raises:
        ValueError, SyntaxError, TypeError, RecursionError, MemoryError: it is none.

    """
    return ast.literal_eval(parse(text.lstrip(" \t"), expression=True))
