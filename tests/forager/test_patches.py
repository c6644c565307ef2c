"""Patches are what git takes, whatever the texts and the names."""

import random
import subprocess
import time
from pathlib import Path

import pytest

from foretrace.forager.patches import patch_of


def apply(folder: Path, patch: str) -> None:
    (folder / "p").write_bytes(patch.encode("utf-8", "surrogateescape"))
    subprocess.run(["git", "apply", "--unidiff-zero", "p"], cwd=folder, check=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "a"),
        ("a", ""),
        ("a\n", "a"),
        ("a", "a\n"),
        ("a\nb", "b"),
        (None, "a\n"),
        ("a", None),
        (None, ""),
        ("", None),
        ("\u2028\x0c\n", "\x0c\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("\udcff\n", "\udcfe\n"),
    ],
)
def test_git_takes_them(old: str | None, new: str | None, tmp_path: Path) -> None:
    file = tmp_path / "f"
    if old is not None:
        file.write_bytes(old.encode("utf-8", "surrogateescape"))
    apply(tmp_path, patch_of("f", old, new))
    assert (file.read_bytes() if file.exists() else None) == (new and new.encode("utf-8", "surrogateescape")) or new == ""
    assert file.exists() == (new is not None)


@pytest.mark.parametrize("name", ["a b", "d/é", 'q"', "back\\slash", "tab\there", "\udcff", "trailing ", "line\nfeed"])
def test_names_are_those_of_git(name: str, tmp_path: Path) -> None:
    apply(tmp_path, patch_of(name, None, "x\n"))
    assert (tmp_path / name).read_text() == "x\n"
    apply(tmp_path, patch_of(name, "x\n", "y\n"))
    assert (tmp_path / name).read_text() == "y\n"
    apply(tmp_path, patch_of(name, "y\n", None))
    assert not (tmp_path / name).exists()


def test_any_texts_can_be_patched(tmp_path: Path) -> None:
    rng = random.Random(0)
    patches, expected = [], {}
    for number in range(400):
        old = [rng.choice("abc") for _ in range(rng.randrange(40))]
        new = [line for line in old if rng.random() < 0.8]
        for _ in range(rng.randrange(4)):
            new.insert(rng.randrange(len(new) + 1), rng.choice("abcd"))
        one, other = ("".join(f"{line}\n" for line in lines) + rng.choice(["", "end"]) for lines in (old, new))
        (tmp_path / f"f{number}").write_text(one)
        patches.append(patch_of(f"f{number}", one, other))
        assert (patches[-1] == "") == (one == other)
        expected[f"f{number}"] = other
    apply(tmp_path, "".join(patches))
    assert {name: (tmp_path / name).read_text() for name in expected} == expected


def test_nothing_is_no_patch() -> None:
    assert patch_of("f", "a\n", "a\n") == ""
    assert patch_of("f", "", "") == ""


def test_a_small_change_is_a_small_patch() -> None:
    lines = [f"{n}\n" for n in range(100_000)]
    changed = [*lines[:50_000], "new\n", *lines[50_000:]]
    assert patch_of("f", "".join(lines), "".join(changed)) == (
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -49998,6 +49998,7 @@\n"
        " 49997\n 49998\n 49999\n+new\n 50000\n 50001\n 50002\n"
    )


def test_texts_made_to_be_hard_are_not(tmp_path: Path) -> None:
    """Repeated lines make a comparison cubic: what is long is replaced as a whole."""
    rng = random.Random(1)
    one, other = ("".join(f"{rng.randrange(90)}\n" for _ in range(60_000)) for _ in range(2))
    start = time.monotonic()
    patch = patch_of("f", one, other)
    assert time.monotonic() - start < 30
    (tmp_path / "f").write_text(one)
    apply(tmp_path, patch)
    assert (tmp_path / "f").read_text() == other
