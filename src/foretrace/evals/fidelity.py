"""Trace fidelity: how well a model predicts executions, step by step and to the end.

Two views of the same programs (CWM report, arXiv:2510.02387, table 9, which gives only the second for steps):
free-running, where the model lives with its own mistakes (output, whole trace, first error), and with true history,
where each step is predicted after the real ones (state and action exact match).

    report = evaluate(engine, cases);  print(report.text())
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretrace.engine import Engine, build_prompt, predict_many
from foretrace.evals.literal import same_literal, type_name
from foretrace.evals.statistics import Share
from foretrace.trace import Outcome, Segment, Token, Trace, diff, frame_segments

LENGTHS = ((1, 5), (6, 10), (11, 20), (21, 40), (41, 80), (81, 10**9))
"""Classes of trace length, in frames."""


@dataclass(frozen=True, slots=True)
class Case:
    """One program with its real execution."""

    name: str
    source: str
    entry: str
    arguments: str
    real: Trace
    expected: str
    """The returned value as a literal, by the benchmark where it says so, else by the real execution."""


@dataclass(slots=True)
class CaseResult:
    """What became of one case."""

    name: str
    frames: int
    value_type: str
    expected: str
    predicted: str | None
    right_output: bool = False
    exact_trace: bool = False
    fits: bool = True
    divergence: str | None = None
    first_error: int | None = None
    states: list[bool] = field(default_factory=list)
    actions: list[bool] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For JSON Lines."""
        steps = {"steps": len(self.actions), "right_states": sum(self.states), "right_actions": sum(self.actions)}
        names = ("name", "frames", "value_type", "expected", "predicted", "right_output", "exact_trace", "fits")
        return {n: getattr(self, n) for n in (*names, "divergence", "first_error")} | steps


@dataclass(frozen=True, slots=True)
class Report:
    """The results of all cases."""

    title: str
    engine: str
    results: tuple[CaseResult, ...]

    def shares(self) -> dict[str, Share]:
        """The headline shares."""
        rows = self.results
        return {
            "output pass@1": Share.of(r.right_output for r in rows),
            "exact trace": Share.of(r.exact_trace for r in rows),
            "state exact match (true history)": Share.of(s for r in rows for s in r.states),
            "action exact match (true history)": Share.of(a for r in rows for a in r.actions),
            "did not fit the context": Share.of(not r.fits for r in rows),
        }

    def by_type(self) -> dict[str, Share]:
        """Output pass@1 by type of the expected value, most frequent first."""
        return self._grouped(lambda r: r.value_type)

    def by_length(self) -> dict[str, Share]:
        """Output pass@1 by number of frames of the real trace."""
        grouped = self._grouped(lambda r: next(f"{a}-{b}" for a, b in LENGTHS if a <= max(r.frames, 1) <= b))
        names = {f"{a}-{b}": f"{a}-{b}" if b < 10**9 else f"over {a - 1}" for a, b in LENGTHS}
        return {names[key]: grouped[key] for key in names if key in grouped}

    def divergences(self) -> dict[str, int]:
        """How often each kind of divergence came first."""
        return dict(Counter(r.divergence for r in self.results if r.divergence).most_common())

    def first_errors(self) -> dict[str, int]:
        """At which step free-running predictions first went wrong."""
        steps = [r.first_error for r in self.results if r.first_error is not None]
        bounds = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 10**9))
        return {f"{a}-{b}" if b < 10**9 else f"{a}+": sum(a <= s <= b for s in steps) for a, b in bounds}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "v": 1,
            "eval": self.title,
            "model": self.engine,
            "cases": len(self.results),
            "shares": {name: share.to_dict() for name, share in self.shares().items()},
            "by_type": {name: share.to_dict() for name, share in self.by_type().items()},
            "by_length": {name: share.to_dict() for name, share in self.by_length().items()},
            "first_divergence": self.divergences(),
            "first_error_step": self.first_errors(),
        }

    def text(self) -> str:
        """For people."""
        lines = [f"{self.title}: {len(self.results)} programs, model {self.engine}, greedy, 95 % intervals", ""]
        lines += [f"  {name:<36}{share.text()}" for name, share in self.shares().items()]
        for title, groups in (("by value type", self.by_type()), ("by frames", self.by_length())):
            lines += ["", f"  output pass@1 {title}"]
            lines += [f"    {name:<34}{share.text()}" for name, share in groups.items()]
        lines += ["", "  first divergence: " + ", ".join(f"{k} {v}" for k, v in self.divergences().items())]
        lines += ["  step of the first error: " + ", ".join(f"{k}: {v}" for k, v in self.first_errors().items())]
        return "\n".join(lines)

    def _grouped(self, key: Callable[[CaseResult], str]) -> dict[str, Share]:
        groups: dict[str, list[bool]] = defaultdict(list)
        for result in self.results:
            groups[key(result)].append(result.right_output)
        ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
        return {name: Share.of(outcomes) for name, outcomes in ordered}


def evaluate(
    engine: Engine,
    cases: Sequence[Case],
    *,
    title: str,
    max_tokens: int = 3072,
    grammar: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Predicts every case greedily and compares with reality.

    Args:
        grammar: decode under the grammar of the program's traces; one step given the true history is judged without.
        progress: called with (cases done, cases wanted).

    """
    results = []
    size = 64
    for start in range(0, len(cases), size):
        chunk = cases[start : start + size]
        calls = [(case.source, case.entry, case.arguments) for case in chunk]
        predictions = predict_many(engine, calls, max_tokens=max_tokens, grammar=grammar)
        results += [score(engine, case, trace) for case, trace in zip(chunk, predictions, strict=True)]
        if progress:
            progress(len(results), len(cases))
    return Report(title, engine.name, tuple(results))


def score(engine: Engine, case: Case, predicted: Trace) -> CaseResult:
    """Compares one prediction with reality, and asks the engine for each step after the true ones."""
    result = CaseResult(case.name, len(case.real), type_name(case.expected), case.expected, predicted.result)
    result.fits = predicted.header.detail not in ("context", "tokens")
    if predicted.result is not None and predicted.header.outcome is Outcome.RETURNED:
        result.right_output = same_literal(predicted.result, case.expected)
    difference = diff(predicted, case.real)
    result.exact_trace = difference.agrees
    if difference.first is not None:
        result.divergence, result.first_error = difference.first.kind, difference.first.step
    result.states, result.actions = step_matches(engine, case)
    return result


def step_matches(engine: Engine, case: Case) -> tuple[list[bool], list[bool]]:
    """For each frame after the first: whether its state (or value) and its action are right given the true past.

    A part is right if greedy decoding would write every one of its tokens. Frames beyond the context are wrong.
    """
    prompt = build_prompt(case.source, case.entry, case.arguments)
    ids, spans = engine.tokenizer.encode(prompt.segments), []
    for frame in list(frame_segments(case.real.frames))[len(prompt.frames) :]:
        spans.append(_spans(engine, frame, len(ids)))
        ids += engine.tokenizer.encode(frame)
    fitting = ids[: engine.context_length]
    best, _ = engine.predict_next(fitting)
    hits = np.zeros(len(ids), dtype=bool)
    hits[1 : len(fitting)] = best[: len(fitting) - 1] == np.array(fitting[1:])
    states = [bool(hits[list(state)].all()) for state, _ in spans]
    actions = [bool(hits[list(action)].all()) for _, action in spans]
    return states, actions


def _spans(engine: Engine, frame: Sequence[Segment], start: int) -> tuple[range, tuple[int, ...]]:
    """Positions of a frame's state (locals or value) and of its action (event and source line)."""
    parts = []
    position, before = start, None
    for segment in frame:
        # how a text is tokenised depends on the special token before it
        context: list[Segment] = [] if before is None else [before]
        length = len(engine.tokenizer.encode([*context, segment])) - len(context)
        parts.append(range(position, position + length))
        position += length
        before = segment if isinstance(segment, Token) else before
    carries_locals = frame[0] in (Token.CALL_SEP, Token.LINE_SEP)
    state, source = (parts[1], parts[3]) if carries_locals else (parts[4], parts[2])
    return state, (*parts[0], *source)
