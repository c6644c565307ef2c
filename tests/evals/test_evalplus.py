"""HumanEval+ and MBPP+: answers are compared with what a reference gives, as EvalPlus does and a little stricter."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from code_problems import PLUS, SETTING, SUMS, plus_items, scoring

from foretrace.evals.benchmarks import humaneval, mbpp
from foretrace.evals.benchmarks.evalplus import Rule, plus_scorer, same, same_elements
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict

Scorer = Callable[[Setting], AbstractContextManager[Score]]


@pytest.fixture(scope="module")
def scored() -> Iterator[Callable[[str, Item, str | None], Verdict]]:
    with scoring() as score:
        yield score


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
