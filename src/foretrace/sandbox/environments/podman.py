"""A Podman of one's own: a service on a private socket, for machines that have the program and no daemon.

    url = podman.service()                # unix:///tmp/foretrace-…/podman.sock; it ends with this process

Its images and containers are kept apart from the user's. `containers.conf` asks for what works without CAP_SYS_RESOURCE
and without systemd: limits no higher than ours, soft equal to hard, `runc` where there is one (crun before 1.9 does not
start where both versions of control groups are mounted), no journal.
"""

import functools
import json
import os
import resource
import shutil
import tempfile
import time
import weakref
from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.sandbox.environments import reaper
from foretrace.sandbox.environments.keeper import Keeper, keeper_of_this_process
from foretrace.sandbox.environments.process import Box, Process, take
from foretrace.sandbox.server import remove_tree

_START_SECONDS = 30.0
_PAUSE = 0.02
_CONFIGURATION = """[containers]
default_ulimits = {ulimits}
log_driver = "none"
[engine]
events_logger = "none"
cgroup_manager = "cgroupfs"
lock_type = "file"
exit_command_delay = 5
tmp_dir = "{run}/libpod"
{runtime}
"""


def storage() -> Path:
    """Where images and containers are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache, "foretrace", "podman")


def running() -> Path:
    """Where it keeps what ends with the machine's boot; its database demands that this does not change."""
    return Path(tempfile.gettempdir(), f"foretrace-podman-{os.getuid()}")


def service() -> str:
    """The address of this process's service, which is started when there is none.

    Raises:
        SandboxError: there is no `podman`, or it does not start.

    """
    keeper = keeper_of_this_process(has_mounts=os.geteuid() == 0)  # as root, Podman mounts, and would leave it behind
    return _service_of(keeper)


@functools.cache
def _service_of(keeper: Keeper) -> str:
    program = shutil.which("podman")
    if program is None:
        raise SandboxError("neither Docker nor Podman is here; on Debian and Ubuntu: apt install podman runc")
    folder = Path(tempfile.gettempdir(), reaper.new_name())
    folder.mkdir(mode=0o700)
    weakref.finalize(keeper, remove_tree, str(folder))
    settings, socket = folder / "containers.conf", folder / "podman.sock"
    settings.write_text(configuration(), encoding="utf-8")
    command = [program, "--root", str(storage()), "--runroot", str(running()), "--storage-driver", "overlay"]
    command += ["--log-level", "error", "system", "service", "--time", "0", f"unix://{socket}"]
    kept = ("PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "TMPDIR")
    env = {name: os.environ[name] for name in kept if name in os.environ} | {"CONTAINERS_CONF": str(settings)}
    process = Process.start(keeper, Box(argv=command, env=env, settings={"user": 0, "groups": [], "limits": {}}))
    end = time.monotonic() + _START_SECONDS
    while not socket.exists():
        if time.monotonic() > end or process.has_ended:
            said = (take(process.output) or b"").decode(errors="replace").strip()
            process.close()
            raise SandboxError(f"podman does not start a service: {said[-500:]}")
        time.sleep(_PAUSE)
    return f"unix://{socket}"


def ulimits() -> dict[str, int]:
    """Limits of a container's processes, soft and hard, that an engine which may do no more than this process can set."""
    wanted = {"nofile": (resource.RLIMIT_NOFILE, 16384), "nproc": (resource.RLIMIT_NPROC, 32768)}
    hard = {name: resource.getrlimit(what)[1] for name, (what, _) in wanted.items()}
    return {
        name: most if hard[name] == resource.RLIM_INFINITY else min(most, hard[name]) for name, (_, most) in wanted.items()
    }


def configuration() -> str:
    """Text of `containers.conf`."""
    limits = json.dumps([f"{name}={value}:{value}" for name, value in ulimits().items()])
    runtime = 'runtime = "runc"' if shutil.which("runc") else ""
    return _CONFIGURATION.format(run=running(), ulimits=limits, runtime=runtime)
