"""What the page shows of a session, as JSON: the program once, a view after each move, and answers to questions.

    program(session, running)      # source and its colours, model, how sure it may be believed, whether it can be run
    view(session)                  # where it stands, the step there, the notes beside the lines
    answer(session, "page", Arguments({"start": "0"}))

All but the notes and the folds comes from `debug.view` and `debug.pages`.
"""

from collections.abc import Callable
from typing import Any

from foretrace.debug import Session, pages
from foretrace.debug import view as debug_view
from foretrace.debug.confidence import Confidence
from foretrace.errors import UsageError
from foretrace.web.arguments import Arguments
from foretrace.web.highlight import highlight
from foretrace.web.notes import notes
from foretrace.web.outline import outline
from foretrace.web.running import Running

Json = dict[str, Any]


def program(session: Session, running: Running) -> Json:
    """All that no move changes."""
    told = debug_view.program(session)
    return told | {
        "highlights": highlight(told["source"]),
        "confidence": _confidence(session),
        "run": {"obstacle": running.obstacle(told["source"]), "terms": running.terms},
    }


def view(session: Session) -> Json:
    """All that a move may change, but for the steps."""
    return {
        "summary": debug_view.summary(session),
        "state": debug_view.state(session),
        "notes": notes(session, session.position),
        "outside": outside(session),
    }


def answer(session: Session, question: str, given: Arguments) -> object:
    """The answer to a question about the branch that is shown.

    Raises:
        UsageError: there is no such question, or it cannot be answered.

    """
    if question not in QUESTIONS:
        raise UsageError(f"there is no question {question[:40]!r}; those there are: {', '.join(QUESTIONS)}")
    return QUESTIONS[question](session, given)


def _confidence(session: Session) -> Json:
    judge = session.judge
    if not isinstance(judge, Confidence):
        return {"calibrated": False, "meaning": {}}
    return {"calibrated": judge.is_calibrated, "meaning": judge.meaning}


def outside(session: Session) -> list[str]:
    """Why the program, or its prediction, is not like what the calibration rests on."""
    judge, source = session.judge, session.branch.prompt.call.source
    return judge.outside(source, session.branch.timeline) if isinstance(judge, Confidence) else []


def _page(session: Session, given: Arguments) -> Json:
    return pages.page(session, given.number("start", 0), given.number("count", debug_view.MAX_COUNT))


def _alternatives(session: Session, given: Arguments) -> list[Json]:
    """Likeliest first. Their probabilities are the model's own, which nothing calibrates: the page shows the order."""
    found = session.here.alternatives(given.text("name", ""), count=4)
    return [{"text": debug_view.clip(each.text, 200), "probability": each.probability} for each in found]


def _events(session: Session, given: Arguments) -> list[Json]:
    likely = sorted(session.here.events().items(), key=lambda item: -item[1])
    return [{"event": event, "probability": probability} for event, probability in likely]


def _compare(session: Session, given: Arguments) -> Json:
    meeting = session.compare(given.number("branch"))
    return {"first": meeting.first, "rejoins": list(meeting.rejoins) if meeting.rejoins else None}


QUESTIONS: dict[str, Callable[[Session, Arguments], object]] = {
    "page": _page,
    "outline": lambda s, a: outline(s),
    "lane": lambda s, a: pages.lane(s, width=a.number("width", 600)),
    "visits": lambda s, a: debug_view.visits(s, a.number("line"), a.number("start", 1), a.number("count", 100)),
    "search": lambda s, a: debug_view.search(s, a.text("text"), a.number("start", 0)),
    "differences": lambda s, a: debug_view.differences(s, a.number("start", 0)),
    "alternatives": _alternatives,
    "events": _events,
    "set_by": lambda s, a: {"position": s.here.set_by(a.text("name", ""))},
    "evaluate": lambda s, a: {"text": s.here.evaluate(a.text("expression", characters=2_000))},
    "compare": _compare,
}
