"""Fixes are found in a real git repository, as patches that apply."""

import subprocess
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.forager.tasks.history import Fix, fixes


def git(repo: Path, *arguments: str, text: str | None = None) -> str:
    command = ["git", "-C", str(repo), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout.strip()


def commit(repo: Path, files: dict[str, str], message: str) -> str:
    for path, text in files.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", message)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path, {"pkg/a.py": "x = 1\n", "tests/test_a.py": "def test(): pass\n", "README": "hi\n"}, "begin")
    return tmp_path


def test_a_commit_that_changes_code_and_tests_is_a_fix(repo: Path) -> None:
    parent = git(repo, "rev-parse", "HEAD")
    files = {
        "pkg/a.py": "x = 2\n",
        "tests/test_a.py": "def test(): assert 1\n",
        "docs/ü.md": "new\n",
        "tests/data.txt": "1\n",
    }
    made = commit(repo, files, "Repair x\n\nIt was one.\n\nSigned-off-by: A <a@b.c>")
    commit(repo, {"pkg/a.py": "x = 3\n"}, "code alone")
    commit(repo, {"tests/test_a.py": "def test(): assert 2\n"}, "tests alone")
    [fix] = fixes(repo)
    assert (fix.commit, fix.parent, fix.text) == (made, parent, "Repair x\n\nIt was one.")
    assert fix.test_files == ("tests/data.txt", "tests/test_a.py")
    git(repo, "checkout", "-q", parent)
    git(repo, "apply", "-", text=fix.patch)
    assert (repo / "pkg/a.py").read_text() == "x = 2\n"
    assert (repo / "docs/ü.md").read_text() == "new\n"
    assert (repo / "tests/test_a.py").read_text() == "def test(): pass\n"
    git(repo, "apply", "-", text=fix.test_patch)
    assert (repo / "tests/test_a.py").read_text() == "def test(): assert 1\n"


def test_a_merged_branch_is_one_change(repo: Path) -> None:
    git(repo, "checkout", "-qb", "branch")
    commit(repo, {"pkg/a.py": "x = 2\n"}, "first half")
    commit(repo, {"tests/test_a.py": "def test(): assert 1\n"}, "second half")
    git(repo, "checkout", "-q", "main")
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge the repair", "branch")
    [fix] = fixes(repo)
    assert fix.text == "Merge the repair"
    assert "+x = 2" in fix.patch


def test_what_is_removed_is_not_there_afterwards(repo: Path) -> None:
    commit(repo, {"tests/test_b.py": "def test(): pass\n"}, "another")
    (repo / "tests/test_a.py").unlink()
    commit(repo, {"pkg/a.py": "x = 2\n", "tests/test_b.py": "def test(): assert 1\n"}, "both")
    [fix] = fixes(repo)
    assert fix.test_files == ("tests/test_b.py",)
    assert "deleted file mode" in fix.test_patch


def test_limits(repo: Path) -> None:
    def both(number: int) -> Fix | None:
        commit(repo, {"pkg/a.py": f"x = {number}\n" * number, "tests/test_a.py": f"def test(): {number}\n"}, f"fix {number}")
        return next(fixes(repo), None)

    assert both(2)
    assert both(3)
    assert len(list(fixes(repo))) == 2
    assert [fix.text for fix in fixes(repo, limit=1)] == ["fix 3"]
    assert list(fixes(repo, lines=3)) == []
    assert list(fixes(repo, commits=1)) == [next(fixes(repo))]


def test_a_repository_cannot_have_its_own_programs_run(repo: Path) -> None:
    mark = repo / "mark"
    (repo / ".git/hooks/post-checkout").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (repo / ".gitattributes").write_text("*.py diff=evil filter=evil\n")
    for key in (
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "filter.evil.clean",
    ):
        git(repo, "config", key, f"touch {mark}; cat")
    (repo / "pkg/a.py").write_text("x = 2\n")
    (repo / "tests/test_a.py").write_text("def test(): assert 1\n")
    tree_of = ["-c", "core.fsmonitor=false", "-c", "filter.evil.clean="]
    git(repo, *tree_of, "commit", "-qam", "fix")
    mark.unlink(missing_ok=True)
    assert len(list(fixes(repo))) == 1
    assert not mark.exists()


def test_no_repository_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the history"):
        list(fixes(tmp_path / "none"))
