"""How often a policy solves held-out tasks: greedily, and of several tries.

    rates = solve_rates(environments, tasks, config, weights, samples=8)
    rates.greedy, rates.sampled, rates.any_of         # shares, with intervals

The environments are those of training; rewards are not looked at, only whether an outcome is `right`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foretrace.evals.statistics import Share
from foretrace.model.checkpoint import Weights
from foretrace.model.config import ModelConfig
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.policies import LocalPolicy
from foretrace.rl.rewards import right_or_wrong
from foretrace.rl.types import Environment, Task

Solved = dict[str, tuple[bool, ...]]
"""Of each task, by its id, whether each try solved it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveRates:
    """Of T tasks."""

    greedy: Solved
    """One try each."""
    sampled: Solved
    """Some tries each, at temperature 1."""

    @property
    def pass_at_1(self) -> Share:
        """Tasks that greedy decoding solves."""
        return Share.of(tries[0] for tries in self.greedy.values())

    @property
    def sampled_at_1(self) -> float:
        """Mean share of tries that solve a task; 0 if there are none."""
        tries = [right for of_task in self.sampled.values() for right in of_task]
        return sum(tries) / len(tries) if tries else 0.0

    @property
    def pass_at_all(self) -> Share:
        """Tasks that one of the tries solves."""
        return Share.of(any(tries) for tries in self.sampled.values())

    def to_dict(self) -> dict[str, float]:
        """For records."""
        found = {"pass@1": self.pass_at_1.value}
        if self.sampled:
            tries = len(next(iter(self.sampled.values())))
            found |= {"sampled@1": self.sampled_at_1}
            if tries > 1:  # of one, it would take the place of what greedy decoding solves
                found[f"pass@{tries}"] = self.pass_at_all.value
        return found


def solve_rates(
    environments: Mapping[str, Environment],
    tasks: Sequence[Task],
    config: ModelConfig,
    weights: Weights,
    *,
    samples: int = 0,
    max_tokens: int = 1024,
    max_turns: int = 1,
    seed: int = 0,
) -> SolveRates:
    """Has a policy try each task.

    Args:
        environments: by name.
        tasks: of different ids.
        config: of the model.
        weights: of the model.
        samples: tries at temperature 1, beside the greedy one; 0: none.
        max_tokens: of a try, prompt included.
        max_turns: of a try.
        seed: of what is drawn.

    """

    def tried(temperature: float, count: int) -> Solved:
        collecting = Collecting(group_size=count, max_tokens=max_tokens, max_turns=max_turns, seed=seed)
        policy = LocalPolicy(config, weights, temperature=temperature)
        worlds = {name: (environment, right_or_wrong) for name, environment in environments.items()}
        collector = Collector(worlds, policy, collecting)
        try:
            groups = collector.groups((task, seed) for task in tasks)
            solved = {g.task.id: tuple(bool(r.outcome.get("right")) for r in g.rollouts) for g in groups}
        finally:
            collector.close()
        return {task.id: solved[task.id] for task in tasks}

    return SolveRates(greedy=tried(0.0, 1), sampled=tried(1.0, samples) if samples else {})
