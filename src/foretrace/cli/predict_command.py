"""`foretrace predict`."""

import sys
from pathlib import Path

import click

from foretrace.cli import options


@click.command(
    "predict",
    epilog="""\b
Examples:
  foretrace predict letters.py::count --args "'banana', 'a'"
  foretrace predict letters.py::count --args "'banana', 'a'" --samples 8
  foretrace predict letters.py::count --args "'banana', 'a'" --json > predicted.jsonl
  foretrace predict letters.py::count --invent
  foretrace predict letters.py::count --args "'banana' * 99, 'a'" --over 3
""",
)
@options.target
@options.arguments
@click.option("--invent", is_flag=True, help="Let the model make up the arguments, instead of --args.")
@options.model
@options.calibration
@options.budget
@options.grammar
@click.option("--temperature", type=options.Finite(0, 10), default=0.0, show_default=True, help="0 is greedy.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of sampling, at a temperature above 0."
)
@click.option(
    "--samples",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="N",
    help="Also draw N futures, at --temperature or else at 0.8, and count how they end.",
)
@click.option(
    "--over", type=int, multiple=True, metavar="LINE", help="Leave out the loop or the calls of this line; may be repeated."
)
@options.allow_run
@options.as_json
def command(
    target: str,
    arguments: str,
    invent: bool,
    model: str,
    calibration: Path | None,
    budget: int,
    grammar: bool,
    temperature: float,
    seed: int,
    samples: int,
    over: tuple[int, ...],
    allow_run: bool,
    as_json: bool,
) -> None:
    """Predict what a call would do, line by line. Nothing is executed.

    Dots say how sure each value is: three are right most often. They stand for probabilities if the model is calibrated.
    """
    from foretrace.api.prediction import Prediction
    from foretrace.cli import predicting
    from foretrace.debug import Settings

    settings = Settings(budget=budget, temperature=temperature, seed=seed, grammar=grammar)
    loaded = options.load_model(model, calibration, may_run=allow_run)
    session = loaded.debug(target, arguments=arguments, settings=settings, invent=invent)
    for line in over:
        predicting.skip(session, line)
    predicted = Prediction.of(session)
    futures = predicting.draw(loaded, predicted, samples)
    if as_json:
        predicting.write_json(predicted, futures)
    else:
        predicting.show(loaded, predicted, futures)
    predicting.warn(loaded, predicted, executed=allow_run and model.startswith("oracle"))
    sys.exit(options.exit_code(predicted))
