"""Meta's release of CWM, written by `torch.distributed.checkpoint` itself: a small random model in its layout."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.distributed.checkpoint as dcp
from torch import Tensor

from foretrace.model.config import FULL, SLIDING, ModelConfig, RopeScaling
from foretrace.model.transformer import CausalLM

PARAMS: dict[str, Any] = {
    "dim": 32,
    "n_layers": 6,
    "n_heads": 4,
    "n_kv_heads": 2,
    "head_dim": 16,
    "max_seq_len": 256,
    "vocab_size": 50,
    "ffn_dim_multiplier": 1.3,
    "ffn_exp": 4,
    "multiple_of": 16,
    "norm_eps": 1e-5,
    "pos_embed_impl": "scaled_rope",
    "rope_theta": 1e6,
    "scaled_rope": {"scale_factor": 16, "old_context_len": 64, "low_freq_factor": 1, "high_freq_factor": 4},
    "attn_impl": "xformers",
    "attn_bias_type": None,
    "window_attn": {"window_pattern": 4, "global_window": 256, "local_window": 7, "global_last_layer": True},
    "weight_tying": False,
    "qkv_biases": False,
    "qk_norm": False,
}
CONFIG = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=112,
    num_hidden_layers=6,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=256,
    sliding_window=7,
    rope_theta=1e6,
    rope_scaling=RopeScaling(factor=16.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64),
    layer_types=(FULL, SLIDING, SLIDING, SLIDING, FULL, FULL),
)
NAMES = {
    "q_proj": "wq",
    "k_proj": "wk",
    "v_proj": "wv",
    "o_proj": "wo",
    "gate_proj": "w1",
    "up_proj": "w3",
    "down_proj": "w2",
}
OTHER_NAMES = {"self_attn": "attention", "mlp": "feed_forward", "input_layernorm": "attention_norm"}
OTHER_NAMES |= {"post_attention_layernorm": "ffn_norm", "lm_head": "output", "embed_tokens": "tok_embeddings"}


def in_metas_layout(model: CausalLM) -> dict[str, Tensor]:
    """The weights under Meta's names, with the rows of queries and keys as its rotary embedding has them."""
    found = {}
    for name, weight in model.state_dict().items():
        parts = [(NAMES | OTHER_NAMES).get(part, part) for part in name.removeprefix("model.").split(".")]
        if parts[-2] in ("wq", "wk"):
            weight = torch.cat([pairs_from_halves(head) for head in weight.split(CONFIG.head_dim)])
        found[".".join(parts)] = weight
    return found


def pairs_from_halves(rows: Tensor) -> Tensor:
    """Row i and row i + C/2 of a head become neighbours."""
    return torch.cat([rows[i :: len(rows) // 2] for i in range(len(rows) // 2)])


def write(folder: Path, weights: dict[str, Tensor], params: dict[str, Any] = PARAMS) -> Path:
    dcp.save({"model": weights}, checkpoint_id=folder, no_dist=True)
    (folder / "params.json").write_text(json.dumps({"model": params, "tokenizer": {"name": "x"}}))
    return folder


def random_model() -> CausalLM:
    torch.manual_seed(0)
    model = CausalLM(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.dim() == 1 else 0.0, 0.3)
    return model
