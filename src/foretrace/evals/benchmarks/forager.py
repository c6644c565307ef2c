"""Tasks that `foretrace forage tasks` made: real repositories with one mistake each, whose tests decide.

    foretrace eval run forager --data tasks.jsonl --model completions:predictions.jsonl
    foretrace eval run forager --data run --model control:gold           # the tasks of a run of `forage run`

Agents are run by `foretrace forage run`. This is for patches that came about in another way, and for one answer of a model
that sees the issue alone.
"""

from collections.abc import Iterator
from pathlib import Path

from foretrace.errors import UsageError
from foretrace.evals.benchmarks.swebench import WRONG, patch_style
from foretrace.evals.scorers.patch import MEASURES, patch_scorer
from foretrace.evals.types import Benchmark, Item, Options
from foretrace.forager.runs import MANIFEST, Run
from foretrace.forager.tasks.instance import Instance, read_instances
from foretrace.forager.tasks.making import images_in, known_images

_USE = "name a file of tasks, or a run, by --data: foretrace forage tasks images -o tasks.jsonl makes one"


def _load(options: Options) -> list[Item]:
    paths = [Path(path) for path in options.paths]
    images = images_in([path for path in paths if path.is_dir() and not (path / MANIFEST).is_file()])
    items = [item for path in paths for item in _items(path, images)]
    if not items:
        raise UsageError(f"there are no tasks; {_USE}")
    return items


def _items(path: Path, images: dict[str, str]) -> Iterator[Item]:
    """The tasks of a file, or of a run."""
    if (path / MANIFEST).is_file():
        run = Run.open(path)
        assert run.worlds is not None
        instances, worlds, known = list(run.instances.values()), run.worlds, {**run.images, **images}
    elif path.is_file():
        instances, worlds = list(read_instances(path)), path.with_suffix(".worlds").absolute()
        known = known_images(worlds) | images
    else:
        return
    for instance in instances:
        if instance.image not in known:
            raise UsageError(f"the image of {instance.instance_id} is not known here; name its folder by --data, too")
        yield _item(instance, known[instance.image], worlds / instance.instance_id)


def _item(instance: Instance, image: str, world: Path) -> Item:
    return Item(
        id=instance.instance_id,
        row={"instance": instance.to_json()},
        places={"image": image, "world": str(world)},
        controls={"gold": instance.patch, "wrong": WRONG},
        group=instance.repo,
        tags={"repo": instance.repo, "source": instance.source},
    )


def _ask(item: Item) -> tuple[str, str, str]:
    instance = item.row["instance"]
    return instance["repo"], instance["base_commit"], instance["problem_statement"]


FORAGER = Benchmark(
    name="forager",
    title="Forager tasks",
    about="mistakes in real repositories that a patch repairs, by their own tests",
    load=_load,
    styles={"patch": patch_style(_ask, "ours; it shows no code: agents are run by foretrace forage run")},
    scorer=patch_scorer,
    measures=MEASURES,
    is_executing=True,
    source="made by foretrace forage tasks from the user's repositories",
)
