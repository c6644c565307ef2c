"""Contest programs: a statement, one program, and tests of standard input and output that must all pass.

As in CWM (report, section 5.3): one thought that ends, exactly one block of code, every test within its limits.
"""

from collections.abc import Sequence
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.tokenizer import Tokenizer
from foretrace.evals.types import Setting
from foretrace.rl.environments.dialogue import Dialogue, code_in
from foretrace.rl.environments.judges import Judges, known
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.sandbox import SandboxLimits

NAME = "contest"
_ASKED = """Solve this problem with a Python program that reads standard input and writes standard output.
Answer with exactly one block of code between ```python and ```.

"""


def contest_task(
    id: str, statement: str, tests: Sequence[tuple[str, str]], *, seconds: float = 6.0, environment: str = NAME
) -> Task:
    """A task.

    Args:
        id: its name.
        statement: what the policy is told.
        tests: standard inputs and outputs, which it is not.
        seconds: for one test.
        environment: that it is of; `agentic` gives tools, too.

    """
    data = {"statement": statement, "tests": [list(test) for test in tests], "seconds": seconds}
    return Task(environment=environment, id=id, data=data)


class ContestProgram(PlainStates):
    """One action: the program."""

    name = NAME

    def __init__(self, tokenizer: Tokenizer, *, think: bool = True, setting: Setting | None = None) -> None:
        """`setting`: of the sandbox in which programs run."""
        self._dialogue = Dialogue(tokenizer, think=think)
        self._judges = Judges(setting or Setting(repeats=0))
        self.stop = self._dialogue.stop

    def start(self, task: Task, seed: int) -> Transition:
        """The state is the task."""
        opening = self._dialogue.opening([Message("user", _ASKED + task.data["statement"])])
        return Transition(state=task, observation=opening)

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """Runs the program. `outcome`: `right`; `reason`, why it is not."""
        said = self._dialogue.read(action)
        outcome = {"right": False, "reason": said.problem}
        if not said.problem:
            outcome = judge_program(self._judges, state, code_in(said.text))
        return Transition(state=state, is_over=True, outcome=outcome)


def judge_program(judges: Judges, task: Task, source: str | None) -> dict[str, Any]:
    """Whether a program passes all tests of a task: `right`, and `reason`, why it does not."""
    if source is None:
        return {"right": False, "reason": "there is not exactly one block of code"}
    seconds: float = task.data["seconds"]
    limits = SandboxLimits(seconds=2 * seconds, cpu_seconds=max(1, round(seconds)), memory_mb=1024, file_mb=64)
    with judges.program() as judge:
        verdict = known(judge.score_stdin(source, [(a, b) for a, b in task.data["tests"]], limits=limits))
    return {"right": verdict.strict, "reason": "" if verdict.strict else f"{verdict.reason}: {verdict.detail}"}
