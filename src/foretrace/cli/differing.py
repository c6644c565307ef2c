"""The parts of `foretrace diff` that need a model: both traces of one call, and what the model held where it slipped."""

from dataclasses import dataclass
from pathlib import Path

import click

from foretrace.api.model import Model, load, runner
from foretrace.api.prediction import Predicted, Prediction
from foretrace.cli import options
from foretrace.cli.advice import how_to_go_on
from foretrace.cli.render import make_console, print_diff
from foretrace.cli.sureness import also_held, dots, label, short
from foretrace.debug import Settings
from foretrace.record import read_target
from foretrace.trace import Diff, Divergence, Limits, Trace, diff


@dataclass(frozen=True, slots=True)
class Both:
    """Prediction and reality of one call."""

    model: Model
    predicted: Prediction
    real: Trace
    difference: Diff
    free: Diff | None
    """Of the free run, if the prediction was re-anchored."""


def predict_and_record(
    target: str,
    arguments: str,
    model: str,
    calibration: Path | None,
    settings: Settings,
    limits: Limits,
    anchor: bool = False,
) -> Both:
    """Both traces of one call: predicted freely or, if it is to be re-anchored, each step from the real ones before it."""
    _, _, path = read_target(target)
    run = runner(limits, path)
    loaded = load(model, calibration=calibration, limits=limits)
    session = loaded.debug(target, arguments=arguments, settings=settings)
    predicted = Prediction.of(session)
    click.echo("predicted; now running the call in a limited child process …", err=True)
    # a call that cannot be bound without running it is predicted through a wrapper, and is run through it here
    real = session.run_for_real(run)
    difference, free = diff(predicted, real), None
    if anchor:
        session.budget += session.spent
        session.seek(0)
        session.anchor()
        predicted = Prediction.of(session)
        difference, free = diff(predicted, real), difference
    return Both(loaded, predicted, real, difference, free)


def show(both: Both) -> None:
    """On standard output: both side by side; on standard error: why the prediction broke off."""
    console = make_console()
    sure, anchored = dots(both.predicted), both.free is not None
    name = label(both.model) + (", re-anchored" if anchored else "")
    print_diff(console, both.difference, both.predicted, both.real, model=name, sure=sure, anchored=anchored)
    if note := _slip(both):
        console.print(f"  {note}", soft_wrap=True)
    if (after := _after(both)) and both.free is None:
        console.print(f"  {after}", soft_wrap=True)
    if both.free is not None:
        free = both.free
        console.print(
            f"  in a free run: {free.lines_right}/{free.lines} lines right · {free.values_right}/{free.values} values right",
            soft_wrap=True,
        )
    if advice := how_to_go_on(both.predicted.session):
        click.echo(advice, err=True)


def write_json(both: Both) -> None:
    """On standard output: the difference, and what the model held where it slipped."""
    value = _value_at(both.predicted, both.difference.first)
    options.write_json(
        both.difference.to_dict()
        | {
            "model": both.model.name,
            "calibrated": both.model.confidence.is_calibrated,
            "mode": "free-run" if both.free is None else "re-anchored",
            "held": value.to_dict() if value is not None else None,
        }
    )


def _slip(both: Both) -> str:
    """`step 23: n ⇢ 2 ●○○ 61%   also held: 3 (31%, the real one)`."""
    first = both.difference.first
    value = _value_at(both.predicted, first)
    if first is None or value is None or not value.dots:
        return ""
    sure = "" if value.sure is None else f" {value.sure:.0%}"
    held = also_held(value.others, value.sure is not None, first.real)
    name = first.variable if first.kind == "value" else first.kind
    return f"step {first.step}: {name} ⇢ {short(value)}   {value.dots}{sure}" + (f"   {held}" if held else "")


def _after(both: Both) -> str:
    """How much is wrong after the first divergence, which may only follow from it."""
    later = [d for d in both.difference.divergences[1:] if d.kind == "value"]
    if not later:
        return ""
    differ = "values differ" if len(later) > 1 else "value differs"
    return f"{len(later)} later {differ}, maybe only because of it: --anchor tells"


def _value_at(predicted: Prediction, first: Divergence | None) -> Predicted | None:
    """The wrong value of a divergence; None if another step is wrong about it, or it lacks the value."""
    if first is None or first.variable is None or first.predicted is None or first.step >= len(predicted):
        return None
    step = predicted.step(first.step)
    return step.before.get("" if step.frame.locals is None else first.variable)
