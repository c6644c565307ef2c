"""Rollouts: a policy and environments take turns, many episodes at a time, and whole groups come out.

    collector = Collector(environments, policy, Collecting(group_size=8), weights=mailbox.newest)
    for group in collector.groups(tasks):          # (task, seed) one after the other; as they are over, not as they began
        queue.put(group)

While some sequences are being written, environments of others work in threads. New weights are taken between two passes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from foretrace.errors import TrainingError
from foretrace.model.checkpoint import Weights
from foretrace.rl.policies import Draw, Policy, Writing
from foretrace.rl.types import ENVIRONMENT, Ending, Environment, Group, Reward, Rollout, Task, Transition

Start = tuple[Task, int]
"""A task and the seed of its environment, which a group shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """How rollouts are made."""

    group_size: int = 8
    """Rollouts of one start."""
    width: int = 48
    """Rollouts at a time."""
    max_tokens: int = 1024
    """Of a rollout, prompt and observations included: N of the objective."""
    max_turns: int = 1
    threads: int = 4
    """In which environments work."""
    seed: int = 0
    """Of what is drawn."""


@dataclass(slots=True, eq=False)
class _Episode:
    """A rollout in progress."""

    number: int
    member: int
    start: Start
    siblings: list["_Episode"]
    """All of its group, itself included."""
    begun: float = field(default_factory=time.monotonic)
    tokens: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    state: object = None
    last: Writing | None = None
    rollout: Rollout | None = None
    """Once it is over."""

    def observe(self, observation: Iterable[int]) -> None:
        """Takes in tokens of the environment."""
        new = list(observation)
        self.tokens += new
        self.versions += [ENVIRONMENT] * len(new)
        self.logprobs += [0.0] * len(new)

    def act(self, writing: Writing) -> None:
        """Takes in an action."""
        self.tokens += writing.tokens
        self.versions += writing.versions
        self.logprobs += writing.logprobs
        self.last = writing

    def end(self, ending: Ending, transition: Transition) -> None:
        """Closes it."""
        task, seed = self.start
        self.rollout = Rollout(
            task=task,
            seed=seed,
            member=self.member,
            tokens=np.array(self.tokens, np.int32),
            versions=np.array(self.versions, np.int32),
            logprobs=np.array(self.logprobs, np.float32),
            rewards=tuple(self.rewards),
            ending=ending,
            outcome=transition.outcome,
            seconds=time.monotonic() - self.begun,
        )


class Collector:
    """Makes groups of rollouts. For one thread."""

    def __init__(
        self,
        environments: Mapping[str, tuple[Environment, Reward]],
        policy: Policy,
        config: Collecting,
        *,
        weights: Callable[[], tuple[Weights, int] | None] = lambda: None,
        first: int = 0,
    ) -> None:
        """Begins nothing yet.

        Args:
            environments: by name, each with what its transitions are worth.
            policy: acts in all of them.
            config: see there.
            weights: newer ones and their version, if there are any; asked before each pass.
            first: number of the first rollout, if some were made before.

        """
        self._environments, self._policy, self._config, self._weights = environments, policy, config, weights
        self._numbers = count(first)
        self._writing: dict[Writing, _Episode] = {}
        self._working: dict[Future[Transition], _Episode] = {}

    def groups(self, starts: Iterable[Start]) -> Iterator[Group]:
        """Groups, as they are over.

        Raises:
            TrainingError: an environment failed; it names the task, the seed and the rollout.

        """
        waiting = (episode for start in starts for episode in self._group(start))
        with ThreadPoolExecutor(self._config.threads, thread_name_prefix="environment") as pool:
            is_more = True
            while True:
                while is_more and len(self._writing) + len(self._working) < self._config.width:
                    episode = next(waiting, None)
                    is_more = episode is not None
                    if episode is not None:
                        environment = self._environments[episode.start[0].environment][0]
                        self._working[pool.submit(environment.start, *episode.start)] = episode
                if not (self._writing or self._working):
                    return
                yield from self._advance(pool)

    def _group(self, start: Start) -> list[_Episode]:
        siblings: list[_Episode] = []
        siblings += (_Episode(next(self._numbers), at, start, siblings) for at in range(self._config.group_size))
        return siblings

    def _advance(self, pool: ThreadPoolExecutor) -> Iterator[Group]:
        """A pass of the policy, and what environments have done meanwhile."""
        newer = self._weights()
        if newer is not None:
            self._policy.load(*newer)
        for writing in self._policy.advance():
            episode = self._writing.pop(writing)
            episode.act(writing)
            environment = self._environments[episode.start[0].environment][0]
            self._working[pool.submit(environment.step, episode.state, writing.tokens)] = episode
        done = [future for future in self._working if future.done()]
        if not (done or self._writing):
            done = list(wait(self._working, return_when=FIRST_COMPLETED).done)
        for future in done:
            episode = self._working.pop(future)
            self._take(episode, self._result(episode, future))
            if all(sibling.rollout for sibling in episode.siblings):
                rollouts = tuple(sibling.rollout for sibling in episode.siblings if sibling.rollout)
                yield Group(task=episode.start[0], rollouts=rollouts)

    def _result(self, episode: _Episode, future: "Future[Transition]") -> Transition:
        try:
            return future.result()
        except Exception as error:
            task, seed = episode.start
            where = f"environment {task.environment}, task {task.id}, seed {seed}"
            what = f"rollout {episode.number} after {len(episode.rewards)} actions"
            raise TrainingError(f"{where}, {what}: {type(error).__name__}: {error}") from error

    def _take(self, episode: _Episode, transition: Transition) -> None:
        """Goes on after a start or an action."""
        task, config = episode.start[0], self._config
        if episode.last is not None:
            episode.rewards.append(self._environments[task.environment][1](transition))
        episode.state = transition.state
        if transition.is_over:
            episode.observe(transition.observation)
            episode.end(Ending.OVER, transition)
            return
        room = config.max_tokens - len(episode.tokens) - len(transition.observation)
        turn = len(episode.rewards)
        if room <= 0 or turn >= config.max_turns:
            episode.end(Ending.LENGTH, transition)
            return
        episode.observe(transition.observation)
        stop = self._environments[task.environment][0].stop
        draw = Draw(seed=config.seed, rollout=episode.number, turn=turn)
        writing = self._policy.begin(episode.tokens, draw, limit=room, stop=stop, after=episode.last)
        if writing.is_over:  # the model's context is full
            episode.end(Ending.LENGTH, transition)
        else:
            self._writing[writing] = episode
