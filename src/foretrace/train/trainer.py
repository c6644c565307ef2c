"""The trainer: one loop for a laptop's CPU, a GPU, or many under `torchrun`; resumable to the bit.

    config = TrainConfig(mixture=..., out=Path("runs/tiny"), steps=2000)
    model = Trainer(model_config, tokenizer, config).run()      # again with the same folder: goes on where it stopped

The run folder holds `metrics.jsonl` (one object a line, the truth for every plot), `state/` (to resume),
`checkpoint/` (a loadable checkpoint folder, written whenever the state is) and `run.json` (what the run is).
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretrace.data.batch import Batch, read_row
from foretrace.data.loader import Loader
from foretrace.data.prefetch import Prefetch
from foretrace.data.shards import Shard, shard_files
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError, TrainingError
from foretrace.model.attention import best_backend
from foretrace.model.config import ModelConfig
from foretrace.model.info import train_flops
from foretrace.model.transformer import CausalLM
from foretrace.train.config import TrainConfig
from foretrace.train.device import choose_device, choose_dtype, keep_freed_memory, precision
from foretrace.train.evaluate import validate
from foretrace.train.export import export
from foretrace.train.hardware import describe
from foretrace.train.interrupt import asked_to_stop
from foretrace.train.jepa import JepaObjective, Views
from foretrace.train.journal import Journal, Report, known_hardware
from foretrace.train.meter import StepMeter
from foretrace.train.optimizer import make_optimizers, set_learning_rate
from foretrace.train.ranks import Ranks
from foretrace.train.rows import Row
from foretrace.train.samples import greedy, predict_samples
from foretrace.train.sharding import begin_row, clip_grad_norm, materialise, shard
from foretrace.train.state import STATE, load_progress, load_tensors, load_weights, save_state

SAMPLE_TOKENS = 256
"""Longest continuation of a held-out document."""


class Trainer:
    """A stage of training in progress: the objects that a step changes."""

    def __init__(
        self, model_config: ModelConfig, tokenizer: Tokenizer, config: TrainConfig, report: Report | None = None
    ) -> None:
        """Builds the model, or takes up the run that `config.out` holds.

        Args:
            report: is given every record that goes to `metrics.jsonl`, for live progress.

        """
        self.config, self.tokenizer = config, tokenizer
        self.device = choose_device(config.hardware.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.dtype = choose_dtype(config.hardware.dtype, self.device)
        self.ranks = Ranks.join(config.parallel, self.device)
        self.model = self._build(model_config)
        self.parameters = dict(self.model.named_parameters())
        self.optimizers = make_optimizers(self.model, config.optimizer, config.schedule.lr)
        self.jepa: JepaObjective | None = None
        if config.jepa is not None:
            size = model_config.hidden_size
            self.jepa = JepaObjective(config.jepa, tokenizer, hidden_size=size, seed=config.seed, device=self.device)
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        config.out.mkdir(parents=True, exist_ok=True)
        loader = Loader(config.mixture, vocab_size=model_config.vocab_size, tokenizer=tokenizer.fingerprint)
        self._start(loader)
        self.batches = Prefetch(loader, self.ranks.data.rank, self.ranks.data.size)
        peaks: dict[str, float | None] = {}
        self.journal: Journal | None = None
        if self.ranks.first:
            description = self._describe()
            peaks = {name: description["hardware"][name] for name in ("measured_peak", "datasheet_peak")}
            self.journal = Journal(config.out, config.sinks, description, self.step, report)
            if self.step:
                self._write({"event": "resumed"})
        names = [source.name for source in config.mixture.sources]
        self.meter = StepMeter(names, self.device, **peaks, group=self.ranks.readers, devices=self.ranks.size)
        if config.hardware.compile:
            torch.compiler.reset()  # what an earlier stage has compiled counts against a limit
            self.model.compile_layers(dynamic=not config.mixture.pad_rows)

    def run(self) -> CausalLM:
        """Trains to the end of the stage, or until the process is asked to stop.

        Raises:
            TrainingError: the loss is no number, the disk is full, the data ran out, or the process was asked to stop.
                What was finished is saved, and the same run goes on from it.

        """
        try:
            with self.ranks.watching(), asked_to_stop() as asked:
                while self.step < self.config.steps:
                    self.advance()
                    if self.ranks.gather(len(asked)).any():
                        self.save()
                        by = asked[0] if asked else "a signal to another process"
                        raise TrainingError(f"stopped by {by} after step {self.step}; run the same command to go on")
                self.save()
        finally:
            self.batches.close()
            if self.journal:
                self.journal.close()
        return self.model

    def advance(self) -> None:
        """One optimiser step, and what is due after it."""
        started = time.perf_counter()
        place = self.batches.state()
        lr = self.config.schedule.rate(self.step, self.config.steps)
        with self.meter.step():
            rows = self._next_rows()
            loss = self._accumulate(rows)
            norm = clip_grad_norm(self.parameters.values(), self.config.optimizer.max_grad_norm)
            if not bool(torch.isfinite(norm)):
                self._give_up(place, float(self.ranks.gather(float(loss))[:, :, 0].sum()), float(norm))
            set_learning_rate(self.optimizers, lr)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            self.meter.note(grad_norm=norm, lr=lr)
        self.step += 1
        self.seconds += time.perf_counter() - started
        self._after_step()

    def save(self) -> None:
        """Writes the state and a checkpoint folder."""
        self._save_state(self.batches.state())
        export(self.config.out / "checkpoint", self.model.config, self.parameters, self.tokenizer, self.ranks)

    # -- Starting ---------------------------------------------------------------------------------------

    def _build(self, config: ModelConfig) -> CausalLM:
        hardware = self.config.hardware
        attention = hardware.attention
        if attention == "auto":
            attention = best_backend(self.device, self.dtype, config.head_dim)
        with torch.device("meta"):
            model = CausalLM(config, attention)
        model.recompute = hardware.recompute
        shard(model, self.ranks, dtype=self.dtype, reshard=self.config.parallel.reshard)
        materialise(model, self.device, self.config.seed)
        return model

    def _start(self, loader: Loader) -> None:
        """Goes on from the run's own state, or begins from what `init_from` names."""
        progress = load_progress(self.config.out / "state", self.ranks)
        if progress is not None:
            self._check_identity(progress["identity"])
            loader.restore(progress["loader"])
            load_tensors(self.config.out / "state", self.parameters, self.optimizers, self.ranks)
            self.step, self.tokens, self.seconds = progress["step"], progress["tokens"], progress["seconds"]
        elif self.config.init_from is not None:
            self._begin_from()

    def _begin_from(self) -> None:
        """From a checkpoint's weights; from another run's state also with its moments, as CWM's mid-training."""
        folder = self.config.init_from
        assert folder is not None
        if (folder / STATE).exists():
            load_tensors(folder, self.parameters, self.optimizers, self.ranks)
        else:
            load_weights(folder, self.parameters, self.ranks)

    def _identity(self) -> dict[str, Any]:
        """What must not change between two parts of a run."""
        own = {"stage": self.config.stage, "optimizer": self.config.optimizer.name}
        return own | {f"model.{name}": value for name, value in self.model.config.to_dict().items()}

    def _check_identity(self, found: dict[str, Any]) -> None:
        here = self._identity()
        different = [key for key in here if found.get(key) != here[key]]
        if different:
            told = "; ".join(f"{key} was {found.get(key)!r} and is {here[key]!r}" for key in different[:3])
            what = f"{self.config.out} holds the state of another run: {told}"
            raise CheckpointError(f"{what}; give this run a folder of its own, or delete that one")

    def _describe(self) -> dict[str, Any]:
        config = self.model.config
        shapes = [(self.config.mixture.tokens_per_row, config.hidden_size, config.intermediate_size)]
        return {
            "model": config.to_dict(),
            "train": asdict(self.config),
            "parameters": self.model.num_parameters(),
            "processes": self.ranks.size,
            "hardware": describe(self.device, self.dtype, shapes, known_hardware(self.config.out)),
        }

    # -- A step -----------------------------------------------------------------------------------------

    def _next_rows(self) -> list[Batch]:
        try:
            with self.meter.waiting():
                return next(self.batches)
        except StopIteration:
            self.save()
            message = f"the data ended after step {self.step} of {self.config.steps}"
            raise TrainingError(f"{message}; allow more epochs, add data, or set steps={self.step}") from None

    def _accumulate(self, rows: list[Batch]) -> Tensor:
        """Adds the gradients of the mean loss over all rows; returns that loss, in nats."""
        loss = torch.zeros((), device=self.device)
        viewed = [self.jepa.attach(batch, self.step) if self.jepa else Views(batch) for batch in rows]
        total, pairs = self._totals(rows, viewed)
        for number, (batch, views) in enumerate(zip(rows, viewed, strict=True), 1):
            begin_row(self.model, last=number == len(rows), reshard=self.config.parallel.reshard)
            row = Row.of(views.batch, self.device, self._horizon(batch), self.ranks.context)
            with precision(self.device, self.dtype):
                predicted, hidden = self.model.predict(row.tokens, row.documents, row.where, row.targets, row.weights)
            share = predicted.loss / total
            if self.jepa:
                share = share + self.jepa.loss(hidden, views, pairs)
            share.backward()  # type: ignore[no-untyped-call]
            loss += predicted.loss.detach()
            self.meter.losses.add(predicted.nll, row.weights, row.kinds, row.sources[row.owners], predicted.hits)
            flops = train_flops(self.model.config, views.batch.document_lengths)
            sharing = self.ranks.context.size  # ranks count this row
            self.meter.count(tokens=sum(batch.document_lengths) / sharing, flops=flops / sharing)
        return loss / total

    def _totals(self, rows: list[Batch], viewed: list[Views]) -> tuple[float, int]:
        """Weights of predictions, and pairs of views, of all ranks' rows; a rank with fewer rows gets some of padding."""
        weights, tokens = sum(float(row.weights.sum()) for row in rows), sum(sum(row.document_lengths) for row in rows)
        everyone = self.ranks.gather(len(rows), weights, sum(map(len, viewed)), tokens)[:, 0, 0]
        missing = int(everyone[:, 0].max()) - len(rows)
        padding = read_row([], [], self.config.mixture.tokens_per_row if self.config.mixture.pad_rows else 1)
        rows.extend([padding] * missing)
        viewed.extend([Views(padding)] * missing)
        weights, pairs, tokens = everyone[:, 1:].sum(0).tolist()
        self.tokens += int(tokens)
        return weights, int(pairs)

    def _horizon(self, batch: Batch) -> int | None:
        """What the row's bucket of lengths allows its global layers to see; None: all."""
        if not self.config.horizons:
            return None
        longest, buckets = max(batch.document_lengths), self.config.mixture.buckets
        number = next(i for i, bucket in enumerate(buckets) if longest <= bucket.high)
        return self.config.horizons[number] or None

    def _give_up(self, place: dict[str, Any], loss: float, norm: float) -> None:
        """Ends the run before its weights are spoilt."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self._save_state(place)
        raise TrainingError(
            f"step {self.step + 1}: the loss is {loss}, the norm of its gradient {norm}; weights and place are saved as "
            "they were before this step. Go on with a lower rate (schedule.lr), or from an earlier checkpoint (init_from)"
        )

    def _after_step(self) -> None:
        config = self.config
        if self.step % config.log_every == 0 or self.step == config.steps:
            self._write(self.meter.read() | (self.jepa.read(self.ranks.readers) if self.jepa else {}))
        if config.validation and (self.step % config.validate_every == 0 or self.step == config.steps):
            tokenizer = self.tokenizer.fingerprint
            measured = validate(self.model, config.validation, config.mixture, tokenizer, self.dtype, self.ranks)
            self._write(measured | self._sample(config.validation))
        if self.step % config.save_every == 0:
            self.save()

    def _sample(self, folder: Path) -> dict[str, float]:
        """Lets the model continue some held-out documents on its own, where one process holds all of it."""
        if not self.config.samples or self.journal is None or self.ranks.size > 1:
            return {}
        shard = Shard(shard_files(folder)[0])
        documents = [shard.document(at) for at in range(min(self.config.samples, len(shard)))]
        self.model.eval()
        # the layers are compiled for whole rows; here every length comes once
        with precision(self.device, self.dtype), torch.compiler.set_stance("force_eager"):
            records, shares = predict_samples(greedy(self.model), self.tokenizer, documents, SAMPLE_TOKENS)
        self.model.train()
        self.journal.sample([self._where() | record for record in records])
        return shares

    def _where(self) -> dict[str, Any]:
        return {"step": self.step, "tokens": self.tokens, "seconds": round(self.seconds, 1), "stage": self.config.stage}

    def _write(self, record: dict[str, Any]) -> None:
        if self.journal:
            self.journal.write(self._where() | record)

    def _save_state(self, place: dict[str, Any]) -> None:
        counts = {"step": self.step, "tokens": self.tokens, "seconds": self.seconds}
        progress = {**counts, "loader": place, "identity": self._identity()}
        save_state(self.config.out / "state", self.parameters, self.optimizers, progress, self.ranks)
