"""What a policy is: it is shown all that has happened, and says what to do next.

    class Stubborn(Policy):
        name = "stubborn"
        def act(self, history: History) -> Action:
            return Action.call("bash", "python -m pytest -q")

Most policies decide by the history alone. One object then serves many episodes at a time, and an episode that was killed
goes on where it stopped. A policy that keeps a state of its own says so (`resumable`), and is made anew for each episode.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from foretrace.errors import ForetraceError
from foretrace.forager.task import Task
from foretrace.forager.trajectory import Action, JsonObject, Step, chat_of
from foretrace.sandbox.environment import Environment


class OutOfContextError(ForetraceError):
    """The conversation is longer than the model can read: the episode ends as if its tokens were used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that has happened in an episode."""

    task: Task
    system: str
    prompt: str
    steps: tuple[Step, ...] = ()
    turns_left: int = 1
    tokens_left: int = 1
    reply_tokens: int | None = None
    """As many may the next message have; None: as many as the server allows."""
    fork: Callable[[], Environment] | None = None
    """A copy of the environment as it is now, to try things in. Nothing that is done there is recorded: a policy says in
    `Action.info` what it tried."""

    @property
    def submitted(self) -> bool:
        """Whether there is a submission."""
        return any(step.submission is not None for step in self.steps)

    def messages(self) -> list[dict[str, str]]:
        """As a chat: see `trajectory.chat_of`."""
        return chat_of(self.system, self.prompt, self.steps)


class Policy(ABC):
    """Decides what to do."""

    name: str
    functions: bool = False
    """Whether it is told of the tools as functions, apart from the messages, rather than in the first message."""
    resumable: ClassVar[bool] = True
    """Whether it can go on in the middle of an episode that another process has begun."""

    @abstractmethod
    def act(self, history: History) -> Action:
        """The next action.

        Raises:
            OutOfContextError: the conversation has become too long for it.
            EndpointError: its server fails. The episode is left as it is, and can be taken up again.

        """

    def settings(self) -> JsonObject:
        """What its actions depend on, in JSON."""
        return {}
