"""`foretrace debug`: what is shown of a step, what can be asked about it, and what can be changed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from debugging import LETTERS, VALUES, run, said

from foretrace import record
from foretrace.cli.main import cli
from foretrace.trace import Trace, write_jsonl


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letters.py").write_text(LETTERS)
    monkeypatch.chdir(tmp_path)


def test_it_stops_where_it_is_unsure() -> None:
    command = ["debug", "letters.py::count_letters", "--args", "'berry', 'r'", "--json"]
    result = CliRunner().invoke(cli, command, input="catch below 0.9\nc\n")
    stopped = json.loads(result.stdout.splitlines()[-1])
    assert stopped["summary"]["stop"]["reason"] == "low confidence"
    new = [row["sure"] for row in stopped["state"]["values"] if row["new"] and row["sure"] is not None]
    assert min(new) < 0.9


def test_where_one_is() -> None:
    assert said("s 4\nw\n") == [
        "  letters.py(10)f()   step 2",
        "-> num = count_letters(word, c)",
        "> letters.py(2)count_letters()   step 4",
        "-> n = 0",
    ]
    assert said("g 4 2\nl\n") == [
        "   1    def count_letters(s, letter):",
        "   2        n = 0   ⇢ n = 0",
        "   3        for c in s:   ⇢ c = 'e'",
        "   4 ->         n += int(c == letter)",
        "   5        return n",
        "   6",
        "   7",
        "   8    def f(c):",
        '   9        word = "berry"',
        "  10        num = count_letters(word, c)",
        '  11        return f"Found {num:04d}"',
        "[end of the file]",
    ]
    assert said("break 9\nl 9\n")[:1] == ["   4            n += int(c == letter)"]
    assert "   9B       word = \"berry\"" in said("break 9\nl 9\n")  # fmt: skip


def test_a_list_goes_on_where_it_ended_until_one_moves() -> None:
    Path("long.py").write_text(LETTERS + "# more\n" * 20)
    answers = run("l 6\nl\ns\nl\n", target=("long.py::f",)).stdout.split("(foretrace) ")
    assert [answer.splitlines()[1].split()[0] for answer in answers if answer.startswith("l")] == ["1", "12", "4"]


def test_values_and_expressions() -> None:
    assert said("g 4 3\nvars\n", model=VALUES) == [
        "   s ⇢ 'berry'   ●○○",
        "   letter ⇢ 'r'   ●○○",
        "   n ⇢ 0   ●●○",
        "   c ⇢ 'r'   ●●○",
    ]
    assert said("g 4 3\np s[n] + c\n") == ["⇢ 'br'"]
    assert said("g 4 3\nreal\np n + 1\n") == ["⇢ 1   = really 1"]
    assert said("g 4 4\nreal\np letter\n", model=VALUES) == ["⇢ 't'   ≠ really 'r'"]
    assert said("p nothing\n") == ["*** there is no name 'nothing' here; those there are: c"]
    assert said("watch c * 2\ns\n")[-1] == "   c * 2 → 'rr'"
    assert said("watch c * 2\nwatch c\nunwatch 1\nwatch\n") == ["  1  c"]
    assert said("watch c\nunwatch\nwatch\n") == ["  none; add one: watch EXPRESSION"]


def test_what_reality_lacks_is_printed_all_the_same() -> None:
    trace = record("letters.py::f", c="r")
    frames = list(trace.frames)
    frames[2] = replace(frames[2], locals=frames[2].state | {"odd": "1"})
    with Path("odd.jsonl").open("w") as file:
        write_jsonl(Trace(trace.header, tuple(frames)), file)
    told = said("real\ns 2\np odd\n", model="replay:odd.jsonl")
    assert told == ["⇢ 1   ≠ really: there is no name 'odd' here; those there are: c, word"]


def test_where_values_come_from() -> None:
    assert said("g 4 4\nwho n\n") == ["  n: step 10, line 4: n += int(c == letter)   (go there: j 10)"]
    assert said("s\nwho c\n") == ["  c: the call was made with it"]
    assert said("g 4 4\nwhy n\n")[:4] == [
        "  n: step 10, line 4: n += int(c == letter)   (go there: j 10)",
        "    from n ⇢ 0",
        "    from c ⇢ 'r'",
        "    from letter ⇢ 'r'",
    ]
    assert "uncalibrated" in said("g 4 4\nwhy n\n")[4]
    assert said("j 19\nwho\n") == ['  value: step 18, line 11: return f"Found {num:04d}"   (go there: j 18)']


def test_what_else_the_model_held() -> None:
    assert said("g 4 4\nreal\nalts letter\n", model=VALUES) == [
        "  letter ⇢ 't'",
        "  also held: 'r' (the real one), 'e', 's', 'n'",
        "  uncalibrated: likeliest first",
    ]
    assert said("events\n")[0] == "  line   97% of the model's guesses"
    assert said("c\nmay\n") == ["  nothing else was likely to be raised, so far"]
    assert "the model expected" not in said("real\nscore\n")[0]


def test_a_change_is_a_branch() -> None:
    assert said("g 4 3\nset n = n + 5\n") == [
        "branch 1: n=5 @10",
        "> letters.py(4)count_letters()  step 10 · visit 3 · pass 3 of loop 3 · on n=5 @10",
        "->  n += int(c == letter)",
        "   n = 5   (given)",
        "   c ⇢ 'r'   ●○○",
    ]
    assert said("c\ng 4 3\nset n 5\nc\nbranches\n") == [
        "  0  original   20 steps   return 'Found 0002'",
        "> 1  n=5 @10   20 steps   from 0   return 'Found 0002'",
    ]
    assert said("j 19\nset = 'x'\nbranch 0\n")[-1] == "   return ⇢ 'Found 0002'   ●●○"
    assert said("g 4 3\nset n = 7\ncompare 0\n") == ["  they part at step 10"]
    assert said("set\n")[0].startswith("*** say what to change")


def test_what_is_real_can_be_pinned_and_lived_by() -> None:
    assert said("g 4 4\nreal\npin letter\n", model=VALUES)[0] == "branch 1: letter='r' @12"
    assert said("g 4 4\npin letter\n", model=VALUES)[0].startswith("*** what letter really is at step 12 is not known")
    assert said("j 3\nreal\nanchor\n")[0] == "branch 1: re-anchored @3: each step is predicted from the real ones before it"
    assert said("anchor\n")[0].startswith("*** a re-anchored run needs the real one")
    assert said("g 4 4\nreal\n", model=VALUES)[:2] == [
        "ran in a limited child process: 20 steps, returned 'Found 0002'",
        "first divergence so far: step 12, value, letter   (go there: j 12)",
    ]
    assert said("c\nreal\n")[1] == "all 20 steps so far are right"


def test_other_futures() -> None:
    assert said("s 4\nsample 5 0.7\n")[0] == "branch 1: seed 5 @5"
    assert said("s 4\nsample\nsample\n")[0] == "branch 2: seed 2 @5"
    assert said("sample x\n") == ["*** 'x' is no seed; write a number from 0 on"]


def test_skipping_and_inventing_with_a_model() -> None:
    script = "g 3 1\nskip loop\n"
    result = run(script, "--args", "'ab', 'a'", model="tiny", target=("letters.py::count_letters",))
    last = result.stdout.split("(foretrace) ")[-1]
    assert "(skipped the loop)" in last
    assert "letters.py(5)" in last
    invented = run("reroll 3 keep letter\n", "--invent", model="tiny", target=("letters.py::count_letters",))
    assert "branch 1: s=" in invented.stdout
    assert said("skip\n")[0] == "*** oracle:err=0 is no model, and cannot skip ahead; use one, such as tiny"


def test_searching() -> None:
    assert said("c\nj 0\nfind 'y'\n") == ["  step 14   line 4   value c"]
    assert said("find 'y'\n") == ["  nowhere from step 0 to 0, the last that is known"]
    assert said("c\nj 12\nvisits\n") == [
        "  visit 1   step 6",
        "  visit 2   step 8",
        "  visit 3   step 10   ⇢ n = 1",
        "> visit 4   step 12   ⇢ n = 2",
        "  visit 5   step 14",
    ]
    assert said("visits 2\n") == ["  line 2 has not been visited so far"]
