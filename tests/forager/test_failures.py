"""What pytest prints is read back: from a real run, and from odd text."""

import subprocess
import sys
from pathlib import Path

from foretrace.forager.failures import Place, failure_of, read_failures

TESTS = """\
import pytest
from code_ import boom, Own

class TestA:
    @pytest.mark.parametrize("n", [1])
    def test_b(self, n):
        boom(n)

def test_assert():
    assert 1 == 2, "no"

def test_plain():
    assert [1] == [2]

def test_own():
    raise Own

@pytest.fixture
def bad():
    raise KeyError("x")

def test_setup(bad): pass

def test_fine(): pass
"""
CODE = "class Own(Exception): pass\n\ndef boom(n):\n    return inner(n)\n\ndef inner(n):\n    return n + 'a'\n"


def test_a_real_run(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(TESTS)
    (tmp_path / "code_.py").write_text(CODE)
    (tmp_path / "test_y.py").write_text("import nothing_like_it\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
    ]
    output = subprocess.run([*command, "--rootdir=."], cwd=tmp_path, capture_output=True, text=True).stdout
    failures = read_failures(output)
    errors = {failure.name: failure.error for failure in failures}
    assert errors == {
        "test_y.py": "ModuleNotFoundError",
        "TestA.test_b[1]": "TypeError",
        "test_assert": "AssertionError",
        "test_plain": "AssertionError",
        "test_own": "Own",
        "test_setup": "KeyError",
    }
    found = failure_of(failures, "test_x.py::TestA::test_b[1]")
    assert found
    assert found.places == (Place("test_x.py", 7, "test_b"), Place("code_.py", 4, "boom"), Place("code_.py", 7, "inner"))
    assert "unsupported operand" in found.text
    assert failure_of(failures, "test_x.py::test_fine") is None


def test_text_without_failures_and_cut_text() -> None:
    assert read_failures("") == []
    assert read_failures("3 passed in 0.1s\n") == []
    [cut] = read_failures("___ test_a ___\na.py:1: in f\n    x\n… 300 bytes left out …")
    assert (cut.name, cut.error, cut.places) == ("test_a", "", (Place("a.py", 1, "f"),))
