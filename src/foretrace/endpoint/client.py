"""Asks a model server for completions, `/v1/chat/completions` or `/v1/completions`, and keeps asking while that can help.

The key comes from an environment variable, goes into one header and nowhere else: not into messages, not into the repr.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from foretrace.endpoint.answer import Completion, Usage, read_completion, shown
from foretrace.endpoint.retries import AGAIN, Retries
from foretrace.errors import EndpointError, UsageError

Prompt = str | Sequence[Mapping[str, str]]
"""A text, or of a chat the messages, each with `role` and `content`."""


@dataclass(kw_only=True)
class Endpoint:
    """A model on a server. Threads may share one."""

    url: str = field(kw_only=False)
    """Up to and including the version: `http://localhost:8000/v1`."""
    model: str
    chat: bool = True
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; servers without one need none."""
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    concurrency: int = 8
    """Requests at a time."""
    timeout: float = 120.0
    """Seconds for one answer."""
    retries: Retries = field(default_factory=Retries)
    prices: tuple[float, float] = (0.0, 0.0)
    """Of a million prompt tokens and of a million completion tokens."""
    cost_limit: float | None = None
    """No request is sent once the cost has reached it."""
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"the address of a server starts with http:// or https://, not {self.url!r}")
        if self.concurrency < 1:
            raise UsageError(f"at least one request at a time is needed: concurrency is {self.concurrency}")
        if self.cost_limit is not None and not any(self.prices):
            raise UsageError(
                "a cost limit needs prices: set prices=(per million prompt tokens, per million completion tokens)"
            )
        try:
            import httpx
        except ImportError as error:
            raise UsageError('asking a server needs httpx: pip install "foretrace[endpoint]"') from error
        self._httpx = httpx
        self._key = os.environ.get(self.key_variable, "")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = self._httpx.Limits(max_connections=self.concurrency)  # others wait for a connection, without a timeout
        self._client = self._httpx.Client(
            headers=headers, timeout=self._httpx.Timeout(self.timeout, pool=None), limits=limits
        )
        self._lock = threading.Lock()

    def complete(self, prompt: Prompt) -> Completion:
        """The model's answer to one prompt.

        Raises:
            EndpointError: the server cannot be reached, refuses, keeps failing or answers nonsense, or money is out.

        """
        answer = self.post("/chat/completions" if self.chat else "/completions", self._body(prompt))
        try:
            return self._count(read_completion(answer, chat=self.chat, logprobs=self.logprobs))
        except EndpointError as error:
            raise EndpointError(self._without_key(f"{self.url}: {error}")) from None

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that the server answers to a request of the caller's own; `path` comes after the address.

        Raises:
            EndpointError: see `complete`, but for nonsense that is JSON.

        """
        return self._ask("POST", path, body)

    def get(self, path: str) -> Any:
        """The JSON at a path after the address, such as `/models`; errors as for `post`."""
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        for attempt in range(self.retries.most + 1):
            if self.cost_limit is not None and self.usage.cost >= self.cost_limit:
                raise EndpointError(f"the cost limit is reached: {self.usage.cost:.4f} of {self.cost_limit}")
            problem, answer = self._try(method, self.url.rstrip("/") + path, body)
            if answer is not None and answer.is_success:
                return self._read(answer)
            wait = self.retries.wait_before(attempt, answer.headers.get("retry-after") if answer is not None else None)
            if wait is None or (answer is not None and answer.status_code not in AGAIN):
                raise EndpointError(problem + (f" (tried {attempt + 1} times)" if attempt else ""))
            with self._lock:
                self.usage.retries += 1
            time.sleep(wait)
        raise AssertionError("the last attempt either returns or raises")

    def complete_many(self, prompts: Iterable[Prompt]) -> Iterator[Completion | EndpointError]:
        """The answers to many prompts, in order, `concurrency` of them at work at a time; an error stands for its answer.

        Prompts are taken as they are needed, so there may be endlessly many.
        """
        waiting: deque[Future[Completion | EndpointError]] = deque()
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="endpoint")
        try:
            for prompt in prompts:
                waiting.append(pool.submit(self._complete_or_error, prompt))
                if len(waiting) >= 2 * self.concurrency:  # enough that a slow first one leaves no thread idle for long
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _complete_or_error(self, prompt: Prompt) -> Completion | EndpointError:
        try:
            return self.complete(prompt)
        except EndpointError as error:
            return error

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("temperature", "max_tokens", "seed")} | {
            "stop": list(self.stop) or None
        }
        body = {"model": self.model} | {name: value for name, value in settings.items() if value is not None}
        if self.logprobs:
            body["logprobs"] = True if self.chat else 0  # of completions: how many others beside the chosen token
        if not self.chat:
            if not isinstance(prompt, str):
                raise UsageError("a prompt of /completions is a text, not messages")
            return body | {"prompt": prompt}
        return body | {"messages": [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)}

    def _try(self, method: str, address: str, body: Mapping[str, Any] | None) -> tuple[str, Any]:
        """What is wrong with the answer, and the answer, if there is any."""
        try:
            answer = self._client.request(method, address, json=body)
        except self._httpx.TimeoutException:
            return f"{address} did not answer within {self.timeout:g} s", None
        except self._httpx.TransportError as error:
            return self._without_key(f"cannot reach {address}: {error or type(error).__name__}"), None
        if answer.is_success:
            return "", answer
        hint = ""
        if answer.status_code in (401, 403):
            hint = f"; the key is taken from ${self.key_variable}, which is {'set' if self._key else 'not set'}"
        return self._without_key(f"{address} answered {answer.status_code}{hint}: {shown(answer.text)}"), answer

    def _read(self, answer: Any) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            problem = f"{self.url} answered something that is not JSON: {shown(answer.text)}"
            raise EndpointError(self._without_key(problem)) from error

    def _count(self, completion: Completion) -> Completion:
        with self._lock:
            usage = self.usage
            usage.requests += 1
            usage.prompt_tokens += completion.prompt_tokens
            usage.completion_tokens += completion.completion_tokens
            usage.cost = (usage.prompt_tokens * self.prices[0] + usage.completion_tokens * self.prices[1]) / 1e6
        return replace(completion, model=completion.model or self.model)

    def _without_key(self, text: str) -> str:
        """Servers like to repeat the key that they refuse."""
        return text.replace(self._key, "<key>") if self._key else text
