"""Line probes: whether a line runs, which is next, what a variable is then, what comes out, what is raised.

    foretrace eval run probes:trace probes:step --model tiny

The same questions of the same executions for a model that answers in text and for one that predicts traces: of its trace the
answer is read off. After REval (Chen et al. 2024, arXiv:2403.16437), rebuilt from our own recordings.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, cycle, islice
from random import Random

from foretrace.corpus import synthesise
from foretrace.engine import build_prompt
from foretrace.evals.documents import MAX_CHARACTERS, read_trace
from foretrace.evals.scorers.literal import LiteralScorer, type_name
from foretrace.evals.synthetic.asking import Asked, ask, read_answer, write_answer
from foretrace.evals.synthetic.lengths import length_class
from foretrace.evals.synthetic.probing import (
    COVERAGE,
    EXCEPTION,
    KINDS,
    NO,
    NONE,
    OUTPUT,
    PATH,
    STATE,
    YES,
    Probe,
    answer_in,
    position_of,
    probes_of,
    steps_alike,
)
from foretrace.evals.synthetic.recording import many_recordings, record_all
from foretrace.evals.traces import HELD_OUT_SEED
from foretrace.evals.types import Benchmark, Item, Options, Question, Reason, Sampling, Score, Setting, Style, Verdict
from foretrace.sandbox import Sandbox
from foretrace.trace import Limits, Outcome, Token, Trace, to_segments, to_text

QUESTIONS = 500
SEED = 0
"""The published one."""
FIRST = HELD_OUT_SEED + 2 * (1 << 40)
"""Of the synthesiser, for seed 0: beyond all that is trained on, calibrated on, or evaluated elsewhere."""
_APART = 1 << 24
_AT_ONCE = 100
_WAITING = 40
"""Probes of a kind that may wait until those of the other kinds are found."""
_LIMITS = Limits(max_events=150)


# ---------------------------------------------------------------------------------------------------
# Items


def load(options: Options) -> list[Item]:
    """Probes of all kinds in turn."""
    wanted = QUESTIONS if options.count is None else options.count
    with many_recordings() as box:
        return list(islice(_items(SEED if options.seed is None else options.seed, box), wanted))


def _items(seed: int, box: Sandbox) -> Iterator[Item]:
    """Endless items, one of each kind after the other."""
    made = _found(FIRST + seed * _APART, box)
    waiting: dict[str, deque[Item]] = {kind: deque() for kind in KINDS}
    for kind in cycle(KINDS):
        while not waiting[kind]:
            item = next(made)
            if len(waiting[item.tags["probe"]]) < _WAITING:
                waiting[item.tags["probe"]].append(item)
        yield waiting[kind].popleft()


def _found(start: int, box: Sandbox) -> Iterator[Item]:
    """Probes program by program; of coverage and of exceptions half of the answers are yes."""
    made: Counter[str] = Counter()
    for first in count(start, _AT_ONCE):
        made_of = {at: synthesise(at) for at in range(first, first + _AT_ONCE)}
        programs = {at: program for at, program in made_of.items() if steps_alike(program.source)}
        traces = record_all([(p.source, p.entry, p.arguments) for p in programs.values()], box, _LIMITS)
        for (at, program), trace in zip(programs.items(), traces, strict=True):
            if trace is None or trace.header.outcome is Outcome.TRUNCATED:
                continue
            wanted = {kind: made[kind] % 2 == 0 for kind in (COVERAGE, EXCEPTION)}
            written = read_trace(to_text(to_segments(trace)))
            for kind, probe in probes_of(trace, Random(at), wanted[COVERAGE], wanted[EXCEPTION]).items():
                if written is None or answer_in(written, probe) != answer_in(trace, probe):
                    continue  # a model that predicts all of it would be misunderstood
                made[kind] += 1
                yield _item(f"{at - FIRST}-{kind.replace(' ', '-')}", program.arguments, trace, probe)


def _item(name: str, arguments: str, trace: Trace, probe: Probe) -> Item:
    answer = answer_in(trace, probe)
    assert answer is not None
    header = trace.header
    row = {
        "source": header.source,
        "entry": header.entry,
        "arguments": arguments,
        "probe": probe.to_dict(),
        "answer": answer,
    }
    at = position_of(trace, probe) if probe.is_local else None
    if at is not None:
        known = Trace(replace(header, outcome=Outcome.TRUNCATED), trace.frames[: at + 1])
        row["history"] = to_text(to_segments(known))
    tags = {"probe": probe.kind, "steps": length_class(len(trace))}
    if probe.kind in (STATE, OUTPUT):
        tags["value type"] = type_name(answer)
    return Item(id=name, row=row, controls=_controls(probe, answer, trace), group=name.partition("-")[0], tags=tags)


def _controls(probe: Probe, answer: str, trace: Trace) -> dict[str, str]:
    """Gold, another answer of the same form, and what could be said without a thought."""
    other = {COVERAGE: NO if answer == YES else YES, EXCEPTION: "KeyError" if answer == NONE else NONE}
    wrong = other.get(probe.kind) or (str(int(answer) + 1) if probe.kind == PATH else f"[{answer}]")
    before = list(trace.frames[0].state.values())
    copied = {STATE: before[:1], OUTPUT: before[:1], PATH: [str(probe.line + 1)]}.get(probe.kind, [])
    constant = {COVERAGE: YES, EXCEPTION: NONE, PATH: "2"}.get(probe.kind, "False")
    return {"gold": answer, "wrong": wrong, "constant": constant} | ({"copy": copied[0]} if copied else {})


# ---------------------------------------------------------------------------------------------------
# Asking in text

_FORMS = {
    COVERAGE: f"The answer is {YES} or {NO}.",
    PATH: "The answer is the number of a line.",
    STATE: "The answer is a Python literal.",
    OUTPUT: "The answer is a Python literal.",
    EXCEPTION: f"The answer is the name of the exception's class, or {NONE}.",
}
_EXAMPLE = """\
def f(words):
    longest = ''
    for word in words:
        if len(word) > len(longest):
            longest = word
    return longest
"""
_SHOWN = (
    (
        Probe(kind=COVERAGE, line=5),
        YES,
        "Line 4 compares len('to'), 2, with len(''), 0: it is greater, so line 5 is executed.",
    ),
    (Probe(kind=PATH, line=4, time=1), "5", "word is 'to' and longest is '': 2 is greater than 0, so line 5 follows."),
    (Probe(kind=STATE, line=5, time=1, variable="longest"), "'to'", "word is 'to', and longest becomes that."),
    (Probe(kind=OUTPUT), "'to'", "longest is 'to' after the first word; 'a' is shorter; so 'to' is returned."),
    (Probe(kind=EXCEPTION), NONE, "Both words are texts, len is defined for them, and nothing else can fail."),
)


def _asked(entry: str, arguments: str, probe: Probe) -> str:
    return f"{_sentence(entry, arguments, probe)} {_FORMS[probe.kind]}"


def _sentence(entry: str, arguments: str, probe: Probe) -> str:
    call = f"{entry}({arguments})"
    if probe.kind == COVERAGE:
        return f"In the call {call}, is line {probe.line} ever executed?"
    if probe.kind == OUTPUT:
        return f"What does the call {call} return?"
    if probe.kind == EXCEPTION:
        return f"Does the call {call} end with an exception, and with which?"
    when = f"In the call {call}, after line {probe.line} has been executed {_times(probe.time)},"
    if probe.kind == PATH:
        return f"{when} which line is executed next?"
    return f"{when} what is the value of {probe.variable}?"


def _times(number: int) -> str:
    return {1: "for the first time", 2: "for the second time", 3: "for the third time"}.get(number, f"{number} times")


def _numbered(source: str) -> str:
    lines = source.rstrip().split("\n")
    return "\n".join(f"{number:>{len(str(len(lines)))}} {line}" for number, line in enumerate(lines, 1))


_EXAMPLES = tuple(
    Asked(_numbered(_EXAMPLE), _asked("f", "['to', 'a']", probe), answer, thought) for probe, answer, thought in _SHOWN
)


def _ask_text(item: Item, *, thinking: bool) -> Question:
    row = item.row
    asked = Asked(_numbered(row["source"]), _asked(row["entry"], row["arguments"], Probe(**row["probe"])))
    return ask(_EXAMPLES, asked, thinking=thinking)


# ---------------------------------------------------------------------------------------------------
# Asking for traces


def _ask_trace(item: Item) -> Question:
    return Question(call=_call(item), trace="trace")


def _ask_step(item: Item) -> Question:
    """The one step after the true ones, where that answers; else the whole trace."""
    if "history" not in item.row:
        return _ask_trace(item)
    return Question(trace="next", history=item.row["history"])


def _call(item: Item) -> tuple[str, str, str]:
    return item.row["source"], item.row["entry"], item.row["arguments"]


def _read_trace(text: str) -> str | None:
    """A document, or an answer as a control says it."""
    return text if 0 < len(text) <= MAX_CHARACTERS else None


# ---------------------------------------------------------------------------------------------------
# Scoring


@contextmanager
def _scorer(setting: Setting) -> Iterator[Score]:
    """Values by the literal scorer, words and numbers by themselves; of a document the answer is read off first."""
    with LiteralScorer(setting) as literals:

        def score(item: Item, answer: str | None) -> Verdict:
            probe, told = Probe(**item.row["probe"]), answer
            if answer is not None and answer.startswith(Token.BEGIN_OF_TEXT.value):
                trace = read_trace(answer, build_prompt(*_call(item)))
                told = answer_in(trace, probe) if trace else None
            expected = item.row["answer"]
            verdict = literals.score(told, expected) if probe.kind in (STATE, OUTPUT) else _words(probe, told, expected)
            return replace(verdict, counts={probe.kind: (int(verdict.strict), 1)})

        yield score


def _words(probe: Probe, told: str | None, expected: str) -> Verdict:
    """Strict: the word or the number, and nothing else. Official: `line 5`, too, or an exception with its message."""
    if told is None:
        return Verdict(strict=False, official=False, reason=Reason.UNPARSABLE, detail="there is no answer")
    word = told.strip().strip("'\"`.")
    strict = word.lower() == expected.lower() if probe.kind != EXCEPTION or expected == NONE else word == expected
    lenient = {
        PATH: lambda: word.lower().removeprefix("line").strip(),
        EXCEPTION: lambda: word.partition("(")[0].rpartition(".")[2],
    }.get(probe.kind, lambda: word)()
    official = strict or lenient.lower() == expected.lower()
    reason = Reason.RIGHT if strict else Reason.WRONG
    return Verdict(
        strict=strict, official=official, reason=reason, detail="" if strict else f"not {word[:40]!r}, but {expected!r}"
    )


def _style(ask: Callable[[Item], Question], max_tokens: int, source: str, *, is_trace: bool = False) -> Style:
    read, write = (_read_trace, str) if is_trace else (read_answer, write_answer)
    return Style(ask=ask, read=read, write=write, sampling=Sampling(max_tokens=max_tokens), source=source)


PROBES = Benchmark(
    name="probes",
    title="Line probes",
    about="coverage, next line, state, output and exception of real executions",
    load=load,
    chosen_by=("seed", "count"),
    styles={
        "direct": _style(lambda item: _ask_text(item, thinking=False), 256, "made here: five examples, or a chat"),
        "cot": _style(lambda item: _ask_text(item, thinking=True), 4096, "the same, with thoughts"),
        "trace": _style(_ask_trace, 3072, "read off the predicted trace", is_trace=True),
        "step": _style(_ask_step, 3072, "read off the step predicted after the true ones", is_trace=True),
    },
    scorer=_scorer,
    measures=KINDS,
    is_executing=False,
    source="made here, Apache-2.0; after REval (Chen et al., arXiv:2403.16437)",
    note=(
        "Half of the coverage probes are of lines that run, half of the exception probes of calls that raise. "
        "Programs are of the synthesiser that our own models are trained with, from seeds that no shard has."
    ),
)
