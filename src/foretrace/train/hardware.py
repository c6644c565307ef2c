"""What a run computes on: its name, how fast it multiplies matrices, how much memory is in use.

A share of a peak is only as good as the peak. So there are two: what this device reaches here and now on matrices like
the model's, in the dtype that the run computes in, and what its maker promises, where that is known.

    found = describe(device, torch.bfloat16, shapes=[(8192, 256, 704)])     # for run.json; takes half a second
    found["measured_peak"], found["datasheet_peak"]                          # FLOP/s, the latter perhaps None
    memory(device).peak                                                      # bytes
"""

import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

import foretrace

Shape = tuple[int, int, int]
"""Of a product: (m, k) times (k, n)."""

_HALF = (torch.bfloat16, torch.float16)
_DATASHEETS = (
    # NVIDIA's product pages and datasheets. With sparsity, twice what counts here: B200 (4,500), GB200 (5,000), H100
    # (1,979 SXM, 1,671 NVL, 1,513 PCIe), H200 (1,979 SXM, 1,671 NVL), GH200 (1,979), L4 (242); without: H20 (148), A100
    # and A800 (312), A30 (165), A10 (125), L40S (362), L40 (181). GeForce: appendices of the Ada and Blackwell
    # architecture papers, sums in float32. AMD: product pages of Instinct MI300X, MI325X and MI250X.
    ("GB200", 2500e12),
    ("B200", 2250e12),
    ("GH200", 989e12),
    ("H200 NVL", 836e12),
    ("H200", 989e12),
    ("H100 NVL", 836e12),
    ("H100 PCIe", 756e12),
    ("H100", 989e12),
    ("H20", 148e12),
    ("A100", 312e12),
    ("A800", 312e12),
    ("A30", 165e12),
    ("A10", 125e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("L4", 121e12),
    ("RTX 5090", 209e12),
    ("RTX 4090", 165e12),
    ("MI325X", 1307e12),
    ("MI300X", 1307e12),
    ("MI250X", 383e12),
)
"""Words of a device's name, and FLOP/s of dense bfloat16 and float16 products; the first that fits counts."""
_LESSER = re.compile(r"\b(MIG|Laptop|Max-Q|D)\b")
"""Parts and lesser siblings of a device, which carry its name."""
_CUBE = {"cuda": 8192, "cpu": 1024}
_REPEATS = 20  # of a product on CUDA in one timing, so that starting it costs nothing


class Memory(NamedTuple):
    """Bytes in use."""

    now: int
    peak: int


def describe(
    device: torch.device, dtype: torch.dtype, shapes: Sequence[Shape] = (), known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `run.json` says of the hardware; JSON values only.

    Args:
        shapes: of the model's products, see `matmul_peak`.
        known: an earlier description of this run; if it is of the same device, dtype and number of threads, the higher
            of both measurements counts, since a machine that is busy elsewhere only ever looks slower.

    """
    name = device_name(device)
    what: dict[str, Any] = {
        "device": name,
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }
    measured = matmul_peak(device, dtype, shapes)
    if known is not None and all(known.get(key) == value for key, value in what.items()):
        measured = max(measured, float(known["measured_peak"]))
    datasheet = datasheet_peak(name, dtype)
    return what | {"measured_peak": measured, "datasheet_peak": datasheet, "versions": versions()}


def versions() -> dict[str, str]:
    """Of Python and of the libraries that compute."""
    found = {"foretrace": foretrace.__version__, "python": platform.python_version(), "torch": torch.__version__}
    accelerator = {"cuda": torch.version.cuda} if torch.version.cuda else {}
    return found | {"numpy": np.__version__} | accelerator


def device_name(device: torch.device) -> str:
    """Such as `NVIDIA H200` or `AMD EPYC 9654`."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    if device.type != "cpu":
        return device.type
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


# ---------------------------------------------------------------------------------------------------
# Peaks


def datasheet_peak(name: str, dtype: torch.dtype) -> float | None:
    """FLOP/s of dense products that the maker of the device called `name` states, or None where that is not known.

    Only for bfloat16 and float16: what float32 reaches depends on settings.
    """
    if dtype not in _HALF or _LESSER.search(name):
        return None
    return next((peak for words, peak in _DATASHEETS if _names(words, name)), None)


def _names(words: str, name: str) -> bool:
    """Whether all of `words` stand in `name`, as whole words."""
    return all(re.search(rf"(?<![A-Za-z0-9]){word}(?![A-Za-z0-9])", name) for word in words.split())


def matmul_peak(device: torch.device, dtype: torch.dtype, shapes: Sequence[Shape] = (), seconds: float = 0.5) -> float:
    """FLOP/s of the fastest product `x @ weight.T` found within about `seconds`.

    The shapes take turns, so that a moment in which the machine was busy with other things harms none; random operands,
    because a GPU is faster on zeros.

    Args:
        shapes: (tokens, in, out) of the model's products; a cube that suits the device is always tried, too.
        seconds: of measuring; operands and one warm-up for each shape come on top.

    """
    cube = _CUBE.get(device.type, 1024)
    runs: list[tuple[float, Callable[[], float]]] = []
    for m, k, n in {(cube, cube, cube), *shapes}:
        x = torch.randn(m, k, device=device).to(dtype)
        weight = torch.randn(n, k, device=device).to(dtype)
        runs.append((2.0 * m * k * n, _timing(x, weight)))
    for _, run in runs:
        run()  # allocates, and chooses kernels
    best, end = 0.0, time.perf_counter() + seconds
    while best == 0.0 or time.perf_counter() < end:
        best = max(best, *(flops / run() for flops, run in runs))
    return best


def _timing(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], float]:
    """A function that multiplies and returns the seconds of one product."""

    def on_host() -> float:
        start = time.perf_counter()
        F.linear(x, weight)
        return time.perf_counter() - start

    def on_device() -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        for _ in range(_REPEATS):
            F.linear(x, weight)
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000 / _REPEATS

    return on_device if x.device.type == "cuda" else on_host


# ---------------------------------------------------------------------------------------------------
# Memory


def memory(device: torch.device) -> Memory:
    """Bytes that tensors take on a CUDA device, else that this process has resident; and the most so far."""
    if device.type == "cuda":
        return Memory(torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device))
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return _memory_elsewhere()
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s*(\d+) kB$", status, re.MULTILINE))
    return Memory(int(found["VmRSS"]) * 1024, int(found["VmHWM"]) * 1024)


def _memory_elsewhere() -> Memory:
    """The same without /proc. macOS counts the peak in bytes, others in kibibytes; only `ps` tells what is used now."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return Memory(int(shown.stdout) * 1024, peak)
