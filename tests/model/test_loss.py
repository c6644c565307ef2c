"""The head's cross-entropy in chunks against torch's on whole logits."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F

from foretrace.model import loss as module
from foretrace.model.loss import linear_cross_entropy


@pytest.mark.parametrize(("elements", "tokens"), [(1, 1), (40, 1), (1, 4), (1 << 20, 512)])
def test_equals_cross_entropy_of_whole_logits(monkeypatch: pytest.MonkeyPatch, elements: int, tokens: int) -> None:
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", elements)
    monkeypatch.setattr(module, "CHUNK_TOKENS", tokens)
    torch.manual_seed(0)
    hidden = torch.randn(11, 8, dtype=torch.float64, requires_grad=True)
    head = torch.randn(7, 8, dtype=torch.float64, requires_grad=True)
    targets, weights = torch.randint(0, 7, (11,)), torch.rand(11)
    logits = hidden @ head.T
    each = F.cross_entropy(logits, targets, reduction="none")
    predicted = linear_cross_entropy(hidden, head, targets, weights)
    torch.testing.assert_close(predicted.nll, each.detach().float())
    assert torch.equal(predicted.hits, logits.argmax(1) == targets)
    wanted = torch.autograd.grad((weights * each).sum() / 3, (hidden, head))
    for ours, reference in zip(torch.autograd.grad(predicted.loss / 3, (hidden, head)), wanted, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-6, rtol=1e-5)  # the softmax is float32


def test_in_bfloat16_as_autocast_would() -> None:
    torch.manual_seed(0)
    hidden, head = torch.randn(50, 32, requires_grad=True), torch.randn(64, 32, requires_grad=True)
    targets, weights = torch.randint(0, 64, (50,)), torch.ones(50)
    with torch.autocast("cpu", torch.bfloat16):
        predicted = linear_cross_entropy(hidden, head, targets, weights)
        plain = F.cross_entropy((hidden @ head.T).float(), targets, reduction="sum")
    torch.testing.assert_close(predicted.loss, plain)
    for ours, reference in zip(
        torch.autograd.grad(predicted.loss, (hidden, head)), torch.autograd.grad(plain, (hidden, head)), strict=True
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, reference, atol=2e-2, rtol=2e-2)


def test_without_gradient_nothing_but_the_scores_is_computed() -> None:
    predicted = linear_cross_entropy(torch.zeros(3, 4), torch.zeros(5, 4), torch.arange(3), torch.ones(3))
    assert not predicted.loss.requires_grad
    torch.testing.assert_close(predicted.nll, torch.full((3,), 5.0).log())
