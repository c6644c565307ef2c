"""The same run on a Ray cluster: samplers and environments are actors, and what has collected in one process is all of them.

    cluster = Cluster(samplers=8, environments=16)
    feed = cluster_feed(config, cluster, environments, make_environments, source)
    run(config, environments, source, feed=feed)                # the learner is this process, or those of torchrun

A sampler is a `Collector` with its policy. Groups are handed out to samplers one by one, and come back through the object
store, where weights go the other way: put there once, read by all. How many groups may be begun is bounded, and so is the
queue in front of the learner. What dies with a node are the rollouts that were in progress on it: a sampler's groups are
begun again by others, an environment's episodes elsewhere. No update is lost, since the learner only waits.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from foretrace.errors import TrainingError, UsageError
from foretrace.model.checkpoint import Weights, load_checkpoint
from foretrace.model.config import ModelConfig
from foretrace.rl.actors import RemoteEnvironment, SamplerActor, Workplace
from foretrace.rl.collector import Collecting, Collector, Start
from foretrace.rl.feeds import Feed, Newest
from foretrace.rl.policies import LocalPolicy, Policy
from foretrace.rl.run import Beginning, Environments, MakeFeed, RunConfig, feed_of
from foretrace.rl.source import TaskSource
from foretrace.rl.types import Environment, Group

MakeEnvironments = Callable[[], Mapping[str, Environment]]
"""Makes environments where they are to work: they hold processes, and cannot be sent."""
MakePolicy = Callable[[Weights, int], Policy]
_POLL = 0.2
"""Seconds after which new weights are looked for, if nothing else happens."""
_DEATHS = 20
"""Samplers that may die until the run is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Who works where."""

    address: str | None = None
    """Of Ray; None: that of `$RAY_ADDRESS`, or a cluster of this machine alone."""
    samplers: int = 2
    environments: int = 0
    """Actors in which environments work; 0: they work in their samplers' processes."""
    cpus: float = 1.0
    """Of an actor."""
    gpus: float = 0.0
    """Of a sampler."""

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            UsageError: nobody would collect.

        """
        if self.samplers < 1 or self.environments < 0:
            raise UsageError(
                f"a cluster needs at least one sampler, not {self.samplers}, and {self.environments} is no number"
            )


def cluster_feed(
    config: RunConfig,
    cluster: Cluster,
    environments: Environments,
    make: MakeEnvironments,
    source: TaskSource,
    policy: MakePolicy | None = None,
) -> MakeFeed:
    """Collects on a cluster.

    Args:
        config: of the run.
        cluster: see there.
        environments: their names, tokens that stop, and rewards, which go to the samplers.
        make: is called in every actor in which environments work.
        source: of tasks.
        policy: made in each sampler; None: the model of this run, on the sampler's core.

    Raises:
        UsageError: Ray is not installed.

    """
    try:
        import ray
    except ImportError as error:
        raise UsageError('a cluster needs ray: pip install "foretrace[ray]"') from error
    act = policy or partial(_local_policy, load_checkpoint(config.start).config)

    def feed(beginning: Beginning) -> Feed:
        if not ray.is_initialized():
            ray.init(address=cluster.address, log_to_driver=False, include_dashboard=False)

        def collector(newest: Newest) -> ClusterCollector:
            return ClusterCollector(cluster, environments, make, act, config.collecting, newest, beginning)

        return feed_of(config, source, collector)

    return feed


@dataclass(slots=True, eq=False)
class _Sampler:
    """One of the actors, as it is seen from here."""

    actor: Any
    ready: Any
    """Of Ray: known once it works."""
    works: bool = False
    flying: set[Any] = field(default_factory=set)
    """Groups that it is at."""


class ClusterCollector:
    """Hands groups out to samplers. For one thread."""

    def __init__(
        self,
        cluster: Cluster,
        environments: Environments,
        make: MakeEnvironments,
        policy: MakePolicy,
        collecting: Collecting,
        newest: Newest,
        beginning: Beginning,
    ) -> None:
        """Starts the actors; see `cluster_feed`."""
        import ray

        self._ray, self._cluster, self._newest = ray, cluster, newest
        self._group_size, self._next = collecting.group_size, beginning.rollouts
        self._each = max(1, collecting.width // collecting.group_size) + 1
        """Groups of a sampler at a time: its width, and one that may begin at once."""
        self._workplaces = self._open_workplaces(make)
        worlds: Environments | MakeEnvironments = make
        rewards = {name: reward for name, (_, reward) in environments.items()}
        if self._workplaces:
            remote = {n: RemoteEnvironment(n, world.stop, self._workplaces) for n, (world, _) in environments.items()}
            worlds = {name: (world, rewards[name]) for name, world in remote.items()}
        self._make = partial(_collector, policy, collecting, worlds, rewards)
        self._held = ray.put(beginning.weights), beginning.version
        self._deaths = 0
        self._flying: dict[Any, tuple[_Sampler, Start, int]] = {}
        self._lost: deque[tuple[Start, int]] = deque()
        self._samplers = [self._open_sampler() for _ in range(cluster.samplers)]

    def groups(self, starts: Iterable[Start]) -> Iterator[Group]:
        """Groups, as they are over.

        Raises:
            TrainingError: an environment failed, or too many samplers died.

        """
        coming, more = iter(starts), True
        while more or self._flying or self._lost:
            newer = self._newest()
            if newer is not None:
                self._publish(*newer)
            more = self._hand_out(coming)
            waited_for = [*self._flying, *(sampler.ready for sampler in self._samplers if not sampler.works)]
            for done in self._ray.wait(waited_for, timeout=_POLL)[0] if waited_for else ():
                yield from self._land(done)

    def close(self) -> None:
        """Ends the actors."""
        for actor in [*(sampler.actor for sampler in self._samplers), *self._workplaces]:
            self._ray.kill(actor)

    def _publish(self, weights: Weights, version: int) -> None:
        self._held = self._ray.put(weights), version
        for sampler in self._samplers:
            sampler.actor.load.remote(*self._held)

    def _hand_out(self, coming: Iterator[Start]) -> bool:
        """Gives every sampler that works as much as it can be at; whether there may be more."""
        while True:
            free = [s for s in self._samplers if s.works and len(s.flying) < self._each]
            if not free:
                return True
            if self._lost:
                start, first = self._lost.popleft()
            else:
                found = next(coming, None)
                if found is None:
                    return False
                start, first = found, self._next
                self._next += self._group_size
            sampler = min(free, key=lambda s: len(s.flying))
            flight = sampler.actor.collect.remote(start, first)
            sampler.flying.add(flight)
            self._flying[flight] = sampler, start, first

    def _land(self, done: Any) -> Iterator[Group]:
        """Takes in what an actor has answered, or that it has died."""
        from ray.exceptions import ObjectLostError, RayActorError, RayTaskError

        sampler = self._flying[done][0] if done in self._flying else self._beginning(done)
        if sampler is None:  # its sampler has died since, and others are at its group
            return
        try:
            found = self._ray.get(done)
        except (RayActorError, ObjectLostError) as error:
            self._replace(sampler, error)
            return
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, TrainingError) else TrainingError(str(error)) from error
        if done not in self._flying:
            sampler.works = True
            return
        del self._flying[done]
        sampler.flying.discard(done)
        yield found

    def _beginning(self, ready: Any) -> _Sampler | None:
        """The sampler that says by this that it works."""
        return next((sampler for sampler in self._samplers if sampler.ready == ready), None)

    def _replace(self, dead: _Sampler, error: Exception) -> None:
        """Has another sampler begin the groups of one that died, and starts a new one, wherever there is room."""
        self._deaths += 1
        if self._deaths > _DEATHS:
            raise TrainingError(f"{self._deaths} samplers have died; the last one: {error}") from error
        for flight in dead.flying:
            _, start, first = self._flying.pop(flight)
            self._lost.append((start, first))
        self._samplers = [self._open_sampler() if sampler is dead else sampler for sampler in self._samplers]

    def _open_sampler(self) -> _Sampler:
        options = self._options(self._each + 4) | {"num_gpus": self._cluster.gpus}
        weights, version = self._held
        actor: Any = self._ray.remote(SamplerActor).options(**options).remote(self._make, weights, version)
        return _Sampler(actor, actor.ready.remote())

    def _open_workplaces(self, make: MakeEnvironments) -> list[Any]:
        """Actors for environments, which Ray starts anew elsewhere if their node dies."""
        options = self._options(64) | {"max_restarts": -1}
        workplace = self._ray.remote(Workplace).options(**options)
        return [workplace.remote(make) for _ in range(self._cluster.environments)]

    def _options(self, concurrency: int) -> dict[str, Any]:
        return {"num_cpus": self._cluster.cpus, "max_concurrency": concurrency, "scheduling_strategy": "SPREAD"}


def _local_policy(config: ModelConfig, weights: Weights, version: int) -> LocalPolicy:
    return LocalPolicy(config, weights, version=version)


def _collector(
    policy: MakePolicy,
    collecting: Collecting,
    worlds: Environments | MakeEnvironments,
    rewards: Mapping[str, Any],
    newest: Newest,
) -> Collector:
    """Made in a sampler's process."""
    first = newest()
    assert first is not None, "a sampler is given its first weights"
    if callable(worlds):
        worlds = {name: (world, rewards[name]) for name, world in worlds().items()}
    return Collector(worlds, policy(*first), collecting, weights=newest)
