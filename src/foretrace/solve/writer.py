"""Who writes programs: any model that `foretrace eval` can ask, a server or an engine of ours, behind one interface.

    writer = Writer.of("http://localhost:8000/v1,model=NAME")       # or the folder of `foretrace train examples`
    writer.propose(task, 8, meter)                                  # texts of programs

A large model is shown the statement. A small one that was taught to find functions from examples (`recipes/examples.py`) is
asked in the words that it was taught. Each question is a chat of its own: what failed is told, and no history.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from foretrace.data.questions import program_question
from foretrace.errors import EndpointError, UsageError
from foretrace.evals.benchmarks.coding import read_code, write_code
from foretrace.evals.subjects import Request, Subject, find_subject
from foretrace.evals.thoughts import after_thought
from foretrace.evals.types import Answer, Item, Question, Sampling, Style
from foretrace.solve.budget import Meter
from foretrace.solve.statement import SolveTask, arguments_of, read_calls
from foretrace.solve.types import Check, Origin
from foretrace.trace.syntax import UNREADABLE, parse

_FUNCTION = "Write the Python function `{entry}`, with all that it needs."
_PROGRAM = "Write a Python program that reads its standard input and prints what is asked for."
_FORM = " Answer with one fenced block of Python, which holds the whole program."
_STYLE = Style(ask=lambda item: Question(), read=read_code, write=write_code)


class Wording(StrEnum):
    """How a task is put."""

    STATEMENT = "statement"
    EXAMPLES = "examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How answers are drawn."""

    temperature: float = 0.8
    """Of all but the first, which is greedy."""
    max_tokens: int = 2048
    """Of an answer."""
    seed: int = 0


class Writer:
    """A model that writes programs and tests."""

    def __init__(self, subject: Subject, wording: Wording = Wording.STATEMENT, drawing: Drawing | None = None) -> None:
        self.subject, self.wording, self.drawing = subject, wording, drawing or Drawing()

    @classmethod
    def of(cls, model: str, wording: Wording | None = None, drawing: Drawing | None = None) -> "Writer":
        """The model of a name; without a wording an embedded one is shown examples, and any other the statement.

        Raises:
            UsageError: there is no such model, or it is none that writes.
            EndpointError: its server cannot be reached.

        """
        subject = find_subject(model)
        if subject.kind not in ("engine", "endpoint"):
            raise UsageError(
                f"{model!r} is no model that writes: name a server, http://HOST:PORT/v1,model=NAME, or a folder"
            )
        is_small = subject.kind == "engine" and not model.startswith("torch:")
        return cls(subject, wording or (Wording.EXAMPLES if is_small else Wording.STATEMENT), drawing)

    def propose(self, task: SolveTask, count: int, meter: Meter, *, turn: int = 0) -> list[str | None]:
        """Programs, the first of the first turn greedy; None where an answer holds none. Fewer if tokens run out."""
        question = question_of(task, self.wording)
        greedy = self._ask(question, 1, meter, f"{turn}", 0.0) if turn == 0 and count else []
        drawn = self._ask(question, count - len(greedy), meter, f"{turn} drawn", self.drawing.temperature)
        return [_program(answer.text) for answer in (*greedy, *drawn)]

    def repair(
        self, task: SolveTask, source: str, failed: Sequence[str], count: int, meter: Meter, turn: int
    ) -> list[str | None]:
        """Programs instead of one that fails; one that is asked by examples alone just tries again."""
        if self.wording is Wording.EXAMPLES:
            return self.propose(task, count, meter, turn=turn)
        question = repair_question(task, source, failed)
        answers = self._ask(question, count, meter, f"{turn} repair", self.drawing.temperature)
        return [_program(answer.text) for answer in answers]

    def devise(self, task: SolveTask, count: int, meter: Meter) -> list[Check]:
        """Tests of its own: calls with literals, and the values that it believes they have."""
        if self.wording is Wording.EXAMPLES or not task.entry or not count:
            return []
        found = [
            check
            for answer in self._ask(question_for_tests(task, count), 1, meter, "tests", 0.0)
            for check in read_calls(after_thought(answer.text) or "", Origin.MODEL)
            if check.expected is not None and arguments_of(check.text, task.entry) is not None
        ]
        known = {check.text for check in task.checks}
        return list({check.text: check for check in found if check.text not in known}.values())[:count]

    def _ask(self, question: str, count: int, meter: Meter, what: str, temperature: float) -> list[Answer]:
        """As many answers as were given, within the budget.

        Raises:
            EndpointError: there is none, as the server fails.

        """
        most = meter.tokens(count, self.drawing.max_tokens) if count > 0 and meter.may_go_on() else 0
        if not most:
            return []
        seed = int.from_bytes(blake2b(f"{self.drawing.seed} {what}".encode(), digest_size=4).digest()) >> 1
        sampling = Sampling(samples=count, temperature=temperature, max_tokens=most, seed=seed)
        item = Item(id="task", row={})
        requests = [Request(item=item, sample=n, question=Question(chat=question)) for n in range(count)]
        found = {request.sample: answer for request, answer in self.subject.answer(requests, _STYLE, sampling)}
        answers = [found[n] for n in sorted(found)]
        for answer in answers:
            meter.written += answer.tokens
            meter.read += answer.prompt_tokens
            meter.cost += answer.cost
        if answers and all(answer.error for answer in answers):
            raise EndpointError(f"{self.subject.name} gives no answer: {answers[0].error}")
        return [answer for answer in answers if not answer.error]


def question_of(task: SolveTask, wording: Wording) -> str:
    """Asks for a program.

    Raises:
        UsageError: it is to be asked by examples, and there are none.

    """
    if wording is Wording.STATEMENT:
        return f"{task.statement.strip()}\n\n{_wanted(task)}{_FORM}"
    if not task.entry or not task.examples:
        raise UsageError(
            "this model writes functions from examples, and the task has none: add lines such as double(4) == 8, "
            "or ask a model that reads statements: --model http://HOST:PORT/v1,model=NAME"
        )
    return program_question(task.entry, task.examples)


def repair_question(task: SolveTask, source: str, failed: Sequence[str]) -> str:
    """Asks for another program than one of which it is known what fails."""
    told = "\n".join(f"- {line}" for line in failed)
    return (
        f"{task.statement.strip()}\n\nThis was tried:\n\n```python\n{source.strip()}\n```\n\nIt is wrong:\n\n{told}\n\n"
        f"Find out why. {_wanted(task)}{_FORM}"
    )


def question_for_tests(task: SolveTask, count: int) -> str:
    """Asks for tests."""
    return (
        f"{task.statement.strip()}\n\nWrite {count} tests of `{task.entry}` that go beyond the examples, edge cases among "
        f"them. Each is one line, `assert {task.entry}(ARGUMENTS) == VALUE`, with literal arguments and a literal value. "
        "Answer with these lines alone."
    )


def _wanted(task: SolveTask) -> str:
    return _FUNCTION.format(entry=task.entry) if task.entry else _PROGRAM


def _program(text: str) -> str | None:
    """The program of an answer, if it is one that can be parsed."""
    answer = after_thought(text)
    code = read_code(answer) if answer is not None else None
    return code.strip() + "\n" if code is not None and normal(code) is not None else None


def normal(source: str) -> str | None:
    """A program in the form in which it is compared: without comments and blank lines; None if it cannot be parsed."""
    try:
        return ast.unparse(parse(source)) + "\n"
    except (*UNREADABLE, ValueError):
        return None
