"""HumanEval: write a function from its signature and docstring (Chen et al., arXiv:2107.03374; data MIT).

    find_benchmark("humaneval").load(Options(paths=("evaldata",)))[0].id               # "HumanEval/0"
    find_benchmark("humaneval-plus")            # the same with eighty times as many tests (arXiv:2305.01210; Apache-2.0)

HumanEval's own tests run in a process that the answer is not in; what is more in `humaneval-plus` are inputs, for which the
reference solution gives what is expected.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from foretrace.evals.benchmarks.coding import LIMITS, STOP, WRONG_VALUE, code_style, program_of, unanswered
from foretrace.evals.benchmarks.evalplus import Rule, load_inputs, plus_scorer
from foretrace.evals.files import DataFile
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Benchmark, Item, Options, Question, Score, Setting, Verdict

OFFICIAL = DataFile(
    name="HumanEval.jsonl",
    sha256="621ff099e7d6a9b630619acd3568aef441dec51a8c84f881a9dd1f2d2ed15914",
    rows=164,
    licence="MIT",
    source="github.com/openai/human-eval, data/HumanEval.jsonl.gz, unpacked",
)
PLUS = DataFile(
    name="HumanEvalPlus.jsonl.gz",
    sha256="272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101",
    rows=164,
    licence="Apache-2.0",
    source="github.com/evalplus/humanevalplus_release, v0.1.10",
)
_WRONG = f"    return {WRONG_VALUE}\n"
_CHAT = """\
Complete the Python function below, so that it does what its docstring says. Give a program that is whole, with its \
imports, in one Markdown code block.

```python
{}
```
"""


def items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of rows `{"task_id", "prompt", "entry_point", "canonical_solution", "test"}`."""
    return [
        Item(
            id=row["task_id"],
            row={"prompt": row["prompt"], "entry": row["entry_point"], "test": row["test"]},
            controls={"gold": row["canonical_solution"], "wrong": _WRONG},
        )
        for row in rows
    ]


def plus_items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of rows with `base_input`, `plus_input` and `atol` instead of a test."""
    return [
        Item(
            id=row["task_id"],
            row={
                "prompt": row["prompt"],
                "entry": row["entry_point"],
                "solution": row["prompt"] + row["canonical_solution"],
                "inputs": load_inputs(row),
                "atol": row["atol"],
            },
            controls={"gold": row["canonical_solution"], "wrong": _WRONG},
        )
        for row in rows
    ]


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    """Runs `check(candidate)`. Helpers of the prompt are the test's, too; so is the function by its own name."""
    with ProgramScorer(setting, LIMITS) as programs:

        def score(item: Item, answer: str | None) -> Verdict:
            row = item.row
            if answer is None:
                return unanswered()
            return programs.score_asserts(
                program_of(row["prompt"], answer, row["entry"]),
                f"{row['test']}\ncheck(candidate)\n",
                context=row["prompt"],
                proxies={"candidate": row["entry"], row["entry"]: row["entry"]},
            )

        yield score


def _root(expected: Any, value: Any, atol: float) -> tuple[bool, bool]:
    """Whether `value` is near a root of the polynomial with these coefficients: there are others than the reference's.

    The reference gives integers, too.
    """
    if type(value) not in (float, int):
        return False, False
    try:
        x = float(value)
        is_root = abs(sum(coefficient * x**power for power, coefficient in enumerate(expected))) <= atol
    except OverflowError:
        return False, False
    return is_root, is_root


_RULES = {"HumanEval/32": Rule(expected="{arguments}[0]", same=_root)}


def _ask(item: Item) -> Question:
    prompt = item.row["prompt"]
    return Question(text=prompt, chat=_CHAT.format(prompt.strip()), stop=STOP)


_STYLES = {"direct": code_style(_ask, "completion: the prompt as published; chat: the form of EvalPlus, wording ours")}

HUMANEVAL = Benchmark(
    name="humaneval",
    title="HumanEval",
    about="functions written from their docstrings",
    files=(OFFICIAL,),
    load=lambda options: items(OFFICIAL.read(options.paths)),
    styles=_STYLES,
    scorer=scorer,
    is_executing=True,
    source="Chen et al., arXiv:2107.03374, MIT",
    note="Seven tests a problem: humaneval-plus finds more that is wrong.",
)


def _load_plus(options: Options) -> list[Item]:
    return plus_items(PLUS.read(options.paths))


HUMANEVAL_PLUS = Benchmark(
    name="humaneval-plus",
    title="HumanEval+",
    about="the functions of HumanEval, with eighty times as many tests",
    files=(PLUS,),
    load=_load_plus,
    styles=_STYLES,
    scorer=partial(plus_scorer, program=program_of, rules=_RULES),
    is_executing=True,
    source="Liu et al., arXiv:2305.01210, Apache-2.0, v0.1.10",
)
