"""What a cluster's actors do; in here nothing knows of learners, and Ray is only asked for answers.

sampler = ray.remote(SamplerActor).remote(make_collector, weights, version)
group = ray.get(sampler.collect.remote(start, first))
place = ray.remote(Workplace).remote(make_environments)
environment = RemoteEnvironment("swe", stop, [place])         # an `Environment`; a collector's threads call it
"""

import queue
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from foretrace.model.checkpoint import Weights
from foretrace.rl.collector import Collector, Start
from foretrace.rl.feeds import Mailbox, MakeCollector
from foretrace.rl.types import Environment, Group, LostError, Task, Transition

_PATIENCE = 120.0
"""Seconds in which an environment's actor may come back on another node."""


class SamplerActor:
    """A collector in a thread of its own. Any number of threads wait for the groups that they have asked for."""

    def __init__(self, make: MakeCollector, weights: Weights, version: int) -> None:
        """Begins with these weights."""
        self._mailbox = Mailbox()
        self._mailbox.put(weights, version)
        self._inbox: queue.SimpleQueue[tuple[Start, int, Future[Group]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(make,), name="collector", daemon=True).start()

    def ready(self) -> bool:
        """Answers once there is somebody to answer."""
        return True

    def load(self, weights: Weights, version: int) -> None:
        """Has the collector take these weights before its next pass."""
        self._mailbox.put(weights, version)

    def collect(self, start: Start, first: int) -> Group:
        """The group of a start, whose first rollout has that number; errors as those of `Collector.groups`."""
        future: Future[Group] = Future()
        self._inbox.put((start, first, future))
        return future.result()

    def _work(self, make: MakeCollector) -> None:
        waiting: dict[tuple[str, str, int], Future[Group]] = {}
        try:
            collector = make(self._mailbox.take)
            assert isinstance(collector, Collector)
            while True:
                self._admit(collector, waiting)
                for group in collector.advance():
                    waiting.pop(_key((group.task, group.rollouts[0].seed))).set_result(group)
        except Exception as error:  # whoever waits is told, whatever it is, and so is who comes later
            for future in waiting.values():
                future.set_exception(error)
            while True:
                self._inbox.get()[2].set_exception(error)

    def _admit(self, collector: Collector, waiting: dict[tuple[str, str, int], "Future[Group]"]) -> None:
        """Begins what is wanted; waits while there is nothing to do."""
        while collector.is_idle or not self._inbox.empty():
            start, first, future = self._inbox.get()
            waiting[_key(start)] = future
            collector.begin(start, first)


def _key(start: Start) -> tuple[str, str, int]:
    """No two starts of a run have the same."""
    task, seed = start
    return task.environment, task.id, seed


class Held(NamedTuple):
    """A state that is elsewhere."""

    place: Any
    """The actor that has it."""
    key: str


class Workplace:
    """An actor in which environments work, and that keeps the states of their episodes."""

    def __init__(self, make: Callable[[], Mapping[str, Environment]]) -> None:
        self._environments = make()
        self._states: dict[str, Any] = {}
        self._name, self._numbers = uuid.uuid4().hex, count()
        """Of this life: after a restart, states of an earlier one are not taken for ours."""

    def start(self, name: str, task: Task, seed: int) -> tuple[str, Transition]:
        """Begins an episode: the key of its state, and the transition without it."""
        return self._keep(self._environments[name].start(task, seed))

    def step(self, name: str, key: str, action: Sequence[int]) -> tuple[str, Transition] | None:
        """What comes of an action; None: there is no such state."""
        if key not in self._states:
            return None
        return self._keep(self._environments[name].step(self._states.pop(key), action))

    def clone(self, name: str, key: str) -> str | None:
        """The key of another state like it; None: there is no such state."""
        if key not in self._states:
            return None
        return self._put(self._environments[name].clone(self._states[key]))

    def close(self, name: str, key: str) -> None:
        """Lets go of what a state holds."""
        if key in self._states:
            self._environments[name].close(self._states.pop(key))

    def _keep(self, transition: Transition) -> tuple[str, Transition]:
        key = "" if transition.is_over else self._put(transition.state)
        return key, replace(transition, state=None)

    def _put(self, state: Any) -> str:
        key = f"{self._name}-{next(self._numbers)}"
        self._states[key] = state
        return key


class RemoteEnvironment:
    """An environment that works in actors. Can be sent to samplers."""

    def __init__(self, name: str, stop: frozenset[int], places: Sequence[Any]) -> None:
        """`places`: actors of `Workplace`; each episode is in one of them."""
        self.name, self.stop, self._places = name, stop, list(places)

    def start(self, task: Task, seed: int) -> Transition:
        """Begins an episode in any of the actors that live."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            place = random.choice(self._places)
            try:
                return self._held(place, _ask(place.start, self.name, task, seed))
            except LostError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def step(self, state: Held, action: Sequence[int]) -> Transition:
        """See `Environment`."""
        return self._held(state.place, _ask(state.place.step, self.name, state.key, list(action)))

    def clone(self, state: Held) -> Held:
        """See `Environment`."""
        key = _ask(state.place.clone, self.name, state.key)
        if key is None:
            raise _gone()
        return Held(state.place, key)

    def close(self, state: Held) -> None:
        """See `Environment`; nobody waits for it."""
        state.place.close.remote(self.name, state.key)

    def _held(self, place: Any, answer: tuple[str, Transition] | None) -> Transition:
        if answer is None:
            raise _gone()
        key, transition = answer
        return transition if transition.is_over else replace(transition, state=Held(place, key))


def _gone() -> LostError:
    return LostError("the actor that had the state was started anew")


def _ask(method: Any, *arguments: Any) -> Any:
    """What an actor answers; errors of the environment as they are.

    Raises:
        LostError: the actor has died.

    """
    import ray
    from ray.exceptions import ObjectLostError, RayActorError, RayTaskError

    try:
        return ray.get(method.remote(*arguments))
    except (RayActorError, ObjectLostError) as error:
        raise LostError(str(error)) from error
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, Exception) else error from error
