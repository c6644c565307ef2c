"""What `foretrace web RECEIPT` does: the receipt of `foretrace solve` in a browser, and its predictions in the debugger.

serve_receipt(Path("receipt.json"))
"""

import http.cookiejar
import sys
import threading
import urllib.request
import webbrowser
from pathlib import Path

import click

from foretrace.errors import ForetraceError, UsageError
from foretrace.solve.page import receipt_html
from foretrace.solve.receipt import Receipt


def serve_receipt(
    file: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    browser: bool = True,
    check: bool = False,
    export: Path | None = None,
) -> None:
    """Serves until a signal; with `check`, until everything was looked at once; with `export`, writes a file instead.

    Raises:
        FormatError: the file is no receipt.
        UsageError: what serving needs is not installed.
        ForetraceError: the page is not as it should be.

    """
    receipt = Receipt.load(file)
    if export is not None:
        export.write_text(receipt_html(receipt), encoding="utf-8")
        click.echo(f"written to {export}", err=True)
        return
    try:
        from foretrace.serve.run import Server, address_of, bind
        from foretrace.solve.serving import make_receipt
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(f'the web page needs {error.name}: pip install "foretrace[serve]"') from error
    from foretrace.serve.guard import new_token, rules_for

    shown = token or new_token()
    listening = bind(host, 0 if check else port)
    url = address_of(listening)
    rules = rules_for(host, port=listening.getsockname()[1], token=shown, page=True)
    seen: list[int] = []

    def look() -> None:
        try:
            seen.append(_look(url, shown, list(receipt.traces)))
        finally:  # whatever came
            server.should_exit = True

    def ready() -> None:
        click.echo(f"{url}/?token={shown}", err=True)
        click.echo(f"the receipt {file}   (Ctrl-C stops)", err=True)
        if check:
            threading.Thread(target=look, daemon=True).start()
        elif browser and sys.stderr.isatty():
            webbrowser.open(f"{url}/?token={shown}")

    server = Server(make_receipt(receipt, rules), ready=ready, end=lambda: None, grace=0)
    server.run(sockets=[listening])
    if check:
        if seen != [len(receipt.traces)]:
            raise ForetraceError("the page could not be looked at")
        click.echo(f"page ok: {receipt.verdict}; {seen[0]} predictions can be replayed")
    click.echo("stopped", err=True)


def _look(url: str, token: str, names: list[str]) -> int:
    """How many predictions open, as a browser asks for them; -1 if the page itself cannot be had."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    try:
        if b"<h1>" not in opener.open(f"{url}/?token={token}", timeout=60).read():
            return -1
        pages = [opener.open(f"{url}/predictions/{name}", timeout=60).read() for name in names]
    except OSError:
        return -1
    return sum(b'id="recorded"' in page for page in pages)
