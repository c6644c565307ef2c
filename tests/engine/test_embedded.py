"""The embedded engine, by NumPy and by the C kernel, against the torch model: cached or not, alone or in a batch."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_checkpoints import CONFIG, forward_of, random_checkpoint, sequence

from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.forward import NumpyForward
from foretrace.engine.kernel import best_forward
from foretrace.engine.sampling import log_softmax
from foretrace.errors import UsageError
from foretrace.model.checkpoint import Checkpoint


def engine_of(name: str, checkpoint: Checkpoint) -> EmbeddedEngine:
    forward = forward_of(name, checkpoint)
    if forward is None:
        pytest.skip("this installation has no C kernel")
    return EmbeddedEngine(checkpoint, "random", forward)


@pytest.fixture(scope="module", params=["numpy", "kernel"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    checkpoint = random_checkpoint(tmp_path_factory.mktemp("checkpoint"))
    return engine_of(request.param, checkpoint)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", ["numpy", "kernel"])
def test_logits_equal_the_torch_model(name: str, dtype: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from foretrace.model.transformer import CausalLM, Documents

    checkpoint = random_checkpoint(tmp_path, seed=5, dtype=dtype)
    model = CausalLM(CONFIG)
    model.load_state_dict({n: torch.from_numpy(w) for n, w in checkpoint.weights.items()})
    ids = sequence(100)  # well past the window, and more rows than the kernel takes at once
    with torch.no_grad():
        reference = model(torch.tensor(ids), Documents.of((100,))).numpy()
    engine = engine_of(name, checkpoint)
    np.testing.assert_allclose(engine.logits(ids), reference, atol=1e-3)


def test_room_for_positions_grows_without_loss(tmp_path: Path) -> None:
    config = replace(CONFIG, max_position_embeddings=700)
    checkpoint = random_checkpoint(tmp_path, config)
    ids = sequence(600)  # more than twice what a new cache holds
    by_kernel = engine_of("kernel", checkpoint)
    by_numpy = engine_of("numpy", checkpoint)
    np.testing.assert_allclose(by_kernel.logits(ids), by_numpy.logits(ids), atol=1e-3)
    [generation] = by_kernel.generate([ids[:250]], max_tokens=300)
    best, _ = by_kernel.predict_next(ids[:250] + generation.tokens)
    assert generation.tokens == best[249:549].tolist()


def test_a_shape_that_the_kernel_does_not_take_falls_back(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path, replace(CONFIG, head_dim=8))
    assert isinstance(best_forward(checkpoint.config, checkpoint.weights), NumpyForward)


def test_what_is_out_of_range_never_reaches_the_kernel(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path)
    engine = engine_of("kernel", checkpoint)
    for bad in (-1, CONFIG.vocab_size):
        with pytest.raises(IndexError, match="out of range"):
            engine.logits([1, bad])
    with pytest.raises(IndexError, match="context"):
        engine.logits([1] * (CONFIG.max_position_embeddings + 1))


def test_cached_decoding_equals_one_pass(engine: EmbeddedEngine) -> None:
    prompt = sequence(20)
    [generation] = engine.generate([prompt], max_tokens=30)
    best, logprobs = engine.predict_next(prompt + generation.tokens)
    assert generation.tokens == best[19:49].tolist()
    np.testing.assert_allclose(generation.logprobs, logprobs[19:49], atol=1e-4)


def test_a_batch_equals_one_by_one(engine: EmbeddedEngine) -> None:
    prompts = [sequence(n, seed=n) for n in range(1, 42)]  # more than fit at once
    together = engine.generate(prompts, max_tokens=12, stop=[3])
    alone = [engine.generate([p], max_tokens=12, stop=[3])[0] for p in prompts]
    assert [g.tokens for g in together] == [g.tokens for g in alone]


def test_stops_at_a_stop_token_and_at_the_context(engine: EmbeddedEngine) -> None:
    prompt = sequence(10)
    [free] = engine.generate([prompt], max_tokens=5)
    [stopped] = engine.generate([prompt], max_tokens=5, stop=[free.tokens[2]])
    assert stopped.finish == "stop"
    assert stopped.tokens == free.tokens[: free.tokens.index(free.tokens[2]) + 1]
    full, beyond = engine.generate([sequence(126), sequence(128)], max_tokens=50)
    assert (full.finish, len(full.tokens)) == ("context", 2)
    assert (beyond.finish, beyond.tokens) == ("context", [])


def test_sampling_is_seeded_and_follows_the_distribution(engine: EmbeddedEngine) -> None:
    prompt = sequence(10)
    draws = [engine.generate([prompt], max_tokens=1, temperature=1.0, seed=s)[0].tokens[0] for s in range(300)]
    again = [engine.generate([prompt], max_tokens=1, temperature=1.0, seed=s)[0].tokens[0] for s in range(300)]
    assert draws == again
    logits = engine.logits(prompt)[-1].astype(float)
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    likeliest = int(probabilities.argmax())
    assert abs(draws.count(likeliest) / 300 - probabilities[likeliest]) < 0.1
    nucleus = engine.generate([prompt], max_tokens=1, temperature=1.0, top_p=1e-6)[0].tokens
    assert nucleus == [likeliest]


def test_how_likely_the_chosen_tokens_and_the_next_ones_are(engine: EmbeddedEngine) -> None:
    prompt = sequence(10)
    for temperature in (0.0, 1.0):
        [generation] = engine.generate([prompt], max_tokens=8, temperature=temperature, seed=4)
        ids = prompt + generation.tokens
        expected = log_softmax(engine.logits(ids))[9:-1]
        others = expected.copy()
        others[np.arange(8), generation.tokens] = -np.inf
        own = expected[np.arange(8), generation.tokens]
        np.testing.assert_allclose(generation.logprobs, own, atol=1e-4)
        np.testing.assert_allclose(generation.margins, own - others.max(-1), atol=1e-4)
        assert (min(generation.margins) >= 0) == (temperature == 0)
    top = engine.top_next(prompt, 5)
    assert [token for token, _ in top] == np.argsort(-log_softmax(engine.logits(prompt))[-1])[:5].tolist()
    np.testing.assert_allclose([p for _, p in top], np.sort(log_softmax(engine.logits(prompt))[-1])[::-1][:5], atol=1e-4)
    assert len(engine.top_next(prompt, 10_000)) == CONFIG.vocab_size


def test_an_empty_prompt_is_a_clear_error(engine: EmbeddedEngine) -> None:
    with pytest.raises(UsageError, match="empty prompt"):
        engine.generate([[]], max_tokens=1)
    with pytest.raises(UsageError, match="empty prompt"):
        engine.top_next([], 1)


def test_a_prompt_beyond_the_context_is_a_clear_error(engine: EmbeddedEngine) -> None:
    full = [1] * engine.context_length
    assert engine.top_next(full, 1)
    with pytest.raises(UsageError, match="more than the model's context holds"):
        engine.top_next([*full, 1], 1)
