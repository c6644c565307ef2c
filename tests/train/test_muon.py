"""Muon for many matrices at a time is torch's for one after the other."""

import pytest

torch = pytest.importorskip("torch")

from foretrace.train.muon import Muon

SHAPES = [(16, 48), (48, 16), (16, 48), (24, 24), (16, 48)]


def steps(kind: type[torch.optim.Optimizer], **options: object) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    optimizer = kind(matrices, lr=0.1, weight_decay=0.2, **options)
    for _ in range(4):
        for matrix in matrices[:-1]:
            matrix.grad = torch.randn(matrix.shape, generator=generator)
        optimizer.step()
    return [matrix.detach() for matrix in matrices]


def test_it_is_torchs() -> None:
    for ours, wanted in zip(steps(Muon), steps(torch.optim.Muon, adjust_lr_fn="match_rms_adamw"), strict=True):
        torch.testing.assert_close(ours, wanted, atol=2e-3, rtol=1e-2)  # both orthogonalise in bfloat16


def test_a_matrix_without_gradient_stays() -> None:
    generator = torch.Generator().manual_seed(0)
    before = [torch.randn(shape, generator=generator) for shape in SHAPES]
    assert torch.equal(steps(Muon)[-1], before[-1])
