"""The `foretrace` command. Commands are imported when they are used, so that `--help` is instant."""

import io
import sys
from importlib import import_module
from typing import Any

import click

from foretrace import __version__
from foretrace.errors import ForetraceError

COMMANDS = {
    "demo": "record, predict and compare a few small programs",
    "predict": "what a call would do; nothing is executed",
    "record": "what a call really does, in a limited child process",
    "show": "what a recording holds; one of its traces; the same in another form",
    "diff": "prediction against reality, or two recorded traces",
    "score": "which steps of a real trace surprise a model",
    "web": "the debugger in a browser",
    "debug": "step through a prediction, both ways, in the terminal",
    "data": "make datasets of traces, and look at them",
    "eval": "measure models on benchmarks; run, compare, report",
    "train": "train a model from a recipe",
    "rl": "reinforcement learning: runs, rollouts, what was solved",
    "calibrate": "learn how sure a model may be of what it predicts",
    "serve": "a model for programs: OpenAI's completions, and traces",
    "model": "what a model costs; convert folders of models",
    "dap": "the debugger in an editor (Debug Adapter Protocol)",
    "solve": "write a program, predict its tests, run them, repair; a receipt",
    "repos": "executable images of repositories: build, list, check",
    "forage": "agents that repair repositories: tasks, runs, trajectories",
    "doctor": "check this installation",
}

EXAMPLES = """\b
Examples:
  foretrace demo
  foretrace predict letters.py::count --args "'banana', 'a'"
  foretrace diff letters.py::count --args "'banana', 'a'"

Exit codes: 0 agreed or done, 1 diverged or predicted failure, 2 usage, 3 backend,
4 budget exhausted, 5 refused to execute.
"""


class LazyGroup(click.Group):
    """Lists commands from a table and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports `foretrace.cli.<name>_command`."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"foretrace.cli.{cmd_name}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggests a command for a misspelt one."""
        ctx.meta["json"] = "--json" in args
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"no command called {args[0]!r}.{hint} Commands: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a user's error is a message and an exit code, and a traceback only with `--debug`."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if ctx.meta.get("json"):
                self._write_error(type(error).__name__, error.format_message(), error.exit_code)
            raise
        except ForetraceError as error:
            kind, message, code = type(error).__name__, str(error), error.exit_code
            if ctx.params["debug"]:
                raise
        except OSError as error:
            kind, message, code = "OSError", f"cannot use {error.filename}: {error.strerror}", ForetraceError.exit_code
            if ctx.params["debug"] or error.filename is None:
                raise
        if ctx.meta.get("json"):
            self._write_error(kind, message, code)
        click.echo(f"error: {message}", err=True)
        raise click.exceptions.Exit(code)

    def _write_error(self, kind: str, message: str, code: int) -> None:
        from foretrace.cli.options import write_json

        write_json({"v": 1, "error": kind, "message": message, "exit_code": code})


@click.group(cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="foretrace")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Step through Python before it runs."""


def main() -> None:
    """Runs the command line of this process; `--debug` may stand anywhere before a `--`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know neither arrows nor lone surrogates
    arguments = sys.argv[1:]
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--debug" in own:
        arguments.remove("--debug")
        arguments.insert(0, "--debug")
    cli.main(arguments, prog_name="foretrace")
