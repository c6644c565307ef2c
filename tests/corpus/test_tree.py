"""Directories, wheels and sdists are read into memory, whoever made them."""

import tarfile
from pathlib import Path

import pytest
from archives import write_folder, write_sdist, write_wheel

from foretrace.corpus import tree as tree_module
from foretrace.corpus.dotted import module_names
from foretrace.corpus.refusals import Refusal
from foretrace.corpus.tree import MAX_FILE_BYTES, read_tree
from foretrace.errors import UsageError

PKG_INFO = b"Metadata-Version: 2.4\nName: demo\nVersion: 1.5\nLicense-Expression: MIT\n"
FILES = {
    "PKG-INFO": PKG_INFO,
    "src/demo/__init__.py": b"",
    "src/demo/m.py": b"def f(): return 1\n",
    "README.md": b"no",
}


@pytest.mark.parametrize(
    ("suffix", "mode"), [(".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.bz2", "w:bz2"), (".tar.xz", "w:xz"), (".tar", "w")]
)
def test_sdists(tmp_path: Path, suffix: str, mode: str) -> None:
    found = read_tree(write_sdist(tmp_path / f"demo-1.5{suffix}", FILES, mode=mode))
    assert (found.name, found.licence) == ("demo 1.5", "MIT")
    assert found.files == {"src/demo/__init__.py": "", "src/demo/m.py": "def f(): return 1\n"}


def test_wheels_and_folders(tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path / "demo-1.5-py3-none-any.whl", {"demo/m.py": b"x = 1", "demo-1.5.dist-info/METADATA": PKG_INFO}
    )
    assert (read_tree(wheel).name, read_tree(wheel).files) == ("demo 1.5", {"demo/m.py": "x = 1"})
    folder = write_folder(
        tmp_path / "folder", FILES | {".hidden/x.py": b"", "venv/x.py": b"", "v/pyvenv.cfg": b"", "v/x.py": b""}
    )
    assert list(read_tree(folder).files) == ["src/demo/__init__.py", "src/demo/m.py"]
    (tmp_path / "only.py").write_text("y = 2")
    assert (read_tree(tmp_path / "only.py").name, read_tree(tmp_path / "only.py").files) == ("only.py", {"only.py": "y = 2"})


@pytest.mark.parametrize("name", ["../up.py", "/etc/root.py", "a/../../up.py"])
def test_members_that_leave_their_archive_are_left_out(tmp_path: Path, name: str) -> None:
    assert list(read_tree(write_sdist(tmp_path / "a.tar.gz", {name: b"x = 1", "ok.py": b""}, top="")).files) == ["ok.py"]
    assert list(read_tree(write_wheel(tmp_path / "a.whl", {name: b"x = 1", "ok.py": b""})).files) == ["ok.py"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"link{kind!r}.py")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert read_tree(path).files == {}


def test_files_that_are_too_large_are_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    large = {"large.py": b"#" * (MAX_FILE_BYTES + 1), "ok.py": b"x = 1"}
    for path in (
        write_sdist(tmp_path / "a.tar.gz", large),
        write_wheel(tmp_path / "a.whl", large),
        write_folder(tmp_path / "d", large),
    ):
        found = read_tree(path)
        assert list(found.files) == ["ok.py"]
        assert [(r.name, r.reason) for r in found.refused] == [("large.py", Refusal.TOO_LARGE)] or path.suffix == ".gz"
        assert [r.reason for r in found.refused] == [Refusal.TOO_LARGE]


def test_an_archive_that_grows_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sdist(tmp_path / "a.tar.gz", {"ok.py": b"x = 1", "bomb.bin": b"\0" * 10_000, "later.py": b""})
    monkeypatch.setattr(tree_module, "MAX_TOTAL_BYTES", 5_000)
    found = read_tree(path)
    assert list(found.files) == ["ok.py"]
    assert [r.reason for r in found.refused] == [Refusal.TOO_LARGE]


@pytest.mark.parametrize("keep", [0, 40, 300])
def test_damaged_archives_are_refused_not_raised(tmp_path: Path, keep: int) -> None:
    sdist = write_sdist(tmp_path / "a.tar.gz", {f"m{i}.py": bytes(range(97, 123)) * i for i in range(50)})
    wheel = write_wheel(tmp_path / "a.whl", FILES)
    for path in (sdist, wheel):
        path.write_bytes(path.read_bytes()[:keep])
        assert Refusal.DAMAGED in [r.reason for r in read_tree(path).refused]


def test_one_damaged_member_of_a_wheel_is_lost_alone(tmp_path: Path) -> None:
    path = write_wheel(tmp_path / "a.whl", {"a.py": b"x = 1" * 50, "b.py": b"y = 1"})
    data = bytearray(path.read_bytes())
    data[data.index(b"a.py") + 6] ^= 0xFF
    path.write_bytes(data)
    found = read_tree(path)
    assert list(found.files) == ["b.py"]
    assert [(r.name, r.reason) for r in found.refused] == [("a.py", Refusal.DAMAGED)]


def test_encodings(tmp_path: Path) -> None:
    files = {
        "latin.py": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
        "bom.py": b"\xef\xbb\xbfx = 1\n",
        "wrong.py": b"x = '\xe9'\n",
        "unknown.py": b"# coding: no-such\n",
    }
    found = read_tree(write_folder(tmp_path / "d", files))
    assert found.files == {"bom.py": "x = 1\n", "latin.py": "# -*- coding: latin-1 -*-\nx = 'é'\n"}
    assert [(r.name, r.reason) for r in found.refused] == [("unknown.py", Refusal.NOT_TEXT), ("wrong.py", Refusal.NOT_TEXT)]


def test_what_is_no_tree_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_tree(tmp_path / "none.whl")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(UsageError, match="not a directory, a Python file or an archive"):
        read_tree(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"src/p/__init__.py": "", "src/p/a.py": ""}, ["p", "p.a"]),
        ({"p/__init__.py": "", "p/sub/__init__.py": "", "p/sub/a.py": ""}, ["p", "p.sub", "p.sub.a"]),
        ({"src/ns/p/__init__.py": "from ns.p import a", "src/ns/p/a.py": ""}, ["ns.p", "ns.p.a"]),
        ({"work/p/__init__.py": "", "work/p/a.py": ""}, ["p", "p.a"]),
        ({"json/p/__init__.py": "import json", "json/p/a.py": ""}, ["p", "p.a"]),
        ({"a-b/p/__init__.py": "", "a-b/p/a.py": ""}, ["p", "p.a"]),
        ({"maths/gcd.py": "", "maths/sub/x.py": "from maths.gcd import y"}, ["maths.gcd", "maths.sub.x"]),
        ({"one/p/__init__.py": "", "two/p/__init__.py": ""}, ["p", "two.p"]),
        ({"lib/__init__.py": "", "lib/a.py": ""}, ["lib", "lib.a"]),
    ],
)
def test_names_of_modules(files: dict[str, str], names: list[str]) -> None:
    assert list(module_names(files).values()) == names
