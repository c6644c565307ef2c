"""`/v1/traces/predict` and `/v1/traces/score`: what a call would do, and how surprising what it really did is to the model.

A prediction is a trace as JSON Lines v1 (`docs/trace-format.md`): a header, a line a frame, a closing line. Where the model
is calibrated a frame's line has `p` beside: how likely it is that the line and each value are right. Lines come as they are
predicted, or all at once. Nothing is executed.

    await Traces(served).predict(request)
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from foretrace.debug.confidence import Confidence
from foretrace.debug.lines import extended, sure_line
from foretrace.engine import Prompt, Step, TokenPredictor, build_prompt, trace_of
from foretrace.engine.binding import BoundCall
from foretrace.errors import FormatError
from foretrace.serve.answers import ClientGone, EventStream, event, json_answer, left
from foretrace.serve.batched_engine import BatchedEngine
from foretrace.serve.completions import check_model
from foretrace.serve.model import ServedModel
from foretrace.serve.problem import Problem
from foretrace.serve.schema import check, parse, with_defaults
from foretrace.serve.threads import Threads
from foretrace.serve.trace_request import PREDICT, SCORE
from foretrace.trace import Event, Trace, read_jsonl
from foretrace.trace.jsonl import FrameWriter, end_line, header_line

CONTENT_TYPE = "application/jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a predicted trace."""

    kind: str
    """`header`, `frame` or `end`."""
    text: str


class Traces:
    """Answers requests about traces of one model. Each has a thread for as long as it takes."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self._threads = Threads(served.limits.traces, served.limits.seconds)

    async def predict(self, request: Request) -> Response | EventStream:
        """What a call would do.

        Raises:
            Problem: the request is not one, or cannot be answered now.
            ClientGone: nobody waits for the answer.

        """
        body = parse(await request.body())
        check_model(body, self.served)
        check(body, PREDICT, "")
        fields = with_defaults(body, PREDICT)
        engine = self.served.batched_engine()
        lines = self._threads.run(lambda: self._predicted(engine, fields), engine.cancel)
        if not fields["stream"]:
            text = "".join([line.text + "\n" async for line in self._while_there(lines, engine, request)])
            return Response(text, media_type=CONTENT_TYPE)
        first = await anext(lines)  # what is wrong with the request must be said before a stream has begun
        return EventStream(_events(first, lines), self.served.metrics.cancelled)

    async def score(self, request: Request) -> Response:
        """How likely each step of a given trace is, as a model sees it; errors as for `predict`."""
        body = parse(await request.body())
        check_model(body, self.served)
        check(body, SCORE, "")
        engine = self.served.batched_engine()
        found = self._threads.run(lambda: iter([self._scored(engine, body["trace"])]), engine.cancel)
        [answer] = [each async for each in self._while_there(found, engine, request)]
        return json_answer(answer)

    # -- in a thread ---------------------------------------------------------------------------------

    def _predicted(self, engine: BatchedEngine, fields: Mapping[str, Any]) -> Iterator[Line]:
        prompt = build_prompt(fields["source"], fields["entry"], fields["arguments"])
        self.served.metrics.counted(len(engine.tokenizer.encode(prompt.segments)), 0)
        steps = TokenPredictor(engine).steps(
            prompt,
            prompt.frames,
            budget=fields["max_tokens"],
            temperature=float(fields["temperature"]),
            seed=fields["seed"],
            grammar=fields["grammar"],
        )
        return _lines(prompt, steps, self.served, self.served.confidence())

    def _scored(self, engine: BatchedEngine, text: str) -> dict[str, Any]:
        trace = _only_trace(text)
        frames = trace.frames[: self.served.context // 3]  # a frame has three tokens at least
        if not frames or frames[0].event is not Event.CALL:
            raise FormatError("the trace does not begin with a call")
        header = trace.header
        call = BoundCall(header.source, header.entry, frames[0].line, frames[0].state)
        steps = TokenPredictor(engine).score(Prompt(call, (), ()), frames)
        tokens = sum(step.tokens for step in steps)
        self.served.metrics.counted(tokens, 0)
        return {
            "object": "trace.score",
            "model": self.served.name,
            "frames": len(trace.frames),
            "scored": len(steps),
            "nats": sum(-step.logprob for step in steps),
            "tokens": tokens,
            "steps": [_surprise(number, step) for number, step in enumerate(steps)],
        }

    async def _while_there(self, lines: AsyncGenerator[Any], engine: BatchedEngine, request: Request) -> AsyncGenerator[Any]:
        """The same; raises ClientGone once the client has gone."""
        gone = asyncio.ensure_future(left(request.receive))
        gone.add_done_callback(lambda done: None if done.cancelled() else engine.cancel())
        try:
            async for line in lines:
                yield line
        except Problem:
            if gone.done():
                self.served.metrics.cancelled()
                raise ClientGone from None
            raise
        finally:
            gone.cancel()


async def _events(first: Line, lines: AsyncGenerator[Line]) -> AsyncGenerator[bytes]:
    """Lines as server-sent events named after their kind; what goes wrong is an event too."""
    try:
        yield event(first.text, first.kind)
        async for line in lines:
            yield event(line.text, line.kind)
    except Problem as problem:
        yield event(problem.json().decode(), "error")
    finally:
        await lines.aclose()


def _lines(prompt: Prompt, steps: Any, served: ServedModel, confidence: Confidence) -> Iterator[Line]:
    """A trace line by line while it is predicted."""
    writer, known = FrameWriter(), [Step(frame, 0.0, 0.0, 0.0, (), 0) for frame in prompt.frames]
    header = trace_of(prompt, prompt.frames, None, served.name).header
    yield Line(kind="header", text=header_line(header).rstrip())
    for frame in prompt.frames:
        yield Line(kind="frame", text=writer.line(frame).rstrip())
    for step in steps:
        known.append(step)
        at = len(known) - 1
        line = sure_line(writer.line(step.frame), confidence.line(known, at, 0), confidence.sure(known, at, 0))
        yield Line(kind="frame", text=line.rstrip())
    frames, tokens = [step.frame for step in known], sum(step.tokens for step in known)
    served.metrics.counted(0, tokens)
    ended = trace_of(prompt, frames, steps.finish, served.name).header
    yield Line(kind="end", text=extended(end_line(ended), {"tokens": tokens}).rstrip())


def _surprise(number: int, step: Step) -> dict[str, Any]:
    """How likely a step of a real trace was, in nats: 0 is what the model was sure of."""
    return {
        "i": number,
        "ev": step.frame.event,
        "line": step.frame.line,
        "nats": -step.logprob,
        "event_nats": -step.event_logprob,
        "line_nats": -step.line_logprob,
        "values": {value.name: -value.logprob for value in step.values},
        "tokens": step.tokens,
    }


def _only_trace(text: str) -> Trace:
    traces = list(read_jsonl(StringIO(text)))
    if len(traces) != 1:
        raise FormatError(f"one trace is scored at a time; there are {len(traces)}")
    return traces[0]
