"""LiveCodeBench's tasks that are answered with a value: what a program returns, what a test expects.

    find_benchmark("livecodebench-execution").load(Options(paths=("execution-v2",)))     # 479 calls of contest solutions
    find_benchmark("livecodebench-output").load(Options(paths=("test_generation",)))     # 442 inputs of problems
    find_benchmark("livecodebench-output-public")           # 748 inputs, rebuilt from statements: not comparable

Answers are parsed and never run. The official runner drops answers that hold the call from its count; here they are wrong.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from foretrace.evals.benchmarks.coding import blocks
from foretrace.evals.benchmarks.livecodebench_data import in_window, listed, official_rows, tags_of
from foretrace.evals.documents import read_result, write_result
from foretrace.evals.files import DataFile
from foretrace.evals.scorers.literal import LiteralScorer, read_output, type_name
from foretrace.evals.types import Benchmark, Item, Options, Question, Sampling, Score, Setting, Style

EXECUTION_FIELDS = ("code", "input", "output", "function_name", "contest_date")
OUTPUT_FIELDS = ("question_content", "starter_code", "function_name", "test", "test_id", "contest_date")
REBUILT = DataFile(
    name="lcb_testoutput_like.jsonl",
    sha256="1820bd286dcec2a5054b6cd42037b61ce817ca273f25fa9180c1941f16a4658e",
    rows=748,
    licence="code MIT, problems (c) LeetCode: for evaluation only",
    source="github.com/LiveCodeBench/submissions (results of o1 models, rebuilt; docs/evals-benchmarks.md says how)",
)
_STOP = ("[/ANSWER]",)
_PROMPT = "the form of the official prompt (github.com/LiveCodeBench/LiveCodeBench), wording ours; settings as published"
_SETTINGS = Sampling(samples=10, temperature=0.2, top_p=0.95, max_tokens=2000)

_EXECUTION = """\
Here is a Python program, and an assertion whose right side is missing. Execute the program as it is written, even if it \
looks wrong, and complete the assertion with a literal: no calls and no expressions that are left to evaluate. """
_ONLY = "Write the whole assertion between [ANSWER] and [/ANSWER], as in the example, and nothing else.\n\n"
_THINK = "Think step by step first. Then write the whole assertion between [ANSWER] and [/ANSWER], as in the example.\n\n"
_EXAMPLE = """\
[PYTHON]
def largest(values):
    best = values[0]
    for value in values:
        if value > best:
            best = value
    return best
assert largest(values = [3, 8]) == ??
[/PYTHON]
"""
_THOUGHT = """\
[THOUGHT]
best is 3 at first. The loop compares 3 with 3, which is not larger, and then 8 with 3, which is: best is 8.
The function returns 8.
[/THOUGHT]
"""
_ANSWERED = "[ANSWER]\nassert largest(values = [3, 8]) == 8\n[/ANSWER]\n\n"
_OUTPUT = """\
Here is a programming problem, the signature of the function that solves it, and a test of it that is not complete. Work \
out what the function returns for this input, and complete the test with a literal, in one Markdown code block.

Problem:
{question}

Function:
```python
{starter}
```

Complete this test:
```python
assert {call} == # to do
```
"""


def execution_items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of rows with a program, a call and what it gives. Calls of one problem are a group."""
    return [
        Item(
            id=str(row.get("id", at)),
            row={key: row[key] for key in ("code", "input", "output", "function_name")},
            controls={"gold": row["output"], "wrong": f"[{row['output']}]", "constant": "1"},
            group=str(row.get("question_id", "")),
            tags={"value type": type_name(row["output"]), "difficulty": row.get("difficulty", "")},
        )
        for at, row in enumerate(rows)
    ]


def output_items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of rows with a problem and one test of it."""
    return [_output_item(row) for row in rows]


def _output_item(row: Mapping[str, Any]) -> Item:
    (test,) = listed(row["test"])
    expected = repr(json.loads(test["output"]))
    call = f"{row['function_name']}({', '.join(repr(json.loads(line)) for line in test['input'].split(chr(10)))})"
    return Item(
        id=f"{row['question_id']}_{row['test_id']}",
        row={"question": row["question_content"], "starter": row["starter_code"], "call": call, "output": expected},
        controls={"gold": expected, "wrong": f"[{expected}]", "constant": "1"},
        group=str(row["question_id"]),
        tags=tags_of(row, **{"value type": type_name(expected)}),
    )


def read_assertion(text: str) -> str | None:
    """The right side of the last line that is an assertion; else what the first block holds."""
    lines = [line.strip() for line in text.split("\n") if line.strip().startswith("assert")]
    return read_output(lines[-1] if lines else next(iter(blocks(text)), ""))


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    """The literal scorer."""
    with LiteralScorer(setting) as literals:
        yield lambda item, answer: literals.score(answer, item.row["output"])


def _ask_execution(task: str, example: str, ending: str, item: Item) -> Question:
    case = f"[PYTHON]\n{item.row['code']}\nassert {item.row['input']} == ??\n[/PYTHON]\n{ending}\n"
    return Question(text=_EXECUTION + task + example + case, stop=_STOP)


def _ask_trace(trace: str, item: Item) -> Question:
    name, _, arguments = item.row["input"].strip().partition("(")
    return Question(call=(item.row["code"], name.strip(), arguments.removesuffix(")")), trace=trace)


def _ask_output(item: Item) -> Question:
    text = _OUTPUT.format(**item.row)
    return Question(text=f"{text}\nThe whole test:\n```python\n", chat=text, stop=("\n```",))


def _execution_style(ask: Callable[[Item], Question]) -> Style:
    return Style(
        ask=ask,
        read=read_output,
        write=lambda answer: f"[ANSWER]\n{answer}\n[/ANSWER]",
        sampling=_SETTINGS,
        source=_PROMPT,
    )


def _trace_style(trace: str, max_tokens: int) -> Style:
    source = "greedy decoding of a trace of ours: no prompt in words"
    sampling = Sampling(max_tokens=max_tokens)
    return Style(ask=partial(_ask_trace, trace), read=read_result, write=write_result, sampling=sampling, source=source)


_SOURCE = "Jain et al., arXiv:2403.07974"
EXECUTION = Benchmark(
    name="livecodebench-execution",
    title="LiveCodeBench, code execution",
    about="what solutions of contest problems return (official file)",
    load=lambda options: execution_items(official_rows(options, EXECUTION_FIELDS, "execution-v2")),
    chosen_by=("window",),
    styles={
        "direct": _execution_style(partial(_ask_execution, _ONLY, _EXAMPLE + _ANSWERED, "[ANSWER]")),
        "cot": _execution_style(partial(_ask_execution, _THINK, _EXAMPLE + _THOUGHT + _ANSWERED, "[THOUGHT]")),
        "trace": _trace_style("trace", 3072),
        "grammar": _trace_style("grammar", 3072),
        "jump": _trace_style("jump", 400),
    },
    scorer=scorer,
    source=_SOURCE,
    note="Published numbers leave out answers that hold the call.",
)
_OUTPUT_STYLES = {
    "direct": Style(
        ask=_ask_output,
        read=read_assertion,
        write=lambda answer: f"```python\nassert solution() == {answer}\n```",
        sampling=_SETTINGS,
        source=_PROMPT,
    )
}


def _load_output(options: Options) -> list[Item]:
    return output_items(official_rows(options, OUTPUT_FIELDS, "test_generation"))


OUTPUT = Benchmark(
    name="livecodebench-output",
    title="LiveCodeBench, test output prediction",
    about="what a test of a contest problem expects (official file)",
    load=_load_output,
    chosen_by=("window",),
    styles=_OUTPUT_STYLES,
    scorer=scorer,
    source=_SOURCE,
)
OUTPUT_PUBLIC = Benchmark(
    name="livecodebench-output-public",
    title="LiveCodeBench, test output prediction, rebuilt",
    about="the same of other tests, which statements show: not comparable",
    files=(REBUILT,),
    load=lambda options: output_items(in_window(REBUILT.read(options.paths), options)),
    chosen_by=("window",),
    styles=_OUTPUT_STYLES,
    scorer=scorer,
    source=_SOURCE,
    note="Not comparable with LiveCodeBench: other inputs, with the examples cut out of the statements.",
)
