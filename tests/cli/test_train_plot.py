"""`foretrace train plot`: text, pictures and numbers of runs, whatever state they are in."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.main import cli


def plot(*arguments: object, columns: int = 100) -> Result:
    environment = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    return CliRunner().invoke(cli, ["train", "plot", *map(str, arguments)], env=environment)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Twenty records as the first version of the trainer wrote them, and one unfinished."""
    lines = []
    for step in range(1, 21):
        lines.append({"step": step, "tokens": 100 * step, "seconds": step, "loss": 4 / step, "tokens_per_second": 100.0})
        if step % 10 == 0:
            lines.append({"step": step, "tokens": 100 * step, "seconds": step, "val_loss": 5 / step})
    (tmp_path / "mine").mkdir()
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 21, "to'
    (tmp_path / "mine" / "metrics.jsonl").write_text(text)
    return tmp_path / "mine"


def test_text_has_a_curve_a_line(run: Path) -> None:
    result = plot(run)
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0] == ["first", "least", "most", "last"]
    assert lines[1] == ["Loss,", "nats", "a", "token"]
    name, blocks, *numbers = lines[2]
    assert (name, numbers) == ("training", ["4", "0.2", "4", "0.2"])
    assert blocks[0] == "█"
    assert blocks[-1] == "▁"
    assert len(lines[4]) == 8
    assert lines[4][:3] == ["Tokens", "a", "second"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_text_fits_the_terminal(run: Path, columns: int) -> None:
    assert all(len(line) <= columns for line in plot(run, run, columns=columns).output.splitlines())


def test_chosen_metrics_are_drawn_tall(run: Path) -> None:
    output = plot(run, "--metric", "tokens_per_second").output
    assert "Loss" not in output
    assert len(output.splitlines()) == 7


def test_pictures(run: Path, tmp_path: Path) -> None:
    for name, start in (("a.svg", "<svg "), ("a.html", "<!doctype html>")):
        result = plot(run, "-o", tmp_path / name, "--x", "seconds", "--smooth", 3)
        assert result.exit_code == 0
        assert (tmp_path / name).read_text().startswith(start)
        assert result.stdout == ""


def test_a_png(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    assert plot(run, "-o", tmp_path / "a.png").exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_png_without_its_package_says_what_to_do(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "resvg_py", None)  # as Python marks what cannot be imported
    result = plot(run, "-o", tmp_path / "a.png")
    assert result.exit_code == 2
    assert "pip install 'foretrace[plot]'" in result.stderr
    assert not (tmp_path / "a.png").exists()


def test_numbers(run: Path) -> None:
    lines = [json.loads(line) for line in plot(run, "--json", "--metric", "loss", "--x", "step").stdout.splitlines()]
    assert [(line["v"], line["run"], line["metric"], line["part"]) for line in lines] == [
        (1, "mine", "loss", "training"),
        (1, "mine", "loss", "held out"),
    ]
    assert lines[1]["step"] == [10, 20]
    assert lines[1]["y"] == [0.5, 0.25]


def test_mistakes_are_clear_errors(run: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ([tmp_path / "missing"], "no run at"),
        ([run, "--metric", "mfu"], "no run has recorded 'mfu'"),
        ([run, "-o", tmp_path / "a.pdf"], "a picture is an .svg, an .html or a .png"),
        ([run, "--x", "epochs"], "epochs"),
        ([], "RUN..."),
    ):
        result = plot(*arguments)
        assert result.exit_code == 2
        assert message in result.stderr
