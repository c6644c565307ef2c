r"""What benchmarks of code share: how they ask, how code is read out of an answer, texts of calls.

    read_code("Sure:\n```python\nx = 1\n```")                  # "x = 1"
    call_text("f", [(1, 2), float("inf")])                   # "f((1, 2), 1e999)"
    program_of("import math\n\ndef f(x):\n", "    return x", "f")

A chat gives a block of Markdown, a completion goes on where the prompt ends: one style has both forms, and `program_of`
makes a program of either.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from foretrace.evals.types import Item, Question, Reason, Sampling, Style, Verdict
from foretrace.sandbox import SandboxLimits
from foretrace.trace.syntax import UNREADABLE, parse

MAX_CHARACTERS = 200_000
"""Of an answer that is read."""
LIMITS = SandboxLimits(seconds=30, cpu_seconds=10, memory_mb=4096, file_mb=64)
"""Of all tests of an item. Processor time decides, since on a busy machine others take their share of the clock's."""
GREEDY = Sampling(max_tokens=768)
"""One greedy sample, as EvalPlus has it (Liu et al., arXiv:2305.01210)."""
STOP = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\nassert ", "\n```")
"""Where a completion of a function ends (Chen et al., arXiv:2107.03374, section 3.1)."""
WRONG_VALUE = "'none of these'"
"""What functions of the control `wrong` return."""

_IMPORTED = ["bisect", "collections", "copy", "datetime", "functools", "heapq", "io", "itertools", "json", "math"]
_IMPORTED += ["operator", "random", "re", "string", "typing"]
PREAMBLE = f"""\
{chr(10).join(f"from {module} import *" for module in _IMPORTED)}
from builtins import *
import {", ".join(_IMPORTED)}, sys
sys.setrecursionlimit(50000)
"""
"""What judges of contests have imported before a solution begins: theirs often lean on it."""

_TICK = "`"
_FENCE = 3 * _TICK
_STARTS = ("", "def f():\n", "def f():\n    ", "def f():\n        ")
_PYTHON = ("", "python", "python3", "py")


def code_style(ask: Callable[[Item], Question], source: str, sampling: Sampling = GREEDY, **more: Any) -> Style:
    """A style whose answers are code; of several blocks the longest, unless `read` says otherwise."""
    return Style(ask=ask, source=source, sampling=sampling, **{"read": read_code, "write": write_code, **more})


def read_code(text: str) -> str | None:
    """The block of Markdown with the most lines; of a text without blocks all, if it is code that goes on."""
    found = blocks(text)
    return max(found, key=_lines) if found else _completion(text)


def read_last(text: str) -> str | None:
    """The last block, as LiveCodeBench has it; else as `read_code`."""
    found = blocks(text)
    return found[-1] if found else _completion(text)


def read_only(text: str) -> str | None:
    """The one block that there must be (CWM's reading of LiveCodeBench)."""
    found = blocks(text)
    return found[0] if len(found) == 1 else None


def write_code(code: str) -> str:
    """Code as a block, which ends with a longer fence than any within."""
    fence = _FENCE
    while fence in code:
        fence += _TICK
    return f"{fence}python\n{code}\n{fence}"


def blocks(text: str) -> list[str]:
    """Blocks of Python in Markdown, in their order; one that a limit cut has no end, and counts."""
    if len(text) > MAX_CHARACTERS:
        return []
    found: list[str] = []
    fence, is_python, lines = "", False, list[str]()
    for line in text.split("\n"):
        mark = line.strip()
        ticks = mark[: len(mark) - len(mark.lstrip(_TICK))]
        if not fence and len(ticks) >= len(_FENCE):
            fence, lines, is_python = ticks, [], mark[len(ticks) :].strip().lower() in _PYTHON
        elif fence and mark == ticks and len(ticks) >= len(fence):
            found += ["\n".join(lines)] if is_python else []
            fence = ""
        else:
            lines.append(line)
    return [*found, "\n".join(lines)] if fence and is_python else found


def _completion(text: str) -> str | None:
    """A text that goes on where a prompt ended: at a margin, or within a function."""
    if not text.strip() or len(text) > MAX_CHARACTERS or _FENCE in text:
        return None
    return text if any(_parses(start + text) for start in _STARTS) else None


def _parses(text: str) -> bool:
    try:
        parse(text)
    except UNREADABLE:
        return False
    return True


def _lines(code: str) -> int:
    return sum(bool(line.strip()) for line in code.split("\n"))


def unanswered() -> Verdict:
    """Of an answer without code."""
    return Verdict(strict=False, official=False, reason=Reason.UNPARSABLE, detail="there is no code")


def program_of(prompt: str, answer: str, entry: str) -> str:
    """The program that an answer makes of a prompt that ends within the function or class `entry`.

    A whole program gets what stands before it, imports and helpers; any other answer goes on where the prompt ends.
    """
    if not defines(answer, entry):
        return f"{prompt}{answer}\n"
    heads = [*re.finditer(rf"^(def|class) {entry}\b", prompt, re.MULTILINE)]
    return f"{prompt[: heads[-1].start()] if heads else ''}\n{answer}\n"


def defines(source: str, name: str) -> bool:
    """Whether a program binds a name at its top level."""
    try:
        body = parse(source).body
    except UNREADABLE:
        return False
    return any(name in _bound(statement) for statement in body)


def _bound(statement: ast.stmt) -> Iterable[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.Assign(targets=targets):
            return (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
    return ()


def call_text(function: str, arguments: Iterable[object], keywords: Mapping[str, object] | None = None) -> str:
    """A call of plain values, as Python text."""
    given = [*map(text_of, arguments), *(f"{name}={text_of(value)}" for name, value in (keywords or {}).items())]
    return f"{function}({', '.join(given)})"


def text_of(value: Any) -> str:
    """A plain value as an expression without names, so that nothing that a program has bound can change it."""
    kind = type(value)
    if kind is list:
        return f"[{', '.join(map(text_of, value))}]"
    if kind is tuple:
        return f"({', '.join(map(text_of, value))}{',' if len(value) == 1 else ''})"
    if kind is dict:
        return f"{{{', '.join(f'{text_of(key)}: {text_of(item)}' for key, item in value.items())}}}"
    if kind is set:
        return f"{{{', '.join(map(text_of, value)) or '*()'}}}"
    if kind is int:
        return hex(value) if abs(value) >> 4000 else repr(value)  # decimal digits of huge ones are refused
    if kind is float:
        return repr(value).replace("inf", "1e999").replace("nan", "(1e999 - 1e999)")
    if kind is complex:  # as a sum its zeros might lose their signs
        return f"0j.__class__({text_of(value.real)}, {text_of(value.imag)})"
    assert kind in (str, bytes, bool, type(None)), f"no plain value: {kind}"
    return repr(value)
