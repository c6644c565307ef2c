"""`foretrace solve`, and its receipt in `foretrace web`: what is printed, written, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from model_server import ModelServer, Say

from foretrace.cli.main import cli

RIGHT = "def double(n):\n    return n + n\n"
TASK = "double(4) == 8\ndouble(0) == 0\n"


@pytest.fixture
def model() -> Iterator[str]:
    server = ModelServer(lambda messages: Say(f"```python\n{RIGHT}```"))
    yield f"{server.url},model=m"
    server.close()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_solve_then_web(model: str, tmp_path: Path) -> None:
    (tmp_path / "task.md").write_text(TASK)
    receipt, program = tmp_path / "receipt.json", tmp_path / "double.py"
    where = ("-o", receipt, "--write", program, "--weak-isolation", "-n", 2)
    done = run("solve", tmp_path / "task.md", "--model", model, "--select", "gated", *where)
    assert done.exit_code == 0, done.output
    assert program.read_text() == RIGHT
    assert "candidate 1 kept" in done.stdout
    assert "verified by running:" in done.stdout
    assert "predicted only:" in done.stdout
    looked = run("web", receipt, "--check")
    assert looked.exit_code == 0, looked.output
    assert "predictions can be replayed" in looked.stdout
    assert run("web", receipt, "--export", tmp_path / "page.html").exit_code == 0
    assert "<h1>double" in (tmp_path / "page.html").read_text()


def test_json_and_exit_codes(model: str, tmp_path: Path) -> None:
    task = tmp_path / "task.md"
    task.write_text(TASK)
    common = ("--model", model, "--weak-isolation", "--predictor", "none", "-n", 1, "-o", tmp_path / "r.json")
    done = run("solve", task, *common, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["v"], told["verdict"], told["predictor"]) == (0, 1, "verified", "")
    assert told["verified_by_running"] == {"holding": 2, "of": 2}
    task.write_text("double(4) == 9\n")
    assert run("solve", task, *common, "--repairs", 0).exit_code == 1
    assert run("solve", task, *common, "--tokens", 8).exit_code == 4


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    done = run("solve")
    assert done.exit_code == 2
    assert "say what to solve" in done.stderr
    (tmp_path / "task.md").write_text("Do it.\n")
    done = run("solve", tmp_path / "task.md", "--model", "http://127.0.0.1:9/v1,model=m")
    assert done.exit_code == 2
    assert "what the function is called" in done.stderr
    assert "cannot read the task" in run("solve", tmp_path / "none.md", "--model", "tiny").stderr
