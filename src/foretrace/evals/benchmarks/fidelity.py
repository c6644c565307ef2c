"""Trace fidelity as a benchmark: programs that were held out of training, or recorded real functions.

    foretrace eval run fidelity fidelity-history --model tiny

Its verdicts: strict, the whole trace is right; official, what is returned is (the CWM report's "output pass@1",
arXiv:2510.02387, table 9). Its measures are of steps.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from foretrace.engine import Engine
from foretrace.engine.replay import traces_in
from foretrace.errors import FormatError
from foretrace.evals.cases import Case
from foretrace.evals.documents import MAX_CHARACTERS, frames_of, prompt_of, read_trace
from foretrace.evals.fidelity import ACTION, CUT, FORMAT, OUTPUT, PARTS, STATE, WHOLE, Fidelity, compare_run, compare_steps
from foretrace.evals.scorers.literal import type_name
from foretrace.evals.statistics import Share
from foretrace.evals.subjects.traces import answer_traces
from foretrace.evals.synthetic.lengths import length_class
from foretrace.evals.traces import HELD_OUT_SEED, held_out_cases
from foretrace.evals.types import Benchmark, Item, Options, Question, Reason, Sampling, Setting, Style, Verdict
from foretrace.trace import Event, Frame, Outcome, Token, Trace, read_jsonl, to_segments, to_text, write_jsonl
from foretrace.trace.binary import MAGIC
from foretrace.trace.structure import Structure

PROGRAMS = 500
MAX_TOKENS = 3072
MAX_FRAMES = 400
"""Of a recorded trace that is asked of a model."""
_AT_ONCE = 64
_CONSTANT = "True"
_MARK = 32
_SUFFIXES = (".jsonl", ".ftb")


# ---------------------------------------------------------------------------------------------------
# Items


def load(options: Options) -> list[Item]:
    """The recordings in the given paths; held-out programs by seed where there are none."""
    found = [(name, trace) for name, trace in recorded(options.paths) if _reads_back(trace)]
    if not found:
        number = PROGRAMS if options.count is None else options.count
        seed = HELD_OUT_SEED if options.seed is None else options.seed
        cases = held_out_cases(number, seed, fits=_reads_back)
        found = [(case.name, case.real) for case in cases]
    return [item_of(name, trace) for name, trace in found][: options.count]


def _reads_back(trace: Trace) -> bool:
    """Whether a model that writes all that happened is understood: a few programs raise in ways that text cannot tell."""
    read = read_trace(_document(trace))
    ours = read and (read.header.outcome, [(frame.event, frame.depth) for frame in read.frames])
    return ours == (trace.header.outcome, [(frame.event, frame.depth) for frame in trace.frames])


def recorded(paths: Sequence[str]) -> list[tuple[str, Trace]]:
    """Whole recordings, of at most `MAX_FRAMES` frames and of one file's functions, with names; in folders by suffix."""
    found = []
    for path in map(Path, paths):
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES) if path.is_dir() else [path]
        for file in filter(_is_recording, files):
            try:
                found += [(f"{file.name}#{at}", trace) for at, trace in enumerate(traces_in(file)) if _can_be_asked(trace)]
            except FormatError:
                continue  # it only begins like one
    return found


def _is_recording(file: Path) -> bool:
    """By how a file begins: folders of benchmark data are large."""
    if not file.is_file():
        return False
    with open(file, "rb") as content:
        return content.read(_MARK).startswith((MAGIC, b'{"v": 1, "kind":', b'{"v":1,"kind":'))


def _can_be_asked(trace: Trace) -> bool:
    frames = trace.frames
    whole = trace.header.outcome is not Outcome.TRUNCATED and trace.header.kind == "recorded"
    in_one_file = all(not frame.path and frame.line for frame in frames)
    return whole and in_one_file and 1 < len(frames) <= MAX_FRAMES and frames[0].event is Event.CALL


def item_of(name: str, real: Trace) -> Item:
    """One execution as an item."""
    text = StringIO()
    write_jsonl(real, text)
    result = real.result
    tags = {
        "value type": "exception" if result is None else type_name(result),
        "steps": length_class(len(real)),
        "construct": _construct(real),
    }
    return Item(id=name, row={"trace": text.getvalue()}, controls=_controls(real), tags=tags)


def _real(item: Item) -> Trace:
    [trace] = read_jsonl(item.row["trace"].splitlines(keepends=True))
    return trace


def _construct(trace: Trace) -> str:
    """The most demanding thing that ran."""
    structure = Structure(trace.header.source)
    depths = [len(structure.loops_at(frame.function, frame.line)) for frame in trace.frames]
    if any(frame.depth and "comp>" not in frame.function and "genexpr>" not in frame.function for frame in trace.frames):
        return "calls"
    if any(frame.event is Event.EXCEPTION for frame in trace.frames):
        return "exceptions"
    if max(depths) > 1:
        return "loops in loops"
    if max(depths) == 1:
        return "loop"
    return "comprehension" if any(frame.depth for frame in trace.frames) else "straight"


def _controls(real: Trace) -> dict[str, str]:
    """Documents: the real one, one that ends with another value, and two that return at once."""
    arguments = list(real.frames[0].state.values())
    gold = _document(real)
    wrong = real.frames[-1].value or ""
    controls = {"gold": gold, "wrong": _document(_ending(real, real.frames, "False" if wrong != "False" else "True"))}
    exits = Structure(real.header.source).exits(real.frames[0].function)
    if exits:
        line = real.header.source.split("\n")[exits[-1] - 1]
        known = {"constant": _CONSTANT} | ({"copy": arguments[0]} if arguments else {})
        for name, value in known.items():
            back = Frame(Event.RETURN, real.frames[0].function, 0, exits[-1], line)
            controls[name] = _document(_ending(real, (real.frames[0], back), value))
    return controls


def _ending(real: Trace, frames: Sequence[Frame], value: str) -> Trace:
    last = replace(frames[-1], value=value)
    return Trace(replace(real.header, outcome=Outcome.RETURNED), (*frames[:-1], last))


def _document(trace: Trace) -> str:
    return to_text(to_segments(trace))


# ---------------------------------------------------------------------------------------------------
# Asking and scoring: an answer is the document itself


def _style(way: str, source: str) -> Style:
    def ask(item: Item) -> Question:
        real = _real(item)
        return Question(trace=way, history=_document(real) if way == "history" else to_text(prompt_of(real).segments))

    return Style(ask=ask, read=_read, write=str, sampling=Sampling(max_tokens=MAX_TOKENS), source=source)


def _read(text: str) -> str | None:
    return text if text.startswith(Token.BEGIN_OF_TEXT.value) and len(text) <= MAX_CHARACTERS else None


def score_run(item: Item, answer: str | None) -> Verdict:
    """Of a free-running prediction; reality is read from its document too, so that equal texts stand at equal lines."""
    recorded = _real(item)
    prompt = prompt_of(recorded)
    real, predicted = read_trace(_document(recorded), prompt), read_trace(answer, prompt) if answer else None
    assert real is not None
    found = compare_run(predicted, real)
    if predicted is None:
        return _verdict(found, Reason.UNPARSABLE, "no trace of this call", real)
    detail = predicted.header.detail
    if found.is_right(FORMAT):
        return _verdict(found, Reason.WRONG, f"first wrong at step {found.first_error}: {found.divergence}", real)
    return _verdict(found, Reason.UNPARSABLE, f"cut: {detail}" if detail in CUT else detail, real)


def score_steps(item: Item, answer: str | None) -> Verdict:
    """Of a prediction of each step after the true ones."""
    real = _real(item)
    found = compare_steps(frames_of(answer) if answer else [], real)
    reason = Reason.WRONG if answer else Reason.UNPARSABLE
    return _verdict(found, reason, f"first wrong at step {found.first_error}: {found.divergence}", real)


def _verdict(found: Fidelity, reason: Reason, detail: str, real: Trace) -> Verdict:
    strict = found.is_right(WHOLE)
    extra: dict[str, Any] = {"frames": len(real)}
    if not strict:
        extra |= {"first error": found.first_error, "divergence": found.divergence}
    return Verdict(
        strict=strict,
        official=strict or found.is_right(OUTPUT),
        reason=Reason.RIGHT if strict else reason,
        detail="" if strict else detail,
        counts=found.counts,
        extra=extra,
    )


# ---------------------------------------------------------------------------------------------------
# The benchmarks

_TABLE_9 = "CWM report, arXiv:2510.02387, table 9"
_NOTE = (
    "The official rule is the returned value alone, the strict one the whole trace. "
    "Programs without --data are of the synthesiser that our own models are trained with, from seeds that no shard has."
)

_FREE, _STEPS = (FORMAT, OUTPUT, STATE, ACTION, WHOLE), (STATE, ACTION, WHOLE)

FIDELITY = Benchmark(
    name="fidelity",
    title="Trace fidelity, free-running",
    about="whole executions, each step predicted after the model's own",
    load=load,
    chosen_by=("seed", "count"),
    styles={
        "trace": _style("trace", f"{_TABLE_9}; greedy"),
        "grammar": _style("grammar", "greedy, under the grammar of the program's traces"),
    },
    scorer=lambda setting: nullcontext(score_run),
    measures=(*_FREE, *PARTS),
    source="made here, Apache-2.0",
    note=_NOTE,
)
HISTORY = Benchmark(
    name="fidelity-history",
    title="Trace fidelity, true history",
    about="each step of an execution, predicted after the true ones",
    load=load,
    chosen_by=("seed", "count"),
    styles={"history": _style("history", f"{_TABLE_9}; greedy, one pass")},
    scorer=lambda setting: nullcontext(score_steps),
    measures=(*_STEPS, *PARTS),
    source="made here, Apache-2.0",
    note=_NOTE,
)


def measure(
    engine: Engine,
    cases: Sequence[Case],
    *,
    max_tokens: int = MAX_TOKENS,
    grammar: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Share]:
    """Both benchmarks in a process, without a run's folder: for experiments, and while a model is trained.

    Args:
        engine: is asked greedily.
        cases: programs with their real traces.
        max_tokens: of one prediction.
        grammar: predict under the grammar; steps with the true history are judged without.
        progress: called with (cases done, cases wanted).

    Returns:
        Shares by measure: `output`, `whole trace`, …; those with the true history are called `state (true history)`.

    """
    free, counts = "grammar" if grammar else "trace", Counter[tuple[str, bool]]()
    for start in range(0, len(cases), _AT_ONCE):
        items = [item_of(case.name, case.real) for case in cases[start : start + _AT_ONCE]]
        for benchmark, style, names, suffix in (
            (FIDELITY, free, _FREE, ""),
            (HISTORY, "history", _STEPS, " (true history)"),
        ):
            questions = [benchmark.styles[style].ask(item) for item in items]
            answers = answer_traces(engine, questions, Sampling(max_tokens=max_tokens))
            with benchmark.scorer(Setting()) as score:
                verdicts = [score(item, _read(answer.text)) for item, answer in zip(items, answers, strict=True)]
            for verdict in verdicts:
                for name in names:
                    hits, total = verdict.counts.get(name, (0, 0))
                    counts.update({(name + suffix, True): hits, (name + suffix, False): total})
        if progress:
            progress(start + len(items), len(cases))
    return {name: Share(counts[name, True], counts[name, False]) for name in dict.fromkeys(name for name, _ in counts)}
