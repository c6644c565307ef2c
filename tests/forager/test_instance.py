"""Instances in SWE-bench's form, and how tasks are told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foretrace.errors import FormatError, UsageError
from foretrace.forager.mutation.sampling import Mutation
from foretrace.forager.task import Task
from foretrace.forager.tasks.instance import Instance, read_instances, write_instances
from foretrace.forager.tasks.statements import HINTS, statement
from foretrace.sandbox.environment import Image

INSTANCE = Instance(
    instance_id="toolz-1",
    repo="pytoolz/toolz",
    patch="diff --git a/x b/x\n",
    problem_statement="It fails.",
    fail_to_pass=("tests/test_a.py::test_ü[1]",),
    pass_to_pass=("tests/test_a.py::test_b", "tests/test_a.py::test_c"),
    mutation={"operator": "return_removed", "line": 3},
    test_files={"tests/test_a.py": "00"},
    licence="BSD-3-Clause",
)
MUTATION = Mutation("return_removed", "toolz/functoolz.py", "curry.bind", 12, "return x removed", "a\n", "b\n")
TESTS = [f"tests/test_f.py::test_{n}" for n in range(12)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_instances(tmp_path / "i.jsonl", [INSTANCE, INSTANCE])
    assert list(read_instances(tmp_path / "i.jsonl")) == [INSTANCE, INSTANCE]
    assert [path.name for path in tmp_path.iterdir()] == ["i.jsonl"]


def test_tests_are_json_in_a_string_as_swe_bench_has_them() -> None:
    record = INSTANCE.to_json()
    assert json.loads(record["FAIL_TO_PASS"]) == ["tests/test_a.py::test_ü[1]"]
    assert len(json.loads(record["PASS_TO_PASS"])) == 2
    assert {"repo", "instance_id", "base_commit", "patch", "test_patch", "problem_statement", "hints_text"} <= record.keys()


@pytest.mark.parametrize("tests", [["a", "b"], '["a", "b"]'])
@pytest.mark.parametrize("as_list", [True, False])
def test_files_of_others_are_read(tmp_path: Path, tests: object, as_list: bool) -> None:
    theirs = {"instance_id": "x-1", "repo": "x/y", "patch": "", "problem_statement": "p", "FAIL_TO_PASS": tests, "junk": 1}
    text = json.dumps([theirs]) if as_list else f"{json.dumps(theirs)}\n\n"
    (tmp_path / "theirs.json").write_text(text)
    [instance] = read_instances(tmp_path / "theirs.json")
    assert (instance.fail_to_pass, instance.pass_to_pass, instance.source) == (("a", "b"), (), "theirs.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 1}, "patch must be text"),
        ({"instance_id": ""}, "instance_id must be text"),
        ({"FAIL_TO_PASS": "[1]"}, "FAIL_TO_PASS is no list"),
        ({"FAIL_TO_PASS": "["}, "no instance"),
        ({"patch": None}, "patch"),
    ],
)
def test_what_is_no_instance_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    (tmp_path / "i.jsonl").write_text(json.dumps(INSTANCE.to_json()) + "\n" + json.dumps(INSTANCE.to_json() | change))
    with pytest.raises(FormatError, match=f"instance 2: .*{message}"):
        list(read_instances(tmp_path / "i.jsonl"))


def test_what_is_no_json_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text("{")
    with pytest.raises(FormatError, match="neither JSON nor JSON Lines"):
        list(read_instances(tmp_path / "i.jsonl"))


@pytest.mark.parametrize(
    ("hints", "told"),
    [
        ("function", {"curry.bind", "toolz/functoolz.py", "test_0`", "and 4 more"}),
        ("tests", {"test_0`", "and 4 more"}),
        ("traceback", {"assert 1 == 2"}),
        ("file", {"toolz/functoolz.py"}),
        ("nothing", set()),
    ],
)
def test_each_level_tells_what_it_says_and_no_more(hints: str, told: set[str]) -> None:
    everything = {"curry.bind", "toolz/functoolz.py", "test_0`", "and 4 more", "assert 1 == 2"}
    for seed in range(20):
        text = statement(MUTATION, TESTS, seed=seed, hints=hints, trace="E   assert 1 == 2")
        assert {part for part in everything if part in text} == told
        assert "return" not in text  # what was done is never told


def test_how_tests_are_run_is_told_and_what_was_said_later_only_if_asked_for() -> None:
    instance = replace(INSTANCE, hints_text="It is line 3.")
    image = Image(root=())
    assert Task.of(instance, image).hints == ""
    assert Task.of(instance, image, command="python -m pytest t").hints == "The tests are run with `python -m pytest t`."
    assert Task.of(instance, image, hints=True, command="x").hints == "The tests are run with `x`.\n\nIt is line 3."


def test_words_vary_and_the_seed_decides() -> None:
    texts = {statement(MUTATION, TESTS, seed=seed) for seed in range(30)}
    assert len(texts) > 20
    assert statement(MUTATION, TESTS, seed=3) == statement(MUTATION, TESTS, seed=3)
    with pytest.raises(UsageError, match=HINTS[0]):
        statement(MUTATION, TESTS, seed=1, hints="all")
