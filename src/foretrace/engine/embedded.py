"""The embedded engine: prediction without torch, on any CPU.

The forward pass is a small C kernel, or NumPy where nothing could be compiled: `docs/engine.md` has the measurements behind
that choice. Here is what surrounds it: prompts decoded together, a finished one making room for the next, on every core; of
drafts, what would have been chosen anyway; and what was computed lately, for prompts that begin alike.

    engine = EmbeddedEngine(load_checkpoint(folder), name="tiny")
    engine.generate([ids], max_tokens=200, stop=[end], drafters=[TraceDrafter(engine.tokenizer, prompt)])
"""

import os
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.batch import Batch
from foretrace.engine.decoding import Decoding, decodings
from foretrace.engine.forward import Array, Forward, Ids
from foretrace.engine.kernel import best_forward
from foretrace.engine.recent import RecentCaches
from foretrace.engine.sampling import Sampler, log_softmax
from foretrace.engine.types import Drafter, Generation, Grammar, check_prompts
from foretrace.model.checkpoint import Checkpoint, Weights
from foretrace.model.config import ModelConfig

BATCH = 48
"""Sequences a worker decodes together: as many rows as the kernel keeps in a core's cache."""


class EmbeddedEngine:
    """Greedy and sampled decoding of a checkpoint, without torch. Any number of threads may use it at the same time."""

    def __init__(self, checkpoint: Checkpoint, name: str, forward: Forward | None = None) -> None:
        self._name, self._tokenizer, self._config = name, checkpoint.tokenizer, checkpoint.config
        self._context_length = checkpoint.config.max_position_embeddings
        self.forward = forward or best_forward(checkpoint.config, checkpoint.weights)
        """How the model is computed."""
        self._recent = RecentCaches(self.forward.new_cache)

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together."""
        return self._context_length

    @property
    def config(self) -> ModelConfig:
        """The model's shape."""
        return self._config

    @property
    def tokenizer(self) -> Tokenizer:
        """The checkpoint's tokenizer."""
        return self._tokenizer

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Collection[int] = (),
        grammars: Sequence[Grammar] | None = None,
        drafters: Sequence[Drafter] | None = None,
    ) -> list[Generation]:
        """Continues every prompt.

        With the C kernel the result depends, to the last bit, neither on drafters nor on what is decoded together or was
        decoded before. NumPy's sums depend on shapes: there nothing is drafted or kept, and ties may fall otherwise.

        Raises:
            UsageError: a prompt is empty.

        """
        check_prompts(prompts)
        sequences = decodings(
            prompts,
            max_tokens=max_tokens,
            context=self._context_length,
            sampler=Sampler(temperature, top_p, seed),
            stop=stop,
            grammars=grammars,
            drafters=drafters,
        )
        self._decode([sequence for sequence in sequences if not sequence.finish])
        return [sequence.generation() for sequence in sequences]

    def predict_next(self, ids: Sequence[int]) -> tuple[Ids, Array]:
        """The likeliest next token (T,) and the log probability (T - 1,) of each actual one."""
        logits = self.logits(ids)
        actual = np.asarray(ids[1:], dtype=np.int64)
        return logits.argmax(-1), log_softmax(logits[:-1])[np.arange(len(actual)), actual]

    def top_next(self, ids: Sequence[int], count: int) -> list[tuple[int, float]]:
        """The `count` likeliest next tokens after `ids`, with their log probabilities, likeliest first.

        Raises:
            UsageError: there are no ids, or more than the context holds.

        """
        check_prompts([ids], self.context_length)
        cache = self._recent.take(ids) if self.forward.exact else self.forward.new_cache()
        hidden = self.forward.advance([ids[cache.length :]], [cache])
        if self.forward.exact:
            self._recent.give(ids, cache)
        [logprobs] = log_softmax(self.forward.logits(hidden[-1:]))
        best = np.argsort(-logprobs, kind="stable")[:count]
        return list(zip(best.tolist(), logprobs[best].tolist(), strict=True))

    def new_batch(self) -> Batch:
        """For a caller that decodes step by step: a batch of its own, which shares what was computed lately."""
        return Batch(self.forward, self._recent)

    def take(self, weights: Weights) -> None:
        """Goes on with other weights of the same model; batches do once they are given to `refresh`."""
        self.forward = best_forward(self._config, weights)
        self._recent = RecentCaches(self.forward.new_cache)

    def refresh(self, batch: Batch) -> None:
        """Has a batch go on with the weights that the engine has now; by the thread that decodes it."""
        batch.replace(self.forward, self._recent)

    def logits(self, ids: Sequence[int]) -> Array:
        """Next-token logits at every position: (T, vocab_size)."""
        return self.forward.logits(self.forward.advance([ids], [self.forward.new_cache()]))

    def _decode(self, sequences: list[Decoding]) -> None:
        """Continues them until all have ended, on every core."""
        waiting = deque(sorted(sequences, key=lambda sequence: -len(sequence.ids)))  # that none of the last begins late
        cores = 1 if self.forward.threads_itself else len(os.sched_getaffinity(0))
        workers = min(cores, len(sequences))
        if workers <= 1:
            self._work(waiting, BATCH)
            return
        with ThreadPoolExecutor(workers) as pool:
            size = min(BATCH, -(-len(sequences) // workers))
            for done in [pool.submit(self._work, waiting, size) for _ in range(workers)]:
                done.result()

    def _work(self, waiting: deque[Decoding], size: int) -> None:
        """Decodes `size` sequences together, until none is waiting and none is unfinished."""
        batch = self.new_batch()
        while True:
            while len(batch) < size and (sequence := _next(waiting)) is not None:
                batch.join(sequence)
            if not len(batch):
                return
            batch.step()


def _next(waiting: deque[Decoding]) -> Decoding | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None
