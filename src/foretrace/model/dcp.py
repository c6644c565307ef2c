"""Folders of `torch.distributed.checkpoint`, read without running what they say.

Such a folder tells in a pickle, `.metadata`, which tensors there are and where in its `*.distcp` files their pieces lie.
Unpickling calls whatever the file names. So the file is read here by an unpickler that knows a short list of names, and
builds inert records for all of them: no code of torch or of anyone else runs. The pieces are read by torch with
`weights_only=True`.

    tensors = open_dcp(Path("cwm-sft"))                 # {"model.norm.weight": StoredTensor, …}
"""

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretrace.errors import CheckpointError
from foretrace.model.loading import from_torch
from foretrace.model.tensors import Raw, StoredTensor

METADATA = ".metadata"
_Extent = tuple[int, ...]


def open_dcp(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of a folder by their full names; each is put together from its pieces when its values are asked for.

    Entries that are no tensors are left out. A dtype may be one that `tensors.DTYPES` does not have.

    Raises:
        CheckpointError: a file is missing, damaged or cut short; the metadata name anything that is not on the list, or
            pieces that overlap, leave holes or are packed.

    """
    file = folder / METADATA
    if not file.is_file():
        raise CheckpointError(f"{folder} lacks {METADATA}; copy the whole folder again")
    metadata = _unpickle(file)
    try:
        entries, storage = _state(metadata)["state_dict_metadata"], _state(metadata)["storage_data"]
        places = {(s["fqn"], tuple(s.get("offset") or ())): _state(where) for s, where in _states(storage)}
        tensors = {name: _state(entry) for name, entry in entries.items() if "size" in _state(entry)}
        return {name: _stored(folder, name, entry, places) for name, entry in tensors.items()}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file} is damaged: {error or type(error).__name__}; copy it again") from error


# ---------------------------------------------------------------------------------------------------
# Metadata


class _Record:
    """Stands for an object: keeps what the object would have been made of, and does nothing."""

    state: Any

    def __new__(cls, *_: Any) -> "_Record":
        record = super().__new__(cls)
        record.state = {}
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


_RECORDS = {
    "torch.distributed.checkpoint.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
}
_PATHS = ("pathlib.", "upath.", "fsspec.")
"""Modules of paths: a writer notes in the metadata where it has written."""


class _Unpickler(pickle.Unpickler):
    """Knows a few names, and calls nothing but `_Record`, `tuple` and `OrderedDict`."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("torch", "Size"):
            return tuple
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module_name == "torch" and isinstance(vars(torch).get(global_name), torch.dtype):
            return global_name
        if global_name in _RECORDS.get(module_name, ()) or f"{module_name}.".startswith(_PATHS):
            return _Record
        raise _ForbiddenError(f"{module_name}.{global_name}")


class _ForbiddenError(Exception):
    """A name that is not on the list."""


def _unpickle(file: Path) -> Any:
    with file.open("rb") as stream:
        try:
            return _Unpickler(stream).load()
        except _ForbiddenError as error:
            raise CheckpointError(
                f"{file} asks to run {error}, which no checkpoint needs: nothing of it was run; do not use this folder"
            ) from error
        except Exception as error:  # what a damaged pickle raises is not bounded
            raise CheckpointError(f"{file} is damaged: {error or type(error).__name__}; copy it again") from error


def _state(record: Any) -> dict[str, Any]:
    if not isinstance(record, _Record) or not isinstance(record.state, dict):
        raise ValueError(f"{record!r} is no record")
    return record.state


def _states(records: Any) -> list[tuple[dict[str, Any], Any]]:
    return [(_state(key), value) for key, value in records.items()]


# ---------------------------------------------------------------------------------------------------
# Tensors


@dataclass(frozen=True, slots=True)
class _Piece:
    """A box of a tensor, and the bytes of a file that hold it."""

    begin: _Extent
    size: _Extent
    file: Path
    offset: int
    length: int

    def overlaps(self, other: "_Piece") -> bool:
        boxes = zip(self.begin, self.size, other.begin, other.size, strict=True)
        return all(a < b + m and b < a + n for a, n, b, m in boxes)


def _stored(
    folder: Path, name: str, entry: dict[str, Any], places: dict[tuple[str, _Extent], dict[str, Any]]
) -> StoredTensor:
    dtype, size = str(entry["properties"].state[0]), _extent(entry["size"])
    pieces = [_piece(folder, name, _state(chunk), places) for chunk in entry["chunks"]]
    inside = all(b + n <= limit for p in pieces for b, n, limit in zip(p.begin, p.size, size, strict=True))
    whole = sum(prod(p.size) for p in pieces) == prod(size)
    if not inside or not whole or any(a.overlaps(b) for a, b in combinations(pieces, 2)):
        raise ValueError(f"the pieces of {name} do not make up its shape {size}")
    return StoredTensor(dtype, size, lambda: _assemble(name, dtype, size, pieces))


def _piece(folder: Path, name: str, chunk: dict[str, Any], places: dict[tuple[str, _Extent], dict[str, Any]]) -> _Piece:
    begin = _extent(chunk["offsets"])
    where = places[name, begin] if (name, begin) in places else places[name, ()]
    relative, offset, length = where["relative_path"], where["offset"], where["length"]
    if where.get("transform_descriptors"):
        raise ValueError(f"{name} is packed as {where['transform_descriptors']}, which is not read here")
    if not isinstance(relative, str) or Path(relative).name != relative:
        raise ValueError(f"{name} lies in {relative!r}, which is not a file of this folder")
    file = folder / relative
    if not file.is_file():
        raise CheckpointError(f"{folder} lacks {relative}; copy it again")
    offset, length = _extent((offset, length))
    if offset + length > file.stat().st_size:
        raise CheckpointError(f"{file} is cut short: it ends before {name} does; copy it again")
    return _Piece(begin, _extent(chunk["sizes"]), file, offset, length)


def _extent(numbers: Any) -> _Extent:
    if not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"{numbers} is no shape or place")
    return tuple(numbers)


def _assemble(name: str, dtype: str, size: _Extent, pieces: list[_Piece]) -> Raw:
    values = torch.empty(size, dtype=getattr(torch, dtype))
    for piece in pieces:
        read = _load(piece)
        if not isinstance(read, Tensor) or tuple(read.shape) != piece.size or read.dtype != values.dtype:
            raise CheckpointError(f"{piece.file} is damaged: it holds something else than {name}; copy it again")
        values[tuple(slice(b, b + n) for b, n in zip(piece.begin, piece.size, strict=True))] = read
    return from_torch(values).read()


def _load(piece: _Piece) -> Any:
    with piece.file.open("rb") as stream:
        stream.seek(piece.offset)
        content = io.BytesIO(stream.read(piece.length))
    try:
        return torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged archive raises is not bounded
        raise CheckpointError(f"{piece.file} is damaged, or no checkpoint: {error}; copy it again") from error
