"""Checkpoint folders: a Hugging Face folder and its tokenizer, read whole and without torch, as small models predict.

config.json, model.safetensors       see `foretrace.model.interchange`; also in several shards
tokenizer.json or tokenizer.model    `Tokenizer`

checkpoint = load_checkpoint(Path("runs/tiny/run/checkpoint"));  checkpoint.weights["model.norm.weight"]
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import FILE as TOKENIZER
from foretrace.data.tokenizer import RANKS, Tokenizer
from foretrace.errors import CheckpointError
from foretrace.model.config import ModelConfig
from foretrace.model.interchange import WEIGHTS, load_pretrained, save_pretrained
from foretrace.model.shapes import expected_shapes
from foretrace.model.tensors import in_memory

__all__ = ["TOKENIZER", "WEIGHTS", "Checkpoint", "Weights", "expected_shapes", "load_checkpoint", "save_checkpoint"]

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint folder."""

    folder: Path
    config: ModelConfig
    tokenizer: Tokenizer
    weights: Weights


def save_checkpoint(
    folder: Path, config: ModelConfig, weights: Weights, tokenizer: Tokenizer, *, dtype: str = "float16"
) -> None:
    """Writes a checkpoint folder.

    Raises:
        CheckpointError: a weight is missing or does not fit in `dtype`, or there is too little space; what the folder
            held before stands.

    """
    tensors = {name: in_memory(weights[name]) for name in expected_shapes(config)}
    save_pretrained(folder, config, tensors, dtype=dtype, files={TOKENIZER: tokenizer.serialise()})


def load_checkpoint(folder: Path) -> Checkpoint:
    """Reads and checks a checkpoint folder; weights become float32.

    Raises:
        CheckpointError: a file is missing or damaged, or the files are not those of one model.

    """
    config, tensors = load_pretrained(folder)
    if not any((folder / name).is_file() for name in (TOKENIZER, RANKS)):
        raise CheckpointError(f"{folder} lacks {TOKENIZER}; copy the whole folder again")
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size != config.vocab_size:
        what = f"the tokenizer has {tokenizer.vocab_size} ids, the model {config.vocab_size}"
        raise CheckpointError(f"{folder} mixes files of two checkpoints: {what}")
    return Checkpoint(folder, config, tokenizer, {name: tensor.to("float32") for name, tensor in tensors.items()})
