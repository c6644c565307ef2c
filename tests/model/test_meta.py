"""Meta's release, read as Hugging Face's folder would be: names, rotary layout, params.json."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.distributed.checkpoint as dcp
from release import CONFIG, PARAMS, in_metas_layout, random_model, write
from torch import Tensor

from foretrace.errors import CheckpointError
from foretrace.model.config import FULL
from foretrace.model.convert import convert
from foretrace.model.loading import load_model, to_torch
from foretrace.model.meta import load_meta, read_params
from foretrace.model.transformer import CausalLM, Documents

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> CausalLM:
    return random_model()


@pytest.fixture
def folder(model: CausalLM, tmp_path: Path) -> Path:
    return write(tmp_path / "release", in_metas_layout(model))


def loaded(folder: Path) -> CausalLM:
    config, tensors = load_meta(folder)
    model = CausalLM(config)
    model.load_state_dict({name: to_torch(tensor) for name, tensor in tensors.items()})
    return model


def test_the_model_is_the_same(model: CausalLM, folder: Path) -> None:
    tokens, documents = torch.arange(50), Documents.of((9, 41))
    assert read_params(folder) == CONFIG
    torch.testing.assert_close(loaded(folder)(tokens, documents), model(tokens, documents), atol=1e-6, rtol=1e-6)


def test_rotation_of_pairs_and_of_halves_give_the_same_scores(model: CausalLM) -> None:
    """The released code turns neighbouring rows as complex numbers: so done here, on its own layout of the weights."""
    frequencies = 1e6 ** -(torch.arange(0, 16, 2) / 16)
    angles = torch.arange(20)[:, None] * frequencies
    layer, theirs = model.model.layers[0].self_attn, in_metas_layout(model)
    x = torch.randn(20, CONFIG.hidden_size)

    def rotated(weight: Tensor) -> Tensor:
        pairs = torch.view_as_complex((x @ weight.T).view(20, -1, 8, 2))
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)[:, None]).flatten(2)

    q, k = (rotated(theirs[f"layers.0.attention.{name}.weight"]) for name in ("wq", "wk"))
    cos, sin = (torch.cat([f(angles), f(angles)], dim=-1) for f in (torch.cos, torch.sin))
    ours_q, ours_k, _ = layer(x, cos, sin)
    for head in range(4):
        torch.testing.assert_close(ours_q[head] @ ours_k[head // 2].T, q[:, head] @ k[:, head // 2].T, atol=1e-5, rtol=1e-4)


def test_bfloat16_stays_bfloat16(model: CausalLM, tmp_path: Path) -> None:
    weights = {name: weight.bfloat16() for name, weight in in_metas_layout(model).items()}
    _, tensors = load_meta(write(tmp_path / "release", weights))
    assert {tensor.dtype for tensor in tensors.values()} == {"bfloat16"}
    assert torch.equal(to_torch(tensors["lm_head.weight"]), model.lm_head.weight.bfloat16())


def test_without_the_prefix_that_the_release_has(model: CausalLM, tmp_path: Path) -> None:
    folder = write(tmp_path / "release", {})
    dcp.save(in_metas_layout(model), checkpoint_id=folder, no_dist=True)
    assert len(load_meta(folder)[1]) == len(model.state_dict())


def test_converted_it_is_a_folder_of_hugging_face(model: CausalLM, tmp_path: Path) -> None:
    transformers, tokenizers = (pytest.importorskip(name) for name in ("transformers", "tokenizers"))
    config = replace(CONFIG, vocab_size=512)
    weights = in_metas_layout(CausalLM(config))
    folder = write(tmp_path / "release", weights, PARAMS | {"vocab_size": 512})
    ranks = b"".join(base64.b64encode(bytes([i])) + f" {i}\n".encode() for i in range(256))
    (folder / "tokenizer.model").write_bytes(ranks)
    assert convert(folder, tmp_path / "hf", dtype="float32", max_shard_bytes=40_000) == config
    ours, theirs = load_model(tmp_path / "hf"), transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    tokens = torch.randint(0, 512, (40,))
    torch.testing.assert_close(ours(tokens, Documents.of((40,))), theirs(tokens[None]).logits[0], atol=1e-5, rtol=1e-5)
    assert (tmp_path / "hf/tokenizer.model").read_bytes() == ranks
    assert tokenizers.Tokenizer.from_file(str(tmp_path / "hf/tokenizer.json")).encode("ab").ids[-2:] == [97, 98]
    assert not (tmp_path / "hf/params.json").exists()


# ---------------------------------------------------------------------------------------------------
# params.json


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"window_attn": None}, {"layer_types": (FULL,) * 6, "sliding_window": 256}),
        ({"window_attn": {"window_pattern": 4, "local_window": 7, "global_last_layer": False}}, {"layer_types": ()}),
        ({"window_attn": {"window_pattern": 1}}, {"layer_types": (FULL,) * 6, "sliding_window": 256}),
        ({"window_attn": PARAMS["window_attn"] | {"global_window": 128}}, {"max_position_embeddings": 128}),
        ({"pos_embed_impl": "rope"}, {"rope_scaling": None}),
        ({"n_kv_heads": None, "head_dim": None}, {"num_key_value_heads": 4, "head_dim": 8}),
        ({"ffn_dim_multiplier": None}, {"intermediate_size": 96}),
    ],
)
def test_architectures(change: dict[str, Any], expected: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps({"model": PARAMS | change}))
    assert read_params(tmp_path) == replace(CONFIG, **expected)


def test_the_published_sizes(tmp_path: Path) -> None:
    sizes = {"dim": 6144, "n_layers": 64, "n_heads": 48, "n_kv_heads": 8, "head_dim": 128, "vocab_size": 128256}
    params = PARAMS | sizes | {"max_seq_len": 131072, "multiple_of": 1024}
    (tmp_path / "params.json").write_text(json.dumps({"model": params}))
    config = read_params(tmp_path)
    assert config.intermediate_size == 21504
    assert (config.bos_token_id, config.eos_token_id) == (128000, (128001, 128008, 128009))
    assert [i for i, kind in enumerate(config.layer_types) if kind == FULL] == [*range(0, 64, 4), 63]


@pytest.mark.parametrize(
    "change",
    [
        {"weight_tying": True},
        {"qkv_biases": True},
        {"qk_norm": True},
        {"kv_lora_rank": 512},
        {"scaled_rope": {"use_attn_scale": True}},
        {"pos_embed_impl": "alibi"},
        {"window_attn": {"window_pattern": 4}},
        {"window_attn": {"sinks": 4}},
        {"mixture_of_experts": 8},
    ],
)
def test_what_cannot_be_is_refused_by_name(change: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps({"model": PARAMS | change}))
    name = next(iter(change))
    inner = next(iter(change[name])) if isinstance(change[name], dict) else name
    with pytest.raises(CheckpointError, match=f"{name}|{inner}"):
        read_params(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"model": 5}', '{"model": {"dim": "x"}}', '{"model": {"multiple_of": 0}}']
)
def test_damaged_params(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(text)
    with pytest.raises(CheckpointError, match="params"):
        read_params(tmp_path)


def test_weights_of_another_architecture(model: CausalLM, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", in_metas_layout(model), PARAMS | {"n_layers": 7})
    with pytest.raises(CheckpointError, match=r"lacks the weight layers\.6\."):
        load_meta(folder)
    folder = write(tmp_path / "b", in_metas_layout(model), PARAMS | {"vocab_size": 51})
    with pytest.raises(CheckpointError, match=r"embed_tokens\.weight is float32 of shape \(50, 32\)"):
        load_meta(folder)
    folder = write(tmp_path / "c", in_metas_layout(model) | {"layers.0.bias": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"does not know, the weight layers\.0\.bias"):
        load_meta(folder)
