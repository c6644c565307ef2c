"""The objective against automatic differentiation, against hand-computed numbers, and against TRL where that is installed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from foretrace.errors import UsageError
from foretrace.model.loss import linear_cross_entropy
from foretrace.rl.loss import Clip, Objective, group_advantages


def test_the_mean_of_a_group_is_weighted_by_length() -> None:
    # one right answer of 10 tokens, one wrong of 30: the mean is (10 * 1 + 30 * -1) / 40 = -0.5
    np.testing.assert_allclose(group_advantages([1, -1], [10, 30]), [1.5, -0.5])
    np.testing.assert_allclose(group_advantages([1, 0, 0, 0], [5, 5, 5, 5]), [0.75, -0.25, -0.25, -0.25])
    np.testing.assert_allclose(group_advantages([1, 1, 1], [1, 2, 3]), 0)
    np.testing.assert_allclose(group_advantages([1, 0], [0, 0]), [0.5, -0.5])  # nobody wrote anything


def weights(ratio: float, advantage: float, **settings: object) -> float:
    objective = Objective(torch.zeros(1), torch.tensor([advantage]), scale=1.0, **settings)  # type: ignore[arg-type]
    return float(objective.weigh(slice(0, 1), -torch.tensor([ratio]).log()))


@pytest.mark.parametrize(
    ("ratio", "advantage", "wanted"),
    [
        (1.0, 2.0, 2.0),
        (1.2, 1.0, 1.2),
        (1.3, 1.0, 0.0),  # over 1.25, and it should grow: no gradient
        (1.3, -1.0, -1.3),  # over 1.25, and it should shrink
        (0.7, 1.0, 0.7),  # under 0.80, and it should grow
        (0.7, -1.0, 0.0),  # under 0.80, and it should shrink: no gradient
        (0.9, -1.0, -0.9),
    ],
)
def test_a_ratio_is_clipped_on_the_side_to_which_it_is_pushed(ratio: float, advantage: float, wanted: float) -> None:
    assert weights(ratio, advantage) == pytest.approx(wanted, rel=1e-6)


def setup(seed: int = 0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(seed)
    hidden, head = torch.randn(40, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    targets, advantages = torch.randint(0, 11, (40,)), torch.randn(40)
    now = (hidden @ head.T).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    return hidden, head, targets, advantages, now


def test_its_gradient_is_that_of_the_clipped_surrogate() -> None:
    hidden, head, targets, advantages, now = setup()
    drawn = now.detach() + 0.3 * torch.randn(40)
    objective = Objective(drawn, advantages, scale=1 / 64)
    ours = torch.autograd.grad(linear_cross_entropy(hidden, head, targets, objective.weigh).loss, (hidden, head))
    ratio = (now - drawn).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.80, 1.25) * advantages).sum() / 64
    for mine, wanted in zip(ours, torch.autograd.grad(-surrogate, (hidden, head)), strict=True):
        torch.testing.assert_close(mine, wanted, atol=1e-6, rtol=1e-4)
    assert objective.value == pytest.approx(float(surrogate.detach()), rel=1e-5)
    assert 0 < int(objective.clipped.sum()) < 40


def test_on_policy_all_ratios_are_1_and_the_gradient_is_that_of_reinforce() -> None:
    hidden, head, targets, advantages, now = setup(1)
    first = linear_cross_entropy(hidden, head, targets, torch.ones(40))
    objective = Objective(-first.nll, advantages, scale=1.0)
    ours = torch.autograd.grad(linear_cross_entropy(hidden, head, targets, objective.weigh).loss, (hidden, head))
    assert torch.equal(objective.ratios, torch.ones(40))
    assert not objective.clipped.any()
    for mine, wanted in zip(ours, torch.autograd.grad(-(advantages * now).sum(), (hidden, head)), strict=True):
        torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-4)


def test_tokens_of_the_environment_are_learnt_only_if_asked() -> None:
    observed = torch.tensor([False, True, True, False])
    plain = Objective(torch.zeros(4), torch.ones(4), scale=0.5, observed=observed)
    assert plain.weigh(slice(0, 4), torch.zeros(4)).tolist() == [0.5, 0, 0, 0.5]
    echo = Objective(torch.zeros(4), torch.ones(4), scale=0.5, observed=observed, observation_weight=0.1)
    assert echo.weigh(slice(0, 4), torch.tensor([0.0, 3.0, 9.0, 0.0])).tolist() == pytest.approx([0.5, 0.1, 0.1, 0.5])
    assert echo.value == pytest.approx(1.0)  # of the policy's tokens alone


def test_chunks_add_up_to_the_whole() -> None:
    nll, drawn, advantages = torch.rand(30), -torch.rand(30), torch.randn(30)
    whole, pieces = (Objective(drawn, advantages, scale=0.1) for _ in range(2))
    expected = whole.weigh(slice(0, 30), nll)
    parts = [pieces.weigh(slice(at, at + 7), nll[at : at + 7]) for at in range(0, 30, 7)]
    assert torch.equal(torch.cat(parts), expected)
    assert torch.equal(pieces.ratios, whole.ratios)
    assert pieces.value == pytest.approx(whole.value, rel=1e-5)


def test_bounds_that_leave_no_room_are_refused() -> None:
    with pytest.raises(UsageError, match="clip"):
        Clip(low=1.0)
