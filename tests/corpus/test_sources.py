"""One name for every source; files of JSON Lines; contest programs; clear errors."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from archives import write_folder

from foretrace.corpus import synthesise
from foretrace.corpus.refusals import Refusal, Refused
from foretrace.corpus.short_functions import short_function
from foretrace.corpus.sources import subjects
from foretrace.corpus.types import Subject
from foretrace.errors import UsageError
from foretrace.record import record_program


def write(path: Path, rows: Iterable[object]) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def read(spec: str, licence: str = "") -> tuple[list[Subject], list[Refused]]:
    refused: list[Refused] = []
    return list(subjects(spec, licence=licence, on_refusal=refused.append)), refused


def test_rows_of_one_code_become_one_subject(tmp_path: Path) -> None:
    code = "def f(s):\n    return s[::-1]"
    rows = [
        {"code": code, "input": "'abc'", "output": "'cba'", "id": "sample_0"},
        {"code": "def g(n): return n", "entry": "g", "calls": ["1", "n=2", "1"], "licence": "MIT"},
        "",
        {"code": code, "input": "'x'"},
        {"code": code, "input": "'abc'"},
        {"code": "def only(): return 1", "input": ""},
    ]
    found, refused = read(write(tmp_path / "programs.jsonl", rows))
    assert [(s.entry, s.calls) for s in found] == [("f", ("'abc'", "'x'")), ("g", ("1", "n=2")), ("only", ("",))]
    origin = found[0].origin
    assert (origin.kind, origin.name, origin.path, origin.line) == ("jsonl", "programs.jsonl", "sample_0", 1)
    assert [s.origin.licence for s in found] == ["unknown", "MIT", "unknown"]
    assert not refused
    assert record_program(found[0].source, found[0].entry, found[0].calls[0]).result == "'cba'"


def test_code_that_cannot_be_used_is_refused_and_the_rest_kept(tmp_path: Path) -> None:
    rows = [
        {"code": "def f(:", "input": "1"},
        {"code": "import numpy\ndef f(): return 1", "input": ""},
        {"code": "def g(): return 1\ndef h(): return 2", "input": ""},
        {"code": "def f(): return 1", "input": ""},
    ]
    found, refused = read(write(tmp_path / "a.jsonl", rows))
    assert [s.entry for s in found] == ["f"]
    assert [r.reason for r in refused] == [Refusal.SYNTAX, Refusal.THIRD_PARTY, Refusal.NO_ENTRY]
    assert str(refused[2]).endswith("a.jsonl, line 3: the function to call is not defined in the code (f; there is: g, h)")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"code": "def f(): 1", "input": ""}, "{not json"], r"line 2: not JSON .*; wanted: one object a line"),
        ([{"code": "def f(): 1", "input": ""}, [1]], r"line 2: list; wanted: one JSON object"),
        (
            [{"code": "def f(): 1", "input": ""}, {"code": 5, "input": ""}],
            r"line 2: 'code' is int, not a text; wanted: .*\"input\"",
        ),
        ([{"code": "def f(): 1"}], r"line 1: no 'input'; wanted"),
        ([{"code": "def f(): 1", "calls": "1"}], r"line 1: 'calls' is not a list of texts; wanted"),
        ([{"code": "def f(): 1", "entry": 3, "input": ""}], r"line 1: the entry is int"),
        ([{"solution": "1", "inputs": ["1"], "outputs": []}, {"solution": "1"}], r"line 2: no 'inputs'; wanted"),
        ([{"solution": "1", "inputs": ["1"], "outputs": ["1", "2"]}], r"line 1: 1 inputs but 2 outputs"),
        ([{"solution": 1, "inputs": ["1"]}], r"line 1: 'solution' is not a list of texts"),
        ([{"solution": "1", "inputs": [1]}], r"line 1: 'inputs' is not a list of texts"),
        ([{"path": "a.py", "source": "x = 1"}, {"path": "b.py"}], r"line 2: no 'source'; wanted"),
        ([{"text": "a", "label": 1}], r"line 1: fields of no form that is known \(label, text\)"),
        ([], "the file is empty"),
    ],
)
def test_a_line_of_another_form_is_an_error_with_its_number(tmp_path: Path, rows: list[object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(write(tmp_path / "bad.jsonl", rows))
    assert "bad.jsonl" in str(caught.value)


def test_modules_of_one_tree_are_harvested(tmp_path: Path) -> None:
    rows = [
        {"path": "maths/gcd.py", "source": "def gcd(a, b): return gcd(b, a % b) if b else a", "licence": "MIT"},
        {"path": "maths/lcm.py", "source": "from maths.gcd import gcd\ndef lcm(a, b): return a * b // gcd(a, b)\nlcm(4, 6)"},
        {"path": "broken.py", "source": "def f(:"},
    ]
    found, refused = read(write(tmp_path / "modules.jsonl", rows), licence="ISC")
    assert [(s.entry, s.origin.licence, s.origin.name) for s in found] == [
        ("gcd", "MIT", "modules"),
        ("lcm", "ISC", "modules"),
    ]
    assert record_program(found[1].source, "lcm", found[1].calls[0]).result == "12"
    assert [r.reason for r in refused] == [Refusal.SYNTAX]


CODE = "print(int(input()) * 2)"


@pytest.mark.parametrize(
    "row",
    [
        {"solution": CODE, "inputs": ["2\n", "3\n"], "outputs": ["4\n", "6\n"]},
        {"code": CODE, "tests": {"inputs": ["2\n", "3\n"], "outputs": ["4\n", "6\n"]}},
        {"code": CODE, "tests": [{"input": "2\n", "output": "4\n"}, {"input": "3\n", "output": "6\n"}]},
        {
            "solutions": {"language": [2, 3, 1], "solution": ["int main() {}", CODE, "print 1"]},
            "public_tests": {"input": ["2\n"], "output": ["4\n"]},
            "private_tests": {"input": ["3\n"], "output": ["6\n"]},
            "generated_tests": {"input": [], "output": []},
        },
    ],
)
def test_contest_programs(tmp_path: Path, row: dict[str, object]) -> None:
    (found,), refused = read(write(tmp_path / "c.jsonl", [row | {"name": "doubling", "licence": "CC-BY-4.0"}]))
    assert (found.source, found.entry, found.form) == (CODE, "<module>", "script")
    assert (found.calls, found.outputs) == (("2\n", "3\n"), ("4\n", "6\n"))
    assert (found.origin.kind, found.origin.name, found.origin.licence, found.origin.line) == (
        "contest",
        "doubling",
        "CC-BY-4.0",
        1,
    )
    assert not refused


def test_programs_that_are_not_correct_have_no_outputs(tmp_path: Path) -> None:
    rows = [
        {"solution": CODE, "inputs": ["2\n"], "outputs": ["4\n"], "correct": False},
        {"solutions": [CODE], "incorrect_solutions": ["print(1)", "print 1"], "inputs": ["2\n"], "outputs": ["4\n"]},
    ]
    found, refused = read(write(tmp_path / "c.jsonl", rows))
    assert [s.outputs for s in found] == [(), ("4\n",), ()]
    assert [r.reason for r in refused] == [Refusal.SYNTAX]


def test_synthesised_programs() -> None:
    found, _ = read("synthesised:3@7")
    wanted = [synthesise(seed) for seed in (7, 8, 9)]
    assert [(s.source, s.entry, s.calls) for s in found] == [(p.source, p.entry, (p.arguments,)) for p in wanted]
    assert {s.origin.kind for s in found} == {"synthesised"}
    assert read("synthesised:1")[0][0].source == synthesise(0).source


def test_short_functions_have_their_examples_calls() -> None:
    found, _ = read("short:2@7")
    wanted = [short_function(seed) for seed in (7, 8)]
    assert [(s.source, s.entry, s.calls) for s in found] == [(f.source, f.entry, tuple(dict(f.examples))) for f in wanted]
    assert {s.origin.name for s in found} == {"short@7"}


def test_a_folder_is_harvested_and_a_licence_given_for_what_tells_none(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "demo", {"m.py": b"def f(): return 1"})
    found, _ = read(str(folder), licence="MIT")
    assert [(s.entry, s.origin.name, s.origin.licence) for s in found] == [("f", "demo", "MIT")]
    assert found == read(str(folder), licence="MIT")[0]


@pytest.mark.parametrize("spec", ["no/such/place", "synthesised:many", "synthesised:3@x", "short:", "notes.txt"])
def test_an_unknown_source_is_an_error_at_once_that_lists_the_forms(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"(?s)a source is one of.*wheel.*\.jsonl.*synthesised:COUNT"):
        subjects(spec)
