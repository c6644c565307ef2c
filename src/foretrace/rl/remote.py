"""A policy on a server: `foretrace serve --reload FOLDER`, or vLLM. Token ids go out and in, with log probabilities.

    endpoint = Endpoint("http://localhost:8000/v1", model="rl", chat=False, concurrency=64)
    policy = EndpointPolicy(endpoint, Handover(folder, config, tokenizer, OURS), context=4096)

An action is asked for in pieces, each marked with the version of the weights at which it was asked for, so that what is
learnt of staleness is known to the piece. A server that keeps the beginnings of prompts computes nothing twice for that,
and an action begins with none that older weights have computed.
New weights are written as a checkpoint folder that the server reads again when it is told to: both see the same disk.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foretrace.data.tokenizer import Tokenizer
from foretrace.endpoint import Endpoint
from foretrace.endpoint.tokens import TOKEN_FIELDS, TokenCompletion, read_tokens
from foretrace.errors import EndpointError
from foretrace.model.checkpoint import Weights, save_checkpoint
from foretrace.model.config import ModelConfig
from foretrace.rl.policies import Draw, Writing

_WAIT = 0.05
"""Seconds after which a collector looks at its environments, though no piece has come."""
_SEEDS = 1 << 31
_AS_THEY_ARE = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "ignore_eos": True}
"""Draws from the model's own probabilities; what is not named, vLLM takes from the folder's `generation_config.json`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that a server is sent, as JSON."""

    path: str
    """After the address; `/..` leads out of its `/v1`, where some servers keep such things."""
    body: Mapping[str, Any]


OURS = (Call("/weights/reload", {}),)
"""`foretrace serve --reload`."""


def vllm(folder: Path) -> tuple[Call, ...]:
    """vLLM, started with `VLLM_SERVER_DEV_MODE=1`: requests are held while it reads the weights of `folder`.

    It needs `--skip-tokenizer-init` where the tokenizer is not one of Hugging Face's: all that is asked for are ids. On
    processors vLLM 0.32 also needs `--no-enable-chunked-prefill`, and a model whose embeddings are tied keeps its old head.
    """
    weights = {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}
    return Call("/../pause?mode=keep&clear_cache=false", {}), Call("/../collective_rpc", weights), Call("/../resume", {})


@dataclass(frozen=True, slots=True)
class Handover:
    """How weights get to a server."""

    folder: Path
    config: ModelConfig
    tokenizer: Tokenizer
    calls: Sequence[Call] = OURS
    """Made once the folder is written."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of what is written. The server's log probabilities are those of these weights."""

    def __call__(self, endpoint: Endpoint, weights: Weights) -> None:
        """Hands weights over; returns when the server has them.

        Raises:
            EndpointError: it does not take them.

        """
        save_checkpoint(self.folder, self.config, weights, self.tokenizer, dtype=self.dtype)
        for call in self.calls:
            endpoint.post(call.path, call.body)


@dataclass(slots=True, eq=False)
class _Asking:
    """An action in progress."""

    writing: Writing
    ids: list[int]
    draw: Draw
    limit: int
    stop: frozenset[int]
    salt: str


class EndpointPolicy:
    """A `Policy` whose model is a server's. For one thread, which is kept waiting for nothing else."""

    def __init__(self, endpoint: Endpoint, handover: Handover, *, context: int, version: int = 0, piece: int = 256) -> None:
        """Asks for nothing yet.

        Args:
            endpoint: with `chat=False`; as many requests at a time as it allows.
            handover: of new weights.
            context: tokens that the server's model takes.
            version: of the weights that it has.
            piece: tokens that are asked for at a time.

        """
        self.version, self._endpoint, self._handover = version, endpoint, handover
        self._context, self._piece = context, piece
        self._salt = secrets.token_hex(8)
        """vLLM finds what it has computed of a prompt only under the same one; `reload_weights` makes it forget nothing."""
        self._pool = ThreadPoolExecutor(endpoint.concurrency, thread_name_prefix="policy")
        self._asked: dict[Future[TokenCompletion], tuple[_Asking, int]] = {}
        """With the version at which each piece was asked for."""

    def begin(
        self, ids: Sequence[int], draw: Draw, *, limit: int, stop: Collection[int], after: Writing | None = None
    ) -> Writing:
        """See `Policy`."""
        room = self._context - len(ids)
        writing = Writing(is_over=room <= 0)
        if room > 0:
            self._ask(_Asking(writing, list(ids), draw, min(limit, room), frozenset(stop), self._salt))
        return writing

    def advance(self) -> list[Writing]:
        """See `Policy`.

        Raises:
            EndpointError: the server cannot be reached, or answers something else than was asked for.

        """
        over = []
        for future in wait(self._asked, timeout=_WAIT, return_when=FIRST_COMPLETED).done if self._asked else ():
            asking, version = self._asked.pop(future)
            if self._take(asking, future.result(), version):
                asking.writing.is_over = True
                over.append(asking.writing)
            else:
                self._ask(asking)
        return over

    def load(self, weights: Weights, version: int) -> None:
        """See `Policy`. Pieces that are being written while the weights change keep the older version."""
        self._handover(self._endpoint, weights)
        self.version, self._salt = version, secrets.token_hex(8)

    def close(self) -> None:
        """Waits for nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def _ask(self, asking: _Asking) -> None:
        self._asked[self._pool.submit(self._request, asking)] = asking, self.version

    def _request(self, asking: _Asking) -> TokenCompletion:
        written = len(asking.writing.tokens)
        settings = _AS_THEY_ARE | {
            "model": self._endpoint.model,
            "prompt": [*asking.ids, *asking.writing.tokens],
            "max_tokens": min(self._piece, asking.limit - written),
            "logprobs": 1,
            "seed": (asking.draw.seed * 1_000_003 + asking.draw.number * 65_537 + written) % _SEEDS,
            "stop_token_ids": sorted(asking.stop),
            "cache_salt": asking.salt,
        }
        try:
            return read_tokens(self._endpoint.post("/completions", TOKEN_FIELDS | settings))
        except EndpointError as error:
            raise EndpointError(f"{self._endpoint.url}: {error}") from error

    def _take(self, asking: _Asking, completion: TokenCompletion, version: int) -> bool:
        """Takes in a piece; whether the action is over."""
        writing, tokens = asking.writing, completion.tokens
        if not tokens:
            raise EndpointError(f"{self._endpoint.url} wrote no token and gives as its reason {completion.finish_reason!r}")
        writing.tokens += tokens
        writing.logprobs += completion.logprobs
        writing.versions += [version] * len(tokens)
        return tokens[-1] in asking.stop or len(writing.tokens) >= asking.limit
