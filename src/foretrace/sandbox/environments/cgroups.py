"""A control group for an environment, version 1 or 2, where one can be made: memory and processes of all of it
together.

    group = Group.make("name", memory_bytes=2 << 30, processes=256)       # None where no group can be written
    group.entries                                                        # files that a process writes "0" to, to enter
    group.oom_kills()
    group.close()

Groups are made below the one that this process is in, or below the root, as far as this user may write there; this
process stays where it is, so nothing is asked of systemd. Source: `cgroups(7)`, the kernel's
`Documentation/admin-guide/cgroup-v2.rst`.
"""

import os
import time
from pathlib import Path
from typing import Self

_HIERARCHIES = Path("/sys/fs/cgroup")
_CLOSING_SECONDS = 10.0
_PAUSE = 0.002
PREFIX = "foretrace"


class Group:
    """See above."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    @classmethod
    def make(cls, name: str, *, memory_bytes: int, processes: int) -> Self | None:
        """A new group; None where one of the two limits cannot be had."""
        own = _own_groups()
        if "" in own and (folder := _make(_HIERARCHIES, own[""], name, "memory.max")):
            limits = {"memory.max": memory_bytes, "memory.swap.max": 0, "pids.max": processes}
            return cls._limited([(folder, limits)])
        made = []
        for controller, file, limits in (
            (
                "memory",
                "memory.limit_in_bytes",
                {"memory.limit_in_bytes": memory_bytes, "memory.memsw.limit_in_bytes": memory_bytes},
            ),
            ("pids", "cgroup.procs", {"pids.max": processes}),
        ):
            folder = _make(_HIERARCHIES / controller, own.get(controller, "/"), name, file)
            if folder is not None:
                made.append((folder, limits))
        if len(made) == 2:
            return cls._limited(made)
        cls([folder for folder, _ in made]).close()
        return None

    @classmethod
    def _limited(cls, limits: list[tuple[Path, dict[str, int]]]) -> Self | None:
        group = cls([folder for folder, _ in limits])
        try:
            for folder, values in limits:
                for file, value in values.items():
                    if (folder / file).exists():  # of swap a kernel may know nothing
                        (folder / file).write_text(str(value))
        except OSError:
            group.close()
            return None
        return group

    @property
    def entries(self) -> list[str]:
        """Files that a process enters by."""
        return [str(folder / "cgroup.procs") for folder in self._folders]

    def oom_kills(self) -> int:
        """Processes of it that the kernel has killed for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            try:
                text = (self._folders[0] / name).read_text()
            except OSError:
                continue
            return sum(int(line.split()[1]) for line in text.splitlines() if line.split()[0] == "oom_kill")
        return 0

    def close(self) -> None:
        """Removes it, once its processes have ended."""
        end = time.monotonic() + _CLOSING_SECONDS
        for folder in self._folders:
            while folder.exists():
                try:
                    os.rmdir(folder)
                except OSError:  # what was killed has not quite ended
                    if time.monotonic() > end:
                        break
                    time.sleep(_PAUSE)


def _own_groups() -> dict[str, str]:
    """This process's group by controller; the empty name is version 2's."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _make(hierarchy: Path, own: str, name: str, wanted: str) -> Path | None:
    """A new group in a hierarchy that has the file `wanted`."""
    for parent in dict.fromkeys((hierarchy / own.lstrip("/"), hierarchy)):
        folder = parent / name
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / wanted).exists():
            return folder
        folder.rmdir()
    return None


def leftovers() -> list[Path]:
    """Groups of any process of foretrace, for `reaper`."""
    own = _own_groups()
    places = {_HIERARCHIES, *(_HIERARCHIES / name for name in ("memory", "pids"))}
    places |= {place / own.get(place.name if place != _HIERARCHIES else "", "/").lstrip("/") for place in list(places)}
    return sorted(folder for place in places if place.is_dir() for folder in place.glob(f"{PREFIX}-*") if folder.is_dir())
