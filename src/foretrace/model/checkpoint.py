"""Checkpoint folders, read and written without torch: all that a model needs at inference.

model.safetensors   weights under Hugging Face's names, float16 or bfloat16 or float32
config.json         `ModelConfig`
tokenizer.json      `Tokenizer`

checkpoint = load_checkpoint(Path("runs/tiny/run/checkpoint"));  checkpoint.weights["model.norm.weight"]
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError
from foretrace.model.config import ModelConfig

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint folder."""

    folder: Path
    config: ModelConfig
    tokenizer: Tokenizer
    weights: Weights


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a model of this configuration."""
    d, f, c = config.hidden_size, config.intermediate_size, config.head_dim
    queries, keys = config.num_attention_heads * c, config.num_key_value_heads * c
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, d), "model.norm.weight": (d,)}
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, d)
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm": (d,),
        "post_attention_layernorm": (d,),
        "self_attn.q_proj": (queries, d),
        "self_attn.k_proj": (keys, d),
        "self_attn.v_proj": (keys, d),
        "self_attn.o_proj": (d, queries),
        "mlp.gate_proj": (f, d),
        "mlp.up_proj": (f, d),
        "mlp.down_proj": (d, f),
    }
    for number in range(config.num_hidden_layers):
        shapes |= {f"model.layers.{number}.{name}.weight": shape for name, shape in layer.items()}
    return shapes


def save_checkpoint(folder: Path, config: ModelConfig, weights: Weights, tokenizer: Tokenizer) -> None:
    """Writes a checkpoint folder, weights in float16, each file under a temporary name first."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: weights[name].astype(np.float16) for name in expected_shapes(config)}
    _replace(folder / WEIGHTS, save(halves, {"format": "pt"}))
    _replace(folder / CONFIG, (json.dumps(config.to_dict(), indent=1) + "\n").encode())
    tokenizer.save(folder / TOKENIZER)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Reads and checks a checkpoint folder; weights become float32.

    Raises:
        CheckpointError: a file is missing or damaged, or the weights are not those of the configuration.

    """
    if not folder.is_dir():
        raise CheckpointError(f"no checkpoint folder at {folder}; give a folder with {WEIGHTS}, {CONFIG} and {TOKENIZER}")
    missing = [name for name in (WEIGHTS, CONFIG, TOKENIZER) if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"the checkpoint {folder} lacks {', '.join(missing)}; copy the whole folder again")
    try:
        config = ModelConfig.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / CONFIG} is damaged: {error}") from error
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size != config.vocab_size:
        what = f"the tokenizer has {tokenizer.vocab_size} ids, the model {config.vocab_size}"
        raise CheckpointError(f"{folder} mixes files of two checkpoints: {what}")
    return Checkpoint(folder, config, tokenizer, _read_weights(folder / WEIGHTS, config))


def _read_weights(file: Path, config: ModelConfig) -> Weights:
    try:
        weights = dict(_tensors(file.read_bytes()))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} is damaged: {error}; copy it again") from error
    wanted = expected_shapes(config)
    for name, shape in wanted.items():
        if name not in weights:
            raise CheckpointError(f"{file} lacks the weight {name}; it belongs to another config.json")
        if weights[name].shape != shape:
            found = weights[name].shape
            raise CheckpointError(f"{file}: {name} has shape {found}, config.json wants {shape}")
    extra = sorted(set(weights) - set(wanted))
    if extra:
        raise CheckpointError(f"{file} has a weight that config.json does not know: {extra[0]}")
    return weights


def _tensors(content: bytes) -> list[tuple[str, NDArray[np.float32]]]:
    """All tensors as float32. bfloat16, which NumPy lacks, is the upper half of a float32."""
    from safetensors import deserialize

    found = []
    for name, tensor in deserialize(content):  # type: ignore[no-untyped-call]
        kind, data, shape = tensor["dtype"], tensor["data"], tensor["shape"]
        if kind == "BF16":
            array = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        elif kind in ("F16", "F32"):
            array = np.frombuffer(data, np.float16 if kind == "F16" else np.float32).astype(np.float32)
        else:
            raise ValueError(f"{name} has dtype {kind}; wanted F16, BF16 or F32")
        found.append((name, array.reshape(shape)))
    return found


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(file)
