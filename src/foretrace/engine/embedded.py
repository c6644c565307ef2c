"""The embedded engine: prediction without torch, on any CPU.

The forward pass is a small C kernel, or NumPy where nothing could be compiled: `docs/engine.md` has the measurements behind
that choice. Here is what surrounds it: prompts decoded together, a finished one making room for the next, on every core.
B sequences, T tokens, D hidden_size.

    engine = EmbeddedEngine(load_checkpoint(folder), name="tiny")
"""

import os
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.forward import Array, Forward, Ids
from foretrace.engine.kernel import best_forward
from foretrace.engine.sampling import Sampler
from foretrace.engine.types import Generation, Grammar
from foretrace.errors import UsageError
from foretrace.model.checkpoint import Checkpoint

BATCH = 48
"""Sequences a worker decodes together: as many rows as the kernel keeps in a core's cache."""


class EmbeddedEngine:
    """Greedy and sampled decoding of a checkpoint, without torch."""

    def __init__(self, checkpoint: Checkpoint, name: str, forward: Forward | None = None) -> None:
        self._name, self._tokenizer = name, checkpoint.tokenizer
        self._context_length = checkpoint.config.max_position_embeddings
        self.forward = forward or best_forward(checkpoint.config, checkpoint.weights)
        """How the model is computed."""

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together."""
        return self._context_length

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
    ) -> list[Generation]:
        """Continues every prompt. The result does not depend on which prompts are decoded together, nor on timing.

        Raises:
            UsageError: a prompt is empty.

        """
        if not all(len(p) for p in prompts):
            raise UsageError("cannot continue an empty prompt")
        sampler = Sampler(temperature, top_p, seed)
        work = _Work(prompts, self._context_length, max_tokens, sampler, frozenset(stop), grammars)
        cores = 1 if self.forward.threads_itself else len(os.sched_getaffinity(0))
        workers = min(cores, len(prompts))
        size = min(BATCH, -(-len(prompts) // max(workers, 1)))
        if workers <= 1:
            _Batch(self.forward, work, size).run()
        else:
            with ThreadPoolExecutor(workers) as pool:
                for done in [pool.submit(_Batch(self.forward, work, size).run) for _ in range(workers)]:
                    done.result()
        return work.results

    def predict_next(self, ids: Sequence[int]) -> tuple[Ids, Array]:
        """The likeliest next token (T,) and the log probability (T - 1,) of each actual one."""
        logits = self.logits(ids)
        actual = np.asarray(ids[1:], dtype=np.int64)
        return logits.argmax(-1), log_softmax(logits[:-1])[np.arange(len(actual)), actual]

    def logits(self, ids: Sequence[int]) -> Array:
        """Next-token logits at every position: (T, vocab_size)."""
        cache = self.forward.new_cache(1)
        hidden = self.forward.advance(np.asarray([ids], dtype=np.int64), cache, np.array([0]))
        return self.forward.logits(hidden[0])


class _Work:
    """Prompts that workers take one by one, and what has become of them."""

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        context: int,
        max_tokens: int,
        sampler: Sampler,
        stop: frozenset[int],
        grammars: Sequence[Grammar] | None,
    ) -> None:
        self.prompts, self.max_tokens, self.sampler, self.stop = prompts, max_tokens, sampler, stop
        self.grammars = grammars
        self.room = [context - len(p) for p in prompts]
        self.results = [Generation([], [], "length" if room > 0 else "context") for room in self.room]
        able = [i for i, room in enumerate(self.room) if room > 0 and max_tokens > 0]
        self.waiting = deque(sorted(able, key=lambda i: -len(prompts[i])))
        """Numbers of prompts; long ones first, so that the last to finish is not one that began late."""

    def choose(self, logits: Array, numbers: Sequence[int]) -> Ids:
        """The next token (B,) of the sequences `numbers`, of those that their grammars allow. logits: (B, vocab_size)."""
        if self.grammars is not None:
            allowed = np.stack([self.grammars[number].allowed() for number in numbers])
            logits = np.where(allowed, logits, -np.inf)
        tokens = self.sampler.choose(logits, numbers, [len(self.results[number].tokens) for number in numbers])
        if self.grammars is not None:
            for number, token in zip(numbers, tokens.tolist(), strict=True):
                self.grammars[number].advance(token)
        return tokens

    def add(self, number: int, token: int, logprob: float) -> bool:
        """Appends a token to a continuation; whether that ends it."""
        result = self.results[number]
        result.tokens.append(token)
        result.logprobs.append(logprob)
        count = len(result.tokens)
        if token in self.stop:
            finish = "stop"
        elif count >= self.max_tokens:
            finish = "length"
        elif count >= self.room[number]:
            finish = "context"
        else:
            return False
        self.results[number] = Generation(result.tokens, result.logprobs, finish)
        return True


class _Batch:
    """One worker. Every slot of its cache holds one sequence; a finished one makes room."""

    def __init__(self, forward: Forward, work: _Work, size: int) -> None:
        self.forward, self.work = forward, work
        self.cache = forward.new_cache(size)
        self.free = list(range(size))
        self.active: dict[int, int] = {}
        """Slot to number of the prompt."""

    def run(self) -> None:
        """Works until no prompt is waiting and none is unfinished."""
        while True:
            while self.free and (number := self._next()) is not None:
                self._start(number)
            if not self.active:
                return
            self._step()

    def _next(self) -> int | None:
        try:
            return self.work.waiting.popleft()
        except IndexError:
            return None

    def _start(self, number: int) -> None:
        slot = self.free.pop()
        self.cache.lengths[slot] = 0
        self.active[slot] = number
        self._advance(np.array([slot]), np.asarray([self.work.prompts[number]], dtype=np.int64))

    def _step(self) -> None:
        rows = np.array(list(self.active))
        last = [self.work.results[number].tokens[-1] for number in self.active.values()]
        self._advance(rows, np.array(last, dtype=np.int64)[:, None])

    def _advance(self, slots: Ids, ids: Ids) -> None:
        """Feeds ids (B, T) to the slots (B,), chooses the next token of each, and retires the sequences that end."""
        logits = self.forward.logits(self.forward.advance(ids, self.cache, slots)[:, -1])
        numbers = [self.active[slot] for slot in slots.tolist()]
        tokens = self.work.choose(logits, numbers)
        logprobs = log_softmax(logits)[np.arange(len(tokens)), tokens]
        for slot, number, token, logprob in zip(slots.tolist(), numbers, tokens.tolist(), logprobs.tolist(), strict=True):
            if self.work.add(number, token, logprob):
                del self.active[slot]
                self.free.append(slot)


def log_softmax(logits: Array) -> Array:
    """Log probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result
