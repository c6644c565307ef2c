"""The embedded engine, by NumPy and by the C kernel, against the torch model: cached or not, alone or in a batch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.forward import Forward, NumpyForward
from foretrace.engine.kernel import KernelForward, best_forward, library
from foretrace.errors import UsageError
from foretrace.model.checkpoint import Checkpoint, expected_shapes, load_checkpoint, save_checkpoint
from foretrace.model.config import ModelConfig

TOKENIZER = Tokenizer.train([], vocab_size=700)
CONFIG = ModelConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=128,
    sliding_window=6,
)


def forward_of(name: str, checkpoint: Checkpoint) -> Forward:
    if name == "numpy":
        return NumpyForward(checkpoint.config, checkpoint.weights)
    kernel = library()
    if kernel is None:
        pytest.skip("this installation has no C kernel")
    return KernelForward(kernel, checkpoint.config, checkpoint.weights)


def random_checkpoint(folder: Path, config: ModelConfig = CONFIG, seed: int = 0) -> Checkpoint:
    rng = np.random.default_rng(seed)
    shapes = expected_shapes(config).items()
    save_checkpoint(folder, config, {n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in shapes}, TOKENIZER)
    return load_checkpoint(folder)


@pytest.fixture(scope="module", params=["numpy", "kernel"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    checkpoint = random_checkpoint(tmp_path_factory.mktemp("checkpoint"))
    return EmbeddedEngine(checkpoint, "random", forward_of(request.param, checkpoint))


def sequence(length: int, seed: int = 1) -> list[int]:
    return np.random.default_rng(seed).integers(0, CONFIG.vocab_size, length).tolist()


@pytest.mark.parametrize("name", ["numpy", "kernel"])
def test_logits_equal_the_torch_model(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from foretrace.model.transformer import CausalLM, Documents

    checkpoint = random_checkpoint(tmp_path, seed=5)
    model = CausalLM(CONFIG)
    model.load_state_dict({n: torch.from_numpy(w) for n, w in checkpoint.weights.items()})
    ids = sequence(100)  # well past the window, and more rows than the kernel takes at once
    with torch.no_grad():
        reference = model(torch.tensor(ids), Documents.of((100,))).numpy()
    engine = EmbeddedEngine(checkpoint, "x", forward_of(name, checkpoint))
    np.testing.assert_allclose(engine.logits(ids), reference, atol=1e-3)


def test_room_for_positions_grows_without_loss(tmp_path: Path) -> None:
    config = replace(CONFIG, max_position_embeddings=700)
    checkpoint = random_checkpoint(tmp_path, config)
    ids = sequence(600)  # more than twice what a new cache holds
    by_kernel = EmbeddedEngine(checkpoint, "x", forward_of("kernel", checkpoint))
    by_numpy = EmbeddedEngine(checkpoint, "x", forward_of("numpy", checkpoint))
    np.testing.assert_allclose(by_kernel.logits(ids), by_numpy.logits(ids), atol=1e-3)
    [generation] = by_kernel.generate([ids[:250]], max_tokens=300)
    best, _ = by_kernel.predict_next(ids[:250] + generation.tokens)
    assert generation.tokens == best[249:549].tolist()


def test_a_shape_that_the_kernel_does_not_take_falls_back(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path, replace(CONFIG, head_dim=8))
    assert isinstance(best_forward(checkpoint.config, checkpoint.weights), NumpyForward)


def test_tokens_outside_the_vocabulary_never_reach_the_kernel(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path)
    engine = EmbeddedEngine(checkpoint, "x", forward_of("kernel", checkpoint))
    for bad in (-1, CONFIG.vocab_size):
        with pytest.raises(IndexError, match="out of range"):
            engine.logits([1, bad])


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


def test_an_empty_prompt_is_a_clear_error(engine: EmbeddedEngine) -> None:
    with pytest.raises(UsageError, match="empty prompt"):
        engine.generate([[]], max_tokens=1)
