"""LiveCodeBench: official files are read without trust, programs and functions are run as there, answers parsed."""

import base64
import json
import pickle
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import livecodebench, livecodebench_texts
from foretrace.evals.benchmarks.livecodebench_data import official_rows, private_tests
from foretrace.evals.types import Item, Options, Reason, Setting
from foretrace.sandbox import backends

SETTING = Setting(isolation="bubblewrap" if not backends()["bubblewrap"] else "process")


def case(given: str, output: str, kind: str = "stdin") -> dict[str, str]:
    return {"input": given, "output": output, "testtype": kind}


def packed(content: Any) -> str:
    """As the official files have it."""
    return base64.b64encode(zlib.compress(pickle.dumps(content))).decode()


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "question_title": "Double",
        "question_content": "Print twice the number.",
        "platform": "atcoder",
        "question_id": f"own_{number}",
        "contest_id": "own",
        "contest_date": f"2024-{number:02}-01T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([case("2\n", "4\n")]),
        "private_test_cases": packed(json.dumps([case("-3\n", "-6\n")])),
        "metadata": "{}",
    } | changes


FUNCTION = {
    "starter_code": "class Solution:\n    def pairs(self, a: List[int], b: int) -> List[List[int]]:\n        ",
    "public_test_cases": json.dumps([case("[1, 2]\n3", "[[1, 3], [2, 3]]", "functional")]),
    "private_test_cases": json.dumps([case("[]\n0", "[]", "functional")]),
    "metadata": json.dumps({"func_name": "pairs"}),
}


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(line) + "\n" for line in rows), "utf-8")
    return file


# ---- files ----------------------------------------------------------------------------------------


def test_all_official_files_of_a_folder_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORETRACE_EVALDATA", raising=False)
    write(tmp_path, "test.jsonl", [row(1), row(2)])
    write(tmp_path, "test2.jsonl", [row(3)])
    write(tmp_path, "rebuilt.jsonl", [row(4, test_info=[])])
    (tmp_path / "other.jsonl").write_text("no JSON\n")
    items = livecodebench.OFFICIAL.load(Options(paths=(str(tmp_path),)))
    assert [item.id for item in items] == ["own_1", "own_2", "own_3"]
    assert items[0].row["tests"] == [("2\n", "4\n"), ("-3\n", "-6\n")]
    assert items[0].tags == {"difficulty": "easy", "month": "2024-01", "errata": "no", "platform": "atcoder"}


def test_the_window_ends_before_its_last_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORETRACE_EVALDATA", raising=False)
    file = write(tmp_path, "test.jsonl", [row(1), row(2), row(3)])
    options = Options(paths=(str(file),), window=("2024-02-01", "2024-03-01"))
    assert [item.id for item in livecodebench.OFFICIAL.load(options)] == ["own_2"]
    with pytest.raises(UsageError, match="from 2024-01-01 to 2024-03-01"):
        livecodebench.OFFICIAL.load(Options(paths=(str(file),), window=("2023-01-01", "2024-01-01")))


def test_without_files_one_is_told_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORETRACE_EVALDATA", raising=False)
    with pytest.raises(UsageError, match="datasets/livecodebench/code_generation_lite"):
        official_rows(Options(), livecodebench.FIELDS, "code_generation_lite")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/PWNED_BY_PICKLE"),))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickled_text_of_any_protocol_is_read(protocol: int) -> None:
    text = json.dumps([case("ä\n", "1")])
    data = base64.b64encode(zlib.compress(pickle.dumps(text, protocol=protocol))).decode()
    if protocol == 0:  # its texts are escaped in another way, and nobody has such files
        with pytest.raises(UsageError, match="refused"):
            private_tests(data)
    else:
        assert private_tests(data) == [case("ä\n", "1")]


@pytest.mark.parametrize(("value", "why"), [
    (packed(Evil()), "more than a text"),
    (packed(["[]"]), "more than a text"),
    (packed(b"[]"), "more than a text"),
    (packed('{"a": 1}'), "no list"),
    (base64.b64encode(zlib.compress(b"\x80\x04.")).decode(), "0 texts"),
    (base64.b64encode(zlib.compress(pickle.dumps("[]")[:-1])).decode(), "no pickle"),
    (base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-2]).decode(), "damaged"),
    (base64.b64encode(b"no zlib").decode(), "cannot be unpacked"),
    ("no base64!", "cannot be unpacked"),
])  # fmt: skip
def test_other_pickles_are_refused(value: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        private_tests(value)
    assert not Path("/tmp/PWNED_BY_PICKLE").exists()


def test_a_text_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretrace.evals.benchmarks.livecodebench_data._MAX_BYTES", 1000)
    with pytest.raises(UsageError, match="more than"):
        private_tests(packed("[" + " " * 5000 + "]"))


# ---- code -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "strict", "official", "reason"), [
    ("print(2 * int(input()))", True, True, Reason.RIGHT),
    ("import os\nprint(2 * int(os.read(0, 99)))", True, True, Reason.RIGHT),
    ("print(2.0 * int(input()))", False, True, Reason.WRONG),
    ("print(4)", False, False, Reason.WRONG),
    ("pass", False, False, Reason.WRONG),
    ("print(", False, False, Reason.ERROR),
    (None, False, False, Reason.UNPARSABLE),
])  # fmt: skip
def test_programs(answer: str | None, strict: bool, official: bool, reason: Reason) -> None:
    (item,) = livecodebench.items([row(1)])
    with livecodebench.OFFICIAL.scorer(SETTING) as score:
        verdict = score(item, answer)
    assert (verdict.strict, verdict.official, verdict.reason) == (strict, official, reason)


WHOLE = "class Solution:\n    def pairs(self, a: List[int], b: int) -> List[List[int]]:\n        "


@pytest.mark.parametrize(("answer", "strict", "official", "reason"), [
    (WHOLE + "return [[x, b] for x in a]", True, True, Reason.RIGHT),
    ("return [[x, b] for x in a]", True, True, Reason.RIGHT),
    ("return list(product(a, [b]))", False, True, Reason.WRONG),
    ("return [[x, b + 1] for x in a]", False, False, Reason.WRONG),
    ("return None", False, False, Reason.WRONG),
])  # fmt: skip
def test_functions(answer: str, strict: bool, official: bool, reason: Reason) -> None:
    (item,) = livecodebench.items([row(1, **FUNCTION)])
    with livecodebench.OFFICIAL.scorer(SETTING) as score:
        verdict = score(item, answer)
    assert (verdict.strict, verdict.official, verdict.reason) == (strict, official, reason)


def test_where_all_calls_take_too_long_together_each_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(livecodebench._ONE, seconds=1.5)
    monkeypatch.setattr(livecodebench, "_ALL", replace(quick, seconds=0.5))
    monkeypatch.setattr(livecodebench, "_ONE", quick)
    (item,) = livecodebench.items([row(1, **FUNCTION)])
    with livecodebench.OFFICIAL.scorer(SETTING) as score:
        slow = score(item, "import time; time.sleep(0.3); return [[x, b] for x in a]")
        hanging = score(item, "while b == 0: pass\n        return [[x, b] for x in a]")
    assert slow.strict
    assert hanging.reason is Reason.TIMEOUT
    assert hanging.detail.startswith("test 2 of 2")


def test_controls_and_questions() -> None:
    accepted = [{"code": "print(1)", "passes_all_kept_tests": False}, {"code": "print(2)", "passes_all_kept_tests": True}]
    (program,) = livecodebench.items([row(1, accepted_solutions=accepted)])
    (function,) = livecodebench.items([row(1, **FUNCTION)])
    assert program.controls["gold"] == "print(2)"
    assert "gold" not in function.controls
    for item in (program, function):
        for style in livecodebench.OFFICIAL.styles.values():
            question = style.ask(item)
            assert "Print twice the number." in question.chat
            assert "-6" not in question.chat + question.text
            assert all(style.read(style.write(answer)) == answer for answer in item.controls.values())
    with livecodebench.OFFICIAL.scorer(SETTING) as score:
        assert not any(score(item, item.controls["wrong"]).official for item in (program, function))


def test_cwm_reads_exactly_one_block() -> None:
    direct, cwm = (livecodebench.OFFICIAL.styles[name].read for name in ("direct", "cwm"))
    two = "```python\na = 1\n```\nor\n```python\nb = 2\n```"
    assert (direct(two), cwm(two)) == ("b = 2", None)
    assert (direct("a = 1"), cwm("a = 1")) == ("a = 1", None)


# ---- texts ----------------------------------------------------------------------------------------

EXECUTION = {
    "question_id": 7,
    "id": "sample_7",
    "code": "def f(n: int) -> list:\n    return [n, n + 1]",
    "input": "f(n = 3)",
    "output": "[3, 4]",
    "function_name": "f",
    "contest_date": "2024-01-01T00:00:00",
    "difficulty": "easy",
}
OUTPUT = {
    "question_id": "8",
    "test_id": 2,
    "question_content": "Is it a cat?",
    "starter_code": "class Solution:\n    def is_cat(self, name: str, age: int) -> bool:\n        ",
    "function_name": "is_cat",
    "contest_date": "2024-01-01T00:00:00",
    "difficulty": "easy",
    "test": json.dumps([case('"Tom == Jerry"\n3', "true", "functional")]),
}


def text_items() -> list[tuple[str, Item]]:
    execution = livecodebench_texts.execution_items([EXECUTION])
    return [("EXECUTION", *execution), ("OUTPUT", *livecodebench_texts.output_items([OUTPUT]))]


@pytest.mark.parametrize(("name", "item"), text_items())
def test_values_are_read_in_every_style(name: str, item: Item) -> None:
    benchmark = getattr(livecodebench_texts, name)
    with benchmark.scorer(SETTING) as score:
        for style in benchmark.styles.values():
            verdicts = {control: score(item, style.read(style.write(item.controls[control]))) for control in item.controls}
            assert (verdicts["gold"].strict, verdicts["gold"].official) == (True, True)
            assert not verdicts["wrong"].official
            question = style.ask(item)
            assert question.call or question.text
            assert item.row["output"] not in question.text.rpartition("[PYTHON]")[2]


def test_a_call_becomes_a_trace() -> None:
    (item,) = livecodebench_texts.execution_items([EXECUTION])
    question = livecodebench_texts.EXECUTION.styles["trace"].ask(item)
    assert question.call == (EXECUTION["code"], "f", "n = 3")
    assert question.trace == "trace"


def test_the_call_itself_is_no_answer() -> None:
    (item,) = livecodebench_texts.execution_items([EXECUTION])
    with livecodebench_texts.EXECUTION.scorer(SETTING) as score:
        assert score(item, "f(n = 3)").reason is Reason.UNPARSABLE


@pytest.mark.parametrize(("text", "read"), [
    ("assert is_cat('Tom', 3) == True", "True"),
    ("first\nassert is_cat('a') == False\nno:\n  assert is_cat('Tom == Jerry', 3) == True", "True"),
    ("```python\nTrue\n```", "True"),
    ("```python\nassert is_cat(1) == [1,\n 2]\n```", "[1,"),
    ("It is a cat.", None),
    ("", None),
])  # fmt: skip
def test_the_last_assertion_is_the_answer(text: str, read: str | None) -> None:
    assert livecodebench_texts.read_assertion(text) == read
