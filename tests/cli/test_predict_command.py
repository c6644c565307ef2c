"""`foretrace predict`: what people and programs see, with an oracle (always the same) and the packaged model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.main import cli
from foretrace.trace import read_jsonl

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
SHOP = """import nowhere_to_be_found as shop
from also_missing.parts import tax
import helper, json


def settle(order):
    fee = order["amount"] * 2
    receipt = shop.charge(fee, tax)
    return receipt
"""
VALUES = "oracle:err=0.1,seed=7,kinds=value"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "letters.py").write_text(LETTERS)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "helper.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predict(target: str, arguments: str, model: str, *options: str) -> Result:
    command = ["predict", target, "--args", arguments, "--model", model, *options]
    return CliRunner().invoke(cli, command, env={"COLUMNS": "100", "NO_COLOR": "1"})


def lines(result: Result) -> list[str]:
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_what_people_see() -> None:
    result = predict("letters.py::f", "c='r'", VALUES, "--allow-run")
    assert lines(result) == [
        "letters.py::f(c='r')   model oracle:err=0.1,seed=7,kinds=value (uncalibrated)",
        "step   line     source                             effect                     sure",
        "   0      8     → def f(c):                        c ⇢ 'r'",
        "   1      9       word = \"berry\"                   word ⇢ 'berry'             ●○○",
        "   2     10       num = count_letters(word, c)     num ⇢ 2                    ●○○",
        "   3      1       → def count_letters(s, letter):  s ⇢ 'berry', letter ⇢ 'r'  ●●○",
        "   4      2         n = 0                          n ⇢ 0                      ●○○",
        "   5      3         for c in s:                    c ⇢ 'b'                    ●●○",
        "   6      4         n += int(c == letter)",
        "   7      3         for c in s:                    c ⇢ 'e'                    ●○○",
        "   8      4         n += int(c == letter)",
        "   9      3         for c in s:                    c ⇢ 'r'                    ●●○",
        "  10      4         n += int(c == letter)          n ⇢ 1                      ●○○",
        "  11      3         for c in s:                    letter ⇢ 't'               ●○○",
        "  12      4         n += int(c == letter)          n ⇢ 2                      ●○○",
        "  13      3         for c in s:                    c ⇢ 'y'                    ●●○",
        "  14      4         n += int(c == letter)",
        "  15      3         for c in s:",
        "  16      5         return n",
        "  17      5       ← return n                       return ⇢ 2                 ●○○",
        "  18     11       return f\"Found {num:04d}\"",
        "  19     11     ← return f\"Found {num:04d}\"        return ⇢ 'Found 0002'      ●●○",
        "  returns ⇢ 'Found 0002'   ●●○",
    ]  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "the oracle ran the call.\n")


def test_what_programs_see() -> None:
    result = predict("letters.py::f", "c='r'", VALUES, "--allow-run", "--json", "--samples", "2")
    header, *steps, end = map(json.loads, result.stdout.splitlines())
    assert (header["v"], header["kind"], header["model"], header["source"]["path"]) == (1, "predicted", VALUES, "letters.py")
    assert len(steps) == 20
    assert "p" not in steps[5]  # an oracle has no calibration
    assert end["end"] == "returned"
    assert end["value"] == {"text": "'Found 0002'", "sure": None, "dots": "●●○", "others": end["value"]["others"]}
    assert end["samples"] == [["returns ⇢ 'Found 0002'", 2]]
    assert end["may_raise"] == end["imagined"] == []
    [trace] = read_jsonl(result.stdout.splitlines(keepends=True))
    assert trace.result == "'Found 0002'"


def test_a_calibrated_model_gives_numbers() -> None:
    result = predict("letters.py::count_letters", "'ab', 'b'", "tiny", "--json")
    header, *steps, end = map(json.loads, result.stdout.splitlines())
    assert header["model"] == "tiny"
    assert "p" not in steps[0]  # it is given
    assert all(0 <= step["p"]["line"] <= 1 for step in steps[1:])
    assert all(0 <= share <= 1 for step in steps[1:] for share in step["p"]["values"].values())
    assert all(set(step["p"]["values"]) <= {"", "s", "letter", "n", "c"} for step in steps[1:])
    shown = predict("letters.py::count_letters", "'ab', 'b'", "tiny")
    assert shown.stdout.startswith("letters.py::count_letters(s='ab', letter='b')   model tiny (calibrated)")
    last = lines(shown)[-1]
    if end["value"] is not None:
        assert f"{end['value']['dots']} {end['value']['sure']:.0%}" in last
    assert shown.stderr.splitlines()[-1] == "nothing was executed."


def test_the_oracle_runs_only_if_it_may() -> None:
    result = predict("letters.py::f", "c='r'", VALUES)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("error: this command executes nothing")
    assert "--allow-run" in result.stderr
    as_json = predict("letters.py::f", "c='r'", VALUES, "--json")
    assert json.loads(as_json.stdout)["error"] == "RefusedError"


def test_a_budget_that_ends_too_early() -> None:
    result = predict("letters.py::f", "c='r'", VALUES, "--allow-run", "--budget", "150")
    assert result.exit_code == 4
    assert lines(result)[-1] == "  stopped after 11 steps: tokens"
    assert result.stderr.splitlines()[:2] == [
        "stopped: budget of 150 tokens used at step 10 of an unfinished run (line 4, pass 3 of its loop)",
        "  11 steps are kept. Go on: --budget 1k   Skip the loop: --over 3   Only check a real run: foretrace score",
    ]


def test_lines_that_are_not_in_the_file() -> None:
    result = predict("letters.py::f", "c='r'", "oracle:err=0.3,seed=3,kinds=ghost", "--allow-run")
    assert result.stderr.splitlines() == [
        'warning: step 2: the model wrote a line that is not in the file ("num = count_letters(word,, c)"); nearest: line 10',
        'warning: step 6: the model wrote a line that is not in the file ("n ++= int(c == letter)"); nearest: line 4',
        'warning: step 7: the model wrote a line that is not in the file ("for c  in s:"); nearest: line 3',
        "warning: 1 more such lines",
        "the oracle ran the call.",
    ]


def test_what_is_no_frame() -> None:
    result = predict("letters.py::f", "c='r'", "oracle:err=0.1,seed=6,kinds=format", "--allow-run")
    assert result.exit_code == 1
    assert "stopped: what came next was no frame (frame 17: does not start with an event token) at step 16" in result.stderr
    assert "--grammar" in result.stderr


def test_futures_that_are_drawn() -> None:
    result = predict("letters.py::f", "c='r'", "oracle:err=0.1,seed=7", "--allow-run", "--samples", "6")
    assert lines(result)[-3:] == [
        "  6 futures drawn at temperature 0.8:",
        "     5  returns ⇢ 'Found 0002'",
        "     1  stopped after 17 steps: format: frame 17: does not start wi…   (parts at step 4, line 2)",
    ]


def test_a_trace_that_is_there_already() -> None:
    made = CliRunner().invoke(cli, ["record", "letters.py::f", "--args", "'r'", "-o", "real.jsonl"])
    assert made.exit_code == 0
    result = predict("letters.py::f", "c='r'", "replay:real.jsonl")
    assert lines(result)[-1] == "  returns ⇢ 'Found 0002'   ●●●"
    assert result.stderr == "nothing was executed.\n"


def test_what_is_not_installed_is_imagined() -> None:
    result = predict("shop.py::settle", "{'amount': 3}", "tiny", "--budget", "300", "--grammar")
    assert result.stderr.splitlines()[:2] == [
        "! nowhere_to_be_found is not installed: what it does is imagined; lines that use it are marked ~",
        "! also_missing is not installed: what it does is imagined; lines that use it are marked ~",
    ]
    marked = [line.partition("~")[2].strip() for line in lines(result) if "~" in line]
    assert marked
    assert all(line.startswith("receipt = shop.charge(fee, tax)") for line in marked)
    as_json = predict("shop.py::settle", "{'amount': 3}", "tiny", "--budget", "300", "--json")
    assert json.loads(as_json.stdout.splitlines()[-1])["imagined"] == ["nowhere_to_be_found", "also_missing"]


def test_exceptions_that_could_come() -> None:
    Path("pick.py").write_text("def pick(d, k):\n    x = d[k]\n    return x + 1\n")
    told = json.loads(predict("pick.py::pick", "{'a': 1, 'b': 2}, 'x'", "tiny", "--json").stdout.splitlines()[-1])
    [doubt, *_] = told["may_raise"]
    assert (doubt["line"], 0.05 <= doubt["probability"] <= 1) == (2, True)
    shown = predict("pick.py::pick", "{'a': 1, 'b': 2}, 'x'", "tiny")
    assert f"  may raise {doubt['text']}   line 2   p ≈ {doubt['probability']:.2f}" in lines(shown)


def test_nothing_is_executed() -> None:
    loaded, called = Path("loaded").absolute(), Path("called").absolute()
    start = f"from pathlib import Path\nPath({str(loaded)!r}).touch()\n\n\n"
    Path("writes.py").write_text(f"{start}def f(n):\n    Path({str(called)!r}).touch()\n    return n\n")
    predict("writes.py::f", "1", "tiny", "--budget", "200")
    assert not loaded.exists()
    assert not called.exists()
    subprocess.run([sys.executable, "-c", "import writes; writes.f(1)"], check=True)
    assert called.exists()  # else this would show nothing


def test_a_fragment_can_be_predicted() -> None:
    Path("part.py").write_text("def total(prices):\n    rate = TAX_RATES[REGION]\n    return sum(prices) * rate\n")
    result = predict("part.py::total", "[1, 2]", "tiny", "--budget", "300", "--json")
    first, second = map(json.loads, result.stdout.splitlines()[1:3])
    assert (first["ev"], second["ev"]) == ("call", "line")
    assert result.exit_code in (0, 1, 4)


def test_a_loop_that_is_left_out() -> None:
    result = predict("letters.py::count_letters", "'banana', 'a'", "tiny", "--over", "3", "--budget", "600")
    [skipped] = [line for line in lines(result) if "…" in line]
    assert skipped.partition("…")[2].strip().startswith(("return n", "← return n"))
    assert not any("n += int" in line for line in lines(result))
    without = predict("letters.py::count_letters", "'banana', 'a'", VALUES, "--over", "3", "--allow-run")
    assert without.exit_code == 2
    assert "is no model, and cannot skip ahead" in without.stderr


def test_arguments_that_nobody_gave() -> None:
    result = CliRunner().invoke(cli, ["predict", "letters.py::count_letters", "--invent", "--budget", "200", "--json"])
    header = json.loads(result.stdout.splitlines()[0])
    assert set(header["args"]) == {"s", "letter"}
    again = CliRunner().invoke(cli, ["predict", "letters.py::count_letters", "--invent", "--budget", "200", "--json"])
    assert again.stdout == result.stdout


def test_colour_only_on_terminals() -> None:
    command = ["predict", "letters.py::f", "--args", "'r'", "--model", VALUES, "--allow-run"]
    assert "\x1b" not in CliRunner().invoke(cli, command, color=True).stdout
