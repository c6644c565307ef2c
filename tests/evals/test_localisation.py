"""Patches without tests: read by git, applied to a commit of a clone, compared by files."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foretrace.errors import RefusedError
from foretrace.evals.benchmarks.swebench import clone_of
from foretrace.evals.scorers.localisation import localisation_scorer, similarity
from foretrace.evals.types import Item, Reason, Score, Setting
from foretrace.forager.patches import patch_of
from foretrace.sandbox.environments import backends

PROBE = backends()["bubblewrap"].probe()
OLD = {"a.py": "x = 1\ny = 2\n", "b.py": "z = 3\n", "tests/test_a.py": "import a\n"}
GOLD = patch_of("a.py", OLD["a.py"], "x = 1\ny = 3\n")
OTHER = patch_of("b.py", OLD["b.py"], "z = 4\n")


@pytest.fixture(scope="module")
def score() -> Iterator[Score]:
    if not PROBE.works:
        pytest.skip(PROBE.reason)
    with localisation_scorer(Setting()) as scorer:
        yield scorer


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The folder above a clone of a repository whose commit is no longer checked out, and that commit."""
    place = tmp_path_factory.mktemp("clones")
    folder = place / "someone__thing"
    for name, text in OLD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    commit = "git -c user.name=n -c user.email=e@e commit -q -am"
    script = f"git init -q && git add . && {commit} first && git rev-parse HEAD && echo > a.py && {commit} second"
    done = subprocess.run(["sh", "-c", script], cwd=folder, check=True, capture_output=True, text=True)
    return str(place), done.stdout.strip()


def item(gold: str = GOLD, **row: str) -> Item:
    return Item(id=f"x {hash(gold)}", row={"patch": gold, **row})


@pytest.mark.parametrize(
    ("patch", "strict", "official", "reason"),
    [
        (GOLD, True, True, Reason.RIGHT),
        (patch_of("a.py", OLD["a.py"], "y = 0\n"), True, True, Reason.RIGHT),
        (GOLD + patch_of("tests/test_a.py", OLD["tests/test_a.py"], "import b\n"), True, True, Reason.RIGHT),
        (GOLD + patch_of("new.py", None, "n = 1\n"), True, True, Reason.RIGHT),
        (GOLD + OTHER, False, True, Reason.WRONG),
        (OTHER, False, False, Reason.WRONG),
        (patch_of("new.py", None, "n = 1\n"), False, False, Reason.WRONG),
        (GOLD.replace("@@ -1,2", "@@ -1,7"), False, False, Reason.REFUSED),
        ("diff --git a/a.py b/a.py\n", False, False, Reason.REFUSED),
        ("a.py\n", False, False, Reason.REFUSED),
        ("", False, False, Reason.UNPARSABLE),
    ],
)
def test_files_are_compared(patch: str, strict: bool, official: bool, reason: Reason, score: Score) -> None:
    verdict = score(item(), patch)
    assert (verdict.strict, verdict.official, verdict.reason) == (strict, official, reason), verdict
    assert "applies" not in verdict.counts


def test_shares_are_counted(score: Score) -> None:
    both = score(item(GOLD + OTHER), GOLD)
    assert both.counts == {"files found": (1, 2), "files right": (1, 1)}
    assert not both.official
    assert score(item(), GOLD + OTHER).counts == {"files found": (1, 1), "files right": (1, 2)}


def test_a_right_patch_that_only_makes_files_is_found(score: Score) -> None:
    new = patch_of("new.py", None, "n = 1\n")
    assert score(item(new), new).strict
    assert not score(item(new), GOLD).official


def test_names_with_spaces_and_other_letters_are_files_too(score: Score) -> None:
    gold = patch_of("a b/ü.py", "x\n", "y\n")
    assert score(item(gold), gold).strict
    assert not score(item(gold), patch_of("a b/u.py", "x\n", "y\n")).official


def test_a_patch_is_tried_on_the_commit_of_a_clone(clone: tuple[str, str], score: Score) -> None:
    place, commit = clone
    places, row = {"clone": clone_of("someone/thing", [place])}, {"base_commit": commit}
    assert places["clone"].endswith("/someone__thing/.git")
    right = score(replace(item(**row), places=places), GOLD)
    assert right.strict
    assert right.counts["applies"] == (1, 1)
    elsewhere = score(replace(item(**row), places=places), patch_of("a.py", "x = 7\ny = 2\n", "x = 7\ny = 3\n"))
    assert (elsewhere.strict, elsewhere.official, elsewhere.reason) == (False, True, Reason.REFUSED)
    assert elsewhere.counts["applies"] == (0, 1)
    assert "does not apply" in elsewhere.detail


def test_without_the_commit_it_is_not_known(clone: tuple[str, str], score: Score) -> None:
    places = {"clone": clone_of("someone/thing", [clone[0]])}
    verdict = score(replace(item(base_commit="0" * 40), places=places), GOLD)
    assert verdict.strict
    assert "applies" not in verdict.counts
    assert "not known" in verdict.detail


def test_no_clone_is_found_where_none_is(tmp_path: Path) -> None:
    assert clone_of("someone/thing", [str(tmp_path)]) == ""


def test_similarity_is_of_changed_lines() -> None:
    assert similarity(GOLD, GOLD) == 1
    assert similarity(GOLD, OTHER) == 0
    assert 0 < similarity(GOLD, GOLD + OTHER) < 1
    assert similarity("+x\n" * 500_000, GOLD) == 0


def test_weaker_walls_are_refused() -> None:
    with pytest.raises(RefusedError, match="process"), localisation_scorer(Setting(isolation="process")):
        pass
