"""Models in Hugging Face's folders, read and written a tensor at a time: 65 GB of weights need no 65 GB of memory. No torch.

config.json                          `ModelConfig`
model.safetensors                    the weights, in one file
model-00001-of-00014.safetensors …   or in several, with
model.safetensors.index.json         which weight is in which

    config, tensors = load_pretrained(Path("cwm"))                      # reads headers only
    save_pretrained(Path("cwm-halves"), config, tensors, dtype="float16")

`foretrace.model.loading` makes models of torch from such folders.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.errors import CheckpointError
from foretrace.model.config import ModelConfig
from foretrace.model.shapes import EMBEDDING, HEAD, expected_shapes
from foretrace.model.tensors import StoredTensor, nbytes, open_tensors, write_tensors

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
MAX_SHARD_BYTES = 5_000_000_000
_TEMPORARY = ".tmp"
Tensors = dict[str, StoredTensor]
Progress = Callable[[int, int], None]
"""Called with the number of tensors that are done, and of all."""


def load_pretrained(folder: Path) -> tuple[ModelConfig, Tensors]:
    """The configuration and the weights of a folder; a weight is read when its values are asked for.

    Raises:
        CheckpointError: a file is missing or damaged, a shard is missing or left over, or the weights are not those of
            the configuration.

    """
    config = read_config(folder)
    return config, _checked(folder, config, _open(folder))


def read_config(folder: Path) -> ModelConfig:
    """The configuration of a folder.

    Raises:
        CheckpointError: it is missing or damaged, or asks for something that this model does not do.

    """
    if not folder.is_dir():
        raise CheckpointError(f"no checkpoint folder at {folder}; give a folder with {CONFIG} and {WEIGHTS}")
    values = _read_json(folder / CONFIG)
    try:
        return ModelConfig.from_dict(values)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error


def save_pretrained(
    folder: Path,
    config: ModelConfig,
    tensors: Mapping[str, StoredTensor],
    *,
    dtype: str | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    files: Mapping[str, bytes] | None = None,
    progress: Progress = lambda done, wanted: None,
) -> None:
    """Writes a folder that `transformers` loads as `CwmForCausalLM`.

    Everything is written under temporary names first, and a model that the folder holds already stays whole until all is
    there. An error, or a full disk, leaves it as it was.

    Args:
        folder: is made if it is missing.
        config: of the model.
        tensors: every weight of `config` under Hugging Face's name.
        dtype: of the written weights, one of `tensors.DTYPES`; None keeps each one's own.
        max_shard_bytes: a weight begins another file if it would make one larger than this.
        files: further files by name, such as a tokenizer.
        progress: called after each tensor.

    Raises:
        CheckpointError: a weight is missing or has the wrong shape, a value is too large for the dtype, or there is too
            little space.

    """
    shards = _plan(_checked(folder, config, dict(tensors)), dtype, max_shard_bytes)
    stored = {**config.to_dict(), "dtype": dtype or next(iter(shards[0].values())).dtype}
    contents = {**(files or {}), CONFIG: _to_json(stored)}
    names = [WEIGHTS] if len(shards) == 1 else [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in _ordinals(shards)]
    if len(shards) > 1:
        contents[INDEX] = _to_json(_index(names, shards, dtype))
    folder.mkdir(parents=True, exist_ok=True)
    _check_space(folder, sum(nbytes(t, dtype) for shard in shards for t in shard.values()))
    temporaries = {folder / name: folder / (name + _TEMPORARY) for name in (*names, *contents)}
    try:
        _write(shards, [temporaries[folder / name] for name in names], dtype, progress)
        for name, content in contents.items():
            temporaries[folder / name].write_bytes(content)
        for file, temporary in temporaries.items():
            temporary.replace(file)
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error}; what it held before is whole") from error
    finally:
        for temporary in (*temporaries.values(), *folder.glob(f"model*.safetensors{_TEMPORARY}")):
            temporary.unlink(missing_ok=True)  # also what a killed process has left
    for file in (*folder.glob("model*.safetensors"), folder / INDEX):
        if file not in temporaries:
            file.unlink(missing_ok=True)  # of the model that was here before


# ---------------------------------------------------------------------------------------------------
# Reading


def _open(folder: Path) -> Tensors:
    single, index = folder / WEIGHTS, folder / INDEX
    if single.is_file() and index.is_file():
        raise CheckpointError(f"{folder} holds two models, {WEIGHTS} and {INDEX} with its shards; delete one of them")
    if single.is_file():
        return open_tensors(single)
    if not index.is_file():
        raise CheckpointError(f"{folder} lacks {WEIGHTS}, or {INDEX} and its shards; copy the whole folder again")
    places = _read_json(index)
    places = places.get("weight_map") if isinstance(places, dict) else None
    if not isinstance(places, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in places.values()
    ):
        raise CheckpointError(f"{index} is damaged: its weight_map does not tell a file of this folder for each weight")
    shards = sorted(set(places.values()))
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(
            f"{folder} lacks {', '.join(missing)}, {len(missing)} of {len(shards)} shards; copy them again"
        )
    left = sorted({file.name for file in folder.glob("model-*.safetensors")} - set(shards))
    if left:
        raise CheckpointError(
            f"{folder} has a shard that {INDEX} does not name: {left[0]}; delete it, or copy the index again"
        )
    return _merged(folder, places, {name: open_tensors(folder / name) for name in shards})


def _merged(folder: Path, places: dict[str, str], shards: dict[str, Tensors]) -> Tensors:
    """The tensors of all shards, if each holds exactly what the index says."""
    for shard, tensors in shards.items():
        promised = {name for name, where in places.items() if where == shard}
        if promised != tensors.keys():
            odd = sorted(promised ^ tensors.keys())[0]
            what = "lacks" if odd in promised else "has, against the index,"
            raise CheckpointError(f"{folder / shard} {what} the weight {odd}; it belongs to another {INDEX}")
    return {name: shards[shard][name] for name, shard in places.items()}


def _checked(folder: Path, config: ModelConfig, tensors: Tensors) -> Tensors:
    """The weights of a configuration in their order, if they are all there and nothing else is."""
    wanted = expected_shapes(config)
    for name, shape in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{folder} lacks the weight {name}; its weights belong to another {CONFIG}")
        if tensors[name].shape != shape:
            raise CheckpointError(f"{folder}: {name} has shape {tensors[name].shape}, {CONFIG} wants {shape}")
    # old Llama folders also hold the frequencies of RoPE, which follow from the configuration
    extra = sorted(name for name in tensors.keys() - wanted.keys() if not name.endswith("rotary_emb.inv_freq"))
    if extra == [HEAD] and config.tie_word_embeddings:
        if not np.array_equal(tensors[HEAD].to("float32"), tensors[EMBEDDING].to("float32")):
            raise CheckpointError(f"{folder}: {CONFIG} ties the embeddings, but {HEAD} differs from {EMBEDDING}")
    elif extra:
        raise CheckpointError(f"{folder} has a weight that {CONFIG} does not know: {extra[0]}")
    return {name: tensors[name] for name in wanted}


def _read_json(file: Path) -> Any:
    if not file.is_file():
        raise CheckpointError(f"{file.parent} lacks {file.name}; copy the whole folder again")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is damaged: {error}; copy it again") from error


# ---------------------------------------------------------------------------------------------------
# Writing


def _plan(tensors: Tensors, dtype: str | None, max_shard_bytes: int) -> list[Tensors]:
    """The tensors of each shard, in order."""
    shards: list[Tensors] = [{}]
    size = 0
    for name, tensor in tensors.items():
        more = nbytes(tensor, dtype)
        if shards[-1] and size + more > max_shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += more
    return shards


def _ordinals(shards: list[Tensors]) -> range:
    return range(1, len(shards) + 1)


def _index(names: list[str], shards: list[Tensors], dtype: str | None) -> dict[str, Any]:
    places = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
    return {
        "metadata": {"total_size": sum(nbytes(t, dtype) for shard in shards for t in shard.values())},
        "weight_map": places,
    }


def _write(shards: list[Tensors], files: list[Path], dtype: str | None, progress: Progress) -> None:
    total = sum(len(shard) for shard in shards)
    done = 0

    def written() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    for shard, file in zip(shards, files, strict=True):
        write_tensors(file, shard, dtype, written)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CheckpointError(f"{folder} needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; make room")


def _to_json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=1) + "\n").encode()
