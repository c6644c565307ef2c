"""A set like CRUXEval that nobody can have seen: made from a seed, by the published filters. Whoever doubts makes another.

    foretrace eval run fresh:trace fresh:jump --model tiny
    foretrace eval run fresh --items-seed 7 --model …    # other programs of the same kind

Programs are synthesised (`foretrace.corpus.synthesise`), not written by a model as CRUXEval's are; no two are alike. What a
model scores on CRUXEval and not here may be memory; the two sets are of other difficulty, so compare several models.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice

from foretrace.corpus import synthesise
from foretrace.evals.benchmarks.cruxeval import (
    INPUT_STYLES,
    OUTPUT_STYLES,
    input_items,
    input_scorer,
    output_items,
    output_scorer,
)
from foretrace.evals.synthetic.distinct import Distinct
from foretrace.evals.synthetic.filters import Kept, keep
from foretrace.evals.synthetic.lengths import length_class
from foretrace.evals.synthetic.recording import many_recordings
from foretrace.evals.traces import HELD_OUT_SEED
from foretrace.evals.types import Benchmark, Item, Options
from foretrace.sandbox import Sandbox

PROGRAMS = 800
SEED = 0
"""The published one."""
FIRST = HELD_OUT_SEED + 3 * (1 << 40)
"""Of the synthesiser, for seed 0: beyond all that is trained on, calibrated on, or evaluated elsewhere."""
_APART = 1 << 24
"""Between the synthesiser's seeds of two of ours."""
_AT_ONCE = 200


def rows(seed: int, box: Sandbox) -> Iterator[tuple[dict[str, str], Kept]]:
    """Endless rows in CRUXEval's form, none like another."""
    distinct, number = Distinct(), count()
    for start in count(FIRST + seed * _APART, _AT_ONCE):
        programs = [synthesise(at) for at in range(start, start + _AT_ONCE)]
        for program, kept in zip(programs, keep([(p.source, p.arguments) for p in programs], box), strict=True):
            if kept and distinct.add(program.source):
                row = {"code": program.source.strip(), "input": program.arguments, "output": kept.output}
                yield {"id": f"fresh_{next(number)}", **row}, kept


def _made(options: Options) -> list[tuple[dict[str, str], Kept]]:
    wanted = PROGRAMS if options.count is None else options.count
    with many_recordings() as box:
        return list(islice(rows(SEED if options.seed is None else options.seed, box), wanted))


def _load_outputs(options: Options) -> list[Item]:
    made = _made(options)
    return _tagged(output_items(row for row, _ in made), made)


def _load_inputs(options: Options) -> list[Item]:
    made = _made(options)
    return _tagged(input_items(row for row, _ in made), made)


def _tagged(items: list[Item], made: list[tuple[dict[str, str], Kept]]) -> list[Item]:
    return [
        replace(item, tags={**item.tags, "steps": length_class(len(kept.trace))})
        for item, (_, kept) in zip(items, made, strict=True)
    ]


_SOURCE = "made here, Apache-2.0; filters of Gu et al., arXiv:2401.03065"
_NOTE = (
    "Programs are of the synthesiser that our own models are trained with, from seeds that no shard has: for those models "
    "this is no other kind of program than they know."
)

OUTPUT = Benchmark(
    name="fresh",
    title="Fresh, output prediction",
    about="what a short function returns that was made from a seed, by CRUXEval's filters",
    load=_load_outputs,
    chosen_by=("seed", "count"),
    styles=OUTPUT_STYLES,
    scorer=output_scorer,
    source=_SOURCE,
    note=_NOTE,
)
INPUT = Benchmark(
    name="fresh-i",
    title="Fresh, input prediction",
    about="an argument with which such a function returns a given value",
    load=_load_inputs,
    chosen_by=("seed", "count"),
    styles=INPUT_STYLES,
    scorer=input_scorer,
    is_executing=True,
    source=_SOURCE,
    note=_NOTE,
)
