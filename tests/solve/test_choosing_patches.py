"""One of many patches: by tests that ran in a small repository, by votes, by length; hidden tests are never used."""

import json
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.evals.scorers.patch import folder_row
from foretrace.evals.types import Item
from foretrace.forager.patches import patch_of
from foretrace.sandbox.environments import backends
from foretrace.solve.patches.choosing import Facts, Patch, Test, ballot, choose, distinct_tests
from foretrace.solve.patches.selecting import read_patches, read_tests, select

PROBE = backends()["bubblewrap"].probe()
needs_box = pytest.mark.skipif(not PROBE.works, reason=PROBE.reason)
BROKEN = "def double(n):\n    return n + n + 1\n\n\ndef name():\n    return 'double'\n"
TESTS = "from twice import double, name\n\n\ndef test_double():\n    assert double(4) == 8\n\n\ndef test_name():\n    assert name() == 'double'\n"


def patch(new: str) -> str:
    return patch_of("twice.py", BROKEN, new)


FIX = patch(BROKEN.replace(" + 1", ""))
LONGER = patch(BROKEN.replace("n + n + 1", "sum([n, n])"))
HARDCODED = patch(BROKEN.replace("n + n + 1", "6"))
BREAKING = patch(BROKEN.replace(" + 1", "").replace("'double'", "'twice'"))
REPRODUCES = "from twice import double\n\ndef test_it():\n    assert double(3) == 6\n"
STRICTER = "import pytest\nfrom twice import double\n\n@pytest.mark.parametrize('n', [1, 5])\ndef test_all(n):\n    assert double(n) == 2 * n\n"
USELESS = "def test_nothing():\n    pass\n"


def chosen(
    votes: list[int], facts: list[Facts], tests: list[Test] | None = None, before: set[int] | None = None
) -> tuple[str, str]:
    patches = [Patch(text=str(n), votes=v, tokens=10 - n) for n, v in enumerate(votes)]
    choice = choose(patches, facts, tests or [], frozenset(before or ()))
    return choice.patch, choice.reason


def test_steps_decide_in_their_order() -> None:
    broken, fine = Facts(broken=frozenset({"t"})), Facts()
    tests = [Test(source="a"), Test(source="b", votes=3)]
    assert chosen([9, 1], [broken, fine]) == ("1", "breaking fewest tests")
    one, both = Facts(passed=frozenset({0})), Facts(passed=frozenset({0, 1}))
    assert chosen([9, 1], [one, both], tests) == ("1", "passing most generated tests")
    assert chosen([9, 1], [one, both], tests, before={1}) == ("0", "written most often")  # what passes anyway tells nothing
    assert chosen([2, 2], [fine, fine]) == ("1", "the shortest")
    assert chosen([1, 1], [Facts(applies=False), broken]) == ("1", "the only one that applies")
    assert chosen([1], [Facts(applies=False)]) == ("", "no patch applies")


def test_only_the_five_most_frequent_tests_decide() -> None:
    tests = [Test(source=str(n), votes=9 - n) for n in range(8)]
    many, few = Facts(passed=frozenset({3, 4, 5, 6, 7})), Facts(passed=frozenset({0, 1, 2}))
    assert chosen([5, 1], [many, few], tests)[0] == "1"


def test_alike_is_what_changes_the_same_lines() -> None:
    moved = FIX.replace("@@ -1,5 +1,5 @@", "@@ -1,5 +1,5 @@ somewhere")
    found = ballot([(FIX, 50), (moved, 40), (LONGER, 0), ("", 1), (" \n", 1)])
    assert [(p.votes, p.tokens) for p in found] == [(2, 40), (1, len(LONGER))]
    tests = distinct_tests([REPRODUCES, REPRODUCES + "# the same\n", STRICTER, "def broken(:", "x = 1\n"])
    assert [test.votes for test in tests] == [2, 1]


@needs_box
@pytest.mark.slow
def test_a_small_repository(tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    (folder / "tests").mkdir(parents=True)
    (folder / "twice.py").write_text(BROKEN)
    (folder / "conftest.py").touch()
    (folder / "tests/test_twice.py").write_text(TESTS)
    row = folder_row(folder, ["tests/test_twice.py::test_double"], ["tests/test_twice.py::test_name"])
    item = Item(id="twice", row=row)
    texts = [BREAKING, BREAKING, BREAKING, HARDCODED, HARDCODED, FIX, LONGER, FIX, "no patch"]
    lines = [{"instance_id": "twice", "model_name_or_path": "m", "model_patch": text} for text in texts]
    predictions = tmp_path / "predictions.jsonl"
    predictions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    generated = tmp_path / "tests.jsonl"
    blocks = [f"```python\n{test}```" for test in (USELESS, REPRODUCES, STRICTER)]
    generated.write_text(json.dumps({"item": "twice", "texts": blocks}) + "\n")

    [found] = select([item], {"twice": read_patches(predictions)["twice"]}, read_tests(generated))
    assert found.choice.patch == FIX
    assert found.choice.steps == {
        "written": 5,
        "applying": 4,
        "breaking fewest tests": 3,
        "passing most generated tests": 2,
        "written most often": 1,
    }
    assert found.choice.tests == (1, 2)
    assert found.to_json("m")["selection"]["reason"] == "written most often"
    [without] = select([item], read_patches(predictions), {})
    assert without.choice.steps["passing most generated tests"] == 3  # which then decide nothing


def test_files_in_no_known_form_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}\n')
    with pytest.raises(UsageError):
        read_patches(file)
