"""What reinforcement learning speaks of: tasks, what environments answer, rollouts and groups of them.

    transition = environment.start(task, seed)                    # its state is in here, not in the environment
    transition = environment.step(transition.state, action)       # token ids in, token ids out: nothing is tokenised again
    Rollout(task=task, tokens=…, versions=…, logprobs=…, rewards=(1.0,), …)

Names as in CWM's release (`Env.start`, `Env.step`, `Transition`). States are outside, so an episode can be continued from
any of its states, any number of times.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ENVIRONMENT = -1
"""In place of a policy's version: the environment wrote this token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One problem of an environment."""

    environment: str
    """Its name."""
    id: str
    """Unique among the tasks of the environment."""
    data: Mapping[str, Any]
    """JSON values, what is hidden from the policy among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What comes of a start or an action."""

    state: Any
    """Of the episode, to be handed to the next step, which may use it up: whoever wants to try two ways clones it."""
    observation: tuple[int, ...] = ()
    """Tokens that the policy sees before it acts (again)."""
    is_over: bool = False
    outcome: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that rewards are made of, and that people read: `{"right": True}`."""


Reward = Callable[[Transition, Sequence[int]], float]
"""Of what came of an action, and the action's tokens, which share it. Rewards know nothing of environments' insides."""


class LostError(Exception):
    """The state of an episode is gone, and not by a fault of its environment: a node died. It can be begun again."""


class Environment(Protocol):
    """Where a policy acts. Many threads may use one: it keeps nothing of an episode."""

    name: str
    stop: frozenset[int]
    """Tokens that end an action; they belong to it."""

    def start(self, task: Task, seed: int) -> Transition:
        """Begins an episode; the observation is the prompt, from the beginning-of-text token on."""

    def step(self, state: Any, action: Sequence[int]) -> Transition:
        """What comes of an action, which may end without a stop token if a limit cut it.

        Raises:
            LostError: see there. Any other error ends the run.

        """

    def clone(self, state: Any) -> Any:
        """A state from which an episode goes on as from this one, and which does not notice what is done with it."""

    def close(self, state: Any) -> None:
        """Lets go of what a state holds. An episode that is over has let go by itself."""


class PlainStates:
    """For environments whose states are plain values that no step changes."""

    def clone(self, state: Any) -> Any:
        """The state itself."""
        return state

    def close(self, state: Any) -> None:
        """Nothing is held."""


class Ending(StrEnum):
    """Why a rollout is over."""

    OVER = "over"
    """The environment says so."""
    LENGTH = "length"
    """It has as many tokens, or turns, as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One episode of a policy, in tokens as they were drawn. N of them."""

    task: Task
    seed: int
    """Of the environment, shared by the group."""
    member: int
    """Number in its group; what it draws depends on it."""
    tokens: NDArray[np.int32]
    """(N,)"""
    versions: NDArray[np.int32]
    """(N,): which version of the policy wrote each token; `ENVIRONMENT`: none did."""
    logprobs: NDArray[np.float32]
    """(N,): of each token of the policy, under the distribution that it was drawn from; 0 elsewhere."""
    rewards: tuple[float, ...]
    """One an action."""
    ending: Ending
    outcome: Mapping[str, Any]
    """Of the last transition."""
    seconds: float = 0.0
    """From its start to its end, by the clock."""

    @property
    def value(self) -> float:
        """Its return: the sum of rewards."""
        return sum(self.rewards)

    @property
    def actions(self) -> NDArray[np.bool_]:
        """(N,): which tokens the policy wrote."""
        return np.asarray(self.versions != ENVIRONMENT)

    @property
    def length(self) -> int:
        """How many tokens the policy wrote."""
        return int(self.actions.sum())

    @property
    def newest(self) -> int:
        """The latest version that wrote a token of it; `ENVIRONMENT` if none did."""
        return int(self.versions.max(initial=ENVIRONMENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rollouts of one task from one start, which are compared with each other."""

    task: Task
    rollouts: tuple[Rollout, ...]
