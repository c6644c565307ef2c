"""Meta's release of CWM: a folder of `torch.distributed.checkpoint`, read as Hugging Face's would be.

.metadata, __0_0.distcp …   the weights, see `foretrace.model.dcp`
params.json                 the architecture, as `model`
tokenizer.model             tiktoken's form, see `foretrace.data.bpe`

    config, tensors = load_meta(Path("model_weights/cwm-sft"))          # like `interchange.load_pretrained`

Names differ, and so does rotary position embedding: there it turns neighbouring rows of a head's queries and keys, here row
i and row i + C/2. The rows are put in that order, after which both give the same scores. Source: the code of the
release, `cwm/model/transformer.py` and `cwm/fastgen`.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from foretrace.errors import CheckpointError
from foretrace.model.config import FULL, SLIDING, ModelConfig, RopeScaling
from foretrace.model.shapes import expected_shapes
from foretrace.model.tensors import DTYPES, Raw, StoredTensor

PARAMS = "params.json"
_NAMES = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER_NAMES = {
    "attention_norm": "input_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
}
_ROTATED = ("self_attn.q_proj.weight", "self_attn.k_proj.weight")


def load_meta(folder: Path) -> tuple[ModelConfig, dict[str, StoredTensor]]:
    """The configuration and the weights of a folder, the latter under Hugging Face's names and read when asked for.

    Raises:
        CheckpointError: a file is missing or damaged, the metadata would run code, or the weights are not those of
            `params.json`.

    """
    from foretrace.model.dcp import open_dcp

    config = read_params(folder)
    found = open_dcp(folder)
    # the release keeps the model as `model.`, where a training run would have its optimizer beside it
    prefix = "model." if any(name.startswith("model.") for name in found) else ""
    ours = {name.removeprefix(prefix): tensor for name, tensor in found.items() if name.startswith(prefix)}
    names = _NAMES | {
        f"layers.{i}.{theirs}.weight": f"model.layers.{i}.{name}.weight"
        for i in range(config.num_hidden_layers)
        for theirs, name in _LAYER_NAMES.items()
    }
    odd = sorted(names.keys() ^ ours.keys())
    if odd:
        what = "lacks" if odd[0] in names else f"has, which {PARAMS} does not know,"
        raise CheckpointError(f"{folder} {what} the weight {odd[0]}")
    shapes = expected_shapes(config)
    renamed = {names[theirs]: tensor for theirs, tensor in ours.items()}
    return config, {name: _checked(folder, config, name, renamed[name], shape) for name, shape in shapes.items()}


def _checked(folder: Path, config: ModelConfig, name: str, tensor: StoredTensor, shape: tuple[int, ...]) -> StoredTensor:
    if tensor.shape != shape or tensor.dtype not in DTYPES:
        what = f"{tensor.dtype} of shape {tensor.shape}"
        raise CheckpointError(
            f"{folder}: {name} is {what}; {PARAMS} wants shape {shape}, and a dtype of {', '.join(DTYPES)}"
        )
    if not name.endswith(_ROTATED):
        return tensor
    return replace(tensor, read=lambda: halves_from_pairs(tensor.read(), config.head_dim))


def halves_from_pairs(values: Raw, head_dim: int) -> Raw:
    """Reorders the rows (heads * C, D) of each head: first those of even index, then those of odd."""
    heads = values.reshape(-1, head_dim // 2, 2, values.shape[-1])
    reordered: Raw = heads.swapaxes(1, 2).reshape(values.shape)
    return reordered


# ---------------------------------------------------------------------------------------------------
# params.json

_DEFAULTS: dict[str, Any] = {
    "dim": 512,
    "n_layers": 8,
    "n_heads": 8,
    "n_kv_heads": None,
    "head_dim": None,
    "max_seq_len": 1024,
    "vocab_size": -1,
    "ffn_dim_multiplier": None,
    "ffn_exp": 4,
    "multiple_of": 256,
    "norm_eps": 1e-5,
    "pos_embed_impl": "rope",
    "rope_theta": 10_000.0,
    "scaled_rope": {},
    "window_attn": None,
}
"""Fields of the release's `TransformerArgs` that shape the model, and what it assumes where one is absent."""
_SCALING = {"scale_factor": 8, "old_context_len": 8192, "low_freq_factor": 1, "high_freq_factor": 4, "use_attn_scale": False}
_WINDOW = {"window_pattern": 6, "global_window": None, "local_window": None, "global_last_layer": True}
_UNCHANGED = {
    "attn_impl": ("xformers",),
    "q_lora_rank": (0,),
    "kv_lora_rank": (0,),
    "weight_tying": (False,),
    "qkv_biases": (False,),
    "qk_norm": (False,),
}
_UNUSED = {"attn_bias_type", "qk_nope_head_dim", "qk_rope_head_dim"}
"""Fields that the released code reads only for kinds of attention that are refused here, or not at all."""
_LLAMA3_VOCABULARY = 128_256


def read_params(folder: Path) -> ModelConfig:
    """The architecture that a folder's `params.json` describes.

    A global window that is shorter than the longest sequence becomes `max_position_embeddings`: up to there, it is
    attention to everything.

    Raises:
        CheckpointError: the file is missing or damaged, or asks for something that this model does not do.

    """
    file = folder / PARAMS
    if not file.is_file():
        raise CheckpointError(f"{folder} lacks {PARAMS}; copy the whole folder again")
    try:
        return _to_config(_fields("model", json.loads(file.read_text(encoding="utf-8"))["model"], _DEFAULTS))
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(f"{file} is damaged: {error or type(error).__name__}; copy it again") from error


def _fields(group: str, values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The values of a group, defaults where they are absent; refuses what the released model or ours does not do."""
    for name, value in values.items():
        if name in _UNCHANGED and group == "model":
            if value not in _UNCHANGED[name]:
                raise CheckpointError(f"{name} is {value!r}, which this model does not do; wanted {_UNCHANGED[name][0]!r}")
        elif name not in defaults and name not in _UNUSED:
            raise CheckpointError(f"{group} has the field {name!r}, which the released code does not know")
    return {name: values.get(name, default) for name, default in defaults.items()}


def _to_config(model: dict[str, Any]) -> ModelConfig:
    heads, positions = model["n_heads"], model["max_seq_len"]
    window = None if model["window_attn"] is None else _fields("window_attn", model["window_attn"], _WINDOW)
    if window and window["global_window"] is not None:
        positions = min(positions, window["global_window"])
    local = window["local_window"] if window else None
    known_ids = model["vocab_size"] == _LLAMA3_VOCABULARY
    return ModelConfig(
        vocab_size=model["vocab_size"],
        hidden_size=model["dim"],
        intermediate_size=_intermediate_size(model),
        num_hidden_layers=model["n_layers"],
        num_attention_heads=heads,
        num_key_value_heads=heads if model["n_kv_heads"] is None else model["n_kv_heads"],
        head_dim=model["dim"] // heads if model["head_dim"] is None else model["head_dim"],
        max_position_embeddings=positions,
        sliding_window=positions if local is None else local,
        rope_theta=model["rope_theta"],
        rope_scaling=_scaling(model),
        rms_norm_eps=model["norm_eps"],
        layer_types=_layer_types(model["n_layers"], window),
        bos_token_id=128_000 if known_ids else None,
        eos_token_id=(128_001, 128_008, 128_009) if known_ids else None,
    )


def _intermediate_size(model: dict[str, Any]) -> int:
    """Two thirds of `ffn_exp` times the width, times the multiplier, rounded up to `multiple_of`."""
    size = int(2 * (model["ffn_exp"] * model["dim"]) / 3)
    if model["ffn_dim_multiplier"] is not None:
        size = int(model["ffn_dim_multiplier"] * size)
    return int(-(-size // model["multiple_of"]) * model["multiple_of"])


def _scaling(model: dict[str, Any]) -> RopeScaling | None:
    if model["pos_embed_impl"] == "rope":
        return None
    if model["pos_embed_impl"] != "scaled_rope":
        raise CheckpointError(f"pos_embed_impl is {model['pos_embed_impl']!r}; wanted 'rope' or 'scaled_rope'")
    scaled = _fields("scaled_rope", model["scaled_rope"], _SCALING)
    if scaled["use_attn_scale"]:
        raise CheckpointError("scaled_rope.use_attn_scale is true, which this model does not do")
    return RopeScaling(
        factor=float(scaled["scale_factor"]),
        low_freq_factor=float(scaled["low_freq_factor"]),
        high_freq_factor=float(scaled["high_freq_factor"]),
        original_max_position_embeddings=scaled["old_context_len"],
    )


def _layer_types(layers: int, window: dict[str, Any] | None) -> tuple[str, ...]:
    """Every `window_pattern`-th layer is global from layer 0 on, and the last one if `global_last_layer` says so."""
    if window is None:
        return (FULL,) * layers
    pattern, last = window["window_pattern"], layers - 1 if window["global_last_layer"] else None
    if pattern > 1 and window["local_window"] is None:
        raise CheckpointError("window_attn has sliding layers, but no local_window")
    return tuple(FULL if i % pattern == 0 or i == last else SLIDING for i in range(layers))
