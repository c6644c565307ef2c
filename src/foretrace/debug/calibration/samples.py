"""Predictions and what really happened: what a calibration is fitted and tested on.

    samples = collect(predictor, held_out_cases(1800, CALIBRATION_SEED, raising=True))

Every program is predicted three times: from its entry on alone, from a frame in the middle on alone, and each frame after
the true ones. So there is all that a session shows: free-running and re-anchored steps, and what goes on alone after an
edit. A line is right if reality is there at that step; a value is right if its line is, and its text to the letter
(`trace.diff`). Lines that the source lacks are never right; so they are no samples.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from random import Random

import numpy as np

from foretrace.debug.calibration.features import Mode, Part, Past, features_of_line, features_of_value, kind_of
from foretrace.debug.calibration.maps import Floats
from foretrace.debug.calibration.scores import Flags, Numbers
from foretrace.engine import Predictor, Prompt, Step, build_prompt
from foretrace.evals import Case
from foretrace.trace import Frame, Segment, Trace, diff, frame_segments

BEYOND = 8
"""Predicted frames that count after reality has ended; all are wrong, and so would those after them be."""
_FRAME_BUDGET = 1024
"""Tokens for one frame, or for what a prediction may write more than reality has characters."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A line or a value that was predicted."""

    part: Part
    mode: Mode
    features: list[float]
    right: bool
    program: int
    kind: str
    """Type of a value; event of a line."""
    step: int
    """Frames before it."""
    depth: int
    """Calls between the entry function and its own."""


@dataclass(frozen=True, slots=True)
class Table:
    """Samples of one part and mode as columns."""

    features: Floats
    """(n, F)"""
    right: Flags
    """(n,)"""
    program: Numbers
    """(n,)"""
    samples: Sequence[Sample]

    @classmethod
    def of(cls, samples: Iterable[Sample], part: Part, mode: Mode) -> "Table":
        """Those of a part and a mode."""
        rows = [sample for sample in samples if (sample.part, sample.mode) == (part, mode)]
        features = np.array([row.features for row in rows], dtype=np.float64)
        right = np.array([row.right for row in rows], dtype=bool)
        return cls(features, right, np.array([row.program for row in rows], dtype=np.int64), rows)


def collect(
    predictor: Predictor,
    cases: Sequence[Case],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Sample]:
    """All samples of programs, in their order.

    Args:
        predictor: is calibrated.
        cases: programs with their real traces, which are whole.
        workers: programs that are predicted at the same time; None: one a core.
        progress: called with (programs done, programs wanted).

    """
    found: list[Sample] = []
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        several = pool.map(lambda number: list(samples_of(predictor, cases[number], number)), range(len(cases)))
        for number, samples in enumerate(several):
            found += samples
            if progress:
                progress(number + 1, len(cases))
    return found


def samples_of(predictor: Predictor, case: Case, program: int) -> Iterator[Sample]:
    """The samples of one program, whose number is `program`."""
    prompt = build_prompt(case.source, case.entry, case.arguments)
    middle = Random(program).randrange(1, len(case.real)) if len(case.real) > 1 else 1
    yield from _labelled(_anchored(predictor, prompt, case.real), case.real, program)
    for start in {1, middle}:
        yield from _labelled(_free(predictor, prompt, case.real, start), case.real, program)


# ---------------------------------------------------------------------------------------------------
# Predicting

_Judged = tuple[Past, Step]


def _free(predictor: Predictor, prompt: Prompt, real: Trace, start: int) -> list[_Judged]:
    """What is predicted alone after the first `start` true frames; its first step is a re-anchored one and left out."""
    past, found = Past(start), []
    budget = _FRAME_BUDGET + _characters(real)
    steps = predictor.steps(prompt, real.frames[:start], budget=budget)
    for step in islice(steps, len(real) + BEYOND - start):
        found.append((past, step))
        past = past.after(step)
    return found[1:]


def _anchored(predictor: Predictor, prompt: Prompt, real: Trace) -> list[_Judged]:
    """Each frame as it is predicted after the true ones; what is no frame at all is left out, as nothing is shown then."""
    found = []
    for at in range(1, len(real)):
        step = next(predictor.steps(prompt, real.frames[:at], budget=_FRAME_BUDGET), None)
        if step is not None:
            found.append((Past(at), step))
    return found


def _characters(trace: Trace) -> int:
    """Of the whole trace on the wire: at least as many as it has tokens."""
    texts: Iterator[Segment] = (segment for segments in frame_segments(trace.frames) for segment in segments)
    return sum(map(len, texts))


# ---------------------------------------------------------------------------------------------------
# Comparing


def _labelled(judged: Sequence[_Judged], real: Trace, program: int) -> Iterator[Sample]:
    """A sample for each line and each value."""
    predicted: list[Frame] = [*real.frames]
    for past, step in judged:
        predicted[past.index : past.index + 1] = [step.frame]
    wrong = {(d.step, d.variable) for d in diff(replace(real, frames=tuple(predicted)), real).divergences}
    for past, step in judged:
        if step.ghost:
            continue
        here = past.index < len(real) and (past.index, None) not in wrong
        mode, where = past.mode, (past.index, step.frame.depth)
        yield Sample(Part.LINE, mode, features_of_line(past, step), here, program, step.frame.event.value, *where)
        for value in step.values:
            right = here and (past.index, value.name or "value") not in wrong
            features = features_of_value(past, step, value)
            yield Sample(Part.VALUE, mode, features, right, program, kind_of(value.text), *where)
