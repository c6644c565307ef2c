"""`config.json` comes from outside: it is understood whole, or the error is clear."""

from dataclasses import replace
from typing import Any

import pytest

from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import CheckpointError
from foretrace.model.config import FULL, SLIDING, ModelConfig, RopeScaling, alternating_layers
from foretrace.model.interchange import read_config
from foretrace.model.presets import CWM_32B, TINY

GOOD = read_config(packaged_checkpoints()["tiny"]).to_dict()
SCALING = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 4096}
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
"""All that a `llama` has to say; `transformers` assumes the rest."""


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def test_the_packaged_configuration_is_good() -> None:
    assert ModelConfig.from_dict(GOOD).to_dict() == GOOD
    assert ModelConfig.from_dict(GOOD) == TINY


@pytest.mark.parametrize("config", [TINY, CWM_32B, replace(CWM_32B, eos_token_id=5, pad_token_id=0, trace_dialect="x")])
def test_what_is_written_is_read(config: ModelConfig) -> None:
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head_dim", 64.0),
        ("head_dim", 0),
        ("head_dim", 63),
        ("hidden_size", True),
        ("num_hidden_layers", -1),
        ("num_key_value_heads", 0),
        ("num_key_value_heads", 3),
        ("rope_theta", "x"),
        ("rope_theta", -1.0),
        ("rms_norm_eps", float("nan")),
        ("layer_types", ["full"] * 8),
        ("layer_types", "full"),
        ("layer_types", []),
        ("layer_types", 8),
        ("eos_token_id", [1, "x"]),
        ("eos_token_id", []),
        ("bos_token_id", [1]),
        ("bos_token_id", -1),
        ("tie_word_embeddings", "yes"),
        ("vocab_size", None),
    ],
)
def test_a_field_that_cannot_be_is_named(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=name):
        ModelConfig.from_dict(without(GOOD, "rope_parameters") | {name: value})


@pytest.mark.parametrize("values", [[], {}, None, 5, "cwm"])
def test_another_shape_is_a_clear_error(values: Any) -> None:
    with pytest.raises(CheckpointError, match="config"):
        ModelConfig.from_dict(values)


@pytest.mark.parametrize("name", ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim"])
def test_an_incomplete_configuration(name: str) -> None:
    with pytest.raises(CheckpointError, match=name):
        ModelConfig.from_dict(without(GOOD, name))


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "qwen2"},
        {"architectures": ["LlamaForSequenceClassification"]},
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"attention_dropout": 0.1},
        {"partial_rotary_factor": 0.5},
        {"quantization_config": {"bits": 4}},
    ],
)
def test_what_the_model_does_not_do_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=next(iter(change)) + "|of type|is of a"):
        ModelConfig.from_dict(GOOD | change)


@pytest.mark.parametrize("name", ["use_cache", "transformers_version", "dtype", "pretraining_tp", "attention_dropout"])
def test_what_changes_nothing_is_ignored(name: str) -> None:
    assert ModelConfig.from_dict(GOOD | {name: 0}) == TINY


# ---------------------------------------------------------------------------------------------------
# Layers


def test_the_number_of_layer_types_is_that_of_the_layers() -> None:
    for count in (5, 9):
        with pytest.raises(CheckpointError, match=f"{count} layer_types for 8 layers"):
            ModelConfig.from_dict(GOOD | {"layer_types": list(alternating_layers(count))})


def test_the_pattern_follows_the_depth_and_other_patterns_do_not() -> None:
    assert replace(TINY, num_hidden_layers=5).layer_types == alternating_layers(5)
    with pytest.raises(CheckpointError, match="8 layer_types for 5 layers"):
        replace(replace(TINY, layer_types=(FULL,) * 8), num_hidden_layers=5)


def test_without_layer_types() -> None:
    assert ModelConfig.from_dict(without(GOOD, "layer_types")).layer_types == alternating_layers(8)
    assert ModelConfig.from_dict(GOOD | {"layer_types": None}).layer_types == alternating_layers(8)
    assert ModelConfig.from_dict(LLAMA).layer_types == (FULL,) * 3


def test_a_llama_with_a_window_must_say_which_layers_have_it() -> None:
    with pytest.raises(CheckpointError, match="add layer_types"):
        ModelConfig.from_dict(LLAMA | {"sliding_window": 10})
    config = ModelConfig.from_dict(LLAMA | {"sliding_window": 10, "layer_types": [FULL, SLIDING, SLIDING]})
    assert (config.layer_types, config.sliding_window) == ((FULL, SLIDING, SLIDING), 10)


def test_what_a_llama_assumes() -> None:
    config = ModelConfig.from_dict(LLAMA | {"head_dim": None})
    assert (config.num_key_value_heads, config.head_dim, config.max_position_embeddings) == (4, 16, 2048)
    assert (config.rms_norm_eps, config.rope_theta, config.rope_scaling) == (1e-6, 1e4, None)
    assert config.to_dict()["model_type"] == "cwm"


# ---------------------------------------------------------------------------------------------------
# RoPE


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5} | SCALING},
        {"rope_theta": 500_000, "rope_scaling": {"rope_type": "llama3"} | SCALING},
        {"rope_theta": 5e5, "rope_scaling": {"type": "llama3"} | SCALING},
        {"rope_theta": 5e5, "rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5} | SCALING, "rope_scaling": None},
        {"rope_theta": 5e5, "rope_parameters": {"rope_type": "llama3", "partial_rotary_factor": 1.0} | SCALING},
    ],
)
def test_both_ways_to_write_rope(rope: dict[str, Any]) -> None:
    config = ModelConfig.from_dict(without(GOOD, "rope_parameters", "rope_theta") | rope)
    assert config.rope_theta == 5e5
    assert config.rope_scaling == RopeScaling(**SCALING)  # type: ignore[arg-type]


def test_what_is_assumed_of_rope() -> None:
    nothing = without(GOOD, "rope_parameters", "rope_theta")
    cwm = ModelConfig.from_dict(nothing)
    assert (cwm.rope_theta, cwm.rope_scaling) == (CWM_32B.rope_theta, CWM_32B.rope_scaling)
    theta_only = ModelConfig.from_dict(nothing | {"rope_theta": 3e4})
    assert (theta_only.rope_theta, theta_only.rope_scaling) == (3e4, None)
    type_only = ModelConfig.from_dict(nothing | {"rope_parameters": {"rope_type": "default"}})
    assert (type_only.rope_theta, type_only.rope_scaling) == (1e6, None)


@pytest.mark.parametrize(
    ("rope", "message"),
    [
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 4.0}}, "linear"),
        ({"rope_parameters": {"rope_type": "default", "factor": 4.0}}, "factor"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "full_attention"),
        ({"rope_parameters": {"rope_type": "llama3"} | without(SCALING, "factor")}, "factor"),
        ({"rope_parameters": {"rope_type": "llama3"} | SCALING | {"factor": "8"}}, "factor of RoPE cannot be '8'"),
        ({"rope_parameters": {"rope_type": "llama3"} | SCALING | {"low_freq_factor": 4.0}}, "less than"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}, "rope_theta": 2e4}, "two values of rope_theta"),
        ({"rope_parameters": {"rope_type": "default"}, "rope_scaling": {"rope_type": "x"}}, "the same if both"),
        ({"rope_parameters": 5}, "must be objects"),
    ],
)
def test_rope_that_the_model_does_not_do(rope: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        ModelConfig.from_dict(without(GOOD, "rope_parameters", "rope_theta") | rope)
