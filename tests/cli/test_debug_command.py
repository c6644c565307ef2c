"""`foretrace debug`: moves, stops, errors, help, sessions in files, and the same for programs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from debugging import LETTERS, VALUES, places, run, said

from foretrace.cli.debug_shell import VERBS, find_verb
from foretrace.cli.main import cli
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letters.py").write_text(LETTERS)
    monkeypatch.chdir(tmp_path)


def test_a_session_as_people_see_it() -> None:
    result = run("s\nn\nn\nq\n", model=VALUES)
    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "> letters.py(8)f()  step 0",
        "->  def f(c):   call",
        "   c = 'r'",
        "(foretrace) s",
        "> letters.py(9)f()  step 1",
        '->  word = "berry"',
        "(foretrace) n",
        "> letters.py(10)f()  step 2",
        "->  num = count_letters(word, c)",
        "   word ⇢ 'berry'   ●○○",
        "(foretrace) n",
        "> letters.py(11)f()  step 18",
        '->  return f"Found {num:04d}"',
        "   num ⇢ 2   ●○○",
        "(foretrace) q",
    ]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        ("s\ns\ns\nb\n", [0, 1, 2, 3, 2]),
        ("s 3\nn\no\n", [0, 3, 4, 18]),
        ("s 2\n\n\n", [0, 2, 4, 6]),  # an empty line repeats
        ("# a comment\n\ns\n", [0, 1]),
        ("c\nrc\n", [0, 19, 0]),
        ("c\nbn\nbn\nbn\nb\n", [0, 19, 18, 2, 1, 0]),
        ("s 5\nbo\n", [0, 5, 2]),
        ("g 4 3\ng 4\n", [0, 10, 12]),
        ("goto 5\n", [0, 16]),
        ("j 7\njump 2\n", [0, 7, 2]),
        ("until n == 2\n", [0, 13]),
        ("break 4\nc\nc\nrc\n", [0, 6, 8, 6]),
        ("break 4 if n > 0\nc\nc\n", [0, 12, 14]),
        ("break 4 hits 2\nc\nc\n", [0, 8, 19]),
        ("break 4 hits >= 4 if c == 'y'\nc\n", [0, 19]),
        ("s 4\nwhen n\nc\nc\nc\n", [0, 4, 5, 11, 13]),
        ("s 4\nwhen n if n > 1\nc\n", [0, 4, 13]),
        ("break 4\nclear 1\nc\n", [0, 19]),
        ("break 4\nbreak 5\nclear\nc\n", [0, 19]),
        ("s 99\n", [0, 19]),
    ],
)
def test_moves(script: str, steps: list[int]) -> None:
    assert places(script + "q\n") == steps


def test_the_end_of_the_input_ends_it() -> None:
    assert places("s\n") == [0, 1]


def test_stops_say_why() -> None:
    assert said("break 4 hits 3\nc\n")[0] == "breakpoint 1"
    assert said("s 4\nwhen n\nc\nc\n")[0] == "data breakpoint 1: n: 0 → 1"
    assert said("c\n")[0] == "end: returns 'Found 0002'"
    assert said("c\n", "--budget", "100")[0].startswith("budget: the 100 tokens of the budget are used up")


def test_what_stops_a_run_is_listed() -> None:
    assert said("break\n") == ["  none; set one: break LINE, when NAME, catch exception"]
    assert said("break 4 hits % 2 if n\ns 4\nwhen n\ncatch divergence\ncatch exception\ncatch below 0.8\n") == [
        "  1  line 4 hits % 2 if n",
        "  2  n of count_letters changes",
        "  catch  exception, divergence, below 0.8",
        "  oracle:err=0 has no calibration, so no value is known to be less sure: foretrace calibrate makes one",
    ]
    assert said("catch divergence\ncatch off\n") == ["  none; set one: break LINE, when NAME, catch exception"]


def test_it_stops_where_the_prediction_goes_wrong() -> None:
    assert said("j 19\nreal\nj 0\ncatch divergence\nc\n", model=VALUES) == [
        "divergence",
        "> letters.py(4)count_letters()  step 12 · visit 4 · pass 4 of loop 3",
        "->≠ n += int(c == letter)",
        "   letter ⇢ 't'   ≠ really 'r'   ●○○",
    ]
    assert places("j 19\nreal\n[\n[\n]\n", model=VALUES)[-3:] == [12, 0, 12]


def test_budgets_are_raised_and_the_run_goes_on() -> None:
    assert said("c\nbudget 16k\nc\n", "--budget", "100")[0] == "end: returns 'Found 0002'"
    assert said("budget 8,000\n")[0].endswith("of 8,000 tokens used")
    assert said("budget much\n")[0].startswith("*** 'much' is not a number of tokens")


def test_a_session_is_saved_and_resumed() -> None:
    saved = run("g 4 3\nset n = 5\nwatch n\nsave session.jsonl\n")
    assert "go on later: foretrace debug --resume session.jsonl" in saved.stdout
    resumed = run(".\n", "--resume", "session.jsonl", target=())
    assert "on n=5 @10" in resumed.stdout
    assert "n → 5" in resumed.stdout
    assert run("", "--resume", "nowhere", target=()).exit_code == 2
    assert run("", "--resume", "session.jsonl").exit_code == 2  # and a target
    assert run("", target=()).exit_code == 2


def test_a_model_on_a_server() -> None:
    """The same session, and no other change than its name."""
    for module in ("starlette", "uvicorn", "httpx"):
        pytest.importorskip(module)
    command = [sys.executable, "-m", "foretrace", "serve", "tiny", "--port", "0", "--no-token"]
    target, script = ("letters.py::count_letters",), "s 4\nvars\n"
    here = run(script, "--args", "'ab', 'b'", "--budget", "200", model="tiny", target=target)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            url = next(word for line in server.stderr for word in line.split() if word.startswith("http://"))
            next(line for line in server.stderr if line == "ready\n")
            calibration = packaged_checkpoints()["tiny"] / "calibration.json"
            options = ("--args", "'ab', 'b'", "--budget", "200", "--calibration", str(calibration))
            there = run(script, *options, model=url, target=target)
        finally:
            server.terminate()
    assert there.exit_code == here.exit_code == 0
    assert there.stdout == here.stdout


def test_nothing_runs_where_it_may_not() -> None:
    recorded = CliRunner().invoke(cli, ["record", "letters.py::f", "--args", "'r'", "-o", "real.jsonl"])
    assert recorded.exit_code == 0
    refused = run("", "--no-run")
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert "running code is off here" in refused.stderr
    result = run("real\nc\n", "--no-run", "--real", "real.jsonl", model="replay:real.jsonl")
    assert result.exit_code == 0
    assert "*** running the program is off here (--no-run)" in result.stdout
    assert "return ⇢ 'Found 0002'   = really" in result.stdout


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("foo", "no command 'foo'. help lists them; p foo prints a value"),
        ("brek 4", "no command 'brek'. Did you mean 'break'?"),
        ("g", "'' is no line; write a number from 1 on"),
        ("g 4 9", "line 4 is visited 5 times, to the end"),
        ("s x", "'x' is no number of times"),
        (f"j {'9' * 5000}", "'999"),
        (f"budget {'9' * 5000}", "'999"),
        (f"break 4 hits {'9' * 5000}", "'999"),
        ("break 99", "there is no line 99; the source has 12"),
        ("break 4 hits", "'4 hits' is no line"),
        ("when 3", "say of which local"),
        ("catch below 7", "'below 7' cannot be caught"),
        ("clear 3", "there is no breakpoint 3"),
        ("branch 4", "there is no branch 4; there are 0 to 0"),
        ("who x", "there is no 'x' at the call of line 8"),
        ("unwatch 1", "there is no watch 1; there are 0"),
        ("find", "say what to find"),
        ("p", "say what to print"),
        ("save", "say where to"),
        ("save no/where", "No such file or directory"),
        ("sample 1 hot", "'hot' is no temperature"),
        ("]", "where the prediction is wrong is not known; run for real first"),
    ],
)
def test_errors_are_told_and_the_session_goes_on(line: str, complaint: str) -> None:
    result = run(f"{line}\ns\n")
    assert result.exit_code == 0
    assert f"*** {complaint}" in result.stdout or (complaint in result.stdout and "***" in result.stdout)
    assert "step 1" in result.stdout.splitlines()[-2]


def test_help_lists_every_command() -> None:
    text = "\n".join(said("help\n"))
    for verb in VERBS.values():
        assert f"{', '.join(verb.names)}  {verb.usage}".rstrip() in text
        assert verb.help in text
    assert said("help g\n") == ["  g, goto  LINE [VISIT]", "    to the next visit of a line, or to the k-th"]


def test_the_beginning_of_a_command_is_enough_if_it_is_the_only_one() -> None:
    assert find_verb("conti") is VERBS["continue"]
    with pytest.raises(UsageError, match="no command 'bra'"):
        find_verb("bra")


def test_programs_get_one_object_a_command() -> None:
    result = run("g 4 4\nset n = 5\nfoo\nq\n", "--json", "--args", "c='r'")
    opening, moved, changed, failed, left = map(json.loads, result.stdout.splitlines())
    assert (opening["v"], opening["program"]["entry"], opening["summary"]["position"]) == (1, "f", 0)
    assert (moved["command"], moved["state"]["line"], moved["state"]["visit"]) == ("g 4 4", 4, 4)
    assert changed["summary"]["branches"][1]["label"] == "n=5 @12"
    assert (failed["error"], failed["output"]) == ("UsageError", [])
    assert failed["message"].startswith("no command 'foo'")
    assert left["command"] == "q"
    assert all(answer["v"] == 1 for answer in (moved, changed, failed, left))
