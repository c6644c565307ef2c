"""Layers and archives by themselves: what a stack shows, what an archive may hold, and what it may not do."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Change, Image, Kind
from foretrace.sandbox.environments import diff, layers, oci
from foretrace.sandbox.server import remove_tree

TREE = {"a": "1", "d/b": "2", "d/e/c": "3"}


def make(folder: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def hide(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, 0o020000, os.makedev(0, 0))


# ---- layers


def test_a_stack_shows_what_is_uppermost_and_not_hidden(tmp_path: Path) -> None:
    lower = make(tmp_path / "lower", TREE)
    upper = make(tmp_path / "upper", {"d/b": "new", "x": "4"})
    hide(upper / "a")
    stack = [str(upper), str(lower)]
    assert layers.find(stack, "a") is None
    assert layers.find(stack, "d/b") == f"{upper}/d/b"
    assert layers.find(stack, "d/e/c") == f"{lower}/d/e/c"
    assert layers.find(stack, "d/missing") is None
    assert sorted(layers.below(stack)) == ["d/b", "d/e/c", "x"]
    hide(upper / "d/e")
    assert sorted(layers.below(stack)) == ["d/b", "x"]
    assert diff.overlay([str(upper)], [str(lower)]) == [
        Change("/a", Kind.REMOVED), Change("/d/b", Kind.MODIFIED), Change("/d/e/c", Kind.REMOVED), Change("/x", Kind.ADDED)
    ]  # fmt: skip


NAMES = st.sampled_from(["a", "b", "c", "d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.sampled_from(["1", "2"]), max_size=6)


def plain(tree: dict[str, str]) -> dict[str, str]:
    """Without files below files."""
    return {path: text for path, text in tree.items() if not any(f"{other}/" == path[: len(other) + 1] for other in tree)}


@settings(max_examples=60, deadline=None)
@given(before=TREES.map(plain), after=TREES.map(plain))
def test_a_commit_turns_one_tree_into_another(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, str], after: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("commit")
    image, now = folder / "image", folder / "now"
    for place, tree in ((image, before), (now, after)):
        place.mkdir()
        make(place, {f"w/{path}": text for path, text in tree.items()} | {"w/kept": "x"})
    changed = diff.tree(str(now / "w"), [str(image)], "w")

    def find(path: str) -> str | None:
        return layers.find([str(now)], path)

    made = layers.commit(layers.lineage(changed, find), find, Image(root=(image,), digest="d"), folder / "layer")
    stack = [str(root) for root in made.root]
    seen = {path[2:]: Path(layers.find(stack, path) or "").read_text() for path in layers.below(stack)}
    assert seen == after | {"kept": "x"}
    assert {change.path for change in changed} == {
        f"/w/{path}" for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    }
    unfolded = folder / "unfolded"
    layers.unfold(stack, "w", unfolded)
    assert {path: (unfolded / path).read_text() for path in layers.below([str(unfolded)])} == seen


def test_a_digest_is_of_contents_and_not_of_times(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one", TREE), make(tmp_path / "other", TREE)
    os.utime(other / "a", (1, 1))
    assert layers.digest_of(one) == layers.digest_of(other)
    (other / "a").chmod(0o755)
    assert layers.digest_of(one) != layers.digest_of(other)


# ---- archives: there and back


def test_an_image_comes_back_from_its_archive(tmp_path: Path) -> None:
    lower, upper = make(tmp_path / "lower", TREE), make(tmp_path / "upper", {"d/b": "new", "bin/run": "#!"})
    (upper / "bin/run").chmod(0o750)
    (upper / "link").symlink_to("d/b")
    hide(upper / "a")
    hide(upper / "d/e")
    image = Image(root=(upper, lower), workdir="/d", env={"A": "b=c"}, digest="x", host=("/usr",))
    digests = [oci.pack(image, tmp_path / f"{number}.tar", name="name:tag") for number in (1, 2)]
    assert digests[0] == digests[1]
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    back = oci.unpack(tmp_path / "1.tar", tmp_path / "back")
    assert (back.workdir, back.env, back.host, len(back.root)) == ("/d", {"A": "b=c"}, ("/usr",), 1)
    root = back.root[0]
    assert sorted(layers.below([str(root)])) == ["bin/run", "d/b", "link"]
    assert ((root / "bin/run").stat().st_mode & 0o777, os.readlink(root / "link")) == (0o750, "d/b")
    assert (root / "d/b").read_text() == "new"
    with pytest.raises(SandboxError, match="back"):
        oci.unpack(tmp_path / "1.tar", tmp_path / "back")


@pytest.mark.parametrize("asked", ["/root", "/", "/usr/../root", "/usr/..", "relative", "/usr-not", 3])
def test_an_archive_may_not_ask_for_more_of_this_machine_than_its_system(tmp_path: Path, asked: Any) -> None:
    image = Image(root=(make(tmp_path / "layer", TREE),), workdir="/d", host=("/usr", asked))
    oci.pack(image, tmp_path / "image.tar")
    with pytest.raises(SandboxError, match="none of its system"):
        oci.unpack(tmp_path / "image.tar", tmp_path / "back")


@pytest.mark.parametrize("index", ['{"manifests": []}', '{"manifests": 3}', "[]", '{"manifests": [{"digest": 3}]}'])
def test_a_senseless_index_is_told(tmp_path: Path, index: str) -> None:
    with tarfile.open(tmp_path / "image.tar", "w") as outer:
        entry = tarfile.TarInfo("index.json")
        entry.size = len(index)
        outer.addfile(entry, io.BytesIO(index.encode()))
    with pytest.raises(SandboxError, match="no OCI or Docker archive"):
        oci.unpack(tmp_path / "image.tar", tmp_path / "back")


def test_an_archive_fits_the_specification(tmp_path: Path) -> None:
    oci.pack(Image(root=(make(tmp_path / "layer", TREE),), digest="x"), tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    manifest = json.loads(files["blobs/sha256/" + json.loads(files["index.json"])["manifests"][0]["digest"][7:]])
    config = json.loads(files["blobs/sha256/" + manifest["config"]["digest"][7:]])
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    assert len(config["history"]) == len(manifest["layers"])
    docker = json.loads(files["manifest.json"])[0]
    assert all(name in files for name in (docker["Config"], *docker["Layers"]))


# ---- archives: hostile


Member = tuple[str, bytes, int, str]
"""Name, kind, mode, and content or target."""


def archive(folder: Path, *many: list[Member], compress: bool = False, spoil: bool = False) -> Path:
    """An archive as `docker save` once made them, of these layers."""
    path = folder / "hostile.tar"
    with tarfile.open(path, "w") as outer:
        names = []
        for number, members in enumerate(many):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as layer:
                for name, kind, mode, text in members:
                    entry = tarfile.TarInfo(name)
                    entry.type, entry.mode = kind, mode
                    entry.linkname = text if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
                    entry.size = len(text) if kind == tarfile.REGTYPE else 0
                    layer.addfile(entry, io.BytesIO(text.encode()) if entry.size else None)
            data = gzip.compress(buffer.getvalue()) if compress else buffer.getvalue()
            names.append(f"{number}/layer.tar")
            add(outer, names[-1], data[: len(data) // 2] if spoil else data)
        config = {"config": {"WorkingDir": "/w", "Env": ["A=1"]}, "rootfs": {"diff_ids": ["x"]}}
        add(outer, "config.json", json.dumps(config).encode())
        add(outer, "manifest.json", json.dumps([{"Config": "config.json", "Layers": names}]).encode())
    return path


def add(outer: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    outer.addfile(entry, io.BytesIO(data))


FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


@pytest.mark.parametrize("members", [
    [("../escape", FILE, 0o644, "x")],
    [("/escape", FILE, 0o644, "x")],
    [("a/../../../../escape", FILE, 0o644, "x")],
    [("l", LINK, 0o777, "OUTSIDE"), ("l/escape", FILE, 0o644, "x")],
    [("l", LINK, 0o777, "../../../../../../../../OUTSIDE"), ("l/escape", FILE, 0o644, "x")],
    [("l", LINK, 0o777, "OUTSIDE/victim"), ("l", FILE, 0o644, "x")],
    [("l", HARD, 0o777, "OUTSIDE/victim"), ("l", FILE, 0o644, "x")],
    [("l", HARD, 0o777, "../../../../../../../OUTSIDE/victim")],
    [("l", LINK, 0o777, "OUTSIDE"), ("m", HARD, 0o777, "l/victim"), ("m", FILE, 0o644, "x")],
    [("l", LINK, 0o777, "OUTSIDE"), ("l/.wh.victim", FILE, 0o644, "")],
    [("l", LINK, 0o777, "OUTSIDE"), ("l/.wh..wh..opq", FILE, 0o644, "")],
    [("l", LINK, 0o777, "OUTSIDE"), ("l/victim", FOLDER, 0o777, "")],
    [(".wh...", FILE, 0o644, ""), (".wh..", FILE, 0o644, "")],
])  # fmt: skip
def test_nothing_leaves_the_folder(tmp_path: Path, members: list[Member]) -> None:
    outside = make(tmp_path / "outside", {"victim": "keep"})
    there = [(name, kind, mode, text.replace("OUTSIDE", str(outside))) for name, kind, mode, text in members]
    folder = tmp_path / "deep/er/image"
    try:
        oci.unpack(archive(tmp_path, there), folder)
    except SandboxError:
        pass
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "keep"
    assert {path.name for path in tmp_path.iterdir()} <= {"outside", "deep", "hostile.tar"}
    assert not list((tmp_path / "deep").glob("escape")) + list((tmp_path / "deep/er").glob("escape"))
    if folder.exists():
        inodes = {path.lstat().st_ino for path in folder.rglob("*")}
        assert (outside / "victim").stat().st_ino not in inodes


def test_devices_pipes_and_set_user_bits_are_left_out(tmp_path: Path) -> None:
    members = [
        ("null", tarfile.CHRTYPE, 0o666, ""),
        ("disk", tarfile.BLKTYPE, 0o666, ""),
        ("pipe", tarfile.FIFOTYPE, 0o666, ""),
        ("su", FILE, 0o6755, "x"),
        ("d", FOLDER, 0o2000, ""),
        ("d/in", FILE, 0o600, "y"),
    ]
    image = oci.unpack(archive(tmp_path, members, compress=True), tmp_path / "image")
    root = image.root[0]
    assert sorted(layers.below([str(root)])) == ["d/in", "su"]
    assert (root / "su").stat().st_mode & 0o7777 == 0o755
    assert (image.workdir, image.env) == ("/w", {"A": "1"})


def test_layers_hide_and_replace(tmp_path: Path) -> None:
    one = [
        ("d", FOLDER, 0o755, ""),
        ("d/a", FILE, 0o644, "1"),
        ("d/b", FILE, 0o644, "2"),
        ("e/c", FILE, 0o644, "3"),
        ("f", FILE, 0o644, "4"),
    ]
    two = [
        ("d/.wh.a", FILE, 0o644, ""),
        ("e/.wh..wh..opq", FILE, 0o644, ""),
        ("e/new", FILE, 0o644, "5"),
        ("f", FOLDER, 0o755, ""),
        ("f/g", FILE, 0o644, "6"),
        ("l", LINK, 0o777, "d"),
        ("l/through", FILE, 0o644, "7"),
        ("h", HARD, 0o644, "d/b"),
    ]
    root = oci.unpack(archive(tmp_path, one, two), tmp_path / "image").root[0]
    assert sorted(layers.below([str(root)])) == ["d/b", "d/through", "e/new", "f/g", "h", "l"]


def test_damage_is_told(tmp_path: Path) -> None:
    members = [("a", FILE, 0o644, "x" * 10000)]
    with pytest.raises(SandboxError, match="hostile"):
        oci.unpack(archive(tmp_path, members, compress=True, spoil=True), tmp_path / "1")
    with pytest.raises(SandboxError, match="more than is allowed"):
        oci.unpack(archive(tmp_path, members), tmp_path / "2", most_bytes=9999)
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(SandboxError, match="text"):
        oci.unpack(tmp_path / "text", tmp_path / "3")
    oci.pack(Image(root=(make(tmp_path / "layer", TREE),), digest="x"), tmp_path / "image.tar")
    data = (tmp_path / "image.tar").read_bytes()
    (tmp_path / "image.tar").write_bytes(data.replace(b"d/e/c", b"d/e/x"))
    with pytest.raises(SandboxError, match="damaged"):
        oci.unpack(tmp_path / "image.tar", tmp_path / "4")


@pytest.mark.slow
def test_podman_reads_what_we_write_and_the_other_way_round(tmp_path: Path) -> None:
    """By the program alone, with storage of its own."""
    if subprocess.run(["podman", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("needs podman")
    short = tempfile.mkdtemp(prefix="ft-", dir="/tmp")  # Podman takes no long one
    base = ["podman", "--root", f"{short}/root", "--runroot", f"{short}/run", "--storage-driver", "vfs"]
    oci.pack(
        Image(root=(make(tmp_path / "layer", TREE),), workdir="/d", env={"A": "1"}, digest="x"),
        tmp_path / "image.tar",
        name="localhost/ours:1",
    )
    subprocess.run([*base, "load", "-i", str(tmp_path / "image.tar")], check=True, capture_output=True)
    for kind in ("oci-archive", "docker-archive"):
        saved = tmp_path / f"{kind}.tar"
        subprocess.run(
            [*base, "save", "--format", kind, "-o", str(saved), "localhost/ours:1"], check=True, capture_output=True
        )
        image = oci.unpack(saved, tmp_path / kind)
        assert (image.workdir, image.env["A"]) == ("/d", "1")
        assert sorted(layers.below([str(image.root[0])])) == sorted(TREE)
    remove_tree(short)
