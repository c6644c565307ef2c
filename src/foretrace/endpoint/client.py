"""Asks a model server for completions, `/v1/chat/completions` or `/v1/completions`, and keeps asking while that can help.

The key comes from an environment variable, goes into one header and nowhere else: not into messages, not into the repr.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from foretrace.endpoint.answer import Completion, Usage, read_completion, shown
from foretrace.endpoint.reply import Reply, read_reply
from foretrace.endpoint.retries import AGAIN, Retries
from foretrace.endpoint.streaming import Assembly, read_events
from foretrace.endpoint.threads import in_threads
from foretrace.errors import EndpointError, UsageError

Messages = Sequence[Mapping[str, Any]]
"""Of a chat, each with `role` and `content`."""
Prompt = str | Messages


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """What came of one request: content, or a problem."""

    content: Any = None
    problem: str = ""
    again: bool = True
    """Whether another try may change the problem."""
    retry_after: str | None = None


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
        try:
            httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise UsageError(f"{self.url!r} is no address of a server: {error}") from error
        self._httpx = httpx
        self._key = os.environ.get(self.key_variable, "")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = self._httpx.Limits(max_connections=self.concurrency)  # others wait for a connection, without a timeout
        self._client = self._httpx.Client(
            headers=headers, timeout=self._httpx.Timeout(self.timeout, pool=None), limits=limits
        )
        self._lock = threading.Lock()

    def complete(self, prompt: Prompt, **fields: Any) -> Completion:
        """The model's answer to one prompt; `fields` are others of the request (`top_p`, `stop`, …).

        Raises:
            EndpointError: the server cannot be reached, refuses, keeps failing or answers nonsense, or money is out.

        """
        answer = self.post("/chat/completions" if self.chat else "/completions", self._body(prompt) | fields)
        try:
            completion = read_completion(answer, chat=self.chat, logprobs=self.logprobs)
        except EndpointError as error:
            raise EndpointError(self._without_key(f"{self.url}: {error}")) from None
        self._count(completion.prompt_tokens, completion.completion_tokens)
        return replace(completion, model=completion.model or self.model)

    def converse(
        self,
        messages: Messages,
        *,
        stream: bool = False,
        characters: int | None = None,
        on_text: Callable[[str], None] | None = None,
        **fields: Any,
    ) -> Reply:
        """The model's next turn in a chat, calls of functions among it.

        Args:
            messages: so far.
            stream: have it in pieces, so that `timeout` is that of a piece, and a server is stopped that goes on and on.
            characters: of a stream, as many as are wanted; what is longer is cut, with the finish reason `length`.
            on_text: of a stream, told each piece of text.
            fields: others of the request (`tools`, `max_tokens`, …).

        Raises:
            EndpointError: see `complete`; a stream that breaks off is asked for again.

        """
        body = self._body(messages) | fields
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        receive = partial(self._receive, characters=characters, on_text=on_text) if stream else None
        answer = self._ask("POST", "/chat/completions", body, receive)
        try:
            reply = read_reply(answer)
        except EndpointError as error:
            raise EndpointError(self._without_key(f"{self.url}: {error}")) from None
        self._count(reply.prompt_tokens, reply.completion_tokens)
        cost = self.price_of(reply.prompt_tokens, reply.completion_tokens)
        return replace(reply, model=reply.model or self.model, cost=cost)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that the server answers to a request of the caller's own; `path` comes after the address.

        Raises:
            EndpointError: see `complete`, but for nonsense that is JSON.

        """
        return self._ask("POST", path, body)

    def get(self, path: str) -> Any:
        """The JSON at a path after the address, such as `/models`; errors as for `post`."""
        return self._ask("GET", path, None)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, receive: Callable[[Any], _Try] | None = None
    ) -> Any:
        for attempt in range(self.retries.most + 1):
            if self.cost_limit is not None and self.usage.cost >= self.cost_limit:
                raise EndpointError(f"the cost limit is reached: {self.usage.cost:.4f} of {self.cost_limit}")
            tried = self._try(method, self.url.rstrip("/") + path, body, receive or self._read)
            if not tried.problem:
                return tried.content
            wait = self.retries.wait_before(attempt, tried.retry_after) if tried.again else None
            if wait is None:
                raise EndpointError(self._without_key(tried.problem) + (f" (tried {attempt + 1} times)" if attempt else ""))
            with self._lock:
                self.usage.retries += 1
            time.sleep(wait)
        raise AssertionError("the last attempt either returns or raises")

    def complete_many(self, prompts: Iterable[Prompt]) -> Iterator[Completion | EndpointError]:
        """The answers to many prompts, in order, `concurrency` of them at work at a time; an error stands for its answer.

        Prompts are taken as they are needed, so there may be endlessly many.
        """
        return in_threads(self._complete_or_error, prompts, threads=self.concurrency, name="endpoint", wait=False)

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

    def _try(self, method: str, address: str, body: Mapping[str, Any] | None, receive: Callable[[Any], _Try]) -> _Try:
        try:
            with self._client.stream(method, address, json=body) as answer:
                if answer.is_success:
                    return receive(answer)
                answer.read()
        except self._httpx.TimeoutException:
            return _Try(problem=f"{address} did not answer within {self.timeout:g} s")
        except self._httpx.RequestError as error:  # bytes that cannot be decompressed among them
            return _Try(problem=f"cannot reach {address}: {error or type(error).__name__}")
        hint = ""
        if answer.status_code in (401, 403):
            hint = f"; the key is taken from ${self.key_variable}, which is {'set' if self._key else 'not set'}"
        problem = f"{address} answered {answer.status_code}{hint}: {shown(answer.text)}"
        again = answer.status_code in AGAIN
        return _Try(problem=problem, again=again, retry_after=answer.headers.get("retry-after"))

    def _read(self, answer: Any) -> _Try:
        """An answer in one piece."""
        answer.read()
        try:
            return _Try(content=answer.json())
        except (ValueError, RecursionError):
            problem = f"{self.url} answered something that is not JSON: {shown(answer.text)}"
            return _Try(problem=problem, again=False)

    def _receive(self, answer: Any, *, characters: int | None, on_text: Callable[[str], None] | None) -> _Try:
        """An answer in pieces."""
        if "json" in answer.headers.get("content-type", ""):
            return self._read(answer)  # a server that does not stream
        assembly = Assembly(on_text)
        try:
            for event in read_events(self._watched(answer.iter_bytes(), assembly)):
                assembly.add(event)
                if characters is not None and assembly.size > characters:
                    return _Try(content=assembly.body("length"))
        except EndpointError as error:
            if not assembly.finished:
                return _Try(problem=f"{self.url}: {error}")
        return _Try(content=assembly.body())

    def _watched(self, chunks: Iterable[bytes], assembly: Assembly) -> Iterator[bytes]:
        """The chunks, as long as they bring events: a server that only keeps the line open says nothing."""
        events, since = 0, time.monotonic()
        for chunk in chunks:
            if assembly.events > events:
                events, since = assembly.events, time.monotonic()
            elif time.monotonic() - since > self.timeout:
                raise EndpointError(f"nothing came within {self.timeout:g} s")
            yield chunk

    def _count(self, prompt: int, completion: int) -> None:
        with self._lock:
            usage = self.usage
            usage.requests += 1
            usage.prompt_tokens += prompt
            usage.completion_tokens += completion
            usage.cost = self.price_of(usage.prompt_tokens, usage.completion_tokens)

    def price_of(self, prompt: int, completion: int) -> float:
        """What so many tokens cost, at `prices`."""
        return (prompt * self.prices[0] + completion * self.prices[1]) / 1e6

    def _without_key(self, text: str) -> str:
        """Servers like to repeat the key that they refuse."""
        return text.replace(self._key, "<key>") if self._key else text
