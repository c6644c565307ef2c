"""Sources, history, the store of contents, copies of code, interpreters: all that happens to files, without a box."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from foretrace.errors import UsageError
from foretrace.repos import history, leaks
from foretrace.repos.image import load_image
from foretrace.repos.install import remove_leftovers, take
from foretrace.repos.interpreters import Interpreter, choose, find_interpreters, satisfies
from foretrace.repos.plan import InstallPlan
from foretrace.repos.sources import Source, fetch, read_source, read_sources
from foretrace.repos.store import Store, digest_of

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def project(root: Path) -> Path:
    """A small project with what must not come along."""
    texts = {
        "pyproject.toml": '[project]\nname = "small"\nversion = "1.2"\nlicense = "MIT"\n',
        "small/__init__.py": "def add(a, b):\n    return a + b\n" * 20,
        "tests/test_small.py": "from small import add\n",
        ".venv/pyvenv.cfg": "home = /usr/bin\n",
        "small/__pycache__/x.pyc": "leak",
        ".git/config": "[core]\n\tfsmonitor = touch /tmp/owned\n",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def git(root: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def test_sources_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a-1.tar.gz").write_bytes(b"")
    assert read_source("Zope.Interface == 5.0.post1") == Source(kind="release", place="Zope.Interface", revision="5.0.post1")
    assert read_source("git+https://host/a/b.git@v1.0") == Source(kind="git", place="https://host/a/b.git", revision="v1.0")
    assert read_source("git@host:a/b") == Source(kind="git", place="git@host:a/b")
    assert read_source(str(tmp_path / "folder")).kind == "folder"
    assert read_source(str(tmp_path / "a-1.tar.gz")).kind == "archive"
    listed = tmp_path / "list.jsonl"
    listed.write_text('{"source": "a==1"}\n\n{"source": "b==2", "note": 1}\n{"source": "a==1"}\n')
    assert [source.spec for source in read_sources([str(listed), "b==2"])] == ["a==1", "b==2"]
    for source in read_sources([str(listed), "git+https://host/a@v1", str(tmp_path / "folder")]):
        assert read_source(source.spec) == source
    for bad in ("nothing", str(tmp_path / "none.jsonl"), "--upload-pack=x"):
        with pytest.raises(UsageError, match="a source is one of"):
            list(read_sources([bad]))
    listed.write_text('{"source": "a==1"}\n{"sauce": 1}\n')
    with pytest.raises(UsageError, match="line 2"):
        list(read_sources([str(listed)]))


def test_a_folder_and_its_archive_give_the_same_files(tmp_path: Path) -> None:
    root = project(tmp_path / "small")
    with tarfile.open(tmp_path / "small-1.2.tar.gz", "w:gz") as archive:
        archive.add(root, "small-1.2")
    origins = [
        fetch(read_source(str(place)), tmp_path / name, tmp_path / "cache")
        for name, place in (("a", root), ("b", tmp_path / "small-1.2.tar.gz"))
    ]
    assert [(origin.name, origin.version, origin.licence, origin.slug) for origin in origins] == [
        ("small", "1.2", "MIT", "small-1.2")
    ] * 2
    wanted = ["pyproject.toml", "small/__init__.py", "tests/test_small.py"]
    assert history.files_of(tmp_path / "a") == wanted
    assert [name for name in history.files_of(tmp_path / "b") if ".venv" not in name] == wanted
    assert not list(tmp_path.glob("*.unpacked"))


@needs_git
def test_git_gives_the_whole_tree_of_a_revision(tmp_path: Path) -> None:
    root = tmp_path / "upstream"
    root.mkdir()
    git(root, "init", "-q")
    (root / "setup.py").write_text("import os\nos._exit(1)\n")
    (root / "test_a.py").write_text("1")
    (root / ".gitattributes").write_text("test_a.py export-ignore\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    git(root, "tag", "v1.5.0")
    first = git(root, "rev-parse", "HEAD").strip()
    (root / "test_a.py").write_text("2")
    git(root, "commit", "-qam", "the fix")
    cache = tmp_path / "cache"
    old = fetch(read_source(f"git+file://{root}@v1.5.0"), tmp_path / "old", cache)
    new = fetch(read_source(f"git+file://{root}"), tmp_path / "new", cache)
    assert (old.commit, old.version, old.name, new.version) == (first, "1.5.0", "upstream", "1.5.0")
    assert [(tmp_path / name / "test_a.py").read_text() for name in ("old", "new")] == ["1", "2"]
    (root / "test_a.py").write_text("3")
    git(root, "commit", "-qam", "later")
    fetch(read_source(f"git+file://{root}"), tmp_path / "newest", cache)
    assert (tmp_path / "newest" / "test_a.py").read_text() == "3"
    with pytest.raises(UsageError, match="no revision 'v9'"):
        fetch(read_source(f"git+file://{root}@v9"), tmp_path / "none", cache)
    with pytest.raises(UsageError, match="git clone"):
        fetch(read_source(f"git+file://{tmp_path}/nowhere"), tmp_path / "none", cache)


@needs_git
def test_history_is_one_commit_of_the_sources(tmp_path: Path) -> None:
    heads = []
    for name in ("a", "b"):
        root = project(tmp_path / name)
        (root / ".gitignore").write_text("tests/\n")
        files = [*history.files_of(root), "gone.txt"]
        (root / "small.egg-info").mkdir()
        (root / "small.egg-info" / "PKG-INFO").write_text("left by the build")
        (root / "small" / "odd [name]*.so").write_text("left, too")
        heads.append(history.squash(root, files, created="2024-05-01T12:00:00+00:00"))
    assert heads[0] == heads[1]
    assert (
        git(root, "log", "--format=%H %P %an %ad", "--date=iso-strict", "--all")
        == f"{heads[0]}  foretrace 2024-05-01T12:00:00+00:00\n"
    )
    assert git(root, "status", "--porcelain") == ""
    assert "tests/test_small.py" in git(root, "ls-files").splitlines()
    assert not {"logs", "hooks"} & set(os.listdir(root / ".git"))
    assert git(root, "tag") + git(root, "remote") == ""
    assert "fsmonitor" not in (root / ".git" / "config").read_text()
    (root / "small" / "__init__.py").write_text("changed = 1\n")
    (root / "new.py").write_text("new = 1\n")
    assert git(root, "status", "--porcelain") == " M small/__init__.py\n?? new.py\n"


def test_what_comes_out_of_a_box_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "venv" / "__pycache__").mkdir(parents=True)
    (outside / "build").mkdir()

    def result(name: str) -> Path:
        for kept in ("testbed", "opt/venv"):
            (tmp_path / name / kept).mkdir(parents=True)
        return tmp_path / name

    for name, place in (("a", "testbed"), ("b", "opt"), ("c", "opt/venv")):
        shutil.rmtree(result(name) / place)
        (tmp_path / name / place).symlink_to(outside)
        assert "no folder any more" in take(tmp_path / name, tmp_path / f"layer-{name}")
    box = result("d")
    os.mkfifo(box / "testbed" / "pipe")
    for link in ("build", "__pycache__", "file"):
        (box / "testbed" / link).symlink_to(outside)
    (box / "testbed" / "sub" / "__pycache__").mkdir(parents=True)
    assert take(box, tmp_path / "layer") == ""
    remove_leftovers(tmp_path / "layer" / "testbed", ["a.py"])
    assert sorted(os.listdir(tmp_path / "layer" / "testbed")) == ["__pycache__", "build", "file", "sub"]
    assert not list((tmp_path / "layer" / "testbed" / "sub").iterdir())
    assert sorted(path.name for path in outside.rglob("*")) == ["__pycache__", "build", "venv"]


@needs_git
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_git_folder_that_points_elsewhere_is_not_written_to(tmp_path: Path, kind: str) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    for folder in (elsewhere, root):
        folder.mkdir()
        (folder / "a.py").write_text("x = 1\n")
    git(elsewhere, "init", "-q")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in elsewhere.rglob("*"))
    if kind == "link":
        (root / ".git").symlink_to(elsewhere / ".git")
    else:
        (root / ".git").write_text(f"gitdir: {elsewhere / '.git'}\n")
    history.squash(root, ["a.py"], created="2024-05-01T12:00:00+00:00")
    assert (root / ".git").is_dir()
    assert not (root / ".git").is_symlink()
    assert sorted((path.name, path.stat().st_mtime_ns) for path in elsewhere.rglob("*")) == before


@needs_git
def test_names_that_are_no_text_are_excluded(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    Path(os.fsdecode(bytes(tmp_path) + b"/built\xff")).write_text("")
    history.squash(tmp_path, ["a.py"], created="2024-05-01T12:00:00+00:00")
    assert git(tmp_path, "status", "--porcelain") == ""


def test_equal_files_are_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path / ".store")
    layers = []
    for name in ("a", "b"):
        layer = tmp_path / name
        (layer / "folder").mkdir(parents=True)
        (layer / "folder" / "same.py").write_text("x = 1\n" * 1000)
        (layer / "program").write_text("#!/bin/sh\n")
        (layer / "program").chmod(0o4755)
        (layer / "link").symlink_to("/etc/passwd")
        layers.append(layer)
    (layers[1] / "own").write_text(layers[1].name)
    first, second = (store.absorb(layer) for layer in layers)
    assert (first.files, first.new_bytes, second.new_bytes) == (2, first.bytes, 1)
    assert os.path.samefile(layers[0] / "folder" / "same.py", layers[1] / "folder" / "same.py")
    assert (layers[0] / "program").stat().st_mode & 0o7777 == 0o755
    assert first.digest == digest_of(layers[0]) != second.digest == digest_of(layers[1])
    assert not list(tmp_path.rglob("*.link"))
    (layers[1] / "own").unlink()
    assert digest_of(layers[1]) == first.digest
    shutil.rmtree(layers[1])
    assert store.prune() == 1
    assert store.prune() == 0
    assert (layers[0] / "folder" / "same.py").read_text().startswith("x = 1")


def test_copies_of_the_code_are_found(tmp_path: Path) -> None:
    project(tmp_path / "testbed")
    packages = tmp_path / "opt/venv/lib/python3/site-packages"
    (packages / "other").mkdir(parents=True)
    (packages / "other" / "__init__.py").write_text("x = 1\n" * 100)
    names = leaks.modules(tmp_path / "testbed", "small")
    assert names == ["small"]
    assert leaks.copies(tmp_path, names) == []
    (packages / "other" / "copied.py").write_text((tmp_path / "testbed/small/__init__.py").read_text())
    (packages / "other" / "vendored" / "small").mkdir(parents=True)
    (packages / "other" / "vendored" / "small" / "__init__.py").write_text("another version")
    where = "opt/venv/lib/python3/site-packages/other"
    assert leaks.copies(tmp_path, names) == [f"{where}/copied.py", f"{where}/vendored/small"]


def test_places_of_the_host_are_left_out(tmp_path: Path) -> None:
    for name in ("usr/bin", "usr/lib/a", "usr/lib/python3/dist-packages/small", "usr/lib/python3/dist-packages/b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    root = str(tmp_path)
    paths, hidden = [f"{root}/usr", f"{root}/lib"], f"{root}/usr/lib/python3/dist-packages/small"
    assert leaks.without(paths, []) == paths
    left = ["usr/bin", "usr/lib/a", "usr/lib/python3/dist-packages/b", "lib"]
    assert leaks.without(paths, [hidden]) == [f"{root}/{name}" for name in left]


@pytest.mark.parametrize(
    ("requires", "fits"),
    [
        ("", "3.8 3.11 3.12"),
        (">=3.9", "3.11 3.12"),
        (">=3.8,<3.12", "3.8 3.11"),
        ("==3.11.*", "3.11"),
        ("!=3.11.*", "3.8 3.12"),
        ("~=3.8", "3.8 3.11 3.12"),
        ("~=3.11.0", "3.11"),
        (">3.11", "3.11 3.12"),
        ("<=3.11.7", "3.8 3.11"),
        (">=3.7, !=3.8.1", "3.8 3.11 3.12"),
    ],
)
def test_which_pythons_fit(requires: str, fits: str) -> None:
    have = {"3.8": "3.8.18", "3.11": "3.11.7", "3.12": "3.12.1"}
    assert " ".join(minor for minor, version in have.items() if satisfies(version, requires)) == fits


def test_a_python_is_chosen() -> None:
    pythons = [Interpreter(Path("/p"), f"3.{n}.1", Path("/x"), "x86_64", Path("/x")) for n in (8, sys.version_info[1], 40)]
    ours = f"3.{sys.version_info[1]}"
    assert choose(pythons, requires=">=3.8").minor == ours
    assert choose(pythons, requires=">=3.8", tested=["3.8", "3.40"]).minor == "3.40"
    assert choose(pythons, requires="<3.9", tested=["3.40"]).minor == "3.8"
    with pytest.raises(UsageError, match="needs Python >=4"):
        choose(pythons, requires=">=4")
    assert any(python.minor == ours for python in find_interpreters())


def test_plans_as_json() -> None:
    plan = InstallPlan(python="3.11", requirements=("a",), environment={"X": "1"}, reasons=("why",))
    assert InstallPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan
    assert plan.with_requirements(["a", "b"], "more").requirements == ("a", "b")
    assert plan.with_requirements(["a"], "again").key == plan.key != plan.with_requirements(["b"], "more").key
    for bad in (
        {},
        {"python": 3},
        {"python": "3", "pip": []},
        {"python": "3", "install": "magic"},
        {"python": "3", "extras": "x"},
    ):
        with pytest.raises(UsageError, match="install plan"):
            InstallPlan.from_json(bad)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "no image"), ('{"v": 0}', "version 0"), ('{"v": 1}', "damaged"), ('{"v": 1, "command": 3}', "damaged")],
)
def test_a_manifest_that_cannot_be_read_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "image.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_image(tmp_path)
