"""What is timed: whole optimiser steps after the first few, until enough seconds have passed.

    clock = Clock(warmup=3, seconds=15, device="cpu")
    while not clock.step(tokens):          # after each optimiser step, with the document tokens that it saw
        ...
    clock.result()                         # {"tokens_per_second": …}

What comes before the first timed step (imports, making the model, compiling, warm-up) is reported beside, as `start_seconds`.
"""

import resource
import time
from statistics import quantiles
from typing import Any

STARTED = time.perf_counter()
FEWEST = 4
"""Steps that are timed even if the seconds are over."""


class Clock:
    """Times steps."""

    def __init__(self, warmup: int, seconds: float, device: str) -> None:
        """`device`: cpu or cuda."""
        self._warmup, self._seconds, self._device = warmup, seconds, device
        self._count = self._tokens = 0
        self._times: list[float] = []
        self._processor = 0.0

    def step(self, tokens: int) -> bool:
        """Notes that a step is over; says whether that is enough.

        Args:
            tokens: of documents, seen in that step; padding is not one.

        """
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()
        self._count += 1
        if self._count < self._warmup:
            return False
        self._times.append(time.perf_counter())
        if self._count == self._warmup:
            self._processor = time.process_time()
            return False
        self._tokens += tokens
        return len(self._times) > FEWEST and self._times[-1] - self._times[0] >= self._seconds

    def result(self) -> dict[str, Any]:
        """Speed, and what else there is to know of this process."""
        seconds = self._times[-1] - self._times[0]
        steps = [after - before for before, after in zip(self._times, self._times[1:], strict=False)]
        tenths = quantiles(steps, n=10)
        result: dict[str, Any] = {
            "tokens_per_second": self._tokens / seconds,
            "tokens_per_processor_second": self._tokens / (time.process_time() - self._processor),
            "steps": len(steps),
            "tokens_per_step": self._tokens / len(steps),
            "step_seconds": {"p10": tenths[0], "p50": tenths[4], "p90": tenths[8]},
            "start_seconds": self._times[0] - STARTED,
            "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        if self._device == "cuda":
            import torch

            result["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
        return result
