"""`foretrace calibrate`."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.debug.calibration.report import Measured
    from foretrace.debug.calibration.stored import Calibration, Key
    from foretrace.trace import Trace


@click.command(
    "calibrate",
    epilog="""\b
Examples:
  foretrace calibrate tiny
  foretrace calibrate runs/tiny/run/checkpoint --programs 1500 --page calibration.html
  foretrace calibrate http://localhost:8000/v1 -o calibration.json
  foretrace calibrate tiny --show --page calibration.html
  foretrace calibrate tiny --on cruxeval.jsonl
""",
)
@click.argument("model", default="tiny")
@click.option(
    "--programs", type=click.IntRange(min=30), default=1800, show_default=True, help="Programs to predict and to run."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write; else calibration.json beside the weights, where it is found by itself.",
)
@click.option("--show", is_flag=True, help="Fit nothing: tell what the calibration that is there was measured to be worth.")
@click.option(
    "--on",
    "elsewhere",
    metavar="CRUXEVAL",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Fit nothing: measure the calibration that is there on the programs of the official cruxeval.jsonl.",
)
@click.option("--limit", type=click.IntRange(min=1), help="With --on: only the first so many programs.")
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    help="Also draw it: one file of HTML; of a name in .svg, the diagrams of values alone.",
)
@options.as_json
def command(
    model: str,
    programs: int,
    output: Path | None,
    show: bool,
    elsewhere: Path | None,
    limit: int | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Learn how sure MODEL may be of what it predicts, from programs that it predicts and that are then run.

    The probabilities that a debugger shows come from there: of the values that are shown at 80 %, four of five are right.
    Two thirds of the programs are for fitting; what it prints is measured on the others.
    """
    from foretrace.debug.calibration.text import text, text_elsewhere

    if page:
        _check_writable(page, "--page")
    calibration = _stored(model, output) if show or elsewhere else _fit(model, programs, output)
    measured = _measure(model, calibration, elsewhere, limit) if elsewhere else {}
    if page:
        page.write_text(_drawn(calibration, measured, page.suffix), encoding="utf-8")
    if as_json:
        options.write_json(_as_json(calibration, measured))
    elif measured:
        click.echo(text_elsewhere("CRUXEval", calibration, measured))
    else:
        click.echo(text(calibration))


def _fit(model: str, programs: int, output: Path | None) -> "Calibration":
    from foretrace.cli.progress import Bar
    from foretrace.debug.calibration.make import calibrate
    from foretrace.debug.calibration.stored import FILE
    from foretrace.engine import load_predictor
    from foretrace.engine.load import fingerprint, folder_of
    from foretrace.evals.traces import CALIBRATION_SEED, held_out_cases

    traces: dict[str, Trace] = {}
    predictor = load_predictor(model, real=lambda prompt: traces[prompt.call.source])
    folder = folder_of(model)
    if output is None:
        if folder is None:
            raise click.UsageError(f"{model} has no folder to write to; say where: -o calibration.json")
        output = folder / FILE
    _check_writable(output, "-o")
    with Bar("running programs") as bar:
        cases = held_out_cases(programs, CALIBRATION_SEED, raising=True, progress=bar)
    traces |= {case.source: case.real for case in cases}
    weights = fingerprint(folder) if folder else ""
    with Bar("predicting them") as bar:
        calibration = calibrate(predictor, cases, weights=weights, progress=bar)
    calibration.write(output)
    click.echo(f"wrote {output}", err=True)
    return calibration


def _check_writable(file: Path, option: str) -> None:
    """Minutes of work must not end where there is no room for what came out."""
    folder = file.absolute().parent
    if not os.access(folder, os.W_OK):
        what = "cannot be written to" if folder.is_dir() else "is no folder"
        raise click.UsageError(f"{folder} {what}; say where else: {option} {file.name}")


def _stored(model: str, file: Path | None) -> "Calibration":
    from foretrace.debug.calibration.stored import FILE, Calibration
    from foretrace.engine.load import folder_of
    from foretrace.errors import UsageError

    folder = folder_of(model)
    found = Calibration.read(file) if file else Calibration.load(folder) if folder else None
    if found is None:
        raise UsageError(f"{model} has no {FILE}; fit one: foretrace calibrate {model}")
    return found


def _measure(model: str, calibration: "Calibration", data: Path, limit: int | None) -> "dict[Key, Measured]":
    from foretrace.cli.progress import Bar
    from foretrace.debug.calibration.make import measure_on
    from foretrace.engine import load_predictor
    from foretrace.evals import load_cruxeval

    predictor = load_predictor(model)
    with Bar("running programs") as bar:
        cases = load_cruxeval(data, limit, bar)
    with Bar("predicting them") as bar:
        return measure_on(predictor, calibration, cases, progress=bar)


def _drawn(calibration: "Calibration", measured: "Mapping[Key, Measured]", suffix: str) -> str:
    from foretrace.debug.calibration.page import page
    from foretrace.debug.calibration.plots import figure

    if suffix != ".svg":
        return page(calibration, {"CRUXEval": measured} if measured else {})
    values = {(part, mode): found for (part, mode), found in (measured or calibration.measured).items() if part == "value"}
    return figure({f"{part}s, {mode}": found for (part, mode), found in values.items()})


def _as_json(calibration: "Calibration", measured: "Mapping[Key, Measured]") -> dict[str, Any]:
    found = measured or calibration.measured
    return {
        "v": 1,
        "model": calibration.model,
        "basis": asdict(calibration.basis),
        "on": "CRUXEval" if measured else "held-out synthetic traces",
        "measured": [{"part": part, "mode": mode} | each.to_dict() for (part, mode), each in found.items()],
    }
