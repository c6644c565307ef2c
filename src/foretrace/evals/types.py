"""What evaluation speaks of: a benchmark's items, the questions made of them, the answers given, the verdicts on those.

    benchmark = find_benchmark("cruxeval-o")                     # a small declaration: evals/benchmarks/
    style = benchmark.styles["direct"]
    question = style.ask(item)                                   # what a model is asked; it never holds what is expected
    text = "[ANSWER]'bca'[/ANSWER]"                              # what it said
    with benchmark.scorer(Setting()) as score:
        verdict = score(item, style.read(text))                  # under two rules: `strict` and `official`

Data flows one way: files → items → questions → answers → verdicts → lines of a run → statistics → report.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from foretrace.evals.files import DataFile

Counts = Mapping[str, tuple[int, int]]
"""Measures beside the verdict, each as (hits, of how many), such as `{"state": (11, 12), "whole trace": (0, 1)}`."""


class Reason(StrEnum):
    """Why a verdict is what it is."""

    RIGHT = "right"
    WRONG = "wrong"
    """There is an answer, and it is another one."""
    UNPARSABLE = "unparsable"
    """There is no answer in the text, or none in the form that was asked for."""
    ERROR = "error"
    """Its program raised, or ended early."""
    TIMEOUT = "timeout"
    """Its program used up its time, by the clock or by the processor's."""
    KILLED = "killed"
    """Its program crashed, or used up its memory."""
    FLAKY = "flaky"
    """It passed, and then did not."""
    REFUSED = "refused"
    """What is not allowed was tried; or a patch does not apply."""
    BROKEN = "broken"
    """The sandbox or the harness failed: nothing is known of the answer, and it counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One problem of a benchmark."""

    id: str
    row: Mapping[str, Any]
    """All that its questions and its scorer need. Questions are made of what is no secret in it."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Paths on this machine that its scorer needs: no part of what the item is, nor of its digest."""
    controls: Mapping[str, str] = field(default_factory=dict)
    """Answers, as `Style.read` gives them, whose verdict is known or is told beside a model's: `gold` must pass and
    `wrong` fail under both rules; `copy` is the first argument, `constant` one value for all items. Some may lack."""
    group: str = ""
    """Items of one group share a program, and are no independent evidence; empty: it stands alone."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """By which results are told apart: `difficulty`, `value type`, `steps`, `date`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked, in the forms in which it can be: each subject takes the one it is made for."""

    text: str = ""
    """For completion, with examples; empty if it can only be asked of one that predicts traces."""
    chat: str = ""
    """For a chat, one user message; empty: `text` is sent."""
    stop: tuple[str, ...] = ()
    """Where a completion of `text` ends; a chat needs none."""
    call: tuple[str, str, str] | None = None
    """Source, entry function, text of the argument list: for an engine that predicts traces. None: it cannot be asked so."""
    trace: str = ""
    """How an engine answers: a name that `evals/subjects/traces.py` knows, such as `trace` (step by step) or `jump`."""
    history: str = ""
    """Wire document of the frames that an engine is given, where its way takes more than the call (`next`, `history`); or
    instead of `call`, for one whose arguments are no literals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How answers are drawn."""

    samples: int = 1
    """Answers an item."""
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 2048
    seed: int = 0


MOST_CHARACTERS = 1 << 20
"""Of an answer that is kept; a longer one counts as truncated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and what that took."""

    text: str
    is_truncated: bool = False
    """A limit ended it."""
    seconds: float = 0.0
    prompt_tokens: int = 0
    tokens: int = 0
    cost: float = 0.0
    """In the currency of the prices that the endpoint was given."""
    error: str = ""
    """Why there is none: a server that failed to the last try. It counts as broken, and is asked again by the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Under two rules at once, since published numbers follow the official one and claims should follow the strict one."""

    strict: bool
    """Types and literals exact; every test with positive evidence."""
    official: bool
    """As lenient as the benchmark's own harness where that is honest, and never as easily fooled."""
    reason: Reason
    """Of the strict rule."""
    detail: str = ""
    """For people: which test, which exception, which value instead."""
    counts: Counts = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What reports want beside, in JSON's types: `{"first error": 7}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How verdicts are come by."""

    isolation: str = "bubblewrap"
    """`bubblewrap`; or `process`, which has weaker walls and is used only where a user says so."""
    seconds: float | None = None
    """For one test, instead of the benchmark's own limit."""
    repeats: int = 1
    """How often what passed is run once more; flaky is not passed."""


Score = Callable[[Item, str | None], Verdict]
"""Of an item and the answer that was read; None: there was none to read. Not for two threads at once: open one each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A way of asking: prompt and extraction belong together."""

    ask: Callable[[Item], Question]
    read: Callable[[str], str | None]
    """The answer within a text; None if there is none in the form that was asked for."""
    write: Callable[[str], str]
    """An answer as a model would say it: `read(write(answer)) == answer`. Controls speak through it."""
    sampling: Sampling = Sampling()
    """As published."""
    source: str = ""
    """Where the prompt and its settings come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A small declaration over a scorer."""

    name: str
    """`cruxeval-o`: lower case, as the command line has it."""
    title: str
    """`CRUXEval-O`."""
    about: str
    """One line: what is measured."""
    files: tuple[DataFile, ...] = ()
    """That must be there; none for what is made here."""
    load: Callable[["Options"], list[Item]]
    """In a fixed order.

    Raises:
        UsageError: a file is missing, or is another one.

    """
    styles: Mapping[str, Style]
    """By name; the first is taken if none is named."""
    scorer: Callable[[Setting], AbstractContextManager[Score]]
    measures: tuple[str, ...] = ()
    """Names of `Verdict.counts` that are told beside the verdicts, in this order."""
    chosen_by: tuple[str, ...] = ()
    """Of `Options`, beside paths, those that its items are chosen by: `window`; `seed` and `count` of what is made here."""
    is_executing: bool = False
    """Whether its scorer runs code that nobody has read: then it refuses to without isolation."""
    isolation: str = "none needed"
    """Of one that does not: what is behind walls all the same, and behind which."""
    source: str = ""
    """Paper and licence."""
    note: str = ""
    """What must be said beside every number: that it is no official one, that a floor is high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may choose of a benchmark's items."""

    paths: tuple[str, ...] = ()
    """Files or folders in which its data is looked for first."""
    window: tuple[str, str] | None = None
    """First day, and the day after the last, of problems that have a date (ISO)."""
    seed: int | None = None
    """Of benchmarks that are made here; None: the published one."""
    count: int | None = None
    """Of the same: how many items."""
