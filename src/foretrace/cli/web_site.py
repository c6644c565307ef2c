"""What `foretrace web` and `foretrace demo --web` do: from what a user asked for to a page that is served.

serve_site(Asked(target="letters.py::count", arguments="'banana', 'a'"), Running(), Serving())
"""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foretrace.cli.recording import read_recording
from foretrace.cli.web_serving import SECONDS, Browser, Made, Rules, Serving, serve_page
from foretrace.debug import Session, Settings
from foretrace.debug.calibration.stored import Calibration
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.engine import load_predictor
from foretrace.errors import UsageError
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


def serve_site(asked: Asked, running: Running, serving: Serving) -> None:
    """Serves the debugger. Raises as `serve_page` does.

    Raises:
        UsageError: what was asked for is not there.

    """
    opener, home = opened(asked, running)

    def make(rules: Rules) -> Made:
        from foretrace.web.app import OPEN, Site, make_app

        site = Site(opener=opener, home=home, running=running, examples=_examples())
        return make_app(site, rules(open_paths=OPEN)), site.store.pause

    serve_page(serving, make, f"the debugger on {opener.predictor.name}", _visit)


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


def _visit(page: bytes, browser: Browser, url: str) -> str:
    """What the page shows of the session that it begins with."""
    if b'<div id="app">' not in page:
        raise ValueError("the page is not there")
    for name in ("main.js", "app.js", "theme.css"):
        browser.open(f"{url}/static/{name}", timeout=SECONDS).read()
    started = json.load(browser.open(f"{url}/api/start", timeout=SECONDS))
    body = json.dumps({"verb": "look"}).encode()
    request = urllib.request.Request(f"{url}/api/sessions/{started['id']}/do", body, method="POST")
    *_, last = browser.open(request, timeout=300).read().decode().strip().split("\n\n")
    event, _, data = last.partition("\n")
    if event != "event: view":
        raise ValueError(data)
    view = json.loads(data.removeprefix("data: "))
    summary, state = view["summary"], view["state"]
    apart = f"the prediction first goes wrong at step {state['position']}, line {state['line']}"
    reality = summary["reality"]
    verdict = "nothing real is known" if reality is None else apart if reality["slips"] else "the prediction is right"
    return f"{summary['steps']} steps; {verdict}"
