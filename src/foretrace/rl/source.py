"""Which task comes next: a mixture of environments by weight, and of each the tasks that the policy can learn from now.

    source = TaskSource([Part(tasks=tasks, weight=0.7), Part(tasks=others, weight=0.3)], seed=0, band=(0.1, 0.7))
    [(task, seed)] = source.take(1)
    source.note(group)                    # how often it was solved

CWM keeps tasks whose solve rate is between 0.1 and 0.7 (report, section 5.3): of what always or never succeeds nothing is
learnt. Here rates are kept as the run goes. A task outside the band is not given up: it is drawn a tenth as often, since the
policy may have come to where it is of use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from foretrace.errors import UsageError
from foretrace.rl.collector import Start
from foretrace.rl.types import Group, Task

_DECAY = 0.7
"""What the rate known before weighs against a new group's."""
_OUTSIDE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Tasks of one kind."""

    tasks: Sequence[Task]
    weight: float = 1.0
    """Share of the groups, of the sum of all weights; 0: none, as in a stage that leaves it out."""
    band: tuple[float, float] | None = None
    """Solve rates between which a task of it is drawn as often as it can be; None: those of the whole source."""


class TaskSource:
    """Hands out tasks, each pass over a part in another order. Threads may share one."""

    def __init__(self, parts: Sequence[Part], *, seed: int = 0, band: tuple[float, float] | None = None) -> None:
        """Begins at the first task.

        Args:
            parts: of the mixture.
            seed: of orders and of environments.
            band: solve rates between which a task is drawn as often as it can be; None: all are.

        Raises:
            UsageError: a part that is drawn has no task, or weights make no sense.

        """
        if any(not part.weight >= 0 or (part.weight and not part.tasks) for part in parts):
            raise UsageError("a part of a mixture has a weight of at least 0, and tasks if it is above 0")
        if not any(part.weight for part in parts):
            raise UsageError("a mixture needs a part with a weight above 0")
        self._parts, self._seed, self._band = parts, seed, band
        weights = np.array([part.weight for part in parts])
        self._shares = weights / weights.sum()
        self._drawn = 0
        self._places = [0] * len(parts)
        """Tasks of each part that were looked at."""
        self.rates: dict[str, float] = {}
        """Solve rate of each task that was tried, by `environment/id`."""
        self._lock = Lock()

    def take(self, count: int) -> list[Start]:
        """The next starts; no two of a run have the same task and seed."""
        with self._lock:
            return [self._next() for _ in range(count)]

    def note(self, group: Group) -> None:
        """Takes in how often a task was solved: a rollout of positive return counts as solved."""
        solved = float(np.mean([rollout.value > 0 for rollout in group.rollouts]))
        key = _key(group.task)
        before = self.rates.get(key)
        self.rates[key] = solved if before is None else _DECAY * before + (1 - _DECAY) * solved

    def state(self) -> dict[str, Any]:
        """JSON values from which `restore` goes on."""
        with self._lock:
            return {"drawn": self._drawn, "places": list(self._places), "rates": dict(self.rates)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from where another source of the same parts was."""
        self._drawn, self._places, self.rates = state["drawn"], list(state["places"]), dict(state["rates"])

    def _next(self) -> Start:
        number = self._drawn
        self._drawn += 1
        rng = np.random.default_rng((self._seed, number))
        at = int(rng.choice(len(self._parts), p=self._shares))
        while True:
            task = self._following(at)
            if self._is_useful(task, self._parts[at].band or self._band) or rng.random() < _OUTSIDE:
                return task, self._seed + number

    def _following(self, at: int) -> Task:
        tasks, place = self._parts[at].tasks, self._places[at]
        self._places[at] += 1
        epoch, position = divmod(place, len(tasks))
        order = np.random.default_rng((self._seed, at, epoch)).permutation(len(tasks))
        return tasks[int(order[position])]

    def _is_useful(self, task: Task, band: tuple[float, float] | None) -> bool:
        rate = self.rates.get(_key(task))
        return band is None or rate is None or band[0] <= rate <= band[1]


def _key(task: Task) -> str:
    return f"{task.environment}/{task.id}"
