"""Fixes of a real git history become tasks if their tests fail before and pass after; the rest is refused with a reason."""

import json
from pathlib import Path

import pytest
from real_image import OPTIONS, git, repository, seeded
from small_image import needs_box

from foretrace.errors import UsageError
from foretrace.forager.benchmarks import SWE_BENCH
from foretrace.forager.grading import Verdict, grade_patch
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.issues import IssueOptions, Refused, issue_fix
from foretrace.forager.tasks.making import Order, make_tasks, tally
from foretrace.forager.tasks.releases import history_of_releases
from foretrace.repos import load_image

pytestmark = [needs_box, pytest.mark.slow]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seeded(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("repo") / "small")


@pytest.fixture(scope="module")
def found(repo: Path, images: Path) -> list[Instance | Refused]:
    return list(issue_fix(repo, images=images, options=IssueOptions(build=OPTIONS)))


def test_a_fix_becomes_a_task_and_what_changes_nothing_does_not(found: list[Instance | Refused], repo: Path) -> None:
    refused, instance = found  # newest first
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.fix.text) == ("nothing fails", "Say what add does")
    assert isinstance(instance, Instance)
    assert instance.fail_to_pass == ("tests/test_half.py::test_half",)
    assert instance.pass_to_pass == ("tests/test_add.py::test_add",)
    assert instance.problem_statement == "Halves are whole numbers\n\nhalf(5) gave 2.5.\n"
    assert instance.base_commit == git(repo, "rev-parse", "HEAD~3")
    assert (instance.source, instance.bug, instance.licence) == ("issue-fix", "", "MIT")
    assert set(instance.test_files) == {"tests/test_add.py", "tests/test_half.py"}
    assert "tests/" not in instance.patch
    assert Instance.from_json(instance.to_json()) == instance


def test_only_the_fix_solves_it(found: list[Instance | Refused], images: Path) -> None:
    [instance] = [one for one in found if isinstance(one, Instance)]
    [image] = [one for one in map(load_image, images.glob("small-*")) if one.digest == instance.image]
    assert grade_patch(instance, instance.patch, image.image, image).verdict is Verdict.RESOLVED
    half = instance.patch.replace("+    return n // 2", "+    return n * 2")
    wrong = grade_patch(instance, half, image.image, image)
    assert (wrong.verdict, wrong.fail_to_pass) == (Verdict.FAILED, {"tests/test_half.py::test_half": False})


def test_a_fork_is_known_by_its_packages(repo: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SWE_BENCH, "someone/original", ("small",))  # type: ignore[arg-type]
    [refused] = issue_fix(repo, images=images, options=IssueOptions(build=OPTIONS))  # the first image is enough
    assert isinstance(refused, Refused)
    assert refused.reason == "benchmark"
    assert "small is someone/original of SWE-bench, or a fork of it" in refused.detail


def test_what_is_judged_is_kept(repo: Path, images: Path, tmp_path: Path) -> None:
    order = Order(
        place=str(repo), worlds=str(tmp_path / "worlds"), images=str(images), issues=IssueOptions(build=OPTIONS), count=5
    )
    made = make_tasks(order)
    assert (len(made.instances), dict(made.rejected), made.problem) == (1, {"nothing fails": 1}, "")
    assert tally(order) == {"": 1, "nothing fails": 1}
    before = order.part.read_bytes()
    order.part.write_bytes(before + b'{"reason": "cut o')
    assert make_tasks(order) == made
    assert order.part.read_bytes() == before
    lines = [json.loads(line) for line in before.splitlines()]
    assert [len(line["mark"]) for line in lines] == [12, 12]


def test_a_folder_without_a_history_is_told(tmp_path: Path, images: Path) -> None:
    order = Order(place=str(tmp_path), worlds=str(tmp_path / "worlds"), images=str(images))
    assert "cannot read the history" in make_tasks(order).problem


def test_one_release_is_no_change(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give at least two"):
        history_of_releases("small", ["1.0"], tmp_path / "r.git", cache=tmp_path)
