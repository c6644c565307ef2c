"""The C kernel: a token has the same bits whatever is computed beside it and in whatever pieces, in half and in full precision."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_checkpoints import CONFIG, forward_of, random_checkpoint, sequence

from foretrace.engine.forward import Array, NumpyForward
from foretrace.engine.kernel import KernelForward, library

pytestmark = pytest.mark.skipif(library() is None, reason="this installation has no C kernel")
CONFIGS = [
    replace(CONFIG, max_position_embeddings=400),
    replace(CONFIG, max_position_embeddings=400, num_attention_heads=1, num_key_value_heads=1, hidden_size=50),
    replace(
        CONFIG, max_position_embeddings=400, num_attention_heads=14, num_key_value_heads=2, head_dim=64, sliding_window=33
    ),
]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("config", CONFIGS)
def test_pieces_and_neighbours_change_no_bit(config: object, dtype: str, tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path, config, dtype=dtype)
    forward = forward_of("kernel", checkpoint)
    assert isinstance(forward, KernelForward)
    assert forward._model.half == (dtype == "float16" and library().foretrace_takes_half())
    ids, rng = sequence(333), np.random.default_rng(8)
    expected = forward.logits(forward.advance([ids], [forward.new_cache()]))
    reference = NumpyForward(checkpoint.config, checkpoint.weights)
    np.testing.assert_allclose(expected, reference.logits(reference.advance([ids], [reference.new_cache()])), atol=1e-3)
    for _ in range(8):
        assert np.array_equal(in_pieces(forward, ids, rng), expected)


def in_pieces(forward: KernelForward, ids: list[int], rng: np.random.Generator) -> Array:
    """Logits of a sequence that is fed in random pieces, with wrong drafts that are taken back, beside other sequences."""
    cache, others, found = forward.new_cache(), [forward.new_cache() for _ in range(3)], []
    while cache.length < len(ids):
        new = int(rng.choice([1, 1, 2, 3, 5, 7, 13, 60]))
        piece = ids[cache.length : cache.length + new]
        draft = sequence(int(rng.integers(0, 9)), int(rng.integers(99)))[: 400 - cache.length - len(piece)]
        for other in others:
            other.length = int(rng.integers(0, min(other.length, 300) + 1))
        beside = [sequence(int(rng.integers(1, 9)), int(rng.integers(99))) for _ in others]
        place = int(rng.integers(0, 4))
        hidden = forward.advance(
            [*beside[:place], piece + draft, *beside[place:]], [*others[:place], cache, *others[place:]]
        )
        first = sum(map(len, beside[:place]))
        found.append(forward.logits(hidden[first : first + len(piece)]))
        cache.length -= len(draft)
    return np.concatenate(found)


def test_several_sequences_grow_in_one_pass(tmp_path: Path) -> None:
    forward = forward_of("kernel", random_checkpoint(tmp_path, CONFIGS[0]))
    lengths = [1, 48, 2, 300, 5]
    pieces = [sequence(length, seed=length) for length in lengths]
    together = forward.advance(pieces, [forward.new_cache() for _ in pieces])
    alone = [forward.advance([piece], [forward.new_cache()]) for piece in pieces]
    assert np.array_equal(together, np.concatenate(alone))
