r"""The maths scorer: a boxed answer, compared as text, as an integer, or by algebra in a process that can be killed.

    read_boxed(r"<think>\boxed{3}?</think> It is $\boxed{\frac12}$.")       # "\frac12"

    with maths_scorer(Setting()) as score:
        score(item, r"\frac12")                          # item.row["answer"] is "0.5": right

Most answers are decided here, in microseconds. The others go to math-verify (`scorers/algebra.py`), in the sandbox, since
parsers of formulas hang on power towers, and some evaluate what they read. An answer must be worked out: `\sum_{n=1}^9 n`
is the question once more, and neither a list of guesses nor a chain such as `203 = 204` is an answer.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec

from foretrace.errors import UsageError
from foretrace.evals.scorers.boxes import limits_of, open_box, require_isolation
from foretrace.evals.thoughts import after_thought
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict
from foretrace.sandbox import Sandbox, SandboxLimits, Status

MAX_CHARACTERS = 300
"""Of what is in a box; the longest answer of MATH-500 has 53."""
LIMITS = SandboxLimits(seconds=10, cpu_seconds=10, memory_mb=1024, file_mb=1)
_ALGEBRA = "foretrace.evals.scorers.algebra"
_BLANK_END = re.compile(r"(?<!\\)\s+$")
_BRACE = re.compile(r"\\{1,4}boxed\s*\{|\\.|[{}]", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+", re.ASCII)
_SET = re.compile(r"\\[(!)]|\$")
"""How a number is set: what has no meaning."""
_DRESS = re.compile(
    r"\\(?:boldsymbol|bm|underline|displaystyle|large|Large)(?![A-Za-z])"
    r"|^(?:\\[ ,;:]|~|\{\})+|(?<!\\)(?:\\[ ,;:]|~)+$"
)
"""How all of an answer is set, of which algebra knows nothing: its face, and space around it."""
_TO_DO = re.compile(
    r"\\(sum|prod|i*nt|oint|lim|liminf|limsup|max|min|sup|inf|gcd|bmod|mod|det|lfloor|lceil)(?![a-z])"
    r"|\\operatorname\*?\s*\{\s*(lcm|gcd|max|min)\b|\\frac\s*\{?\s*d\s*\}?\s*\{\s*d"
)
"""Work that an answer leaves to its reader."""
_OPERATOR = re.compile(r"[+*/^!]|(?<=.)-|\\(times|cdot|div|sqrt|d?frac|binom)(?![a-z])")
_ENDED = {Status.TIMEOUT: Reason.TIMEOUT, Status.KILLED: Reason.KILLED, Status.BROKEN: Reason.BROKEN}


def boxes(text: str) -> list[str | None]:
    r"""What each outermost `\boxed{…}` holds; None where it never ends or is too long: then those within it count, too."""
    opened: list[int] = []  # where what is open begins; -1 for a brace of no box
    ends: dict[int, int] = {}
    starts = []
    for found in _BRACE.finditer(text):
        if "boxed" in found.group():
            opened.append(found.end())
            starts.append(found.end())
        elif found.group() == "{":
            opened.append(-1)
        elif found.group() == "}" and opened:
            ends[opened.pop()] = found.start()
    contents: list[str | None] = []
    seen = 0
    for start in starts:
        if start < seen:
            continue
        is_one = 0 <= ends.get(start, -1) - start <= MAX_CHARACTERS
        contents.append(_BLANK_END.sub("", text[start : ends[start]].lstrip()) if is_one else None)
        seen = ends[start] if is_one else start
    return contents


def read_boxed(text: str) -> str | None:
    """The answer that a text boxes behind its thought; None if it boxes none.

    Of several boxes all are kept, boxed, for the scorer to see.
    """
    found = boxes(after_thought(text) or "")
    if len(found) == 1:
        return found[0]
    return "".join(f"\\boxed{{{content or ''}}}" for content in found) if any(found) else None


def write_boxed(answer: str) -> str:
    """An answer as a model would say it."""
    return answer if len(boxes(answer)) > 1 else f"The answer is $\\boxed{{{answer}}}$."


@contextmanager
def maths_scorer(setting: Setting) -> Iterator[Score]:
    """Scores what `read_boxed` gives against `item.row["answer"]`, in LaTeX.

    Strict: one box, decimals exact. Official: boxes that all say the same count as one, and decimals are rounded to six
    digits behind the point, as math-verify does.

    Raises:
        RefusedError: the isolation that is asked for cannot be had here.
        UsageError: math-verify is not installed.

    """
    require_isolation(setting)
    if find_spec("math_verify") is None:
        raise UsageError("answers in mathematics are compared by math-verify: pip install 'foretrace[math]'")
    with ExitStack() as stack:
        yield _Scorer(setting, stack)


class _Scorer:
    """A `Score`; its sandbox starts when the first answer needs it."""

    def __init__(self, setting: Setting, stack: ExitStack) -> None:
        self._setting, self._stack = setting, stack
        self._limits = limits_of(setting, LIMITS)
        self._box: Sandbox | None = None

    def __call__(self, item: Item, answer: str | None) -> Verdict:
        if answer is None or not answer.strip():
            return _failed(Reason.UNPARSABLE, "nothing is boxed")
        if "\\boxed" not in answer:
            return self._judge(item, answer)
        found = boxes(answer)
        detail = f"{len(found)} boxes" if len(found) > 1 else "a box within a box"
        is_all = "".join(f"\\boxed{{{content}}}" for content in found) == answer
        if not is_all or len(set(found)) > 1 or not found[0] or "\\boxed" in found[0]:
            return _failed(Reason.UNPARSABLE, detail)
        verdict = self._judge(item, found[0])
        reason = Reason.BROKEN if verdict.reason is Reason.BROKEN else Reason.UNPARSABLE
        return Verdict(strict=False, official=verdict.official, reason=reason, detail=detail)

    def _judge(self, item: Item, answer: str) -> Verdict:
        gold: str = item.row["answer"]
        if len(answer) > MAX_CHARACTERS:
            return _failed(Reason.UNPARSABLE, f"more than {MAX_CHARACTERS} characters")
        if " ".join(answer.split()) == " ".join(gold.split()):
            return Verdict(strict=True, official=True, reason=Reason.RIGHT)
        answer = _DRESS.sub("", answer).strip()
        number = integer_of(answer)
        if number is not None and _INTEGER.fullmatch(gold):
            is_right = number == int(gold)
            return Verdict(strict=is_right, official=is_right, reason=Reason.RIGHT if is_right else Reason.WRONG)
        if left := left_to_do(answer, gold, item.row.get("problem", "")):
            return _failed(Reason.WRONG, f"it is not worked out: {left}")
        return self._by_algebra(gold, answer)

    def _by_algebra(self, gold: str, answer: str) -> Verdict:
        if self._box is None:
            self._box = self._stack.enter_context(open_box(self._setting, preload=[_ALGEBRA]))
        result = self._box.run(f"{_ALGEBRA}:compare", json.dumps([gold, answer]).encode(), self._limits)
        if result.status is not Status.DONE:
            return _failed(_ENDED.get(result.status, Reason.ERROR), f"the comparison ended: {result.status}")
        told = json.loads(result.output)
        reason = Reason.RIGHT if told["strict"] else Reason.WRONG
        return Verdict(strict=told["strict"], official=told["official"], reason=reason, detail=told["detail"])


def integer_of(answer: str) -> int | None:
    """The integer that an answer is, however it is set: `12{,}345`, `$012345$`; None if it is something else."""
    text = _SET.sub("", answer.replace("{,}", ",").replace("\\,", ",")).strip().removesuffix(".")
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= MAX_CHARACTERS else None


def left_to_do(answer: str, gold: str, problem: str) -> str:
    """What an answer leaves to do: an operation that the right one has not, or the question itself; empty if nothing."""
    known = {found.group() for found in _TO_DO.finditer(gold)}
    if found := next((found for found in _TO_DO.finditer(answer) if found.group() not in known), None):
        return found.group()
    is_of_problem = _OPERATOR.search(answer) and _dense(answer) in _dense(problem) and _dense(answer) != _dense(gold)
    return "it is in the question" if is_of_problem else ""


def _dense(text: str) -> str:
    return "".join(re.sub(r"\\(left|right|displaystyle)(?![a-z])", "", text.replace("dfrac", "frac")).split())


def _failed(reason: Reason, detail: str) -> Verdict:
    return Verdict(strict=False, official=False, reason=reason, detail=detail)
