"""One choice of a completion: a sequence that is being written, and what is told of it, in pieces or as a whole.

choice = Choice(0, asked, ids, tokenizer, context=4096)
batcher.submit([choice.job])
choice.take()               # by the thread that decodes, after each pass: how far everything has come
choice.piece(progress)      # by the one that answers: a dict of what is new
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.decoding import Decoding, ScoredToken
from foretrace.engine.sampling import Sampler
from foretrace.serve.batching import Job
from foretrace.serve.completion_request import CompletionRequest
from foretrace.serve.text import TextWriter, shown_token

_LEAST = -9999.0
"""What JSON is given for the log probability of what is impossible, as by vLLM."""
_SEEDS = 1 << 64


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a choice has come."""

    tokens: int
    text: str
    """New since the last progress."""
    finish: str
    """Why it ended; empty while it goes on."""

    def then(self, later: "Progress") -> "Progress":
        """Both in one."""
        return Progress(later.tokens, self.text + later.text, later.finish)


class Choice:
    """One sequence of a request."""

    def __init__(self, index: int, asked: CompletionRequest, prompt: list[int], tokenizer: Tokenizer, context: int) -> None:
        self.index, self.prompt = index, prompt
        self._asked, self._tokenizer = asked, tokenizer
        self._writer = TextWriter(
            tokenizer,
            stops=asked.stop,
            silent=asked.stop_token_ids,
            skip_special=asked.skip_special_tokens,
            include_stop=asked.include_stop,
        )
        needs_pass = asked.max_tokens > 0 or asked.scores_prompt is not None
        self.sequence = Decoding(
            0,
            prompt,
            # The logits that score a prompt come with a token after it, which nobody may have asked for.
            max_tokens=max(1, asked.max_tokens) if needs_pass else 0,
            context=context,
            sampler=Sampler(asked.temperature, asked.top_p, (asked.seed + index) % _SEEDS),
            stop=asked.stop_token_ids,
            ends=self._writer.add,
            top=asked.logprobs or 0,
            prompt_top=asked.scores_prompt,
        )
        self.job = Job(self.sequence)
        self._told = 0
        """Tokens that pieces had so far."""
        self._offset = 0
        """Characters that they had."""

    @property
    def tokens(self) -> list[int]:
        """Those written so far, as far as they were asked for."""
        return self.sequence.ids[len(self.prompt) :][: self._asked.max_tokens]

    def when_written(self, tell: Callable[[Progress], None]) -> None:
        """Has the thread that decodes call `tell` after each pass."""
        self.job.on_tokens = lambda: tell(self.take())

    def take(self) -> Progress:
        """How far it has come; once the sequence has ended, all of it."""
        finish = self.sequence.finish
        if finish:
            self._writer.finish()
        if not self._asked.max_tokens:  # a token was written, but only to score the prompt
            return Progress(0, "", finish and "length")
        return Progress(len(self.sequence.logprobs), self._writer.take(), finish)

    def piece(self, progress: Progress) -> dict[str, Any]:
        """What is new since the last piece, in the form of an answer's choice."""
        asked, first = self._asked, self._told
        is_first = first == 0 and self._offset == 0
        count = min(progress.tokens, asked.max_tokens)
        told: dict[str, Any] = {"index": self.index, "text": progress.text, "logprobs": None}
        if asked.echo and is_first:
            told["text"] = self._prompt_text() + progress.text
        if asked.logprobs is not None:
            told["logprobs"] = self._logprobs(first, count, with_prompt=asked.echo and is_first)
        told["finish_reason"] = _reason(progress.finish)
        told["stop_reason"] = self._stop_reason() if progress.finish == "stop" else None
        if asked.prompt_logprobs is not None:
            told["prompt_logprobs"] = self._prompt_logprobs()
        if asked.return_token_ids:
            told["prompt_token_ids"] = self.prompt if is_first or not asked.stream else None
            told["token_ids"] = self.tokens[first:count]
        self._told, self._offset = count, self._offset + len(told["text"])
        return told

    def _stop_reason(self) -> int | str | None:
        """What it stopped at: the stop text, or the token; None for the end of a text, as by vLLM."""
        if self._writer.stopped is not None:
            return self._writer.stopped
        last = self.sequence.ids[-1]
        return None if last == self._asked.end else last

    def _prompt_text(self) -> str:
        writer = TextWriter(self._tokenizer, skip_special=self._asked.skip_special_tokens)
        for token in self.prompt:
            writer.add(token)
        writer.finish()
        return writer.take()

    def _logprobs(self, first: int, last: int, *, with_prompt: bool) -> dict[str, Any]:
        """OpenAI's four lists, of the tokens with these numbers and, before them, of the prompt."""
        sequence, k = self.sequence, self._asked.logprobs or 0
        tokens, values, tops = self.tokens[first:last], sequence.logprobs[first:last], sequence.tops[first:last]
        if not k:
            tops = [[] for _ in tokens]
        rows: list[tuple[int, float | None, Sequence[tuple[int, float]]]] = list(zip(tokens, values, tops, strict=True))
        if with_prompt:
            scored = [(s[0].token, s[0].logprob, _top(s, k)) for s in sequence.prompt_scores]
            rows = [(self.prompt[0], None, []), *scored, *rows]
        names = [self._shown(token) for token, _, _ in rows]
        offsets, at = [], self._offset
        for token, _, _ in rows:
            offsets.append(at)
            at += len(shown_token(self._tokenizer, token, as_id=False))
        top_logprobs = [None if logprob is None else self._dict([*top, (token, logprob)]) for token, logprob, top in rows]
        return {
            "tokens": names,
            "token_logprobs": [None if logprob is None else max(logprob, _LEAST) for _, logprob, _ in rows],
            "top_logprobs": top_logprobs,
            "text_offset": offsets,
        }

    def _dict(self, pairs: Sequence[tuple[int, float]]) -> dict[str, float]:
        return {self._shown(token): max(logprob, _LEAST) for token, logprob in pairs}

    def _prompt_logprobs(self) -> list[dict[str, Any] | None]:
        """vLLM's: nothing of the first token, then of each one and of the likeliest ones: log probability, rank, text."""
        found: list[dict[str, Any] | None] = [None]
        for scores in self.sequence.prompt_scores:
            own, *others = scores
            kept = [own, *(s for s in others if s.rank <= (self._asked.prompt_logprobs or 0))]
            found.append({str(s.token): self._scored(s) for s in kept})
        return found

    def _scored(self, score: ScoredToken) -> dict[str, Any]:
        text = shown_token(self._tokenizer, score.token, as_id=False)
        return {"logprob": max(score.logprob, _LEAST), "rank": score.rank, "decoded_token": text}

    def _shown(self, token: int) -> str:
        return shown_token(self._tokenizer, token, as_id=self._asked.tokens_as_ids)


def _top(scores: Sequence[ScoredToken], count: int) -> list[tuple[int, float]]:
    return [(score.token, score.logprob) for score in scores if score.rank <= count]


def _reason(finish: str) -> str | None:
    """OpenAI's name for why a sequence ended; it knows no full context."""
    return {"": None, "context": "length"}.get(finish, finish)
