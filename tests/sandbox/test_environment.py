"""What every backend promises about commands, files, changes, snapshots and layers; see `environment.Environment`."""

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from conformance import LIMITS, SLOW, backend, box, image, probe

from foretrace.errors import SandboxError, UsageError
from foretrace.sandbox.environment import Backend, Change, Environment, EnvironmentLimits, Image, Kind, PathError, Status
from foretrace.sandbox.environments import backends, open_environment
from foretrace.sandbox.environments.bubblewrap import Bubblewrap

__all__ = ["backend", "box", "image"]


def said(box: Environment, command: str, **options: object) -> str:
    result = box.exec(["bash", "-c", command], **options)  # type: ignore[arg-type]
    assert result.status is Status.OK, result
    return result.output.decode()


# ---- commands


def test_a_command_runs_in_the_working_folder_with_the_images_variables(box: Environment) -> None:
    assert said(box, "pwd; cat a.txt; echo $GREETING") == f"{box.workdir}\nalpha\nhello\n"
    assert said(box, "pwd; echo $EXTRA", cwd="src", env={"EXTRA": "more"}) == f"{box.workdir}/src\nmore\n"
    assert said(box, "pwd", cwd="/testbed/src/deep") == f"{box.workdir}/src/deep\n"


@pytest.mark.parametrize(("argv", "code", "status"), [
    (["true"], 0, Status.OK),
    (["bash", "-c", "exit 7"], 7, Status.OK),
    (["no-such-program"], 127, Status.OK),
    (["bash", "-c", "kill -TERM $BASHPID"], 143, Status.KILLED),
    (["bash", "-c", "kill -SEGV $BASHPID"], 139, Status.KILLED),
])  # fmt: skip
def test_the_exit_code_says_how_it_ended(box: Environment, argv: list[str], code: int, status: Status) -> None:
    result = box.exec(argv)
    assert (result.code, result.status) == (code, status), result


def test_standard_input_is_given_and_ends(box: Environment) -> None:
    data = bytes(range(256)) * 1000
    assert box.exec(["wc", "-c"], stdin=data).output.split()[0] == b"256000"
    assert box.exec(["cat"]).output == b""
    assert box.exec(["bash", "-c", "exit 5"], stdin=data).code == 5


def test_output_and_errors_come_in_order_whatever_they_are(box: Environment) -> None:
    assert said(box, "echo 1; echo 2 >&2; echo 3") == "1\n2\n3\n"
    assert box.exec(["printf", r"\xff\x00\n"]).output == b"\xff\0\n"


def test_output_is_bounded_at_both_ends(box: Environment) -> None:
    result = box.exec(["bash", "-c", "echo first; head -c 3000000 /dev/zero; echo last"])
    assert result.status is Status.OK
    assert result.output.startswith(b"first\n")
    assert result.output.endswith(b"last\n")
    assert len(result.output) < LIMITS.output_bytes + 100
    assert result.truncated == 3000000 + 11 - LIMITS.output_bytes
    assert b"%d bytes are left out" % result.truncated in result.output


def test_what_takes_too_long_is_killed_with_all_it_started(box: Environment) -> None:
    start = time.monotonic()
    result = box.exec(["bash", "-c", "echo begun; (sleep 60; echo late >> file) & sleep 60"], seconds=0.5)
    assert (result.status, result.code, result.output) == (Status.TIMEOUT, 124, b"begun\n")
    assert time.monotonic() - start < 10
    assert "sleep 60" not in said(box, "cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '")


def test_the_environment_as_a_whole_has_its_time(backend: Backend, image: Image) -> None:
    limits = EnvironmentLimits(seconds=2.5, memory_bytes=256 << 20, disk_bytes=32 << 20)
    with backend.open(image, limits) as box:
        result = box.exec(["sleep", "60"])
        assert result.status is Status.TIMEOUT
        assert box.exec(["true"]).status is Status.TIMEOUT
        assert box.shell().run("true").status is Status.TIMEOUT


def test_different_environments_run_at_once(backend: Backend, image: Image) -> None:
    found: list[str] = []

    def work(number: int) -> None:
        with backend.open(image, LIMITS) as box:
            box.write("mine", str(number).encode())
            found.append(said(box, "sleep 0.1; cat mine"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["0", "1", "2", "3"]


# ---- files


def test_layers_lie_on_one_another(box: Environment) -> None:
    assert box.read("a.txt") == b"alpha\n"
    assert box.read("/testbed/src/below.txt") == b"below\n"
    assert said(box, "ls") == "a.txt\ngone\nlink\nsrc\n"
    with pytest.raises(SandboxError, match="hidden"):
        box.read("hidden")


def test_files_are_read_written_and_removed(box: Environment) -> None:
    box.write("new/folder/file", b"\0\xff")
    assert box.read("/testbed/new/folder/file") == b"\0\xff"
    assert said(box, "stat -c %s new/folder/file; echo more >> new/folder/file") == "2\n"
    box.write("opt.sh", b"#!/bin/sh\nexit 3\n")
    said(box, "chmod +x opt.sh")
    box.write("opt.sh", b"#!/bin/sh\nexit 4\n")  # keeps its mode
    assert box.exec(["bash", "-c", "./opt.sh"]).code == 4
    box.remove("new")
    box.remove("gone/c.txt")
    assert said(box, "ls . gone") == ".:\na.txt\ngone\nlink\nopt.sh\nsrc\n\ngone:\n"
    for path in ("new", "a.txt/x", "missing/file"):
        with pytest.raises(PathError, match=path):
            box.remove(path)


def test_what_is_at_a_path_is_told(box: Environment, tmp_path: Path) -> None:
    said(box, f"mkfifo pipe; ln -s src folder; ln -s nowhere broken; ln -s {tmp_path} out")
    kinds = {
        "a.txt": "file",
        "link": "file",
        "src": "folder",
        "folder": "folder",
        "pipe": "other",
        "broken": None,
        "no": None,
        "out": None,
    }
    assert {path: box.kind(path) for path in kinds} == kinds
    assert (box.kind("/testbed"), box.kind("a.txt/x")) == ("folder", None)
    with pytest.raises(PathError, match=r"a\.txt"):
        box.read("a.txt", limit=5)
    assert box.read("a.txt", limit=6) == b"alpha\n"


def test_a_change_tells_of_what_is_there_now(box: Environment) -> None:
    said(box, "printf abc > a.txt; chmod 751 a.txt; rm link; ln -s abc link; rm gone/c.txt")
    found = {change.path: (change.mode, change.size, change.digest) for change in box.changes()}
    digest = hashlib.sha256(b"abc").hexdigest()
    assert found == {
        "/testbed/a.txt": (0o100751, 3, digest),
        "/testbed/link": (0o120777, 3, digest),
        "/testbed/gone/c.txt": (0, 0, ""),
    }
    said(box, "printf abd > a.txt")  # of the same size, in the same second
    assert box.changes()[0].digest == hashlib.sha256(b"abd").hexdigest()


def test_what_is_no_regular_file_is_not_read(box: Environment) -> None:
    said(box, "mkfifo pipe; mkdir d")
    for path in ("pipe", "d", "missing"):
        with pytest.raises(PathError, match=path):
            box.read(path)
    with pytest.raises(SandboxError, match="pipe"):
        box.write("pipe", b"x")


def test_links_and_dots_do_not_lead_out(box: Environment, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    said(box, f"ln -s {secret} absolute; ln -s ../../../../../../..{secret} relative; ln -s {tmp_path} folder; ln -s / root")
    for path in (
        "absolute",
        "relative",
        "folder/secret",
        f"../..{secret}",
        str(secret),
        f"root{secret}",
        "/proc/1/root/etc/shadow",
    ):
        with pytest.raises(SandboxError):
            box.read(path)
    for path in ("folder/new", f"../../../../..{tmp_path}/new", f"root{tmp_path}/new"):
        try:
            box.write(path, b"x")
        except SandboxError:
            continue
    try:
        box.remove("folder/secret")
    except SandboxError:
        pass
    assert os.listdir(tmp_path) == ["secret"]
    box.changes()
    box.remove("root")
    assert secret.read_text() == "hunter2"


# ---- changes


def changes(box: Environment) -> dict[str, str]:
    return {change.path.removeprefix("/testbed/"): change.kind.value for change in box.changes()}


def test_changes_are_those_of_files_and_links(box: Environment) -> None:
    assert box.changes() == []
    said(box, """
        echo omega > a.txt; echo new > fresh; mkdir empty; mkdir -p some/where; echo 1 > some/where/x
        rm -r gone; rm link; ln -s fresh link; chmod +x src/code.py; echo beta > src/deep/er/b.txt; touch src/below.txt
    """)  # fmt: skip
    assert changes(box) == {
        "a.txt": "modified",
        "fresh": "added",
        "gone/c.txt": "removed",
        "link": "modified",
        "some/where/x": "added",
        "src/code.py": "modified",
    }
    assert box.changes("src") == [Change("/testbed/src/code.py", Kind.MODIFIED)]
    said(
        box,
        "printf 'alpha\\n' > a.txt; rm -r fresh some empty link; ln -s a.txt link; mkdir -p gone; echo gamma > gone/c.txt; chmod -x src/code.py",
    )
    assert changes(box) == {}


def test_what_replaces_a_folder_or_a_file_is_a_change_of_both(box: Environment) -> None:
    said(
        box,
        "rm -r src; echo file > src; rm a.txt; mkdir a.txt; echo in > a.txt/in; rm -r gone; mkdir gone; echo other > gone/d.txt",
    )
    assert changes(box) == {
        "a.txt": "removed",
        "a.txt/in": "added",
        "gone/c.txt": "removed",
        "gone/d.txt": "added",
        "src": "added",
        "src/below.txt": "removed",
        "src/code.py": "removed",
        "src/deep/er/b.txt": "removed",
    }


def test_temporary_files_are_no_changes(box: Environment) -> None:
    said(box, "echo x > ${TMPDIR:-/tmp}/x; mkdir ${TMPDIR:-/tmp}/d")
    assert box.changes() == []


# ---- snapshots


def test_a_snapshot_brings_files_back(box: Environment) -> None:
    shell = box.shell()
    shell.run("cd src; export X=1; echo 1 > one; rm code.py")
    first = box.snapshot()
    shell.run("echo 2 > two; rm one; rm -r ../gone")
    second = box.snapshot()
    box.restore(first)
    assert changes(box) == {"src/one": "added", "src/code.py": "removed"}
    assert box.shell().run('pwd; echo "[$X]"; cat src/one').output == f"{box.workdir}\n[]\n1\n"
    box.restore(second)
    assert changes(box) == {"src/two": "added", "src/code.py": "removed", "gone/c.txt": "removed"}
    box.restore(second)
    third = box.snapshot()
    box.write("three", b"3")
    box.restore(third)
    assert changes(box) == {"src/two": "added", "src/code.py": "removed", "gone/c.txt": "removed"}
    assert first.id != second.id


def test_forks_go_their_own_ways(box: Environment) -> None:
    box.write("shared", b"before")
    snapshot = box.snapshot()
    box.write("shared", b"parent")
    with box.fork(snapshot) as one, box.fork() as other:
        one.write("shared", b"child")
        said(one, "echo x > only")
        assert (box.read("shared"), one.read("shared"), other.read("shared")) == (b"parent", b"child", b"parent")
        box.close()
        assert said(one, "cat shared only") == "childx\n"
        assert said(other, "cat shared; echo more > more; ls") == "parenta.txt\ngone\nlink\nmore\nshared\nsrc\n"
        assert changes(one) == {"shared": "added", "only": "added"}


def test_a_commit_is_an_image_that_other_backends_take(box: Environment, backend: Backend, tmp_path: Path) -> None:
    said(
        box,
        "echo omega > a.txt; rm -r src/deep; rm link; mkdir fresh; echo new > fresh/f; chmod 750 fresh/f; ln -s f fresh/l; rm -r gone; mkdir gone; echo d > gone/d",
    )
    committed = box.commit(tmp_path / "layer")
    assert committed.root[0] == tmp_path / "layer"
    for name in backends():
        if (name == backend.name or name not in SLOW) and probe(name).works:
            with open_environment(committed, LIMITS, backend=name) as other:
                assert said(other, "find . | sort; cat a.txt gone/d; stat -c %a fresh/f; readlink fresh/l") == (
                    ".\n./a.txt\n./fresh\n./fresh/f\n./fresh/l\n./gone\n./gone/d\n./src\n./src/below.txt\n./src/code.py\nomega\nd\n750\nf\n"
                ), name
                assert other.changes() == []
                said(other, "echo x >> gone/d")
                assert changes(other) == {"gone/d": "modified"}
    assert box.commit(tmp_path / "again").digest == committed.digest
    with pytest.raises(SandboxError, match="layer"):
        box.commit(tmp_path / "layer")


def test_a_folder_that_was_made_anew_holds_only_what_it_held(box: Environment, backend: Backend, tmp_path: Path) -> None:
    said(box, "rm -rf src; mkdir -p src/deep/er; echo only > src/deep/er/only")
    held = "src\nsrc/deep\nsrc/deep/er\nsrc/deep/er/only\n"
    expected = {
        "src/below.txt": "removed",
        "src/code.py": "removed",
        "src/deep/er/b.txt": "removed",
        "src/deep/er/only": "added",
    }
    look = "find src | sort"
    assert (said(box, look), changes(box)) == (held, expected)
    with box.fork() as other:
        assert (said(other, look), changes(other)) == (held, expected)
    box.restore(box.snapshot())
    said(box, "rm -rf gone; mkdir gone")
    assert (said(box, look), changes(box)) == (held, expected | {"gone/c.txt": "removed"})
    committed = box.commit(tmp_path / "layer")
    with backend.open(committed, LIMITS) as other:
        assert said(other, look + "; ls gone") == held
        assert other.changes() == []
        said(other, "rm -rf src; mkdir -p src/deep")
        again = other.commit(tmp_path / "again")
    with backend.open(again, LIMITS) as other:
        assert said(other, look) == "src\nsrc/deep\n"


# ---- errors and ends


def test_a_closed_environment_says_so(box: Environment) -> None:
    box.close()
    box.close()
    assert box.exec(["true"]).status is Status.BROKEN
    for use in (lambda: box.read("a.txt"), box.changes, box.snapshot, box.shell):
        with pytest.raises(SandboxError, match="closed"):
            use()


def test_mistakes_are_told(image: Image, tmp_path: Path, backend: Backend) -> None:
    with pytest.raises(UsageError, match=r"no backend of environments called 'lxc'.*bubblewrap"):
        open_environment(image, backend="lxc")
    with pytest.raises(UsageError, match="positive"):
        EnvironmentLimits(processes=0)
    with pytest.raises(UsageError, match="absolute"):
        Image(root=(tmp_path,), workdir="testbed")
    with pytest.raises(SandboxError, match="/testbed"):
        backend.open(Image(root=(tmp_path,), digest=f"empty-{tmp_path}", host=image.host), LIMITS)


def test_an_image_is_not_changed_by_what_is_done_to_it(box: Environment, image: Image) -> None:
    before = {path: path.lstat().st_mtime_ns for root in image.root for path in root.rglob("*")}
    said(box, "echo x >> a.txt; rm -r src gone; mkdir gone; chmod 700 .")
    box.write("a.txt", b"y")
    assert {path: path.lstat().st_mtime_ns for root in image.root for path in root.rglob("*")} == before


def test_what_does_not_fit_into_memory_goes_to_a_folder(image: Image, tmp_path: Path) -> None:
    if not probe("bubblewrap").works:
        pytest.skip(probe("bubblewrap").reason)
    with Bubblewrap(scratch=tmp_path / "scratch").open(image, LIMITS) as box:
        said(box, "head -c 40000000 /dev/zero > big; rm -r gone")  # more than the limit, which is of memory
        assert changes(box) == {"big": "added", "gone/c.txt": "removed"}
        assert any("disk" in gap for gap in box.gaps)
        snapshot = box.snapshot()
        box.remove("big")
        box.restore(snapshot)
        assert changes(box) == {"big": "added", "gone/c.txt": "removed"}
        assert len(list((tmp_path / "scratch").iterdir())) == 1
    assert list((tmp_path / "scratch").iterdir()) == []
