"""The folder of a run: its tasks, where their images are, and one trajectory an episode.

    run = Run.begin(Path("run"), instances, images={image.digest: image.folder}, worlds=Path("tasks.worlds"))
    run = Run.open(Path("run"))
    for trajectory in run.trajectories(): run.instances[trajectory.header.task]

    run/run.json, tasks.jsonl, trajectories/TASK.POLICY.SEED.jsonl

A folder that holds trajectories alone can be read as a run, too: of its tasks nothing is known then.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foretrace.errors import FormatError, UsageError
from foretrace.forager.journal import read_trajectories, read_trajectory
from foretrace.forager.tasks.instance import Instance, read_instances, write_instances
from foretrace.forager.trajectory import Trajectory

TRAJECTORIES, TASKS, MANIFEST = "trajectories", "tasks.jsonl", "run.json"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run; picklable, for the processes and machines that work on it."""

    folder: Path
    images: Mapping[str, str] = field(default_factory=dict)
    """Folders of images by digest."""
    worlds: Path | None = None
    """Folder of the layers with the mistakes; what is not there is made there."""
    instances: Mapping[str, Instance] = field(default_factory=dict)
    """Its tasks, by id."""

    @classmethod
    def begin(cls, folder: Path, instances: Sequence[Instance], *, images: Mapping[str, str], worlds: Path) -> "Run":
        """Makes the folder, or goes on in it; tasks may be added to those that it began with.

        Raises:
            UsageError: it is of other tasks.

        """
        if (folder / MANIFEST).exists():
            now = {instance.instance_id: instance for instance in instances}
            if any(now.get(before.instance_id) != before for before in read_instances(folder / TASKS)):
                raise UsageError(f"{folder} is a run of other tasks; give another folder, or the tasks that it began with")
        (folder / TRAJECTORIES).mkdir(parents=True, exist_ok=True)
        write_instances(folder / TASKS, instances)
        told = {"v": VERSION, "images": dict(images), "worlds": str(worlds)}
        part = folder / f"{MANIFEST}.part"
        part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        part.replace(folder / MANIFEST)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Reads a run, or a folder of trajectories.

        Raises:
            UsageError: there is neither.
            FormatError: the manifest is damaged, or of another version.

        """
        if not (folder / MANIFEST).exists():
            if not any(folder.glob("*.jsonl")):
                raise UsageError(f"{folder} is no run; make one: foretrace forage run TASKS --policy search -o {folder}")
            return cls(folder=folder)
        try:
            told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            version, images, worlds = told["v"], dict(told["images"]), Path(told["worlds"])
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"{folder / MANIFEST} is damaged: {error!r}") from error
        if version != VERSION:
            raise FormatError(f"{folder} is a run of version {version}, and this reads {VERSION}")
        instances = {instance.instance_id: instance for instance in read_instances(folder / TASKS)}
        return cls(folder=folder, images=images, worlds=worlds, instances=instances)

    @property
    def episodes(self) -> Path:
        """Where the trajectories are."""
        inside = self.folder / TRAJECTORIES
        return inside if inside.is_dir() else self.folder

    def path(self, episode: str) -> Path:
        """The file of a finished episode."""
        return self.episodes / f"{episode}.jsonl"

    def trajectories(self) -> Iterator[Trajectory]:
        """All finished episodes, by name."""
        return read_trajectories(self.episodes)

    def names(self) -> list[str]:
        """Names of the finished episodes."""
        return sorted(path.name.removesuffix(".jsonl") for path in self.episodes.glob("*.jsonl"))

    def find(self, name: str) -> Trajectory:
        """The episode of a name, or the only one whose name has it in it; unfinished ones too, by their whole name.

        Raises:
            UsageError: there is none, or there are several.

        """
        for path in (self.path(name), self.episodes / f"{name}.jsonl.part"):
            if path.is_file():
                return read_trajectory(path)
        alike = [other for other in self.names() if name in other]
        if len(alike) != 1:
            problem = f"{len(alike)} episodes have {name!r} in their names" if alike else f"no episode is called {name!r}"
            shown = "\n  ".join((alike or self.names())[:10])
            raise UsageError(f"{self.folder}: {problem}; there are:\n  {shown}")
        return read_trajectory(self.path(alike[0]))
