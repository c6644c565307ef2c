"""Our objective beside TRL's, where it is installed, for what both have: Dr. GRPO's sum, clipping, tools masked, no KL.

TRL's trainer is given log probabilities instead of a model; all after that is its own code.
"""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl", reason="needs pip install trl")

from accelerate import Accelerator
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from foretrace.rl.loss import Clip, Objective

B, T, MOST = 5, 12, 40


class Given(GRPOTrainer):
    """A trainer whose policy's log probabilities are given."""

    def __init__(self, logprobs: Tensor) -> None:
        self.logprobs = logprobs
        self.args = GRPOConfig(output_dir="unused", use_cpu=True, bf16=False, epsilon=0.20, epsilon_high=0.25, beta=0.0)
        self.loss_type, self.importance_sampling_level = "dr_grpo", "token"
        self.beta, self.epsilon_low, self.epsilon_high = self.args.beta, self.args.epsilon, self.args.epsilon_high
        self.max_completion_length, self.current_gradient_accumulation_steps = MOST, 1
        self.top_entropy_quantile, self.off_policy_mask_threshold = 1.0, None
        self.use_vllm = self.aux_loss_enabled = self._entropy_bonus_enabled = False
        self.model = SimpleNamespace(training=True)
        self.accelerator = Accelerator(cpu=True)
        self._metrics: Any = {"train": defaultdict(list)}

    def _get_per_token_logps_and_entropies(self, *_: Any, **__: Any) -> Any:
        return self.logprobs, torch.zeros(B, T), None


@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_gradient_value_and_clipped_share_are_those_of_trl(drift: float) -> None:
    torch.manual_seed(0)
    drawn = -3 * torch.rand(B, T)
    now = (drawn + drift * torch.randn(B, T)).requires_grad_()
    advantages = torch.randn(B)
    mask, by_policy = torch.ones(B, T), (torch.rand(B, T) > 0.3).float()
    mask[torch.arange(T) >= torch.tensor([12, 5, 9, 1, 7])[:, None]] = 0
    by_policy[:, 0] = 1
    ids = torch.zeros(B, T, dtype=torch.long)
    trainer = Given(now)
    loss = trainer._compute_loss(
        None,
        {
            "prompt_ids": ids,
            "prompt_mask": torch.ones(B, T),
            "completion_ids": ids,
            "completion_mask": mask,
            "tool_mask": by_policy,
            "advantages": advantages,
            "old_per_token_logps": drawn,
        },
    )
    loss.backward()

    learnt = (mask * by_policy).bool()
    owners = torch.arange(B)[:, None].expand(B, T)[learnt]
    ours = Objective(drawn[learnt], advantages[owners], scale=1 / (MOST * B), clip=Clip(low=0.20, high=0.25))
    weights = ours.weigh(slice(None), -now.detach()[learnt])
    assert now.grad is not None
    torch.testing.assert_close(-weights, now.grad[learnt])
    assert not now.grad[~learnt].any()
    assert ours.value == pytest.approx(-float(loss.detach()), rel=1e-5)
    [clipped] = trainer._metrics["train"]["clip_ratio/region_mean"]
    assert float(ours.clipped.float().mean()) == pytest.approx(clipped)
    assert bool(ours.clipped.any()) == bool(drift)
