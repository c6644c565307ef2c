"""Mistakes become instances only if tests tell them, and patches are graded without regard to what they do to the tests."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from built_image import SHAPES, built_image
from small_image import BACKEND, needs_box

from foretrace.errors import SandboxError
from foretrace.forager.grading import Verdict, grade_patch
from foretrace.forager.mutation.sampling import file_patch
from foretrace.forager.tasks.coverage import spectrum_of
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.mutate import MutateOptions, Rejected, mutate_fix
from foretrace.forager.tasks.world import make_world
from foretrace.repos.image import RepoImage
from foretrace.sandbox.environment import Image
from foretrace.sandbox.environments import open_environment

pytestmark = needs_box
WRONG = SHAPES.replace("a * b", "a + b")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> RepoImage:
    return built_image(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def instance(image: RepoImage) -> Instance:
    rectangle = [test for test in sorted(image.passing) if "rectangle" in test]
    return Instance(
        instance_id="shapes-1",
        repo="shapes",
        patch=file_patch("shapes.py", WRONG, SHAPES),
        problem_statement="",
        fail_to_pass=("tests/test_shapes.py::test_rectangle[3]",),
        pass_to_pass=tuple(sorted(image.passing.difference(rectangle))),
        bug=file_patch("shapes.py", SHAPES, WRONG),
    )


@pytest.fixture(scope="module")
def world(instance: Instance, image: RepoImage, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make_world(instance, image.image, tmp_path_factory.mktemp("worlds") / "one", backend=BACKEND)


def in_box(world: Image, *commands: str) -> list[str]:
    with open_environment(world, backend=BACKEND) as environment:
        return [environment.exec(["sh", "-c", command]).output.decode() for command in commands]


# -- the world -----------------------------------------------------------------------------------------


def test_a_world_has_the_mistake_and_nothing_that_tells_the_answer(world: Image, image: RepoImage) -> None:
    everything = "for o in $(git cat-file --batch-all-objects --batch-check='%(objectname)'); do git cat-file -p $o; done"
    source, status, log, objects, before = in_box(
        world,
        "cat shapes.py",
        "git status --porcelain",
        "git log --all --format=%an,%s",
        everything,
        "git reflog; git stash list",
    )
    assert source == WRONG
    assert (status, log.split("\n")[:-1], before) == ("", ["foretrace,The repository"], "")
    assert "a + b" in objects
    assert "a * b" not in objects
    [at, dates] = in_box(world, "git log --format=%aI,%cI", "true")
    assert at == in_box(image.image, "git log --format=%aI,%cI")[0]
    assert dates == ""


def test_a_mistake_that_does_not_fit_is_an_error(instance: Instance, image: RepoImage, tmp_path: Path) -> None:
    other = replace(instance, bug=file_patch("shapes.py", "x\n", "y\n"))
    with pytest.raises(SandboxError, match="cannot be made in this image"):
        make_world(other, image.image, tmp_path / "none", backend=BACKEND)
    assert not (tmp_path / "none").exists()


# -- grading -------------------------------------------------------------------------------------------


def patched(**files: str) -> str:
    """A patch of the world."""
    before = {"shapes.py": WRONG, "conftest.py": "", "sitecustomize.py": "", "tests/conftest.py": ""}
    names = {"shapes": "shapes.py", "conftest": "conftest.py", "site": "sitecustomize.py", "below": "tests/conftest.py"}
    return "".join(_patch(names[key], before[names[key]], text, new=key in ("site", "below")) for key, text in files.items())


def _patch(path: str, before: str, after: str, new: bool) -> str:
    text = file_patch(path, before, after)
    head = f"diff --git a/{path} b/{path}\n"
    return text.replace(head, head + "new file mode 100644\n").replace(f"--- a/{path}", "--- /dev/null") if new else text


def test_gold_is_resolved_and_nothing_is_not(instance: Instance, world: Image, image: RepoImage) -> None:
    gold = grade_patch(instance, instance.patch, world, image, backend=BACKEND)
    assert (gold.verdict, gold.score, gold.reason) == (Verdict.RESOLVED, 1.0, "")
    assert grade_patch(instance, " \n", world, image, backend=BACKEND).verdict is Verdict.EMPTY
    other = grade_patch(instance, patched(shapes=WRONG + "\n\nx = 1\n"), world, image, backend=BACKEND)
    assert (other.verdict, other.score) == (Verdict.FAILED, 0.0)
    assert other.reason == "1 of 1 tests still fail"
    assert all(other.pass_to_pass.values())


def test_what_breaks_another_test_is_not_resolved(instance: Instance, world: Image, image: RepoImage) -> None:
    text = SHAPES.replace("found += number", "found -= number")
    grade = grade_patch(instance, patched(shapes=text), world, image, backend=BACKEND)
    assert (grade.verdict, all(grade.fail_to_pass.values())) == (Verdict.FAILED, True)
    assert "tests fail that passed" in grade.reason


def test_a_patch_that_does_not_apply(instance: Instance, world: Image, image: RepoImage) -> None:
    for patch in (file_patch("shapes.py", "x\n", "y\n"), "nonsense", file_patch("../../etc/passwd", "", "x\n")):
        assert grade_patch(instance, patch, world, image, backend=BACKEND).verdict is Verdict.UNAPPLIED


FORGED = (
    "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
    "    out = yield\n    out.get_result().outcome = 'passed'\n"
)


@pytest.mark.parametrize(
    "patch",
    [
        patched(conftest=FORGED),
        patched(below=FORGED),
        patched(site="import os\nos._exit(0)\n"),
        patched(shapes="import os\nprint('4 passed')\nos._exit(0)\n"),
        patched(shapes=f"{WRONG}\nimport _pytest.runner\n_pytest.runner.pytest_runtest_makereport = print\n"),
    ],
    ids=["conftest", "new conftest", "sitecustomize", "exit", "replaced"],
)
def test_forging_results_does_not_help(patch: str, instance: Instance, world: Image, image: RepoImage) -> None:
    grade = grade_patch(instance, patch, world, image, backend=BACKEND)
    assert grade.verdict is Verdict.FAILED
    assert grade.put_back or grade.doubts or grade.reason


def test_tests_that_a_patch_changes_are_put_back(instance: Instance, world: Image, image: RepoImage) -> None:
    tests = "tests/test_shapes.py"
    [text] = in_box(world, f"cat {tests}")
    patch = file_patch(tests, text, text.replace("== 2 * a", "== 2 + a"))
    grade = grade_patch(instance, patch, world, image, backend=BACKEND)
    assert (grade.verdict, grade.put_back) == (Verdict.FAILED, (tests,))
    both = grade_patch(instance, patch + instance.patch, world, image, backend=BACKEND)
    assert (both.verdict, both.put_back) == (Verdict.RESOLVED, (tests,))


def test_tests_that_are_not_there_have_not_passed(instance: Instance, world: Image, image: RepoImage) -> None:
    missing = replace(instance, fail_to_pass=(*instance.fail_to_pass, "tests/test_shapes.py::test_none"))
    skipped = replace(instance, fail_to_pass=("tests/test_shapes.py::test_skipped",))
    for other in (missing, skipped):
        assert grade_patch(other, instance.patch, world, image, backend=BACKEND).verdict is Verdict.FAILED
    changed = replace(instance, test_files={"tests/test_shapes.py": "0" * 64})
    assert grade_patch(changed, instance.patch, world, image, backend=BACKEND).verdict is Verdict.BROKEN


# -- making instances ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(image: RepoImage, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Instance | Rejected]:
    return list(_some(image, tmp_path_factory.mktemp("many"), 14))


def _some(image: RepoImage, worlds: Path, count: int) -> Sequence[Instance | Rejected]:
    made = mutate_fix(image, seed=4, worlds=worlds, options=MutateOptions(per_function=8))
    return [one for one, _ in zip(made, range(count), strict=False)]


def test_instances_are_whole(found: Sequence[Instance | Rejected], image: RepoImage) -> None:
    instances = [one for one in found if isinstance(one, Instance)]
    assert len(instances) >= 8
    for one in instances:
        assert one.fail_to_pass
        assert set(one.fail_to_pass) | set(one.pass_to_pass) == image.passing
        assert one.test_files.keys() == {"tests/test_shapes.py", "conftest.py"}
        assert (one.licence, one.image, one.base_commit) == ("MIT", image.digest, image.head)
        assert one.mutation["path"] == "shapes.py"
        assert one.mutation["function"] != "unused"  # no test runs it
        assert one.difficulty["failing"] == len(one.fail_to_pass)
        assert Instance.from_json(one.to_json()) == one
    assert len({one.instance_id for one in instances}) == len(instances)


def test_what_no_test_tells_is_rejected(image: RepoImage, tmp_path: Path) -> None:
    options = MutateOptions(operators=["binary_operator"], per_function=8)
    survived = {
        one.mutation.what: one.reason
        for one in mutate_fix(image, seed=1, worlds=tmp_path, options=options)
        if isinstance(one, Rejected)
    }
    assert survived == {"* became /": "survived", "* became **": "survived"}  # the radius is 1 in the only test of a circle


def test_lines_of_each_test(image: RepoImage) -> None:
    spectrum = spectrum_of(image, backend=BACKEND)
    lines = dict(enumerate(SHAPES.splitlines(), 1))
    own = spectrum.covered(["tests/test_shapes.py::test_circle"])["shapes.py"]
    assert {lines[number].strip() for number in own} == {'if kind == "circle":', "return pi * a * a"}
