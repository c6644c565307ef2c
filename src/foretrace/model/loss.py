"""Cross-entropy of a linear head without ever holding the logits of all tokens.

At CWM's vocabulary the float32 logits of 131,072 tokens would take 67 GB. Here they are made a chunk of tokens at a
time, and the chunk's gradients with respect to hidden states and head at once: the backward pass only scales them,
and nothing is computed twice.

    predicted = linear_cross_entropy(hidden, head, targets, weights)
    (predicted.loss / weights.sum()).backward()

Weights may depend on what they weigh, as those of a policy gradient do: a function is given each chunk's likelihoods.

Under tensor parallelism a rank has the logits of some words only, and ranks tell each other three numbers a token.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist

from foretrace.model.collectives import all_gather

CHUNK_ELEMENTS, CHUNK_ELEMENTS_ON_CUDA = 1 << 22, 1 << 26
"""Logits of a chunk: 16 MiB in float32, which stay in a CPU's last cache, or 256 MiB, which give a GPU enough to do;"""
CHUNK_TOKENS = 512
"""but no fewer tokens than these, however large the vocabulary."""


Weigh = Callable[[slice, Tensor], Tensor]
"""The weights (m,) float32 of some of M predictions, from their place among all and their negative log-likelihoods (m,)."""


class Predicted(NamedTuple):
    """What became of M predictions."""

    loss: Tensor
    """Scalar float32: sum of weight times negative log-likelihood, in nats; carries the gradient."""
    nll: Tensor
    """(M,) float32: negative log-likelihood of each target; no gradient."""
    hits: Tensor
    """(M,) bool: whether the target was the likeliest token."""


class _Words(NamedTuple):
    """Which of the vocabulary's words are this rank's."""

    first: int
    group: dist.ProcessGroup


def linear_cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | Weigh) -> Predicted:
    """Weighted cross-entropy of `hidden @ head.T`.

    Args:
        hidden: (M, D), floating; under autocast the products are in the autocast dtype.
        head: (V, D); if it is a distributed tensor, each rank has as many rows of it as any other.
        targets: (M,) int64.
        weights: (M,) float32; or how they are found, in which case they count as constants for the gradient.

    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    head, words = _own_words(head)
    return Predicted(*_LinearCrossEntropy.apply(hidden, head, targets, weights, dtype, words))  # type: ignore[no-untyped-call]


def _own_words(head: Tensor) -> tuple[Tensor, _Words | None]:
    """The rows of the head that are on this rank, and which they are; None if it is not distributed."""
    if not hasattr(head, "device_mesh"):  # asked like this because importing DTensor takes a second
        return head, None
    from torch.distributed.tensor import DTensor

    assert isinstance(head, DTensor)
    own = head.to_local()
    assert len(own) * head.device_mesh.size() == len(head), "every rank must have as many words"
    return own, _Words(head.device_mesh.get_local_rank() * len(own), head.device_mesh.get_group())


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        targets: Tensor,
        weights: Tensor | Weigh,
        dtype: torch.dtype,
        words: _Words | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        wants_hidden, wants_head = ctx.needs_input_grad[:2]
        low, low_head = hidden.to(dtype), head.to(dtype)
        nll = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        hits = torch.empty(len(targets), dtype=torch.bool, device=hidden.device)
        used = weights if isinstance(weights, Tensor) else torch.empty_like(nll)
        grad_hidden = torch.empty_like(low) if wants_hidden else None
        grad_head = torch.zeros(head.shape, dtype=torch.float32, device=head.device) if wants_head else None
        elements = CHUNK_ELEMENTS_ON_CUDA if hidden.is_cuda else CHUNK_ELEMENTS
        rows = max(CHUNK_TOKENS, elements // len(head))
        for chunk in (slice(start, start + rows) for start in range(0, len(targets), rows)):
            logits = (low[chunk] @ low_head.T).float()
            normaliser, of_target, likeliest = _score(logits, targets[chunk], words)
            nll[chunk], hits[chunk] = normaliser - of_target, of_target >= likeliest
            if not isinstance(weights, Tensor):
                used[chunk] = weights(chunk, nll[chunk])
            if grad_hidden is None and grad_head is None:
                continue
            slope = _slope(logits, targets[chunk], normaliser, used[chunk], words).to(dtype)
            if grad_hidden is not None:
                torch.mm(slope, low_head, out=grad_hidden[chunk])
            if grad_head is not None:
                grad_head += slope.T @ low[chunk]
        if words is not None and grad_hidden is not None:
            dist.all_reduce(grad_hidden, group=words.group)
        ctx.save_for_backward(grad_hidden, grad_head)
        ctx.dtypes = hidden.dtype, head.dtype
        ctx.mark_non_differentiable(nll, hits)
        return (used * nll).sum(), nll, hits

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        grads = zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        of_hidden, of_head = (None if g is None else (g * grad_outputs[0]).to(dtype) for g, dtype in grads)
        return of_hidden, of_head, None, None, None, None


def _score(logits: Tensor, targets: Tensor, words: _Words | None) -> tuple[Tensor, Tensor, Tensor]:
    """Of each token over the whole vocabulary, (M,) each: the logarithm of the sum of exponentials, the logit of the
    target, and the highest one. logits: (M, V) float32, of this rank's words.
    """
    index, inside = _locate(logits, targets, words)
    of_target = logits.gather(1, index[:, None])[:, 0]
    if words is None:
        return logits.logsumexp(1), of_target, logits.amax(1)
    own = torch.stack([logits.logsumexp(1), of_target.where(inside, -torch.inf), logits.amax(1)])
    everyone = all_gather(own, words.group).view(-1, *own.shape)
    return everyone[:, 0].logsumexp(0), everyone[:, 1].amax(0), everyone[:, 2].amax(0)


def _slope(logits: Tensor, targets: Tensor, normaliser: Tensor, weights: Tensor, words: _Words | None) -> Tensor:
    """Derivative of the weighted loss by the logits: weight * (softmax - one-hot), in the memory of `logits`."""
    index, inside = _locate(logits, targets, words)
    shares = logits.sub_(normaliser[:, None]).exp_()
    shares.scatter_add_(1, index[:, None], -inside[:, None].to(shares.dtype))
    return shares.mul_(weights[:, None])


def _locate(logits: Tensor, targets: Tensor, words: _Words | None) -> tuple[Tensor, Tensor]:
    """The columns of the targets, and whether each is among this rank's words; if it is not, its column is any."""
    if words is None:
        return targets, torch.ones_like(targets, dtype=torch.bool)
    index = targets - words.first
    return index.clamp(0, logits.shape[1] - 1), (index >= 0) & (index < logits.shape[1])
