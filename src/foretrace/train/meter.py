"""What a window of training steps did: losses, speed, utilisation, gradients, memory. One `read` a log line.

The clock runs only within steps: what happens between them (validation, saving) does not count. On CUDA the device's
own clock is read, so that no step waits for the host. Everything is summed over the ranks and over the window since the
last `read`, in one collective; memory, time and the share of waiting are those of the worst rank.

    meter = StepMeter(("traces", "agents"), device, measured_peak=found["measured_peak"])
    with meter.step():
        with meter.waiting():
            rows = next(loader)
        for row in rows:
            …
            meter.losses.add(nll, weights, kinds, sources, hits)
            meter.count(tokens=len(row.tokens), flops=…)
        meter.note(grad_norm=norm, lr=lr)
    record |= meter.read()
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from foretrace.train.hardware import memory
from foretrace.train.metrics import LossTable, gather

GB = 1e9


class Stopwatch:
    """Seconds of each of several stretches of work on a device, told only when asked."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._marks: list[Any] = []

    def press(self) -> None:
        """Begins a stretch, or ends one."""
        if self._cuda:
            self._marks.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
            self._marks[-1].record()
        else:
            self._marks.append(time.perf_counter())

    def take(self) -> list[float]:
        """Seconds of the stretches since the last time; waits until the device has done the work."""
        marks, self._marks = self._marks, []
        pairs = list(zip(marks[::2], marks[1::2], strict=True))
        if not self._cuda:
            return [end - begin for begin, end in pairs]
        if marks:
            marks[-1].synchronize()
        return [begin.elapsed_time(end) / 1000 for begin, end in pairs]


class StepMeter:
    """Accumulates what steps do; see the module."""

    def __init__(
        self,
        sources: Sequence[str],
        device: torch.device,
        *,
        measured_peak: float | None = None,
        datasheet_peak: float | None = None,
        group: dist.ProcessGroup | None = None,
        devices: int | None = None,
    ) -> None:
        """Makes a meter.

        Args:
            sources: names of the sources of documents, by number.
            device: of this rank.
            measured_peak: FLOP/s of one device, see `hardware.matmul_peak`.
            datasheet_peak: the same by its maker, see `hardware.datasheet_peak`.
            group: the ranks that have tokens of their own (data and context parallelism); None: all.
            devices: that compute together; None: as many as ranks in `group`. With tensor parallelism there are more.

        """
        self.losses = LossTable(sources, device)
        self._device, self._group, self._devices = device, group, devices
        self._peaks = {"mfu": measured_peak, "mfu_datasheet": datasheet_peak}
        self._watch = Stopwatch(device)
        self._waited = self._tokens = self._flops = 0.0
        self._norms: list[Tensor] = []
        self._lr: float | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """One optimiser step: the clock runs."""
        self._watch.press()
        try:
            yield
        finally:
            self._watch.press()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A part of a step in which the host waits for data."""
        start = time.perf_counter()
        yield
        self._waited += time.perf_counter() - start

    def count(self, *, tokens: float, flops: float) -> None:
        """Counts work of this rank.

        Args:
            tokens: of this rank's rows, prompts included; its share of a row that several ranks have.
            flops: of training on them (forward and backward), for these lengths of documents, without recomputation.

        """
        self._tokens += tokens
        self._flops += flops

    def note(self, *, grad_norm: Tensor | float, lr: float) -> None:
        """Notes the norm of a step's gradient before it was clipped (of all ranks), and the learning rate."""
        self._norms.append(torch.as_tensor(grad_norm).detach())
        self._lr = lr

    def read(self) -> dict[str, Any]:
        """The record of the steps since the last time, of which there must be some; begins a new window.

        All ranks of the group must call it.

        Returns:
            `loss`, `loss_by_source`, `loss_by_kind`, and `token_accuracy` if hits were given; `grad_norm` (mean) and
            `grad_norm_max`; `lr` (the last); `tokens_per_second`, with several devices also `…_per_device`;
            `mfu` and `mfu_datasheet`: FLOPs a second as a share of the measured and of the maker's peak; `step_seconds`
            (median); `data_share` of the time spent waiting for data; `memory_gb` and `memory_peak_gb` (1e9 bytes).

        """
        steps = self._watch.take()
        used = memory(self._device)
        own = [self._tokens, self._flops, sum(steps), median(steps), self._waited, used.now, used.peak]
        sums = self.losses.take()
        ranks = gather(torch.cat([sums, torch.tensor(own, dtype=sums.dtype).to(sums.device)]), self._group)
        tokens, flops = ranks[:, len(sums) : len(sums) + 2].sum(0).tolist()
        seconds, step, waited, now, peak = ranks[:, len(sums) + 2 :].amax(0).tolist()
        devices = self._devices or len(ranks)
        record = self.losses.means(ranks[:, : len(sums)].sum(0)) | self._gradients()
        record |= {
            "tokens_per_second": tokens / seconds,
            **({"tokens_per_second_per_device": tokens / seconds / devices} if devices > 1 else {}),
            **{name: flops / seconds / devices / p for name, p in self._peaks.items() if p},
            "step_seconds": step,
            "data_share": waited / seconds,
            "memory_gb": now / GB,
            "memory_peak_gb": peak / GB,
        }
        self._waited = self._tokens = self._flops = 0.0
        return record

    def _gradients(self) -> dict[str, Any]:
        norms, self._norms = self._norms, []
        if not norms:
            return {}
        values = torch.stack(norms).double()
        return {"grad_norm": float(values.mean()), "grad_norm_max": float(values.max()), "lr": self._lr}
