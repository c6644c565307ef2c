"""An engine of ours under test: it predicts traces, continues texts, or takes its turn in a chat.

    subject = EngineSubject.load("runs/small/checkpoint")
    for request, answer in subject.answer(requests, style, sampling): …

It is asked in the form that the question is made for: a trace, else a text, else a chat.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from typing import Any

from foretrace.engine import Engine, load
from foretrace.engine.load import fingerprint, folder_of, parameters_of
from foretrace.evals.subjects import Request
from foretrace.evals.subjects.texts import answer_texts
from foretrace.evals.types import Answer, Sampling, Style

BATCH = 64
"""Answers that are decoded together."""


class EngineSubject:
    """An engine of ours."""

    kind = "engine"
    is_costly = True
    samples = None

    def __init__(self, engine: Engine, model: str) -> None:
        self.engine, self.name = engine, model

    @classmethod
    def load(cls, model: str) -> "EngineSubject":
        """The engine that `engine.load` knows by this name. Raises as that does."""
        return cls(load(model), model)

    def describe(self) -> Mapping[str, Any]:
        """Its weights, and how much it can take in."""
        folder = folder_of(self.name)
        return {
            "sha256": fingerprint(folder) if folder else "",
            "settings": {
                "context": self.engine.context_length,
                "parameters": parameters_of(folder) if folder else None,
            },
        }

    def answer(self, requests: Iterable[Request], style: Style, sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
        """Batch after batch. Raises UsageError if it cannot be asked so."""
        return answer_with(self.engine, requests, sampling)


def answer_with(engine: Engine, requests: Iterable[Request], sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
    """An engine's answers, batch after batch.

    What it draws, above temperature 0, follows from the first answer of a batch: no two of an item are drawn alike, however
    a run was interrupted.
    """
    waiting = iter(requests)
    while batch := list(islice(waiting, BATCH)):
        questions = [request.question for request in batch]
        drawing = replace(sampling, seed=seed_of(sampling, batch[0]))
        if all(question.trace for question in questions):
            from foretrace.evals.subjects.traces import answer_traces  # brings the recorder's helpers

            answers = answer_traces(engine, questions, drawing)
        else:
            answers = answer_texts(engine, questions, drawing)
        yield from zip(batch, answers, strict=True)


def seed_of(sampling: Sampling, request: Request) -> int:
    """A seed of this answer's own."""
    key = f"{sampling.seed} {request.sample} {request.item.id}".encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(key, digest_size=4).digest()) >> 1
