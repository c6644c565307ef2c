"""Tasks of the forager as a benchmark: read from a file or a run, right and wrong patches told apart."""

from pathlib import Path

import pytest
from built_image import SHAPES, built_image, load_hosted, save
from small_image import needs_box

from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.scorers.patch import patch_scorer
from foretrace.evals.types import Item, Options, Reason, Setting
from foretrace.forager.mutation.sampling import file_patch
from foretrace.forager.patches import patch_of
from foretrace.forager.runs import Run
from foretrace.forager.tasks.instance import Instance, write_instances
from foretrace.forager.tasks.making import note_images
from foretrace.repos.image import RepoImage
from foretrace.solve.patches.selecting import select

pytestmark = needs_box
WRONG = SHAPES.replace("a * b", "a + b")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> RepoImage:
    return save(built_image(tmp_path_factory.mktemp("images") / "shapes"))


@pytest.fixture(scope="module")
def instance(image: RepoImage) -> Instance:
    return Instance(
        instance_id="shapes-1",
        repo="shapes",
        patch=file_patch("shapes.py", WRONG, SHAPES),
        problem_statement="Rectangles are wrong.",
        fail_to_pass=("tests/test_shapes.py::test_rectangle[3]",),
        pass_to_pass=("tests/test_shapes.py::test_total",),
        bug=file_patch("shapes.py", SHAPES, WRONG),
        image=image.digest,
        source="mutate-fix",
    )


def load(*paths: Path) -> list[Item]:
    return find_benchmark("forager").load(Options(paths=tuple(map(str, paths))))


def test_gold_passes_and_wrong_does_not(image: RepoImage, instance: Instance, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    write_instances(tasks, [instance])
    note_images(tasks.with_suffix(".worlds"), {image.digest: str(image.folder)})
    [item] = load(tasks)
    assert item.group == "shapes"
    style = find_benchmark("forager").styles["patch"]
    question = style.ask(item)
    assert "Rectangles are wrong." in question.chat
    assert instance.patch not in question.chat + question.text
    with patch_scorer(Setting(), load=load_hosted) as score:
        gold = score(item, style.read(style.write(item.controls["gold"])))
        assert (gold.strict, gold.official, gold.reason) == (True, True, Reason.RIGHT), gold
        wrong = score(item, style.read(style.write(item.controls["wrong"])))
        assert (wrong.strict, wrong.official, wrong.reason) == (False, False, Reason.WRONG)
        assert wrong.counts == {"fail to pass": (0, 1), "pass to pass": (1, 1)}


@pytest.mark.parametrize("metadata", ["more-1.dist-info/METADATA", "more.egg-info/PKG-INFO"])
def test_a_distribution_in_the_tree_is_no_plugin(
    metadata: str, image: RepoImage, instance: Instance, tmp_path: Path
) -> None:
    """Its entry points would be, wherever on Python's path they lie: and the tree is on it."""
    hook = "def pytest_collection_modifyitems(items):\n    for item in items:\n        item.obj = lambda *_, **__: None\n"
    patch = (
        patch_of(metadata, None, "Metadata-Version: 2.1\nName: more\nVersion: 1\n")
        + patch_of(f"{metadata.split('/')[0]}/entry_points.txt", None, "[pytest11]\nmore = more\n")
        + patch_of("more.py", None, hook)
    )
    Run.begin(tmp_path / "run", [instance], images={image.digest: str(image.folder)}, worlds=tmp_path / "worlds")
    [item] = load(tmp_path / "run")
    with patch_scorer(Setting(), load=load_hosted) as score:
        verdict = score(item, patch)
    assert (verdict.strict, verdict.reason) == (False, Reason.WRONG)
    assert verdict.extra["put back"] == [f"{metadata.split('/')[0]}/entry_points.txt"]


def test_a_run_has_its_tasks_too(image: RepoImage, instance: Instance, tmp_path: Path) -> None:
    Run.begin(tmp_path / "run", [instance], images={image.digest: str(image.folder)}, worlds=tmp_path / "worlds")
    [item] = load(tmp_path / "run")
    assert item.places["image"] == str(image.folder)
    assert item.places["world"] == str(tmp_path / "worlds" / "shapes-1")


def test_images_may_be_elsewhere_now(image: RepoImage, instance: Instance, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    write_instances(tasks, [instance])
    with pytest.raises(UsageError, match="image of shapes-1 is not known"):
        load(tasks)
    [item] = load(tasks, image.folder.parent)
    assert item.places["image"] == str(image.folder)


def test_without_tasks_it_says_how_to_make_some() -> None:
    with pytest.raises(UsageError, match="forage tasks"):
        load()


def test_of_many_patches_one_is_chosen_in_the_world_of_a_task(image: RepoImage, instance: Instance, tmp_path: Path) -> None:
    """What `foretrace solve --patches` does: the tests that decide are not looked at, votes come last."""
    Run.begin(tmp_path / "run", [instance], images={image.digest: str(image.folder)}, worlds=tmp_path / "worlds")
    items = load(tmp_path / "run")
    breaking = file_patch("shapes.py", WRONG, SHAPES.replace("found += number", "found -= number"))
    useless = file_patch("shapes.py", WRONG, WRONG.replace("n - 1", "n - 2"))
    patches = [(breaking, 10)] * 4 + [(useless, 10)] * 3 + [(instance.patch, 10)]
    generated = "from shapes import area\n\n\ndef test_it():\n    assert area('rectangle', 5, 3) == 15\n"
    [found] = select(items, {instance.instance_id: patches}, {instance.instance_id: [generated]}, load=load_hosted)
    assert (found.patches, found.tests, found.choice.patch) == (3, 1, instance.patch)
    assert found.regressions == (2, 0, 0)  # test_total and test_other
    assert found.choice.reason == "passing most generated tests"
    [blind] = select(items, {instance.instance_id: patches}, {}, load=load_hosted)
    assert (blind.choice.patch, blind.choice.reason) == (useless, "written most often")
