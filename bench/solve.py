"""Is a solver that verifies itself worth it? Greedy, majority, ranked by prediction, gated, verified: the same tasks and drafts.

    python bench/solve.py runs/examples/sft/checkpoint --keep tiny.jsonl   # the table of docs/solve.md
    python bench/solve.py runs/examples/sft/checkpoint --fit passing.json --seed 1   # the map from `sure` to `passes`

Tasks are functions from examples (`corpus/short_functions.py`) that the writer was not taught. It writes n programs for each,
once; each way of choosing sees the same. What it chooses is judged by hidden examples. Of the checks of all programs it is told
how well the world model foresees them, and what a gate saves. What `--keep` has of an earlier run is not done again.
"""

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.corpus.short_functions import SHOWN, ShortFunction, short_functions
from foretrace.evals.statistics import Share, paired
from foretrace.evals.types import Setting
from foretrace.recipes.examples import FUNCTIONS, HELD_OUT_SEED
from foretrace.solve import Budget, Drawing, Foreseer, Gate, Runner, Select, Writer, read_task
from foretrace.solve.budget import Meter
from foretrace.solve.choice import best
from foretrace.solve.devise import devise
from foretrace.solve.gate import Gated
from foretrace.solve.types import Candidate, Cell, Check, Foreseen, Origin, Ran
from foretrace.solve.writer import normal

CERTAINTIES = (0.8, 0.9, 0.95, 0.99)
BANDS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.001)


@dataclass(slots=True)
class Task:
    """One function, the programs that were written for it, and all that is known of them."""

    function: ShortFunction
    checks: list[Check]
    candidates: list[Candidate]
    is_right: list[bool]
    """By hidden examples."""


def held_out(seed: int, number: int) -> list[ShortFunction]:
    """Functions that are not among those of training."""
    known = {function.source for function in islice(short_functions(0), FUNCTIONS)}
    found: list[ShortFunction] = []
    for _, function in zip(count(), short_functions(HELD_OUT_SEED + (seed << 30)), strict=False):
        if function.source not in known:
            known.add(function.source)
            found.append(function)
        if len(found) == number:
            return found
    raise AssertionError("there are endlessly many functions")


def work(function: ShortFunction, writer: Writer, foreseer: Foreseer, runner: Runner, options: argparse.Namespace) -> Task:
    """Draws programs, foresees their checks, and runs them all."""
    examples = "\n".join(f"f({arguments}) == {value}" for arguments, value in function.examples[:SHOWN])
    asked = read_task(examples)
    meter = Meter(Budget(tokens=None, runs=None, seconds=None))
    candidates: dict[str | None, Candidate] = {}
    for source in writer.propose(asked, options.candidates, meter):
        if source is not None:
            candidates.setdefault(normal(source), Candidate(source=source, votes=0)).votes += 1
    known = list(candidates.values())
    made = devise(known[0].source, asked, count=options.inputs) if known else []
    checks = [*asked.checks, *made]
    hidden = [Check(origin=Origin.STATEMENT, text=f"f({a})", expected=value) for a, value in function.examples[SHOWN:]]
    right = []
    for candidate in known:
        ran = runner.run(candidate.source, [*checks, *hidden])
        foreseen = [foreseer.look(candidate.source, check, "f") for check in checks]
        candidate.cells = [Cell(foreseen=f, ran=r) for f, r in zip(foreseen, ran, strict=False)]
        right.append(all(r.passed for r in ran[: len(asked.checks)]) and all(r.passed for r in ran[len(checks) :]))
    return Task(function, checks, known, right)


def worked(options: argparse.Namespace) -> list[Task]:
    """All tasks; those that an earlier run has kept are not done again, but judged by the map as it is now."""
    writer = Writer.of(options.writer, drawing=Drawing(max_tokens=192, seed=options.seed))
    foreseer = Foreseer.of(options.predictor)
    of = {name: getattr(options, name) for name in ("writer", "predictor", "candidates", "inputs", "seed")}
    kept = list(restored(options.keep, of, foreseer)) if options.keep and options.keep.exists() else []
    functions = held_out(options.seed, options.tasks)
    with Runner(Setting(isolation=options.isolation)) as runner:
        for function in functions[len(kept) :]:
            kept.append(work(function, writer, foreseer, runner, options))
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"of": of, **asdict(kept[-1])}, ensure_ascii=False) + "\n")
    return kept[: options.tasks]


def restored(file: Path, of: dict[str, Any], foreseer: Foreseer) -> Iterator[Task]:
    """Tasks that were kept."""
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["of"] != of:
            raise SystemExit(f"{file} is of {row['of']}, this of {of}; give this run a file of its own")
        checks = [Check(**{**check, "origin": Origin(check["origin"])}) for check in row["checks"]]
        candidates = []
        for told in row["candidates"]:
            pairs = zip(told["cells"], checks, strict=True)
            cells = [
                Cell(foreseen=foreseer.judged(Foreseen(**c["foreseen"]), check), ran=Ran(**c["ran"])) for c, check in pairs
            ]
            candidates.append(Candidate(source=told["source"], votes=told["votes"], cells=cells))
        yield Task(ShortFunction(**row["function"]), checks, candidates, row["is_right"])


def chosen(task: Task, select: Select, gate: Gate) -> tuple[bool, int, int]:
    """Whether what is chosen is right; runs and predictions that it took."""
    if not task.candidates:
        return False, 0, 0
    seen, runs = [], 0
    for candidate in task.candidates:
        cells = []
        for cell in candidate.cells:
            is_run = select is Select.VERIFIED or (select is Select.GATED and not gate.skips(cell.foreseen))
            runs += is_run
            cells.append(Cell(foreseen=cell.foreseen if select.foresees else None, ran=cell.ran if is_run else None))
        seen.append(Candidate(source=candidate.source, votes=candidate.votes, cells=cells))
    predictions = sum(len(candidate.cells) for candidate in seen) if select.foresees else 0
    return task.is_right[best(seen, task.checks, select)], runs, predictions


def outcomes(tasks: Sequence[Task]) -> list[tuple[Foreseen, bool]]:
    """Of the statement's checks of all programs: what was foreseen, and whether they passed."""
    return [
        (cell.foreseen, bool(cell.ran.passed))
        for task in tasks
        for candidate in task.candidates
        for _, cell in candidate.known(task.checks, Origin.STATEMENT)
        if cell.foreseen is not None and cell.ran is not None
    ]


def fitted(pairs: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Slope and shift of a logistic map from log odds, by Newton's method, pulled a little towards the identity."""
    x = np.array([math.log(p / (1 - p)) for p in (min(0.999, max(0.001, sure)) for sure, _ in pairs)])
    y = np.array([passed for _, passed in pairs], dtype=float)
    rows, weights, prior = np.stack([x, np.ones_like(x)], 1), np.array([0.0, 0.0]), 1.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (y - p) - prior * weights
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows + prior * np.eye(2)
        weights = weights + np.linalg.solve(hessian, gradient)
    return float(weights[0]), float(weights[1])


def fit(tasks: Sequence[Task], file: Path) -> None:
    """Writes the map, as `Passing.load` finds it beside a model's weights."""
    found = {}
    for agrees, name in ((True, "agreeing"), (False, "other")):
        pairs = [(f.sure, passed) for f, passed in outcomes(tasks) if f.agrees is agrees and f.sure is not None]
        found[name] = [round(number, 2) for number in fitted(pairs)]
        print(f"{name}: {found[name]}, {len(pairs)} checks, {sum(p for _, p in pairs)} passed")
    file.write_text(json.dumps(found) + "\n", encoding="utf-8")


def table(tasks: Sequence[Task], options: argparse.Namespace) -> None:
    """Prints what there is to know."""
    gate, results = Gate(certainty=options.certainty), {}
    print(
        f"{len(tasks)} tasks, {options.candidates} programs each, {np.mean([len(t.candidates) for t in tasks]):.1f} different"
    )
    for select in Select:
        told = [chosen(task, select, gate) for task in tasks]
        results[select] = [right for right, _, _ in told]
        runs, predictions = (np.mean([one[n] for one in told]) for n in (1, 2))
        share = Share.of(results[select])
        print(f"{select:<10} {share.text():<36} {runs:6.1f} runs {predictions:6.1f} predictions a task")
    print(f"{'any of n':<10} {Share.of(any(task.is_right) for task in tasks).text()}")
    for select in list(Select)[1:]:
        differences = [float(b) - float(a) for a, b in zip(results[Select.GREEDY], results[select], strict=True)]
        print(f"{select:<10} against greedy   {paired(differences, range(len(tasks))).text()}")
    foresight(tasks)


def foresight(tasks: Sequence[Task]) -> None:
    """Prints how good predictions of checks are, and what gates are worth."""
    told = [(f, passed) for f, passed in outcomes(tasks) if f.passes is not None]
    print(f"checks of the statement: {Share.of(p for _, p in told).text()} pass")
    print(f"  verdicts foreseen right   {Share.of(bool(f.agrees) is passed for f, passed in told).text()}")
    cells = [cell for task in tasks for candidate in task.candidates for cell in candidate.cells]
    print(f"  values foreseen right     {Share.of(r for c in cells if (r := c.is_right()) is not None).text()}")
    for low, high in pairwise(BANDS):
        inside = [(f.passes, passed) for f, passed in told if f.passes is not None and low <= f.passes < high]
        if inside:
            mean = np.mean([p for p, _ in inside])
            print(
                f"  P(passes) {low:.2f}–{min(high, 1):.2f}: {mean:.2f} foreseen, {Share.of(p for _, p in inside).text()} pass"
            )
    for certainty in CERTAINTIES:
        found = Gated.of(Gate(certainty=certainty), told)
        parts = [f"{name} {getattr(found, name).text()}" for name in ("skipped", "precision", "recall", "failing")]
        print(f"  gate {certainty:.2f}: {'; '.join(parts)}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("writer")
    parser.add_argument("--predictor", default="tiny")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--inputs", type=int, default=4)
    parser.add_argument("--certainty", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--isolation", default="bubblewrap")
    parser.add_argument("--fit", type=Path, metavar="FILE", help="fit the map; it is found beside a model's weights")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="what is known of each task, and where to go on from")
    options = parser.parse_args()
    tasks = worked(options)
    if options.fit:
        fit(tasks, options.fit)
    else:
        table(tasks, options)


if __name__ == "__main__":
    main()
