r"""Whether two formulas are equal, by math-verify and SymPy. It is imported in the sandbox, and nowhere else.

    box.run("foretrace.evals.scorers.algebra:compare", json.dumps([r"\frac12", "0.5"]).encode())
    # output: {"strict": true, "official": true, "detail": "0.5"}

Formulas are parsed by a grammar; math-verify's other way to read them, which evaluates text (`parse_expr`), is not used.
It is more trusting than a scorer may be: what it takes for units it leaves out, and of a chain of equations it believes
the end. Both are looked at here.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from typing import Any

from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig
from sympy import Eq

logging.disable(logging.CRITICAL)  # math-verify warns that nobody but we will stop it
_LATEX = [LatexExtractionConfig(boxed_match_priority=0)]
_HALF = r"\frac{1}{2}"
_DIGITS = 15
"""Behind the point, where decimals must be exact."""
_UNIT_POWER = re.compile(r"([A-Za-z}])\s*\^\s*(\d|\{\s*\d+\s*\})")
_BASE = re.compile(r"\d\s*_\s*\{?\s*(\d+)\s*\}?")


def compare(payload: bytes, output: int) -> None:
    """A job: payload and output are JSON, as above; the detail is what was understood."""
    gold, answer = json.loads(payload)
    os.write(output, json.dumps(verdict(gold, answer)).encode("ascii"))


def verdict(gold: str, answer: str) -> dict[str, Any]:
    """Of an answer, in LaTeX: whether it is the gold one."""
    wanted, found = _parsed(gold), _parsed(answer)
    understood = str(found[-1]) if found else ""
    told = {"strict": False, "official": False, "detail": understood}
    said = {_digits(answer), _digits(_UNIT_POWER.sub(r"\1", answer))}
    if _digits(understood) not in said and not (understood == _HALF and "05" in said):  # which it makes of 0.5
        return told | {"detail": f"only this of it can be read: {understood}"}
    if not all(map(_may_hold, _equations(found[0]))):
        return told | {"detail": f"it contradicts itself: {understood}"}
    is_official = _equal(wanted, found, 6)
    is_exact = is_official and _bases(answer) <= _bases(gold) | {"10"} and _equal(wanted, found, _DIGITS)
    return told | {"strict": is_exact, "official": is_official}


def _parsed(text: str) -> list[Any]:
    """The expression, and the text that it was read from."""
    found: list[Any] = parse(f"\\boxed{{{text}}}", extraction_config=_LATEX, parsing_timeout=None)
    return found or [""]


def _equal(gold: list[Any], answer: list[Any], digits: int) -> bool:
    return bool(verify(gold, answer, float_rounding=digits, timeout_seconds=None))


def _digits(text: str) -> str:
    """All digits of a formula; `.5` is 0.5, and a sign of the currency is none."""
    return re.sub(r"\D", "", re.sub(r"(?<![\d.])\.(?=\d)", "0.", text), flags=re.ASCII)


def _equations(found: Any) -> Iterator[Any]:
    for each in getattr(found, "_unsorted_args", [found]):
        if isinstance(each, Eq):
            yield each


def _may_hold(equation: Any) -> bool:
    """Whether it is none between two different numbers."""
    if not (equation.lhs.is_number and equation.rhs.is_number):
        return True
    return _equal([equation.lhs], [equation.rhs], 6)


def _bases(text: str) -> set[str]:
    """Of numbers that say theirs, such as 1011_2."""
    return set(_BASE.findall(text))


_LEARNT = (
    (r"3\sqrt{13}", r"\frac{1}{3}\sqrt{3}"),
    (r"\left[ \frac{\pi^2}{8}, 1\frac{4}{5} \right)", r"[\pi, 2)"),
    (r"x^3+3x-6", "(x+5)(y-2)"),
    ("y = 2x + 3", "y = -x^2"),
    (r"\{1\pm\sqrt{5},-2\}", "6 - 5i"),
    (r"(-\infty, 2) \cup (3, \infty)", r"x \in [-2,7]"),
    (r"\begin{pmatrix} 1 \\ -0.5 \end{pmatrix}", r"\begin{pmatrix} 2 \\ x \end{pmatrix}"),
    (r"\text{east}", r"\cot x"),
)
"""The parser learns while it works, and SymPy imports; what a job has learnt is lost with it."""
for _gold, _answer in _LEARNT:
    verdict(_gold, _gold)
    verdict(_gold, _answer)
