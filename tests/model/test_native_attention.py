"""The attention kernel in C against one dense product in float64, on every kind of processor that this one can be."""

import random

import pytest

torch = pytest.importorskip("torch")

from foretrace.errors import UsageError
from foretrace.model.attention import native
from foretrace.model.documents import Documents, Span

pytestmark = [
    pytest.mark.skipif(not native.available(), reason="the kernel was not compiled"),
    pytest.mark.usefixtures("one_thread"),
]

F32, BF16 = torch.float32, torch.bfloat16
KERNELS = [(dtype, kernel) for dtype in (F32, BF16) for kernel in native.kernels(dtype)]
WINDOWS = (None, 1, 7, 100, 300)
TOLERANCE = {F32: 1e-5, BF16: 2e-2}
"""Greatest error relative to the greatest value."""


def attend(dtype, kernel, q, k, v, documents, window, upstream):
    """Output and gradients, float64."""
    inputs = [x.detach().to(dtype).requires_grad_() for x in (q, k, v)]
    out = native.attend(*inputs, documents, window, kernel)
    return [x.double() for x in (out, *torch.autograd.grad(out, inputs, upstream.to(dtype)))]


def reference(dtype, q, k, v, documents, window, upstream):
    """The same by one mask, written from the meaning of a span; inputs rounded as the kernel gets them."""
    q, k, v, upstream = (x.detach().to(dtype).double() for x in (q, k, v, upstream))
    inputs = [x.requires_grad_() for x in (q, k, v)]
    mask = torch.zeros(q.shape[1], k.shape[1], dtype=torch.bool)
    for query, key, length, reach in documents.spans:
        for i in range(length):
            sees = reach + i
            mask[query + i, key + max(0, sees - (window or sees)) : key + sees] = True
    group = len(q) // len(k)
    keys, values = (x.repeat_interleave(group, 0) for x in (k, v))
    scores = (q @ keys.mT) * q.shape[-1] ** -0.5
    out = scores.masked_fill(~mask, -torch.inf).softmax(-1) @ values
    return [out.detach(), *torch.autograd.grad(out, inputs, upstream)]


def random_inputs(heads, key_heads, queries, keys, dim, scale=1.0):
    shapes = ((heads, queries), (key_heads, keys), (key_heads, keys), (heads, queries))
    q, k, v, upstream = (torch.randn(*shape, dim) for shape in shapes)
    return q * scale, k * scale, v, upstream


def check(dtype, kernel, inputs, documents, window):
    q, k, v, upstream = inputs
    ours = attend(dtype, kernel, q, k, v, documents, window, upstream)
    for name, mine, right in zip("oqkv", ours, reference(dtype, q, k, v, documents, window, upstream), strict=True):
        error = (mine - right).abs().max().item() / max(right.abs().max().item(), 0.5)
        assert error <= TOLERANCE[dtype], name


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_documents_of_all_lengths(dtype, kernel, window) -> None:
    torch.manual_seed(0)
    lengths = (5, 1, 3, 256, 257, 30, 64, 33)
    check(dtype, kernel, random_inputs(4, 2, sum(lengths), sum(lengths), 64), Documents.of(lengths), window)


@pytest.mark.parametrize("dim", range(16, 129, 16))
@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_head_sizes(dtype, kernel, dim) -> None:
    torch.manual_seed(1)
    check(dtype, kernel, random_inputs(2, 1, 150, 150, dim), Documents.of((90, 60)), 40)


@pytest.mark.parametrize(("heads", "key_heads"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (8, 1), (11, 1), (4, 2), (6, 6)])
@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_groups(dtype, kernel, heads, key_heads) -> None:
    torch.manual_seed(2)
    check(dtype, kernel, random_inputs(heads, key_heads, 130, 130, 32), Documents.of((101, 29)), 50)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_keys_of_several_chunks(dtype, kernel, window) -> None:
    """Chunks take turns to add to the gradient of q; 1,100 keys are three even of the largest."""
    torch.manual_seed(3)
    check(dtype, kernel, random_inputs(2, 1, 1137, 1137, 16), Documents.of((37, 1100)), window)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_pieces_of_a_stream(dtype, kernel, seed) -> None:
    """As under context parallelism: queries are some of the tokens, in any order of pieces; all keys are there."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    lengths = [rng.choice((1, 2, 15, 16, 17, rng.randint(1, 300))) for _ in range(rng.randint(1, 6))]
    total = sum(lengths)
    cuts = sorted(rng.sample(range(total + 1), min(4, total + 1)))
    pieces = [range(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)] or [range(total)]
    rng.shuffle(pieces)
    documents = Documents.of(lengths).restricted(pieces)
    heads, key_heads = rng.choice(((2, 1), (3, 3), (4, 2), (5, 1)))
    inputs = random_inputs(heads, key_heads, sum(map(len, pieces)), total, rng.choice((16, 48, 64)))
    check(dtype, kernel, inputs, documents, rng.choice(WINDOWS))


@pytest.mark.parametrize("scale", [30.0, 1e4])
@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_extreme_scores(dtype, kernel, scale) -> None:
    """One key has all of the attention: no infinity, no NaN, and what softmax says."""
    torch.manual_seed(4)
    q, k, v, upstream = random_inputs(2, 1, 80, 80, 32, scale)
    documents = Documents.of((50, 30))
    ours = attend(dtype, kernel, q, k, v, documents, None, upstream)
    assert all(x.isfinite().all() for x in ours)
    out = reference(dtype, q, k, v, documents, None, upstream)[0]
    agree = ((ours[0] - out).abs() < 0.05).all(dim=-1).double().mean()
    assert agree > 0.95  # but where two scores are nearer to each other than float32 tells


@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_the_future_and_other_documents_change_no_bit(dtype, kernel) -> None:
    torch.manual_seed(5)
    q, k, v = (x.to(dtype) for x in random_inputs(4, 2, 200, 200, 32)[:3])
    documents = Documents.of((60, 100, 40))
    before = native.attend(q, k, v, documents, 30, kernel)
    for tensor in (q, k, v):
        tensor[:, 110:] = 1e3
    after = native.attend(q, k, v, documents, 30, kernel)
    assert torch.equal(before[:, :110], after[:, :110])
    assert not torch.equal(before[:, 110:160], after[:, 110:160])


@pytest.mark.parametrize(("dtype", "kernel"), KERNELS)
def test_results_are_the_same_on_any_number_of_threads(dtype, kernel) -> None:
    torch.manual_seed(6)
    inputs = random_inputs(4, 2, 1700, 1700, 16)
    documents, results = Documents.of((1200, 300, 200)), []
    for count in (1, 2, 5, 2):
        torch.set_num_threads(count)
        results.append(attend(dtype, kernel, *inputs[:3], documents, 700, inputs[3]))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_threads_of_its_own_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch has no OpenMP that is known."""
    torch.manual_seed(7)
    torch.set_num_threads(3)
    inputs = random_inputs(4, 2, 900, 900, 16)
    first = attend(F32, None, *inputs[:3], Documents.of((700, 200)), None, inputs[3])
    monkeypatch.setattr(native, "_team", lambda: None)
    second = attend(F32, None, *inputs[:3], Documents.of((700, 200)), None, inputs[3])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("dtype", [F32, BF16])
def test_strides_are_free_and_the_output_lies_by_token(dtype) -> None:
    torch.manual_seed(8)
    documents, n = Documents.of((40, 60)), 100
    together = torch.randn(n, 4 + 2 + 2, 32).to(dtype)
    upstream = torch.randn(n, 4, 32).to(dtype).transpose(0, 1)
    results = []
    for shape in ("views", "contiguous", "last dimension apart"):
        parts = [x.detach() for x in together.transpose(0, 1).split([4, 2, 2])]
        if shape == "contiguous":
            parts = [x.contiguous() for x in parts]
        if shape == "last dimension apart":
            parts = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in parts]
        parts = [x.requires_grad_() for x in parts]
        out = native.attend(*parts, documents, 20)
        grad = upstream if shape == "views" else upstream.contiguous().float()
        results.append([out, *torch.autograd.grad(out, parts, grad)])
    for result in results:
        assert all(x.transpose(0, 1).is_contiguous() for x in result)
        assert all(x.dtype == dtype and torch.equal(x, y) for x, y in zip(result, results[0], strict=True))


def test_a_gradient_that_is_expanded() -> None:
    torch.manual_seed(9)
    q, k, v = (x.requires_grad_() for x in random_inputs(2, 1, 30, 30, 16)[:3])
    out = native.attend(q, k, v, Documents.of((30,)), None)
    first = torch.autograd.grad(out.sum(), (q, k, v), retain_graph=True)
    second = torch.autograd.grad(out, (q, k, v), torch.ones_like(out))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_without_gradients_and_under_autocast() -> None:
    torch.manual_seed(10)
    q, k, v, _ = random_inputs(2, 1, 30, 30, 16)
    projection = torch.eye(16)
    with torch.no_grad(), torch.autocast("cpu", BF16):
        q, k, v = (x @ projection for x in (q, k, v))
        out = native.attend(q, k, v, Documents.of((30,)), 5)
    assert out.dtype == BF16
    assert not out.requires_grad


def test_keys_that_nobody_sees_have_no_gradient() -> None:
    torch.manual_seed(11)
    q, k, v = (x.requires_grad_() for x in random_inputs(2, 1, 10, 100, 16)[:3])
    documents = Documents([Span(0, 20, 10, 21)])
    grad_k, grad_v = torch.autograd.grad(native.attend(q, k, v, documents, 8).sum(), (k, v))
    seen = torch.zeros(100, dtype=torch.bool)
    seen[20 + 21 - 8 : 20 + 30] = True
    for grad in (grad_k, grad_v):
        assert torch.equal(grad[0].abs().sum(-1) > 0, seen)


def test_no_tokens_at_all() -> None:
    q, k, v = (x.requires_grad_() for x in random_inputs(2, 1, 0, 0, 16)[:3])
    out = native.attend(q, k, v, Documents.of(()), None)
    out.sum().backward()
    assert out.shape == (2, 0, 16)


def test_what_it_does_not_take_is_a_clear_error() -> None:
    q, k, v = (torch.zeros(heads, 10, 16) for heads in (4, 2, 2))
    documents = Documents.of((10,))
    assert native.supports(q)
    for bad in (q.half(), q[..., :8], torch.zeros(4, 10, 144), q.to("meta")):
        assert not native.supports(bad)
        with pytest.raises(UsageError, match="sdpa-block"):
            native.attend(bad, k, v, documents, None)
    for other in (k.bfloat16(), k[:, :9], torch.zeros(3, 10, 16)):
        with pytest.raises(UsageError, match="do not fit"):
            native.attend(q, other, v, documents, None)
    with pytest.raises(UsageError, match="9 queries"):
        native.attend(q, k, v, Documents.of((9,)), None)
    with pytest.raises(UsageError, match="window"):
        native.attend(q, k, v, documents, 0)
    with pytest.raises(UsageError, match="no kernel"):
        native.attend(q, k, v, documents, None, "avx512-bf16")
    for spans in ([Span(0, 0, 6, 1), Span(6, 5, 4, 1)], [Span(0, 0, 6, 1), Span(5, 6, 5, 1)], [Span(1, 0, 10, 1)]):
        with pytest.raises(UsageError, match="overlap"):
            native.attend(q, k, v, Documents(spans), None)


def test_an_installation_without_the_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_library", lambda: None)
    assert not native.available()
    q = torch.zeros(1, 1, 16)
    with pytest.raises(UsageError, match="C compiler"):
        native.attend(q, q, q, Documents.of((1,)), None)
