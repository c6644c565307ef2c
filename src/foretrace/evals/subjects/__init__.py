"""Who answers: an engine of ours, a server, a file of completions, or a control whose verdict is known.

    subject = find_subject("tiny")                                     # or http://…, completions:FILE, control:gold
    for request, answer in subject.answer(requests, style, sampling): …

Answers come in any order, each as soon as it is there, so that a run can keep them one by one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from foretrace.errors import UsageError
from foretrace.evals.types import Answer, Item, Question, Sampling, Style

FORMS = """\
a model is one of
  NAME, FOLDER, torch:FOLDER, org/name     an engine of ours; traces, and texts where it was trained on them
  URL,model=NAME[,…]                       an OpenAI-compatible server (evals/subjects/endpoint.py has the options)
  completions:FILE                         texts that a model said elsewhere, or a run, to be scored again
  control:gold|wrong|copy|constant         answers whose worth is known"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One answer that is wanted."""

    item: Item
    sample: int
    """Which of the item's answers, from 0."""
    question: Question


class Subject(Protocol):
    """What is under test."""

    @property
    def kind(self) -> str:
        """`engine`, `endpoint`, `completions` or `control`."""

    @property
    def name(self) -> str:
        """As the user called it; no secrets in it."""

    @property
    def is_costly(self) -> bool:
        """Whether an answer takes so long, or costs so much, that it is kept before it is scored."""

    @property
    def samples(self) -> int | None:
        """How many answers it has to an item; None: as many as are asked for."""

    def describe(self) -> Mapping[str, Any]:
        """For a run's manifest, in JSON's types: `sha256` of weights, `settings`, `where` a server is.

        Where the first two differ, there are two models.
        """

    def answer(self, requests: Iterable[Request], style: Style, sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
        """The answers, in any order, each once.

        Raises:
            UsageError: it cannot be asked such questions.
            EndpointError: a server fails again and again, or money is out.

        """


def find_subject(model: str) -> Subject:
    """The subject that a text names; see FORMS.

    Raises:
        UsageError: it names none, or what it needs is not there.

    """
    kind, _, rest = model.partition(":")
    if kind == "control":
        from foretrace.evals.subjects.controls import Control

        return Control(rest)
    if kind == "completions":
        from foretrace.evals.subjects.completions import Completions

        return Completions.open(rest)
    if kind in ("http", "https"):
        from foretrace.evals.subjects.endpoint import connect

        return connect(model)
    if not model:
        raise UsageError(FORMS)
    from foretrace.evals.subjects.engine import EngineSubject

    return EngineSubject.load(model)
