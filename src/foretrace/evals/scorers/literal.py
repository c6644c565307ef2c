"""The literal scorer: model text is parsed, never executed.

    same_literal("[1, 2]", "[1,2]")                      # True
    same_literal("True", "1")                            # False: equal is not the same

    with LiteralScorer(Setting()) as scorer:
        scorer.score("'cba' * 2", "'cbacba'")            # Verdict(strict=False, official=True, …)

Benchmarks paste answers into `assert f(…) == ANSWER` and run that, so that `1 or True` passes (evaluation code of Gu et al.,
arXiv:2401.03065). Here the official rule takes what is honest of that: an expression of literals and operators, without
names and calls. Such a one is evaluated in the sandbox, since `9**9**9` is one, too.
"""

import ast
from typing import TYPE_CHECKING, Self

from foretrace.errors import RefusedError
from foretrace.evals.scorers import rules
from foretrace.evals.scorers.values import same_value
from foretrace.evals.types import Reason, Setting, Verdict
from foretrace.trace.literals import read_literal
from foretrace.trace.syntax import UNREADABLE, parse

if TYPE_CHECKING:  # what only compares two texts needs no sandbox
    from foretrace.evals.scorers.program import ProgramScorer

MAX_CHARACTERS = 100_000
_EXPRESSION = (
    *(ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Load),
    *(ast.UnaryOp, ast.BinOp, ast.unaryop, ast.operator, ast.Subscript, ast.Slice),
)


def parse_literal(text: str) -> tuple[bool, object]:
    """Whether `text` is a Python literal (sets and `set()` included), and its value."""
    return read_literal(text, MAX_CHARACTERS)


def same_literal(predicted: str, expected: str) -> bool:
    """Whether both texts are literals of the same value and the same types throughout; NaN is the same as NaN."""
    (valid, ours), (known, theirs) = parse_literal(predicted), parse_literal(expected)
    return valid and known and same_value(ours, theirs)


def type_name(text: str) -> str:
    """The type of a literal, by name; `other` if it is none."""
    valid, value = parse_literal(text)
    return type(value).__name__ if valid else "other"


def read_output(text: str) -> str | None:
    """The value that a text tells: what its first `[ANSWER]` holds, else all of it; of an assertion the right side."""
    answer = _answer(text)
    if answer is None:
        return None
    statement = _statement(answer)
    if statement is None:
        return answer.partition("==")[2].strip() or answer
    sides = _sides(_whole(statement))
    return answer.rstrip("; \t") if sides is None else ast.get_source_segment(answer, sides[1])


def read_call(text: str) -> str | None:
    """The call that a text tells, in the same way; of an assertion the left side."""
    answer = _answer(text)
    if answer is None:
        return None
    statement = _statement(answer)
    whole = _whole(statement)
    if whole is None:
        return answer.partition("==")[0].rpartition("assert")[2].strip() or answer
    return ast.get_source_segment(answer, (_sides(whole) or (whole,))[0])


def simple_call(text: str, name: str) -> tuple[str | None, bool]:
    """The call of `name` that a text is, if its arguments are literals or expressions of them; whether they are literals."""
    tree = _expression(text)
    node = tree and tree.body
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name):
        return None, False
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    is_literal = all(map(_is_literal, values))
    if not all(keyword.arg for keyword in node.keywords) or not (is_literal or all(map(_is_expression, values))):
        return None, False
    return text.strip(), is_literal


class LiteralScorer:
    """Strict: a literal of the same value and types. Official: equal by `==`, also an expression of literals alone."""

    def __init__(self, setting: Setting | None = None) -> None:
        """Needs no isolation for literals; the sandbox is started when the first expression comes."""
        self._setting = setting or Setting()
        self._programs: ProgramScorer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._programs is not None:
            self._programs.close()

    def score(self, predicted: str | None, expected: str) -> Verdict:
        """The verdict on a predicted value; None: there was none to read."""
        known, wanted = parse_literal(expected)
        assert known, "a benchmark expects a literal"
        if predicted is None:
            return _wrong(Reason.UNPARSABLE, "there is no answer")
        valid, value = parse_literal(predicted)
        if not valid:
            return self._score_expression(predicted, wanted)
        strict, official = rules.same(wanted, value)
        reason = Reason.RIGHT if strict else Reason.WRONG
        detail = "equal, but of another type" if official and not strict else ""
        return Verdict(strict=strict, official=official, reason=reason, detail=detail)

    def _score_expression(self, text: str, wanted: object) -> Verdict:
        tree = _expression(text)
        if tree is None or not _is_expression(tree):
            return _wrong(Reason.UNPARSABLE, "neither a literal nor an expression of literals")
        from foretrace.evals.scorers.program import QUICK_LIMITS, ProgramScorer

        try:
            self._programs = self._programs or ProgramScorer(self._setting, QUICK_LIMITS)
        except RefusedError as error:
            return _wrong(Reason.UNPARSABLE, f"an expression, which was not evaluated: {error}")
        verdict = self._programs.score_calls("", [text.strip()], [wanted])
        if verdict.reason is Reason.BROKEN:
            return verdict
        detail = f"an expression, no literal; {verdict.detail}".removesuffix("; ")
        return Verdict(strict=False, official=verdict.official, reason=Reason.UNPARSABLE, detail=detail)


def _wrong(reason: Reason, detail: str) -> Verdict:
    return Verdict(strict=False, official=False, reason=reason, detail=detail)


def _expression(text: str) -> ast.Expression | None:
    """The tree of an expression."""
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        return parse(text.strip(), expression=True)
    except UNREADABLE:
        return None


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except UNREADABLE:
        return False
    return True


def _is_expression(node: ast.AST) -> bool:
    """Whether it is made of literals, operators and subscripts alone."""
    return all(isinstance(part, _EXPRESSION) for part in ast.walk(node))


def _answer(text: str) -> str | None:
    """What the first pair of tags holds; of a text without tags all."""
    if "[ANSWER]" in text:
        text = text.split("[ANSWER]")[1]
    answer = text.split("[/ANSWER]")[0].strip()
    return answer if 0 < len(answer) <= MAX_CHARACTERS else None


def _statement(text: str) -> ast.stmt | None:
    """The one statement that a text is."""
    try:
        statements = parse(text).body
    except UNREADABLE:
        return None
    return statements[0] if len(statements) == 1 else None


def _whole(statement: ast.stmt | None) -> ast.expr | None:
    """What a statement asserts, or the expression that it is."""
    if isinstance(statement, ast.Assert):
        return statement.test
    return statement.value if isinstance(statement, ast.Expr) else None


def _sides(node: ast.expr | None) -> tuple[ast.expr, ast.expr] | None:
    """Both sides of an equality."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        return node.left, node.comparators[0]
    return None
