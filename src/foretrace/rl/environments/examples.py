"""A function from examples: some calls and their values are shown, others decide.

    task = examples_task("7", "double", shown=[("2", "4"), ("0", "0")], hidden=[("7", "14"), ("-1", "-2")])

The question is that of `data/questions.py`, which models are fine-tuned on. The policy answers with the function's source,
in a fenced block or bare. It runs in the sandbox, where it gets arguments and nothing that is expected; a function that
only knows the shown examples fails.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.questions import program_question
from foretrace.data.tokenizer import Tokenizer
from foretrace.evals.scorers.literal import parse_literal
from foretrace.evals.types import Setting
from foretrace.rl.environments.dialogue import Dialogue, code_in
from foretrace.rl.environments.judges import Judges, known
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.sandbox import SandboxLimits

NAME = "examples"
LIMITS = SandboxLimits(seconds=4, cpu_seconds=2, memory_mb=512, file_mb=4)
_KEPT = 1 << 12
"""Programs whose verdicts are kept: rollouts of a group often say the same, and running it is what takes time."""
Example = tuple[str, str]
"""The text of an argument list, and the literal of the value."""


def examples_task(id: str, entry: str, *, shown: Sequence[Example], hidden: Sequence[Example]) -> Task:
    """A task: write the function called `entry`."""
    data = {"entry": entry, "shown": [list(e) for e in shown], "hidden": [list(e) for e in hidden]}
    return Task(environment=NAME, id=id, data=data)


class FunctionFromExamples(PlainStates):
    """One action: the source."""

    name = NAME

    def __init__(self, tokenizer: Tokenizer, *, think: bool = False, setting: Setting | None = None) -> None:
        """`setting`: of the sandbox in which answers run."""
        self._dialogue = Dialogue(tokenizer, think=think)
        self._judges = Judges(setting or Setting(repeats=0))
        self._wrong = lru_cache(_KEPT)(self._judge)
        self.stop = self._dialogue.stop

    def start(self, task: Task, seed: int) -> Transition:
        """The state is the task."""
        question = program_question(task.data["entry"], task.data["shown"])
        return Transition(state=task, observation=self._dialogue.opening([Message("user", question)]))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """Runs what was written. `outcome`: `right`; `shown`, whether the shown examples hold; `reason`, why it is wrong."""
        said = self._dialogue.read(action)
        source = code_in(said.text) or said.text
        if said.problem or not source.strip():
            return _over(state, right=False, shown=False, reason=said.problem or "nothing was written")
        examples = (tuple(map(tuple, state.data[name])) for name in ("shown", "hidden"))
        shown, hidden = self._wrong(source, state.data["entry"], *examples)
        return _over(state, right=not (shown or hidden), shown=not shown, reason=shown or hidden)

    def _judge(self, source: str, entry: str, shown: tuple[Example, ...], hidden: tuple[Example, ...]) -> tuple[str, str]:
        """What of the shown examples does not hold, and if they all do, what of the hidden ones; empty if all do."""
        wrong = self._fault(source, entry, shown)
        return wrong, "" if wrong else self._fault(source, entry, hidden)

    def _fault(self, source: str, entry: str, examples: Sequence[Example]) -> str:
        expected = [parse_literal(value)[1] for _, value in examples]
        with self._judges.program() as judge:
            calls = [f"{entry}({arguments})" for arguments, _ in examples]
            verdict = known(judge.score_calls(source, calls, expected, limits=LIMITS))
        return "" if verdict.strict else f"{verdict.reason}: {verdict.detail}"


def _over(state: Any, **outcome: Any) -> Transition:
    return Transition(state=state, is_over=True, outcome=outcome)
