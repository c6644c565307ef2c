"""`foretrace dap`."""

from functools import partial

import click


@click.command(
    "dap",
    epilog="""\b
Examples:
  foretrace dap                             for an editor that starts it
  foretrace dap --port 4711                 for one that connects: "port" and "token" in launch.json
  FORETRACE_TOKEN=secret foretrace dap --port 4711
""",
)
@click.option("--port", type=click.IntRange(0, 65_535), help="Serve on this port of 127.0.0.1; 0: any that is free.")
@click.option(
    "--token",
    envvar="FORETRACE_TOKEN",
    metavar="TEXT",
    help="What clients of the port must know.  [default: drawn, and printed]",
)
@click.option("--no-token", is_flag=True, help="Serve whoever connects on this machine; none of them can have code run.")
def command(port: int | None, token: str | None, no_token: bool) -> None:
    """Serve the debugger to an editor (Debug Adapter Protocol).

    Without --port it speaks over standard input and output, as editors expect of a program that they start.
    """
    import asyncio

    from foretrace.dap import serve_stdio, serve_tcp
    from foretrace.errors import UsageError
    from foretrace.serve.guard import new_token

    if token and no_token:
        raise UsageError("--token and --no-token (or FORETRACE_TOKEN) contradict each other; leave one out")
    try:
        if port is None:
            asyncio.run(serve_stdio())
        else:
            known = "" if no_token else token or new_token()
            asyncio.run(serve_tcp(port, token=known, ready=partial(_say_ready, "" if token else known)))
    except KeyboardInterrupt:
        click.echo("stopped.", err=True)


def _say_ready(token: str, port: int) -> None:
    """Prints what launch.json needs; of a token only one that the user cannot know yet."""
    shown = f', "token": "{token}"' if token else ""
    click.echo(f'listening on 127.0.0.1 for editors that say "port": {port}{shown} in launch.json; Ctrl-C stops', err=True)
