"""Decoding with a cache gives what the model gives without one: past the window, chunk by chunk, and after taking tokens back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor

from foretrace.errors import UsageError
from foretrace.model.config import FULL, SLIDING, ModelConfig
from foretrace.model.decode import Cache, advance
from foretrace.model.transformer import CausalLM, Documents

pytestmark = pytest.mark.usefixtures("one_thread")
WINDOW = 6
CONFIG = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=100,
    sliding_window=WINDOW,
    initializer_range=0.3,
)
LENGTH = 60


@pytest.fixture(scope="module")
def model() -> CausalLM:
    return CausalLM(CONFIG)


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    return torch.randint(0, 50, (3, LENGTH), generator=torch.Generator().manual_seed(0))


def uncached(model: CausalLM, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([model.hidden(row, Documents.of((len(row),))) for row in tokens])


def fed(model: CausalLM, tokens: Tensor, cache: Cache, pieces: Sequence[int]) -> Tensor:
    return torch.cat([advance(model, piece, cache) for piece in tokens.split(list(pieces), dim=1)], dim=1)


def assert_same(ours: Tensor, reference: Tensor) -> None:
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pieces", [(LENGTH,), (1,) * LENGTH, (20, *(1,) * 40), (1, 13, 7, 39), (3,) * 20])
@pytest.mark.parametrize("chunk", [1, 4, 7, 256])
def test_equals_the_model_without_a_cache(model: CausalLM, tokens: Tensor, pieces: tuple[int, ...], chunk: int) -> None:
    cache = Cache(CONFIG, chunk=chunk)
    assert_same(fed(model, tokens, cache, pieces), uncached(model, tokens))
    assert cache.length == LENGTH


@pytest.mark.parametrize("kinds", [(FULL,) * 5, (SLIDING,) * 5, (SLIDING, FULL, FULL, SLIDING, FULL)])
def test_any_pattern_of_layers(tokens: Tensor, kinds: tuple[str, ...]) -> None:
    model = CausalLM(replace(CONFIG, layer_types=kinds, num_key_value_heads=4, sliding_window=1 if kinds[0] == FULL else 9))
    assert_same(fed(model, tokens, Cache(model.config, chunk=8), (30, *(1,) * 30)), uncached(model, tokens))


def test_half_precision(tokens: Tensor) -> None:
    model = CausalLM(CONFIG).bfloat16()
    cached, whole = fed(model, tokens, Cache(CONFIG), (30, 10, *(1,) * 20)), uncached(model, tokens)
    assert cached.dtype == torch.bfloat16
    assert (cached - whole).abs().mean() < 0.02


def test_sliding_layers_stay_bounded(model: CausalLM, tokens: Tensor) -> None:
    cache = Cache(CONFIG, chunk=4)
    advance(model, tokens, cache)
    held = [layer.nbytes() for layer in cache.layers]
    position = 3 * 2 * CONFIG.num_key_value_heads * CONFIG.head_dim * 4
    assert held[1] == (WINDOW - 1 + 4) * position
    assert held[0] >= LENGTH * position
    assert sum(held) == cache.nbytes()


def test_truncated_to_any_length_without_windows(tokens: Tensor) -> None:
    model = CausalLM(replace(CONFIG, layer_types=(FULL,) * 5))
    cache = Cache(model.config, chunk=4)
    advance(model, tokens, cache)
    cache.truncate(17)
    assert_same(advance(model, tokens[:, 17:], cache), uncached(model, tokens)[:, 17:])
    cache.truncate(0)
    assert_same(advance(model, tokens, cache), uncached(model, tokens))


@pytest.mark.parametrize("chunk", [1, 3, 16])
def test_drafts_can_always_be_taken_back(model: CausalLM, tokens: Tensor, chunk: int) -> None:
    """Wrong drafts of up to five tokens before each piece: what follows is as if they had never been."""
    cache, whole = Cache(CONFIG, chunk=chunk, rollback=5), uncached(model, tokens)
    wrong = (tokens + 1) % 50
    for start in range(0, LENGTH - 5, 2):
        for drafts in (5, 1, 3):
            advance(model, wrong[:, start : start + drafts], cache)
            cache.truncate(start)
        assert_same(advance(model, tokens[:, start : start + 2], cache), whole[:, start : start + 2])


def test_what_cannot_be_taken_back_is_a_clear_error_and_changes_nothing(model: CausalLM, tokens: Tensor) -> None:
    cache = Cache(CONFIG, chunk=4)
    advance(model, tokens[:, :40], cache)
    for length in (0, 20, 41, -1):
        with pytest.raises(UsageError, match="truncate"):
            cache.truncate(length)
    assert_same(advance(model, tokens[:, 40:], cache), uncached(model, tokens)[:, 40:])


def test_what_fits_in_the_buffer_can_be_taken_back(model: CausalLM, tokens: Tensor) -> None:
    cache = Cache(CONFIG, chunk=64)
    advance(model, tokens[:, :50], cache)
    cache.truncate(9)
    assert_same(advance(model, tokens[:, 9:], cache), uncached(model, tokens)[:, 9:])


def test_more_tokens_than_positions(model: CausalLM, tokens: Tensor) -> None:
    cache = Cache(CONFIG)
    advance(model, tokens, cache)
    with pytest.raises(UsageError, match="120 tokens are more than the 100 positions"):
        advance(model, tokens, cache)
    assert cache.length == LENGTH
