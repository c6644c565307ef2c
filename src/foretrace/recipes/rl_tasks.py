"""Tasks and environments of a reinforcement-learning run, by name.

    read_tasks(Tasks(name="functions", environment="examples", source="short:2000", seed=1 << 41))
    open_environments(("examples",), tokenizer, Worlds())

A source is `short:COUNT` (functions from examples), `synthesised:COUNT` or `fresh:COUNT` (calls whose value is
asked for), a file of JSON Lines (`id` and `data` of a task), or, of software engineering, a run of `foretrace forage`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from foretrace.corpus.short_functions import SHOWN, short_functions
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import FormatError, UsageError
from foretrace.evals.benchmarks import find_benchmark
from foretrace.evals.traces import held_out_cases
from foretrace.evals.types import Options, Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.campaign import Campaign
from foretrace.forager.runs import Run
from foretrace.rl.environments.agentic import AgenticCoding
from foretrace.rl.environments.contest import ContestProgram
from foretrace.rl.environments.examples import FunctionFromExamples, examples_task
from foretrace.rl.environments.maths import Mathematics
from foretrace.rl.environments.output import OutputPrediction, output_task
from foretrace.rl.environments.swe import SoftwareEngineering, swe_tasks
from foretrace.rl.stages import Stage
from foretrace.rl.types import Environment, Task

KINDS = ("output", "examples", "contest", "maths", "agentic", "swe")
"""Names of environments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """A set of tasks."""

    name: str
    environment: str
    """One of `KINDS`."""
    source: str
    seed: int = 0
    """Of what is made here."""
    apart: int = 0
    """Of short functions: none of the first so many, which a model may have been fine-tuned on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """How environments are set up."""

    isolation: str = "bubblewrap"
    """Of the sandbox: `bubblewrap`, or `process`, which has weaker walls."""
    think: bool = False
    """Whether a turn begins with a thought, as CWM's do."""
    maths_tool: bool = False
    jumps: bool = False
    """Whether outputs are predicted without the trace before them."""
    turns: int = 128
    tokens: int = 131_072
    """Of an episode with tools."""


def read_tasks(tasks: Tasks, known: set[str] | None = None) -> list[Task]:
    """The tasks of a set.

    Args:
        tasks: see there.
        known: sources of short functions that are in other sets; those of this one are not among them, and are put there.

    Raises:
        UsageError: there is no such source or environment.
        FormatError: a file is none of tasks.

    """
    if tasks.environment not in KINDS:
        raise UsageError(f"{tasks.name}: no environment {tasks.environment!r}; there are: {', '.join(KINDS)}")
    kind, _, number = tasks.source.partition(":")
    made = {"synthesised": _synthesised, "fresh": _fresh}.get(kind)
    if kind == "short" and number.isdecimal():
        known = set() if known is None else known
        known.update(function.source for function in islice(short_functions(0), tasks.apart))
        found = list(function_tasks(tasks.seed, int(number), known))
    elif made is not None and number.isdecimal():
        found = list(made(int(number), tasks))
    elif tasks.environment == "swe":
        found = swe_tasks(Run.open(Path(tasks.source)))
    elif Path(tasks.source).is_file():
        found = list(_lines(Path(tasks.source), tasks.environment))
    else:
        raise UsageError(
            f"{tasks.name}: there are no tasks in {tasks.source!r}; name a file of them, or short:COUNT, synthesised:COUNT, "
            "fresh:COUNT"
        )
    wrong = next((task for task in found if task.environment != tasks.environment), None)
    if wrong is not None:
        raise UsageError(f"{tasks.name}: {tasks.source} has tasks of {wrong.environment!r}, not of {tasks.environment!r}")
    return found


def open_environments(
    kinds: Iterable[str], tokenizer: Tokenizer, worlds: Worlds, stage: Stage, swe: str = ""
) -> dict[str, Environment]:
    """Environments by name.

    Args:
        kinds: their names.
        tokenizer: of the policy.
        worlds: how they are set up.
        stage: of the run, which says how many hints are given.
        swe: the forager's run that has the instances of software engineering.

    """
    setting = Setting(isolation=worlds.isolation, repeats=0)
    budgets = Budgets(turns=worlds.turns, tokens=worlds.tokens)
    think = worlds.think

    def software() -> Environment:
        campaign, shares = Campaign(run=Run.open(Path(swe))), {"bash_only": stage.bash_only, "hints": stage.hints}
        return SoftwareEngineering(tokenizer, campaign, think=think, budgets=budgets, **shares)

    make: dict[str, Callable[[], Environment]] = {
        "output": lambda: OutputPrediction(tokenizer, jumps=worlds.jumps),
        "examples": lambda: FunctionFromExamples(tokenizer, think=think, setting=setting),
        "contest": lambda: ContestProgram(tokenizer, think=think, setting=setting),
        "maths": lambda: Mathematics(tokenizer, think=think, tool=worlds.maths_tool, setting=setting),
        "agentic": lambda: AgenticCoding(tokenizer, think=think, budgets=budgets, setting=setting),
        "swe": software,
    }
    return {kind: make[kind]() for kind in dict.fromkeys(kinds)}


def function_tasks(seed: int, number: int, known: set[str]) -> Iterator[Task]:
    """Functions to be found, of seeds from `seed` on, whose sources are not among `known`, and are put there."""
    enough = len(known) + number
    for at, function in zip(count(seed), short_functions(seed), strict=False):
        if len(known) == enough:
            return
        if function.source not in known:
            known.add(function.source)
            shown, hidden = function.examples[:SHOWN], function.examples[SHOWN:]
            yield examples_task(str(at), function.entry, shown=shown, hidden=hidden)


def _synthesised(number: int, tasks: Tasks) -> Iterator[Task]:
    for case in held_out_cases(number, tasks.seed):
        yield output_task(case.name, case.source, case.entry, case.arguments, case.expected)


def _fresh(number: int, tasks: Tasks) -> Iterator[Task]:
    items = find_benchmark("fresh").load(Options(count=number, seed=tasks.seed or None))
    for at, row in enumerate(item.row for item in items):
        yield output_task(f"fresh-{at}", row["code"], "f", row["input"], row["output"])


def _lines(file: Path, environment: str) -> Iterator[Task]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                yield Task(environment=environment, id=str(record["id"]), data=dict(record["data"]))
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(f"{file}, line {number}: a task is an object with id and data") from error
