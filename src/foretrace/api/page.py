"""A prediction beside reality as one HTML file, at the first step where they part: for `--html` and `Difference.to_html`.

    write_page(Path("letters.html"), predicted, real)

It is the page of the web debugger (`foretrace.web`), with all that its server would have answered inside.
"""

from pathlib import Path

from foretrace.api.prediction import Prediction
from foretrace.api.surprise import prompt_of
from foretrace.debug import Session, Settings
from foretrace.engine import ReplayPredictor
from foretrace.trace import Trace, diff

_ALL = 10**12
"""Tokens: a trace that is there already is never too long to be told."""


def write_page(path: Path, predicted: Trace, real: Trace) -> None:
    """Writes the file.

    Raises:
        UsageError: the traces are of different calls, or too long for one file.

    """
    from foretrace.web.export import export_html

    path.write_text(export_html(_session(predicted, real)), encoding="utf-8")


def _session(predicted: Trace, real: Trace) -> Session:
    """A session that tells the prediction, by its own model if it knows it, with reality beside it."""
    if isinstance(predicted, Prediction):
        session = predicted.session
    else:
        replay = ReplayPredictor(predicted, predicted.header.model or "recorded")
        session = Session(replay, prompt_of(predicted), settings=Settings(budget=_ALL), path=predicted.header.path)
        session.run()
    session.attach(real)
    session.surprise()
    first = diff(predicted, real).first
    session.seek(min(first.step if first else 0, len(session.branch.timeline) - 1))
    return session
