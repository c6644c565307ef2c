"""The documents tell the truth: tests that they name exist, programs that they show run, sessions go as they say."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from foretrace.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LETTERS = """def count_letters(s, letter):
    n = 0
    for c in s:
        n += int(c == letter)
    return n


def f(c):
    word = "berry"
    num = count_letters(word, c)
    return f"Found {num:04d}"
"""
TABLE = (DOCS / "faces.md").read_text(encoding="utf-8")
FACES = {
    "T": "tests/cli/test_debug_*.py", "C": "tests/cli", "W": "tests/web/test_page.py",
    "D": "tests/dap/test_dap_npm.py", "S": "tests/debug",
}  # fmt: skip


def named() -> list[tuple[str, str]]:
    """The face and the name of each test of the table."""
    found = []
    for row in TABLE.splitlines():
        for part in row.split("|")[2:3] if row.startswith("| ") else []:
            for face, names in re.findall(r"\b([TCWDS]) ((?:`[^`]+`(?:, )?)+)", part):
                found += [(face, name) for name in re.findall(r"`([^`]+)`", names)]
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letters.py").write_text(LETTERS)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("face", "name"), named())
def test_every_test_in_the_table_exists(face: str, name: str) -> None:
    file, _, function = name.rpartition("::") if face == "C" else ("", "", name)
    paths = [*ROOT.glob(str(Path(FACES[face], function if face == "S" else file)))]
    assert paths
    line = {"D": f'"{function}",', "S": '"""'}.get(face, f"def {function}(")
    assert any(line in path.read_text(encoding="utf-8") for path in paths)


def test_every_row_has_a_test_or_says_that_there_is_none() -> None:
    rows = [row.split("|") for row in TABLE.splitlines() if row.startswith("| ") and row != "| | shown by |"]
    assert len(rows) > 25
    for _, what, shown, _ in rows:
        assert shown.strip() == "not yet" or "`" in shown or "all rows" in shown, what


def test_the_example_in_python_runs() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(example.replace('"tiny"', '"oracle:err=0.1,seed=7,kinds=value"'), names)
    assert Path("letters.html").stat().st_size > 10_000
    assert names["p"].result == "'Found 0002'"


def test_the_session_in_the_terminal_goes_as_shown() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"\$ foretrace debug (letters\.py::f --args .*?)```", text, re.DOTALL)
    command, *lines = shown.splitlines()
    script = [line.removeprefix("(foretrace) ") for line in lines if line.startswith("(foretrace) ")]
    model = command.partition("--model ")[2]
    arguments = ["debug", "letters.py::f", "--args", "c='r'", "--model", model]
    result = CliRunner().invoke(cli, arguments, input="\n".join(script) + "\nq\n", env={"NO_COLOR": "1", "COLUMNS": "120"})
    said = [line.rstrip() for line in result.stdout.splitlines()]
    at = said.index(lines[0])
    assert said[at : at + len(lines)] == lines
