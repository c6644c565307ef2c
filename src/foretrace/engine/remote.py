"""An engine on a server: any OpenAI-compatible `/v1/completions` that takes and gives token ids and log-probabilities.

    engine = RemoteEngine.connect("http://localhost:8000/v1", tokenizer="cwm")

vLLM does all of it, `foretrace serve` too. SGLang does, but for scoring given traces. Prompts keep their beginning byte for
byte from frame to frame, which is what a server's prefix cache needs. The key, if one is needed, is `$OPENAI_API_KEY`.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from math import expm1, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.endpoint import Endpoint
from foretrace.endpoint.retries import Retries
from foretrace.endpoint.tokens import TOKEN_FIELDS, TokenCompletion, read_tokens
from foretrace.engine.load import find_folder, packaged_checkpoints
from foretrace.engine.types import Drafter, Generation, Grammar, check_prompts
from foretrace.errors import EndpointError, UsageError

_RETRIES = Retries(most=2)
"""A person waits: a server that is not there should soon be said not to be."""


class RemoteEngine:
    """Continues and scores token sequences by asking a server. Threads may share one."""

    def __init__(self, endpoint: Endpoint, tokenizer: Tokenizer, context_length: int) -> None:
        """`endpoint.model` has this tokenizer; the server takes `context_length` tokens and one more."""
        self._endpoint, self._tokenizer, self._context_length = endpoint, tokenizer, context_length

    @classmethod
    def connect(
        cls, url: str, *, model: str | None = None, tokenizer: str | None = None, context: str | None = None
    ) -> "RemoteEngine":
        """Asks the server what it has.

        Args:
            url: up to and including the version: `http://localhost:8000/v1`.
            model: one that it serves; None: its first.
            tokenizer: what has the model's tokenizer: a folder, the name of a packaged checkpoint, or `org/name` from
                Hugging Face's cache; None: the model is one of the packaged ones.
            context: how many tokens it takes, for servers that do not say so (`max_model_len`).

        Raises:
            UsageError: there is no such model or tokenizer, or something must be said that was not.
            EndpointError: the server cannot be reached, or does not say what it serves.

        """
        endpoint = Endpoint(url, model=model or "", chat=False, retries=_RETRIES)
        served = _served(url, endpoint.get("/models"))
        endpoint.model = model or next(iter(served))
        if endpoint.model not in served:
            raise UsageError(f"{url} has no model {endpoint.model!r}; it serves: {', '.join(served)}")
        length = context or str(served[endpoint.model])
        if not length.isdecimal():
            raise UsageError(f"{url} does not say how many tokens it takes; say it: --model {url},context=32768")
        folder = find_folder(tokenizer) if tokenizer else packaged_checkpoints().get(endpoint.model)
        if folder is None:
            missing = tokenizer or f"of {endpoint.model!r}, which {url} serves"
            raise UsageError(f"there is no tokenizer {missing}; name the folder that has it: --model {url},tokenizer=FOLDER")
        return cls(endpoint, Tokenizer.load(folder), int(length) - 1)

    @property
    def name(self) -> str:
        """The server's address."""
        return self._endpoint.url

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together; one less than the server's, since scoring has it write one."""
        return self._context_length

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, here."""
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
        """Continues every prompt, several at a time. Drafts are not used: a server has its own.

        Raises:
            UsageError: a prompt is empty, or there is a grammar.
            EndpointError: the server cannot be reached, or answers something else than was asked for.

        """
        check_prompts(prompts)
        if grammars is not None:
            raise UsageError(f"{self.name} cannot decode under the grammar of traces; leave it out, or load the model here")
        settings = {"temperature": temperature, "top_p": top_p, "logprobs": 2, "stop_token_ids": sorted(stop)}

        def one(number: int) -> Generation:
            room = self._context_length - len(prompts[number])
            if min(room, max_tokens) <= 0:
                return Generation([], [], "length" if room > 0 else "context")
            limits = {"max_tokens": min(room, max_tokens), "seed": seed + number}
            completion = self._ask(prompts[number], **settings, **limits)
            return self._generation(completion, room)

        with ThreadPoolExecutor(max(1, min(len(prompts), self._endpoint.concurrency))) as pool:
            return list(pool.map(one, range(len(prompts))))

    def predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The likeliest next token (T,) and the log probability (T - 1,) of each actual one, as the server has them.

        Raises:
            EndpointError: it gives none.

        """
        completion = self._ask(ids, max_tokens=1, temperature=0.0, logprobs=1, prompt_logprobs=1)
        if completion.prompt is None:
            raise EndpointError(
                f"{self.name} predicts, but does not score\n  the reply has no prompt_logprobs. Try vLLM, or foretrace serve"
            )
        pairs = list(zip(ids[1:], completion.prompt, strict=False))
        if len(completion.prompt) != len(ids) - 1 or not all(token in some for token, some in pairs):
            raise EndpointError(f"{self.name} scored another text than it was sent; is tokenizer= another model's?")
        best = [max(some, key=some.__getitem__) for some in completion.prompt]
        actual = [some[token] for token, some in pairs]
        return np.array([*best, *completion.tokens[:1]], dtype=np.int64), np.array(actual, dtype=np.float32)

    def top_next(self, ids: Sequence[int], count: int) -> list[tuple[int, float]]:
        """The likeliest next tokens and their log probabilities, at most `count`.

        Raises:
            UsageError: there are no ids, or more than the context holds.
            EndpointError: the server cannot be reached, or answers something else than was asked for.

        """
        check_prompts([ids], self.context_length)
        [top] = self._ask(ids, max_tokens=1, temperature=0.0, logprobs=count).top
        known = [(self._id_of(token), logprob) for token, logprob in top.items()]
        return sorted(((i, logprob) for i, logprob in known if i is not None), key=lambda item: -item[1])[:count]

    def _ask(self, prompt: Sequence[int], **settings: Any) -> TokenCompletion:
        body = {"model": self._endpoint.model, "prompt": list(map(int, prompt)), **TOKEN_FIELDS, **settings}
        answer = self._endpoint.post("/completions", body)
        try:
            completion = read_tokens(answer)
        except EndpointError as error:
            raise EndpointError(f"{self.name} {error}") from error
        if not completion.tokens:
            raise EndpointError(f"{self.name} wrote no token and gives as its reason {completion.finish_reason!r}")
        return completion

    def _generation(self, completion: TokenCompletion, room: int) -> Generation:
        tokens, finish = completion.tokens, completion.finish_reason
        if finish == "length" and len(tokens) >= room:
            finish = "context"
        if finish not in ("stop", "length", "context"):
            raise EndpointError(f"{self.name} broke off after {len(tokens)} tokens and gives as its reason {finish!r}")
        if not all(0 <= token < self._tokenizer.vocab_size for token in tokens):
            raise EndpointError(f"{self.name} wrote a token that its tokenizer lacks; is tokenizer= another model's?")
        margins = [_margin(*pair) for pair in zip(completion.logprobs, completion.top, strict=True)]
        return Generation(tokens, completion.logprobs, finish, margins)

    def _id_of(self, token: int | str) -> int | None:
        return token if isinstance(token, int) else self._ids.get(token)

    @cached_property
    def _ids(self) -> dict[str, int]:
        """Ids by text, for servers that name tokens so (SGLang)."""
        tokenizer = self._tokenizer
        ids = {tokenizer.spelling(i).decode("utf-8", "replace"): i for i in range(tokenizer.vocab_size)}
        return ids | {token.value: i for token, i in tokenizer.specials.items()}


def _served(url: str, answer: Any) -> dict[str, Any]:
    """The models that a server lists, with how many tokens they take, if it says so."""
    try:
        served = {str(model["id"]): model.get("max_model_len") for model in answer["data"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise EndpointError(
            f"{url} lists no models; is it an OpenAI-compatible server, and the address up to /v1?"
        ) from error
    if not served:
        raise EndpointError(f"{url} serves no model")
    return served


def _margin(logprob: float, top: dict[int | str, float]) -> float:
    """How much likelier a token was than the best other one; if the server names no other, than all others together."""
    others = sorted(top.values())
    if logprob in others:
        others.remove(logprob)
    return logprob - (others[-1] if others else log(-expm1(min(logprob, -1e-9))))
