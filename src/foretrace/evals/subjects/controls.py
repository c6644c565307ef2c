"""Answers whose worth is known: gold must pass, wrong must fail, copy and constant tell what a score is worth.

Control("gold").answer(requests, style, sampling)

A control speaks as a model would (`Style.write`), so that the extraction is under test, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.subjects import Request
from foretrace.evals.types import Answer, Sampling, Style

CONTROLS = {
    "gold": "the answer that the data has: 100 %",
    "wrong": "another one: 0 %",
    "copy": "the first argument",
    "constant": "the same for every item",
}


@dataclass(frozen=True, slots=True)
class Control:
    """One of CONTROLS."""

    control: str
    kind = "control"
    is_costly = False
    samples = 1

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise UsageError(f"there is no control {self.control!r}; there are: {', '.join(CONTROLS)}")

    @property
    def name(self) -> str:
        """`control:gold`."""
        return f"control:{self.control}"

    def describe(self) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def answer(self, requests: Iterable[Request], style: Style, sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
        """Nothing is said of an item that has no such control."""
        for request in requests:
            known = request.item.controls.get(self.control)
            yield request, Answer(text="" if known is None else style.write(known))
