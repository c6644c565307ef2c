"""What a model can be asked about a step, and what it answers: what else a value could be, and what may come next.

    for name, question in questions(moment): ...        # 'n: what else?', 'what comes next?'
    answer(moment, question).summary                    # '3 (31%) · 4 (8%)'

An answer costs the model work, so that it is fetched when somebody clicks. Probabilities of a model without calibration
are not shown, as nobody knows what they are worth; the order is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from foretrace.debug import Moment

MOST = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a step."""

    position: int
    about: str | None
    """A value, by name; None: what comes next."""
    name: str
    """For people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says."""

    summary: str
    rows: tuple[tuple[str, str], ...]
    """Each possibility and what is known of it."""


def questions(moment: Moment) -> Iterator[tuple[str, Question]]:
    """What can be asked about a step."""
    for name in moment.before if moment.position else ():
        called = f"{name or 'the result'}: what else?"
        yield called, Question(moment.position, name, called)
    called = "what comes next?"
    yield called, Question(moment.position, None, called)


def answer(moment: Moment, question: Question) -> Answer:
    """Asks the model."""
    if question.about is None:
        events = sorted(moment.events().items(), key=lambda item: -item[1])
        found = [("the end" if event is None else str(event), share) for event, share in events if share >= 0.005]
    else:
        found = [(other.text, other.probability) for other in moment.alternatives(question.about, MOST)]
    if not found:
        return Answer("nothing else", ())
    if moment.confidences:
        rows = tuple((text, f"{share:.0%}") for text, share in found)
        return Answer(" · ".join(f"{text} ({share})" for text, share in rows), rows)
    rows = tuple((text, f"number {rank}") for rank, (text, _) in enumerate(found, 1))
    return Answer(" · ".join(text for text, _ in rows), rows)
