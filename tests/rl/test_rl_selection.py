"""Which rollouts are learnt from."""

import numpy as np
import pytest

from foretrace.rl.selection import Dropped, Filters, Selection
from foretrace.rl.types import ENVIRONMENT, Ending, Group, Rollout, Task

TASK = Task(environment="toy", id="1", data={})


def rollout(
    reward: float, length: int = 4, version: int = 0, *, token: int = 7, logprob: float = -1.0, member: int = 0
) -> Rollout:
    """A prompt of two tokens, and an action."""
    return Rollout(
        task=TASK,
        seed=0,
        member=member,
        tokens=np.array([1, 2, *[token] * length], np.int32),
        versions=np.array([ENVIRONMENT, ENVIRONMENT, *[version] * length], np.int32),
        logprobs=np.array([0, 0, *[logprob] * length], np.float32),
        rewards=(reward,),
        ending=Ending.OVER,
        outcome={},
    )


def selected(*rollouts: Rollout, version: int = 0, budget: int = 100, **filters: object) -> Selection:
    selection = Selection(budget=budget, vocab_size=50, filters=Filters(**filters))  # type: ignore[arg-type]
    selection.add(Group(task=TASK, rollouts=rollouts), version)
    return selection


def test_a_group_of_equal_returns_teaches_nothing_and_fills_nothing() -> None:
    selection = selected(rollout(1), rollout(1), rollout(1))
    assert not selection.chosen
    assert not selection.tokens
    assert selection.dropped == {Dropped.ZERO_ADVANTAGE: 3}
    assert len(selection.seen) == 3


def test_a_batch_is_full_when_it_has_tokens_enough_of_the_policy() -> None:
    selection = selected(rollout(1, 4), rollout(-1, 12), budget=17)
    assert [round(c.advantage, 6) for c in selection.chosen] == [1.5, -0.5]
    assert selection.tokens == 16
    assert not selection.is_full
    selection.add(Group(task=TASK, rollouts=(rollout(1, 1), rollout(0, 1))), 0)
    assert selection.is_full


def test_what_a_policy_long_past_wrote_last_is_stale() -> None:
    selection = selected(rollout(1, version=3), rollout(-1, version=4), version=104)
    assert selection.dropped == {Dropped.STALE: 1}
    assert [c.rollout.value for c in selection.chosen] == [-1]
    assert selection.chosen[0].advantage == -1  # what is dropped has happened: the mean is that of both


@pytest.mark.parametrize(
    ("token", "logprob", "is_gibberish"),
    [(41, -6.0, True), (41, -5.9, False), (40, -9.0, False)],  # log(50) + 2 = 5.91
)
def test_a_rare_token_that_was_hardly_likely_is_gibberish(token: int, logprob: float, is_gibberish: bool) -> None:
    odd = rollout(1, token=token, logprob=logprob)
    selection = selected(odd, rollout(-1), rare_token=40)
    assert (Dropped.GIBBERISH in selection.dropped) is is_gibberish


def test_a_rollout_without_an_action_is_not_learnt_from() -> None:
    assert selected(rollout(1, 0), rollout(-1)).dropped == {Dropped.EMPTY: 1}
