"""What `foretrace web RUN` does: the episodes of a run in a browser, each of them as a story.

serve_stories(Path("run"))
"""

import http.cookiejar
import sys
import threading
import urllib.request
import webbrowser
from pathlib import Path

import click

from foretrace.errors import ForetraceError, UsageError
from foretrace.forager.runs import Run


def serve_stories(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    browser: bool = True,
    check: bool = False,
    export: Path | None = None,
) -> None:
    """Serves until a signal; with `check`, until the list was looked at once.

    Raises:
        UsageError: the folder is no run, or what serving needs is not installed.
        ForetraceError: the page is not as it should be.

    """
    run = Run.open(folder)
    if export is not None:
        raise UsageError(f"an episode is one file, and a run is not: foretrace forage show {folder} EPISODE --html {export}")
    try:
        from foretrace.serve.run import Server, address_of, bind
        from foretrace.web.stories import make_stories
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(f'the web page needs {error.name}: pip install "foretrace[serve]"') from error
    from foretrace.serve.guard import new_token, rules_for

    shown = token or new_token()
    listening = bind(host, 0 if check else port)
    url = address_of(listening)
    rules = rules_for(host, port=listening.getsockname()[1], token=shown, page=True)
    found: list[str] = []

    def look() -> None:
        try:
            found.append(_look(url, shown))
        finally:  # whatever came
            server.should_exit = True

    def ready() -> None:
        click.echo(f"{url}/?token={shown}", err=True)
        click.echo(f"{len(run.names()):,} episodes of {folder}   (Ctrl-C stops)", err=True)
        if check:
            threading.Thread(target=look, daemon=True).start()
        elif browser and sys.stderr.isatty():
            webbrowser.open(f"{url}/?token={shown}")

    server = Server(make_stories(run, rules), ready=ready, end=lambda: None, grace=0)
    server.run(sockets=[listening])
    if check:
        _report(found)
    click.echo("stopped", err=True)


def _look(url: str, token: str) -> str:
    """The list, as a browser asks for it; empty if it cannot be had."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    try:
        text: bytes = opener.open(f"{url}/?token={token}", timeout=60).read()
    except OSError:
        return ""
    return text.decode()


def _report(found: list[str]) -> None:
    if not found or "<h1>" not in found[0]:
        raise ForetraceError("the page could not be looked at")
    click.echo(f"page ok: {found[0].count('/episodes/')} episodes")
