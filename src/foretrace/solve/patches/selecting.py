"""From files to a choice: predictions and generated tests of many tasks, to one patch each.

    for selected in select(items, patches, tests, Setting()):
        selected.item, selected.choice.patch

Predictions are of any form that `foretrace eval` reads: SWE-bench's lines, several an instance, or texts of a model.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace.evals.benchmarks.coding import read_code
from foretrace.evals.scorers.patch import image_of_folder, is_a_patch, read_patch, require_files
from foretrace.evals.subjects.completions import Completions
from foretrace.evals.types import Item, Setting
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.world import world_of
from foretrace.repos.image import RepoImage, load_image
from foretrace.sandbox.environment import EnvironmentLimits
from foretrace.solve.patches.arena import Arena
from foretrace.solve.patches.choosing import Choice, Facts, ballot, choose, distinct_tests

_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What was chosen for a task."""

    item: str
    choice: Choice
    patches: int
    """Different ones."""
    tests: int
    """Different generated ones."""
    regressions: tuple[int, ...]
    """Tests that each patch breaks."""

    def to_json(self, model: str) -> dict[str, Any]:
        """A line of SWE-bench's predictions, with how it was chosen."""
        told = self.choice.to_json() | {"patches": self.patches, "generated tests": self.tests}
        return {"instance_id": self.item, "model_name_or_path": model, "model_patch": self.choice.patch, "selection": told}


Patches = Mapping[str, Sequence[tuple[str, int]]]
"""By task: patches, and the tokens of each, 0 if they are not known."""


def read_patches(file: Path) -> dict[str, list[tuple[str, int]]]:
    """The patches of a file of predictions, by task. Raises UsageError if it is in no form that is known."""
    found = Completions.open(str(file))
    read = (lambda text: text) if found.are_extracted else read_patch
    answers = {item: [(read(answer.text), answer.tokens) for answer in texts] for item, texts in found.texts.items()}
    return {item: [(patch, n) for patch, n in told if patch and is_a_patch(patch)] for item, told in answers.items()}


def read_tests(file: Path) -> dict[str, list[str]]:
    """The generated test files of a file of texts, by task. Raises UsageError if it is in no form that is known."""
    found = Completions.open(str(file))
    codes = {item: [read_code(answer.text) for answer in texts] for item, texts in found.texts.items()}
    return {item: [code for code in told if code] for item, told in codes.items()}


def select(
    items: Sequence[Item],
    patches: Patches,
    tests: Mapping[str, Sequence[str]],
    setting: Setting | None = None,
    load: Callable[[str], RepoImage] = load_image,
) -> Iterator[Selected]:
    """A choice for each task of which there are patches.

    Args:
        items: of the benchmark `forager`, or with a row from `evals.scorers.patch.folder_row`.
        patches: see `read_patches`.
        tests: generated ones; none of a task: it is chosen without.
        setting: isolation and seconds.
        load: reads an image's manifest.

    Raises:
        RefusedError: the isolation cannot be had here.
        SandboxError: an environment failed.

    """
    setting = setting or Setting()
    backend = require_files(setting)
    with tempfile.TemporaryDirectory(prefix="foretrace-") as scratch:
        for number, item in enumerate(items):
            if patches.get(item.id):
                arena = _arena(item, Path(scratch) / str(number), setting, backend, load)
                yield select_one(arena, patches[item.id], tests.get(item.id, ()))


def select_one(arena: Arena, patches: Sequence[tuple[str, int]], tests: Sequence[str]) -> Selected:
    """A choice for one task. Raises SandboxError if an environment failed."""
    candidates, generated = ballot(patches), distinct_tests(tests)
    before = arena.before(generated)
    facts: list[Facts] = [arena.facts(patch.text, generated, before) for patch in candidates]
    return Selected(
        item=arena.instance.instance_id,
        choice=choose(candidates, facts, generated, before.generated),
        patches=len(candidates),
        tests=len(generated),
        regressions=tuple(len(fact.broken) for fact in facts),
    )


def _arena(item: Item, place: Path, setting: Setting, backend: str, load: Callable[[str], RepoImage]) -> Arena:
    """As the patch scorer has it: a plain folder, or an image and the layer with the mistake."""
    instance, seconds = Instance.from_json(item.row["instance"]), setting.seconds or _SECONDS
    common: dict[str, Any] = {"instance": instance, "backend": backend, "seconds": seconds}
    if "folder" in item.row:
        folder = image_of_folder(Path(item.row["folder"]), place, backend=backend)
        return Arena(world=folder.image, tests=folder, **common)
    tests = load(item.places["image"])
    limits = EnvironmentLimits(seconds=2 * seconds)
    world = world_of(instance, tests.image, Path(item.places["world"]), backend=backend, limits=limits)
    return Arena(world=world, tests=tests, **common)
