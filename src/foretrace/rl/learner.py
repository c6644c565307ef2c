"""The learner: takes selected rollouts, makes one update of the weights, and hands them on.

    learner = Learner(folder, Learning(lr=1e-5), vocab_size)
    report = learner.update(selection.chosen)   # entropy, clipped share, lag, mismatch with the sampler, …
    policy.load(learner.weights(), learner.version)

Under `torchrun` the weights are spread over the processes as in training (`train/sharding.py`); all of them call `update`
with the same rollouts, and each takes its share of the rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretrace.errors import TrainingError, UsageError
from foretrace.model.attention import best_backend
from foretrace.model.checkpoint import Weights
from foretrace.model.interchange import load_pretrained
from foretrace.model.transformer import CausalLM
from foretrace.rl.loss import Clip
from foretrace.rl.rows import RolloutRow, empty, pack
from foretrace.rl.selection import Chosen
from foretrace.rl.types import ENVIRONMENT
from foretrace.train.config import Hardware, Optimizer, Parallel
from foretrace.train.device import choose_device, choose_dtype, precision
from foretrace.train.optimizer import make_optimizers, set_learning_rate
from foretrace.train.ranks import Ranks
from foretrace.train.schedule import Schedule
from foretrace.train.sharding import begin_row, clip_grad_norm, materialise, shard, whole
from foretrace.train.state import load_progress, load_tensors, load_weights, save_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How an update is made."""

    schedule: Schedule = field(default_factory=lambda: Schedule(kind="constant", lr=1e-5, warmup_steps=10))
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(weight_decay=0.0))
    trainable: str = ""
    """Regular expression of the names of the parameters that are changed, as `norm` for the gains of norms; empty: all."""
    clip: Clip = field(default_factory=Clip)
    max_tokens: int = 1024
    """The most tokens that a rollout may have: N of the objective, by which its sum is divided."""
    tokens_per_row: int = 8192
    observation_weight: float = 0.0
    """Of the mean cross-entropy of what environments wrote (ECHO, arXiv:2605.24517); 0: it is not learnt."""
    hardware: Hardware = field(default_factory=lambda: Hardware(dtype="float32"))
    """In float32 the probabilities are those of a sampler in float32 to the sixth digit."""
    parallel: Parallel = field(default_factory=Parallel)

    def __post_init__(self) -> None:
        """Checks how processes share the work.

        Raises:
            UsageError: they were to share rows.

        """
        if self.parallel.context != 1:
            raise UsageError("rollouts are shared out whole: parallel.context must be 1, use data and tensor")


class Learner:
    """A model that is being improved: its version counts the updates."""

    def __init__(self, folder: Path, config: Learning, *, steps: int = 0, state: Path | None = None) -> None:
        """Takes weights, and moments if a run is gone on with.

        Args:
            folder: the checkpoint that the policy begins with.
            config: see there.
            steps: updates of the whole run, for schedules that end.
            state: of a run, as `save` writes it; if there is none yet, the run begins.

        Raises:
            CheckpointError: a folder is damaged or of another model.
            UsageError: no parameter is called like `config.trainable`.

        """
        self.config, self._steps = config, steps
        self.device = choose_device(config.hardware.device)
        self._dtype = choose_dtype(config.hardware.dtype, self.device)
        self.ranks = Ranks.join(config.parallel, self.device)
        self.model = self._build(folder)
        self.parameters = dict(self.model.named_parameters())
        """By name."""
        self._optimizers = make_optimizers(self.model, config.optimizer, config.schedule.lr)
        self.version = 0
        """Updates so far."""
        progress = load_progress(state, self.ranks) if state is not None else None
        if state is not None and progress is not None:
            load_tensors(state, self.parameters, self._optimizers, self.ranks)
            self.version = progress["version"]
            self.progress: dict[str, Any] = progress["progress"]
        else:
            load_weights(folder, self.parameters, self.ranks)
            self.progress = {}

    def _build(self, folder: Path) -> CausalLM:
        config = load_pretrained(folder)[0]
        attention = self.config.hardware.attention
        if attention == "auto":
            attention = best_backend(self.device, self._dtype, config.head_dim)
        with torch.device("meta"):
            model = CausalLM(config, attention)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(re.search(self.config.trainable, name) is not None)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise UsageError(f"no parameter is called like learning.trainable={self.config.trainable!r}; try norm or layers")
        shard(model, self.ranks, dtype=self._dtype, reshard=self.config.parallel.reshard)
        materialise(model, self.device, 0)
        return model

    def update(self, chosen: Sequence[Chosen]) -> dict[str, float]:
        """One step of the optimiser, and what it met; see `_Meter`. All processes must call it, with the same rollouts.

        Raises:
            TrainingError: the gradient is no number. The weights are as they were.

        """
        rows = pack(chosen, self.config.tokens_per_row, learn_observations=bool(self.config.observation_weight))
        meter = _Meter(self.version)
        mine = rows[self.ranks.data.rank :: self.ranks.data.size]
        mine += [empty()] * (-(-len(rows) // self.ranks.data.size) - len(mine))
        observed = sum(int(row.observed.sum()) for row in rows)
        for number, row in enumerate(mine, 1):
            begin_row(self.model, last=number == len(mine), reshard=self.config.parallel.reshard)
            self._add_gradient(row, len(chosen), observed, meter)
        norm = clip_grad_norm(self.parameters.values(), self.config.optimizer.max_grad_norm)
        if not bool(torch.isfinite(norm)):
            for optimizer in self._optimizers:
                optimizer.zero_grad()
            raise TrainingError(
                f"update {self.version + 1}: the norm of the gradient is {float(norm)}; the weights are as they were. "
                "Go on with a lower rate (learning.schedule.lr)"
            )
        rate = self.config.schedule.rate(self.version, self._steps)
        set_learning_rate(self._optimizers, rate)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.version += 1
        return meter.read(self.ranks) | {"grad_norm": float(norm), "lr": rate, "rows": float(len(rows))}

    def _add_gradient(self, row: RolloutRow, count: int, observed: int, meter: "_Meter") -> None:
        config = self.config
        objective = row.objective(
            self.device,
            # a mean over rollouts, so that the rate means the same for any budget of tokens
            scale=1 / (config.max_tokens * count),
            clip=config.clip,
            observation_weight=config.observation_weight / max(observed, 1),
        )
        with precision(self.device, self._dtype):
            predicted, _ = self.model.predict(*row.on(self.device), objective.weigh)
        predicted.loss.backward()  # type: ignore[no-untyped-call]
        found = predicted.nll, objective.ratios, objective.clipped, objective.logprobs
        meter.add(*found, row.versions, row.oldest)
        meter.objective += objective.value

    def weights(self) -> Weights:
        """All weights in float32, for a sampler; under `torchrun` all processes must call this."""
        return {name: whole(p.detach()).float().cpu().numpy().copy() for name, p in self.parameters.items()}

    def save(self, state: Path, progress: dict[str, Any]) -> None:
        """Writes weights, moments, version and what the caller needs to go on. A run killed meanwhile keeps what it had."""
        kept = {"version": self.version, "progress": progress}
        save_state(state, self.parameters, self._optimizers, kept, self.ranks)


class _Meter:
    """What an update met, over the policy's tokens of this process."""

    def __init__(self, version: int) -> None:
        self._version = version
        self.objective = 0.0
        self._sums = dict.fromkeys(("tokens", "entropy", "ratio", "clipped", "kl", "lag", "own", "mismatch"), 0.0)
        self._most = 0.0

    def add(
        self,
        nll: Tensor,
        ratios: Tensor,
        clipped: Tensor,
        drawn: Tensor,
        versions: NDArray[np.int32],
        oldest: NDArray[np.int32],
    ) -> None:
        """Takes a row's M predictions: all (M,)."""
        kept = versions != ENVIRONMENT
        nlls, ratio, is_clipped, before = (x.detach().double().cpu().numpy()[kept] for x in (nll, ratios, clipped, drawn))
        lag = (self._version - versions[kept]).astype(np.float64)
        own = oldest[kept] == self._version
        values = {
            "tokens": np.ones_like(lag),
            "entropy": nlls,
            "ratio": ratio,
            "clipped": is_clipped,
            "kl": ratio - 1 - np.log(ratio),
            "lag": lag,
            "own": own,
            "mismatch": np.abs(-nlls - before) * own,
        }
        for name, of in values.items():
            self._sums[name] += float(of.sum())
        self._most = max(self._most, float(lag.max(initial=0)))

    def read(self, ranks: Ranks) -> dict[str, float]:
        """The numbers of the update, over all processes.

        `entropy`: mean negative log probability of what was drawn, an unbiased estimate where it was drawn by these weights.
        `mismatch`: mean absolute difference of log probabilities between sampler and learner, of tokens that this version
        wrote from the rollout's beginning on, so that keys and values are its own, too; 0 if there are none. `lag`: updates
        since a token was written, mean and most.
        """
        everyone = ranks.gather(self.objective, self._most, *self._sums.values())[:, 0, 0]
        objective, _, *sums = everyone.sum(0).tolist()
        found = dict(zip(self._sums, sums, strict=True))
        tokens, own = found.pop("tokens"), found.pop("own")
        means = {name: value / max(own if name == "mismatch" else tokens, 1.0) for name, value in found.items()}
        return {"objective": objective, "tokens": tokens, "max_lag": float(everyone[:, 1].max())} | means
