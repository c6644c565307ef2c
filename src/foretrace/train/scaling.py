"""CWM's scaling laws: which learning rate and which batch suit a budget of compute (report, arXiv:2510.02387,
section 4.2).

    plan = advise(preset("small"), tokens=1.2e9, context=4096)
    plan.learning_rate, plan.tokens_per_batch
"""

from dataclasses import dataclass

from foretrace.model.config import ModelConfig
from foretrace.model.info import non_embedding_parameters


@dataclass(frozen=True, slots=True)
class Advice:
    """What the laws say of a run."""

    flops: float
    """Training compute C = M * D, by the report's count of M FLOPs a token."""
    tokens_per_flop_per_token: float
    """D / M; the laws were fitted at 40, some eight times the tokens that Chinchilla's rule would give."""
    learning_rate: float
    """Peak of AdamW's learning rate."""
    tokens_per_batch: float


def advise(config: ModelConfig, tokens: float, context: int) -> Advice:
    """Learning rate and batch for training on `tokens` tokens in sequences of `context`.

    The laws were fitted between 2e18 and 2e20 FLOPs; below, they extrapolate.
    """
    per_token = 6 * non_embedding_parameters(config) + 6 * config.hidden_size * config.num_hidden_layers * context
    flops = per_token * tokens
    return Advice(flops, tokens / per_token, learning_rate(flops), tokens_per_batch(flops))


def learning_rate(flops: float) -> float:
    """LR(C) = 19.29 C^-0.177."""
    return float(19.29 * flops**-0.177)


def tokens_per_batch(flops: float) -> float:
    """BS(C) = 30.17 C^0.231."""
    return float(30.17 * flops**0.231)
