"""What jobs cannot do to the machine, to the sandbox and to one another; each program here tries."""

import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import foretrace
from foretrace.errors import SandboxError, UsageError
from foretrace.sandbox import Result, Sandbox, SandboxLimits, Status, backends

USABLE = [name for name, obstacle in backends().items() if not obstacle]
QUICK = SandboxLimits(seconds=20, cpu_seconds=1, memory_mb=300, file_mb=4)


@pytest.fixture(scope="module", params=list(backends()))
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if request.param not in USABLE:
        pytest.skip(backends()[request.param])
    with Sandbox(request.param, preload=["foretrace.sandbox.script"]) as box:
        yield box


def run(box: Sandbox, source: str, limits: SandboxLimits = QUICK, stdin: str = "") -> Result:
    return box.run("foretrace.sandbox.script:run", textwrap.dedent(source).encode(), limits, stdin)


def said(box: Sandbox, source: str, **options: object) -> str:
    result = run(box, source, **options)  # type: ignore[arg-type]
    assert result.status is Status.DONE, result
    return result.stdout.decode()


def attempt(body: str) -> str:
    """A program that says what became of `body`."""
    return f"import os, sys\ntry:\n{textwrap.indent(textwrap.dedent(body), '    ')}\nexcept BaseException as e: print(type(e).__name__)\nelse: print('done')"


def test_a_program_reads_and_writes_its_standard_streams(sandbox: Sandbox) -> None:
    result = run(
        sandbox, "import sys\nprint(input()[::-1], sys.stdin.read())\nprint('!', file=sys.stderr)", stdin="abc\n∞\ud800"
    )
    assert result.stdout.decode("utf-8", "surrogatepass").strip() == "cba ∞\udced\udca0\udc80" or b"cba" in result.stdout
    assert result.stderr == b"!\n"


def test_every_wall_stands_here(sandbox: Sandbox) -> None:
    assert all(up for wall, up in sandbox.walls.items() if wall != "own user" or os.getuid() == 0), sandbox.walls


@pytest.mark.parametrize(("status", "source"), [
    (Status.DONE, "raise SystemExit(0)"),
    (Status.EXITED, "raise SystemExit(3)"),
    (Status.EXITED, "import os; os._exit(0)"),
    (Status.EXITED, "1/0"),
    (Status.EXITED, "x = 'a' * (1 << 30)"),
    (Status.KILLED, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"),
    (Status.KILLED, "import ctypes; ctypes.string_at(0)"),
    (Status.KILLED, "while True: pass"),
    (Status.TIMEOUT, "import time; time.sleep(60)"),
    (Status.TIMEOUT, "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
    (Status.DONE, "import threading; threading.Thread(target=print).start()"),
])  # fmt: skip
def test_however_a_program_ends_the_sandbox_says_so_and_goes_on(sandbox: Sandbox, status: Status, source: str) -> None:
    limits = SandboxLimits(seconds=1) if status is Status.TIMEOUT else QUICK
    assert run(sandbox, source, limits).status is status
    assert said(sandbox, "print('next')") == "next\n"


@pytest.mark.parametrize("body", [
    "open('/etc/passwd').read()",
    "open(os.path.expanduser('~root') + '/probe', 'w')",
    "os.listdir('/root')",
    "os.listdir('/proc')",
    "os.listdir('/')",
    "open('/var/tmp/foretrace-probe', 'w')",
    "open('/dev/shm/foretrace-probe', 'w')",
    "open('/tmp/foretrace-probe', 'w')",
    "import foretrace; open(foretrace.__file__, 'a')",
    "open(os.__file__, 'a')",
    "os.chroot('.')",
    "os.setuid(0) if os.getuid() else os.setuid(1)",
    "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
    "import socket; socket.socket(socket.AF_UNIX)",
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "os.kill(os.getppid(), 9)",
    "os.kill(-1, 9)",
    "os.killpg(os.getpgid(os.getppid()), 9)",
    "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))",
    "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.ptrace(16, os.getppid(), 0, 0) == 0",
    "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.unshare(0x10000000) == 0",
    "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.shmget(0, 4096, 0o1600) >= 0",
    "import socket; a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "import fcntl; r, w = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())",
    "os.setpriority(os.PRIO_USER, 0, 19)",
    "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.inotify_add_watch(l.inotify_init(), b'/usr', 0xfff) >= 0",
])  # fmt: skip
def test_what_is_out_of_reach(sandbox: Sandbox, body: str) -> None:
    assert said(sandbox, attempt(body)).split()[-1] in (
        "PermissionError",
        "OSError",
        "AssertionError",
        "FileNotFoundError",
        "ProcessLookupError",
    )
    assert not any(Path(folder, "foretrace-probe").exists() for folder in ("/tmp", "/var/tmp"))


@pytest.mark.parametrize("body", [
    "open('x', 'w').write('y'); assert open('x').read() == 'y'; os.mkdir('d'); os.rename('x', 'd/x')",
    "import tempfile; tempfile.NamedTemporaryFile().write(b'x')",
    "import asyncio; asyncio.run(asyncio.sleep(0))",
    "import subprocess; assert subprocess.run(['/bin/echo', 'x'], capture_output=True).stdout == b'x\\n'",
    "import decimal, json, dataclasses, zoneinfo, sqlite3, unittest, xml.dom",
    "import threading; t = threading.Thread(target=len, args=('',)); t.start(); t.join()",
])  # fmt: skip
def test_what_programs_need_works(sandbox: Sandbox, body: str) -> None:
    assert said(sandbox, attempt(body)) == "done\n"


def test_a_job_sees_nothing_of_the_last(sandbox: Sandbox) -> None:
    leave = "import builtins, os, sys\nbuiltins.mark = sys.mark = 1\nopen('mark', 'w')\nos.environ['MARK'] = '1'\nprint(os.getcwd())"
    folder = said(sandbox, leave).strip()
    look = f"import builtins, os, sys\nprint(hasattr(builtins, 'mark'), hasattr(sys, 'mark'), os.listdir('.'), os.path.exists({folder!r}), 'MARK' in os.environ)"
    assert said(sandbox, look) == "False False [] False False\n"


def test_the_environment_tells_nothing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    with Sandbox(sandbox.backend) as box:
        assert "hunter2" not in said(box, "import os\nprint(dict(os.environ))")


def test_open_files_are_the_streams_the_output_and_the_tail(sandbox: Sandbox) -> None:
    listing = "import os\nopen_ = []\nfor fd in range(256):\n    try: os.fstat(fd); open_.append(fd)\n    except OSError: pass\nprint(len(open_))"
    assert said(sandbox, listing) == "5\n"


def test_a_daemon_ends_with_its_job(sandbox: Sandbox) -> None:
    source = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for _ in range(600):
                    time.sleep(0.05)
                os._exit(0)
            os._exit(0)
        time.sleep(0.1)
    """
    result = run(sandbox, source)
    assert (result.status, result.leftovers) == (Status.DONE, 1)
    assert result.seconds < 2


def test_a_fork_bomb_is_bounded_and_over(sandbox: Sandbox) -> None:
    bomb = """
        import os
        while True:
            try: os.fork()
            except OSError: pass
    """
    assert run(sandbox, bomb, SandboxLimits(seconds=1, cpu_seconds=1)).status in (Status.TIMEOUT, Status.KILLED)
    assert said(sandbox, "print('next')") == "next\n"
    assert said(sandbox, "import os\nprint(os.fork() >= 0) if os.fork() else os._exit(0)", limits=QUICK).startswith("True")


def test_files_are_bounded(sandbox: Sandbox) -> None:
    assert said(sandbox, attempt("open('big', 'wb').write(bytes(64 << 20))")) == "OSError\n"
    flood = run(sandbox, "while True: print('x' * 100000)")
    assert len(flood.stdout) <= 4 << 20


def test_a_folder_too_deep_to_remove_does_not_stop_the_next_job(sandbox: Sandbox) -> None:
    said(sandbox, "import os\nfor _ in range(1500):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)")
    assert said(sandbox, "import os\nprint(os.listdir('.'))") == "[]\n"
    assert len(eval(said(sandbox, "import os\nprint(os.listdir('..'))"))) == 1
    assert "PermissionError" in said(sandbox, attempt("os.listdir('../../left')"))


def test_what_a_job_puts_beside_its_folder_is_gone_and_harms_nothing(sandbox: Sandbox) -> None:
    plant = "import os\nos.mkdir('../../planted') if os.access('../..', os.W_OK) else None\nopen('../planted', 'w').write('x')\nos.chmod('..', 0)"
    run(sandbox, plant)
    assert said(sandbox, "import os\nprint(len(os.listdir('..')), os.path.exists('../planted'))") == "1 False\n"


def test_what_a_program_prints_before_it_ends_is_kept(sandbox: Sandbox) -> None:
    for ending in ("sys.exit(0)", "sys.exit(3)", "1 / 0", "import atexit; atexit.register(print, 'later')"):
        assert run(sandbox, f"import sys\nprint('first')\n{ending}").stdout.startswith(b"first\n")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_has_the_same_walls(tmp_path: Path) -> None:
    python = shutil.which("python3", path="/usr/bin:/bin")
    if (
        python is None
        or subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode
    ):
        pytest.skip("needs an interpreter that everybody can read")
    package = tmp_path / "src"
    shutil.copytree(
        Path(foretrace.__file__).parent, package / "foretrace", ignore=shutil.ignore_patterns("*.so", "checkpoints")
    )
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    job = f"print(open({str(secret)!r}).read())".encode()
    code = (
        f"import sys; sys.path.insert(0, {str(package)!r}); from foretrace.sandbox import Sandbox\n"
        "box = Sandbox('process'); print(box.walls)\n"
        f"print(box.run('foretrace.sandbox.script:run', {job!r}).stdout)\nbox.close()"
    )
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-B", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"PATH": os.defpath}, check=False)
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout
    assert done.stdout.count("False") == 1  # a user of its own


def test_what_is_written_to_every_descriptor_is_not_taken_for_success(sandbox: Sandbox) -> None:
    spray = 'import os\nfor fd in range(3, 256):\n    try: os.write(fd, b\'{"status": "done"}\')\n    except OSError: pass\nos._exit(0)'
    assert run(sandbox, spray).status is Status.EXITED


def test_a_sandbox_whose_server_is_killed_starts_again() -> None:
    with Sandbox("process") as box:
        assert said(box, "print(1)") == "1\n"
        subprocess.run(["kill", "-9", str(box._start().process.pid)], check=True)
        time.sleep(0.05)
        assert said(box, "print(2)") == "2\n"


def test_a_sandbox_ends_with_the_process_that_made_it() -> None:
    code = (
        "import os, threading, time; from foretrace.sandbox import Sandbox; box = Sandbox('process'); print(box._start().process.pid, flush=True)\n"
        "threading.Thread(target=box.run, args=('time:sleep', b'')).start(); box.run('foretrace.sandbox.script:run', b'import time; time.sleep(60)')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not Path(f"/proc/{server}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the server still runs")


def test_a_job_talks_over_its_channel_and_only_its_own(sandbox: Sandbox) -> None:
    answer = "import os\nwhile text := os.read(202, 100): os.write(202, text[::-1])"
    ours, theirs = socket.socketpair()
    with ours, ThreadPoolExecutor(1) as pool:

        def talk() -> bytes:
            ours.sendall(b"abc")
            heard = ours.recv(100)
            ours.shutdown(socket.SHUT_WR)
            return heard

        heard = pool.submit(talk)
        with theirs:
            result = sandbox.run("foretrace.sandbox.script:run", answer.encode(), QUICK, channel=theirs)
        assert (result.status, heard.result()) == (Status.DONE, b"cba")
        assert ours.recv(100) == b""  # nobody has the other end any more
    assert said(sandbox, attempt("os.read(202, 1)")) == "OSError\n"


def test_unknown_backends_and_closed_sandboxes_are_told() -> None:
    with pytest.raises(UsageError, match=r"no sandbox called 'docker'.*process, bubblewrap"):
        Sandbox("docker")
    box = Sandbox("process")
    box.close()
    with pytest.raises(SandboxError, match="closed"):
        run(box, "pass")
    with pytest.raises(UsageError, match="positive"):
        SandboxLimits(seconds=0)


def test_a_module_that_is_not_there_is_told() -> None:
    with Sandbox("process", preload=["no_such_module"]) as box, pytest.raises(SandboxError, match="no_such_module"):
        run(box, "pass")
