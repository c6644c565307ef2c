"""Rollouts: a policy and environments take turns, many episodes at a time, and whole groups come out.

    collector = Collector(environments, policy, Collecting(group_size=8), weights=mailbox.newest)
    for group in collector.groups(tasks):          # (task, seed) one after the other; as they are over, not as they began
        queue.put(group)

    collector.begin(start, first=80)               # or one by one, as they come from elsewhere
    while not collector.is_idle:
        for group in collector.advance(): …

While some sequences are being written, environments of others work in threads. New weights are taken between two passes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from foretrace.errors import TrainingError
from foretrace.model.checkpoint import Weights
from foretrace.rl.policies import Draw, Policy, Writing
from foretrace.rl.types import ENVIRONMENT, Ending, Environment, Group, LostError, Reward, Rollout, Task, Transition

Start = tuple[Task, int]
"""A task and the seed of its environment, which a group shares."""
_LOSSES = 5
"""Times that an episode is begun again, at most, because its state was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """How rollouts are made."""

    group_size: int = 8
    """Rollouts of one start."""
    width: int = 48
    """Rollouts at a time."""
    max_tokens: int = 1024
    """Of a rollout, prompt and observations included: N of the objective."""
    max_action: int = 0
    """Tokens of one action; 0: as many as there is room for."""
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
    losses: int = 0
    """Times that its state was lost."""
    rollout: Rollout | None = None
    """Once it is over."""

    def restart(self) -> None:
        """Forgets all that was done, since the state was lost."""
        self.losses += 1
        self.begun, self.state, self.last = time.monotonic(), None, None
        self.tokens, self.versions, self.logprobs, self.rewards = [], [], [], []

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
        # siblings refer to each other: keys and values would stay until the collector of garbage comes by
        self.state = self.last = None


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
        self._next = first
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="environment")
        self._waiting: deque[_Episode] = deque()
        self._writing: dict[Writing, _Episode] = {}
        self._working: dict[Future[Transition], _Episode] = {}

    def groups(self, starts: Iterable[Start]) -> Iterator[Group]:
        """Groups, as they are over. Starts are taken as there is room.

        Raises:
            TrainingError: an environment failed; it names the task, the seed and the rollout.

        """
        coming, more = iter(starts), True
        while True:
            while more and self.room > 0:
                start = next(coming, None)
                more = start is not None
                if start is not None:
                    self.begin(start, self._next)
                    self._next += self._config.group_size
            if self.is_idle:
                return
            yield from self.advance()

    @property
    def room(self) -> int:
        """Rollouts for which there is a place now."""
        return self._config.width - len(self._waiting) - len(self._writing) - len(self._working)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in progress."""
        return not (self._waiting or self._writing or self._working)

    def begin(self, start: Start, first: int) -> None:
        """Takes a group on; it begins as soon as there is room.

        Args:
            start: of all its rollouts.
            first: number of the first of them in the run; what is drawn depends on it, and the others follow.

        """
        siblings: list[_Episode] = []
        siblings += (_Episode(first + at, at, start, siblings) for at in range(self._config.group_size))
        self._waiting += siblings

    def advance(self) -> list[Group]:
        """A pass of the policy, and what environments have done meanwhile; the groups that are over now.

        Raises:
            TrainingError: see `groups`.

        """
        newer = self._weights()
        if newer is not None:
            self._policy.load(*newer)
        while self._waiting and len(self._writing) + len(self._working) < self._config.width:
            self._open(self._waiting.popleft())
        for writing in self._policy.advance():
            episode = self._writing.pop(writing)
            episode.act(writing)
            environment = self._environments[episode.start[0].environment][0]
            self._working[self._pool.submit(environment.step, episode.state, writing.tokens)] = episode
        done = [future for future in self._working if future.done()]
        if not (done or self._writing):
            done = list(wait(self._working, return_when=FIRST_COMPLETED).done)
        over = []
        for future in done:
            episode = self._working.pop(future)
            transition = self._result(episode, future)
            if transition is None:
                episode.restart()
                self._open(episode)
                continue
            self._take(episode, transition)
            if all(sibling.rollout for sibling in episode.siblings):
                rollouts = tuple(sibling.rollout for sibling in episode.siblings if sibling.rollout)
                over.append(Group(task=episode.start[0], rollouts=rollouts))
        return over

    def close(self) -> None:
        """Ends the threads of environments, and lets go of what states hold."""
        self._pool.shutdown(cancel_futures=True)
        for episode in self._writing.values():
            self._environments[episode.start[0].environment][0].close(episode.state)
        for future in self._working:
            if future.done() and not future.cancelled() and future.exception() is None and not future.result().is_over:
                self._environments[self._working[future].start[0].environment][0].close(future.result().state)
        self._writing.clear()
        self._working.clear()
        self._waiting.clear()

    def _open(self, episode: _Episode) -> None:
        environment = self._environments[episode.start[0].environment][0]
        self._working[self._pool.submit(environment.start, *episode.start)] = episode

    def _result(self, episode: _Episode, future: "Future[Transition]") -> Transition | None:
        """What an environment has answered; None: the episode was lost, and is to be begun again."""
        try:
            return future.result()
        except Exception as error:
            if isinstance(error, LostError) and episode.losses < _LOSSES:
                return None
            task, seed = episode.start
            where = f"environment {task.environment}, task {task.id}, seed {seed}"
            what = f"rollout {episode.number} after {len(episode.rewards)} actions"
            raise TrainingError(f"{where}, {what}: {type(error).__name__}: {error}") from error

    def _take(self, episode: _Episode, transition: Transition) -> None:
        """Goes on after a start or an action."""
        task, config = episode.start[0], self._config
        if episode.last is not None:
            episode.rewards.append(self._environments[task.environment][1](transition, episode.last.tokens))
        episode.state = transition.state
        environment = self._environments[task.environment][0]
        if transition.is_over:
            episode.observe(transition.observation[: config.max_tokens - len(episode.tokens)])
            episode.end(Ending.OVER, transition)
            return
        room = config.max_tokens - len(episode.tokens) - len(transition.observation)
        turn = len(episode.rewards)
        if room <= 0 or turn >= config.max_turns:
            environment.close(episode.state)
            episode.end(Ending.LENGTH, transition)
            return
        episode.observe(transition.observation)
        draw = Draw(seed=config.seed, rollout=episode.number, turn=turn)
        limit = min(room, config.max_action or room)
        writing = self._policy.begin(episode.tokens, draw, limit=limit, stop=environment.stop, after=episode.last)
        if writing.is_over:  # the model's context is full
            environment.close(episode.state)
            episode.end(Ending.LENGTH, transition)
        else:
            self._writing[writing] = episode
