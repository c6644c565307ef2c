"""Makes tasks of an image, or of a repository's history, and keeps what was found as it is found.

order = Order(place="images/toolz-1.2.0", worlds="tasks.worlds", seed=7, count=20)
made = make_tasks(order)                 # in any process; killed and called again, it goes on where it was
made.instances, made.rejected            # …, Counter({"survived": 9})
tally(order)                             # the same in numbers while somebody else is at it

tasks.worlds/images.json, INSTANCE/…     # where images are; the layers with the mistakes
tasks.worlds/.parts/NAME.HASH.jsonl      # what was found so far: one judgement a line
"""

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from foretrace.errors import ForetraceError
from foretrace.forager.benchmarks import why_not
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.issues import IssueOptions, issue_fix
from foretrace.forager.tasks.mutate import MutateOptions, mark_of, mutate_fix
from foretrace.forager.tasks.releases import history_of_releases
from foretrace.repos.image import list_images, load_image

IMAGES, PARTS = "images.json", ".parts"
RELEASES = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+(?:,[\w.!+-]+)+)")
_REASON = re.compile(rb'^\{"reason": "([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted of whom. Hashable and picklable."""

    place: str
    """The folder of an image; or, if `images` is given, a repository: a folder, or releases as `NAME==1.0,1.1`."""
    worlds: str
    images: str = ""
    """Where images of a repository's commits are built. Empty: mistakes are made in the image at `place`."""
    seed: int = 0
    count: int = 20
    mutate: MutateOptions = field(default_factory=MutateOptions)
    issues: IssueOptions = field(default_factory=IssueOptions)

    @property
    def part(self) -> Path:
        """The file of what was found; that of other settings is another."""
        settings = asdict(self) | {"count": 0, "worlds": ""}
        mark = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:10]
        name = re.sub(r"[^\w.+-]+", "-", self.place.rstrip("/").rsplit("/", 1)[-1])[:80]
        return Path(self.worlds) / PARTS / f"{name}.{mark}.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was found."""

    place: str
    instances: tuple[Instance, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    """How many were rejected for which reason."""
    problem: str = ""
    """Why it ended early, if it did."""


def make_tasks(order: Order) -> Made:
    """Finds as many tasks as are wanted, or all that there are; a problem is told, and ends nobody else's work."""
    try:
        problem = _make(order)
    except (ForetraceError, OSError, RuntimeError) as error:
        problem = f"{type(error).__name__}: {error}"
    records = _read(order.part)
    instances = [Instance.from_json(record["instance"]) for record in records if record["instance"]]
    rejected = Counter(record["reason"] for record in records if record["reason"])
    return Made(place=order.place, instances=tuple(instances[: order.count]), rejected=rejected, problem=problem)


def tally(order: Order) -> Counter[str]:
    """How many were judged in which way so far; `""` are tasks."""
    try:
        found = _REASON.findall(order.part.read_bytes())
    except FileNotFoundError:
        return Counter()
    return Counter(reason.decode() for reason in found)


def known_images(worlds: Path) -> dict[str, str]:
    """Folders of images by digest, as they were when tasks were made."""
    try:
        found: dict[str, str] = json.loads((worlds / IMAGES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def note_images(worlds: Path, folders: Mapping[str, str]) -> None:
    """Adds to what `known_images` tells."""
    worlds.mkdir(parents=True, exist_ok=True)
    part = worlds / f".{IMAGES}.{os.getpid()}"
    part.write_text(json.dumps(known_images(worlds) | dict(folders), indent=1) + "\n", encoding="utf-8")
    part.replace(worlds / IMAGES)


def images_in(folders: Iterable[Path]) -> dict[str, str]:
    """Folders of images by digest, of folders that hold some."""
    return {image.digest: str(image.folder) for folder in folders for image in list_images(folder)}


# ---------------------------------------------------------------------------------------------------


def _make(order: Order) -> str:
    """Adds to the part until there is enough; why there will be nothing, if so."""
    records = _read(order.part, cut=True)
    wanted = order.count - sum(record["instance"] is not None for record in records)
    if wanted <= 0:
        return ""
    if reason := why_not(*_names(order)):
        return reason
    order.part.parent.mkdir(parents=True, exist_ok=True)
    with order.part.open("a", encoding="utf-8") as file:
        for found in _found(order, records):
            file.write(json.dumps(asdict(found) | {"instance": found.instance and found.instance.to_json()}) + "\n")
            file.flush()
            wanted -= found.instance is not None
            if wanted <= 0:
                break
    return ""


def _names(order: Order) -> tuple[str, tuple[str, ...]]:
    """What a repository is called, and its packages; those of a history are known when an image is built (`issues.py`)."""
    if order.images:
        releases = RELEASES.fullmatch(order.place)
        return (releases[1] if releases else Path(order.place).name), ()
    image = load_image(order.place)
    return image.origin.name, tuple(image.modules)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A line of a part."""

    reason: str
    """Why it is no task; empty if it is."""
    mark: str
    """By which it is known again."""
    detail: str = ""
    instance: Instance | None = None


def _found(order: Order, records: list[dict[str, Any]]) -> Iterator[_Judged]:
    """What is found beyond what is known."""
    judged = {str(record["mark"]): record["instance"] is not None for record in records}
    if order.images:
        images = Path(order.images)
        for found in issue_fix(_repository(order), images=images, options=order.issues, judged=judged):
            if isinstance(found, Instance):
                yield _Judged("", found.instance_id.rpartition("-")[2], instance=found)
            else:
                yield _Judged(found.reason, found.fix.commit[:12], found.detail)
        return
    image = load_image(order.place)
    _without_leftovers(Path(order.worlds), image.name)
    for made in mutate_fix(image, seed=order.seed, worlds=Path(order.worlds), options=order.mutate, judged=judged):
        if isinstance(made, Instance):
            told = replace(made, mutation={**made.mutation, "hints": order.mutate.hints})
            yield _Judged("", mark_of(made.bug), instance=told)
        else:
            mark = mark_of(made.mutation.patch)
            shutil.rmtree(Path(order.worlds) / f"{image.name}.{made.mutation.operator}.{mark}", ignore_errors=True)
            yield _Judged(made.reason, mark, f"{made.mutation.path} {made.mutation.function}: {made.mutation.what}")


def _repository(order: Order) -> Path:
    """The repository whose history is read."""
    releases = RELEASES.fullmatch(order.place)
    if not releases:
        return Path(order.place)
    images = Path(order.images)
    mark = hashlib.sha256(order.place.encode()).hexdigest()[:10]
    place = images / ".releases" / f"{releases[1]}-{mark}.git"
    return history_of_releases(releases[1], releases[2].split(","), place, cache=images / ".cache")


def _without_leftovers(worlds: Path, image: str) -> None:
    """Removes what a killed run was at: the layer of a mistake that was not judged yet."""
    parts = (worlds / PARTS).glob(f"{image}.*.jsonl")
    kept = {record["instance"]["instance_id"] for part in parts for record in _read(part) if record["instance"]}
    for folder in worlds.glob(f"{image}.*.*"):
        is_ours = folder.name.rsplit(".", 2)[0] == image  # not that of `toolz-1.2.0`, if the image is `toolz-1.2`
        if is_ours and folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _read(part: Path, *, cut: bool = False) -> list[dict[str, Any]]:
    """The whole lines of a part; with `cut`, what was left of a last one is cut off."""
    try:
        data = part.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    if cut and len(whole) < len(data):
        os.truncate(part, len(whole))
    return [json.loads(line) for line in whole.splitlines()]
