"""Releases as a history: a commit each, whose text is what the change log added; none where nothing is said."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from test_repos_index import Index, served  # noqa: F401

from foretrace.errors import UsageError
from foretrace.forager.tasks.history import fixes
from foretrace.forager.tasks.releases import history_of_releases

LOG = "Changes\n=======\n\n1.0: the beginning\n"


def sdist(version: str, files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (files | {"some_thing.egg-info/SOURCES.txt": version}).items():
            member = tarfile.TarInfo(f"some_thing-{version}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_each_release_is_a_commit(served: Index, tmp_path: Path) -> None:  # noqa: F811
    contents = {
        "1.0": {"a.py": "x = 1\n", "tests/test_a.py": "one\n", "CHANGES.rst": LOG},
        "1.1": {"a.py": "x = 2\n", "tests/test_a.py": "two\n", "CHANGES.rst": f"{LOG}\n1.1: x is two\n"},
        "1.2": {
            "a.py": "x = 3\n",
            "tests/test_a.py": "three\n",
            "CHANGES.rst": f"{LOG}\n1.1: x is two\n",
            "README": "1.0\n",
        },
        "1.3": {
            "a.py": "x = 4\n",
            "tests/test_a.py": "four\n",
            "CHANGES.rst": f"{LOG}\n1.1: x is two\n1.2: x is three\n",
            "README": "1.0\n",
        },
    }
    for version, files in contents.items():
        served.add(f"some_thing-{version}.tar.gz", sdist(version, files))
    repo = history_of_releases("some-thing", list(contents), tmp_path / "r.git", cache=tmp_path / "cache")
    behind, silent, told = fixes(repo)
    assert (behind.text, silent.text, told.text) == ("", "", "some-thing 1.1\n\n1.1: x is two")
    assert told.created_at.startswith("2024-01-02T03:04:05")
    assert "+x = 2" in told.patch
    assert "+two" in told.test_patch
    assert "egg-info" not in told.patch
    listed = subprocess.run(["git", "-C", str(repo), "ls-tree", "-r", "--name-only", "HEAD"], capture_output=True, text=True)
    assert listed.stdout.split() == ["CHANGES.rst", "README", "a.py", "tests/test_a.py"]
    served.files.clear()
    assert history_of_releases("some-thing", list(contents), repo, cache=tmp_path / "none") == repo  # it is there


def test_what_the_index_does_not_have_leaves_nothing(served: Index, tmp_path: Path) -> None:  # noqa: F811
    served.add("some_thing-1.0.tar.gz", sdist("1.0", {"a.py": ""}))
    with pytest.raises(UsageError, match="the index has no source distribution"):
        history_of_releases("some-thing", ["1.0", "1.1"], tmp_path / "r.git", cache=tmp_path / "cache")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
