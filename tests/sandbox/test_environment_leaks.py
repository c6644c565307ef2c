"""Nothing outlives an environment: not after `close`, not when it is forgotten, not when its owner or its keeper is killed."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance import LIMITS, backend, image

import foretrace
from foretrace.sandbox.environment import Backend, Image, Status
from foretrace.sandbox.environments import backends, cgroups, host, open_environment, reaper
from foretrace.sandbox.environments.keeper import keeper_of_this_process

__all__ = ["backend", "image"]
ROUNDS = 4
OWNER = """
import sys, time
from pathlib import Path
from foretrace.sandbox.environment import Image
from foretrace.sandbox.environments import host, open_environment
image = Image(root=(Path(sys.argv[2]),), host=tuple(host.paths()), digest=sys.argv[2])
box = open_environment(image, backend=sys.argv[1])
kept = box.snapshot(), box.fork()
box.shell().run(f"sleep {sys.argv[3]} & setsid sleep {sys.argv[3]} & sleep 0.1")
print("ready", flush=True)
box.exec(["sleep", sys.argv[3]], seconds=300)
"""


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def processes(marker: str) -> int:
    """How many run with this argument."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += marker.encode() in (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
    return count


def traces_of(owner: int) -> list[str]:
    """Mounts, groups and folders of a process."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    folders = Path(tempfile.gettempdir()).glob("foretrace-*")
    places = [*mounts, *map(str, folders), *map(str, cgroups.leftovers())]
    return [place for place in places if f"foretrace-{owner}-" in place]


def marker() -> str:
    return f"4{os.getpid()}{time.monotonic_ns() % 10**5}"


def start(name: str, folder: Path, mark: str) -> subprocess.Popen[str]:
    (folder / "testbed").mkdir(parents=True)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, name, str(folder), mark], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    assert until(lambda: processes(mark) >= 3)
    return owner


def use(backend: Backend, image: Image, mark: str) -> None:
    with backend.open(image, LIMITS) as box:
        box.shell().run(f"sleep {mark} & setsid sleep {mark} &")
        snapshot = box.snapshot()
        box.restore(snapshot)
        box.fork(snapshot).close()
        box.exec(["sleep", "9"], seconds=0.1)


def test_nothing_is_left_after_close(backend: Backend, image: Image) -> None:
    mark = marker()
    keeper_of_this_process(has_mounts=True)
    keeper_of_this_process(has_mounts=False)
    use(backend, image, mark)  # what a process has once for all is there
    before, descriptors = traces_of(os.getpid()), open_files()
    for _ in range(ROUNDS):
        use(backend, image, mark)
    gc.collect()
    assert until(lambda: processes(mark) == 0)
    assert until(lambda: set(traces_of(os.getpid())) <= set(before)), set(traces_of(os.getpid())) - set(before)
    # an engine's client has a pool of connections, which grows now and then, but not with every use
    assert open_files() <= descriptors + (ROUNDS - 1 if backend.name == "docker" else 0)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_left_of_what_is_forgotten(backend: Backend, image: Image) -> None:
    mark = marker()
    keeper_of_this_process(has_mounts=True)
    keeper_of_this_process(has_mounts=False)
    before = traces_of(os.getpid())
    box = backend.open(image, LIMITS)
    box.shell().run(f"sleep {mark} & true")
    assert until(lambda: processes(mark) == 1)
    del box
    gc.collect()
    assert until(lambda: processes(mark) == 0)
    assert until(lambda: set(traces_of(os.getpid())) <= set(before))


def test_all_ends_with_an_owner_that_is_killed(backend: Backend, tmp_path: Path) -> None:
    mark = marker()
    owner = start(backend.name, tmp_path, mark)
    owner.kill()
    owner.wait()
    if backend.name == "docker":
        backend.probe()  # connecting reaps what Docker and Podman keep
    assert until(lambda: processes(mark) == 0)
    assert until(lambda: traces_of(owner.pid) == []), traces_of(owner.pid)


@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_a_killed_keeper_breaks_its_environments_and_the_next_has_another(image: Image, name: str) -> None:
    if not backends()[name].probe().works:
        pytest.skip(backends()[name].probe().reason)
    mark = marker()
    with open_environment(image, LIMITS, backend=name) as box:
        box.shell().run(f"sleep {mark} & true")
        keeper = keeper_of_this_process(has_mounts=name == "bubblewrap")
        os.kill(keeper._process.pid, signal.SIGKILL)
        keeper._process.wait()
        assert box.exec(["true"]).status is Status.BROKEN
        if name == "bubblewrap":
            assert until(lambda: processes(mark) == 0)
    with open_environment(image, LIMITS, backend=name) as box:
        assert box.exec(["echo", "again"]).output == b"again\n"
    assert until(lambda: processes(mark) == 0)


def test_a_fork_of_this_process_has_environments_of_its_own(image: Image) -> None:
    if not backends()["bubblewrap"].probe().works:
        pytest.skip(backends()["bubblewrap"].probe().reason)
    with open_environment(image, LIMITS) as box:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with open_environment(image, LIMITS) as own:
                    code = own.exec(["bash", "-c", "exit 7"]).code
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert box.exec(["cat", "a.txt"]).output == b"alpha\n"


def test_the_reaper_takes_the_dead_and_spares_the_living(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "from foretrace.sandbox.environments import reaper; print(reaper.new_name())"], stdout=subprocess.PIPE, text=True)  # fmt: skip
    name = dead.communicate()[0].strip()
    alive = reaper.new_name()
    assert (reaper.is_orphan(name), reaper.is_orphan(alive), reaper.is_orphan("foretrace-something")) == (True, False, False)
    assert reaper.is_orphan(alive.replace(f"-{os.getpid()}-", f"-{os.getpid()}-1"))  # the number is another's now
    folders = [Path(tempfile.gettempdir(), each) for each in (name, alive)]
    for folder in folders:
        folder.mkdir()
    try:
        assert str(folders[0]) in reaper.reap()
        assert [folder.exists() for folder in folders] == [False, True]
    finally:
        shutil.rmtree(folders[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_an_ordinary_user_has_environments_too(tmp_path: Path, name: str) -> None:
    interpreter = shutil.which("python3", path="/usr/bin:/bin")
    asked = [interpreter or "false", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(asked, check=False).returncode:
        pytest.skip("needs an interpreter that everybody can read")
    package = Path(foretrace.__file__).parent
    shutil.copytree(package, tmp_path / "src/foretrace", ignore=shutil.ignore_patterns("*.so", "checkpoints", "__pycache__"))
    (tmp_path / "image/testbed").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    for path in (tmp_path, *tmp_path.parents[:2], *tmp_path.rglob("*")):
        path.chmod(path.stat().st_mode | 0o555 if path.is_dir() else 0o644)
    for path in (tmp_path / "tmp", tmp_path / "image", tmp_path / "image/testbed"):
        os.chown(path, 65534, 65534)
    code = f"""if True:
        import sys; sys.path.insert(0, {str(tmp_path / "src")!r})
        from pathlib import Path
        from foretrace.sandbox.environment import EnvironmentLimits, Image
        from foretrace.sandbox.environments import backends, host
        probe = backends()[{name!r}].probe()
        if not probe.works: sys.exit("skip: " + probe.reason)
        image = Image(root=(Path({str(tmp_path / "image")!r}),), host=tuple(host.paths()), digest="user")
        with backends()[{name!r}].open(image, EnvironmentLimits(processes=60)) as box:
            box.write("bomb.py", b"import os\\nwhile True: os.fork()")
            box.shell().run("echo x > f; mkdir d; cd d; python3 ../bomb.py 2>/dev/null; rm ../bomb.py; sleep 9", seconds=1)
            box.exec(["rm", "-f", "bomb.py"])
            print("alive" in box.shell().run("cd ..; rm -r d; echo alive").output.split())
            before = box.snapshot(); box.remove("f"); box.restore(before)
            print([c.path for c in box.changes()], box.exec(["cat", "f"]).output)
    """
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(interpreter), "-B", "-c", code]
    env = {"PATH": os.defpath, "TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=env, check=False, timeout=100)
    if done.stderr.startswith("skip: "):
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["True", "['/testbed/f'] b'x\\n'"], done.stdout
    assert os.listdir(tmp_path / "tmp") == []


def test_what_an_image_borrows_holds_no_home_and_no_environment() -> None:
    borrowed = host.paths()
    assert "/usr" in borrowed
    assert not {"/", "/root", "/home", "/etc", "/proc", os.path.expanduser("~"), sys.prefix} & set(borrowed) - {
        sys.base_prefix
    }
