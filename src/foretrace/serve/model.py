"""The model that a server serves, with all that answering about it needs.

served = ServedModel.load("tiny", Limits())
served.name, served.context, served.batcher
served.close()
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from foretrace.data.tokenizer import Tokenizer
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.load import folder_of, load
from foretrace.errors import UsageError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.serve.batched_engine import BatchedEngine
from foretrace.serve.batching import Batcher
from foretrace.serve.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the server takes on."""

    places: int = 8
    """Sequences that one core decodes together. Of many more, keys and values do not stay in its cache (`docs/serve.md`)."""
    queue: int = 256
    """Sequences that may wait beside those."""
    seconds: float = 300.0
    """Time for one answer."""
    traces: int = 64
    """Predictions of traces at a time, each of which has a thread; who finds none free is told to come back."""
    threads: int | None = None
    """Cores that decode; None: all."""
    reload: bool = False
    """Whether clients may have the weights read again, from the same folder."""


class ServedModel:
    """A model in memory, its batches, and its numbers."""

    def __init__(self, engine: EmbeddedEngine, name: str, confidence: Confidence, limits: Limits) -> None:
        self.engine, self.name, self.limits = engine, name, limits
        self.metrics = Metrics()
        self.batcher = Batcher(
            engine.new_batch, places=limits.places, queue=limits.queue, threads=limits.threads, watch=self.metrics
        )
        self.created = int(time.time())
        self.reloads = 0
        """How often weights were read again."""
        self._reloading = threading.Lock()
        self._calibration = confidence.calibration

    @classmethod
    def load(cls, model: str, limits: Limits, name: str | None = None) -> "ServedModel":
        """The model called `model`, as `engine.load` has it, under `name` (else the last part of what it is called).

        Raises:
            UsageError: there is no such model, or it is not one that is computed here without torch.
            CheckpointError: its folder is incomplete or damaged.

        """
        if model.startswith(("torch:", "http://", "https://")):
            raise UsageError(
                f"foretrace serve computes with the embedded engine, and {model!r} asks for another one; name a checkpoint\n"
                "  folder. To serve a large model to many, use vLLM: every foretrace command takes --model http://HOST:PORT/v1"
            )
        engine = load(model)
        assert isinstance(engine, EmbeddedEngine)
        return cls(engine, name or Path(model).resolve().name, confidence_of(model), limits)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self.engine.tokenizer

    @property
    def context(self) -> int:
        """Tokens of prompt and continuation together."""
        return self.engine.context_length

    def batched_engine(self) -> BatchedEngine:
        """An engine for one request."""
        return BatchedEngine(self.engine, self.batcher)

    def confidence(self) -> Confidence:
        """How sure it is of what it predicts, for one request."""
        return Confidence(self._calibration)

    def reload(self) -> int:
        """Reads the weights again from the folder that it began with; how often that was done.

        What is being written goes on with them, and keeps the keys and values that the old ones gave.

        Raises:
            UsageError: the folder now has another model.
            CheckpointError: it is incomplete or damaged.

        """
        with self._reloading:
            folder = folder_of(self.engine.name)
            assert folder is not None, "what is served was read from a folder"
            found = load_checkpoint(folder)
            if found.config != self.engine.config:
                raise UsageError(f"{folder} now has another model than the one that is served; start the server again")
            self.engine.take(found.weights)
            self.batcher.refresh(self.engine.refresh)
            self.reloads += 1
            return self.reloads

    def close(self) -> None:
        """Cancels what is being decoded, and ends."""
        self.batcher.close()
