"""LeetCode contests of July 2023 to January 2024, with a hundred assertions a problem (DeepSeek-Coder, arXiv:2401.14196).

    find_benchmark("leetcode").load(Options(paths=("evaldata",)))[0].tags               # {"difficulty": "Easy", "month": …}

There are no solutions with it. So the control `gold` is one that has all answers in a table: it shows that the judge passes
what gives them, and no more.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from foretrace.evals.benchmarks.coding import LIMITS, PREAMBLE, STOP, WRONG_VALUE, code_style, program_of, unanswered
from foretrace.evals.files import DataFile
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Benchmark, Item, Options, Question, Score, Setting, Verdict
from foretrace.trace.syntax import parse

DATA = DataFile(
    name="leetcode_20240121_Jul.jsonl",
    sha256="7630417651034cfef749d2b21b47163921e1199e078b39ecbc218b4e7c73fbfc",
    rows=180,
    licence="code MIT, problems (c) LeetCode: for evaluation only",
    source="github.com/deepseek-ai/DeepSeek-Coder, Evaluation/LeetCode/data/20240121-Jul.jsonl, under this name",
)
ENTRY = "Solution"
_INPUT, _INSTANCE = "test_input", "my_solution"
_CHAT = "{}\n\nGive the class as a whole, in one Markdown code block.\n"


def items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of rows `{"task_id", "meta", "prompt", "prompt_sft", "test", "start_time"}`."""
    return [_item(row) for row in rows]


def _item(row: Mapping[str, Any]) -> Item:
    setup, tests = split_test(row["test"])
    return Item(
        id=row["task_id"],
        row={
            "prompt": row["prompt"],
            "chat": row["prompt_sft"],
            "setup": setup,
            "calls": [call for call, _, _ in tests],
            "expected": [expected for _, _, expected in tests],
        },
        controls=_controls(tests),
        tags={
            "difficulty": row["meta"]["difficulty"],
            "month": datetime.fromtimestamp(row["start_time"], UTC).strftime("%Y-%m"),
        },
    )


def split_test(test: str) -> tuple[str, list[tuple[str, str, Any]]]:
    """What prepares a test, and of each assertion the text of the call, that of its input, and the value.

    A test is a list of `test_input = {…}` and `assert my_solution.name(**test_input) == LITERAL`, after what prepares both.
    """
    setup, given = list[str](), ""
    tests: list[tuple[str, str, Any]] = []
    for statement in parse(test).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if name == _INPUT:
                given = ast.unparse(statement.value)
            case ast.Assert(test=ast.Compare(left=call, ops=[ast.Eq()], comparators=[value])):
                text = f"(lambda {_INPUT}: {ast.unparse(call)})({given})"
                tests.append((text, given, ast.literal_eval(value)))
            case ast.Assign():
                setup.append(ast.unparse(statement))
            case _:
                raise ValueError(f"a statement of another form: {ast.unparse(statement)[:100]}")
    return "\n".join(setup), tests


def _controls(tests: list[tuple[str, str, Any]]) -> dict[str, str]:
    """A solution that looks answers up, where no classes are needed; one that has another answer."""
    call, given, _ = tests[0]
    (method,) = filter(None, map(_method, ast.walk(parse(call))))

    def solution(body: str) -> str:
        return f"class {ENTRY}:\n    def {method}(self, **given):\n        return {body}\n"

    wrong = {"wrong": solution(WRONG_VALUE)}
    if _has_call(given):
        return wrong
    table = ", ".join(f"{given!r}: {expected!r}" for _, given, expected in tests)
    return {"gold": f"_TABLE = {{{table}}}\n\n{solution('_TABLE[repr(given)]')}", **wrong}


def _method(node: ast.AST) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=method) if name == _INSTANCE:
            return method
    return None


def _has_call(text: str) -> bool:
    return any(isinstance(node, ast.Call) for node in ast.walk(parse(text)))


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    """Evaluates all calls on one object, as the published judge does."""
    with ProgramScorer(setting, LIMITS) as programs:

        def score(item: Item, answer: str | None) -> Verdict:
            row = item.row
            if answer is None:
                return unanswered()
            source = PREAMBLE + program_of(row["prompt"], answer, ENTRY)
            return programs.score_calls(source, row["calls"], row["expected"], setup=row["setup"])

        yield score


def _ask(item: Item) -> Question:
    return Question(text=item.row["prompt"], chat=_CHAT.format(item.row["chat"]), stop=STOP)


def _load(options: Options) -> list[Item]:
    return items(DATA.read(options.paths))


LEETCODE = Benchmark(
    name="leetcode",
    title="LeetCode contests",
    about="solutions of contest problems of 2023 and 2024, a hundred assertions each",
    files=(DATA,),
    load=_load,
    styles={"direct": code_style(_ask, "both prompts as published, and a sentence about the form of the answer")},
    scorer=scorer,
    is_executing=True,
    source="Guo et al. (DeepSeek-Coder), arXiv:2401.14196; problems (c) LeetCode",
    note="Two problems accept several answers, and the data knows one: find-indices-with-index-and-value-difference-i, -ii.",
)
