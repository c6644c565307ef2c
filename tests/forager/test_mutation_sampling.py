"""Sampling: shares, seeds, coverage, and patches that git applies both ways."""

import subprocess
from collections import Counter
from itertools import islice
from pathlib import Path

import click
import pytest

from foretrace.forager.mutation.operators import FAMILIES
from foretrace.forager.mutation.sampling import Mutation, file_patch, sample

PACKAGE = Path(click.__file__).parent
SOURCES = {f"click/{name}.py": (PACKAGE / f"{name}.py").read_text() for name in ("utils", "parser", "formatting")}
EVERYWHERE = {path: range(1, 10_000) for path in SOURCES}


@pytest.fixture(scope="module")
def drawn() -> list[Mutation]:
    return list(islice(sample(SOURCES, EVERYWHERE, seed=1), 200))


def test_the_same_seed_draws_the_same(drawn: list[Mutation]) -> None:
    assert list(islice(sample(SOURCES, EVERYWHERE, seed=1), 20)) == drawn[:20]
    assert list(islice(sample(SOURCES, EVERYWHERE, seed=2), 20)) != drawn[:20]


def test_families_come_in_their_shares_and_nothing_comes_twice(drawn: list[Mutation]) -> None:
    counts = Counter(mutation.family for mutation in drawn)
    for family, (share, _) in FAMILIES.items():
        assert counts[family] / len(drawn) == pytest.approx(share / 45, abs=0.12)
    assert len({(m.path, m.after) for m in drawn}) > 190  # two operators may make the same mistake


def test_only_what_is_covered_is_mutated() -> None:
    line = next(n for n, text in enumerate(SOURCES["click/utils.py"].splitlines(), 1) if "def make_str" in text)
    body = {"click/utils.py": {line + 2}}
    some = list(sample(SOURCES, body, seed=3))
    assert {(m.path, m.function) for m in some} == {("click/utils.py", "make_str"), ("click/utils.py", "")}
    assert {m.operator for m in some if not m.function} == {"import_removed"}
    assert not list(sample(SOURCES, {"click/utils.py": set()}, seed=3))
    assert not list(sample({"README.md": "# Title\n>>> 1\n"}, {"README.md": {2}}, seed=3))


def test_operators_can_be_chosen() -> None:
    some = islice(sample(SOURCES, EVERYWHERE, seed=1, operators=["return_removed", "unary_operator"]), 30)
    assert {m.operator for m in some} == {"return_removed", "unary_operator"}


def test_git_applies_the_patch_and_its_inverse(tmp_path: Path, drawn: list[Mutation]) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "click").mkdir()
    for mutation in drawn[:25]:
        path = tmp_path / mutation.path
        path.write_text(mutation.before)
        for patch, expected in ((mutation.patch, mutation.after), (mutation.inverse, mutation.before)):
            subprocess.run(["git", "-C", tmp_path, "apply", "-"], input=patch, text=True, check=True)
            assert path.read_text() == expected


@pytest.mark.parametrize(("before", "after"), [("a\nb", "a\nc"), ("a", "a\n"), ("", "a\n"), ("a\r\nb\r\n", "a\r\nc\r\n")])
def test_ends_of_lines_and_files_survive(tmp_path: Path, before: str, after: str) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "f").write_bytes(before.encode())
    subprocess.run(["git", "-C", tmp_path, "apply", "-"], input=file_patch("f", before, after).encode(), check=True)
    assert (tmp_path / "f").read_bytes().decode() == after


def test_lines_of_patches_end_at_line_feeds_only(tmp_path: Path) -> None:
    before, after = "\x0c\nx = 'a\u2028b'\ny = 1\n", "\x0c\nx = 'a\u2028b'\ny = 2\n"
    (tmp_path / "a.py").write_bytes(before.encode())
    (tmp_path / "p").write_bytes(file_patch("a.py", before, after).encode())
    subprocess.run(["git", "apply", "p"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.py").read_bytes() == after.encode()
