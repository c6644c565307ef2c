"""What `foretrace web` and `foretrace demo --web` do: from what a user asked for to a page that is served.

serve_site(Asked(target="letters.py::count", arguments="'banana', 'a'"), Running())
"""

import http.cookiejar
import json
import sys
import threading
import urllib.request
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from foretrace.cli.recording import read_recording
from foretrace.debug import Session, Settings
from foretrace.debug.calibration.stored import Calibration
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.engine import load_predictor
from foretrace.errors import ForetraceError, UsageError
from foretrace.examples import EXAMPLES, example_file
from foretrace.record import read_target
from foretrace.web.arguments import Arguments
from foretrace.web.opening import Opener
from foretrace.web.running import Running


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be shown, as the command line says it."""

    target: str | None = None
    """`FILE::FUNCTION`, a trace, or a saved session; None: the bundled example."""
    arguments: str | None = ""
    """None: the model invents them."""
    model: str = "tiny"
    calibration: Path | None = None
    budget: int = 4096
    grammar: bool = False


def opened(asked: Asked, running: Running) -> tuple[Opener, Callable[[], Session]]:
    """How sessions are opened, and the one to begin with; it is opened once already, so that errors come at once."""
    predictor = load_predictor(asked.model, real=running.run if running.allowed else None)
    judge = Confidence(Calibration.read(asked.calibration)) if asked.calibration else confidence_of(asked.model)
    settings = Settings(budget=asked.budget, grammar=asked.grammar)
    opener = Opener(predictor=predictor, judge=judge, settings=settings)
    home = _home(asked, opener)
    home()
    return opener, home


def _home(asked: Asked, opener: Opener) -> Callable[[], Session]:
    if asked.target is None:
        return opener.example
    if "::" in asked.target:
        source, entry, name = read_target(asked.target)
        call = {"source": source, "entry": entry, "path": name, "arguments": asked.arguments, "grammar": asked.grammar}
        return lambda: opener.open(Arguments(call))
    path = Path(asked.target)
    if not path.is_file():
        raise UsageError(f"{asked.target!r} is neither FILE::FUNCTION nor a file; try: foretrace web letters.py::count")
    if saved := _saved_session(path):
        return lambda: opener.load(saved)
    trace = read_recording(path).trace(1)
    if trace.header.kind == "predicted":
        raise UsageError(f"{path} is a prediction; show it with: foretrace web --model replay:{path}")
    return lambda: opener.beside(trace)


def _saved_session(path: Path) -> str:
    """The text of a file that holds a session; empty if it does not."""
    try:
        text = path.read_text(encoding="utf-8")
        return text if json.loads(text.partition("\n")[0])["kind"] == "session" else ""
    except (ValueError, KeyError, TypeError):
        return ""


def write_export(asked: Asked, running: Running, path: Path) -> None:
    """The session as one HTML file, predicted to its end and run for real if that is allowed."""
    from foretrace.web.export import export_html
    from foretrace.web.verbs import act

    _, home = opened(asked, running)
    session = home()
    source = session.tree.root.prompt.call.source
    if session.tree.reality(session.branch) is None and not running.obstacle(source):
        session.run_for_real(running.run)
    act(session, "look", Arguments({}), running)
    if session.tree.reality(session.branch) is not None:
        session.surprise()
    path.write_text(export_html(session), encoding="utf-8")


def serve_site(
    asked: Asked,
    running: Running,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    browser: bool = True,
    check: bool = False,
) -> None:
    """Serves until a signal; with `check`, until the page was looked at once.

    Raises:
        UsageError: what serving needs is not installed; what was asked for is not there.
        ForetraceError: the page is not as it should be.

    """
    try:
        from foretrace.serve.run import Server, address_of, bind
        from foretrace.web.app import OPEN, Site, make_app
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(f'the web page needs {error.name}: pip install "foretrace[serve]"') from error
    from foretrace.serve.guard import new_token, rules_for

    opener, home = opened(asked, running)
    shown = token or new_token()
    listening = bind(host, 0 if check else port)
    rules = rules_for(host, port=listening.getsockname()[1], token=shown, open_paths=OPEN, page=True)
    site = Site(opener=opener, home=home, running=running, examples=_examples())
    url = address_of(listening)
    visit = _Visit(url, shown, lambda: setattr(server, "should_exit", True))

    def ready() -> None:
        click.echo(f"{url}/?token={shown}", err=True)
        click.echo(f"the debugger on {opener.predictor.name}   (Ctrl-C stops)", err=True)
        if check:
            threading.Thread(target=visit.go, daemon=True).start()
        elif browser and sys.stderr.isatty():
            webbrowser.open(f"{url}/?token={shown}")

    server = Server(make_app(site, rules), ready=ready, end=site.store.pause, grace=0)
    server.run(sockets=[listening])
    if check:
        visit.report()
    click.echo("stopped", err=True)


def _examples() -> tuple[dict[str, str], ...]:
    return tuple(
        {
            "name": each.name,
            "source": example_file(each).read_text(encoding="utf-8"),
            "entry": each.entry,
            "arguments": each.arguments,
        }
        for each in EXAMPLES
    )


class _Visit:
    """One visit of the page, as a browser makes it, and then the server's end."""

    def __init__(self, url: str, token: str, stop: Callable[[], None]) -> None:
        self._url, self._token, self._stop = url, token, stop
        self._found: dict[str, Any] | None = None
        self._error: Exception | None = None

    def go(self) -> None:
        """Visits; errors are kept for `report`."""
        try:
            self._found = self._look()
        except (OSError, ValueError, KeyError) as error:
            self._error = error
        finally:
            self._stop()

    def report(self) -> None:
        """Says what was found, or raises what was wrong."""
        if self._found is None:
            raise ForetraceError(f"the page could not be looked at: {self._error!r}")
        summary, state = self._found["summary"], self._found["state"]
        apart = f"the prediction first goes wrong at step {state['position']}, line {state['line']}"
        reality = summary["reality"]
        verdict = "nothing real is known" if reality is None else apart if reality["slips"] else "the prediction is right"
        click.echo(f"page ok: {summary['steps']} steps; {verdict}")

    def _look(self) -> dict[str, Any]:
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        page = browser.open(f"{self._url}/?token={self._token}", timeout=60).read()
        if b'<div id="app">' not in page:
            raise ValueError("the page is not there")
        for name in ("main.js", "app.js", "theme.css"):
            browser.open(f"{self._url}/static/{name}", timeout=60).read()
        started = json.load(browser.open(f"{self._url}/api/start", timeout=60))
        body = json.dumps({"verb": "look"}).encode()
        request = urllib.request.Request(f"{self._url}/api/sessions/{started['id']}/do", body, method="POST")
        *_, last = browser.open(request, timeout=300).read().decode().strip().split("\n\n")
        event, _, data = last.partition("\n")
        if event != "event: view":
            raise ValueError(data)
        view: dict[str, Any] = json.loads(data.removeprefix("data: "))
        return view
