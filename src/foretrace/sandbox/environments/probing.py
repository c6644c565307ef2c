"""Whether a backend works here: an environment is opened, worked in, and a program in it tries to leave."""

import tempfile
from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Backend, EnvironmentLimits, Image, Probe, Status
from foretrace.sandbox.environments import host

_ESCAPE = """
( echo x > "$1" ) 2>/dev/null && exit 11
( : > /dev/tcp/127.0.0.1/22 ) 2>/dev/null && exit 12
kill -0 "$2" 2>/dev/null && exit 13
cat /etc/shadow /root/.ssh/* > /dev/null 2>&1 && exit 14
exit 0
"""
_WAYS = {11: "wrote outside of it", 12: "had a network", 13: "reached another process", 14: "read what only root may"}
_SECONDS = 30.0
_LIMITS = EnvironmentLimits(memory_bytes=256 << 20, processes=32, disk_bytes=16 << 20, seconds=120)


def probe(backend: Backend, remedy: str) -> Probe:
    """Whether `backend` works; `remedy` says what would help if not."""
    with tempfile.TemporaryDirectory(prefix="foretrace-probe-") as folder:
        image = Path(folder, "image")
        (image / "testbed").mkdir(parents=True)
        (image / "testbed/file").write_text("before\n")
        try:
            return _work(backend, Image(root=(image,), host=tuple(host.paths()), digest="probe"), folder)
        except SandboxError as error:
            return Probe(works=False, reason=f"{error}. What helps: {remedy}")


def _work(backend: Backend, image: Image, folder: str) -> Probe:
    import os

    with backend.open(image, _LIMITS) as environment:
        before = environment.snapshot()
        changed = environment.shell().run("echo after > file; cat file", seconds=_SECONDS)
        found = [change.path for change in environment.changes()]
        environment.restore(before)
        if changed.output != "after\n" or found != ["/testbed/file"] or environment.read("file") != b"before\n":
            raise SandboxError(f"a command that was to change a file said {changed.output!r} and changed {found}")
        outside = Path(folder, "escaped")
        tried = environment.exec(["bash", "-c", _ESCAPE, "escape", str(outside), str(os.getpid())], seconds=_SECONDS)
        if tried.status is not Status.OK or tried.code or outside.exists():
            raise SandboxError(f"a program {_WAYS.get(tried.code, 'in it failed')}: {tried.output.decode(errors='replace')}")
        return Probe(works=True, reason="opened, changed, restored; nothing left it", gaps=environment.gaps)
