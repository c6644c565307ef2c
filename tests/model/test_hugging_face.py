"""`transformers` as the oracle: the same folder gives the same logits in both, within 1e-5 in float32."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", minversion="5.0")

from torch import Tensor

from foretrace.model.config import FULL, SLIDING, ModelConfig, RopeScaling
from foretrace.model.decode import Cache, advance
from foretrace.model.loading import load_model, save_model
from foretrace.model.presets import CWM_32B, preset
from foretrace.model.rope import inverse_frequencies, rotary_tables
from foretrace.model.shapes import expected_shapes
from foretrace.model.transformer import CausalLM, Documents

pytestmark = pytest.mark.usefixtures("one_thread")
GROUPED = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=512,
    sliding_window=6,
    layer_types=(SLIDING, FULL, SLIDING, SLIDING, FULL),
    initializer_range=0.15,
    bos_token_id=1,
    eos_token_id=(2, 3),
    pad_token_id=0,
)
SHORT = RopeScaling(factor=16.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
SCALED = replace(GROUPED, rope_theta=1e6, rope_scaling=SHORT, layer_types=(), num_hidden_layers=6)
TIED = replace(GROUPED, tie_word_embeddings=True, num_key_value_heads=4, rms_norm_eps=1e-3, layer_types=(FULL,) * 5)
ONE_KEY_HEAD = replace(GROUPED, num_key_value_heads=1, head_dim=8, layer_types=(SLIDING,) * 5, sliding_window=33)
CONFIGS = [GROUPED, SCALED, TIED, ONE_KEY_HEAD]
NAMES = ["grouped", "scaled", "tied", "one-key-head"]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def randomised(config: ModelConfig) -> CausalLM:
    """No weight is the one that both start with: norms neither."""
    model = CausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
    return model


def their_model(folder: Path, **options: Any) -> Any:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, **options).eval()
    assert type(model).__name__ == "CwmForCausalLM"
    return model


def their_logits(model: Any, tokens: Tensor, lengths: tuple[int, ...]) -> Tensor:
    positions = torch.cat([torch.arange(n) for n in lengths])
    with torch.no_grad():
        logits: Tensor = model(tokens[None], position_ids=positions[None], use_cache=False).logits[0]
    return logits


def our_logits(model: CausalLM, tokens: Tensor, lengths: tuple[int, ...]) -> Tensor:
    with torch.no_grad():
        return model(tokens, Documents.of(lengths))


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert theirs.std() > 0.2, "logits so small that nothing is shown"
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
@pytest.mark.parametrize("lengths", [(200,), (3, 90, 1, 40)], ids=["one document", "packed"])
def test_saved_by_us(config: ModelConfig, lengths: tuple[int, ...], tmp_path: Path) -> None:
    model, tokens = randomised(config), torch.randint(0, 50, (sum(lengths),))
    save_model(tmp_path, model, max_shard_bytes=20_000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    for attention in ("eager", "sdpa"):
        theirs = their_model(tmp_path, attn_implementation=attention)
        assert_same(our_logits(model, tokens, lengths), their_logits(theirs, tokens, lengths))


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_saved_by_transformers(config: ModelConfig, tmp_path: Path) -> None:
    save_model(tmp_path / "ours", randomised(config))
    theirs = their_model(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size="20KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 2
    model = load_model(tmp_path / "theirs")
    assert model.config == config
    tokens = torch.randint(0, 50, (100,))
    assert_same(our_logits(model, tokens, (40, 60)), their_logits(theirs, tokens, (40, 60)))
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == config.tie_word_embeddings


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_goes_there_and_back_to_the_bit(dtype: str, tmp_path: Path) -> None:
    model = randomised(GROUPED)
    save_model(tmp_path / "ours", model, dtype=dtype)
    theirs = their_model(tmp_path / "ours", dtype="auto")
    assert str(theirs.dtype) == f"torch.{dtype}"
    theirs.save_pretrained(tmp_path / "theirs")
    back = load_model(tmp_path / "theirs")
    for name, weight in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight.to(getattr(torch, dtype))), name


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_greedy_decoding_with_a_cache(config: ModelConfig, tmp_path: Path) -> None:
    """Thirty tokens in both, past the window; theirs with their cache, ours with ours."""
    model, prompt = randomised(replace(config, eos_token_id=None)), torch.randint(4, 50, (1, 20))
    save_model(tmp_path, model)
    options: dict[str, Any] = {"max_new_tokens": 30, "do_sample": False, "pad_token_id": 0}
    options |= {"return_dict_in_generate": True, "output_logits": True}
    found = their_model(tmp_path).generate(prompt, attention_mask=torch.ones_like(prompt), **options)
    cache, tokens, logits = Cache(config, chunk=8), prompt, []
    for _ in range(30):
        logits.append(model.logits(advance(model, tokens, cache)[:, -1]).detach())
        tokens = logits[-1].argmax(-1, keepdim=True)
    assert_same(torch.stack(logits), torch.stack(found.logits))
    assert torch.stack(logits).argmax(-1).flatten().tolist() == found.sequences[0, 20:].tolist()


def test_positions_beyond_8192(tmp_path: Path) -> None:
    """Scaled as the published model is: 8,700 tokens, with a cache here and without one there."""
    kinds, scaling = (FULL, SLIDING), CWM_32B.rope_scaling
    config = replace(GROUPED, num_hidden_layers=2, layer_types=kinds, num_attention_heads=2, num_key_value_heads=1)
    config = replace(config, rope_theta=1e6, rope_scaling=scaling, max_position_embeddings=131_072, sliding_window=500)
    model, tokens = randomised(config), torch.randint(0, 50, (8700,))
    save_model(tmp_path, model)
    ours = model.logits(advance(model, tokens[None], Cache(config, chunk=512))[0, -400:]).detach()
    assert_same(ours, their_logits(their_model(tmp_path), tokens, (8700,))[-400:])


# ---------------------------------------------------------------------------------------------------
# Rotary position embedding and configurations


@pytest.mark.parametrize("size", [8, 64, 96, 128])
@pytest.mark.parametrize("theta", [1e4, 5e5, 1e6])
@pytest.mark.parametrize("scaling", [None, SHORT, CWM_32B.rope_scaling])
def test_frequencies_and_tables(size: int, theta: float, scaling: RopeScaling | None) -> None:
    from transformers.models.cwm.modeling_cwm import CwmRotaryEmbedding

    config = replace(GROUPED, hidden_size=4 * size, head_dim=size, rope_theta=theta, rope_scaling=scaling)
    config = replace(config, max_position_embeddings=131_072)
    embedding = CwmRotaryEmbedding(transformers.CwmConfig(**config.to_dict()))
    ours, theirs = torch.from_numpy(inverse_frequencies(config)), embedding.inv_freq
    torch.testing.assert_close(ours, theirs, atol=0, rtol=1.2e-7)  # their powers may be a last bit off
    same = torch.cat([ours == theirs] * 2)
    assert same.float().mean() > 0.9
    positions = torch.tensor([0, 1, 63, 64, 8191, 8192, 8193, 100_000, 131_071])
    cos, sin = embedding(torch.zeros(1), positions[None])
    for table, reference in zip(rotary_tables(config, positions.numpy()), (cos[0], sin[0]), strict=True):
        table = torch.from_numpy(table).repeat(1, 2)
        torch.testing.assert_close(table[:, same], reference[:, same], atol=2e-6, rtol=0)
        torch.testing.assert_close(table, reference, atol=0.02, rtol=0)


@pytest.mark.parametrize("config", [*CONFIGS, CWM_32B], ids=[*NAMES, "published"])
def test_configurations_go_there_and_back(config: ModelConfig, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    transformers.AutoConfig.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert ModelConfig.from_dict(json.loads((tmp_path / "config.json").read_text())) == config


def test_our_own_fields_survive_theirs(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(replace(GROUPED, trace_dialect="other").to_dict()))
    transformers.AutoConfig.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert ModelConfig.from_dict(json.loads((tmp_path / "config.json").read_text())).trace_dialect == "other"


def test_a_llama_attends_globally(tmp_path: Path) -> None:
    sizes = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, initializer_range=0.15)).eval()
    theirs.save_pretrained(tmp_path)
    model, tokens = load_model(tmp_path), torch.randint(0, 50, (80,))
    assert model.config.layer_types == (FULL,) * 3
    assert (model.config.rms_norm_eps, model.config.bos_token_id, model.config.eos_token_id) == (1e-6, 1, 2)
    assert_same(our_logits(model, tokens, (80,)), their_logits(theirs, tokens, (80,)))


def test_a_cwm_that_calls_itself_a_llama_keeps_its_windows(tmp_path: Path) -> None:
    """Meta's first release did, and whoever ignores `layer_types` attends globally without noticing."""
    model, tokens = randomised(GROUPED), torch.randint(0, 50, (80,))
    save_model(tmp_path, model)
    theirs, file = their_model(tmp_path), tmp_path / "config.json"
    disguise = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    file.write_text(json.dumps(json.loads(file.read_text()) | disguise))
    assert_same(our_logits(load_model(tmp_path), tokens, (80,)), their_logits(theirs, tokens, (80,)))


# ---------------------------------------------------------------------------------------------------
# The published model


def test_the_published_model_is_transformers_default() -> None:
    assert ModelConfig.from_dict(transformers.CwmConfig(architectures=["CwmForCausalLM"]).to_dict()) == CWM_32B
    assert ModelConfig.from_dict({"model_type": "cwm"} | transformers.CwmConfig().to_diff_dict()) == preset("cwm_32b")


def test_the_published_shapes() -> None:
    with torch.device("meta"):
        theirs, ours = transformers.CwmForCausalLM(transformers.CwmConfig()), CausalLM(CWM_32B)
    shapes = {name: tuple(weight.shape) for name, weight in theirs.state_dict().items()}
    assert {name: tuple(weight.shape) for name, weight in ours.state_dict().items()} == shapes
    assert expected_shapes(CWM_32B) == shapes
    assert all(weight.is_meta for weight in ours.state_dict().values())
