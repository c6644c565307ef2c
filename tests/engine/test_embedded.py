"""The embedded engine against the torch model: same logits, cached or not, alone or in a batch."""

from pathlib import Path

import numpy as np
import pytest

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.errors import UsageError
from foretrace.model.checkpoint import expected_shapes, load_checkpoint, save_checkpoint
from foretrace.model.config import ModelConfig

TOKENIZER = Tokenizer.train([], vocab_size=700)
CONFIG = ModelConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=128,
    sliding_window=6,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    rng = np.random.default_rng(0)
    weights = {n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in expected_shapes(CONFIG).items()}
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(folder, CONFIG, weights, TOKENIZER)
    return EmbeddedEngine(load_checkpoint(folder), "random")


def sequence(length: int, seed: int = 1) -> list[int]:
    return np.random.default_rng(seed).integers(0, CONFIG.vocab_size, length).tolist()


def test_logits_equal_the_torch_model(engine: EmbeddedEngine, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from foretrace.model.transformer import CausalLM, Documents

    rng = np.random.default_rng(5)
    weights = {n: rng.normal(0, 0.3, s).astype(np.float16).astype(np.float32) for n, s in expected_shapes(CONFIG).items()}
    save_checkpoint(tmp_path, CONFIG, weights, TOKENIZER)
    model = CausalLM(CONFIG)
    model.load_state_dict({n: torch.from_numpy(w) for n, w in weights.items()})
    ids = sequence(50)  # well past the window
    with torch.no_grad():
        reference = model(torch.tensor(ids), Documents.of((50,))).numpy()
    np.testing.assert_allclose(EmbeddedEngine(load_checkpoint(tmp_path), "x").logits(ids), reference, atol=1e-3)


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
