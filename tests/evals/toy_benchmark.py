"""A benchmark of sums, small enough to see through: `3 + 3` is 6, or 6.0 where one is lenient."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from foretrace.errors import SandboxError
from foretrace.evals.plan import Plan
from foretrace.evals.subjects import Request
from foretrace.evals.types import (
    Answer,
    Benchmark,
    Item,
    Options,
    Question,
    Reason,
    Sampling,
    Score,
    Setting,
    Style,
    Verdict,
)


def items(count: int, group: Callable[[int], str] = lambda number: "") -> list[Item]:
    return [
        Item(
            id=f"sum-{number}",
            row={"number": number, "answer": str(2 * number)},
            controls={"gold": str(2 * number), "wrong": str(2 * number + 1), "copy": str(number), "constant": "0"},
            group=group(number),
            tags={"parity": "even" if number % 2 == 0 else "odd"},
        )
        for number in range(count)
    ]


def read(text: str) -> str | None:
    if "boom" in text:
        raise RecursionError("a hostile text")
    return text.rpartition("=")[2].strip() if "=" in text else None


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    def score(item: Item, answer: str | None) -> Verdict:
        if answer is None:
            return Verdict(strict=False, official=False, reason=Reason.UNPARSABLE)
        if answer == "crash":
            raise OSError("the harness fails")
        if answer == "no sandbox":
            raise SandboxError("the sandbox fails")
        strict = answer == item.row["answer"]
        official = answer.removesuffix(".0") == item.row["answer"]
        reason = Reason.RIGHT if strict else Reason.WRONG
        counts = {"digits": (sum(a == b for a, b in zip(answer, item.row["answer"], strict=False)), len(item.row["answer"]))}
        return Verdict(strict=strict, official=official, reason=reason, counts=counts)

    yield score


def sums(count: int = 8, **changes: Any) -> Benchmark:
    group = changes.pop("group", lambda number: "")
    style = Style(
        ask=lambda item: Question(
            text=f"{item.row['number']} + {item.row['number']}", chat=f"What is twice {item.row['number']}?", stop=("\n",)
        ),
        read=read,
        write=lambda answer: f"It is = {answer}",
        sampling=Sampling(max_tokens=16),
    )
    settings: dict[str, Any] = {
        "name": "sums",
        "title": "Sums",
        "about": "twice a number",
        "load": lambda options: items(count, group),
        "styles": {"plain": style},
        "scorer": scorer,
        "measures": ("digits",),
        "note": "a toy",
    }
    return Benchmark(**(settings | changes))


def plan(benchmark: Benchmark | None = None, *, limit: int | None = None, **sampling: Any) -> Plan:
    return Plan(benchmark=benchmark or sums(), style="plain", sampling=Sampling(**sampling), options=Options(), limit=limit)


class Scripted:
    """A model that says what a function of item and sample gives, and remembers what it was asked."""

    kind = "engine"
    is_costly = True
    samples = None

    def __init__(self, say: Callable[[Item, int], str | Answer], name: str = "scripted", seconds: float = 0.0) -> None:
        self.say, self.name, self.seconds = say, name, seconds
        self.asked: list[tuple[str, int]] = []

    def describe(self) -> Mapping[str, Any]:
        return {"sha256": "0" * 32}

    def answer(self, requests: Iterable[Request], style: Style, sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
        for request in requests:
            time.sleep(self.seconds)
            self.asked.append((request.item.id, request.sample))
            said = self.say(request.item, request.sample)
            yield request, said if isinstance(said, Answer) else Answer(text=said, tokens=3, seconds=0.5)


def right(item: Item, sample: int) -> str:
    return f"= {item.row['answer']}"
