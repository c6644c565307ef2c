"""The loop of an agent: ask the policy, do what it says, write down what came of it, until the episode is over.

    Agent(task, policy, desk, watch, journal, setting).run()        # `episodes.run_episode` makes all of these

Every step is on the disk before the policy is asked again. What cannot be carried out is answered, and never ends an
episode; nothing is written that was not said or seen.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from foretrace.forager.budgets import Budgets, Meter, TokenCounter, estimate_tokens
from foretrace.forager.format import observation
from foretrace.forager.journal import Journal
from foretrace.forager.policies.types import History, OutOfContextError, Policy
from foretrace.forager.state import Watch
from foretrace.forager.task import Task
from foretrace.forager.tools import TOOLS, Desk, ToolResult
from foretrace.forager.trajectory import USER, Action, Ending, Result, Step, Trajectory, loss_of
from foretrace.sandbox.environment import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How episodes are run."""

    budgets: Budgets = field(default_factory=Budgets)
    backend: str = "bubblewrap"
    preamble: str = ""
    """First sentences of the first message, if a model wants its own."""
    count: TokenCounter = estimate_tokens
    """For what no server counts."""
    on_step: Callable[[Task, Step], None] | None = None
    """Told each step once it is recorded."""
    on_snapshot: Callable[[Task, Step, Snapshot], None] | None = None
    """Given the files as they are after each step, to keep or to close; the step has the snapshot's name."""


class Agent:
    """A policy at work on a task, at a desk; it goes on after the last step in its journal, which has been begun."""

    def __init__(self, task: Task, policy: Policy, desk: Desk, watch: Watch, journal: Journal, setting: Setting) -> None:
        self.task, self.policy, self.desk, self.watch, self.setting = task, policy, desk, watch, setting
        self._journal = journal
        self.meter = Meter(setting.budgets, setting.count)
        for text in (self.so_far.header.system, self.so_far.header.prompt):
            self.meter.see(text)
        for step in self.so_far.steps:
            self.meter.add(step)

    @property
    def so_far(self) -> Trajectory:
        """What has happened."""
        assert self._journal.trajectory is not None
        return self._journal.trajectory

    def run(self) -> Trajectory:
        """Steps, until there is an ending.

        Raises:
            EndpointError: the policy's server fails. What is done is kept, and can be gone on with.
            SandboxError: the environment fails; the same holds.

        """
        while (ending := self._ending()) is None:
            began = time.time()
            try:
                action = self.policy.act(self._history())
            except OutOfContextError:
                ending = Ending.TOKENS
                break
            self._record(self._step(action, began))
        return self._journal.finish(self._result(ending))

    def _ending(self) -> Ending | None:
        steps = self.so_far.steps
        if steps and not steps[-1].role:
            return Ending.SUBMITTED if self._submission() else Ending.GAVE_UP
        return self.meter.exceeded()

    def _history(self) -> History:
        return History(
            task=self.task,
            system=self.so_far.header.system,
            prompt=self.so_far.header.prompt,
            steps=self.so_far.steps,
            turns_left=self.meter.turns_left,
            tokens_left=self.meter.tokens_left,
            reply_tokens=self.setting.budgets.reply,
            fork=self.desk.environment.fork,
        )

    def _step(self, action: Action, began: float) -> Step:
        """Does what an action says."""
        header, number = self.so_far.header, len(self.so_far.steps) + 1
        loss = loss_of(header.seed, header.episode, number)
        step = Step(number=number, action=action, began=round(began, 3), state=self.watch.state, loss=loss)
        problem = self._problem(action)
        if problem:
            return replace(step, role=USER, observation=problem, refused=True, ok=False)
        if not action.tool:
            return step  # the last one: nobody answers
        left = self.setting.budgets.seconds - self.meter.seconds
        self.desk.command_seconds = max(1.0, min(self.setting.budgets.command_seconds, left))
        return self._answered(step, self.desk.call(action.tool, action.argument))

    def _problem(self, action: Action) -> str:
        """Why an action is not carried out, as the policy is told; empty if it is."""
        if action.problem:
            return action.problem
        if action.tool:
            known = ", ".join(TOOLS)
            return "" if action.tool in TOOLS else f"there is no tool {action.tool!r}; there are: {known}. Nothing was run"
        if action.ends or self._submission():
            return ""
        return "nothing is submitted yet, and this message calls no tool: call one, in the form <tool: NAME>, lines, </tool>"

    def _answered(self, step: Step, result: ToolResult) -> Step:
        """The step with what the tool answered, as the policy sees it, and with what became of the files."""
        changes, state = self.watch.look()
        spent = self.meter.tokens_of(step.action.thought + step.action.content) + self.meter.tokens_of(result.output)
        turns, tokens = self.meter.turns_left - 1, max(0, self.meter.tokens_left - spent)
        return replace(
            step,
            role=f"tool: {step.action.tool}",
            observation=observation(result.output, turns=turns, tokens=tokens),
            ok=result.ok,
            code=result.code,
            status=result.status,
            dropped=result.dropped,
            submission=result.submission,
            changes=changes,
            state=state,
            seconds=result.seconds,
        )

    def _record(self, step: Step) -> None:
        if self.setting.on_snapshot is not None:
            snapshot = self.desk.environment.snapshot()
            step = replace(step, snapshot=snapshot.id)
            self.setting.on_snapshot(self.task, step, snapshot)
        self._journal.append(step)
        self.meter.add(step)
        if self.setting.on_step is not None:
            self.setting.on_step(self.task, step)

    def _result(self, ending: Ending) -> Result:
        meter = self.meter
        return Result(
            ending=ending,
            submission=self._submission(),
            diff=self.watch.diff(),
            state=self.watch.state,
            turns=meter.turns,
            tokens=meter.tokens,
            cost=round(meter.cost, 9),
            seconds=round(meter.seconds, 6),
        )

    def _submission(self) -> str:
        return next((step.submission for step in reversed(self.so_far.steps) if step.submission is not None), "")
