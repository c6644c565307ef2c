"""MBPP: write a function from a sentence and three assertions (Austin et al., arXiv:2108.07732; data CC-BY-4.0).

    find_benchmark("mbpp").load(Options(paths=("evaldata",)))[0].id                    # "Mbpp/11": the test split, 11 to 510
    find_benchmark("mbpp-plus")                 # 378 of them, repaired, with many more tests (arXiv:2305.01210; Apache-2.0)

Every assertion of the test split compares a call with a literal: the call runs in the sandbox, and its value comes back.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from foretrace.evals.benchmarks.coding import LIMITS, WRONG_VALUE, code_style, defines, unanswered
from foretrace.evals.benchmarks.evalplus import Rule, load_inputs, plus_scorer, same_elements
from foretrace.evals.files import DataFile
from foretrace.evals.scorers import rules
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Benchmark, Item, Options, Question, Sampling, Score, Setting, Verdict
from foretrace.trace.syntax import parse

OFFICIAL = DataFile(
    name="mbpp.jsonl",
    sha256="ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
    rows=974,
    licence="CC-BY-4.0",
    source="github.com/google-research/google-research, mbpp/",
)
PLUS = DataFile(
    name="MbppPlus.jsonl.gz",
    sha256="af43697e8791c4c149bdfd6b489d8b5412507551ac20e28a439f650b8225db63",
    rows=378,
    licence="Apache-2.0",
    source="github.com/evalplus/mbppplus_release, v0.2.0",
)
TEST_SPLIT = range(11, 511)
_LIMITS = replace(LIMITS, seconds=60, cpu_seconds=20)
"""One solution of the data's own looks for divisors for seconds (123)."""
EXAMPLES = (2, 3, 4)
"""Tasks of the prompt, as published."""

_TASK = "You are an expert Python programmer, and here is your task: {} Your code should pass these tests:\n\n{}\n"
_CHAT = """\
{}

Write the Python function that is called here. Give a program that is whole, with its imports, in one Markdown code block:

{}
"""


def items(rows: Sequence[Mapping[str, Any]]) -> list[Item]:
    """The test split of the official rows. Every question holds the examples."""
    examples = "".join(
        f"{_task(row)}[BEGIN]\n{_plain(row['code'])}\n[DONE]\n\n" for row in rows if row["task_id"] in EXAMPLES
    )
    return [_item(row, examples) for row in rows if row["task_id"] in TEST_SPLIT]


def _item(row: Mapping[str, Any], examples: str) -> Item:
    tests = [split_assertion(text) for text in row["test_list"]]
    return Item(
        id=f"Mbpp/{row['task_id']}",
        row={
            "text": row["text"],
            "prompt": f"{examples}{_task(row)}[BEGIN]\n",
            "tests": row["test_list"],
            "setup": _plain(row["test_setup_code"]),
            "calls": [call for call, _ in tests],
        },
        controls={"gold": _plain(row["code"]), "wrong": _wrong(entry_of(row["test_list"][0]))},
    )


def _task(row: Mapping[str, Any]) -> str:
    return _TASK.format(row["text"], "\n".join(row["test_list"]))


def _plain(code: str) -> str:
    return code.replace("\r\n", "\n")


def _wrong(entry: str) -> str:
    return f"def {entry}(*arguments):\n    return {WRONG_VALUE}\n"


def split_assertion(text: str) -> tuple[str, Any]:
    """Of `assert CALL == LITERAL` the text of the call, and the value.

    Raises:
        ValueError: it is none.

    """
    text = text.strip()
    match parse(text).body:
        case [ast.Assert(test=ast.Compare(left=call, ops=[ast.Eq()], comparators=[value]))]:
            return ast.get_source_segment(text, call) or "", ast.literal_eval(value)
    raise ValueError(f"no assertion of a call and a literal: {text[:100]}")


def entry_of(assertion: str) -> str:
    """The name of the function that is called: the innermost first one, as in `set(f(…)) == set(…)`."""
    calls = [node for node in ast.walk(parse(assertion.strip())) if isinstance(node, ast.Call)]
    names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
    return next((name for name in names if name not in ("int", "set", "len", "sorted")), names[0])


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    """Evaluates the calls. What prepares arguments (`root = Node(1)`) runs after the answer, whose classes it needs."""
    with ProgramScorer(setting, _LIMITS) as programs:

        def score(item: Item, answer: str | None) -> Verdict:
            if answer is None:
                return unanswered()
            expected = [split_assertion(text)[1] for text in item.row["tests"]]
            same = _same_numbers if item.id in UNTYPED else rules.same
            return programs.score_calls(answer, item.row["calls"], expected, setup=item.row["setup"], same=same)

        yield score


def _same_numbers(expected: Any, value: Any) -> tuple[bool, bool]:
    official = rules.same(expected, value)[1]
    return official, official


UNTYPED = frozenset(f"Mbpp/{number}" for number in (14, 38, 55, 76, 78, 293, 335, 397, 414, 422, 432, 491))
"""Tasks whose own solution gives 16.0 where the tests say 16, or the other way round: equal is strict enough."""


def _ask(item: Item) -> Question:
    tests = "\n".join(item.row["tests"])
    return Question(text=item.row["prompt"], chat=_CHAT.format(item.row["text"], tests), stop=("[DONE]",))


MBPP = Benchmark(
    name="mbpp",
    title="MBPP",
    about="functions written from a sentence and three assertions",
    files=(OFFICIAL,),
    load=lambda options: items(OFFICIAL.read(options.paths)),
    styles={
        "direct": code_style(_ask, "completion: three examples, as published; chat: wording ours", Sampling(max_tokens=512))
    },
    scorer=scorer,
    is_executing=True,
    source="Austin et al., arXiv:2108.07732, CC-BY-4.0",
    note="The test split, tasks 11 to 510. The prompt shows all the tests.",
)


# ---------------------------------------------------------------------------------------------------
# MBPP+


def plus_items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of rows with `base_input`, `plus_input` and `atol`."""
    return [
        Item(
            id=row["task_id"],
            row={
                "prompt": row["prompt"],
                "entry": row["entry_point"],
                "solution": row["canonical_solution"],
                "inputs": [*map(_SHAPE_OF.get(_number(row), list), load_inputs(row))],
                "atol": row["atol"],
            },
            controls={"gold": row["canonical_solution"], "wrong": _wrong(row["entry_point"])},
        )
        for row in rows
    ]


def _number(row: Mapping[str, Any]) -> int:
    return int(row["task_id"].rpartition("/")[2])


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _tuples(values: Any) -> list[Any]:
    return [tuple(value) for value in values]


_SHAPES: Sequence[tuple[Callable[[list[Any]], list[Any]], set[int]]] = (
    # JSON has no tuples, sets or complex numbers: how the arguments of these tasks come out of it
    (
        _tuples,
        {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809},
    ),
    (lambda given: [*map(_tuples, given)], {63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}),
    (lambda given: [_tuples(given[0]), *given[1:]], {75, 413, 444, 753}),
    (lambda given: [given[0], tuple(given[1])], {106, 750}),
    (lambda given: [tuple(given[0]), *given[1:]], {250, 307, 405, 446, 617, 720, 763, 808}),
    (lambda given: [tuple(_tuples(value)) for value in given], {259, 401, 445}),
    (lambda given: [tuple(tuple(item) if isinstance(item, list) else item for item in given[0])], {278}),
    (lambda given: [{key: tuple(value) for key, value in given[0].items()}, *given[1:]], {722}),
    (lambda given: [[set(item) if isinstance(item, list) and item else {} for item in given[0]]], {115}),
    (lambda given: [float(given[0]), complex(given[1])], {124}),
    (lambda given: [complex(given[0])], {252}),
    (lambda given: [*map(_deep, given)], {580, 615, 791}),
)
_SHAPE_OF = {number: shape for shape, numbers in _SHAPES for number in numbers}

_IS_SOME = "(lambda value: value if type(value) is bool else value is not None)({function}(*{arguments}))"
"""Where the reference gives a match of a regular expression, or None."""
_DIGIT_DISTANCE = """\
def digit_distance_nums(first, second):
    width = max(len(str(first)), len(str(second)))
    return sum(abs(int(a) - int(b)) for a, b in zip(str(first).zfill(width), str(second).zfill(width)))
"""
_SURFACE_AREA = """\
def surface_Area(edge, height):
    slant = ((edge / 2) ** 2 + height**2) ** 0.5
    return round(edge**2 + 2 * edge * slant)
"""
_RULES = {
    **dict.fromkeys((f"Mbpp/{number}" for number in (2, 7, 111, 140, 232, 249, 579, 769)), Rule(same=same_elements)),
    **dict.fromkeys((f"Mbpp/{number}" for number in (737, 787, 794)), Rule(call=_IS_SOME)),
    "Mbpp/558": Rule(readings=(_DIGIT_DISTANCE,)),  # numbers of different lengths: by place
    "Mbpp/581": Rule(readings=(_SURFACE_AREA,)),  # the height may be that of the pyramid, not of its sides
}


def _program(prompt: str, answer: str, entry: str) -> str:
    return answer if defines(answer, entry) else f"{prompt}{answer}\n"


def _ask_plus(item: Item) -> Question:
    prompt = item.row["prompt"]
    asked, _, test = prompt.strip().strip('"').strip().partition("\nassert")
    return Question(text=prompt, chat=_CHAT.format(asked, f"assert{test}"), stop=('\n"""', "\nassert", "\n```", "\nprint("))


def _load_plus(options: Options) -> list[Item]:
    return plus_items(PLUS.read(options.paths))


MBPP_PLUS = Benchmark(
    name="mbpp-plus",
    title="MBPP+",
    about="378 functions of MBPP, with many more tests",
    files=(PLUS,),
    load=_load_plus,
    styles={
        "direct": code_style(_ask_plus, "completion: the prompt as published; chat: the form of EvalPlus, wording ours")
    },
    scorer=partial(plus_scorer, program=_program, rules=_RULES),
    is_executing=True,
    source="Liu et al., arXiv:2305.01210, Apache-2.0, v0.2.0",
)
