"""Chunked attention against one dense reference, forward and backward, on random document layouts."""

import pytest

torch = pytest.importorskip("torch")

from foretrace.model.attention import attend, dense_reference

LAYOUTS = [(1,), (5, 1, 3), (256, 257, 30), (700, 2)]


@pytest.mark.parametrize("lengths", LAYOUTS)
@pytest.mark.parametrize("window", [None, 1, 7, 100, 300])
def test_equals_the_dense_reference(lengths: tuple[int, ...], window: int | None) -> None:
    torch.manual_seed(0)
    total = sum(lengths)
    inputs = [torch.randn(heads, total, 16, requires_grad=True) for heads in (4, 2, 2)]
    upstream = torch.randn(4, total, 16)
    results = []
    for function in (attend, dense_reference):
        out = function(*inputs, lengths, window)
        results.append((out, *torch.autograd.grad((out * upstream).sum(), inputs)))
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)
