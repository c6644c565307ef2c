"""With a model's help, where a definition names one: it proposes arguments, and tells traces in words.

Nothing that it says is believed: proposals are tried like any others, and a narration is kept only if it ends with the real
result. What a server answers may differ each time, so a dataset made with one is not the same when it is made again.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from foretrace.corpus.arguments.model import propose
from foretrace.corpus.types import Subject
from foretrace.data.pipeline.definition import Definition
from foretrace.endpoint import Endpoint
from foretrace.errors import UsageError
from foretrace.record.narration.by_model import narrate_by_model
from foretrace.trace import read_binary

T = TypeVar("T")
R = TypeVar("R")


@lru_cache(maxsize=1)
def open_endpoint(url: str, model: str) -> Endpoint:
    """The server of a definition, one a process."""
    return Endpoint(url, model=model)


def with_proposals(subjects: list[Subject], definition: Definition) -> list[Subject]:
    """Functions that have fewer calls than are wanted, with calls that the model proposes.

    Raises:
        EndpointError: the server does not answer, again and again.

    """

    def extended(subject: Subject) -> Subject:
        if subject.form == "script" or len(subject.calls) >= definition.calls:
            return subject
        try:
            found = propose(_complete(definition), subject.source, subject.entry, definition.calls)
        except UsageError:  # the source does not parse: it is told where it is executed
            return subject
        return replace(subject, calls=tuple(dict.fromkeys((*subject.calls, *found))))

    return _at_once(extended, subjects, definition)


def narrate_rows(rows: list[dict[str, Any]], definition: Definition) -> None:
    """Sets `narration` of each row to what the model tells, or None if it does not come to the real result."""

    def told(row: dict[str, Any]) -> str | None:
        return narrate_by_model(next(read_binary(row["trace"])), _complete(definition))

    for row, text in zip(rows, _at_once(told, rows, definition), strict=True):
        row["narration"] = text


def _complete(definition: Definition) -> Callable[[str], str]:
    endpoint = open_endpoint(definition.server, definition.model)
    return lambda prompt: endpoint.complete(prompt).text


def _at_once(function: Callable[[T], R], items: Iterable[T], definition: Definition) -> list[R]:
    """Results in order, of as many calls at a time as the server takes."""
    with ThreadPoolExecutor(open_endpoint(definition.server, definition.model).concurrency) as pool:
        return list(pool.map(function, items))
