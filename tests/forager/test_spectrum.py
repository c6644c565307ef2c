"""Lines by test, as a real pytest run of a small tree has them; and Ochiai's scores."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foretrace.errors import FormatError
from foretrace.forager import spectrum
from foretrace.forager.spectrum import Spectrum, Suspect, read_spectrum

CODE = """\
def sign(n):
    if n < 0:
        return "-"
    return "+"

def gen(n):
    for i in range(n):
        yield sign(i)
"""
TESTS = """\
from pkg.code import gen, sign

def test_minus():
    assert sign(-1) == "-"

def test_plus():
    assert sign(1) == "+"

def test_gen():
    assert list(gen(2)) == ["+", "+"]

def test_wrong():
    assert sign(0) == "0"
"""
PYTHONS = [sys.executable, *filter(None, (shutil.which(f"python3.{minor}") for minor in (12, 13)))]


def recorded(folder: Path, python: str) -> Spectrum:
    (folder / "pkg").mkdir()
    (folder / "pkg/__init__.py").touch()
    (folder / "pkg/code.py").write_text(CODE)
    (folder / "test_code.py").write_text(TESTS)
    plugin = Path(spectrum.__file__).with_name("spectrum_plugin.py")
    environment = os.environ | {"FORETRACE_SPECTRUM": str(folder / "out.jsonl"), "PYTHONPATH": f"{folder}:{plugin.parent}"}
    command = [python, "-m", "pytest", "-q", "-p", plugin.stem, "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    return read_spectrum((folder / "out.jsonl").read_text())


@pytest.mark.parametrize("python", PYTHONS)
def test_each_test_has_the_lines_that_it_runs(tmp_path: Path, python: str) -> None:
    if python != sys.executable and subprocess.run([python, "-c", "import pytest"], capture_output=True).returncode:
        pytest.skip(f"{python} has no pytest")
    spectrum = recorded(tmp_path, python)
    own = {test.partition("::")[2]: sorted(lines.get("pkg/code.py", ())) for test, lines in spectrum.lines.items()}
    assert own == {"test_minus": [2, 3], "test_plus": [2, 4], "test_gen": [2, 4, 7, 8], "test_wrong": [2, 4]}


def test_ochiai() -> None:
    spectrum = Spectrum({"a": {"f": [1, 2]}, "b": {"f": [1, 3]}, "c": {"f": [1]}})
    assert spectrum.suspicious(["a"]) == [Suspect("f", 2, 1.0), Suspect("f", 1, pytest.approx(3**-0.5))]
    assert spectrum.suspicious(["a", "b"])[0] == Suspect("f", 1, pytest.approx(2 / (2 * 3) ** 0.5))
    assert spectrum.suspicious([]) == []


def test_what_covers_what() -> None:
    spectrum = Spectrum({"a": {"f": [1, 2], "g": [5]}, "b": {"f": [3]}})
    assert spectrum.covered(["a", "b", "unknown"]) == {"f": {1, 2, 3}, "g": {5}}
    assert spectrum.running("f", [2, 3]) == ["a", "b"]
    assert spectrum.running("g", [1]) == []


def test_a_cut_line_is_left_out_and_a_wrong_one_is_an_error() -> None:
    assert list(read_spectrum('{"test": "a", "lines": {}}\n{"test": "b"').lines) == ["a"]
    with pytest.raises(FormatError, match="line 1"):
        read_spectrum("[]\n")
