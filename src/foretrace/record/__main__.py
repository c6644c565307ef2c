"""`python -m foretrace.record`: the options, then `foretrace.record.script` does the work."""

import sys
from typing import Any

import click

from foretrace.errors import ForetraceError
from foretrace.record.scope import Scope
from foretrace.record.script import LIMITS, load_script, run_script, start_recorder
from foretrace.trace import Limits

NAME = "python -m foretrace.record"
EXAMPLES = """\b
Examples:
  python -m foretrace.record fib.py 20
  python -m foretrace.record -o run.ftb --include src -m package.tool --verbose
  python -m foretrace.record --form wire --depth 2 --step-in 0.5 fib.py
  foretrace show fib.ftb
"""


@click.command(
    NAME,
    epilog=EXAMPLES,
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
)
@click.option("-m", "as_module", is_flag=True, help="Run a module, as `python -m` does.")
@click.option("-o", "--output", metavar="FILE", help="The file to write.  [default: the program's name, here]")
@click.option("--form", type=click.Choice(("binary", "wire")), default="binary", show_default=True, help="What is written.")
@click.option("--include", multiple=True, metavar="PATTERN", help="Record these files or folders only; may be repeated.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Do not record these; may be repeated.")
@click.option("--depth", type=click.IntRange(min=0), default=0, help="Record calls this deep.  [default: all]")
@click.option(
    "--step-in", type=click.FloatRange(0, 1), default=1.0, metavar="PROBABILITY", help="Record only so many of the calls."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, help="Of what --step-in draws.")
@click.option(
    "--max-events", type=click.IntRange(min=1), default=LIMITS.max_events, show_default=True, help="Events of one trace."
)
@click.option(
    "--max-bytes", type=click.IntRange(min=1), default=LIMITS.max_bytes, show_default=True, help="Characters of one trace."
)
@click.option("--native/--reference", default=None, help="Use the recorder in C, or the one in Python.")
@click.option("--quiet", is_flag=True, help="Neither progress nor a summary.")
@click.argument("target", metavar="SCRIPT | -m MODULE")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS]...")
def command(**_: Any) -> None:
    """Run a program in this process and record every line of it that is not a library's.

    It runs as it would without a recorder; foretrace show reads what was written.
    """


def main() -> None:
    """Records the program that this process was asked to; it then ends as the program does."""
    try:
        options = command.make_context(NAME, sys.argv[1:]).params
    except click.exceptions.Exit as ended:  # --help
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    scope = Scope(**{name: options[name] for name in ("include", "exclude", "depth", "step_in", "seed")})
    limits = Limits(max_events=options["max_events"], max_bytes=options["max_bytes"])
    try:
        script = load_script(options["target"], options["arguments"], as_module=options["as_module"])
        recorder = start_recorder(
            script, scope, output=options["output"], form=options["form"], native=options["native"], limits=limits
        )
    except ForetraceError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    run_script(script, recorder, quiet=options["quiet"])


if __name__ == "__main__":
    main()
