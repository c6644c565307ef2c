"""The tools, in a real environment: what they do, and what they say where they cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_repository import BROKEN, FIXED, backend, toy_task

from foretrace.forager.tools import TOOLS, Desk, functions
from foretrace.sandbox.environments import open_environment

EDIT = "a.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE"


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def desks(image_folder: Path) -> Iterator[Desk]:
    task = toy_task(image_folder)
    with open_environment(task.image, backend=backend()) as environment:
        desk = Desk(environment, command_seconds=20, characters=2000)
        desk.start = environment.snapshot()  # type: ignore[attr-defined]
        yield desk


@pytest.fixture
def desk(desks: Desk) -> Iterator[Desk]:
    """A desk at a fresh environment."""
    desks.command_seconds = 20
    yield desks
    desks.environment.restore(desks.start)  # type: ignore[attr-defined]
    desks.shell = desks.environment.shell()


def test_a_command_runs_where_the_last_one_left_the_shell(desk: Desk) -> None:
    assert desk.call("bash", "mkdir sub && cd sub && export N=7").ok
    result = desk.call("bash", "pwd; echo $N")
    assert (result.output, result.code, result.status) == ("/testbed/sub\n7", 0, "ok")


def test_what_went_wrong_with_a_command_is_said(desk: Desk) -> None:
    failed = desk.call("bash", "echo out; exit_with() { return 3; }; exit_with")
    assert (failed.output, failed.ok, failed.code) == ("out\n[exit code 3]", False, 3)
    desk.command_seconds = 0.3
    slow = desk.call("bash", "echo begun; sleep 20")
    assert (slow.ok, slow.status) == (False, "timeout")
    assert slow.output.startswith("begun\n")
    assert slow.output.endswith("\n[stopped after 0.3 s]")
    desk.command_seconds = 20
    assert desk.call("bash", "cat; read x; echo $x; pwd").output.splitlines()[-1] == "/testbed"


def test_an_output_is_bounded(desk: Desk) -> None:
    result = desk.call("bash", "seq 1 20000")
    assert len(result.output) < 2100
    assert result.output.startswith("1\n2\n")
    assert result.output.endswith("19999\n20000")
    assert "left out" in result.output
    huge = desk.call("bash", "head -c 5000000 /dev/zero | tr '\\0' x")
    assert huge.dropped > 3_000_000
    assert "bytes of the output were dropped]" in huge.output
    binary = desk.call("bash", r"printf '\xff\x00\x1bok'")
    assert binary.output.endswith("ok")
    assert desk.call("bash", "echo a\0b; " + "# " + "x" * 2_000_000 + "\necho end").output.endswith("\nend")


def test_an_edit_is_made_and_shown(desk: Desk) -> None:
    result = desk.call("edit", EDIT)
    assert result.ok
    assert result.output == "/testbed/a.py is changed from line 2 on. It now reads:\n     1\tdef add(a, b):\n" + (
        "     2\t    return a + b\n     3\t"
    )
    assert desk.environment.read("a.py").decode() == FIXED


def test_paths_are_those_of_the_shell(desk: Desk) -> None:
    desk.call("bash", "mkdir sub && cd sub")
    assert desk.call("create", "b.py\nx = 1").output == "/testbed/sub/b.py is created, with 1 lines"
    assert desk.call("edit", EDIT.replace("a.py", "../a.py", 1)).ok
    assert desk.environment.read("/testbed/sub/b.py") == b"x = 1\n"
    assert desk.call("bash", "git status --short").output == " M ../a.py\n?? ./"


@pytest.mark.parametrize(
    ("tool", "argument", "complaint"),
    [
        ("edit", EDIT.replace("a - b", "a * b"), "the search lines are not in the file"),
        ("edit", EDIT.replace("a.py", "none.py", 1), "cannot read /testbed/none.py in the environment: No such file"),
        ("edit", EDIT.replace("a.py", "/usr", 1), "cannot read /usr in the environment: Is a directory"),
        ("edit", EDIT.replace("a.py", "/dev/null", 1), "cannot read /dev/null in the environment"),
        ("edit", "a.py", "an edit is a path"),
        ("create", "a.py\nx", "is there already"),
        ("create", "/usr/share/mine\nx", "Read-only file system"),
        ("create", "a.py/b\nx", "there is no folder /testbed/a.py"),
        ("create", "none/b.py\nx", "there is no folder /testbed/none"),
        ("create", "\nx", "the path is empty"),
        ("view", "none.py", "No such file"),
        ("view", "a.py\n9 12", "there are no lines 9 to 12: the file has 2"),
        ("view", "a.py\nall", "the first and the last line"),
        ("view", f"a.py\n{'9' * 5000}", "the first and the last line"),
        ("submit", "none.patch", "No such file"),
        ("submit", "a.py", "is no patch"),
        ("submit", "/tmp/\0", "the path is empty"),
    ],
)
def test_what_cannot_be_done_is_said_and_not_done(desk: Desk, tool: str, argument: str, complaint: str) -> None:
    result = desk.call(tool, argument)
    assert not result.ok
    assert complaint in result.output
    assert desk.environment.changes() == []


def test_a_file_is_shown_in_parts_and_a_folder_by_names(desk: Desk) -> None:
    assert desk.call("view", "a.py").output == "     1\tdef add(a, b):\n     2\t    return a - b"
    assert desk.call("view", "a.py\n2 2").output == "     2\t    return a - b\n[lines 2 to 2 of 2]"
    assert desk.call("view", "big.txt\n499-").output == "   499\tx\n   500\tx\n[lines 499 to 500 of 500]"
    assert desk.call("view", "big.txt").output.endswith("[lines 1 to 200 of 500]")
    assert desk.call("view", ".").output.split() == [".git/", ".gitignore", "a.py", "big.txt", "test_a.py"]
    desk.call("bash", r"printf '\0' > binary; : > empty; mkdir none")
    assert desk.call("view", "binary").output == "/testbed/binary is no text: 1 bytes"
    assert desk.call("view", "empty").output == "     1\t"
    assert desk.call("view", "none").output == "/testbed/none is empty"


def test_a_patch_is_submitted_from_where_the_shell_wrote_it(desk: Desk) -> None:
    desk.call("edit", EDIT)
    desk.call("bash", "git diff > /tmp/fix.patch; : > /tmp/empty.patch")
    assert "is empty" in desk.call("submit", "/tmp/empty.patch").output
    result = desk.call("submit", " /tmp/fix.patch \n")
    assert result.ok
    assert result.submission is not None
    assert result.submission.startswith("diff --git a/a.py b/a.py")
    assert f"<submission>\n{result.submission.rstrip()}\n</submission>" in result.output


def test_a_patch_of_foreign_bytes_is_submitted_as_it_is(desk: Desk) -> None:
    desk.call("bash", r"printf 'diff \xff\n' > /tmp/fix.patch")
    submission = desk.call("submit", "/tmp/fix.patch").submission
    assert submission is not None
    assert submission.encode("utf-8", "surrogateescape") == b"diff \xff\n"


def test_links_lead_nowhere_outside(desk: Desk, image_folder: Path) -> None:
    secret = image_folder.parent / "secret"
    secret.write_text("secret")
    desk.call("bash", f"ln -s {secret} leak; ln -s /etc/passwd own")
    assert not desk.call("view", "leak").ok
    assert "nobody" in desk.call("view", "own").output
    assert not desk.call("create", "leak/x\ny").ok
    assert secret.read_text() == "secret"


def test_the_functions_of_the_tools_mean_what_the_texts_mean() -> None:
    told = {function["function"]["name"]: function["function"]["parameters"] for function in functions()}
    assert list(told) == list(TOOLS)
    for name, tool in TOOLS.items():
        arguments = {parameter: f"<{parameter}>" for parameter in told[name]["required"]}
        assert all(value in tool.compose(**arguments) for value in arguments.values())
    assert TOOLS["edit"].compose(path="a.py", search=BROKEN, replacement="") == (
        "a.py\n<<<<<<< SEARCH\ndef add(a, b):\n    return a - b\n=======\n>>>>>>> REPLACE"
    )
    assert TOOLS["view"].compose(path="a.py", first="3") == "a.py\n3"
