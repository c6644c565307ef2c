"""Hostile repositories: whatever a program in a box tries, it is contained and reported, and the next episode is clean."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conformance import LIMITS, backend, box, image, python

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Backend, Environment, Image, Status
from foretrace.sandbox.environments import layers
from foretrace.sandbox.environments.container import ContainerEnvironment

__all__ = ["backend", "box", "image"]


@pytest.fixture(scope="module")
def shared(backend: Backend, image: Image) -> Iterator[Environment]:
    """One box for attempts that leave nothing."""
    with backend.open(image, LIMITS) as environment:
        yield environment


def attempt(box: Environment, source: str, *arguments: str) -> str:
    """What became of a Python program: `done`, or the name of what it raised."""
    tried = f"import os, sys\ntry:\n    {source}\nexcept BaseException as e: print(type(e).__name__)\nelse: print('done')"
    result = box.exec(python(tried, *arguments))
    assert result.status is Status.OK, result
    return result.output.decode().split()[-1]


def is_clean(backend: Backend, image: Image) -> bool:
    """Whether a next episode finds everything as it should be."""
    with backend.open(image, LIMITS) as box:
        result = box.exec(["bash", "-c", "cat a.txt; ls; echo ok > new"])
        return (result.output, box.changes()[0].path, result.status) == (
            b"alpha\na.txt\ngone\nlink\nsrc\n", "/testbed/new", Status.OK
        )  # fmt: skip


# ---- exhaustion


@pytest.mark.parametrize("bomb", [
    ":(){ :|:& };:; wait",
    "python3 -c 'import os\nwhile True:\n  try: os.fork()\n  except OSError: pass'",
    "python3 -c 'import os\nwhile True:\n  try:\n    if not os.fork(): os.setsid()\n  except OSError: pass'",
])  # fmt: skip
def test_a_fork_bomb_is_bounded_and_ends(backend: Backend, image: Image, box: Environment, bomb: str) -> None:
    start = time.monotonic()
    assert box.exec(["bash", "-c", bomb], seconds=1).status is not Status.BROKEN
    assert box.shell().run(bomb, seconds=1).status is not Status.BROKEN
    assert time.monotonic() - start < 30
    assert "still\n" in box.shell().run("echo still").output  # among the last words of what was killed
    assert box.exec(["echo", "still"]).output == b"still\n"
    assert is_clean(backend, image)


def test_what_a_command_leaves_running_does_not_stop_the_next(backend: Backend, image: Image, box: Environment) -> None:
    box.shell().run("(while :; do sleep 100 & done) & sleep 0.3", seconds=2)
    assert box.exec(["echo", "still"]).output == b"still\n"
    assert is_clean(backend, image)


def test_memory_is_bounded(box: Environment) -> None:
    eat = "x = []\nwhile True: x.append(bytearray(b'x' * (8 << 20)))"
    result = box.exec(python(eat))
    assert result.status is Status.MEMORY or b"MemoryError" in result.output, result
    assert result.code != 0
    box.write("eat.py", eat.encode())
    told = box.shell().run("python3 eat.py")
    assert told.status is Status.MEMORY or "MemoryError" in told.output, told
    assert box.shell().run("echo still").output == "still\n"


def test_the_disk_is_bounded(backend: Backend, image: Image, box: Environment) -> None:
    if any("disk" in gap for gap in box.gaps):
        pytest.skip("; ".join(box.gaps))
    fill = "for i in $(seq 200); do head -c 1000000 /dev/zero > $1/f$i || exit 9; done"
    for folder in (".", "/tmp", "/dev/shm"):
        assert box.exec(["bash", "-c", fill, "bash", folder]).code == 9, folder
    many = "i = 0\nwhile True:\n    open(f'n{i}', 'x'); i += 1"
    assert b"No space left" in box.exec(python(many)).output
    with pytest.raises(SandboxError, match="No space left"):
        box.write("more", bytes(4 << 20))
    assert box.read("a.txt") == b"alpha\n"
    assert is_clean(backend, image)


def test_a_huge_file_is_not_read_into_memory(box: Environment) -> None:
    box.exec(["bash", "-c", "truncate -s 1G huge || rm huge"])
    with pytest.raises(SandboxError, match=r"bytes|huge"):
        box.read("huge")


def test_processor_time_is_bounded_by_the_clock(box: Environment) -> None:
    assert box.exec(["bash", "-c", "while :; do :; done"], seconds=0.5).status is Status.TIMEOUT


def test_folders_deeper_than_a_path_do_not_stop_anything(backend: Backend, image: Image, box: Environment) -> None:
    deep = "import os\nfor _ in range(500): os.mkdir('deep-folder'); os.chdir('deep-folder')\nopen('x', 'w').close()"
    assert box.exec(python(deep)).status is Status.OK
    box.changes()
    with suppress(SandboxError):  # which is what the system's programs for copying say of such folders
        box.restore(box.snapshot())
    box.remove("deep-folder")
    assert box.changes() == []
    assert is_clean(backend, image)


# ---- ways out


@pytest.mark.parametrize("source", [
    "open('/etc/shadow').read()",
    "open('/usr/bin/env', 'a')",
    "open('/usr/probe', 'w')",
    "open('/etc/ld.so.cache', 'a')",
    "os.listdir(os.path.expanduser('~root') + '/.ssh')",
    "os.mknod('device', 0o020666, os.makedev(1, 1))",
    "os.mknod('/dev/device', 0o060666, os.makedev(7, 0))",
    "os.chroot('/')",
    "os.setuid(12345)",
    "os.setgroups([0, 1])",
    "open('/proc/sys/kernel/core_pattern', 'w')",
    "open('/proc/sysrq-trigger', 'w')",
    "os.write(os.open('/proc/1/oom_score_adj', os.O_WRONLY), b'-1000')",
    "open('/sys/kernel/uevent_helper', 'w')",
    "open('/proc/kcore', 'rb').read(1)",
    "import ctypes; l = ctypes.CDLL(None); assert l.mount(b'none', b'/mnt', b'tmpfs', 0, None) == 0",
    "import ctypes; l = ctypes.CDLL(None); assert l.umount2(b'/proc', 2) == 0",
    "import ctypes; l = ctypes.CDLL(None); assert l.unshare(0x10000000) == 0",
    "import ctypes; l = ctypes.CDLL(None); assert l.unshare(0x00020000) == 0",
    "import ctypes; l = ctypes.CDLL(None); assert l.ptrace(16, os.getppid(), 0, 0) == 0 and os.getppid() > 1",
    "import ctypes; l = ctypes.CDLL(None); assert l.pivot_root(b'/', b'/tmp') == 0",
    "import ctypes; l = ctypes.CDLL(None); assert l.syscall(321, 0, 0, 0) >= 0",
    "import ctypes; l = ctypes.CDLL(None); assert l.reboot(0) == 0",
    "import socket; socket.create_connection(('1.1.1.1', 53), 1)",
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
])  # fmt: skip
def test_what_is_out_of_reach(shared: Environment, source: str) -> None:
    if ("0x10000000" in source or "ptrace" in source) and isinstance(shared, ContainerEnvironment):
        pytest.skip("engines allow these within the container")
    assert attempt(shared, source) not in ("done", "SyntaxError", "NameError", "TypeError")


def test_this_machines_own_servers_are_out_of_reach(shared: Environment, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert attempt(shared, f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)") != "done"
    with socket.socket(socket.AF_UNIX) as server:
        name = f"\0foretrace-test-{os.getpid()}"
        server.bind(name)
        server.listen()
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{name[1:]}')"
        assert attempt(shared, connect) != "done"


def test_no_other_process_is_seen_or_signalled(shared: Environment) -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: caught.append(1))
    try:
        assert attempt(shared, f"os.kill({os.getpid()}, 12)") != "done"
        assert attempt(shared, f"open('/proc/{os.getpid()}/environ').read()") != "done"
        shared.exec(["bash", "-c", "kill -USR2 -1; kill -USR2 $PPID"])
    finally:
        time.sleep(0.05)
        signal.signal(signal.SIGUSR2, before)
    assert not caught


def test_no_secret_of_ours_is_seen(backend: Backend, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    with backend.open(image, LIMITS) as box:
        look = "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; ls -a ~ /home /root 2>/dev/null"
        assert b"hunter2" not in box.exec(["bash", "-c", look]).output
        assert "hunter2" not in box.shell().run(look).output
        open_files = box.exec(
            ["bash", "-c", "for n in $(seq 3 255); do [ -e /proc/self/fd/$n ] && readlink /proc/self/fd/$n; done"]
        )
        assert b"memfd" not in open_files.output
        assert b"socket" not in open_files.output


def test_privileges_cannot_be_had(shared: Environment) -> None:
    status = shared.exec(["bash", "-c", "cat /proc/self/status"]).output.decode()
    if "CapEff" in status:  # without /proc, the attempts above must do
        assert all(line.split()[1].strip("0") == "" for line in status.splitlines() if line.startswith("Cap")), status
        assert "NoNewPrivs:\t1" in status


def test_root_in_the_box_is_nobody_outside(backend: Backend, image: Image) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    with backend.open(image, LIMITS) as box:
        if any("root outside" in gap for gap in box.gaps):
            pytest.skip("; ".join(box.gaps))
        seen: set[int] = set()
        marker = f"{os.getpid()}1{time.monotonic_ns() % 10**6}"
        thread = threading.Thread(target=box.exec, args=(["sleep", marker],), kwargs={"seconds": 1.5})
        thread.start()
        while thread.is_alive():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if (process / "cmdline").read_bytes() == f"sleep\0{marker}\0".encode():
                        seen.add(process.stat().st_uid)
                except OSError:
                    continue
            time.sleep(0.02)
        assert seen
        assert min(seen) >= 0x60000000


# ---- tricks on whoever looks


def test_links_planted_for_whoever_collects_files_lead_nowhere(box: Environment, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("keep")
    plant = f"rm -r src; ln -s {tmp_path} src; ln -s {tmp_path}/victim out; mkdir d; ln -s {tmp_path} d/e; rm a.txt; ln -s /etc/shadow a.txt"
    box.exec(["bash", "-c", plant])
    found = {change.path for change in box.changes()}
    assert {"/testbed/src", "/testbed/out", "/testbed/d/e", "/testbed/a.txt"} <= found
    assert not any("victim" in path for path in found)
    committed = box.commit(tmp_path / "layer").root[0]
    assert (committed / "testbed/src").is_symlink()
    box.restore(box.snapshot())
    for path in ("src", "d", "out"):
        box.remove(path)
    assert (tmp_path / "victim").read_text() == "keep"


def test_a_race_of_links_never_lets_a_write_out(box: Environment, tmp_path: Path) -> None:
    flip = f"while :; do ln -sfn {tmp_path} race; ln -sfn src race; done"
    thread = threading.Thread(target=box.exec, args=(["bash", "-c", flip],), kwargs={"seconds": 2})
    thread.start()
    while thread.is_alive():
        try:
            box.write("race/out.txt", b"x")
            box.read("race/out.txt")
            box.changes()
        except SandboxError:
            continue
    assert list(tmp_path.iterdir()) == []


def test_set_user_bits_and_hidden_folders_do_no_harm(
    backend: Backend, image: Image, box: Environment, tmp_path: Path
) -> None:
    box.exec(["bash", "-c", "cp /bin/sh mine; chmod 6755 mine; mkdir locked; touch locked/x; chmod 0 locked"])
    box.changes()
    box.restore(box.snapshot())
    layer = box.commit(tmp_path / "layer").root[0]
    assert (layer / "testbed/mine").stat().st_mode & 0o6000 == 0
    box.remove("locked")
    assert is_clean(backend, image)


def test_what_waits_for_input_gets_none(shared: Environment) -> None:
    assert attempt(shared, "input()") == "EOFError"
    assert shared.exec(["bash", "-c", "cat /dev/tty 2>/dev/null; echo $?"]).output.split()[-1] == b"1"


def test_a_killed_parent_is_contained(backend: Backend, image: Image, box: Environment) -> None:
    for command in ("kill -9 $PPID; echo here", "kill -9 -1; echo here", "kill -9 1; echo here"):
        assert box.exec(["bash", "-c", command]).status in (Status.OK, Status.KILLED)
        box.shell().run(command)
    assert box.shell().run("echo next").output == "next\n"
    assert is_clean(backend, image)


def test_variables_of_the_box_do_not_steer_what_builds_it(box: Environment) -> None:
    """A repository's workflow may name variables, and the loader of a program outside would heed some of them."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": f"{folder}/told", "LEFT": "alone = 1"}
        assert box.exec(["bash", "-c", "echo $LEFT"], env=env).output.count(b"alone = 1\n") == 1
        assert os.listdir(folder) == []


def test_what_is_swapped_while_it_is_read_leads_nowhere(tmp_path: Path) -> None:
    """A path that was a file when it was looked at, and is a link out of the box or a pipe when it is opened."""
    (tmp_path / "secret").write_text("secret")
    layer = tmp_path / "layer"
    (layer / "folder").mkdir(parents=True)
    (layer / "folder/secret").write_text("own")
    (layer / "link").symlink_to(tmp_path / "secret")
    (layer / "out").symlink_to(tmp_path)
    (layer / "in").symlink_to("/folder")
    os.mkfifo(layer / "pipe")
    descriptor = os.open(layer, os.O_RDONLY)
    try:
        for path in ("link", "out/secret", "pipe", "folder"):
            with pytest.raises(OSError, match=path.split("/")[0]):
                layers.open_file(f"/proc/self/fd/{descriptor}/{path}")
        with open(layers.open_file(f"/proc/self/fd/{descriptor}/in/secret"), "rb") as file:
            assert file.read() == b"own"
    finally:
        os.close(descriptor)


def test_files_that_come_and_go_while_changes_are_told_break_nothing(box: Environment) -> None:
    box.shell().run("(while :; do for n in {1..50}; do echo x > now$n; done; rm -f now*; done) & echo y > stays")
    for _ in range(20):
        assert "/testbed/stays" in {change.path for change in box.changes()}
