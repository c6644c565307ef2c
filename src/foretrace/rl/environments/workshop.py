"""Episodes with tools in a box: bash, view, create, edit, submit, one call a turn, as in the forager's loop.

A subclass says where an episode takes place and what its end is worth. The turns are the policy's, the tools, the text of
their answers and the budgets those of `foretrace.forager`; only that all is in tokens here, and that a state can be cloned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import FormatError
from foretrace.forager.budgets import Budgets
from foretrace.forager.format import observation, read_call
from foretrace.forager.tools import TOOLS, Desk
from foretrace.rl.environments.dialogue import Dialogue
from foretrace.rl.types import Task, Transition
from foretrace.sandbox.environment import Environment


@dataclass(slots=True)
class Bench:
    """The state of an episode: used up by a step."""

    task: Task
    environment: Environment
    desk: Desk
    tokens: int = 0
    """Of the conversation so far."""
    turns: int = 0
    refusals: int = 0
    """In a row."""
    submission: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """What a subclass needs."""
    tools: frozenset[str] = frozenset(TOOLS)
    """That this episode has."""


class Workshop:
    """What environments with tools share."""

    tools: frozenset[str] = frozenset(TOOLS)
    """That episodes have."""

    def __init__(self, tokenizer: Tokenizer, *, think: bool = False, budgets: Budgets | None = None) -> None:
        self._dialogue = Dialogue(tokenizer, think=think)
        self.stop = self._dialogue.stop
        self.budgets = budgets or Budgets()

    # ---- what a subclass says

    def begin(self, task: Task, seed: int) -> tuple[Environment, dict[str, Any], list[Message]]:
        """Opens the place of an episode; what is needed later; what the policy is told."""
        raise NotImplementedError

    def tools_of(self, task: Task, seed: int) -> frozenset[str]:
        """The tools of an episode."""
        return self.tools

    def judge(self, state: Bench, text: str) -> dict[str, Any]:
        """The outcome, `right` in it, of an episode that ends with a message; empty if that is none to end with."""
        raise NotImplementedError

    # ---- `Environment`

    def start(self, task: Task, seed: int) -> Transition:
        """Opens the box and shows the task."""
        environment, extra, messages = self.begin(task, seed)
        opening = self._dialogue.opening(messages)
        state = Bench(
            task, environment, self._desk(environment), tokens=len(opening), extra=extra, tools=self.tools_of(task, seed)
        )
        return Transition(state=state, observation=opening)

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """Does what a turn says. What cannot be done is answered, and ends an episode only if it goes on and on."""
        state.turns += 1
        state.tokens += len(action)
        said = self._dialogue.read(action)
        if said.problem:
            return self._refused(state, said.problem)
        try:
            call = read_call(said.text)
        except FormatError as error:
            return self._refused(state, str(error))
        if call is None:
            outcome = self.judge(state, said.text)
            return self._over(state, outcome) if outcome else self._refused(state, "this message calls no tool: call one")
        if call.tool not in state.tools:
            return self._refused(state, f"there is no tool {call.tool!r}; there are: {', '.join(sorted(state.tools))}")
        state.refusals = 0
        result = state.desk.call(call.tool, call.argument)
        if result.submission is not None:
            state.submission = result.submission
        left = max(0, self.budgets.turns - state.turns)
        tokens = max(0, self.budgets.tokens - state.tokens)
        shown = observation(result.output, turns=left, tokens=tokens)
        return self._answered(state, Message("tool", shown, tool=call.tool))

    def clone(self, state: Any) -> Any:
        """A fork of the box, with its files as they are and a shell of its own in the same folder."""
        environment = state.environment.fork()
        desk = self._desk(environment)
        desk.shell.run(f"cd {state.desk.shell.cwd!r}", seconds=self.budgets.command_seconds)
        copied = (state.tokens, state.turns, state.refusals, state.submission, dict(state.extra), state.tools)
        return Bench(state.task, environment, desk, *copied)

    def close(self, state: Any) -> None:
        """Ends the box."""
        state.environment.close()

    def _desk(self, environment: Environment) -> Desk:
        return Desk(environment, command_seconds=self.budgets.command_seconds, characters=self.budgets.observation)

    def _refused(self, state: Bench, problem: str) -> Transition:
        state.refusals += 1
        if state.refusals >= self.budgets.refusals:
            return self._over(state, self.judge(state, "") or {"right": False, "reason": problem})
        return self._answered(state, Message("user", problem))

    def _answered(self, state: Bench, message: Message) -> Transition:
        answer = self._dialogue.answer(message)
        state.tokens += len(answer)
        if state.turns >= self.budgets.turns or state.tokens >= self.budgets.tokens:
            return self._over(state, self.judge(state, "") or {"right": False, "reason": "its budget is used up"})
        return Transition(state=state, observation=answer)

    def _over(self, state: Bench, outcome: dict[str, Any]) -> Transition:
        self.close(state)
        return Transition(state=None, is_over=True, outcome=outcome | {"turns": state.turns})
