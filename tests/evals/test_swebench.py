"""SWE-bench Verified: its harness is run as a program and its report is read; without it nothing is called resolved."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.scorers.harness import Harness, missing
from foretrace.evals.types import Item, Options, Reason, Setting
from foretrace.sandbox.environments import backends

DATA = os.environ.get("FORETRACE_EVALDATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="FORETRACE_EVALDATA names no folder")
PATCH = "diff --git a/a b/a\n"
STAND_IN = '''
"""Takes the harness's options and leaves its files, with what the patch tells it to."""
import json, pathlib, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
row = json.loads(pathlib.Path(options["--dataset_name"]).read_text())
prediction = json.loads(pathlib.Path(options["--predictions_path"]).read_text())
name = options["--instance_ids"]
assert row["instance_id"] == prediction["instance_id"] == name
model, run, told = prediction["model_name_or_path"], options["--run_id"], prediction["model_patch"].split("\\n")[1]
log = pathlib.Path("logs/run_evaluation", run, model, name)
log.mkdir(parents=True)
passed = {"success": ["a", "b"], "failure": []}
failed = {"success": ["a"], "failure": ["b"]}
status = {"FAIL_TO_PASS": passed if told == "resolved_ids" else failed, "PASS_TO_PASS": passed}
if told == "unapplied":
    (log / "run_instance.log").write_text(">>>>> Patch Apply Failed:\\nno")
if told == "late":
    (log / "run_instance.log").write_text("Test timed out after 9 seconds.")
if told in ("resolved_ids", "unresolved_ids"):
    (log / "report.json").write_text(json.dumps({name: {"tests_status": status}}))
if told != "no report":
    key = told if told.endswith("_ids") else "error_ids"
    pathlib.Path(f"{model}.{run}.json").write_text(json.dumps({key: [name], "failure_reasons": {name: "why"}}))
print("what it prints")
'''


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    return Harness(Setting(), [sys.executable, str(program)])


@pytest.mark.parametrize(
    ("told", "reason", "detail"),
    [
        ("resolved_ids", Reason.RIGHT, ""),
        ("unresolved_ids", Reason.WRONG, "fail to pass: 1 of 2; pass to pass: 2 of 2; why"),
        ("late", Reason.TIMEOUT, "its tests took too long"),
        ("unapplied", Reason.REFUSED, "the patch does not apply"),
        ("error", Reason.BROKEN, "the harness failed: why"),
        ("no report", Reason.BROKEN, "the harness made no report: what it prints"),
    ],
)
def test_the_report_decides(told: str, reason: Reason, detail: str, harness: Harness) -> None:
    item = Item(id="x", row={"instance_id": "a__a-1"})
    verdict = harness(item, f"{PATCH}{told}\n")
    assert (verdict.reason, verdict.detail) == (reason, detail)
    assert verdict.strict == verdict.official == (told == "resolved_ids")
    if told == "resolved_ids":
        assert verdict.counts == {"fail to pass": (2, 2), "pass to pass": (2, 2)}


def test_no_patch_is_not_run(harness: Harness) -> None:
    assert harness(Item(id="x", row={}), "").reason is Reason.UNPARSABLE


def test_without_the_harness_it_says_what_can_be_had() -> None:
    if not missing():
        pytest.skip("the harness can be run here")
    benchmark = find_benchmark("swebench-verified")
    with pytest.raises(UsageError, match="swebench-verified-localisation"), benchmark.scorer(Setting()):
        pass


def test_the_substitute_says_that_it_is_one() -> None:
    benchmark = find_benchmark("swebench-verified-localisation")
    assert "localisation" in benchmark.title
    assert "not the share of resolved" in benchmark.note
    assert "NOT" in benchmark.about


@needs_data
@pytest.mark.skipif(shutil.which("git") is None or not backends()["bubblewrap"].probe().works, reason="no bubblewrap")
def test_gold_passes_and_wrong_fails() -> None:
    benchmark = find_benchmark("swebench-verified-localisation")
    items = benchmark.load(Options())
    assert len(items) == 500
    style = benchmark.styles["patch"]
    for item in items:
        assert style.read(style.write(item.controls["gold"])) == item.controls["gold"]
        assert item.row["patch"] not in style.ask(item).chat
        json.dumps(dict(item.row))
    with benchmark.scorer(Setting()) as score:
        for item in items[::25]:
            gold, wrong = (score(item, item.controls[name]) for name in ("gold", "wrong"))
            assert gold.strict
            assert gold.official
            assert not wrong.strict
            assert not wrong.official
