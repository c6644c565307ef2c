"""Python Programming Puzzles: find what makes a function return True (Schuster et al., arXiv:2106.05784; data MIT).

    find_benchmark("puzzles").load(Options(paths=("evaldata",)))[0].row["sat"]         # "def sat(s: str): …"

An answer is a function `sol`, whose value comes out of its sandbox; then the puzzle, which can be trusted, is asked about it
in another process. `sat` must give True itself, and the value must be of the type that the puzzle asks for.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from foretrace.evals.benchmarks.coding import (
    GREEDY,
    LIMITS,
    STOP,
    WRONG_VALUE,
    call_text,
    code_style,
    program_of,
    unanswered,
)
from foretrace.evals.files import DataFile
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Benchmark, Item, Options, Question, Score, Setting, Verdict

DATA = DataFile(
    name="puzzles.json",
    sha256="d3b61141ea0d935c389d602867ba2c154db1854df9ff4402daaa947ad880d8bb",
    rows=1715,
    licence="MIT",
    source="github.com/microsoft/PythonProgrammingPuzzles, puzzles/puzzles.json",
)
ENTRY = "sol"
UNCARRIED = frozenset({"ExponentialCoinMoves:0"})
"""Puzzles whose known solution is right, and gives more than 64 MiB: no gold."""
LENIENT = frozenset({"MaybeReversed:2", "MaybeReversed:3", "StrJoiner:1", "StrJoiner:2", "StrJoiner:3"})
"""Puzzles which nearly any text solves: no wrong answer."""
_TYPES = "from typing import *\n"
_DIGITS = "import sys\nsys.set_int_max_str_digits(0)\n"
"""Run first: some puzzles are about numbers of more digits than Python reads and writes by itself since 3.11."""
_SAT_LIMITS = replace(LIMITS, seconds=60, cpu_seconds=20)
_CHAT = """\
Write the function `sol` below, so that `sat(sol())` is True. Give all of it, with its imports, in one Markdown code block.

```python
{}
```
"""


def items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of the puzzles that have a solution. Those of one name are the same puzzle with other numbers: a group."""
    return [_item(row) for row in rows if row["sol_bodies"]]


def _item(row: Mapping[str, Any]) -> Item:
    head = "\n".join(filter(None, (row["sol_header"], row["sol_docstring"])))
    gold = {} if row["name"] in UNCARRIED else {"gold": row["sol_bodies"][0]}
    wrong = {} if row["name"] in LENIENT else {"wrong": f"    return {WRONG_VALUE}\n"}
    return Item(
        id=row["name"],
        row={
            "prompt": f"{_TYPES}\n{row['sat']}\n\n\n{head}\n",
            "sat": _TYPES + row["sat"],
            "type": row["ans_type"],
        },
        controls={**gold, **wrong},
        group=row["name"].partition(":")[0],
        tags={"answer type": row["ans_type"], "module": row["module"].removesuffix(".py")},
    )


def is_of_type(value: Any, name: str, *, is_exact: bool = True) -> bool:
    """Whether a value is of the type `int`, `str`, `List[List[float]]` …; not exactly, an integer is a float, too."""
    if name.startswith("List["):
        inner = name.removeprefix("List[").removesuffix("]")
        return type(value) is list and all(is_of_type(item, inner, is_exact=is_exact) for item in value)
    kind = type(value).__name__
    return kind == name or (not is_exact and (kind, name) == ("int", "float"))


@dataclass(frozen=True)
class _Puzzle:
    """What is expected of a value."""

    row: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"what the puzzle asks for, of type {self.row['type']}"


@contextmanager
def scorer(setting: Setting) -> Iterator[Score]:
    """Runs `sol()`, then `sat` on what it gives."""
    with ProgramScorer(setting, LIMITS) as programs:

        def is_solved(puzzle: _Puzzle, value: Any) -> tuple[bool, bool]:
            row = puzzle.row
            if not is_of_type(value, row["type"], is_exact=False):
                return False, False
            outcome = programs.call(_DIGITS, [call_text("sat", [value])], setup=row["sat"], limits=_SAT_LIMITS)
            solved = not outcome.error and [called.value for called in outcome.calls] == [True]
            solved = solved and type(outcome.calls[0].value) is bool
            return solved and is_of_type(value, row["type"]), solved

        def score(item: Item, answer: str | None) -> Verdict:
            if answer is None:
                return unanswered()
            setup = program_of(item.row["prompt"], answer, ENTRY)
            return programs.score_calls(_DIGITS, [f"{ENTRY}()"], [_Puzzle(item.row)], setup=setup, same=is_solved)

        yield score


def _ask(item: Item) -> Question:
    prompt = item.row["prompt"]
    return Question(text=prompt, chat=_CHAT.format(prompt.strip()), stop=STOP)


def _load(options: Options) -> list[Item]:
    return items(DATA.read(options.paths))


PUZZLES = Benchmark(
    name="puzzles",
    title="Python Programming Puzzles",
    about="values that make a function return True",
    files=(DATA,),
    load=_load,
    styles={"direct": code_style(_ask, "completion: the form of the paper's prompts; chat: wording ours", GREEDY)},
    scorer=scorer,
    is_executing=True,
    source="Schuster et al., arXiv:2106.05784, MIT",
    note="The 1661 puzzles that have a known solution; many are one puzzle with other numbers, and count as one group.",
)
