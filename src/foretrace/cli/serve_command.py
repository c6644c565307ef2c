"""`foretrace serve`."""

import click

from foretrace.cli import options


@click.command(
    "serve",
    epilog="""\b
Examples:
  foretrace serve
  foretrace serve runs/tiny/run/checkpoint --port 0
  FORETRACE_TOKEN=secret foretrace serve tiny --host 0.0.0.0
  foretrace predict letters.py::count --args "'banana', 'a'" --model http://127.0.0.1:8000/v1
  curl http://127.0.0.1:8000/v1/traces/predict -H "Authorization: Bearer $TOKEN" \\
    -d '{"source": "def f(x):\\n    return x + 1\\n", "entry": "f", "arguments": "41"}'
""",
)
@click.argument("model", default="tiny")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0: open to the network.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--name", help="What the model is called in answers; else by its folder.")
@click.option("--token", envvar="FORETRACE_TOKEN", show_envvar=True, help="What clients must show; else a random one.")
@click.option("--no-token", is_flag=True, help="Ask for none; only where other machines cannot reach it.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A name by which a proxy or a tunnel calls it.")
@click.option(
    "--queue", type=click.IntRange(min=64), default=256, show_default=True, help="Sequences that may wait for a place."
)
@click.option(
    "--places", type=click.IntRange(1, 256), default=8, show_default=True, help="Sequences a core decodes together."
)
@click.option("--seconds", type=options.Finite(1, 86_400), default=300.0, show_default=True, help="Time for one answer.")
@click.option("--reload", is_flag=True, help="Let clients have the weights read again from MODEL: POST /v1/weights/reload.")
def command(
    model: str,
    host: str,
    port: int,
    name: str | None,
    token: str | None,
    no_token: bool,
    allow_host: tuple[str, ...],
    queue: int,
    places: int,
    seconds: float,
    reload: bool,
) -> None:
    """Serve MODEL to programs: /v1/completions as OpenAI and vLLM have it, and /v1/traces. Nothing is ever executed.

    Clients show the token that is printed as their API key. Concurrent requests are decoded together.
    """
    from foretrace.errors import UsageError

    try:
        from foretrace.serve.app import OPEN_PATHS, create_app
        from foretrace.serve.run import Server, address_of, bind
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(f'serving needs {error.name}: pip install "foretrace[serve]"') from error
    from foretrace.serve.guard import new_token, rules_for
    from foretrace.serve.model import Limits, ServedModel

    if token and no_token:
        raise UsageError("--token and --no-token (or FORETRACE_TOKEN) contradict each other; leave one out")
    shown = None if no_token else token or new_token()
    listening = bind(host, port)
    rules = rules_for(host, port=listening.getsockname()[1], token=shown, open_paths=OPEN_PATHS, names=allow_host)
    served = ServedModel.load(model, Limits(queue=queue, places=places, seconds=seconds, reload=reload), name)
    url = address_of(listening)

    def ready() -> None:
        click.echo(f"{served.name} at {url}/v1   (Ctrl-C stops)", err=True)
        if shown and not token:
            click.echo(f"token: {shown}", err=True)
            click.echo(f"try: OPENAI_API_KEY={shown} foretrace predict FILE::FUNCTION --model {url}/v1", err=True)
        elif not shown:
            click.echo("no token: any program of this machine may use it", err=True)
        click.echo("ready", err=True)

    Server(create_app(served, rules), ready=ready, end=served.close).run(sockets=[listening])
    click.echo("stopped", err=True)
