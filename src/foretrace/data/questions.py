"""Questions with known answers from recorded calls, as conversations for fine-tuning.

Two tasks, both answered by executions and by nobody's judgement: what does a call return (CRUXEval's output
prediction), and which function gives these results (programming by example).

    for conversation in conversations(open_dataset(Path("traces")), seed=0):
        conversation["messages"]      # [{"role": "user", "content": ...}, {"role": "assistant", "content": ...}]
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from foretrace.data.dataset import Dataset
from foretrace.errors import UsageError
from foretrace.trace import Outcome

TASKS = ("output", "program")
_COLUMNS = ("subject", "source", "entry", "arguments", "outcome", "value", "kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked of a function."""

    tasks: tuple[str, ...] = TASKS
    calls: int = 2
    """Calls of a function at most whose results are asked for."""
    examples: int = 4
    """Calls shown for a function that is to be written; at least three, with two different results."""
    max_lines: int = 8
    """Longest function to be written."""
    max_characters: int = 200
    """Longest arguments or result."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.tasks) - set(TASKS))
        if unknown:
            raise UsageError(f"no task called {unknown[0]!r}; known: {', '.join(TASKS)}")


def output_question(source: str, entry: str, arguments: str) -> str:
    """Asks for the result of one call."""
    return f"{source.rstrip()}\n\nWhat does {entry}({arguments}) return?"


def program_question(entry: str, examples: Sequence[tuple[str, str]]) -> str:
    """Asks for a function by examples, each the text of an argument list and of its result."""
    lines = "\n".join(f"{entry}({arguments}) == {value}" for arguments, value in examples)
    return f"{lines}\n\nWrite the function {entry}."


def conversations(dataset: Dataset, asking: Asking = Asking(), seed: int = 0) -> Iterator[dict[str, Any]]:
    """Conversations about every function of a dataset, in its order: `task`, `subject`, `messages`.

    The same dataset and seed give the same conversations.
    """
    for subject, calls in _functions(dataset, asking.max_characters):
        draw = random.Random(f"{seed} {subject}")
        chosen = draw.sample(calls, len(calls))
        if "output" in asking.tasks:
            for call in chosen[: asking.calls]:
                question = output_question(call["source"], call["entry"], call["arguments"])
                yield _conversation("output", subject, question, call["value"])
        examples = chosen[: asking.examples]
        if "program" in asking.tasks and _can_be_written(examples, asking.max_lines):
            shown = [(call["arguments"], call["value"]) for call in examples]
            yield program_conversation(subject, calls[0]["source"], calls[0]["entry"], shown)


def program_conversation(subject: str, source: str, entry: str, examples: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A conversation in which a function is asked for by examples, and written."""
    return _conversation("program", subject, program_question(entry, examples), source.strip())


def _functions(dataset: Dataset, max_characters: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Functions, each with those of its calls that return and are short. A function's calls stand together in a
    dataset.
    """
    rows = (row for batch in dataset.traces.batches(_COLUMNS) for row in batch.to_pylist())
    for subject, group in groupby(rows, key=lambda row: row["subject"]):
        calls = [row for row in group if _is_askable(row, max_characters)]
        if calls:
            yield subject, calls


def _is_askable(row: dict[str, Any], max_characters: int) -> bool:
    returned = row["outcome"] == Outcome.RETURNED and row["entry"] != "<module>" and row["value"] is not None
    return returned and len(row["arguments"]) <= max_characters and len(row["value"]) <= max_characters


def _can_be_written(examples: list[dict[str, Any]], max_lines: int) -> bool:
    results = {call["value"] for call in examples}
    return len(examples) >= 3 and len(results) >= 2 and examples[0]["source"].strip().count("\n") < max_lines


def _conversation(task: str, subject: str, question: str, answer: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"task": task, "subject": subject, "messages": messages}
