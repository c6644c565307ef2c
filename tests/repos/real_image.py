"""A small repository with a history, and images of it as `repos build` makes them."""

import subprocess
import sys
from pathlib import Path

import pytest

from foretrace.repos import BuildOptions, TestLimits
from foretrace.repos.interpreters import find_interpreters
from foretrace.repos.wheels import TOOLS, Wheelhouse

OPTIONS = BuildOptions(
    network=False, python=f"3.{sys.version_info[1]}", tests=TestLimits(runs=1, seconds=120, test_seconds=20)
)
PROJECT = '[project]\nname = "small"\nversion = "1.0"\nlicense = "MIT"\n[build-system]\nrequires = ["setuptools"]\n' + (
    'build-backend = "setuptools.build_meta"\n[tool.setuptools]\npackages = ["small"]\n'
)
ADD = "def add(a, b):\n    return a + b\n"
HALF = "\n\ndef half(n):\n    return n {} 2\n"
TEST_ADD = "from small import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
TEST_HALF = "from small import half\n\n\ndef test_half():\n    assert half({}) == {}\n"
TIMED = "\n\ndef test_half_is_quick():\n    import time\n    start = time.monotonic()\n" + (
    "    assert half(3) == 1 and time.monotonic() - start < 60\n"
)


def seeded(folder: Path) -> Path:
    """A folder of images that has what building needs; the test is skipped where that cannot be had."""
    ours = next(each for each in find_interpreters() if each.minor == f"3.{sys.version_info[1]}")
    wheels = Wheelhouse(folder / ".cache" / "wheels")
    for requirements in (TOOLS, ["setuptools"], ["pytest"]):
        fetched = wheels.fetch(requirements, ours, folder / ".seed")
        if not fetched.is_complete:
            pytest.skip(f"no package index: {fetched.log[-200:]}")
    return folder


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def repository(root: Path) -> Path:
    """Commits: the beginning; a fix with its test, and one that measures time; a change whose test passes before, too; a new function; no tests."""
    commits = [
        ("begin", {"pyproject.toml": PROJECT, "small/__init__.py": ADD + HALF.format("/"), "tests/test_add.py": TEST_ADD}),
        (
            "Halves are whole numbers\n\nhalf(5) gave 2.5.\n\nSigned-off-by: Somebody <a@b>",
            {"small/__init__.py": ADD + HALF.format("//"), "tests/test_half.py": TEST_HALF.format(5, 2) + TIMED},
        ),
        (
            "Say what add does",
            {
                "small/__init__.py": ADD.replace(":\n", ":\n    # a sum\n", 1) + HALF.format("//"),
                "tests/test_add.py": TEST_ADD + "\n\ndef test_more():\n    assert add(2, 2) == 4\n",
            },
        ),
        ("Words", {"README.md": "words\n"}),
    ]
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    for text, files in commits:
        write(root, files)
        git(root, "add", ".")
        git(root, "-c", "user.name=n", "-c", "user.email=e@e", "commit", "-q", "-m", text)
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
