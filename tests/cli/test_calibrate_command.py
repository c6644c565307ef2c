"""`foretrace calibrate`: fits, writes, shows and draws; an oracle stands in for a model."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from foretrace.cli.main import cli
from foretrace.debug.calibration.stored import FILE, Calibration
from foretrace.engine.load import fingerprint


def calibrate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["calibrate", *map(str, arguments)])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of an oracle, with its page."""
    folder = tmp_path_factory.mktemp("calibrated")
    result = calibrate("oracle:err=0.2", "--programs", 150, "-o", folder / FILE, "--page", folder / "page.html")
    assert result.exit_code == 0, result.output
    assert "oracle:err=0.2: fitted on 100 programs, measured on 50 others" in result.stdout
    assert f"wrote {folder / FILE}" in result.stderr
    return folder / FILE


def test_what_was_fitted_is_written(file: Path) -> None:
    found = Calibration.read(file)
    assert found.basis.first == f"seed-{(1 << 50) + (1 << 40)}"
    assert found.weights == ""


def test_the_page_needs_nothing_beside_it(file: Path) -> None:
    page = (file.parent / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "default-src &#x27;none&#x27;" in page
    assert "<script" not in page
    assert page.count("<svg") > 10
    assert not [word for word in ("http://", "https://", "url(", "@import") if word in page]


def test_a_picture_of_values_is_a_file_of_its_own(file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "values.svg"
    assert calibrate("oracle:err=0.2", "--show", "-o", file, "--page", picture).exit_code == 0
    root = ElementTree.fromstring(picture.read_text())
    assert root.tag.endswith("svg")
    names = [each.text for each in root.iter() if each.get("class") == "name"]
    assert names == ["values, re-anchored", "values, free-run"]
    assert len([each for each in root.iter() if each.tag.endswith("circle")]) > 10


def test_showing_fits_nothing(file: Path) -> None:
    before = file.read_bytes()
    result = calibrate("oracle:err=0.2", "--show", "-o", file)
    assert result.exit_code == 0
    assert result.stdout.startswith("oracle:err=0.2: fitted on 100 programs")
    assert "values, free-run" in result.stdout
    assert file.read_bytes() == before


def test_json_holds_what_was_measured(file: Path) -> None:
    told = json.loads(calibrate("oracle:err=0.2", "--show", "-o", file, "--json").stdout)
    assert (told["v"], told["model"], told["basis"]["programs"]) == (1, "oracle:err=0.2", 100)
    parts = [(each["part"], each["mode"]) for each in told["measured"]]
    assert parts == [(part, mode) for part in ("value", "line") for mode in ("re-anchored", "free-run")]
    for each in told["measured"]:
        value, low, high = each["ways"][each["way"]]["ece"]
        assert 0 <= low <= value <= high <= 1


def test_a_model_without_a_folder_needs_a_file() -> None:
    result = calibrate("oracle:err=0.2")
    assert result.exit_code == 2
    assert "-o calibration.json" in result.output


def test_where_nothing_can_be_written_nothing_is_fitted(tmp_path: Path) -> None:
    for option, file in (("-o", tmp_path / "no" / FILE), ("--page", tmp_path / "no" / "page.html")):
        result = calibrate("oracle", "-o", tmp_path / FILE, option, file)
        assert result.exit_code == 2
        assert f"{tmp_path / 'no'} is no folder" in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_cannot_be_shown(tmp_path: Path) -> None:
    result = calibrate(tmp_path, "--show")
    assert result.exit_code == 2
    assert f"foretrace calibrate {tmp_path}" in result.output


def test_a_stale_calibration_is_not_shown(file: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    values = json.loads(file.read_text()) | {"weights": fingerprint(tmp_path)}
    (tmp_path / FILE).write_text(json.dumps(values))
    assert calibrate(tmp_path, "--show").exit_code == 0
    (tmp_path / "model.safetensors").write_bytes(b"trained")
    result = calibrate(tmp_path, "--show")
    assert result.exit_code == 3
    assert "fitted on other weights" in result.output


def test_a_misspelt_model_is_named_before_anything_runs() -> None:
    result = calibrate("tinny")
    assert result.exit_code == 2
    assert "did you mean 'tiny'?" in result.output


def test_help_has_examples() -> None:
    told = calibrate("--help").output
    assert "Examples:" in told
    assert "foretrace calibrate tiny" in told
