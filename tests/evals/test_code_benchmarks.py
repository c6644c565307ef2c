"""Benchmarks of code, on problems of ours in the form of theirs: right answers pass under both rules, wrong ones fail."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from code_problems import HUMANEVAL, LEETCODE, MBPP, PUZZLES, plus_items, scoring

from foretrace.evals.benchmarks import humaneval, leetcode, mbpp, puzzles
from foretrace.evals.types import Benchmark, Item, Reason, Score, Setting, Verdict

Scorer = Callable[[Setting], AbstractContextManager[Score]]


@pytest.fixture(scope="module")
def scored() -> Iterator[Callable[[str, Item, str | None], Verdict]]:
    with scoring() as score:
        yield score


CASES: list[tuple[str, Item]] = [
    *(("humaneval", item) for item in HUMANEVAL),
    *(("humaneval-plus", item) for item in plus_items()),
    *(("mbpp", item) for item in mbpp.items([MBPP])),
    *(("leetcode", item) for item in leetcode.items(LEETCODE)),
    *(("puzzles", item) for item in puzzles.items(PUZZLES)),
]


@pytest.mark.parametrize(("name", "item"), CASES, ids=[item.id for _, item in CASES])
def test_gold_passes_and_wrong_fails_under_both_rules(name: str, item: Item, scored: Any) -> None:
    if "gold" in item.controls:
        verdict = scored(name, item, item.controls["gold"])
        assert (verdict.strict, verdict.official, verdict.detail) == (True, True, "")
    verdict = scored(name, item, item.controls["wrong"])
    assert (verdict.strict, verdict.official) == (False, False)
    assert verdict.reason in (Reason.WRONG, Reason.ERROR)
    assert scored(name, item, None).reason is Reason.UNPARSABLE


BENCHMARKS = [humaneval.HUMANEVAL, humaneval.HUMANEVAL_PLUS, mbpp.MBPP, mbpp.MBPP_PLUS, leetcode.LEETCODE, puzzles.PUZZLES]


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_questions_tell_the_task_and_no_answer(benchmark: Benchmark) -> None:
    items = {
        "humaneval": HUMANEVAL,
        "humaneval-plus": plus_items(),
        "mbpp": mbpp.items([MBPP]),
        "mbpp-plus": [],
        "leetcode": leetcode.items(LEETCODE),
        "puzzles": puzzles.items(PUZZLES),
    }[benchmark.name]
    (style,) = benchmark.styles.values()
    for item in items:
        question = style.ask(item)
        assert question.text
        assert question.chat
        assert question.stop
        assert not any(question.text.count(stop) > item.row["prompt"].count(stop) for stop in question.stop)
        for control in item.controls.values():
            assert style.read(style.write(control)) == control
            assert control.strip() not in question.text + question.chat


# ---- HumanEval ------------------------------------------------------------------------------------


def test_a_whole_program_is_as_good_as_what_goes_on(scored: Any) -> None:
    whole = "def halved(x):\n    return math.floor(x / 2)\n"
    assert scored("humaneval", HUMANEVAL[0], whole).strict


def test_an_answer_of_another_type_passes_officially_only(scored: Any) -> None:
    verdict = scored("humaneval", HUMANEVAL[0], "    return x / 2\n")
    assert (verdict.strict, verdict.official) == (False, True)


# ---- MBPP -----------------------------------------------------------------------------------------


def test_only_the_test_split_is_asked_and_the_prompt_has_three_others() -> None:
    rows = [MBPP | {"task_id": number, "text": f"Task {number}."} for number in range(1, 700)]
    items = mbpp.items(rows)
    assert [item.id for item in items] == [f"Mbpp/{number}" for number in range(11, 511)]
    prompt = items[0].row["prompt"]
    assert [f"Task {number}." in prompt for number in (1, 2, 3, 4, 5, 11, 12)] == [
        False,
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    assert "\r" not in prompt
    assert prompt.endswith("[BEGIN]\n")
    assert prompt.count("[DONE]") == 3


@pytest.mark.parametrize("text", ["assert f(1)", "f(1) == 2", "assert f(1) == g(2)", "assert f(1) == 2\nassert True"])
def test_other_assertions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no assertion|malformed"):
        mbpp.split_assertion(text)


# ---- LeetCode -------------------------------------------------------------------------------------


def test_nodes_are_made_where_the_solution_is(scored: Any) -> None:
    item = leetcode.items(LEETCODE)[1]
    assert "gold" not in item.controls
    for answer in (
        "return head.next",
        "class Solution:\n    def drop(self, head: Optional[ListNode]):\n        return head.next",
    ):
        assert scored("leetcode", item, answer).strict
    assert not scored("leetcode", item, "return head").official


def test_the_table_of_answers_knows_each_of_them(scored: Any) -> None:
    item = leetcode.items(LEETCODE)[0]
    assert item.tags == {"difficulty": "Easy", "month": "2024-01"}
    swapped = item.controls["gold"].replace("2", "9")
    assert not scored("leetcode", item, swapped).official


def test_a_test_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="another form"):
        leetcode.split_test("my_solution = Solution()\nprint(my_solution)\n")


# ---- Puzzles --------------------------------------------------------------------------------------


def test_puzzles_without_a_solution_are_not_asked() -> None:
    assert [item.id for item in puzzles.items(PUZZLES)] == ["Square:0", "Digits:0"]
    assert puzzles.items(PUZZLES)[0].group == "Square"


@pytest.mark.parametrize(("answer", "strict", "official"), [
    ("    return -7", True, True),
    ("def sol():\n    return next(x for x in range(100) if sat(x))", True, True),
    ("    return 7.0", False, False),
    ("    class Any(int):\n        __mul__ = lambda self, other: n\n    return Any()", False, False),
    ("    globals()['sat'] = lambda x: True\n    return 3", False, False),
    ("    return n", False, False),
])  # fmt: skip
def test_the_puzzle_decides(answer: str, strict: bool, official: bool, scored: Any) -> None:
    verdict = scored("puzzles", puzzles.items(PUZZLES)[0], answer)
    assert (verdict.strict, verdict.official) == (strict, official)


def test_a_puzzle_that_does_not_give_true_itself_is_not_solved(scored: Any) -> None:
    item = puzzles.items(PUZZLES)[0]
    truthy = replace(item, row=item.row | {"sat": "def sat(x):\n    return x"})
    assert not scored("puzzles", truthy, "    return 1").official
    hanging = replace(item, row=item.row | {"sat": "def sat(x):\n    raise ValueError"})
    assert not scored("puzzles", hanging, "    return 1").official


@pytest.mark.parametrize(("value", "name", "exactly", "roughly"), [
    (1, "int", True, True),
    (True, "int", False, False),
    (1, "float", False, True),
    (1.0, "float", True, True),
    ([[1], []], "List[List[int]]", True, True),
    ([[1], [1.0]], "List[List[float]]", False, True),
    ([1, True], "List[int]", False, False),
    ((1,), "List[int]", False, False),
    ("a", "str", True, True),
])  # fmt: skip
def test_types_of_values(value: Any, name: str, exactly: bool, roughly: bool) -> None:
    assert puzzles.is_of_type(value, name) is exactly
    assert puzzles.is_of_type(value, name, is_exact=False) is roughly
