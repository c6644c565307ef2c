"""`foretrace forage`: from an image to tasks, runs, stories, exports and rows of tokens, as a user has it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from real_image import ADD, HALF, OPTIONS, PROJECT, TEST_ADD, TEST_HALF, repository, seeded, write
from small_image import needs_box

from foretrace.cli.forage_command import SUBCOMMANDS
from foretrace.cli.main import cli
from foretrace.forager.journal import Journal
from foretrace.forager.trajectory import Action, Ending, Header, Step
from foretrace.forager.trajectory import Result as Ended


def foretrace(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(map(str, arguments)), env={"COLUMNS": "160"})
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def finished(folder: Path, name: str, *, ends: bool = True) -> None:
    journal = Journal.claim(folder, name)
    assert journal is not None
    with journal:
        journal.begin(Header(episode=name, task=name, policy={"name": "p"}, system="rules", prompt="fix it", repo="r"))
        said = f"I look for the number {name}."
        journal.append(Step(number=1, action=Action.call("bash", f"ls {name}", said), role="tool: bash", observation="x"))
        if ends:
            journal.finish(Ended(ending=Ending.GAVE_UP, turns=1))


# ---------------------------------------------------------------------------------------------------
# Help, and what users get wrong


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_has_examples(name: str) -> None:
    told = foretrace("forage", name, "--help").stdout
    assert "Examples:" in told
    assert f"foretrace forage {name}" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tasks", "-o", "t.jsonl"), "of what? Give images"),
        (("tasks", "-o", "t.jsonl", "--issues", "x"), "--images DIR"),
        (("tasks", "-o", "t.jsonl", "--issues", "x", "--images", "i"), "x: no such folder"),
        (("tasks", "{}", "-o", "t.jsonl"), "there is no image in"),
        (("tasks", "nowhere", "-o", "t.jsonl"), "nowhere: no such folder"),
        (("tasks", "{}", "-o", "t.jsonl", "--hints", "all"), "no level of hints 'all'"),
        (("tasks", "{}", "-o", "t.jsonl", "--operator", "odd"), "no operator 'odd'"),
        (("run", "{}/none.jsonl", "--policy", "null", "-o", "run"), "does not exist"),
        (("run", "{}/empty.jsonl", "--policy", "nonsense", "-o", "run"), "there is no policy 'nonsense'"),
        (("run", "{}/empty.jsonl", "--policy", "null", "-o", "run"), "there are no tasks in"),
        (("run", "{}/empty.jsonl", "--policy", "null", "--cost", "1", "-o", "run"), "--cost needs prices"),
        (("run", "{}/empty.jsonl", "--policy", "human", "-j", "2", "-o", "run"), "one episode at a time"),
        (("show", "{}"), "is no run"),
        (("stats", "{}"), "is no run"),
        (("export", "{}", "-o", "out"), "is no run"),
        (("export", "{}", "-o", "out", "--form", "odd"), "is not one of"),
    ],
)
def test_errors_say_what_to_do(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "folder").mkdir()
    given = [text.format(tmp_path if "/" in text else tmp_path / "folder") for text in arguments]
    result = CliRunner().invoke(cli, ["forage", *given])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


# ---------------------------------------------------------------------------------------------------
# Reading what is there


def test_a_folder_of_trajectories_can_be_read(tmp_path: Path) -> None:
    for name in ("one", "two"):
        finished(tmp_path, name)
    finished(tmp_path, "three", ends=False)
    shown = foretrace("forage", "show", tmp_path).stdout
    assert shown.splitlines()[-1] == "2 episodes, and 1 not finished"
    assert [row["episode"] for row in lines(foretrace("forage", "show", tmp_path, "--json"))] == ["one", "two"]
    story = foretrace("forage", "show", tmp_path, "one").stdout
    assert "I look for the number one." in story
    assert "1 ✓ bash ls one" in story
    assert story.splitlines()[-1] == "ungraded (gave_up, 1 turns, 0.0 s)"
    assert "not finished" in foretrace("forage", "show", tmp_path, "three").stdout
    full = foretrace("forage", "show", tmp_path, "one", "--step", "1").stdout
    assert "<tool: bash>\nls one\n</tool>" in full
    foretrace("forage", "show", tmp_path, "one", "--step", "2", code=2)
    page = tmp_path / "one.html"
    foretrace("forage", "show", tmp_path, "one", "--html", page)
    assert page.read_text().startswith("<!doctype html>")
    [whole] = lines(foretrace("forage", "show", tmp_path, "one", "--json"))
    assert whole["steps"][0]["observation"] == "x"
    [stats] = lines(foretrace("forage", "stats", tmp_path, "--json"))
    assert (stats["episodes"], stats["graded"], stats["rate"], stats["actions"]) == (2, 0, None, {"bash": 2})
    assert "2 episodes, 0 of 0 solved" in foretrace("forage", "stats", tmp_path).stdout


def test_what_is_alike_is_left_out_of_an_export(tmp_path: Path) -> None:
    pytest.importorskip("rensa")
    for name in ("one", "two"):
        finished(tmp_path, name)
    [report] = lines(foretrace("forage", "export", tmp_path, "-o", tmp_path / "all", "--json"))
    assert (report["written"], report["alike"], report["left_out"]) == (2, [], [])
    [report] = lines(foretrace("forage", "export", tmp_path, "-o", tmp_path / "some", "--unique", "--json"))
    assert report["written"] + len(report["alike"]) == 2
    [report] = lines(foretrace("forage", "export", tmp_path, "-o", tmp_path / "none", "--solved", "--json"))
    assert report["written"] == 0


# ---------------------------------------------------------------------------------------------------
# All of it


@pytest.mark.slow
@needs_box
def test_from_an_image_to_rows_of_tokens(tmp_path: Path) -> None:
    from foretrace.data.tokenizer import Tokenizer
    from foretrace.repos import build, read_source

    images, project = seeded(tmp_path / "images"), tmp_path / "project"
    code = {"small/__init__.py": ADD + HALF.format("//"), "tests/test_add.py": TEST_ADD + TEST_HALF.format(5, 2)}
    write(project, {"pyproject.toml": PROJECT, **code})
    built = build(read_source(str(project)), images, OPTIONS)
    assert built.image is not None, built.reason
    tasks, run = tmp_path / "tasks.jsonl", tmp_path / "run"
    [made] = lines(foretrace("forage", "tasks", images, "-o", tasks, "--count", "2", "--json"))
    assert len(made["tasks"]) == 2
    before = tasks.read_bytes()
    foretrace("forage", "tasks", images, "-o", tasks, "--count", "2")
    assert tasks.read_bytes() == before

    wanted = ("forage", "run", tasks, "--policy", "oracle", "--policy", "null", "-o", run, "-j", "2")
    done = lines(foretrace(*wanted, "--json"))
    assert sorted(each["verdict"] for each in done) == ["empty", "empty", "resolved", "resolved"]
    assert "2 of 4 solved (50%), 0 invalid" in foretrace(*wanted).stdout
    [stats] = lines(foretrace("forage", "stats", run, "--json"))
    assert stats["by"]["policy"]["oracle"]["rate"] == 1
    assert set(stats["by"]) == {"repository", "policy", "source", "operator", "hints"}

    Tokenizer.train([ADD], 800).save(tmp_path / "tokenizer.json")
    pack = ("data", "pack", run, "-o", tmp_path / "shards", "--tokenizer", tmp_path / "tokenizer.json", "--workers", "1")
    [packed] = lines(foretrace(*pack, "--json"))
    assert packed["documents"] == 4
    assert packed["kinds"]["action"] > 0

    found = foretrace("web", run, "--check")
    assert "page ok: 4 episodes" in found.stdout


@pytest.mark.slow
@needs_box
def test_fixes_of_a_history(tmp_path: Path) -> None:
    images, repo = seeded(tmp_path / "images"), repository(tmp_path / "repo")
    tasks = tmp_path / "fixes.jsonl"
    [made] = lines(foretrace("forage", "tasks", "-o", tasks, "--issues", repo, "--images", images, "--offline", "--json"))
    assert (len(made["tasks"]), made["rejected"], made["problem"]) == (1, {"nothing fails": 1}, "")
    done = lines(
        foretrace("forage", "run", tasks, "--policy", "oracle", "--policy", "null", "-o", tmp_path / "run", "--json")
    )
    assert [each["verdict"] for each in done] == ["resolved", "empty"]
