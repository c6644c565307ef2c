"""Runs in folders: nothing lost, nothing doubled, nothing asked where verdicts cannot be trusted."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import Scripted, plan, right, scorer, sums

from foretrace.errors import EndpointError, EvaluationError, FormatError, UsageError
from foretrace.evals.folder import ANSWERS, SAMPLES, Run, Sample
from foretrace.evals.lines import Lines, read_lines
from foretrace.evals.plan import items_sha256
from foretrace.evals.run import Progress, carry_out
from foretrace.evals.subjects.controls import Control
from foretrace.evals.types import Answer, Item, Question, Setting, Verdict

PART = "sums.plain"


def samples_of(run: Run) -> list[Sample]:
    return run.parts[PART].samples()


@pytest.mark.parametrize(("control", "passes"), [("gold", 8), ("wrong", 0), ("copy", 1), ("constant", 1)])
def test_controls_score_what_they_must(tmp_path: Path, control: str, passes: int) -> None:
    samples = samples_of(carry_out([plan()], Control(control), tmp_path / "run"))
    assert len(samples) == 8
    assert sum(sample.strict for sample in samples) == sum(sample.official for sample in samples) == passes


def test_a_sample_has_all_that_a_report_needs(tmp_path: Path) -> None:
    run = carry_out([plan()], Scripted(lambda item, sample: f"<think>= 1</think>= {item.row['answer']}.0"), tmp_path / "run")
    sample = samples_of(run)[3]
    assert (sample.item, sample.sample, sample.extracted, sample.strict, sample.official) == ("sum-3", 0, "6.0", False, True)
    assert sample.raw == "<think>= 1</think>= 6.0"
    assert (sample.reason, sample.tokens, sample.seconds, sample.truncated) == ("wrong", 3, 0.5, False)
    assert (sample.counts, sample.tags, sample.isolation) == ({"digits": (1, 1)}, {"parity": "odd"}, "none needed")
    manifest = run.parts[PART].manifest
    controls = manifest["controls"]
    assert all((name in ("copy", "constant")) == ("interval" in found) for name, found in controls.items())
    assert {name: {**found, "interval": 0} for name, found in controls.items()} == {
        "gold": {"strict": 5, "official": 5, "total": 5, "interval": 0},
        "wrong": {"strict": 0, "official": 0, "total": 5, "interval": 0},
        "copy": {"strict": 1, "official": 1, "total": 8, "interval": 0},
        "constant": {"strict": 1, "official": 1, "total": 8, "interval": 0},
    }
    assert manifest["ended"]
    assert len(manifest["items_sha256"]) == 64
    assert run.model == {"kind": "engine", "name": "scripted", "sha256": "0" * 32, "settings": {}, "where": ""}
    assert not (run.folder / PART / ANSWERS).exists()


def test_a_finished_run_asks_nothing_again_and_grows_by_what_is_missing(tmp_path: Path) -> None:
    model = Scripted(right)
    carry_out([plan(limit=3)], model, tmp_path / "run")
    carry_out([plan(limit=3)], model, tmp_path / "run")
    assert model.asked == [(f"sum-{n}", 0) for n in range(3)]
    carry_out([plan()], model, tmp_path / "run")
    assert model.asked[3:] == [(f"sum-{n}", 0) for n in range(3, 8)]
    drawn = Scripted(right)
    carry_out([plan(temperature=1.0, samples=2)], drawn, tmp_path / "drawn")
    run = carry_out([plan(temperature=1.0, samples=3)], drawn, tmp_path / "drawn")
    assert drawn.asked[16:] == [(f"sum-{n}", 2) for n in range(8)]
    assert len(samples_of(run)) == 24


def test_an_answer_that_was_kept_is_judged_and_not_asked_for_again(tmp_path: Path) -> None:
    def die(item: Item, sample: int) -> str:
        if item.id == "sum-5":
            raise KeyboardInterrupt
        return right(item, sample)

    with pytest.raises(KeyboardInterrupt):
        carry_out([plan()], Scripted(die), tmp_path / "run")
    folder = tmp_path / "run" / PART
    kept = [key for key, _ in read_lines(folder / ANSWERS, lambda line: (line["item"], line["text"]))]
    assert kept == [f"sum-{n}" for n in range(5)]
    with open(folder / ANSWERS, "ab") as file:
        file.write(b'{"item": "sum-5", "te')  # as a kill leaves it
    with open(folder / SAMPLES, "ab") as file:
        file.write(b'{"item": "sum')
    model = Scripted(right)
    run = carry_out([plan()], model, tmp_path / "run")
    assert model.asked == [(f"sum-{n}", 0) for n in range(5, 8)]
    assert [sample.item for sample in samples_of(run)] == [f"sum-{n}" for n in range(8)]
    assert all(sample.strict for sample in samples_of(run))


def test_an_answer_is_kept_for_whoever_wants_its_item(tmp_path: Path) -> None:
    def die(item: Item, sample: int) -> str:
        if item.id == "sum-6":
            raise KeyboardInterrupt
        return right(item, sample)

    with pytest.raises(KeyboardInterrupt):
        carry_out([plan()], Scripted(die), tmp_path / "run")
    carry_out([plan(limit=2)], Scripted(right), tmp_path / "run")
    model = Scripted(right)
    carry_out([plan()], model, tmp_path / "run")
    assert model.asked == [("sum-6", 0), ("sum-7", 0)]
    assert not (tmp_path / "run" / PART / ANSWERS).exists()


def test_two_runs_at_once_in_one_folder_lose_no_part(tmp_path: Path) -> None:
    """The second begins and ends while the first is at work."""

    def interrupted(item: Item, sample: int) -> str:
        if item.id == "sum-0":
            carry_out([plan(sums(name="others"))], Scripted(right), tmp_path / "run")
        return right(item, sample)

    carry_out([plan()], Scripted(interrupted), tmp_path / "run")
    parts = Run.open(tmp_path / "run").parts
    assert set(parts) == {PART, "others.plain"}
    assert all(part.manifest["ended"] and len(part.samples()) == 8 for part in parts.values())


PROGRAM = """
import sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[2])
from toy_benchmark import Scripted, plan, right, sums
from foretrace.evals.run import carry_out
carry_out([plan(sums(40))], Scripted(right, seconds=0.02), Path(sys.argv[1]), workers=2)
"""


def test_runs_that_are_killed_again_and_again_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    folder, command = tmp_path / "run", [sys.executable, "-c", PROGRAM, str(tmp_path / "run"), str(Path(__file__).parent)]
    asked = 0
    for _ in range(3):
        process = subprocess.Popen(command)
        before = _kept(folder)
        while process.poll() is None and _kept(folder) < before + 5:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        asked = _kept(folder)
    assert 15 <= asked < 40
    model = Scripted(right)
    run = carry_out([plan(sums(40))], model, folder)
    assert len(model.asked) == 40 - asked
    lines = (folder / PART / SAMPLES).read_text().splitlines()
    assert sorted(json.loads(line)["item"] for line in lines) == sorted(f"sum-{n}" for n in range(40))
    assert all(sample.strict for sample in samples_of(run))


def _kept(folder: Path) -> int:
    return len(list(read_lines(folder / PART / ANSWERS, dict)))


def test_what_could_not_be_known_is_tried_again(tmp_path: Path) -> None:
    fails = {"sum-2": "= no sandbox", "sum-4": Answer(text="", error="the server is down")}
    first = Scripted(lambda item, sample: fails.get(item.id, right(item, sample)))
    run = carry_out([plan()], first, tmp_path / "run")
    broken = {sample.item: sample.detail for sample in samples_of(run) if sample.is_broken}
    assert broken == {"sum-2": "SandboxError: the sandbox fails", "sum-4": "the server is down"}
    second = Scripted(right)
    run = carry_out([plan()], second, tmp_path / "run")
    assert second.asked == [("sum-4", 0)]  # the other one has an answer, of which the scorer still knows nothing
    assert [sample.item for sample in samples_of(run) if sample.is_broken] == ["sum-2"]
    assert len(samples_of(run)) == 8


def test_a_text_that_no_scorer_survives_is_wrong(tmp_path: Path) -> None:
    run = carry_out([plan(limit=1)], Scripted(lambda item, sample: "= crash"), tmp_path / "run")
    [sample] = samples_of(run)
    assert (sample.strict, sample.official, sample.reason) == (False, False, "wrong")
    assert sample.detail.endswith("OSError: the harness fails")


def test_a_run_of_another_version_goes_on_with_a_warning(tmp_path: Path) -> None:
    run = carry_out([plan(limit=1)], Scripted(right), tmp_path / "run")
    run.content["foretrace"] = "0.0.0"
    manifest = run.content["parts"][PART]
    del manifest["questions_sha256"]  # which older ones did not note
    run.put(PART, manifest)
    with pytest.warns(UserWarning, match="begun by foretrace 0.0.0"):
        carry_out([plan(limit=2)], Scripted(right), tmp_path / "run")


def test_where_things_lie_is_no_part_of_what_they_are() -> None:
    here, there = (Item(id="a", row={"x": 1}, places={"clone": place}) for place in ("/here", "/there"))
    assert items_sha256([here]) == items_sha256([there])


def test_a_server_that_is_gone_ends_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    def say(item: Item, sample: int) -> str | Answer:
        return right(item, sample) if item.row["number"] < 3 else Answer(text="", error="no route")

    with pytest.raises(EndpointError, match="16 answers in a row did not come: no route"):
        carry_out([plan(sums(60))], Scripted(say), tmp_path / "run")
    model = Scripted(right)
    run = carry_out([plan(sums(60))], model, tmp_path / "run")
    assert ("sum-2", 0) not in model.asked
    assert sum(sample.strict for sample in samples_of(run)) == 60


def test_hostile_texts_are_no_answers_and_long_ones_are_cut(tmp_path: Path) -> None:
    said = {"sum-0": "boom", "sum-1": "<think>= 2", "sum-2": "\ud800 = 4", "sum-3": "= 6" + " " * (2 << 20)}
    run = carry_out([plan(limit=4)], Scripted(lambda item, sample: said[item.id]), tmp_path / "run")
    samples = samples_of(run)
    assert [sample.reason for sample in samples] == ["unparsable", "unparsable", "right", "right"]
    assert len(samples[3].raw) == 1 << 20
    assert samples[3].truncated


def wrongly(judge: str) -> Any:
    """A scorer that is broken in one way."""
    from contextlib import contextmanager

    @contextmanager
    def broken(setting: Setting):
        with scorer(setting) as score:

            def other(item: Item, answer: str | None) -> Verdict:
                verdict = score(item, answer)
                if judge == "everything passes":
                    return replace(verdict, strict=True, official=True)
                if judge == "nothing passes":
                    return replace(verdict, strict=False, official=False)
                if judge == "lenient":
                    return replace(verdict, official=True)
                raise OSError("no sandbox")

            yield other

    return broken


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("everything passes", "a wrong answer to sum-0 passes under the strict rule"),
        ("nothing passes", "the gold answer of sum-0 fails under the strict rule"),
        ("lenient", "a wrong answer to sum-0 passes under the official rule"),
        ("raises", "no verdict on the gold answer of sum-0: broken, OSError: no sandbox"),
    ],
)
def test_a_broken_set_up_is_found_out_before_anything_is_asked(tmp_path: Path, judge: str, said: str) -> None:
    model = Scripted(right)
    with pytest.raises(EvaluationError, match=said):
        carry_out([plan(sums(scorer=wrongly(judge)))], model, tmp_path / "run")
    assert model.asked == []


def test_a_run_goes_on_only_as_what_it_began_as(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    carry_out([plan(limit=2)], Scripted(right), folder)
    with pytest.raises(UsageError, match="is a run of scripted, and this is another model"):
        carry_out([plan(limit=2)], Scripted(right, name="other"), folder)
    with pytest.raises(UsageError, match="max_tokens was 2048 and is 9"):
        carry_out([plan(limit=2, max_tokens=9)], Scripted(right), folder)
    with pytest.raises(UsageError, match="items_sha256 was"):
        carry_out([plan(sums(9), limit=2)], Scripted(right), folder)
    asked = replace(sums().styles["plain"], ask=lambda item: Question(text="?"))
    with pytest.raises(UsageError, match="questions_sha256 was"):
        carry_out([plan(sums(styles={"plain": asked}), limit=2)], Scripted(right), folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there and is no run"):
        carry_out([plan()], Scripted(right), tmp_path / "other")


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    carry_out([plan(limit=1)], Scripted(right), tmp_path / "run")
    with (
        closing(Lines(tmp_path / "run" / PART / SAMPLES, is_synced=False)),
        pytest.raises(UsageError, match="another process"),
    ):
        carry_out([plan()], Scripted(right), tmp_path / "run")


def test_progress_tells_the_score_so_far(tmp_path: Path) -> None:
    seen: list[Progress] = []
    carry_out([plan(limit=2)], Scripted(right), tmp_path / "run")
    carry_out([plan(limit=4)], Scripted(lambda item, sample: "= 1"), tmp_path / "run", watch=seen.append)
    assert [(each.strict.hits, each.strict.total, each.wanted) for each in seen] == [(2, 3, 4), (2, 4, 4)]


def test_damaged_runs_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run"):
        Run.open(tmp_path)
    run = carry_out([plan(limit=2)], Scripted(right), tmp_path / "run")
    (run.folder / PART / SAMPLES).write_text('{"item": "a"}\n')
    with pytest.raises(FormatError, match=r"samples\.jsonl, line 1: no sample of a run"):
        samples_of(run)
    (run.folder / "run.json").write_text("{")
    with pytest.raises(FormatError, match="damaged"):
        Run.open(run.folder)


def test_copies_are_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 samples at temperature 0 are copies of one"):
        carry_out([plan(samples=2)], Scripted(right), tmp_path / "run")
