"""Files of tensors: what the library of the format reads and writes, rounding, and headers that cannot be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foretrace.errors import CheckpointError
from foretrace.model.tensors import StoredTensor, in_memory, open_tensors, write_tensors


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_library_of_the_format_reads_what_is_written(dtype: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    tensors = {
        name: in_memory(random.normal(0, 1, (n, 7)).astype(np.float32)) for n, name in enumerate(("c", "a", "empty", "b"))
    }
    write_tensors(tmp_path / "x.safetensors", tensors, dtype)
    read = load_file(tmp_path / "x.safetensors")
    assert read.keys() == tensors.keys()
    assert all(np.array_equal(read[name], tensor.to(dtype)) for name, tensor in tensors.items())


def test_what_the_library_of_the_format_writes_is_read(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.ones(3, np.float16),
        "c": np.zeros((0, 4), np.float32),
    }
    save_file(arrays, tmp_path / "x.safetensors", {"format": "pt"})
    read = open_tensors(tmp_path / "x.safetensors")
    assert all(np.array_equal(read[name].read(), array) for name, array in arrays.items())


def bfloat16(value: float) -> float:
    bits = in_memory(np.array([value], np.float32)).to("bfloat16")
    return float(StoredTensor("bfloat16", (1,), lambda: bits).to("float32")[0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, 1.0),
        (-0.0, -0.0),
        (1 + 2**-8, 1.0),  # in the middle: to the even one
        (1 + 3 * 2**-8, 1 + 2**-6),
        (1 + 2**-8 + 2**-20, 1 + 2**-7),
        (float("inf"), float("inf")),
    ],
)
def test_bfloat16_rounds_to_the_nearest(value: float, expected: float) -> None:
    assert bfloat16(value) == expected


def test_not_a_number_stays_that() -> None:
    assert np.isnan(bfloat16(float("nan")))
    hidden = np.array([0x7F800001], np.uint32).view(np.float32)  # a payload that rounding would turn into infinity
    assert np.isnan(bfloat16(float(hidden[0])))


def test_every_kind_of_value_rounds_as_in_torch() -> None:
    torch = pytest.importorskip("torch")
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    values = bits.view(np.float32)[np.abs(bits.view(np.float32)) < 3.38e38]
    ours, theirs = in_memory(values).to("bfloat16"), torch.from_numpy(values).bfloat16()
    assert np.array_equal(ours, theirs.view(torch.uint16).numpy())


def header(entries: Any) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "entries",
    [
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2]}},
        {n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in "ab"},
        {"a": 5},
        [],
        5,
    ],
)
def test_headers_that_cannot_be(entries: Any, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(header(entries) + bytes(8))
    with pytest.raises(CheckpointError, match=r"x\.safetensors is damaged"):
        open_tensors(tmp_path / "x.safetensors")
