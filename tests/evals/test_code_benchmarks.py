"""Benchmarks of code, on problems of ours in the form of theirs: right answers pass under both rules, wrong ones fail."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from foretrace.evals.benchmarks import humaneval, leetcode, mbpp, puzzles
from foretrace.evals.benchmarks.evalplus import Rule, plus_scorer, same, same_elements
from foretrace.evals.types import Benchmark, Item, Reason, Score, Setting, Verdict
from foretrace.sandbox import backends

Scorer = Callable[[Setting], AbstractContextManager[Score]]
SETTING = Setting(isolation="bubblewrap" if not backends()["bubblewrap"] else "process")

HUMANEVAL = humaneval.items(
    [
        {
            "task_id": "Own/0",
            "prompt": 'import math\n\n\ndef twice(x):\n    return 2 * x\n\n\ndef halved(x):\n    """Undoes `twice`."""\n',
            "entry_point": "halved",
            "canonical_solution": "    return x // 2\n",
            "test": "def check(candidate):\n    for x in range(9):\n        assert candidate(twice(x)) == x\n"
            "    assert halved(math.floor(6.5)) == 3\n",
        }
    ]
)
SUMS_PROMPT = 'def running(values):\n    """The sums of the first one, two, … values."""\n'
SUMS = """\
    sums = []
    for value in values:
        sums.append(value + (sums[-1] if sums else 0))
    return sums
"""
PLUS = {
    "task_id": "Own/1",
    "prompt": SUMS_PROMPT,
    "entry_point": "running",
    "canonical_solution": SUMS,
    "base_input": [[[1, 2]], [[]]],
    "plus_input": [[[0.1, 0.2, 0.3]], [[1e308, 1e308]], [[1] * 5000]],
    "atol": 0,
}
MBPP = {
    "task_id": 11,
    "text": "Write a function that gives the height of a tree.",
    "code": "class Node:\r\n  def __init__(self, *below):\r\n    self.below = below\r\ndef height(node):\r\n"
    "  return 1 + max(map(height, node.below), default=0)",
    "test_setup_code": "root = Node(Node(), Node(Node()))",
    "test_list": ["assert height(root) == 3", "assert height(Node()) == 1 ", "assert int(height(root)) == 3"],
}
LISTS = """\
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next
"""
LEETCODE = [
    {
        "task_id": "own-1",
        "meta": {"difficulty": "Easy"},
        "prompt": '"""\nCount.\n"""\nclass Solution:\n    def count(self, word: str, letter: str) -> int:\n        ',
        "prompt_sft": "Count.",
        "test": "my_solution = Solution()\n\ntest_input = { 'word': 'abca', 'letter': 'a' }\n"
        "assert my_solution.count(**test_input) == 2\n\ntest_input = { 'word': '', 'letter': 'a' }\n"
        "assert my_solution.count(**test_input) == 0\n",
        "start_time": 1705804200,
    },
    {
        "task_id": "own-2",
        "meta": {"difficulty": "Hard"},
        "prompt": f'"""\nDrop the first.\n"""\n{LISTS}class Solution:\n'
        "    def drop(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        ",
        "prompt_sft": "Drop the first.",
        "test": "my_solution = Solution()\n\n_f1 = lambda lst: ListNode(lst[0], _f1(lst[1:])) if lst else None\n"
        "_f2 = lambda node: [node.val] + _f2(node.next) if node else []\n\n"
        'test_input = { "head": _f1([1,2,3]) }\nassert _f2(my_solution.drop(**test_input)) == [2,3]\n',
        "start_time": 1705804200,
    },
]
PUZZLES = [
    {
        "name": "Square:0",
        "sat": "def sat(x: int, n=49):\n    return x * x == n",
        "ans_type": "int",
        "sol_header": "def sol(n=49):",
        "sol_docstring": '    """A root."""',
        "sol_bodies": ["    return round(n ** 0.5)"],
        "module": "own.py",
    },
    {"name": "Open:0", "sat": "def sat(x: int):\n    return False", "ans_type": "int", "sol_header": "def sol():",
     "sol_docstring": "", "sol_bodies": [], "module": "own.py"},
    {
        "name": "Digits:0",
        "sat": "def sat(x: int):\n    return len(str(x)) == 5000",
        "ans_type": "int",
        "sol_header": "def sol():",
        "sol_docstring": "",
        "sol_bodies": ["    return 10 ** 4999"],
        "module": "own.py",
    },
]  # fmt: skip


def plus_items(**changes: Any) -> list[Item]:
    return humaneval.plus_items([PLUS | changes])


@pytest.fixture(scope="module")
def scored() -> Iterator[Callable[[str, Item, str | None], Verdict]]:
    """Scores by the name of the benchmark; each scorer is opened once."""
    found: dict[str, tuple[AbstractContextManager[Score], Score]] = {}
    known = {
        "humaneval": humaneval.HUMANEVAL,
        "humaneval-plus": humaneval.HUMANEVAL_PLUS,
        "mbpp": mbpp.MBPP,
        "mbpp-plus": mbpp.MBPP_PLUS,
        "leetcode": leetcode.LEETCODE,
        "puzzles": puzzles.PUZZLES,
    }

    def score(name: str, item: Item, answer: str | None) -> Verdict:
        if name not in found:
            manager = known[name].scorer(SETTING)
            found[name] = manager, manager.__enter__()
        return found[name][1](item, answer)

    yield score
    for manager, _ in found.values():
        manager.__exit__(None, None, None)


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


# ---- EvalPlus -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "strict", "official"), [
    ("    from itertools import accumulate\n    return list(accumulate(values))\n", True, True),
    ("    return [sum(values[:n]) for n in range(1, len(values) + 1)]\n", True, True),
    ("    return [sum(values[:n]) + 1e-9 for n in range(1, len(values) + 1)]\n", False, False),
    ("    from itertools import accumulate\n    return tuple(accumulate(values))\n", False, False),
    ("    from itertools import accumulate\n    return [*map(float, accumulate(values))]\n", False, True),
    ("    return ['sha256:' + '0' * 64]\n", False, False),
])  # fmt: skip
def test_values_may_be_near_but_lists_are_lists(body: str, strict: bool, official: bool, scored: Any) -> None:
    verdict = scored("humaneval-plus", plus_items()[0], body)
    assert (verdict.strict, verdict.official) == (strict, official)


def test_a_long_value_that_is_wrong_is_wrong(scored: Any) -> None:
    body = SUMS.replace("return sums", "return sums if len(sums) < 5000 else sums[:-1] + [0]")
    assert scored("humaneval-plus", plus_items()[0], body).reason is Reason.WRONG
    forged = SUMS.replace("return sums", "return sums if len(sums) < 5000 else 'sha256:' + 64 * '0'")
    assert scored("humaneval-plus", plus_items()[0], forged).reason is Reason.WRONG


def test_fetching_long_values_has_an_end(scored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = plus_items(base_input=[[[1] * 5000]] * 5, plus_input=[])
    body = SUMS.replace("return sums", "return [*map(float, sums)]")
    assert scored("humaneval-plus", item, body).official
    monkeypatch.setattr("foretrace.evals.benchmarks.evalplus._FETCHING", 0.0)
    assert not scored("humaneval-plus", item, body).official


def test_a_reference_that_fails_breaks_the_task_and_not_the_answer(scored: Any) -> None:
    (item,) = plus_items(task_id="Own/2", canonical_solution="    return 1 / 0\n")
    verdict = scored("humaneval-plus", item, SUMS)
    assert verdict.reason is Reason.BROKEN
    assert "ZeroDivisionError" in verdict.detail


def test_a_rule_may_take_other_readings() -> None:
    item = plus_items()[0]
    rule = Rule(readings=("def running(values):\n    return len(values)\n",))

    def program(prompt: str, answer: str, entry: str) -> str:
        return f"{prompt}{answer}"

    with plus_scorer(SETTING, program=program, rules={item.id: rule}) as score:
        assert score(item, SUMS).strict
        assert score(item, "    return len(values)\n").strict
        assert score(item, "    return float(len(values))\n").official
        assert not score(item, "    return 0\n").official


def test_any_root_will_do_and_the_test_is_the_polynomial() -> None:
    prompt = 'def find_zero(xs: list):\n    """A root."""\n'
    changes = {"task_id": "HumanEval/32", "prompt": prompt, "entry_point": "find_zero", "atol": 1e-4}
    row = PLUS | changes | {"canonical_solution": "    return 1.0\n", "base_input": [[[-1, 0, 1, 0]]], "plus_input": []}
    (item,) = humaneval.plus_items([row])
    with humaneval.HUMANEVAL_PLUS.scorer(SETTING) as score:
        assert score(item, "    return 1.0\n").strict
        assert score(item, "    return -1.00000001\n").strict
        for wrong in ("0.5", "None", "'1.0'", "True", "float('nan')", "10 ** 400", "[1.0]", "'x' * 20_000", "complex(1)"):
            verdict = score(item, f"    return {wrong}\n")
            assert (verdict.official, verdict.reason) == (False, Reason.WRONG)


@pytest.mark.parametrize(("expected", "value", "atol", "strict", "official"), [
    (1.0, 1.0 + 1e-7, 0, True, True),
    (1.0, 1.0 + 1e-5, 0, False, False),
    (1.0, 1, 0, False, True),
    (1.0, True, 0, False, True),
    ([1.0, 2.0], [1.0, 2.0 + 1e-8], 0, True, True),
    ([1.0, 2.0], [1.0], 0, False, False),
    ([1.0, 2], [1.0 + 1e-8, 2], 0, False, False),
    ([1.0, 2], [1.0 + 1e-8, 2], 1e-6, True, True),
    ([1.0, 2], [1, 2 + 1e-8], 1e-6, False, True),
    ((1.0,), [1.0], 1e-6, False, False),
    (float("inf"), float("inf"), 1e-6, True, True),
    (float("inf"), 1e308, 1e-6, False, False),
    (1.0, 10**400, 1e-6, False, False),
    (1.0, "1.0", 1e-6, False, False),
    (["a", 1.0], ["b", 1.0], 1e-6, False, False),
    (1 + 1j, 1 + 1j + 1e-8, 1e-6, True, True),
    ([], [], 0, True, True),
])  # fmt: skip
def test_near_floats(expected: Any, value: Any, atol: float, strict: bool, official: bool) -> None:
    assert same(expected, value, atol) == (strict, official)


@pytest.mark.parametrize(("expected", "value", "found"), [
    ((1, 2), (2, 1, 1), (True, True)),
    ((1, 2), [2, 1], (False, True)),
    ((1, 2), (1, 3), (False, False)),
    ((1, 2), 3, (False, False)),
    ((1, 2), ([1], 2), (False, False)),
    ((1, 2), (True, 2), (False, True)),
    ((1, 2), "12", (False, False)),
    ((1, 2), [n * (2**61 - 1) + 1 for n in range(100_000)], (False, False)),
])  # fmt: skip
def test_same_elements(expected: Any, value: Any, found: tuple[bool, bool]) -> None:
    assert same_elements(expected, value, 0) == found


def test_arguments_have_the_types_that_json_lost(scored: Any) -> None:
    rows = [
        {"task_id": f"Mbpp/{number}", "prompt": "", "entry_point": "f", "base_input": inputs, "plus_input": [], "atol": 0,
         "canonical_solution": "def f(*given):\n    return given\n"}
        for number, inputs in ((2, [[[1], [2]]]), (750, [[[1], [2]]]), (252, [["1+2j"]]), (115, [[[[1], []]]]), (3, [[[1]]]))
    ]  # fmt: skip
    items = {item.id: item.row["inputs"] for item in mbpp.plus_items(rows)}
    assert items == {
        "Mbpp/2": [[(1,), (2,)]],
        "Mbpp/750": [[[1], (2,)]],
        "Mbpp/252": [[1 + 2j]],
        "Mbpp/115": [[[{1}, {}]]],
        "Mbpp/3": [[[1]]],
    }
    for item in mbpp.plus_items(rows):
        assert scored("mbpp-plus", item, item.controls["gold"]).strict
        assert not scored("mbpp-plus", item, item.controls["wrong"]).official


def test_a_match_is_as_good_as_true(scored: Any) -> None:
    changes = {"task_id": "Mbpp/737", "prompt": "", "entry_point": "starts", "base_input": [["ab"], ["b"]], "plus_input": []}
    row = PLUS | changes | {"canonical_solution": "import re\ndef starts(s):\n    return re.match('a', s)\n"}
    (item,) = mbpp.plus_items([row])
    assert scored("mbpp-plus", item, item.controls["gold"]).strict
    assert scored("mbpp-plus", item, "def starts(s):\n    return s.startswith('a')\n").strict
    assert not scored("mbpp-plus", item, "def starts(s):\n    return not s.startswith('a')\n").official
    assert not scored("mbpp-plus", item, "def starts(s):\n    return s\n").official


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
