"""Models of torch from Hugging Face's folders, and back. The folders themselves are `foretrace.model.interchange`'s.

A model is first made without memory (on torch's meta device), then given the weights one after the other as they are read.

    model = load_model(Path("cwm"), dtype=torch.bfloat16, device="cuda")
    save_model(Path("mine"), model, dtype="bfloat16")
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from foretrace.model.interchange import MAX_SHARD_BYTES, load_pretrained, save_pretrained
from foretrace.model.shapes import EMBEDDING, HEAD
from foretrace.model.tensors import Raw, StoredTensor
from foretrace.model.transformer import CausalLM


def load_model(
    folder: Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu", attention: str = "sdpa-block"
) -> CausalLM:
    """The model of a folder.

    Args:
        folder: with config.json and safetensors; a tokenizer is not needed.
        dtype: of its parameters; None: as they are stored.
        device: of its parameters; beside them, no more than one weight is in memory.
        attention: name of a backend of `foretrace.model.attention`.

    Raises:
        CheckpointError: the folder is incomplete, damaged, or of another kind of model.

    """
    config, tensors = load_pretrained(folder)
    with torch.device("meta"):
        model = CausalLM(config, attention)
    weights = {name: to_torch(tensor, dtype, device) for name, tensor in tensors.items()}
    if config.tie_word_embeddings:
        weights[HEAD] = weights[EMBEDDING]
    model.load_state_dict(weights, assign=True)
    if config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight  # assigning has made two parameters of one tensor
    return model


def save_model(
    folder: Path,
    model: CausalLM,
    *,
    dtype: str | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Writes a folder that `transformers` loads as `CwmForCausalLM`; see `interchange.save_pretrained`.

    Args:
        folder: is made if it is missing; a model in it is replaced.
        model: on any device; its weights are fetched one after the other.
        dtype: "float32", "float16", "bfloat16" or None: as the parameters are.
        max_shard_bytes: size of a file of weights.
        files: further files by name.

    Raises:
        CheckpointError: it could not be written, or a value is too large for the dtype.

    """
    tensors = {name: from_torch(parameter) for name, parameter in model.named_parameters()}  # a tied one once
    save_pretrained(folder, model.config, tensors, dtype=dtype, max_shard_bytes=max_shard_bytes, files=files)


def to_torch(tensor: StoredTensor, dtype: torch.dtype | None = None, device: torch.device | str = "cpu") -> Tensor:
    """A stored tensor's values as a new tensor of torch."""
    values = torch.from_numpy(tensor.read())
    if tensor.dtype == "bfloat16":
        values = values.view(torch.bfloat16)
    return values.to(device, dtype or values.dtype)


def from_torch(tensor: Tensor) -> StoredTensor:
    """A tensor of torch as a stored one, fetched to the CPU when it is read."""

    def read() -> Raw:
        values = tensor.detach().cpu().contiguous()
        raw: Raw = (values.view(torch.uint16) if values.dtype is torch.bfloat16 else values).numpy()
        return raw

    return StoredTensor(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), read)
