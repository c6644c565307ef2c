"""`foretrace data`: what a terminal shows, what a file gets, and what is said when something is wrong."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

pytest.importorskip("pyarrow")

from dataset_rows import row_of
from foretrace.cli.data_command import SUBCOMMANDS
from foretrace.cli.main import cli
from foretrace.record.program import record_program
from foretrace.trace import read_binary, read_jsonl, to_segments, to_text

Row = dict[str, Any]


def data(*arguments: str | Path, width: int = 120, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["data", *map(str, arguments)], env={"COLUMNS": str(width), **environment})


def fails(*arguments: str | Path) -> str:
    """The message of a command that fails as a user's mistake does: without a traceback."""
    result = data(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_has_examples(name: str) -> None:
    text = data(name, "--help").stdout
    assert f"  foretrace data {name} " in text
    assert SUBCOMMANDS[name][1] in data("--help").stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from foretrace.cli.main import cli; cli(['data', '--help'], standalone_mode=False);"
        "sys.exit(any(m in sys.modules for m in ('pyarrow', 'duckdb', 'rich', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


# -- stats -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120, 200])
def test_tables_fit_the_terminal(dataset_folder: Path, rows: list[Row], width: int) -> None:
    result = data("stats", dataset_folder, width=width, NO_COLOR="1")
    assert result.exit_code == 0
    assert max(map(cell_len, result.stdout.splitlines())) <= width
    assert "\x1b" not in result.stdout
    for text in (
        f"{len(rows)} traces of",
        "synthesised",
        "BSD-3-Clause",
        "FunctionDef",
        "median",
        "impure",
        "kept",
        "Apache-2.0",
    ):
        assert text in result.stdout
    side_by_side = any("kind" in line and "licence" in line for line in result.stdout.splitlines())
    assert side_by_side == (width == 200)


def test_long_tables_are_cut(dataset_folder: Path) -> None:
    text = data("stats", dataset_folder, "--top", "2").stdout
    assert "and 2 more" in text  # licences
    assert "CC-BY-4.0" not in text


def test_stats_as_json(dataset_folder: Path, rows: list[Row]) -> None:
    [line] = data("stats", dataset_folder, "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["v"], found["traces"], found["tokens"]) == (1, len(rows), sum(row["tokens"] for row in rows))
    assert found["funnel"]["stages"][5] == {
        "stage": "filter", "entered": len(rows) + 2, "dropped": 2, "whole_subjects": 0, "reasons": {"impure": 1, "too long": 1},
    }  # fmt: skip


def test_an_empty_dataset(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset([], [], {}, parts=1)
    assert "0 traces of 0 programs" in data("stats", folder).stdout
    assert data("sample", folder).stderr.startswith("0 of 0")
    assert data("report", folder).exit_code == 0
    assert data("sql", folder, "SELECT count(*) FROM traces", "--csv").stdout == "count_star()\n0\n"
    assert "holds no traces" in fails("show", folder, "1")


# -- show --------------------------------------------------------------------------------------------


def test_a_trace_is_shown_step_by_step(dataset_folder: Path, rows: list[Row]) -> None:
    by_number = data("show", dataset_folder, "4").stdout
    assert data("show", dataset_folder, rows[3]["id"][:16]).stdout == by_number
    lines = by_number.splitlines()
    assert lines[0] == f"4  {rows[3]['id']}"
    assert lines[1].startswith(f"{rows[3]['kind']}: {rows[3]['name']} ")
    assert f"::{rows[3]['entry']}(" in lines[3]
    assert lines[-1].strip() in (f"returns = {rows[3]['value']}", f"raises = {rows[3]['value']}")


def test_the_text_goes_to_a_file_as_it_is(dataset_folder: Path, rows: list[Row]) -> None:
    [trace] = read_binary(rows[0]["trace"])
    assert data("show", dataset_folder, "1", "--wire").stdout == to_text(to_segments(trace))
    assert next(iter(read_jsonl(data("show", dataset_folder, "1", "--json").stdout.splitlines()))).frames == trace.frames


def test_tokens_are_told_apart_without_colour(dataset_folder: Path, rows: list[Row]) -> None:
    result = data("show", dataset_folder, "1", "--tokens", width=80)
    assert f"{rows[0]['tokens']:,} tokens:" in result.stdout.splitlines()[-1]
    assert result.stdout.count("│") == rows[0]["tokens"]
    assert max(map(cell_len, result.stdout.splitlines())) <= 80
    assert "<|begin_of_text|>│<|trace_context_start|>│" in result.stdout
    with_ids = data("show", dataset_folder, "1", "--tokens", "--ids").stdout
    assert "<|begin_of_text|>‹0›│" in with_ids
    assert with_ids.count("‹") >= rows[0]["tokens"]


def test_colours_where_there_are_any(dataset_folder: Path) -> None:
    coloured = data("show", dataset_folder, "1", "--tokens", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[" in coloured
    assert "│" not in coloured
    plain = data("show", dataset_folder, "1", "--tokens", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout
    assert "│" in plain


def test_many_tokens_are_folded(make_dataset: Callable[..., Path]) -> None:
    source = "def f(n):\n    for i in range(n):\n        pass\n"
    folder = make_dataset([row_of(source, "f", "200", record_program(source, "f", "200"))], parts=1)
    folded, whole = (data("show", folder, "1", "--tokens", *more).stdout for more in ((), ("--all",)))
    assert "tokens; see all with --all …" in folded
    assert folded.count("│") == 1500 < whole.count("│")
    assert folded.splitlines()[-1] == whole.splitlines()[-1]


def test_narration_is_shown_if_there_is_any(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    folder = make_dataset([rows[0] | {"narration": "It\x1b begins."}, rows[1]])
    assert data("show", folder, "1", "--narration").stdout == "It\\x1b begins.\n"
    assert "made without narration" in fails("show", folder, "2", "--narration")


def test_a_trace_that_is_not_there(dataset_folder: Path, rows: list[Row]) -> None:
    assert f"Nearest: {rows[0]['id']}" in fails("show", dataset_folder, rows[0]["id"][:12] + "zz")
    assert f"numbered from 1 to {len(rows)}" in fails("show", dataset_folder, "999")
    assert "add --tokens" in fails("show", dataset_folder, "1", "--ids")
    result = data("show", dataset_folder, "1", "--tokens", "--tokenizer", "absent")
    assert (result.exit_code, "cannot read the tokenizer absent" in result.stderr) == (3, True)


def test_a_damaged_trace(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    folder = make_dataset([rows[0] | {"trace": b"junk"}, rows[1] | {"trace": b""}])
    assert f"the trace {rows[0]['id']} is damaged" in fails("show", folder, "1")
    assert "is damaged: it is empty" in fails("show", folder, "2")


def test_hostile_source_does_not_steer_the_terminal(make_dataset: Callable[..., Path]) -> None:
    source = "def f(x):\n    y = '\x1b]0;gotcha\x07\u202e'\n    return [bold]x[/bold]\n".replace("[bold]x[/bold]", "x")
    row = row_of(source, "f", "'[red]'", record_program(source, "f", "'[red]'"), name="n\x1b[2J", path="[link]")
    folder = make_dataset([row], parts=1)
    for arguments in (["show", folder, "1"], ["show", folder, "1", "--tokens"], ["sample", folder], ["why", folder, "f"]):
        text = data(*arguments).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(text), arguments
    assert "\\x1b]0;gotcha\\x07\\u202e" in data("show", folder, "1").stdout
    assert "[red]" in data("show", folder, "1").stdout


# -- sample ------------------------------------------------------------------------------------------


def test_a_sample_is_repeatable(dataset_folder: Path, rows: list[Row]) -> None:
    first, again, other = (data("sample", dataset_folder, "-n", "3", "--seed", seed) for seed in ("1", "1", "2"))
    assert first.stdout == again.stdout != other.stdout
    assert first.stderr == f"3 of {len(rows)}; see the steps of one: foretrace data show {dataset_folder} NUMBER\n"
    number, identity = first.stdout.split()[:2]
    assert rows[int(number.replace(",", "")) - 1]["id"].startswith(identity)


def test_a_sample_of_some(dataset_folder: Path, rows: list[Row]) -> None:
    pytest.importorskip("duckdb")
    result = data("sample", dataset_folder, "-n", "100", "--where", "outcome = 'raised' -- of all", "--seed", "3")
    raised = [at for at, row in enumerate(rows, 1) if row["outcome"] == "raised"]
    shown = [line.split()[0] for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    assert sorted(map(int, shown)) == raised
    assert f"{len(raised)} of {len(raised)} that fulfil it, of {len(rows)}" in result.stderr
    assert data("sample", dataset_folder, "--where", "true").stdout == data("sample", dataset_folder).stdout
    assert "DuckDB cannot answer that" in fails("sample", dataset_folder, "--where", "colour = 'red'")
    assert "only read" in fails("sample", dataset_folder, "--where", "true); DROP VIEW traces; SELECT (1")


# -- sql ---------------------------------------------------------------------------------------------


def test_sql(dataset_folder: Path, rows: list[Row]) -> None:
    pytest.importorskip("duckdb")
    query = "SELECT kind, count(*) AS n, sum(tokens) AS tokens FROM traces GROUP BY 1 ORDER BY 1"
    expected = sorted(Counter(row["kind"] for row in rows).items())
    table = data("sql", dataset_folder, query)
    assert [line.split()[:2] for line in table.stdout.splitlines()] == [["kind", "n"], *([k, str(n)] for k, n in expected)]
    assert table.stderr == f"{len(expected)} rows\n"
    read = list(csv.DictReader(io.StringIO(data("sql", dataset_folder, query, "--csv").stdout)))
    assert [(row["kind"], int(row["n"])) for row in read] == expected
    lines = [json.loads(line) for line in data("sql", dataset_folder, query, "--json").stdout.splitlines()]
    assert [(row["kind"], row["n"]) for row in lines] == expected
    assert sum(row["tokens"] for row in lines) == sum(row["tokens"] for row in rows)


def test_sql_numbers_traces_as_show_does(dataset_folder: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("duckdb")
    monkeypatch.chdir(dataset_folder.parent)
    for folder in (dataset_folder, Path("traces"), Path("./traces/../traces")):
        result = data("sql", folder, "SELECT number, id FROM traces ORDER BY number", "--csv")
        assert [line.split(",") for line in result.stdout.splitlines()[1:]] == [
            [str(n), r["id"]] for n, r in enumerate(rows, 1)
        ]


def test_sql_of_every_type(dataset_folder: Path, rows: list[Row]) -> None:
    pytest.importorskip("duckdb")
    import base64

    query = "SELECT *, DATE '2024-01-02' AS day, 1.5::DECIMAL(4, 2) AS price FROM traces WHERE number = 1"
    found = json.loads(data("sql", dataset_folder, query, "--json").stdout)
    assert base64.b64decode(found.pop("trace")) == rows[0]["trace"]
    assert (found["day"], found["price"]) == ("2024-01-02", 1.5)
    assert found["constructs"] == rows[0]["constructs"]
    assert data("sql", dataset_folder, query).exit_code == data("sql", dataset_folder, query, "--csv").exit_code == 0
    assert data("sql", dataset_folder, "SELECT 'a\x1b[2Jb' AS \"c\x1b\"").stdout.split() == ["c\\x1b", "a\\x1b[2Jb"]


def test_a_long_answer_is_cut(dataset_folder: Path, rows: list[Row]) -> None:
    pytest.importorskip("duckdb")
    result = data("sql", dataset_folder, "SELECT number FROM traces", "--rows", "5")
    assert len(result.stdout.splitlines()) == 6
    assert "the first 5 rows" in result.stderr
    assert data("sql", dataset_folder, "SELECT 1 AS one", "--rows", "1").stderr == "1 row\n"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELCT 1", "syntax error"),
        ("SELECT colour FROM traces", "colour"),
        ("SELECT * FROM things", "things"),
        ("SELECT 1 / 'a'", "DuckDB cannot answer"),
        ("", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("DROP VIEW traces", "only read"),
        ("COPY traces TO 'x.csv'", "only read"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'", "only read"),
        ("ATTACH 'x.db'", "only read"),
        ("INSTALL httpfs", "only read"),
        ("SET enable_external_access = true", "only read"),
        ("SELECT * FROM read_text('/etc/hostname')", "Permission"),
        ("SELECT * FROM 'https://example.org/x.parquet'", "Permission"),
    ],
)
def test_wrong_sql_is_explained(dataset_folder: Path, query: str, message: str) -> None:
    pytest.importorskip("duckdb")
    assert message in fails("sql", dataset_folder, query)


def test_folders_may_be_called_anything(tmp_path: Path, rows: list[Row]) -> None:
    from dataset_rows import write_dataset

    folder = write_dataset(tmp_path / 'it\'s a "[b]*?" {x}', rows[:5])
    assert data("sql", folder, "SELECT max(number) FROM traces", "--csv").stdout.split() == ["max(number)", "5"]
    assert data("stats", folder).exit_code == 0


def test_what_is_not_installed(dataset_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert 'pip install "foretrace[data]"' in fails("sql", dataset_folder, "SELECT 1")
    assert data("sample", dataset_folder).exit_code == 0
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for arguments in (["stats"], ["show", "1"], ["sample"], ["sql", "SELECT 1"], ["why", "f"], ["report"]):
        assert 'pip install "foretrace[data]"' in fails(arguments[0], dataset_folder, *arguments[1:])


# -- why ---------------------------------------------------------------------------------------------


def test_why_says_it_in_words(dataset_folder: Path) -> None:
    text = data("why", dataset_folder, "toolz 1.0.0::first", width=160).stdout
    assert "toolz 1.0.0::first  toolz/itertoolz.py:12" in text
    assert "not in the dataset" in text
    assert "- filter: its trace was not wanted: impure (it opened a file); for the call first([1, 2])" in text
    assert (
        "no arguments could be found for it: no arguments (12 tries"
        in data("why", dataset_folder, "interleave", width=160).stdout
    )


def test_why_of_what_was_kept(dataset_folder: Path, rows: list[Row]) -> None:
    text = data("why", dataset_folder, rows[0]["id"][:12]).stdout
    assert "1 trace kept" in text
    assert f"+ kept: {rows[0]['id'][:12]}" in text
    found = json.loads(data("why", dataset_folder, rows[0]["subject"], "--json").stdout)
    assert (found["v"], found["subject"], len(found["kept"])) == (1, rows[0]["subject"], 1)


def test_why_of_many_and_of_none(dataset_folder: Path) -> None:
    result = data("why", dataset_folder, "toolz/itertoolz.py", "--limit", "2")
    assert result.stderr.startswith("4 more programs are called so")
    assert "did you mean 'sliding_window'?" in fails("why", dataset_folder, "sliding_windo")


# -- report and errors -------------------------------------------------------------------------------


def test_a_report_is_written(dataset_folder: Path, rows: list[Row], tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    result = data("report", dataset_folder, "-o", output)
    assert result.stderr.strip() == f"{len(rows)} traces described in {output}"
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "cannot use" in fails("report", dataset_folder, "-o", tmp_path / "absent" / "x.html")


@pytest.mark.parametrize("arguments", [["stats"], ["show", "1"], ["sample"], ["sql", "SELECT 1"], ["why", "f"], ["report"]])
def test_folders_without_a_dataset(
    tmp_path: Path, arguments: list[str], make_dataset: Callable[..., Path], rows: list[Row]
) -> None:
    name, *others = arguments
    assert "no folder" in fails(name, tmp_path / "absent", *others)
    (tmp_path / "empty").mkdir()
    assert "foretrace data make" in fails(name, tmp_path / "empty", *others)
    folder = make_dataset(rows[:4])
    (folder / "traces-00001.parquet").write_bytes(b"PAR1 no more")
    assert "traces-00001.parquet is damaged" in fails(name, folder, *others)
