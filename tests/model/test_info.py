"""What a model costs: known figures of the published model, and what small models really do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

import pytest

from foretrace.errors import UsageError
from foretrace.model.config import FULL, SLIDING, ModelConfig
from foretrace.model.info import (
    activation_bytes,
    describe,
    forward_flops,
    kv_bytes,
    matmul_parameters,
    non_embedding_parameters,
    parameters,
    train_flops,
    train_flops_per_token,
    training_memory,
)
from foretrace.model.presets import CWM_32B, PRESETS, TINY, preset
from foretrace.model.shapes import expected_shapes

GIB = 2**30
SMALL = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=512,
    sliding_window=6,
)


# ---------------------------------------------------------------------------------------------------
# Figures known from elsewhere


def test_parameters_of_the_published_model() -> None:
    assert parameters(CWM_32B) == 32_581_097_472
    assert non_embedding_parameters(CWM_32B) == 31_005_087_744
    assert parameters(CWM_32B) - non_embedding_parameters(CWM_32B) == 2 * 128_256 * 6144
    layer = [shape for name, shape in expected_shapes(CWM_32B).items() if name.startswith("model.layers.63.")]
    assert sum(map(prod, layer)) == 484_454_400


def test_published_shapes() -> None:
    shapes = expected_shapes(CWM_32B)
    assert len(shapes) == 64 * 9 + 3
    assert shapes["model.embed_tokens.weight"] == shapes["lm_head.weight"] == (128_256, 6144)
    assert shapes["model.layers.0.self_attn.q_proj.weight"] == (6144, 6144)
    assert shapes["model.layers.0.self_attn.k_proj.weight"] == (1024, 6144)
    assert shapes["model.layers.63.mlp.down_proj.weight"] == (6144, 21_504)
    assert [i for i, kind in enumerate(CWM_32B.layer_types) if kind == FULL] == list(range(0, 64, 4))


@pytest.mark.parametrize(("length", "size"), [(8192, 2.0), (32_768, 3.5), (131_072, 9.5)])
def test_keys_and_values_of_the_published_model(length: int, size: float) -> None:
    assert kv_bytes(CWM_32B, length) == size * GIB
    assert describe(CWM_32B, length).kv_bytes[length] == size * GIB


@pytest.mark.parametrize(("context", "attention", "share"), [(8192, 1.93e10, 0.092), (131_072, 1.054e11, 0.356)])
def test_operations_of_the_published_model(context: int, attention: float, share: float) -> None:
    matrices = 6 * matmul_parameters(CWM_32B)
    assert matrices == pytest.approx(1.9075e11, rel=1e-4)
    assert train_flops_per_token(CWM_32B, [context]) - matrices == pytest.approx(attention, rel=2e-3)
    assert describe(CWM_32B, context).attention_share == pytest.approx(share, abs=5e-4)


def test_global_attention_everywhere_would_cost_more() -> None:
    everywhere = replace(CWM_32B, layer_types=(FULL,) * 64)
    assert kv_bytes(everywhere, 131_072) == 32 * GIB
    assert describe(everywhere, 131_072).attention_share == pytest.approx(0.62, abs=0.01)


def test_training_takes_sixteen_bytes_a_parameter() -> None:
    memory = training_memory(CWM_32B, tokens=0)
    assert memory.per_gpu == 16 * parameters(CWM_32B)
    spread = training_memory(CWM_32B, tokens=0, gpus=64)
    assert spread.per_gpu - spread.gathered == pytest.approx(16 * parameters(CWM_32B) / 64, rel=1e-6)
    assert spread.gathered == pytest.approx(4 * 484_454_400, rel=1e-3)


# ---------------------------------------------------------------------------------------------------
# What small models really do


def pairs_one_by_one(lengths: list[int], window: int | None) -> int:
    return sum(min(i + 1, window or i + 1) for n in lengths for i in range(n))


@pytest.mark.parametrize("lengths", [[1], [5], [6], [7], [3, 90, 1, 40], [300]])
def test_attention_is_counted_pair_by_pair(lengths: list[int]) -> None:
    pairs = 3 * pairs_one_by_one(lengths, 6) + 2 * pairs_one_by_one(lengths, None)
    expected = 2 * matmul_parameters(SMALL) * sum(lengths) + 4 * 4 * 16 * pairs
    assert forward_flops(SMALL, lengths) == expected
    assert train_flops(SMALL, lengths) == 3 * expected
    assert train_flops_per_token(SMALL, lengths) == 3 * expected / sum(lengths)


@pytest.mark.parametrize("tied", [True, False])
def test_operations_are_those_that_torch_counts(tied: bool) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from foretrace.model.transformer import CausalLM, Documents

    config = replace(SMALL, tie_word_embeddings=tied)
    model, tokens = CausalLM(config, attention="dense"), torch.arange(50)
    assert parameters(config) == model.num_parameters()
    with FlopCounterMode(display=False) as counter:
        model(tokens, Documents.of((50,)))
    counted = dict(counter.get_flop_counts()["Global"])
    attention = sum(count for operation, count in counted.items() if "attention" in str(operation))
    matrices = sum(counted.values()) - attention
    assert matrices == 2 * matmul_parameters(config) * 50
    masked = 5 * 4 * 4 * 16 * 50 * 50  # the reference also computes what it masks
    assert attention in (0, masked)


def kept_bytes(model: Any, tokens: int) -> int:
    """Bytes that autograd keeps in bfloat16 of a forward pass, each storage once, parameters left out."""
    import torch

    from foretrace.model.transformer import Documents

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.dtype is torch.bfloat16 and storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept_alive = model.hidden(torch.arange(tokens) % 50, Documents.of((tokens,)))
    assert kept_alive.requires_grad
    return sum(storage.nbytes() for storage in found.values())


def test_activations_are_those_that_torch_keeps() -> None:
    torch = pytest.importorskip("torch")
    from foretrace.model.transformer import CausalLM

    shape = replace(SMALL, hidden_size=128, intermediate_size=352, head_dim=32, num_hidden_layers=10)
    model = CausalLM(shape).to(torch.bfloat16)
    kept = (kept_bytes(model, 400) - kept_bytes(model, 200)) / 200
    inputs_of_norms = 10 * 2 * 2 * 128  # on a CPU, torch keeps float32 copies of these
    assert kept + inputs_of_norms == pytest.approx(activation_bytes(shape, recompute=False), rel=0.1)


# ---------------------------------------------------------------------------------------------------
# Presets, and all of it


def test_presets() -> None:
    assert preset("cwm-32b") is preset("cwm_32b") is CWM_32B
    assert preset("tiny") is TINY
    assert 25e6 < parameters(preset("small")) < 35e6
    with pytest.raises(UsageError, match="no model shape called 'huge'; known: tiny, small, cwm_32b"):
        preset("huge")


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_every_preset_has_cwms_pattern_and_survives_json(config: ModelConfig) -> None:
    assert config.layer_types[:5] == (FULL, SLIDING, SLIDING, SLIDING, FULL)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    json.dumps(describe(config, 1000, gpus=8).to_dict())


def test_more_gpus_need_less_each() -> None:
    def each() -> Iterator[int]:
        for gpus in (1, 8, 64, 512):
            yield describe(CWM_32B, 8192, gpus).training.per_gpu

    found = list(each())
    assert found == sorted(found, reverse=True)
    assert describe(CWM_32B, 8192, 8).serving_sequence == 2 * GIB // 8
    assert describe(CWM_32B, 8192, 64).serving_sequence == 2 * GIB // 8


def test_no_torch_is_needed() -> None:
    modules = "config, rope, shapes, tensors, interchange, checkpoint, info, presets, meta"
    code = f"from foretrace.model import {modules}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
