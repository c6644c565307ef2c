"""Both traces of one call, freely and re-anchored; the demo; where `--debug` may stand. With oracles and the packaged model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foretrace.cli import demo_command
from foretrace.cli.differing import predict_and_record
from foretrace.cli.main import cli, main
from foretrace.debug import Settings
from foretrace.errors import UsageError
from foretrace.examples import EXAMPLES
from foretrace.trace import Limits

SOURCE = "class Box:\n    def get(self):\n        return 1\n\ndef f(x):\n    return len(x)\n"
COUNT = """def count(word, letter):
    n = 0
    for c in word:
        n += int(c == letter)
    return n
"""
VALUES = "oracle:err=0.15,seed=5,kinds=value"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "count.py").write_text(COUNT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env={"COLUMNS": "120", "NO_COLOR": "1"})


def diff(model: str, *options: str) -> Result:
    return run("diff", "count.py::count", "--args", "'berry', 'r'", "--model", model, *options)


def lines(result: Result) -> list[str]:
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_what_people_see(folder: Path) -> None:
    result = diff(VALUES)
    assert lines(result) == [
        "count.py::count(word='berry', letter='r')   model oracle:err=0.15,seed=5,kinds=value (uncalibrated)",
        "step   line     source                      predicted                     real                  sure",
        "   0      1     → def count(word, letter):  word ⇢ 'berry', letter ⇢ 'r'  =",
        "   1      2       n = 0                     n ⇢ 0                         =                     ●●○",
        "   2      3  ≠    for c in word:            letter ⇢ 's'                  letter = (unchanged)  ●○○",
        "   3      4       n += int(c == letter)",
        "   4      3       for c in word:            c ⇢ 'e'                       =                     ●●○",
        "   5      4       n += int(c == letter)",
        "   6      3       for c in word:            c ⇢ 'r'                       =                     ●●○",
        "   7      4       n += int(c == letter)     n ⇢ 1                         =                     ●●○",
        "   8      3       for c in word:",
        "   9      4       n += int(c == letter)     n ⇢ 2                         =                     ●●○",
        "  10      3       for c in word:            c ⇢ 'y'                       =                     ●○○",
        "  11      4       n += int(c == letter)",
        "  12      3       for c in word:",
        "  13      5       return n",
        "  14      5     ← return n                  return ⇢ 2                    =                     ●●○",
        "  15/15 lines right · 41/52 values right · first divergence: step 3, value, letter (left by step 2)",
        "  step 3: letter ⇢ 's'   ●○○   also held: 'r' (the real one), 't', 'a'",
        "  10 later values differ, maybe only because of it: --anchor tells",
    ]
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "predicted; now running the call in a limited child process …",
        f"""step through it: foretrace web count.py::count --args "'berry', 'r'" --model {VALUES}""",
    ]


def test_re_anchored_a_slip_has_no_consequences(folder: Path) -> None:
    result = diff(VALUES, "--anchor")
    assert lines(result)[1:] == [
        "step   line     source                      predicted                     real                  sure",
        "   0      1     → def count(word, letter):  word ⇢ 'berry', letter ⇢ 'r'  =",
        "   1      2       n = 0                     n ⇢ 0                         =                     ●●○",
        "   2      3  ≠    for c in word:            letter ⇢ 's'                  letter = (unchanged)  ●○○",
        "   3      4       n += int(c == letter)",
        "   4      3       for c in word:            c ⇢ 'e'                       =                     ●●○",
        "   5      4       n += int(c == letter)",
        "   6      3       for c in word:            c ⇢ 'r'                       =                     ●●○",
        "   7      4       n += int(c == letter)     n ⇢ 1                         =                     ●●○",
        "   8      3       for c in word:",
        "   9      4       n += int(c == letter)     n ⇢ 2                         =                     ●●○",
        "  10      3       for c in word:            c ⇢ 'y'                       =                     ●○○",
        "  11      4       n += int(c == letter)",
        "  12      3       for c in word:",
        "  13      5       return n",
        "  14      5     ← return n                  return ⇢ 2                    =                     ●●○",
        "  15/15 lines right · 51/52 values right · first divergence: step 3, value, letter (left by step 2)",
        "  step 3: letter ⇢ 's'   ●○○   also held: 'r' (the real one), 't', 'a'",
        "  in a free run: 15/15 lines right · 41/52 values right",
    ]
    assert result.exit_code == 1


def test_re_anchored_each_error_is_shown_against_what_was_real_before(folder: Path) -> None:
    rows = [line for line in lines(diff("oracle:err=0.6,seed=3,kinds=value", "--anchor")) if "n += " in line]
    assert rows
    assert not any("(unchanged)" in row and "≠" not in row for row in rows)


def test_what_programs_see(folder: Path) -> None:
    told = json.loads(diff(VALUES, "--json").stdout)
    assert (told["v"], told["agrees"], told["mode"], told["calibrated"]) == (1, False, "free-run", False)
    assert (told["first"]["step"], told["first"]["variable"]) == (3, "letter")
    assert told["held"]["text"] == told["first"]["predicted"]
    assert told["held"]["others"][0][0] == told["first"]["real"] == "'r'"
    anchored = json.loads(diff(VALUES, "--json", "--anchor").stdout)
    assert anchored["mode"] == "re-anchored"
    assert len(anchored["divergences"]) < len(told["divergences"])


def test_a_prediction_that_is_right(folder: Path) -> None:
    result = diff("oracle:err=0")
    assert (result.exit_code, lines(result)[-1]) == (0, "  15/15 lines right · 52/52 values right · right throughout")
    assert json.loads(diff("oracle:err=0", "--json").stdout)["held"] is None


def test_a_calibrated_model_says_how_sure_it_was(folder: Path) -> None:
    told = json.loads(diff("tiny", "--json").stdout)
    assert told["calibrated"] is True
    shown = diff("tiny")
    assert lines(shown)[0].endswith("model tiny (calibrated)")
    if told["held"] is not None:
        assert f"{told['held']['dots']} {told['held']['sure']:.0%}" in shown.stdout


def test_a_budget_or_a_limit_that_ends_too_early(folder: Path) -> None:
    short = diff("oracle:err=0", "--budget", "60")
    assert short.exit_code == 4
    assert "stopped: budget of 60 tokens used" in short.stderr
    cut = diff("oracle:err=0,seed=1", "--max-events", "6")
    assert cut.exit_code == 0  # both end there: the oracle tells what is cut, too


def test_one_page(folder: Path) -> None:
    result = diff(VALUES, "--html", "count.html")
    assert "wrote count.html" in result.stderr
    assert Path("count.html").read_text().lower().startswith("<!doctype html>")
    run("record", "count.py::count", "--args", "'berry', 'r'", "-o", "real.jsonl")
    assert run("diff", "real.jsonl", "real.jsonl", "--html", "same.html").exit_code == 0
    assert "count.py" in Path("same.html").read_text()


def test_two_files_are_not_predicted(folder: Path) -> None:
    run("record", "count.py::count", "--args", "'berry', 'r'", "-o", "real.jsonl")
    result = run("diff", "real.jsonl", "real.jsonl", "--anchor")
    assert result.exit_code == 2
    assert "give FILE::FUNCTION instead" in result.stderr


def test_what_predict_wrote_can_be_compared(folder: Path) -> None:
    predicted = run("predict", "count.py::count", "--args", "'berry', 'r'", "--model", VALUES, "--allow-run", "--json")
    Path("predicted.jsonl").write_text(predicted.stdout)
    run("record", "count.py::count", "--args", "'berry', 'r'", "-o", "real.jsonl")
    told = json.loads(run("diff", "predicted.jsonl", "real.jsonl", "--json").stdout)
    assert told == {key: value for key, value in json.loads(diff(VALUES, "--json").stdout).items() if key in told}


@pytest.mark.parametrize(("arguments", "entry"), [("[0, 0]", "f"), ("[0] * 2", "main")])
def test_both_traces_are_of_the_same_call(file: Path, arguments: str, entry: str) -> None:
    """A call that is not made of literals is predicted, and so also recorded, through a wrapper."""
    both = predict_and_record(f"{file}::f", arguments, "tiny", None, Settings(budget=64), Limits())
    predicted, real = both.predicted, both.real
    assert predicted.frames[0] == real.frames[0]
    assert predicted.header.source == real.header.source
    assert (real.header.entry, real.result) == (entry, "2")


def test_demo_compares_every_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_command, "BUDGET", 200)  # this is about the form; `make demo` is the whole
    result = CliRunner().invoke(cli, ["demo", "--json"])
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r["example"] for r in records] == [f"{e.name}.py" for e in EXAMPLES]
    for record in records:
        assert record["v"] == 1
        assert record["agrees"] == (record["first"] is None)
        assert set(record) == {
            "v", "example", "agrees", "first", "predicted_steps", "real_steps", "lines", "values", "divergences",
        }  # fmt: skip
    assert "6 programs" in result.stderr


def test_errors_keep_their_exit_code_within_click() -> None:
    result = CliRunner().invoke(cli, ["predict", "nowhere.py::f"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: cannot read nowhere.py: No such file or directory\n"


def test_an_output_that_cannot_be_written(file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["record", f"{file}::f", "--args", "[]", "-o", str(tmp_path / "none" / "out")])
    assert result.exit_code == 2
    assert "error: cannot use" in result.stderr
    assert "No such file or directory" in result.stderr


def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["--debug", "predict", "nowhere.py::f"], ["predict", "nowhere.py::f", "--debug"]):
        monkeypatch.setattr("sys.argv", ["foretrace", *arguments])
        with pytest.raises(UsageError, match="nowhere"):
            main()
