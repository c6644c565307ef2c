"""The transformer: documents do not see each other, causality, Hugging Face's parameter names."""

import pytest

torch = pytest.importorskip("torch")

from foretrace.model.config import FULL, SLIDING, ModelConfig
from foretrace.model.transformer import CausalLM, Documents

CONFIG = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
    sliding_window=6,
)


def test_layers_alternate_three_local_to_one_global() -> None:
    assert CONFIG.layer_types == (FULL, SLIDING, SLIDING, SLIDING, FULL)


def test_packed_documents_equal_separate_ones() -> None:
    torch.manual_seed(1)
    model = CausalLM(CONFIG)
    documents = [torch.randint(0, 50, (n,)) for n in (9, 20, 1)]
    packed = model(torch.cat(documents), Documents.of((9, 20, 1)))
    alone = torch.cat([model(d, Documents.of((len(d),))) for d in documents])
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=1e-5)


def test_a_later_token_changes_no_earlier_logit() -> None:
    torch.manual_seed(2)
    model = CausalLM(CONFIG)
    tokens = torch.randint(0, 50, (20,))
    changed = tokens.clone()
    changed[12] = (changed[12] + 1) % 50
    before, after = (model(t, Documents.of((20,))) for t in (tokens, changed))
    torch.testing.assert_close(before[:12], after[:12])
    assert not torch.allclose(before[12:], after[12:])


def test_parameter_names_are_hugging_faces() -> None:
    names = set(CausalLM(CONFIG).state_dict())
    for name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"):
        assert name in names
    for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
        assert f"model.layers.0.self_attn.{part}.weight" in names


def test_config_survives_json() -> None:
    assert ModelConfig.from_dict(CONFIG.to_dict()) == CONFIG
