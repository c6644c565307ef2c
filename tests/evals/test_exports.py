"""Official formats, written and read back; tasks for other harnesses, which score as a run of ours does."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from toy_benchmark import Scripted, plan, right, sums

from foretrace.cli.main import cli
from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_style, humaneval
from foretrace.evals.exports import FORMS, export, export_tasks, read_completions
from foretrace.evals.exports.answers import answers_of, items_of
from foretrace.evals.exports.evalplus import solution_of
from foretrace.evals.exports.scoring import read_documents, score
from foretrace.evals.folder import Part
from foretrace.evals.plan import Plan
from foretrace.evals.run import carry_out
from foretrace.evals.subjects import find_subject
from foretrace.evals.subjects.completions import Completions
from foretrace.evals.types import Answer, Item, Options


def part_named(folder: Path, name: str, ids: list[str], say: Any = right, limit: int | None = None, **sampling: Any) -> Part:
    """A part of a run of sums that has the name of another benchmark, and ids of its items."""
    items = [
        Item(id=at, row={"number": n, "answer": str(2 * n)}, controls={"gold": str(2 * n), "wrong": "x"})
        for n, at in enumerate(ids)
    ]
    benchmark = sums(name=name, load=lambda options: items)
    run = carry_out([plan(benchmark, limit=limit, **sampling)], Scripted(say), folder)
    return run.parts[f"{name}.plain"]


FORMED = [
    ("cruxeval", "cruxeval-o", ["sample_0", "sample_1", "sample_10"]),
    ("livecodebench", "livecodebench", ["abc300_a", "1873_B", "2777"]),
    ("livecodebench", "livecodebench-output", ["2777_0", "2777_1", "2850_11"]),
    ("swebench", "swebench-verified", ["django__django-11099", "a__b-1"]),
]


@pytest.mark.parametrize(("form", "benchmark", "ids"), FORMED)
def test_what_is_written_is_read_back(form: str, benchmark: str, ids: list[str], tmp_path: Path) -> None:
    part = part_named(tmp_path / "run", benchmark, ids)
    file = tmp_path / "answers"
    assert export(part, form, file, model="a model") == len(ids)
    assert read_completions(file) == {item: [str(2 * n)] for n, item in enumerate(ids)}
    assert Completions.open(str(file)).are_extracted


def test_samples_keep_their_order_and_no_answer_is_an_empty_one(tmp_path: Path) -> None:
    def say(item: Item, sample: int) -> str:
        return "nothing" if sample == 1 else f"= {sample}"

    part = part_named(tmp_path / "run", "cruxeval-o", ["sample_0"], say, samples=3, temperature=0.5)
    export(part, "cruxeval", tmp_path / "output.json")
    assert json.loads((tmp_path / "output.json").read_text()) == {"sample_0": ["0", "", "2"]}


def test_the_official_tools_want_all_items(tmp_path: Path) -> None:
    part = part_named(tmp_path / "run", "cruxeval-o", ["sample_0", "sample_1"], limit=1)
    with pytest.raises(UsageError, match="1 of 2 items of cruxeval-o:plain have no answer"):
        export(part, "cruxeval", tmp_path / "output.json")

    def fail(item: Item, sample: int) -> Answer:
        return Answer(text="", error="the server is down")

    broken = part_named(tmp_path / "broken", "livecodebench", ["a"], fail)
    with pytest.raises(UsageError, match="1 of 1 items"):
        export(broken, "livecodebench", tmp_path / "codes.json")


def test_a_form_is_for_its_benchmarks(tmp_path: Path) -> None:
    part = part_named(tmp_path / "run", "math500", ["a"])
    for form in FORMS:
        with pytest.raises(UsageError, match=f"{form} knows no math500"):
            export(part, form, tmp_path / "file")
    with pytest.raises(UsageError, match="there is no form 'csv'"):
        export(part, "csv", tmp_path / "file")
    several = part_named(tmp_path / "several", "swebench-verified", ["a__b-1"], samples=2, temperature=0.5)
    with pytest.raises(UsageError, match="takes one"):
        export(several, "swebench", tmp_path / "file")


def test_code_execution_is_a_list_in_the_order_of_numbers(tmp_path: Path) -> None:
    part = part_named(tmp_path / "run", "livecodebench-execution", ["sample_10", "sample_2"])
    export(part, "livecodebench", tmp_path / "answers.json")
    assert json.loads((tmp_path / "answers.json").read_text()) == [["2"], ["0"]]
    with pytest.raises(UsageError, match="does not say whose answers"):
        read_completions(tmp_path / "answers.json")


def test_test_outputs_are_assertions(tmp_path: Path) -> None:
    part = part_named(tmp_path / "run", "livecodebench-output", ["2777_3"])
    export(part, "livecodebench", tmp_path / "answers.json")
    [row] = json.loads((tmp_path / "answers.json").read_text())
    assert row == {"question_id": "2777", "test_id": 3, "pred_list": ["assert answer == 0"]}


def test_predictions_have_what_the_harness_reads(tmp_path: Path) -> None:
    part = part_named(tmp_path / "run", "swebench-verified", ["a__b-1"])
    export(part, "swebench", tmp_path / "predictions.jsonl", model="mine")
    [line] = (tmp_path / "predictions.jsonl").read_text().splitlines()
    assert json.loads(line) == {"instance_id": "a__b-1", "model_name_or_path": "mine", "model_patch": "0"}


ROW = {
    "task_id": "HumanEval/0",
    "prompt": 'from math import floor\n\n\ndef f(x):\n    """Twice."""\n',
    "entry_point": "f",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def test_evalplus_gets_whole_programs() -> None:
    [item] = humaneval.items([ROW])
    for answer in ("    return 2 * x\n", "def f(x):\n    return floor(x) * 2"):
        space: dict[str, Any] = {}
        exec(solution_of(item, answer), space)  # ours
        assert space["f"](3) == 6
    assert solution_of(item, "") == ""


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FORETRACE_EVALDATA"), reason="needs HumanEval: FORETRACE_EVALDATA")
def test_humaneval_is_written_as_it_was_judged(tmp_path: Path) -> None:
    run = carry_out([Plan.of("humaneval")], find_subject("control:gold"), tmp_path / "run", workers=2)
    part = run.part("humaneval")
    assert export(part, "evalplus", tmp_path / "samples.jsonl") == 164
    for texts in read_completions(tmp_path / "samples.jsonl").values():
        assert "def " in texts[0]
        compile(texts[0], "solution", "exec")


def test_items_are_those_that_were_asked(tmp_path: Path) -> None:
    plans = [Plan.of("halting:direct", options=Options(count=4))]
    part = carry_out(plans, find_subject("control:gold"), tmp_path / "run").part("halting")
    assert {item.id for item in items_of(part)} == answers_of(part).keys()
    other = Part(part.folder, {**part.manifest, "options": {**part.manifest["options"], "seed": 7}})
    with pytest.raises(UsageError, match="is not what"):
        items_of(other)


@pytest.mark.parametrize(
    ("content", "answers"),
    [
        ('{"task_id": "HumanEval/3", "completion": "    return 1"}\n', {"HumanEval/3": ["    return 1"]}),
        ('{"raw_generations": {"sample_3": [" 1 ", "2"]}, "pass_at_1": 3}', {"sample_3": ["1", "2"]}),
        ('[{"instance_id": "a", "model_patch": null}]', {"a": [""]}),
        ('[{"id": "sample_1", "pred_list": ["assert f(1) == [2]", "3"]}]', {"sample_1": ["[2]", "3"]}),
    ],
)
def test_files_of_others_are_read(content: str, answers: dict[str, list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    assert read_completions(tmp_path / "file") == answers


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "none of the forms"),
        ("[]", "none of the forms"),
        ("not json", "neither JSON nor JSON lines"),
        ("[" * 100_000, "neither JSON nor JSON lines"),
        ('{"sample_0": "no list"}', "sample_0 has no list of texts"),
        ('[{"question_id": 1, "code_list": [1]}]', "no list of texts"),
        ('{"task_id": "x", "solution": 3}', "neither a solution nor a completion"),
        ('[{"instance_id": "a", "model_patch": 3}]', "is no text"),
    ],
)
def test_what_cannot_be_read_is_said(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(UsageError, match=told):
        read_completions(tmp_path / "file")


# ---------------------------------------------------------------------------------------------------
# Tasks


@pytest.mark.parametrize("form", ["lm-eval", "inspect"])
def test_a_task_scores_as_a_run_does(form: str, tmp_path: Path) -> None:
    written = export_tasks("fresh:direct", form, tmp_path / "tasks", Options(count=5))
    documents = read_documents(next(file for file in written if file.suffix == ".jsonl"))
    style = find_style("fresh:direct")[0].styles["direct"]
    assert len(documents) == 5
    for document in documents:
        assert "[ANSWER]" in document["prompt"]
        assert document["target"] not in document["prompt"].rpartition("[PYTHON]")[2].rpartition("==")[2]
        assert score(document, style.write(document["target"])).strict
        assert not score(document, style.write(f"[{document['target']}]")).official
        assert score(document, "no answer").reason == "unparsable"
        assert not score(document, "<think>[ANSWER]1[/ANSWER]").strict


def test_a_task_of_lm_eval_says_all_that_it_needs(tmp_path: Path) -> None:
    written = export_tasks("fresh:cot", "lm-eval", tmp_path, Options(count=2))
    task = next(file for file in written if file.suffix == ".yaml").read_text()
    for told in ("task: foretrace_fresh_cot\n", "metric: strict\n", "metric: official\n", 'until: ["[/ANSWER]"]\n'):
        assert told in task
    assert "!function foretrace_utils.load" in task
    compile((tmp_path / "foretrace_utils.py").read_text(), "utils", "exec")


def test_a_task_of_inspect_is_a_program(tmp_path: Path) -> None:
    written = export_tasks("fresh:direct", "inspect", tmp_path, Options(count=2))
    program = next(file for file in written if file.suffix == ".py").read_text()
    compile(program, "task", "exec")
    assert "def foretrace_fresh_direct() -> Task:" in program


@pytest.mark.parametrize("form", ["lm-eval", "inspect"])
def test_a_trace_cannot_be_asked_for_elsewhere(form: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="asks for a trace"):
        export_tasks("fresh:trace", form, tmp_path, Options(count=2))


def test_the_command_writes_tasks_and_answers(tmp_path: Path) -> None:
    tasks = ["eval", "export", "halting:direct", "--count", "4", "--form", "lm-eval", "-o", str(tmp_path / "tasks")]
    assert CliRunner().invoke(cli, tasks).exit_code == 0
    assert len(read_documents(tmp_path / "tasks" / "foretrace_halting_direct.lm-eval.jsonl")) == 4
    part_named(tmp_path / "run", "cruxeval-o", ["sample_0"])
    answers = ["eval", "export", str(tmp_path / "run"), "--form", "cruxeval", "-o", str(tmp_path / "output.json")]
    found = CliRunner().invoke(cli, answers)
    assert found.exit_code == 0
    assert "1 answers of cruxeval-o:plain" in found.output
    wrong = CliRunner().invoke(cli, [*answers[:3], "--form", "evalplus", "-o", str(tmp_path / "x")])
    assert wrong.exit_code != 0
