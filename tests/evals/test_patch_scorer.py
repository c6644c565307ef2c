"""Patches: which are read, which solve, and what fools nobody; on a repository of two files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from foretrace.errors import RefusedError, UsageError
from foretrace.evals.scorers.patch import folder_row, image_of_folder, patch_scorer, read_patch, write_patch
from foretrace.evals.types import Item, Reason, Score, Setting
from foretrace.forager.patches import patch_of
from foretrace.sandbox.environments import backends

PROBE = backends()["bubblewrap"].probe()
needs_box = pytest.mark.skipif(not PROBE.works, reason=PROBE.reason)
BROKEN = "def double(n):\n    return n + n + 1\n\n\ndef name():\n    return 'double'\n"
FIXED = BROKEN.replace(" + 1", "")
TESTS = (
    "from twice import double, name\n\n\ndef test_double():\n    assert double(4) == 8\n\n\n"
    "def test_name():\n    assert name() == 'double'\n"
)
FAIL, PASS = "tests/test_twice.py::test_double", "tests/test_twice.py::test_name"
FIX = patch_of("twice.py", BROKEN, FIXED)


def added(name: str, text: str) -> str:
    return patch_of(name, None, text)


HELPER = added(
    "helper.py",
    "def pytest_collection_modifyitems(items):\n    for item in items:\n        item.obj = lambda: None\n",
)
HOSTILE = {
    "nothing": "",
    "no patch": "I could not find the mistake.\n",
    "a report hook": added(
        "conftest.py",
        "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
        "    out = yield\n    out.get_result().outcome = 'passed'\n",
    ),
    "a conftest in the folder of the tests": added(
        "tests/conftest.py", "def pytest_collection_modifyitems(items):\n    items.clear()\n"
    ),
    "deselection": added("pytest.ini", f"[pytest]\naddopts = --deselect {FAIL}\n"),
    "deselection in setup.cfg": added("setup.cfg", f"[tool:pytest]\naddopts = --deselect {FAIL}\n"),
    "a plugin by the newest configuration": added("pytest.toml", '[pytest]\naddopts = ["-p", "helper"]\n') + HELPER,
    "a plugin by a hidden one": added(".pytest.toml", '[pytest]\naddopts = ["-p", "helper"]\n') + HELPER,
    "expected to fail": added(
        "conftest.py",
        "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker(pytest.mark.xfail)\n",
    ),
    "other tests": patch_of("tests/test_twice.py", TESTS, TESTS.replace("== 8", "== 9")),
    "no tests": patch_of("tests/test_twice.py", TESTS, None),
    "a folder for the tests": patch_of("tests/test_twice.py", TESTS, None) + added("tests/test_twice.py/a.py", "x = 1\n"),
    "a file for their folder": patch_of("tests/test_twice.py", TESTS, None) + added("tests", "x\n"),
    "a link for their folder": (
        patch_of("tests/test_twice.py", TESTS, None)
        + "diff --git a/tests b/tests\nnew file mode 120000\n--- /dev/null\n+++ b/tests\n@@ -0,0 +1 @@\n+other\n"
        + "\\ No newline at end of file\n"
        + added("other/test_twice.py", "def test_double():\n    pass\n\n\ndef test_name():\n    pass\n")
    ),
    "its own pytest": added("pytest.py", f"print('PASSED {FAIL}')\nprint('PASSED {PASS}')\nraise SystemExit(0)\n"),
    "a package called pytest": added("_pytest/__init__.py", "raise SystemExit(0)\n"),
    "sitecustomize": added("sitecustomize.py", "import os\nos._exit(0)\n"),
    "the end of the process": patch_of("twice.py", BROKEN, f"import os\nos._exit(0)\n{BROKEN}"),
    "lines of a log, wherever they may go": patch_of(
        "twice.py",
        BROKEN,
        "import os\nfor file in range(1, 64):\n    try:\n"
        f"        os.write(file, b'PASSED {FAIL}\\nPASSED {PASS}\\n')\n    except OSError:\n        pass\nos._exit(0)\n{BROKEN}",
    ),
    "one right, one broken": patch_of("twice.py", BROKEN, FIXED.replace("'double'", "'twice'")),
    "out of the tree": "--- /dev/null\n+++ b/../../../tmp/foretrace-was-here\n@@ -0,0 +1 @@\n+x\n",
    "through a link": (
        "diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc\n"
        "\\ No newline at end of file\ndiff --git a/link/x b/link/x\nnew file mode 100644\n--- /dev/null\n+++ b/link/x\n"
        "@@ -0,0 +1 @@\n+x\n"
    ),
    "its own git": added(".git/hooks/post-index-change", "#!/bin/sh\ntouch /tmp/foretrace-was-here\n"),
    "not as long as it says": FIX.replace("@@ -1,5", "@@ -1,9"),
    "half a character": FIX.replace("n + n", "n + n  # \ud800"),
    "too long": FIX + "+x\n" * 600_000,
}
HONEST = {
    "the fix": FIX,
    "the fix and a test": FIX
    + added("tests/test_more.py", "from twice import double\n\n\ndef test_more():\n    assert not double(0)\n"),
    "the fix and a document": FIX + added("NOTES.md", "```\ndouble(2)\n```\n"),
    "another way": patch_of("twice.py", BROKEN, BROKEN.replace("n + n + 1", "2 * n")),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repositories") / "twice"
    (folder / "tests").mkdir(parents=True)
    (folder / "twice.py").write_text(BROKEN)
    (folder / "tests/test_twice.py").write_text(TESTS)
    return folder


@pytest.fixture(scope="module")
def score() -> Iterator[Score]:
    if not PROBE.works:
        pytest.skip(PROBE.reason)
    with patch_scorer(Setting(repeats=0)) as scorer:
        yield scorer


@pytest.mark.parametrize("name", HOSTILE)
def test_what_solves_nothing_does_not_pass(name: str, repository: Path, score: Score) -> None:
    verdict = score(Item(id=name, row=folder_row(repository, [FAIL], [PASS])), HOSTILE[name])
    assert not verdict.strict
    assert not verdict.official
    assert verdict.reason is not Reason.BROKEN, verdict.detail
    assert not Path("/tmp/foretrace-was-here").exists()


@pytest.mark.parametrize("name", HONEST)
def test_what_solves_it_passes(name: str, repository: Path, score: Score) -> None:
    item = Item(id=name, row=folder_row(repository, [FAIL], [PASS]))
    verdict = score(item, read_patch(write_patch(HONEST[name])))
    assert (verdict.strict, verdict.official, verdict.reason) == (True, True, Reason.RIGHT), verdict
    assert verdict.counts == {"fail to pass": (1, 1), "pass to pass": (1, 1)}


def test_what_was_put_back_is_told(repository: Path, score: Score) -> None:
    verdict = score(Item(id="x", row=folder_row(repository, [FAIL], [PASS])), FIX + HOSTILE["a report hook"])
    assert verdict.strict
    assert verdict.extra["put back"] == ["conftest.py"]


def test_without_tests_nothing_is_known(repository: Path, score: Score) -> None:
    assert score(Item(id="x", row=folder_row(repository, [])), FIX).reason is Reason.BROKEN


def test_words_that_a_person_should_look_at_are_told(repository: Path, score: Score) -> None:
    patch = patch_of("twice.py", BROKEN, f"import sys\n\nsys.setprofile(None)\n{FIXED}")
    verdict = score(Item(id="x", row=folder_row(repository, [FAIL], [PASS])), patch)
    assert verdict.strict
    assert verdict.extra == {"look at": ["setprofile"]}


@needs_box
def test_what_passes_now_and_then_is_flaky(tmp_path: Path) -> None:
    """Every run passes with even odds: that all thirty-one do happens once in two thousand million times."""
    folder = tmp_path / "odds"
    folder.mkdir()
    (folder / "odds.py").write_text("def odds():\n    return 2\n")
    (folder / "test_odds.py").write_text("from odds import odds\n\n\ndef test_odds():\n    assert odds() == 0\n")
    patch = patch_of(
        "odds.py", "def odds():\n    return 2\n", "import os\n\n\ndef odds():\n    return os.urandom(1)[0] % 2\n"
    )
    item = Item(id="odds", row=folder_row(folder, ["test_odds.py::test_odds"]))
    with patch_scorer(Setting(repeats=30)) as score:
        reasons = set()
        while Reason.FLAKY not in reasons:
            verdict = score(item, patch)
            assert verdict.reason in (Reason.WRONG, Reason.FLAKY)
            assert not verdict.official
            reasons.add(verdict.reason)


@needs_box
def test_a_folder_that_cannot_be_tested_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        image_of_folder(tmp_path / "nowhere", tmp_path / "place")


@pytest.mark.parametrize("isolation", ["process", "nonsense"])
def test_weaker_walls_are_refused(isolation: str) -> None:
    with pytest.raises(RefusedError, match=isolation), patch_scorer(Setting(isolation=isolation)):
        pass


@pytest.mark.parametrize(
    "text",
    [
        FIX,
        f"```diff\n{FIX}```",
        f"Here it is:\n\n```patch\n{FIX}```\nand why: …\n```diff\nno\n```\n",
        f"<patch>\n{FIX}</patch>",
        f"<think>```diff\nno\n```</think>\n```diff\n{FIX}\n\n```",
        FIX.removesuffix("\n"),
    ],
)
def test_the_first_patch_behind_the_thought_is_read(text: str) -> None:
    assert read_patch(text) == FIX


def test_fences_in_a_file_are_not_those_of_the_patch() -> None:
    old = "Use it:\n\n```diff\n+x\n```\n\nend\n"
    patch = patch_of("README.md", old, old.replace("end", "```\nend\n```"))
    assert read_patch(patch) == patch
    assert read_patch(write_patch(patch)) == patch


@pytest.mark.parametrize("text", ["", "no patch", "```python\nx = 1\n```", f"<think>\n```diff\n{FIX}```", "```diff\n```"])
def test_where_there_is_none_none_is_read(text: str) -> None:
    assert read_patch(text) is None
