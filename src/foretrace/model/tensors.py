"""Tensors in files of the safetensors format, one in memory at a time, without torch.

The format is eight bytes with the length of a JSON header, the header (dtype, shape and place of each tensor), then the
values. It is read here rather than by the library of that name because NumPy has no bfloat16, and because a shard of five
gigabytes shall not have to be in memory.

    tensors = open_tensors(Path("model.safetensors"))          # reads the header only
    tensors["model.norm.weight"].to("float32")                 # reads this one
    write_tensors(Path("halves.safetensors"), tensors, dtype="float16")
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretrace.errors import CheckpointError

Raw = NDArray[Any]
"""Values as they are stored: float32, float16, or the bits of a bfloat16 (the upper half of a float32) as uint16."""
_ARRAYS: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "bfloat16": np.dtype("<u2")}
_CODES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
DTYPES = tuple(_ARRAYS)
"""dtypes of weights, by the names that torch and `config.json` have for them."""
_MAX_HEADER = 100_000_000
_BLOCK = 1 << 22  # values converted at a time: bounds what is in memory beside the tensor itself


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that is read when its values are asked for, and not kept."""

    dtype: str
    """One of `DTYPES`."""
    shape: tuple[int, ...]
    read: Callable[[], Raw]
    """Its values, in `shape`."""

    def to(self, dtype: str) -> Raw:
        """Its values in a dtype, rounded to the nearest.

        Raises:
            CheckpointError: a finite value is too large for the dtype; or what `read` raises.

        """
        values = self.read()
        return values if dtype == self.dtype else _convert(values, self.dtype, dtype)


def in_memory(values: NDArray[np.float32]) -> StoredTensor:
    """A tensor whose values are there already."""
    return StoredTensor("float32", values.shape, lambda: values)


def nbytes(tensor: StoredTensor, dtype: str | None = None) -> int:
    """Bytes of its values, in its own dtype or another."""
    return prod(tensor.shape) * _ARRAYS[dtype or tensor.dtype].itemsize


# ---------------------------------------------------------------------------------------------------
# Files


def open_tensors(file: Path) -> dict[str, StoredTensor]:
    """The tensors of a file. Only the header is read now.

    Raises:
        CheckpointError: the file is damaged or cut short, or a tensor has a dtype other than `DTYPES`.

    """
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise ValueError("its header is cut short")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        places = [(_place(name, entry), name, entry) for name, entry in header.items()]
        _check_contiguous([place for place, _, _ in places], size - 8 - length)
        return {name: _stored(file, 8 + length + start, name, entry) for (start, _), name, entry in places}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file} is damaged: {error or type(error).__name__}; copy it again") from error


def _place(name: str, entry: dict[str, Any]) -> tuple[int, int]:
    """Where the values begin and end, counted from the end of the header."""
    (start, end), shape, code = entry["data_offsets"], entry["shape"], entry["dtype"]
    if code not in _DTYPES:
        raise ValueError(f"{name} has dtype {code}; wanted {', '.join(_DTYPES)}")
    if not all(type(n) is int and n >= 0 for n in (start, end, *shape)):
        raise ValueError(f"{name} has an impossible shape or place")
    if end - start != prod(shape) * _ARRAYS[_DTYPES[code]].itemsize:
        raise ValueError(f"{name} takes {end - start} bytes, which is not what shape {shape} needs")
    return start, end


def _check_contiguous(places: list[tuple[int, int]], size: int) -> None:
    """The format leaves no holes: so a file that was cut or has grown is noticed before anything is read."""
    at = 0
    for start, end in sorted(places):
        if start != at:
            raise ValueError("its tensors overlap, or leave holes")
        at = end
    if at != size:
        raise ValueError(f"it has {size} bytes of values, its header promises {at}")


def _stored(file: Path, offset: int, name: str, entry: dict[str, Any]) -> StoredTensor:
    dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])

    def read() -> Raw:
        values: Raw = np.fromfile(file, _ARRAYS[dtype], prod(shape), offset=offset)
        if values.size != prod(shape):
            raise CheckpointError(f"{file} was cut short while {name} was read; copy it again")
        return values.reshape(shape)

    return StoredTensor(dtype, shape, read)


def write_tensors(
    file: Path, tensors: Mapping[str, StoredTensor], dtype: str | None = None, written: Callable[[], None] = lambda: None
) -> None:
    """Writes a file and flushes it to the disk, reading one tensor at a time.

    Args:
        file: a new or a temporary file; what it holds is lost.
        tensors: in the order in which they shall be stored.
        dtype: of all values; None keeps each tensor's own.
        written: called after each tensor.

    Raises:
        CheckpointError: a finite value is too large for the dtype.

    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        end = at + nbytes(tensor, dtype)
        header[name] = {"dtype": _CODES[dtype or tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format wants values aligned to eight bytes
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name, tensor in tensors.items():
            try:
                values = np.ascontiguousarray(tensor.to(dtype or tensor.dtype))
            except CheckpointError as error:
                raise CheckpointError(f"{name}: {error}") from error
            assert values.shape == tensor.shape, f"{name} has shape {values.shape}, not {tensor.shape} as it says"
            stream.write(values.reshape(-1).view(np.uint8).data)
            written()
        stream.flush()
        os.fsync(stream.fileno())


# ---------------------------------------------------------------------------------------------------
# dtypes


def _convert(values: Raw, source: str, target: str) -> Raw:
    flat = np.ascontiguousarray(values).reshape(-1)
    out: Raw = np.empty(flat.size, _ARRAYS[target])
    for start in range(0, flat.size, _BLOCK):
        block = _to_float32(flat[start : start + _BLOCK], source)
        piece = out[start : start + _BLOCK] = _from_float32(block, target)
        if np.any(np.isfinite(block) & ~np.isfinite(_to_float32(piece, target))):
            raise CheckpointError(
                f"{np.abs(block[np.isfinite(block)]).max():g} is too large for {target}; choose another dtype"
            )
    return out.reshape(values.shape)


def _to_float32(values: Raw, source: str) -> NDArray[np.float32]:
    if source == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False)


def _from_float32(values: NDArray[np.float32], target: str) -> Raw:
    """Rounds to the nearest, ties to even."""
    if target != "bfloat16":
        with np.errstate(over="ignore"):
            return values.astype(_ARRAYS[target])
    bits = values.view(np.uint32)
    with np.errstate(over="ignore"):
        rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    rounded[np.isnan(values)] = 0x7FC0
    return rounded
