"""LiveCodeBench: solve contest problems that are newer than the model (Jain et al., arXiv:2403.07974).

    find_benchmark("livecodebench").load(Options(paths=("code_generation_lite",), window=("2024-10-01", "2025-02-01")))
    find_benchmark("livecodebench-public")      # statements' own examples as tests: lenient, not comparable

Programs read standard input and write standard output, as real processes; solutions of LeetCode's problems are called.
Settings and rules are those of the official runner, `cwm` has those of Meta's CWM (one block, or nothing).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from foretrace.evals.benchmarks.coding import (
    LIMITS,
    PREAMBLE,
    WRONG_VALUE,
    call_text,
    code_style,
    program_of,
    read_last,
    read_only,
    unanswered,
)
from foretrace.evals.benchmarks.livecodebench_data import in_window, listed, official_rows, private_tests, tags_of
from foretrace.evals.files import DataFile
from foretrace.evals.scorers import rules
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Benchmark, Item, Question, Reason, Sampling, Score, Setting, Verdict
from foretrace.sandbox import SandboxLimits

FIELDS = ("question_content", "contest_date", "starter_code", "public_test_cases", "private_test_cases", "metadata")
REBUILT = DataFile(
    name="lcb_codegen_v5_rebuilt.jsonl",
    sha256="3315844da5067d8de7815b0ccdc6d09f29de0a56f95a3e455ba3fdf33d63b161",
    rows=880,
    licence="code MIT, problems (c) LeetCode, AtCoder, Codeforces: for evaluation only",
    source="github.com/LiveCodeBench/submissions (results of o1 models, rebuilt; docs/evals-benchmarks.md says how)",
)
ENTRY = "Solution"
SECONDS = 6
"""Of one test, as published; but of processor time, since on a busy machine others take their share of the clock's."""
_ONE = replace(LIMITS, seconds=4 * SECONDS, cpu_seconds=SECONDS)
_ALL = replace(LIMITS, seconds=8 * SECONDS, cpu_seconds=2 * SECONDS)
"""Of all calls in one process; where that is not enough, each has its own."""

_QUESTION = """\
You will be given a programming problem. Write a correct Python program that solves it and passes all its tests.

### Question:
{}

### Format:
{}
```python
{}
```

### Answer:
"""
_FUNCTIONAL = "Complete this class, and give it as a whole in one Markdown code block."
_STDIN = (
    "Read the input from standard input and write the answer to standard output; do not run the examples. "
    "Give the whole program in one Markdown code block, like this."
)
_ONLY = "\nWhatever you write besides, there must be exactly one code block.\n"


def items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of official rows; those with `accepted_solutions` have gold."""
    return [_item(row) for row in rows]


def _item(row: Mapping[str, Any]) -> Item:
    tests = [*listed(row["public_test_cases"]), *private_tests(row["private_test_cases"])]
    function = (listed(row["metadata"]) or {}).get("func_name", "") if row["starter_code"] else ""
    accepted = [known["code"] for known in row.get("accepted_solutions", ()) if known["passes_all_kept_tests"]]
    wrong = f"class {ENTRY}:\n    def {function}(self, *given):\n        return {WRONG_VALUE}\n"
    return Item(
        id=str(row["question_id"]),
        row={
            "question": row["question_content"],
            "starter": row["starter_code"],
            "function": function,
            "tests": [(test["input"], test["output"]) for test in tests],
        },
        controls={"wrong": wrong if function else f"print({WRONG_VALUE})\n", **({"gold": accepted[0]} if accepted else {})},
        tags=tags_of(row, platform=row["platform"]),
    )


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    """Runs programs, or calls functions."""
    with ProgramScorer(setting, _ONE) as programs:

        def score(item: Item, answer: str | None) -> Verdict:
            row = item.row
            if answer is None:
                return unanswered()
            if not row["function"]:
                return programs.score_stdin(PREAMBLE + answer, row["tests"])
            return _score_function(programs, PREAMBLE + program_of(row["starter"], answer, ENTRY), row)

        yield score


def _score_function(programs: ProgramScorer, source: str, row: Mapping[str, Any]) -> Verdict:
    """All calls on one object; if that takes too long, each on one of its own, with all the time that a test has."""
    setup = f"solution = {ENTRY}()"
    calls = [call_text(f"solution.{row['function']}", map(json.loads, given.split("\n"))) for given, _ in row["tests"]]
    expected = [json.loads(output) for _, output in row["tests"]]

    def verdict_on(some: Sequence[int], limits: SandboxLimits) -> Verdict:
        chosen = [calls[at] for at in some], [expected[at] for at in some]
        return programs.score_calls(source, *chosen, setup=setup, same=rules.same_with_tuples, limits=limits)

    verdict = verdict_on(range(len(calls)), _ALL)
    if verdict.reason not in (Reason.TIMEOUT, Reason.KILLED):
        return verdict
    worst = verdict
    for at in range(len(calls)):
        one = verdict_on([at], _ONE)
        if not one.official:
            return replace(one, detail=f"test {at + 1} of {len(calls)}: {one.detail}")
        worst = one if at == 0 or not one.strict else worst
    return worst


def _ask(item: Item, ending: str = "") -> Question:
    row = item.row
    form, code = (_FUNCTIONAL, row["starter"]) if row["function"] else (_STDIN, "# your code")
    prompt = f'"""\n{row["question"]}\n"""\n{row["starter"]}'
    chat = _QUESTION.format(row["question"], form, code) + ending
    return Question(text=prompt, chat=chat, stop=("\n```", '\n"""'))


def _ask_for_one(item: Item) -> Question:
    return replace(_ask(item, _ONLY), text="")


_STYLES = {
    "direct": code_style(
        _ask,
        "the form of the official prompt (github.com/LiveCodeBench/LiveCodeBench), wording ours; settings as published",
        Sampling(samples=10, temperature=0.2, top_p=0.95, max_tokens=2000),
        read=read_last,
    ),
    "cwm": code_style(
        _ask_for_one,
        "CWM's reading: exactly one block after the thought (facebookresearch/cwm), wording ours; settings as published",
        Sampling(samples=10, temperature=1.0, top_p=0.95, max_tokens=65_536),
        read=read_only,
    ),
}
_SOURCE = "Jain et al., arXiv:2403.07974; code MIT, problems (c) LeetCode, AtCoder, Codeforces"

OFFICIAL = Benchmark(
    name="livecodebench",
    title="LiveCodeBench",
    about="contest problems by date, with all their tests (official files)",
    load=lambda options: items(official_rows(options, FIELDS, "code_generation_lite")),
    chosen_by=("window",),
    styles=_STYLES,
    scorer=scorer,
    is_executing=True,
    source=_SOURCE,
    note="Say the release and the window of dates. Eleven problems accept several answers and two are interactive.",
)
PUBLIC = Benchmark(
    name="livecodebench-public",
    title="LiveCodeBench, public tests only",
    about="the same problems, with the statements' examples as tests: not comparable",
    files=(REBUILT,),
    load=lambda options: items(in_window(REBUILT.read(options.paths), options)),
    chosen_by=("window",),
    styles=_STYLES,
    scorer=scorer,
    is_executing=True,
    source=_SOURCE,
    note="Not comparable with LiveCodeBench: 36 % of the programs that the official judge rejects pass here.",
)
