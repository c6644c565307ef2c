"""The parts of `foretrace predict`: leaving lines out, drawing futures, showing them, and what to be warned of."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from foretrace.api.model import Model
from foretrace.api.prediction import Prediction
from foretrace.cli.advice import ghosts, how_to_go_on
from foretrace.cli.render import ending, make_console, print_trace
from foretrace.cli.sureness import dots, label, short, told
from foretrace.debug import Reason, Session, Settings
from foretrace.debug.imports import imagined_lines, missing_modules
from foretrace.debug.lines import closing_line, opening_line, step_lines
from foretrace.trace import Outcome, diff

TEMPERATURE = 0.8
"""At which futures are drawn unless it is said otherwise."""
_MOST_DOUBTS = 3


def skip(session: Session, line: int) -> None:
    """Goes to the first visit of a line, and leaves out its loop or, if it is in none, the calls that it makes.

    Raises:
        UsageError: the line is not visited, or the predictor is no model.

    """
    stop = session.goto(line, 1)
    if stop.reason is not Reason.GOTO:
        return  # the budget ends before
    frame = session.here.frame
    in_loop = bool(session.tree.structure.loops_at(frame.function, frame.line))
    session.skip("loop" if in_loop else "line")


def draw(model: Model, predicted: Prediction, count: int) -> list[Prediction]:
    """Other futures of the same call, each with a seed and a budget of its own."""
    session = predicted.session
    call, settings = session.branch.prompt.call, session.settings
    futures = []
    for number in range(count):
        drawn = Settings(
            budget=settings.budget,
            temperature=settings.temperature or TEMPERATURE,
            seed=settings.seed + number,
            grammar=settings.grammar,
        )
        futures.append(Prediction.of(model.session(call.source, call.entry, call.arguments, session.path, drawn)))
    return futures


def endings(futures: Sequence[Prediction]) -> list[tuple[str, int]]:
    """How they end, and how many so, most first."""
    return Counter(short(ending(future).plain.strip()) for future in futures).most_common()


def show(model: Model, predicted: Prediction, futures: Sequence[Prediction]) -> None:
    """On standard output: each step, how it ends, what else could happen."""
    console = make_console()
    value = predicted.result or predicted.exception
    note = told(value) if value is not None else ""
    print_trace(console, predicted, model=label(model), sure=dots(predicted), mark=_marks(predicted), note=note)
    for doubt in predicted.may_raise[:_MOST_DOUBTS]:
        likely = "" if doubt.probability is None else f"   p ≈ {doubt.probability:.2f}"
        console.print(f"  may raise {doubt.text or 'an exception'}   line {doubt.line}{likely}", soft_wrap=True)
    if futures:
        console.print(f"  {len(futures)} futures drawn at temperature {futures[0].session.settings.temperature:g}:")
    for text, count in endings(futures):
        example = next(future for future in futures if short(ending(future).plain.strip()) == text)
        console.print(f"  {count:>4}  {text}{_parting(predicted, example)}", soft_wrap=True)


def _marks(predicted: Prediction) -> Callable[[int], str]:
    """`~` where the line uses what is not installed, `…` where steps were left out."""
    imagined = imagined_lines(predicted.header.source, Path(predicted.header.path).parent)
    skips = predicted.session.branch.skips
    return lambda step: "…" if step in skips else "~" if predicted.frames[step].line in imagined else ""


def _parting(predicted: Prediction, future: Prediction) -> str:
    """Where a future leaves the prediction."""
    first = diff(future, predicted).first
    return "" if first is None else f"   (parts at step {first.step}, line {first.line})"


def write_json(predicted: Prediction, futures: Sequence[Prediction]) -> None:
    """On standard output: a trace in JSON Lines, how sure each step is in its line, and the rest in the last line."""
    session = predicted.session
    click.echo(opening_line(session), nl=False)
    for line in step_lines(session):
        click.echo(line, nl=False)
    value = predicted.result or predicted.exception
    more = {
        "value": value.to_dict() if value is not None else None,
        "may_raise": [doubt.to_dict() for doubt in predicted.may_raise],
        "imagined": _missing(predicted),
        "samples": [[text, count] for text, count in endings(futures)],
    }
    click.echo(closing_line(session, more), nl=False)


def warn(model: Model, predicted: Prediction, *, executed: bool) -> None:
    """On standard error: what was imagined or made up, what the calibration does not know, where it broke off."""
    for module in _missing(predicted):
        click.echo(f"! {module} is not installed: what it does is imagined; lines that use it are marked ~", err=True)
    for warning in ghosts(predicted):
        click.echo(f"warning: {warning}", err=True)
    for strange in model.confidence.outside(predicted.header.source, predicted.session.branch.timeline):
        click.echo(f"warning: {strange}", err=True)
    if predicted.header.outcome is Outcome.TRUNCATED and (advice := how_to_go_on(predicted.session)):
        click.echo(advice, err=True)
    click.echo("the oracle ran the call." if executed else "nothing was executed.", err=True)


def _missing(predicted: Prediction) -> list[str]:
    return missing_modules(predicted.header.source, Path(predicted.header.path).parent)
