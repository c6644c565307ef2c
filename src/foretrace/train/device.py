"""Where and in which dtype a run computes, chosen once and by name."""

import ctypes
import os
import platform
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from foretrace.errors import UsageError


def choose_device(name: str) -> torch.device:
    """The device called `name`; `auto` prefers CUDA. Of several processes on a machine each has a GPU of its own.

    Raises:
        UsageError: there is no such device here.

    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("device=cuda, but torch finds no CUDA GPU here; use device=cpu or device=auto")
    try:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if name == "cuda" else torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device called {name!r}; use auto, cpu or cuda") from error


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype to compute in; `auto` takes bfloat16 where it is fast.

    Raises:
        UsageError: the name is not auto, float32 or bfloat16.

    """
    if name not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"no dtype called {name!r}; use auto, float32 or bfloat16")
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    capable = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if capable else torch.float32


def precision(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """The context in which a model whose weights are float32 computes in `dtype`."""
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype)


def keep_freed_memory() -> None:
    """Lets glibc keep what a step frees for the next one: giving hundreds of megabytes back and faulting them in again costs
    a tenth of a step on CPU. Does nothing elsewhere.
    """
    trim_threshold, mmap_threshold = -1, -3  # names of mallopt(3)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 32 << 20)  # the most that glibc takes
        libc.mallopt(trim_threshold, (1 << 31) - 1)
