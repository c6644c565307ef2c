"""An engine that has seen the future: it continues with the true trace, or with a damaged one. For tests."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Drafter, Generation, Grammar
from foretrace.trace import Segment, Token, Trace, to_segments


class ReplayEngine:
    """Knows the wire documents of some traces; continues a prompt with the rest of the document that starts with it."""

    name = "replay"

    def __init__(self, traces: Sequence[Trace], damage: dict[str, str] | None = None, context_length: int = 100_000) -> None:
        self.tokenizer = Tokenizer.train([], vocab_size=800)
        self.context_length = context_length
        self._damage = damage or {}
        self._true = [self.tokenizer.encode(to_segments(t)) for t in traces]
        self._told = [self.tokenizer.encode([self._changed(s) for s in to_segments(t)]) for t in traces]

    def _changed(self, segment: Segment) -> Segment:
        if isinstance(segment, Token):
            return segment
        for old, new in self._damage.items():
            segment = segment.replace(old, new)
        return segment

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
        return [self._continue(list(p), max_tokens) for p in prompts]

    def _continue(self, prompt: list[int], max_tokens: int) -> Generation:
        [number] = [i for i, ids in enumerate(self._true) if ids[: len(prompt)] == prompt]
        rest = self._told[number][len(prompt) :]
        finish = "length" if len(rest) > max_tokens else "stop"
        kept = rest[:max_tokens]
        return Generation(kept, [0.0] * len(kept), finish)

    def predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        known = next(told for true, told in zip(self._true, self._told, strict=True) if true[: len(ids)] == list(ids))
        best = np.array([*known[1 : len(ids)], 0])
        return best, np.zeros(len(ids) - 1, dtype=np.float32)
