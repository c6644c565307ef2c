"""Every attention backend against one dense reference, forward and backward, on random document layouts."""

import pytest

torch = pytest.importorskip("torch")

from foretrace.errors import UsageError
from foretrace.model.attention import BACKENDS, backend, best_backend
from foretrace.model.documents import Documents, Span

LAYOUTS = [(1,), (5, 1, 3), (256, 257, 30), (700, 2)]
WINDOWS = [None, 1, 7, 100, 300]
PORTABLE = ["sdpa-block"]
CUDA = [pytest.param(name, marks=pytest.mark.gpu) for name in ("sdpa-block", "flex", "varlen")]


def results(name: str, q, k, v, documents: Documents, window: int | None, upstream) -> list:
    inputs = [x.detach().requires_grad_() for x in (q, k, v)]
    out = backend(name)(*inputs, documents, window)
    return [out, *torch.autograd.grad((out * upstream).sum(), inputs)]


def explicit(documents: Documents, window: int | None, keys: int):
    """(M, N) mask, one comparison at a time."""
    mask = torch.zeros(sum(span.length for span in documents.spans), keys, dtype=torch.bool)
    for span in documents.spans:
        for i in range(span.length):
            sees = span.reach + i
            first = max(0, sees - window) if window else 0
            mask[span.query + i, span.key + first : span.key + sees] = True
    return mask


@pytest.mark.parametrize("lengths", LAYOUTS)
@pytest.mark.parametrize("window", WINDOWS)
def test_the_bounds_are_the_mask(lengths: tuple[int, ...], window: int | None) -> None:
    documents = Documents.of(lengths)
    low, high = documents.bounds(window)
    key = torch.arange(sum(lengths))
    assert torch.equal((key >= low[:, None]) & (key <= high[:, None]), explicit(documents, window, sum(lengths)))


def test_pieces_of_a_stream_see_what_they_saw_in_the_whole() -> None:
    whole = Documents.of((5, 1, 9, 4))
    pieces = [range(2, 7), range(11, 17)]
    part = whole.restricted(pieces)
    assert part.spans == (Span(0, 0, 3, 3), Span(3, 5, 1, 1), Span(4, 6, 1, 1), Span(5, 6, 4, 6), Span(9, 15, 2, 1))
    rows = [i for piece in pieces for i in piece]
    assert torch.equal(part.positions, whole.positions[rows])
    for window in (None, 3):
        for ours, theirs in zip(part.bounds(window), whole.bounds(window), strict=True):
            assert torch.equal(ours, theirs[rows])


@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize("lengths", LAYOUTS)
@pytest.mark.parametrize("window", WINDOWS)
def test_equals_the_dense_reference(name: str, lengths: tuple[int, ...], window: int | None) -> None:
    torch.manual_seed(0)
    documents, total = Documents.of(lengths), sum(lengths)
    q, k, v = (torch.randn(heads, total, 16) for heads in (4, 2, 2))
    upstream = torch.randn(4, total, 16)
    ours = results(name, q, k, v, documents, window, upstream)
    for mine, reference in zip(ours, results("dense", q, k, v, documents, window, upstream), strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize("seed", range(10))
def test_random_layouts_and_pieces(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    lengths = torch.randint(1, 90, (int(torch.randint(1, 12, ())),)).tolist()
    total = sum(lengths)
    cut = sorted(torch.randint(0, total + 1, (4,)).tolist())
    pieces = [range(cut[0], cut[1]), range(cut[2], cut[3])] if cut[1] > cut[0] and cut[3] > cut[2] else [range(total)]
    documents = Documents.of(lengths).restricted(pieces)
    rows = [i for piece in pieces for i in piece]
    q, k, v = torch.randn(6, len(rows), 8), torch.randn(3, total, 8), torch.randn(3, total, 8)
    upstream = torch.randn(6, len(rows), 8)
    window = [None, 5, 33][seed % 3]
    ours = results(name, q, k, v, documents, window, upstream)
    for mine, reference in zip(ours, results("dense", q, k, v, documents, window, upstream), strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CUDA)
@pytest.mark.parametrize("lengths", [(5, 1, 300), (2048, 1500, 548)])
@pytest.mark.parametrize("window", [None, 256])
def test_on_a_gpu(name: str, lengths: tuple[int, ...], window: int | None) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    torch.manual_seed(0)
    documents, total = Documents.of(lengths, "cuda"), sum(lengths)
    q, k, v = (torch.randn(heads, total, 64, device="cuda", dtype=torch.bfloat16) for heads in (4, 2, 2))
    upstream = torch.randn_like(q)
    reference = results("dense", *(x.float() for x in (q, k, v)), documents, window, upstream.float())
    for mine, wanted in zip(results(name, q, k, v, documents, window, upstream), reference, strict=True):
        torch.testing.assert_close(mine.float(), wanted, atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize("window", [None, 5])
def test_flex_and_varlen_describe_the_same_mask(window: int | None) -> None:
    """What needs no GPU of the backends that do: the block mask's code, and the cumulative lengths."""
    from foretrace.model.attention import flex, varlen

    documents = Documents.of((7, 130, 3))
    mask = flex._block_mask(documents, window, 140)
    query, key = torch.meshgrid(torch.arange(140), torch.arange(140), indexing="ij")
    visible = mask.mask_mod(torch.tensor(0), torch.tensor(0), query.flatten(), key.flatten()).view(140, 140)
    assert torch.equal(visible, explicit(documents, window, 140))
    plan = varlen._plan(documents)
    assert plan.queries.tolist() == plan.keys.tolist() == [0, 7, 137, 140]
    assert (plan.longest, plan.gather) == (130, None)
    pieces = varlen._plan(documents.restricted([range(5, 20), range(100, 140)]))
    assert pieces.queries.tolist() == [0, 2, 15, 52, 55]
    assert pieces.keys.tolist() == [0, 7, 20, 150, 153]
    assert pieces.gather.tolist() == [*range(7), *range(7, 20), *range(7, 137), *range(137, 140)]


def test_an_unknown_backend_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="sdpa-block"):
        backend("magic")
    assert best_backend(torch.device("cuda"), torch.bfloat16, 64) == "varlen"
    assert set(BACKENDS) >= {best_backend(torch.device("cpu"), torch.float32, 64)}
    assert best_backend(torch.device("cpu"), torch.float32, 8) == "sdpa-block"
