"""What processes that were killed have left: found by their number in its name, and removed.

    names = reaper.new_name()            # foretrace-PROCESS-START-RANDOM
    reaper.reap()                        # what was removed, in words

Mounts and boxes need no reaper: the kernel ends them with their keeper. Control groups, folders under the temporary
folder, and what Podman or Docker keep (`docker.reap`) outlive a process that is killed.
"""

import os
import re
import secrets
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from foretrace.sandbox.environments import cgroups
from foretrace.sandbox.server import remove_tree

PREFIX = cgroups.PREFIX
_NAME = re.compile(rf"{PREFIX}-(\d+)-(\d+)-[0-9a-f]+")
_ENDING_SECONDS = 10.0
_PAUSE = 0.002
_START_FIELD = 19  # in /proc/PID/stat, counted from the state


def new_name() -> str:
    """A name that tells which process owns what bears it, even once its number is another's."""
    return f"{PREFIX}-{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(6)}"


def is_orphan(name: str) -> bool:
    """Whether this is such a name, and its process has ended."""
    match = _NAME.fullmatch(name)
    return match is not None and _started(int(match[1])) != int(match[2])


def reap() -> list[str]:
    """Removes the groups and folders of processes that have ended; says which."""
    gone = []
    for group in cgroups.leftovers():
        if is_orphan(group.name):
            _end(group)
            gone.append(str(group))
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        if is_orphan(folder.name):
            remove_tree(str(folder))
            gone.append(str(folder))
    return gone


def _end(group: Path) -> None:
    """Kills all that is in a group, and what enters it meanwhile, until it can be removed."""
    end = time.monotonic() + _ENDING_SECONDS
    while group.exists() and time.monotonic() < end:
        with suppress(OSError):  # somebody else was here
            for process in (group / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
        with suppress(OSError):  # what was killed has not quite ended
            group.rmdir()
            return
        time.sleep(_PAUSE)


def _started(process: int) -> int:
    """When a process began, in ticks since the machine did; -1 if there is none, or it only waits to be waited for."""
    try:
        state, *rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return -1 if state in "ZX" else int(rest[_START_FIELD - 1])
    except (OSError, IndexError, ValueError):
        return -1
