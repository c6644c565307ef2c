"""`/v1/completions`: from a request to choices, and from choices to an answer, whole or as a stream.

answer = await Completions(served).answer(request)
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from foretrace.serve.answers import ClientGone, EventStream, all_done, call_in, event, json_answer, stopping, too_slow
from foretrace.serve.batching import Cancelled
from foretrace.serve.choice import Choice, Progress
from foretrace.serve.completion_request import CompletionRequest, read_completion
from foretrace.serve.model import ServedModel
from foretrace.serve.problem import Problem
from foretrace.serve.schema import parse

_LONG = 10_000
"""Bytes of a body that is read in a thread: encoding a long text takes a while, in which others want to be served."""

Told = tuple[Choice, Progress | BaseException]
"""How far a choice has come, or why it comes no further."""


def check_model(body: dict[str, Any], served: ServedModel) -> None:
    """Raises Problem (404) if a request is for another model than the one that is served."""
    model = body.get("model")
    if isinstance(model, str) and model != served.name:
        raise Problem(
            404,
            f"there is no model {model[:200]!r} here; this server has {served.name!r}",
            param="model",
            code="model_not_found",
        )


class Completions:
    """Answers requests about one model."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served

    async def answer(self, request: Request) -> Response | EventStream:
        """The answer to one request.

        Raises:
            Problem: the request is not one, or cannot be answered now.
            ClientGone: nobody waits for the answer.

        """
        started = time.perf_counter()
        data = await request.body()
        asked = self._read(data) if len(data) < _LONG else await asyncio.to_thread(self._read, data)
        choices = self._choices(asked)
        head = {"id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time())}
        head["model"] = self.served.name
        if asked.stream:
            return self._stream(asked, choices, head, started)
        jobs = [choice.job for choice in choices]
        self.served.batcher.submit(jobs)
        try:
            await all_done(jobs, self.served.batcher, request.receive, seconds=self.served.limits.seconds)
        except ClientGone:
            self.served.metrics.cancelled()
            raise
        pieces = [choice.piece(choice.take()) for choice in choices]
        usage = self._usage(asked, choices)
        return json_answer(head | {"choices": pieces, "usage": usage})

    def _read(self, data: bytes) -> CompletionRequest:
        body = parse(data)
        check_model(body, self.served)
        return read_completion(body, self.served.tokenizer, self.served.context)

    def _choices(self, asked: CompletionRequest) -> list[Choice]:
        prompts = [prompt for prompt in asked.prompts for _ in range(asked.n)]
        tokenizer, context = self.served.tokenizer, self.served.context
        return [Choice(index, asked, prompt, tokenizer, context) for index, prompt in enumerate(prompts)]

    def _usage(self, asked: CompletionRequest, choices: Sequence[Choice]) -> dict[str, int]:
        read, written = sum(map(len, asked.prompts)), sum(len(choice.tokens) for choice in choices)
        self.served.metrics.counted(read, written)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _stream(
        self, asked: CompletionRequest, choices: Sequence[Choice], head: dict[str, Any], started: float
    ) -> EventStream:
        """Puts the choices in line, and tells what becomes of them."""
        loop = asyncio.get_running_loop()
        progress: asyncio.Queue[Told] = asyncio.Queue()
        for choice in choices:
            _follow(choice, loop, progress)
        self.served.batcher.submit([choice.job for choice in choices])
        return EventStream(self._events(asked, choices, head, progress, started), self.served.metrics.cancelled)

    async def _events(
        self,
        asked: CompletionRequest,
        choices: Sequence[Choice],
        head: dict[str, Any],
        progress: "asyncio.Queue[Told]",
        started: float,
    ) -> AsyncGenerator[bytes]:
        """The events of a stream; closing it takes back what has not ended."""
        unfinished, is_first, seconds = len(choices), True, self.served.limits.seconds
        deadline, no_usage = asyncio.get_running_loop().time() + seconds, {"usage": None} if asked.include_usage else {}
        try:
            while unfinished:
                async with asyncio.timeout_at(deadline):
                    news = await _news(progress)
                if is_first:
                    self.served.metrics.began(time.perf_counter() - started)
                    is_first = False
                for choice, come in news.items():
                    unfinished -= bool(come.finish)
                    yield event(head | {"choices": [choice.piece(come)]} | no_usage)
            usage = self._usage(asked, choices)
            if asked.include_usage:
                yield event(head | {"choices": [], "usage": usage})
        except Problem as problem:
            yield event(problem.json().decode())
        except TimeoutError:
            yield event(too_slow(seconds).json().decode())
        finally:
            self.served.batcher.cancel([choice.job for choice in choices])
        yield event("[DONE]")


async def _news(progress: "asyncio.Queue[Told]") -> dict[Choice, Progress]:
    """Waits for progress. What has come in the meantime comes together: a busy server sends fewer and longer events.

    Raises:
        Problem: 503; the server is being stopped.

    """
    found: dict[Choice, Progress] = {}
    choice, come = await progress.get()
    while True:
        if isinstance(come, BaseException):
            raise stopping() if isinstance(come, Cancelled) else come
        found[choice] = found[choice].then(come) if choice in found else come
        if progress.empty():
            return found
        choice, come = progress.get_nowait()


def _follow(
    choice: Choice,
    loop: asyncio.AbstractEventLoop,
    progress: "asyncio.Queue[Told]",
) -> None:
    """Has a choice's progress, or why there is none, put into the queue of an event loop."""
    if choice.sequence.finish:  # nothing was asked for, so no pass will tell
        progress.put_nowait((choice, choice.take()))
        return

    def tell(come: Progress | BaseException) -> None:
        call_in(loop, progress.put_nowait, (choice, come))

    choice.when_written(tell)
    choice.job.done.add_done_callback(lambda done: tell(error) if (error := done.exception()) else None)
