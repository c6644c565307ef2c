"""Whether verdicts can be trusted here, today: known right answers pass and known wrong ones fail, everywhere.

    print(check_scorer("literal").text())               # needs no data
    print(check_benchmark("cruxeval-o").text())         # gold 800/800, wrong 0/800, 0.9 s

Gold must score 100 % and wrong 0 %, under both rules. What comes out otherwise is named; then no number should be believed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from foretrace.endpoint.threads import in_threads
from foretrace.errors import RefusedError, UsageError
from foretrace.evals.benchmarks import find_style
from foretrace.evals.folder import Sample
from foretrace.evals.judging import Judgement, control_sample, fault, judge_of
from foretrace.evals.types import Benchmark, Item, Options, Setting, Verdict

Verdicts = Sequence[tuple[Verdict, bool]]
"""Each with what it should be, under both rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What came of one scorer or one benchmark."""

    name: str
    """`scorer literal`, `cruxeval-o`."""
    gold: tuple[int, int] = (0, 0)
    """Gold answers that passed under both rules, of how many."""
    wrong: tuple[int, int] = (0, 0)
    """Wrong answers that passed under either, of how many."""
    faults: tuple[str, ...] = ()
    skipped: str = ""
    """Why it was not tried; empty if it was."""
    seconds: float = 0.0

    @property
    def is_fine(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def text(self) -> str:
        """For people, in a line."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        gold, wrong = ("{}/{}".format(*pair) for pair in (self.gold, self.wrong))
        return f"gold {gold}, wrong {wrong}, {self.seconds:.1f} s" + "".join(f"\n    ✗ {fault}" for fault in self.faults[:5])


def check_benchmark(
    name: str,
    *,
    options: Options | None = None,
    setting: Setting | None = None,
    limit: int | None = None,
    workers: int = 1,
    watch: Callable[[int, int], None] | None = None,
) -> Check:
    """Gold and wrong answers to a benchmark's items, in its first style; in the others they are read as they are written.

    Args:
        name: of the benchmark; it is skipped where its data is not there, or nothing may be run.
        options: where data is.
        setting: how scorers run code.
        limit: only so many items, spread evenly.
        workers: answers that are judged at a time.
        watch: told how many answers are judged, and of how many.

    Raises:
        UsageError: there is no such benchmark.

    """
    benchmark, style = find_style(name)
    began = time.perf_counter()
    try:
        items = benchmark.load(options or Options())
        with judge_of(benchmark, style, setting or Setting(), workers=workers) as judge:
            chosen = items[:: max(1, len(items) // limit)][:limit] if limit else items
            return replace(check_items(judge, chosen, workers, watch), seconds=time.perf_counter() - began)
    except (UsageError, RefusedError) as error:
        return Check(name=name, skipped=str(error).split("\n")[0])


def check_items(
    judge: Judgement, items: Sequence[Item], workers: int = 1, watch: Callable[[int, int], None] | None = None
) -> Check:
    """Gold and wrong answers to items; `workers` and `watch` as for `check_benchmark`."""
    wanted = [(control, item) for item in items for control in ("gold", "wrong") if control in item.controls]
    name, counts, faults = judge.benchmark.name, {"gold": [0, 0], "wrong": [0, 0]}, _unreadable(judge.benchmark, wanted)
    if not wanted:
        return Check(name=name, skipped="its data has no answers")

    def judged(work: tuple[str, Item]) -> tuple[str, Sample]:
        return work[0], control_sample(judge, *work)

    for number, (control, sample) in enumerate(in_threads(judged, wanted, threads=workers, name="scorer"), 1):
        passes = sample.strict and sample.official if control == "gold" else sample.strict or sample.official
        counts[control][0] += passes
        counts[control][1] += 1
        faults += filter(None, [fault(control, sample)])
        if watch:
            watch(number, len(wanted))
    gold, wrong = ((passed, total) for passed, total in counts.values())
    return Check(name=name, gold=gold, wrong=wrong, faults=tuple(faults))


def _unreadable(benchmark: Benchmark, wanted: Sequence[tuple[str, Item]]) -> list[str]:
    """Answers that are not read as they were written, in any style."""
    return [
        f"{benchmark.name}:{name} does not read the {control} answer of {item.id} as it was written"
        for name, style in benchmark.styles.items()
        for control, item in wanted
        if style.read(style.write(item.controls[control])) != item.controls[control]
    ]


# ---------------------------------------------------------------------------------------------------
# Scorers


def check_scorer(name: str, setting: Setting | None = None) -> Check:
    """A right and a wrong answer, or a few, for one of SCORERS."""
    began, pairs, name = time.perf_counter(), SCORERS[name], f"scorer {name}"
    try:
        verdicts = pairs(setting or Setting())
    except (RefusedError, UsageError) as error:
        return Check(name=name, skipped=str(error).split("\n")[0])
    gold = [verdict.strict and verdict.official for verdict, is_right in verdicts if is_right]
    wrong = [verdict.strict or verdict.official for verdict, is_right in verdicts if not is_right]
    faults = [
        f"a {'right' if is_right else 'wrong'} answer is judged {verdict.reason}: {verdict.detail}"
        for verdict, is_right in verdicts
        if {verdict.strict, verdict.official} != {is_right}
    ]
    return Check(
        name=name,
        gold=(sum(gold), len(gold)),
        wrong=(sum(wrong), len(wrong)),
        faults=tuple(faults),
        seconds=time.perf_counter() - began,
    )


def _literal(setting: Setting) -> Verdicts:
    from foretrace.evals.scorers.literal import LiteralScorer

    with LiteralScorer(setting) as scorer:
        return [(scorer.score("[1,  2]", "[1, 2]"), True), (scorer.score("[1, 3]", "[1, 2]"), False)]


def _program(setting: Setting) -> Verdicts:
    from foretrace.evals.scorers.program import ProgramScorer

    right, wrong = "def f(n):\n    return n * n\n", "def f(n):\n    return n + n\n"
    with ProgramScorer(setting) as scorer:
        calls: Any = partial(scorer.score_calls, calls=["f(2)", "f(3)"], expected=[4, 9])
        asserts: Any = partial(scorer.score_asserts, test="assert candidate(3) == 9", proxies={"candidate": "f"})
        stdin: Any = partial(scorer.score_stdin, tests=[("2\n", "4\n"), ("3\n", "9\n")])
        found = [(score(source), source is right) for score in (calls, asserts) for source in (right, wrong)]
        programs = {source: source + "print(f(int(input())))\n" for source in (right, wrong)}
        return [*found, *((stdin(program), source is right) for source, program in programs.items())]


def _maths(setting: Setting) -> Verdicts:
    from foretrace.evals.scorers.maths import maths_scorer

    item = Item(id="half", row={"answer": "0.5", "problem": "What is half of one?"})
    with maths_scorer(setting) as score:
        return [(score(item, r"\frac{1}{2}"), True), (score(item, r"\frac{1}{3}"), False)]


SCORERS: dict[str, Callable[[Setting], Verdicts]] = {"literal": _literal, "program": _program, "maths": _maths}
"""Each with answers of known worth; a patch needs a repository, which benchmarks bring."""
