"""CRUXEval: what does a short function return, and what makes it return that (Gu et al., arXiv:2401.03065; data MIT).

    benchmark = find_benchmark("cruxeval-o");  items = benchmark.load(Options(paths=("cruxeval.jsonl",)))

The form of the prompts (tags, two examples or one with a thought) and the settings are the published ones; the wording is
ours, so runs of other harnesses are compared best by scoring their completions here. The items, styles and scorers are made
of rows `{"id", "code", "input", "output"}`, for other sets of the same form (`fresh`).

Floors: copying the first argument scores 17.4 % on outputs, and `False` 3.6 %.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from foretrace.evals.documents import read_result, write_result
from foretrace.evals.files import DataFile
from foretrace.evals.scorers.literal import (
    LiteralScorer,
    parse_literal,
    read_call,
    read_output,
    simple_call,
    type_name,
)
from foretrace.evals.scorers.program import QUICK_LIMITS, ProgramScorer
from foretrace.evals.types import Benchmark, Item, Options, Question, Reason, Sampling, Score, Setting, Style, Verdict
from foretrace.trace.syntax import parse

OFFICIAL = DataFile(
    name="cruxeval.jsonl",
    sha256="8368b81047dc5014e4caf5a2f97604eff7644e0ecd7415e3ceeb184bbc2e0c96",
    rows=800,
    licence="MIT",
    source="github.com/facebookresearch/cruxeval, data/",
)
ENTRY = "f"
_TOO_MANY = f"f({', '.join(['None'] * 20)})"
"""A call with more arguments than any such function takes; some take none."""
_STOP = ("[/ANSWER]",)
_DIRECT = Sampling(samples=10, temperature=0.2, top_p=0.95, max_tokens=1024)
_THOUGHT = replace(_DIRECT, max_tokens=2048)
_SOURCE = "form and settings of facebookresearch/cruxeval (prompts.py), wording ours"

_OUTPUT_TASK = """\
Here is a Python function, and an assertion whose right side is missing. Execute the code as it is written, even if it \
looks wrong, and complete the assertion with a literal: no calls and no expressions that are left to evaluate. """
_INPUT_TASK = """\
Here is a Python function, and an assertion whose input is missing. Find an input with which the function returns the given \
output; if there are several, give one. """
_ONLY = "Write the whole assertion between [ANSWER] and [/ANSWER], as in the examples, and nothing else.\n\n"
_THINK = "Think step by step first. Then write the whole assertion between [ANSWER] and [/ANSWER], as in the example.\n\n"

_OUTPUT_EXAMPLES = """\
[PYTHON]
def f(number):
    return number
assert f(42) == ??
[/PYTHON]
[ANSWER]
assert f(42) == 42
[/ANSWER]

[PYTHON]
def f(word):
    return word + "s"
assert f("cat") == ??
[/PYTHON]
[ANSWER]
assert f("cat") == "cats"
[/ANSWER]

"""
_OUTPUT_THOUGHT = """\
[PYTHON]
def f(word):
    word = word.upper()
    return word[0] + "-" + word
assert f("cat") == ??
[/PYTHON]
[THOUGHT]
The call binds word to "cat".
1. word.upper() is "CAT", which is bound to word.
2. word[0] is "C", so word[0] + "-" + word is "C" + "-" + "CAT", which is "C-CAT".
3. The function returns "C-CAT".
[/THOUGHT]
[ANSWER]
assert f("cat") == "C-CAT"
[/ANSWER]

"""
_INPUT_EXAMPLES = """\
[PYTHON]
def f(words):
    return sum(len(word) > 2 for word in words)
assert f(??) == 2
[/PYTHON]
[ANSWER]
assert f(["cat", "a", "bird"]) == 2
[/ANSWER]

[PYTHON]
def f(first, second):
    return first * second
assert f(??) == "hahaha"
[/PYTHON]
[ANSWER]
assert f("ha", 3) == "hahaha"
[/ANSWER]

"""
_INPUT_THOUGHT = """\
[PYTHON]
def f(number):
    return 2 * number
assert f(??) == 14
[/PYTHON]
[THOUGHT]
The function returns twice its argument, and should return 14.
14 is 2 * 7, so the argument must be 7.
[/THOUGHT]
[ANSWER]
assert f(7) == 14
[/ANSWER]

"""


def output_items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items that ask what `f` returns."""
    return [
        Item(
            id=row["id"],
            row=dict(row),
            controls={
                "gold": row["output"],
                "wrong": f"[{row['output']}]",
                **_first_argument(row["input"]),
                "constant": "False",
            },
            tags={"value type": type_name(row["output"])},
        )
        for row in rows
    ]


def input_items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items that ask what makes `f` return a value."""
    return [
        Item(
            id=row["id"],
            row=dict(row),
            controls={
                "gold": f"f({row['input']})",
                "wrong": _TOO_MANY,
                "copy": f"f({row['output']})",
                "constant": "f('')",
            },
            tags={"value type": type_name(row["output"])},
        )
        for row in rows
    ]


def _first_argument(arguments: str) -> dict[str, str]:
    """The control that copies it, unless there is none."""
    call = parse(f"f({arguments})", expression=True).body
    assert isinstance(call, ast.Call)
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return {"copy": ast.unparse(values[0])} if values else {}


def _asking(task: str, examples: str, ending: str, assertion: str) -> Callable[[Item], Question]:
    """Fills the assertion with the row; `ending` opens the answer."""

    def ask(item: Item) -> Question:
        case = f"[PYTHON]\n{item.row['code']}\n{assertion.format(**item.row)}\n[/PYTHON]\n{ending}\n"
        return Question(text=task + examples + case, stop=_STOP)

    return ask


def _tracing(trace: str) -> Callable[[Item], Question]:
    def ask(item: Item) -> Question:
        return Question(call=(item.row["code"], ENTRY, item.row["input"]), trace=trace)

    return ask


def _write(answer: str) -> str:
    return f"[ANSWER]\n{answer}\n[/ANSWER]"


def _style(
    ask: Callable[[Item], Question], sampling: Sampling, read: Callable[[str], str | None] = read_output, **more: Any
) -> Style:
    return Style(ask=ask, read=read, sampling=sampling, **{"write": _write, "source": _SOURCE, **more})


def _trace_style(trace: str, max_tokens: int) -> Style:
    source = "greedy decoding of a trace of ours: no prompt in words"
    sampling = Sampling(max_tokens=max_tokens)
    return _style(_tracing(trace), sampling, read_result, write=write_result, source=source)


_OUTPUT = "assert f({input}) == ??"
_INPUT = "assert f(??) == {output}"
OUTPUT_STYLES: Mapping[str, Style] = {
    "direct": _style(_asking(_OUTPUT_TASK + _ONLY, _OUTPUT_EXAMPLES, "[ANSWER]", _OUTPUT), _DIRECT),
    "cot": _style(_asking(_OUTPUT_TASK + _THINK, _OUTPUT_THOUGHT, "[THOUGHT]", _OUTPUT), _THOUGHT),
    "trace": _trace_style("trace", 3072),
    "grammar": _trace_style("grammar", 3072),
    "jump": _trace_style("jump", 400),
}
INPUT_STYLES: Mapping[str, Style] = {
    "direct": _style(_asking(_INPUT_TASK + _ONLY, _INPUT_EXAMPLES, "[ANSWER]", _INPUT), _DIRECT, read_call),
    "cot": _style(_asking(_INPUT_TASK + _THINK, _INPUT_THOUGHT, "[THOUGHT]", _INPUT), _THOUGHT, read_call),
}


@contextmanager
def output_scorer(setting: Setting) -> Iterator[Score]:
    """The literal scorer: text is parsed; only expressions of literals are evaluated, in the sandbox."""
    with LiteralScorer(setting) as scorer:
        yield lambda item, answer: scorer.score(answer, item.row["output"])


@contextmanager
def input_scorer(setting: Setting) -> Iterator[Score]:
    """Runs the row's function on the arguments of the answer, which must be literals; officially, expressions of them.

    Twelve official inputs are neither, such as `range(100, 120)`: of those the row's own text is right, and no other is run.
    """
    with ProgramScorer(replace(setting, repeats=0), QUICK_LIMITS) as scorer:

        def score(item: Item, answer: str | None) -> Verdict:
            call, is_literal = simple_call(answer or "", ENTRY)
            own = f"{ENTRY}({item.row['input']})"
            if answer and "".join(answer.split()) == "".join(own.split()):
                call, is_literal = own, True
            if call is None:
                detail = "no call of f with literals" if answer else "there is no answer"
                return Verdict(strict=False, official=False, reason=Reason.UNPARSABLE, detail=detail)
            verdict = scorer.score_calls(item.row["code"], [call], [parse_literal(item.row["output"])[1]])
            if verdict.official and not is_literal:
                detail = "an argument is an expression, no literal"
                return replace(verdict, strict=False, reason=Reason.UNPARSABLE, detail=detail)
            return verdict

        yield score


OUTPUT = Benchmark(
    name="cruxeval-o",
    title="CRUXEval-O",
    about="what a short Python function returns",
    files=(OFFICIAL,),
    load=lambda options: output_items(_rows(options)),
    styles=OUTPUT_STYLES,
    scorer=output_scorer,
    source="Gu et al., arXiv:2401.03065, MIT",
    note="Copying the first argument scores 17.4 %, and False 3.6 %.",
)
INPUT = Benchmark(
    name="cruxeval-i",
    title="CRUXEval-I",
    about="an argument with which a short Python function returns a given value",
    files=(OFFICIAL,),
    load=lambda options: input_items(_rows(options)),
    styles=INPUT_STYLES,
    scorer=input_scorer,
    is_executing=True,
    source="Gu et al., arXiv:2401.03065, MIT",
    note="Published numbers leave out answers without a call, so that some are up to 9 points higher than here.",
)


def _rows(options: Options) -> list[dict[str, Any]]:
    return OFFICIAL.read(options.paths)
