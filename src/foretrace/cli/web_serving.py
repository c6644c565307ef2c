"""A page that is served until a signal, whatever is on it: `foretrace web` of a program, a run, a receipt.

    serve_page(Serving(port=8765), make, "the debugger on tiny", visit)

With `check` it is visited once, as a browser would, and then ends.
"""

import http.cookiejar
import sys
import threading
import urllib.request
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from foretrace.errors import ForetraceError, UsageError

Browser = urllib.request.OpenerDirector
Visit = Callable[[bytes, Browser, str], str]
"""Of the page, a browser that has been let in, and the address: what is there, in words.

Raises:
    ValueError: it is not as it should be; `OSError` and `KeyError` say so, too.

"""
Rules = Callable[..., Any]
"""`serve.guard.rules_for` of this address and token; `open_paths` may be added."""
Made = tuple[Any, Callable[[], None]]
"""An application, and what is called when it ends."""
SECONDS = 60
"""For one answer to a visit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """Where a page is served, and to whom."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    """None: a new one."""
    browser: bool = True
    """Open one, where somebody sits before a terminal."""
    check: bool = False


def serve_page(serving: Serving, make: Callable[[Rules], Made], told: str, visit: Visit) -> None:
    """Serves until a signal, or until the page was visited once.

    Args:
        serving: where.
        make: the application, behind the rules that it is given.
        told: beside the address.
        visit: looks at the page.

    Raises:
        UsageError: what serving needs is not installed.
        ForetraceError: the page is not as it should be.

    """
    try:
        from foretrace.serve.run import Server, address_of, bind
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(f'the web page needs {error.name}: pip install "foretrace[serve]"') from error
    from foretrace.serve.guard import new_token, rules_for

    token = serving.token or new_token()
    listening = bind(serving.host, 0 if serving.check else serving.port)
    url = address_of(listening)
    door = f"{url}/?token={token}"
    app, end = make(partial(rules_for, serving.host, port=listening.getsockname()[1], token=token, page=True))
    found: list[str | Exception] = []

    def look() -> None:
        try:
            found.append(_visited(visit, url, door))
        except (OSError, ValueError, KeyError) as error:
            found.append(error)
        finally:  # whatever came
            server.should_exit = True

    def ready() -> None:
        click.echo(door, err=True)
        click.echo(f"{told}   (Ctrl-C stops)", err=True)
        if serving.check:
            threading.Thread(target=look, daemon=True).start()
        elif serving.browser and sys.stderr.isatty():
            webbrowser.open(door)

    server = Server(app, ready=ready, end=end, grace=0)
    server.run(sockets=[listening])
    if serving.check:
        if not found or isinstance(found[0], Exception):
            raise ForetraceError(f"the page could not be looked at: {found[0] if found else 'nobody came'!r}")
        click.echo(f"page ok: {found[0]}")
    click.echo("stopped", err=True)


def _visited(visit: Visit, url: str, door: str) -> str:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    return visit(browser.open(door, timeout=SECONDS).read(), browser, url)
