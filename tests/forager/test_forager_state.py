"""What an action did to the files is seen, and states have names."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_repository import BROKEN, FIXED, PATCH, backend, toy_task

from foretrace.forager.state import Watch
from foretrace.forager.task import Task
from foretrace.sandbox.environment import Environment
from foretrace.sandbox.environments import open_environment


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return toy_task(tmp_path_factory.mktemp("image"))


@pytest.fixture
def environment(task: Task) -> Iterator[Environment]:
    with open_environment(task.image, backend=backend()) as opened:
        yield opened


def bash(environment: Environment, command: str) -> None:
    assert environment.shell().run(command).code == 0


def test_each_look_sees_what_is_new(environment: Environment, task: Task) -> None:
    watch = Watch(environment, task.image)
    nothing, clean = watch.look()
    assert nothing == ()
    environment.write("a.py", FIXED.encode())
    (change,), fixed = watch.look()
    assert (change.path, change.kind, change.patch) == ("/testbed/a.py", "changed", PATCH)
    assert watch.look() == ((), fixed)
    bash(environment, "rm a.py; echo new > 'b c.py'; mkdir empty")
    changes, removed = watch.look()
    assert [(c.path, c.kind) for c in changes] == [("/testbed/a.py", "removed"), ("/testbed/b c.py", "added")]
    assert changes[0].patch.endswith("@@ -1,2 +0,0 @@\n-def add(a, b):\n-    return a + b\n")
    environment.write("a.py", BROKEN.encode())
    environment.remove("b c.py")
    changes, back = watch.look()
    assert [(c.path, c.kind) for c in changes] == [("/testbed/a.py", "added"), ("/testbed/b c.py", "removed")]
    assert back == clean
    assert len({clean, fixed, removed}) == 3
    assert watch.diff() == ""


def test_what_passes_does_not_count(environment: Environment, task: Task) -> None:
    watch = Watch(environment, task.image)
    _, clean = watch.look()
    bash(
        environment,
        "python3 -c 'import a'; mkdir .pytest_cache; echo x > .pytest_cache/v; git add -A; git stash list; date > /tmp/x",
    )
    assert watch.look() == ((), clean)


def test_what_is_no_text_is_named_and_not_shown(environment: Environment, task: Task) -> None:
    watch = Watch(environment, task.image)
    bash(environment, r"printf '\0' > binary; seq 100000 > long; ln -s none dangling; ln -s .git folder")
    changes, state = watch.look()
    assert {(c.path, c.kind, c.patch) for c in changes} == {
        (f"/testbed/{name}", "added", "") for name in ("binary", "long", "dangling", "folder")
    }
    bash(environment, r"printf '\1' >> binary")
    (change,), other = watch.look()
    assert change.path == "/testbed/binary"
    assert state != other


def test_the_same_state_has_the_same_name_elsewhere(task: Task) -> None:
    states = []
    for commands in (["sed -i s/-/+/ a.py", "echo x > b"], ["echo y > b", "echo x > b; sed -i s/-/+/ a.py"]):
        with open_environment(task.image, backend=backend()) as environment:
            watch = Watch(environment, task.image)
            for command in commands:
                bash(environment, command)
                watch.look()
            states.append(watch.state)
    assert states[0] == states[1]


def test_the_whole_difference_can_be_applied(environment: Environment, task: Task, tmp_path: Path) -> None:
    bash(
        environment,
        r"sed -i s/-/+/ a.py; rm test_a.py; printf 'no end' > 'new file.py'; printf 'a\r\n\xe9\n' > latin; : > empty",
    )
    watch = Watch(environment, task.image)
    watch.look()
    repository = tmp_path / "testbed"
    subprocess.run(["cp", "-r", task.image.root[0] / "testbed", repository], check=True)
    patch = tmp_path / "all.patch"
    patch.write_bytes(watch.diff().encode("utf-8", "surrogateescape"))
    subprocess.run(["git", "apply", patch], cwd=repository, check=True)
    assert not (repository / "test_a.py").exists()
    for name in ("a.py", "new file.py", "latin", "empty"):
        assert (repository / name).read_bytes() == environment.read(name), name
