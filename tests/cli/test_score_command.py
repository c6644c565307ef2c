"""`foretrace score`: the surprise of a real trace, for people and for programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.main import cli
from foretrace.cli.scoring import bar

COUNT = """def count(word, letter):
    n = 0
    for c in word:
        n += int(c == letter)
    return n
"""
ORACLE = "oracle:err=0.15,seed=5,kinds=value"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "count.py").write_text(COUNT)
    monkeypatch.chdir(tmp_path)
    run("record", "count.py::count", "--args", "'berry', 'r'", "-o", "real.jsonl")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env={"COLUMNS": "100", "NO_COLOR": "1"})


def lines(result: Result) -> list[str]:
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_what_people_see() -> None:
    result = run("score", "real.jsonl", "--model", ORACLE, "--allow-run", "--top", "2")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert lines(result) == [
        "count.py::count(word='berry', letter='r')   model oracle:err=0.15,seed=5,kinds=value",
        "step   line     source                      effect                        surprise",
        "   0      1     → def count(word, letter):  word = 'berry', letter = 'r'",
        "   1      2       n = 0                     n = 0",
        "   2      3       for c in word:            c = 'b'",
        "   3      4       n += int(c == letter)",
        "   4      3       for c in word:            c = 'e'",
        "   5      4       n += int(c == letter)",
        "   6      3       for c in word:            c = 'r'",
        "   7      4  ≠    n += int(c == letter)     n = 1                         ■■■",
        "   8      3       for c in word:",
        "   9      4       n += int(c == letter)     n = 2",
        "  10      3       for c in word:            c = 'y'",
        "  11      4       n += int(c == letter)",
        "  12      3       for c in word:",
        "  13      5       return n",
        "  14      5     ← return n                  return = 2",
        "  step 7, line 4: n = 1   the model expected 8",
        "  14/14 lines and 49/50 values expected",
    ]


def test_what_programs_see() -> None:
    result = run("score", "real.jsonl", "--model", ORACLE, "--allow-run", "--json", "--top", "1")
    [told] = map(json.loads, result.stdout.splitlines())
    assert (told["v"], told["model"], told["steps"]) == (1, ORACLE, [15, 15])
    assert told["values"][0] + len([odd for odd in told["odd"] if odd["name"] is not None]) == told["values"][1]
    assert told["oddest"][0] == max(told["odd"], key=lambda odd: odd["nats"]) | {"expected": told["oddest"][0]["expected"]}
    assert told["oddest"][0]["expected"] != told["oddest"][0]["text"]


def test_nothing_is_generated_by_the_packaged_model_either() -> None:
    result = run("score", "real.jsonl")
    assert lines(result)[0] == "count.py::count(word='berry', letter='r')   model tiny"
    assert lines(result)[-1].endswith("values expected")


def test_one_trace_of_many() -> None:
    Path("two.jsonl").write_text(Path("real.jsonl").read_text())
    run("record", "count.py::count", "--args", "'a', 'a'", "-o", "other.jsonl")
    Path("two.jsonl").write_text(Path("real.jsonl").read_text() + Path("other.jsonl").read_text())
    result = run("score", "two.jsonl", "--trace", "2", "--model", ORACLE, "--allow-run")
    assert lines(result)[0].startswith("count.py::count(word='a', letter='a')")
    none = run("score", "two.jsonl", "--trace", "3", "--model", ORACLE, "--allow-run")
    assert (none.exit_code, none.stderr) == (2, "error: there is no trace 3; there are 2\n")


def test_a_context_that_is_too_small_is_said() -> None:
    run("record", "count.py::count", "--args", "'a' * 300, 'a'", "-o", "long.ftb")
    result = run("score", "long.ftb", "--top", "0")
    assert "steps fit the model's context" in lines(result)[-1]


def test_nothing_is_executed() -> None:
    result = run("score", "real.jsonl", "--model", ORACLE)
    assert (result.exit_code, result.stdout) == (5, "")
    assert "--allow-run" in result.stderr


def test_no_trace_there() -> None:
    result = run("score", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "foretrace record" in result.stderr


@pytest.mark.parametrize(("nats", "marks"), [(0.0, 0), (0.4, 0), (1.0, 1), (9.6, 10), (400.0, 10)])
def test_bars(nats: float, marks: int) -> None:
    assert bar(nats) == "■" * marks
