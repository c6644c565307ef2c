"""`foretrace web`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from foretrace.cli.web_site import Asked


@click.command(
    "web",
    epilog="""\b
Examples:
  foretrace web                                              the bundled example
  foretrace web letters.py::count --args "'banana', 'a'"
  foretrace web real.jsonl                                   a recording, and the model's prediction beside it
  foretrace web session.jsonl                                a session that was saved
  foretrace web run/                                         the episodes of a run of foretrace forage, as stories
  foretrace web receipt.json                                 what foretrace solve kept, and on what that rests
  foretrace web --model oracle:err=0.05,seed=1               no weights: reality with errors put in
  foretrace web --model replay:predicted.jsonl
  foretrace web letters.py::count --args "'banana', 'a'" --export letters.html

Exit codes: 0 stopped by the user, or the file was written; 2 usage; 3 backend; 5 refused to execute.
""",
)
@click.argument("target", metavar="[FILE::FUNCTION | TRACE | SESSION | RUN | RECEIPT]", required=False)
@options.arguments
@click.option("--invent", is_flag=True, help="Let the model make up the arguments, instead of --args.")
@options.model
@options.calibration
@options.budget
@options.grammar
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0: open to the network.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--token", envvar="FORETRACE_TOKEN", show_envvar=True, help="What the page must show; else a random one.")
@click.option("--allow-run", is_flag=True, help="Let a page run programs for real although others can reach the server.")
@click.option("--no-run", is_flag=True, help="Never run a program for real.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--check", is_flag=True, help="Serve the page once, look at it, and stop.")
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one HTML file instead of serving; for what is real the program is run once, unless --no-run.",
)
@options.limits
def command(
    target: str | None,
    arguments: str,
    invent: bool,
    model: str,
    calibration: Path | None,
    budget: int,
    grammar: bool,
    host: str,
    port: int,
    token: str | None,
    allow_run: bool,
    no_run: bool,
    no_browser: bool,
    check: bool,
    export: Path | None,
    seconds: float,
    memory: int,
    max_events: int,
) -> None:
    """Open the debugger in a browser: step, compare with reality, change values, branch.

    The server listens on this machine only and asks for a token, which the printed address holds. Predicting executes
    nothing; a program is run when a click on the page says so, in a limited child process.
    """
    from foretrace.cli.web_serving import Serving
    from foretrace.serve.guard import is_loopback

    if allow_run and no_run:
        raise UsageError("--allow-run and --no-run contradict each other; leave one out")
    serving = Serving(host=host, port=port, token=token, browser=not no_browser, check=check)
    if target is not None and Path(target).is_dir():
        from foretrace.cli.web_stories import serve_stories

        serve_stories(Path(target), serving, export=export)
        return
    if target is not None and _is_receipt(Path(target)):
        from foretrace.cli.web_receipts import serve_receipt

        serve_receipt(Path(target), serving, export=export)
        return
    asked = _asked(target, arguments, invent, model, calibration, budget, grammar)
    from foretrace.web.running import Running

    running = Running(
        allowed=not no_run and (allow_run or is_loopback(host)), limits=options.make_limits(seconds, memory, max_events)
    )
    if export is not None:
        from foretrace.cli.web_site import write_export

        write_export(asked, running, export)
        click.echo(f"written to {export}", err=True)
        return
    from foretrace.cli.web_site import serve_site

    serve_site(asked, running, serving)


def _is_receipt(path: Path) -> bool:
    from foretrace.solve.receipt import is_receipt

    return path.suffix == ".json" and path.is_file() and is_receipt(path)


def _asked(
    target: str | None,
    arguments: str,
    invent: bool,
    model: str,
    calibration: Path | None,
    budget: int,
    grammar: bool,
) -> "Asked":
    from foretrace.cli.web_site import Asked

    return Asked(
        target=target,
        arguments=None if invent else arguments,
        model=model,
        calibration=calibration,
        budget=budget,
        grammar=grammar,
    )
