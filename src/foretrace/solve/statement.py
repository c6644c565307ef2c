r"""A task as people write it, and the examples that stand in it.

    task = read_task("Write `double(n)`.\n\n>>> double(4)\n8\n")
    task.entry, task.checks          # 'double', (Check(text='double(4)', expected='8', is_exact=True, …),)

Understood are doctests (exceptions too), `assert`s, lines such as `f(2) == 4` and `f(2) -> 4`, and blocks of Input and
Output: of a function if they name its arguments (`Input: nums = [2, 7], target = 9`), else of a program.
"""

import ast
import builtins
import doctest
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from foretrace.errors import UsageError
from foretrace.evals.scorers.literal import parse_literal
from foretrace.solve.types import Check, Origin
from foretrace.trace.syntax import UNREADABLE, parse

_DEFINITION = re.compile(r"\bdef\s+([A-Za-z_]\w*)\s*\(")
_NAMED = re.compile(r"`([A-Za-z_]\w*)\([^`]*\)`")
_ARROW = re.compile(r"\s*(?:->|→|⇒|=>|==)\s*")
_EXAMPLE = r"^[\s>*#_-]*(?:(?:sample|example)\s+)?{}\s*\d*[\s*_]*:?[\s*_]*(.*)$"
_INPUT, _OUTPUT = (re.compile(_EXAMPLE.format(word), re.IGNORECASE) for word in ("input", "output"))
_RAISED = re.compile(r"^(?:\w+\.)*(\w+)(?::|$)")
_MOST_LINES = 30
"""Of one assertion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveTask:
    """What is to be written."""

    statement: str
    entry: str
    """Name of the function; empty if it is a program."""
    checks: tuple[Check, ...] = ()
    """What the statement says that it does."""

    @property
    def examples(self) -> list[tuple[str, str]]:
        """Argument lists of calls of the function, and their values."""
        calls = ((arguments_of(check.text, self.entry), check.expected) for check in self.checks)
        return [(arguments, value) for arguments, value in calls if arguments is not None and value is not None]


def read_task(statement: str, entry: str | None = None) -> SolveTask:
    """Reads a statement.

    Args:
        statement: Markdown, or any text.
        entry: name of the function, where the statement does not make it plain.

    Raises:
        UsageError: there is no statement, a doctest in it is malformed, or it is not told what the function is called.

    """
    if not statement.strip():
        raise UsageError("the task is empty: say what is to be written, best with an example: double(4) == 8")
    called = [*_doctests(statement), *read_calls(_without_doctests(statement))]
    blocks = list(_blocks(statement))
    name = entry or _entry(statement, called)
    if not name and blocks:
        return SolveTask(statement=statement, entry="", checks=tuple(_distinct(_inputs(blocks))))
    if not name:
        raise UsageError(
            "it is not told what the function is called: write `def name(...)` or an example such as name(2) == 4 into the "
            "task, or say --entry NAME; a program needs blocks of Input and Output"
        )
    checks = [*called, *_named_arguments(blocks, name)]
    return SolveTask(statement=statement, entry=name, checks=tuple(_distinct(checks)))


def read_calls(text: str, origin: Origin = Origin.STATEMENT) -> list[Check]:
    """The checks in the lines of a text: assertions, equalities, arrows. Also how a model's own tests are read."""
    lines, checks, at = text.split("\n"), list[Check](), 0
    while at < len(lines):
        line = lines[at].strip().strip("`*-• ").strip()
        at += 1
        if line.startswith(("assert ", "assert(")):
            for end in range(at, min(at + _MOST_LINES, len(lines)) + 1):
                found = _assertion("\n".join([line, *lines[at:end]]), origin)
                if found is not None:
                    checks.append(found)
                    at = end
                    break
        elif found := _equality(line, origin):
            checks.append(found)
    return checks


def arguments_of(text: str, entry: str) -> str | None:
    """The argument list of an expression that is a call of `entry` with literals and nothing else; None if it is none."""
    try:
        node = parse(text.strip(), expression=True).body
    except UNREADABLE:
        return None
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry):
        return None
    parts = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not all(keyword.arg for keyword in node.keywords) or not all(parse_literal(ast.unparse(part))[0] for part in parts):
        return None
    return text.strip()[len(entry) :].strip()[1:-1].strip()


# ---------------------------------------------------------------------------------------------------
# Doctests, assertions, equalities


def _doctests(text: str) -> list[Check]:
    try:
        found = doctest.DocTestParser().get_examples(text)
    except ValueError as error:
        raise UsageError(f"a doctest in the task is malformed: {error}") from error
    return [check for example in found if (check := _doctest(example)) is not None]


def _doctest(example: doctest.Example) -> Check | None:
    call, wanted = example.source.strip(), example.want.strip()
    if not _is_expression(call):
        return None
    if example.exc_msg and (raised := _RAISED.match(example.exc_msg.strip())):
        return Check(origin=Origin.STATEMENT, text=call, raises=raised[1])
    known, _ = parse_literal(wanted)
    return Check(origin=Origin.STATEMENT, text=call, expected=wanted, is_exact=True) if known else None


def _without_doctests(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith((">>>", "...")))


def _assertion(text: str, origin: Origin) -> Check | None:
    """Of an equality its call; of any other assertion whether it is true."""
    try:
        [statement] = parse(text).body
    except (*UNREADABLE, ValueError):
        return None
    if not isinstance(statement, ast.Assert) or not any(isinstance(node, ast.Call) for node in ast.walk(statement.test)):
        return None
    sides = _sides(statement.test)
    if sides is not None and parse_literal(sides[1])[0]:
        return Check(origin=origin, text=sides[0], expected=sides[1])
    return Check(origin=origin, text=f"bool({ast.unparse(statement.test)})", expected="True")


def _equality(line: str, origin: Origin) -> Check | None:
    for arrow in _ARROW.finditer(line):
        call, value = line[: arrow.start()].strip("` "), line[arrow.end() :].strip("` .")
        if _is_expression(call, ast.Call) and parse_literal(value)[0]:
            return Check(origin=origin, text=call, expected=value)
    return None


def _sides(node: ast.expr) -> tuple[str, str] | None:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        return ast.unparse(node.left), ast.unparse(node.comparators[0])
    return None


def _is_expression(text: str, kind: type[ast.expr] = ast.expr) -> bool:
    try:
        return isinstance(parse(text, expression=True).body, kind)
    except UNREADABLE:
        return False


def _entry(statement: str, checks: list[Check]) -> str:
    """The function that is defined or, if none is, called most often, or named in backticks."""
    defined = _DEFINITION.findall(statement)
    called = Counter(name for check in checks for name in _functions(check.text))
    named = [name for name in defined if name in called] or defined
    return next(iter([*named, *(name for name, _ in called.most_common(1)), *_NAMED.findall(statement)]), "")


def _functions(text: str) -> Iterator[str]:
    """Names of what an expression calls, builtins left out."""
    for node in ast.walk(parse(text, expression=True)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not hasattr(builtins, node.func.id):
            yield node.func.id


# ---------------------------------------------------------------------------------------------------
# Blocks of input and output


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Inputs with the outputs that follow them; each stands on the line of its title, or in a fence right below it."""
    lines, at, given = text.split("\n"), 0, None
    while at < len(lines):
        as_input, as_output = _INPUT.match(lines[at]), _OUTPUT.match(lines[at])
        found = as_input or as_output
        at += 1
        if found is None:
            continue
        content, at = _content(found[1].strip().strip("`"), lines, at)
        if as_input:
            given = content
        elif given is not None and content is not None:
            yield given, content
            given = None


def _content(inline: str, lines: list[str], at: int) -> tuple[str | None, int]:
    if inline:
        return inline, at
    start = next((i for i in range(at, len(lines)) if lines[i].strip()), len(lines))
    if start == len(lines) or not lines[start].lstrip().startswith("```"):
        return None, at  # it is about the input, and none
    end = next((i for i in range(start + 1, len(lines)) if lines[i].lstrip().startswith("```")), len(lines))
    return "\n".join(lines[start + 1 : end]) + "\n", end + 1


def _inputs(blocks: list[tuple[str, str]]) -> Iterator[Check]:
    for given, printed in blocks:
        yield Check(origin=Origin.STATEMENT, text=given, expected=printed, is_input=True)


def _named_arguments(blocks: list[tuple[str, str]], entry: str) -> Iterator[Check]:
    for given, value in blocks:
        call = f"{entry}({given.strip()})"
        if arguments_of(call, entry) is not None and parse_literal(value.strip())[0]:
            yield Check(origin=Origin.STATEMENT, text=call, expected=value.strip())


def _distinct(checks: list[Check] | Iterator[Check]) -> list[Check]:
    return list({(check.text, check.raises, check.expected): check for check in checks}.values())
