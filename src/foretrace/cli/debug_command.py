"""`foretrace debug`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from foretrace.api.model import Model
    from foretrace.debug import Session, Settings


@click.command(
    "debug",
    epilog="""\b
Examples:
  foretrace debug letters.py::count --args "'banana', 'a'"
  foretrace debug letters.py::count --invent
  foretrace debug letters.py::count --args "'banana', 'a'" --real real.jsonl --no-run
  printf 'g 4 3\\nvars\\nset n = 5\\nc\\n' | foretrace debug letters.py::count --args "'banana', 'a'"

\b
Within: s n o (step, over, out), b bn bo (the same back), c rc (on, and back, to where something stops it),
g LINE [VISIT], break, when, catch, set, pin, real, anchor, alts, why, branches; help lists all.
""",
)
@click.argument("target", metavar="FILE::FUNCTION", required=False)
@options.arguments
@click.option("--invent", is_flag=True, help="Let the model make up the arguments, instead of --args.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FILE", help="Go on with a session that was saved.")
@options.model
@options.calibration
@options.budget
@options.grammar
@click.option("--temperature", type=options.Finite(0, 10), default=0.0, show_default=True, help="0 is greedy.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn.")
@click.option("--real", "recorded", type=click.Path(path_type=Path), metavar="TRACE", help="What really happened, recorded.")
@click.option("--no-run", is_flag=True, help="Never run the program: the command real is refused, and so is the oracle.")
@options.limits
@options.as_json
def command(
    target: str | None,
    arguments: str,
    invent: bool,
    resume: Path | None,
    model: str,
    calibration: Path | None,
    budget: int,
    grammar: bool,
    temperature: float,
    seed: int,
    recorded: Path | None,
    no_run: bool,
    seconds: float,
    memory: int,
    max_events: int,
    as_json: bool,
) -> None:
    """Step through what a call would do, forwards and backwards, change values, and compare with reality.

    Nothing is executed but by the command real, and by --model oracle: both in a limited child process.
    """
    from foretrace.api.model import load, runner
    from foretrace.cli.debug_desk import Desk
    from foretrace.cli.debug_shell import Shell
    from foretrace.cli.recording import read_recording
    from foretrace.cli.render import make_console
    from foretrace.debug import Settings

    path = (target or "").rpartition("::")[0] or "<string>"
    limits = options.make_limits(seconds, memory, max_events)
    run = None if no_run else runner(limits, path)
    loaded = load(model, calibration=calibration, limits=limits, may_run=not no_run)
    settings = Settings(budget=budget, temperature=temperature, seed=seed, grammar=grammar)
    session = _open(loaded, target, resume, arguments, invent, settings)
    if recorded is not None:
        session.attach(read_recording(recorded).trace(1))
    Shell(Desk(session, loaded, make_console(), run), as_json=as_json).loop()


def _open(
    model: "Model", target: str | None, resume: Path | None, arguments: str, invent: bool, settings: "Settings"
) -> "Session":
    from foretrace.debug import load_session

    if (target is None) == (resume is None):
        raise UsageError("say what to debug: FILE::FUNCTION, or a session that was saved: --resume FILE")
    if target is not None:
        return model.debug(target, arguments=arguments, settings=settings, invent=invent)
    assert resume is not None
    if not resume.is_file():
        raise UsageError(f"no session at {resume}; within the debugger: save {resume}")
    with resume.open(encoding="utf-8") as file:
        return load_session(file, model.predictor, judge=model.confidence)
