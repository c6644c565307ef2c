r"""Mathematics: one thought that ends, one `\boxed{…}`; with a Python tool if it is asked for.

As in CWM (report, section 5.3): with the tool, at most four calls of ten seconds each, in a sandbox that keeps nothing
between them. Only the last turn, which calls nothing, is an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.tokenizer import Tokenizer
from foretrace.evals.scorers.boxes import open_box
from foretrace.evals.scorers.maths import read_boxed
from foretrace.evals.types import Item, Setting
from foretrace.rl.environments.dialogue import Dialogue
from foretrace.rl.environments.judges import Judges, known
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.sandbox import SandboxLimits

NAME = "maths"
_ASKED = "Solve this problem. Put the answer, and nothing else, in one \\boxed{}.\n\n"
_TOOL = """You can run Python: write

<tool: python>
print(6 * 7)
</tool>

and what it prints comes back. At most {calls} calls, one in a message.

"""
_CALLS = 4
_LIMITS = SandboxLimits(seconds=10, cpu_seconds=10, memory_mb=1024, file_mb=4)
_SHOWN = 4_000
"""Characters of what a program printed."""


@dataclass(frozen=True, slots=True)
class _State:
    task: Task
    calls: int = 0


def maths_task(id: str, problem: str, answer: str) -> Task:
    """A task: the answer is LaTeX, as in a box."""
    return Task(environment=NAME, id=id, data={"problem": problem, "answer": answer})


class Mathematics(PlainStates):
    """One action, or more with the tool."""

    name = NAME

    def __init__(
        self, tokenizer: Tokenizer, *, think: bool = True, tool: bool = False, setting: Setting | None = None
    ) -> None:
        """`tool`: whether Python may be run; `setting`: of the sandbox."""
        self._dialogue, self._tool = Dialogue(tokenizer, think=think), tool
        self._setting = setting or Setting(repeats=0)
        self._judges = Judges(self._setting)
        self.stop = self._dialogue.stop

    def start(self, task: Task, seed: int) -> Transition:
        """Shows the problem."""
        asked = (_TOOL.format(calls=_CALLS) if self._tool else "") + _ASKED + task.data["problem"]
        return Transition(state=_State(task), observation=self._dialogue.opening([Message("user", asked)]))

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """Runs what is called, or judges the answer. `outcome`: `right`; `reason`, why it is not; `calls` of the tool."""
        said = self._dialogue.read(action)
        if said.problem:
            return self._over(state, right=False, reason=said.problem)
        if said.calls and self._tool:
            if len(said.calls) > 1 or said.calls[0].name != "python" or state.calls >= _CALLS:
                return self._over(state, right=False, reason=f"one call of python in a message, {_CALLS} in all")
            answer = Message("tool", self._run(said.calls[0].content), tool="python")
            return Transition(state=replace(state, calls=state.calls + 1), observation=self._dialogue.answer(answer))
        item = Item(id=state.task.id, row={"answer": state.task.data["answer"], "problem": state.task.data["problem"]})
        with self._judges.maths() as score:
            verdict = known(score(item, read_boxed(said.text)))
        return self._over(
            state, right=verdict.strict, reason="" if verdict.strict else f"{verdict.reason}: {verdict.detail}"
        )

    def _run(self, source: str) -> str:
        with open_box(self._setting, preload=["foretrace.sandbox.script"]) as box:
            result = box.run("foretrace.sandbox.script:run", source.encode("utf-8", "replace"), _LIMITS)
        text = (result.stdout + result.stderr).decode("utf-8", "replace")
        return text[:_SHOWN] or f"(nothing was printed; it ended: {result.status})"

    def _over(self, state: _State, **outcome: Any) -> Transition:
        return Transition(state=state, is_over=True, outcome=outcome | {"calls": state.calls})
