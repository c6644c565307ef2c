"""The trainer: one loop for a laptop's CPU and a GPU, resumable to the bit.

    run = TrainConfig(data=Path("shards"), out=Path("runs/tiny"), steps=2000)
    train(model_config, tokenizer, run)        # again with the same folder: goes on where it stopped

The run folder holds `metrics.jsonl` (one object a line, the truth for every plot), `state/` (to resume) and `checkpoint/`
(a loadable checkpoint folder, written whenever the state is).
"""

import ctypes
import json
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from foretrace.data.loader import Batch, Loader, in_order
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import UsageError
from foretrace.model.checkpoint import load_checkpoint, save_checkpoint
from foretrace.model.config import ModelConfig
from foretrace.model.transformer import CausalLM, Documents
from foretrace.train.optimizer import make_optimizers, set_learning_rate
from foretrace.train.schedule import warmup_stable_decay
from foretrace.train.state import load_state, save_state

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run."""

    data: Path
    """Folder of training shards."""
    out: Path
    """Folder of the run."""
    validation: Path | None = None
    """Folder of held-out shards."""
    steps: int = 2000
    tokens_per_batch: int = 8192
    lr: float = 3e-3
    warmup_steps: int = 100
    decay_steps: int = 400
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0
    optimizer: str = "muon"
    seed: int = 0
    device: str = "auto"
    """`auto` takes a CUDA GPU if there is one."""
    dtype: str = "auto"
    """`auto` computes in bfloat16 where the hardware does, else in float32; master weights are float32."""
    compile: bool = False
    """Fuse the layers with torch.compile; pays after some minutes, needs a C++ compiler."""
    log_every: int = 10
    save_every: int = 200
    validate_every: int = 200
    init_from: Path | None = None
    """A checkpoint folder whose weights to start from."""


def train(model_config: ModelConfig, tokenizer: Tokenizer, config: TrainConfig, report: Report | None = None) -> CausalLM:
    """Trains until `config.steps`, resuming from `config.out` if it holds a state.

    Args:
        report: is given every record that goes to `metrics.jsonl`, for live progress.

    """
    run = _Run(model_config, tokenizer, config, report)
    while run.step < config.steps:
        run.advance()
    run.save()
    return run.model


def choose_device(name: str) -> torch.device:
    """The device called `name`; `auto` prefers CUDA.

    Raises:
        UsageError: there is no such device here.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("device=cuda, but torch finds no CUDA GPU here; use device=cpu or device=auto")
    try:
        return torch.device(name)
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


def keep_freed_memory() -> None:
    """Lets glibc keep what a step frees for the next one: giving hundreds of megabytes back and faulting them in again costs
    a tenth of a step on CPU. Does nothing elsewhere.
    """
    trim_threshold, mmap_threshold = -1, -3  # names of mallopt(3)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 32 << 20)  # the most that glibc takes
        libc.mallopt(trim_threshold, (1 << 31) - 1)


class _Run:
    """A run in progress: the objects that a step changes."""

    def __init__(self, model_config: ModelConfig, tokenizer: Tokenizer, config: TrainConfig, report: Report | None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.tokenizer, self.report = config, tokenizer, report
        self.device = choose_device(config.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.dtype = choose_dtype(config.dtype, self.device)
        self.model = CausalLM(model_config).to(self.device)
        if config.init_from is not None:
            weights = load_checkpoint(config.init_from).weights
            self.model.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        self.optimizers = make_optimizers(
            self.model, config.optimizer, lr=config.lr, weight_decay=config.weight_decay, betas=config.betas
        )
        self.loader = Loader(config.data, config.tokens_per_batch, config.seed)
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        config.out.mkdir(parents=True, exist_ok=True)
        progress = load_state(config.out / "state", self.model, self.optimizers, self.device)
        if progress is not None:
            self.step, self.tokens, self.seconds = progress["step"], progress["tokens"], progress["seconds"]
            self.loader.restore(progress["loader"])
        self._cut_metrics()
        if config.compile:
            self.model.compile_layers()
        self._describe(model_config)

    def advance(self) -> None:
        """One optimiser step, and what is due after it."""
        started = time.perf_counter()
        factor = warmup_stable_decay(
            self.step,
            steps=self.config.steps,
            warmup_steps=self.config.warmup_steps,
            decay_steps=self.config.decay_steps,
        )
        set_learning_rate(self.optimizers, self.config.lr * factor)
        batch = next(self.loader)
        loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.tokens += len(batch.tokens)
        loss_value = float(loss.detach())  # waits for the device
        taken = time.perf_counter() - started
        self.seconds += taken
        if self.step % self.config.log_every == 0:
            rate = len(batch.tokens) / taken
            self._log(loss=loss_value, grad_norm=float(norm), lr=self.config.lr * factor, tokens_per_second=rate)
        if self.config.validation and self.step % self.config.validate_every == 0:
            self._log(**self.validate(self.config.validation))
        if self.step % self.config.save_every == 0:
            self.save()

    @torch.no_grad()
    def validate(self, folder: Path) -> dict[str, float]:
        """Loss, token accuracy, and the share of traces with every token right given the true ones before.

        The last is exactly the share of whole traces that greedy decoding gets right.
        """
        self.model.eval()
        loss = right = total = exact = documents = 0.0
        for batch in in_order(folder, self.config.tokens_per_batch):
            logits, targets, owner = self._predictions(batch)
            loss += float(F.cross_entropy(logits, targets, reduction="sum"))
            hits = logits.argmax(-1) == targets
            misses = torch.zeros(len(batch.lengths), device=self.device).index_add_(0, owner, (~hits).float())
            right, total = right + float(hits.sum()), total + len(targets)
            exact, documents = exact + float((misses == 0).sum()), documents + len(batch.lengths)
        self.model.train()
        return {"val_loss": loss / total, "val_token_accuracy": right / total, "val_exact_trace": exact / documents}

    def save(self) -> None:
        """Writes the state and a checkpoint folder."""
        progress = {"step": self.step, "tokens": self.tokens, "seconds": self.seconds, "loader": self.loader.state()}
        save_state(self.config.out / "state", self.model, self.optimizers, progress)
        weights = {name: t.detach().float().cpu().numpy() for name, t in self.model.state_dict().items()}
        save_checkpoint(self.config.out / "checkpoint", self.model.config, weights, self.tokenizer)

    def _predictions(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (M, vocab) float32, targets (M,) and document index (M,) of the M predicted tokens."""
        tokens = torch.from_numpy(batch.tokens).to(self.device)
        where = torch.from_numpy(batch.predicted.nonzero()[0]).to(self.device)
        documents = Documents.of(batch.lengths, self.device)
        owners = torch.repeat_interleave(torch.arange(len(batch.lengths)), torch.tensor(batch.lengths)).to(self.device)
        with self._precision():
            logits = self.model.logits(self.model.hidden(tokens, documents)[where - 1])
        return logits.float(), tokens[where], owners[where]

    def _loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy over the predicted tokens, in nats."""
        logits, targets, _ = self._predictions(batch)
        return F.cross_entropy(logits, targets)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def _log(self, **values: float) -> None:
        record = {"step": self.step, "tokens": self.tokens, "seconds": round(self.seconds, 1), **values}
        with (self.config.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self.report:
            self.report(record)

    def _cut_metrics(self) -> None:
        """Removes records written after the state that this run resumes from: they will be written again."""
        file = self.config.out / "metrics.jsonl"
        if file.exists():
            lines = file.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= self.step]
            file.write_text("".join(line + "\n" for line in kept), encoding="utf-8")

    def _describe(self, model_config: ModelConfig) -> None:
        """Notes in `run.json` what this run is."""
        description = {
            "model": model_config.to_dict(),
            "train": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.config).items()},
            "parameters": self.model.num_parameters(),
            "device": str(self.device),
            "dtype": str(self.dtype),
            "torch": torch.__version__,
        }
        (self.config.out / "run.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
