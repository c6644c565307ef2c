"""The engine of one request that predicts frames: what it asks for is decoded in the batches that all requests share.

So whatever works with an engine, such as `TokenPredictor`, works on the server as it does elsewhere, in a thread of its own,
and joins the batches frame by frame. Once cancelled it answers nothing more.

    engine = BatchedEngine(embedded, batcher)
    for step in TokenPredictor(engine).steps(prompt, prompt.frames, budget=4096): ...
    engine.cancel()             # from another thread
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Drafter, Generation, Grammar
from foretrace.engine.decoding import Decoding, decodings
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.sampling import Sampler
from foretrace.engine.types import check_prompts
from foretrace.serve.batching import Batcher, Cancelled, Job

_GREEDY = Sampler(0.0, 1.0, 0)


class BatchedEngine:
    """An `Engine`. Its caller waits for each answer; nobody else does."""

    def __init__(self, engine: EmbeddedEngine, batcher: Batcher) -> None:
        self._engine, self._batcher = engine, batcher
        self._jobs: list[Job] = []
        self._cancelled = self._begun = False
        self._last: Decoding | None = None
        """The sequence that was continued last, with its cache."""

    @property
    def name(self) -> str:
        """What the user called the engine."""
        return self._engine.name

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together."""
        return self._engine.context_length

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._engine.tokenizer

    def cancel(self) -> None:
        """Takes back what is being decoded; whoever waits for it, or asks for more, gets Cancelled."""
        self._cancelled = True
        self._batcher.cancel(self._jobs)

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
        """See `EmbeddedEngine.generate`.

        Raises:
            UsageError: a prompt is empty.
            Cancelled: somebody called `cancel`, or the server is being stopped.
            Problem: too many are waiting; only of the first question, for an answer that has begun is finished.

        """
        check_prompts(prompts)
        sequences = decodings(
            prompts,
            max_tokens=max_tokens,
            context=self.context_length,
            sampler=Sampler(temperature, top_p, seed),
            stop=stop,
            grammars=grammars,
            drafters=drafters,
        )
        if len(sequences) == 1:
            self._go_on(sequences[0])
        return [sequence.generation() for sequence in self._run(sequences)]

    def predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The likeliest next token (T,) and the log probability (T - 1,) of each actual one; errors as for `generate`."""
        sequence = self._next(ids, prompt_top=1)
        best = [scores[-1].token for scores in sequence.prompt_scores]
        actual = [scores[0].logprob for scores in sequence.prompt_scores]
        return np.array([*best, sequence.ids[-1]], dtype=np.int64), np.array(actual, dtype=np.float32)

    def top_next(self, ids: Sequence[int], count: int) -> list[tuple[int, float]]:
        """The `count` likeliest next tokens after `ids`, with their log probabilities; errors as for `generate`."""
        [top] = self._next(ids, top=count).tops
        return top

    def _go_on(self, sequence: Decoding) -> None:
        """Has a sequence begin with the cache of the one before if it goes on where that ended, as frame after frame does.

        Were caches given back between frames, those of many traces would drive each other out.
        """
        last, self._last = self._last, sequence
        sequence.keeps_cache = True
        if last is not None and sequence.ids[: len(last.ids)] == last.ids:
            sequence.cache, last.cache = last.cache, None

    def _next(self, ids: Sequence[int], *, top: int = 0, prompt_top: int | None = None) -> Decoding:
        """`ids` and the token after them, which may be one more than the context holds: it is not fed."""
        check_prompts([ids], self.context_length)
        sequence = Decoding(
            0,
            ids,
            max_tokens=1,
            context=self.context_length + 1,
            sampler=_GREEDY,
            stop=frozenset(),
            top=top,
            prompt_top=prompt_top,
        )
        return self._run([sequence])[0]

    def _run(self, sequences: Sequence[Decoding]) -> list[Decoding]:
        self._jobs = [Job(sequence) for sequence in sequences]
        if self._cancelled:
            raise Cancelled
        self._batcher.submit(self._jobs, begun=self._begun)
        self._begun = True
        if self._cancelled:  # since it was last looked at: `cancel` may have come before the jobs were in line
            self._batcher.cancel(self._jobs)
        return [job.done.result() for job in self._jobs]
