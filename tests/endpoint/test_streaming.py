"""Answers in pieces: whole or not at all, however they are cut."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("httpx")

from foretrace.endpoint import Endpoint, FunctionCall
from foretrace.endpoint.reply import read_reply
from foretrace.endpoint.retries import Retries
from foretrace.endpoint.streaming import Assembly, read_events
from foretrace.errors import EndpointError

QUICK = Retries(most=2, first_wait=0.01)
ODD = "a\u2028b\x0cc\x85d é 🦊"
"""Characters at which Python splits lines, and JSON does not."""


def event(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m-1", "choices": [{"index": 0, "delta": delta} | more]}


def lines_of(events: list[Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(e, ensure_ascii=False).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"


EVENTS = [
    event({"role": "assistant", "content": ""}),
    event({"reasoning_content": "hm"}),
    event({"content": ODD[:3]}),
    event({"content": ODD[3:]}),
    event({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a"'}}]}),
    event({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
    event({}, finish_reason="tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]


def together(chunks: list[bytes]) -> Any:
    answer = Assembly()
    for piece in read_events(chunks):
        answer.add(piece)
    return answer.body()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_pieces_may_be_cut_anywhere(size: int) -> None:
    data = b": ping\n\n" + lines_of(EVENTS)
    reply = read_reply(together([data[i : i + size] for i in range(0, len(data), size)]))
    assert (reply.text, reply.thought, reply.finish_reason) == (ODD, "hm", "tool_calls")
    assert reply.calls == (FunctionCall("x", "f", '{"a": 1}'),)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.model) == (3, 2, "m-1")


def test_an_event_may_have_several_lines_and_carriage_returns() -> None:
    text = b'event: x\r\ndata: {"choices":\r\ndata: []}\r\n\r\ndata:[DONE]\r\n\r\n'
    assert list(read_events([text])) == [{"choices": []}]


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    pieces = [
        {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]},
        {"tool_calls": [{"function": {"arguments": "}"}}]},
        {"tool_calls": [{"id": "b", "function": {"name": "g", "arguments": {"n": 1}}}]},
    ]
    reply = read_reply(together([lines_of([event(piece) for piece in pieces])]))
    assert reply.calls == (FunctionCall("a", "f", "{}"), FunctionCall("b", "g", '{"n": 1}'))


def test_another_answer_beside_the_first_is_left_out() -> None:
    second = {"choices": [{"index": 1, "delta": {"content": "no"}}]}
    assert read_reply(together([lines_of([event({"content": "yes"}), second])])).text == "yes"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lines_of(EVENTS)[:-16], "broke off"),
        (b"data: {oh\n\n", "not JSON"),
        (b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b"data: [1]\n\n", "an error"),
        (b'data: {"choices": [7]}\n\n', "another form"),
        (b'data: {"choices": 7}\n\n', "another form"),
        (lines_of([event({"content": {"a": 1}})]), "not a text"),
        (b"", "broke off"),
    ],
)
def test_half_an_answer_is_none(data: bytes, message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        together([data])


def test_a_piece_may_be_a_list_of_parts() -> None:
    pieces = [event({"content": [{"type": "text", "text": "a"}]}), event({"content": "b"})]
    assert read_reply(together([lines_of(pieces)])).text == "ab"


@pytest.mark.parametrize(
    ("message", "text", "thought"),
    [
        ({"content": None, "reasoning": "r"}, "", "r"),
        ({"content": [{"type": "text", "text": "a"}, "b", {"type": "image"}]}, "ab", ""),
    ],
)
def test_servers_differ(message: dict[str, Any], text: str, thought: str) -> None:
    reply = read_reply({"choices": [{"message": message}]})
    assert (reply.text, reply.thought, reply.calls) == (text, thought, ())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"choices": []}, "empty"),
        ({"choices": [{"message": {"content": 7}}]}, "not a text but 7"),
        ({"choices": [{"message": {"tool_calls": "x"}}]}, "not a list"),
        ({"choices": [{"message": {"tool_calls": [{}]}}]}, r"`tool_calls\[0\]` has no `function`"),
    ],
)
def test_nonsense_is_named(body: Any, complaint: str) -> None:
    with pytest.raises(EndpointError, match=complaint):
        read_reply(body)


# ---------------------------------------------------------------------------------------------------
# Over a line


Write = Callable[[bytes], None]


class Lines:
    """A server whose answers are written by `script`, one function a request."""

    def __init__(self) -> None:
        self.script: list[Callable[[Write], None]] = []
        self.requests: list[dict[str, Any]] = []
        self.kind = "text/event-stream"
        self.encoding = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Type", outer.kind)
                if outer.encoding:
                    self.send_header("Content-Encoding", outer.encoding)
                self.end_headers()
                try:
                    outer.script.pop(0)(self.write)
                except OSError:
                    pass  # the client has given up

            def write(self, data: bytes) -> None:
                self.wfile.write(data)
                self.wfile.flush()

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.endpoint = Endpoint(
            f"http://127.0.0.1:{self.http.server_address[1]}/v1", model="m", retries=QUICK, timeout=0.3, prices=(1e6, 1e6)
        )


@pytest.fixture
def lines() -> Iterator[Lines]:
    server = Lines()
    yield server
    server.http.shutdown()
    server.http.server_close()


MESSAGES = [{"role": "user", "content": "x"}]


def test_a_turn_in_pieces(lines: Lines) -> None:
    lines.script = [lambda write: write(lines_of(EVENTS))]
    heard: list[str] = []
    reply = lines.endpoint.converse(MESSAGES, stream=True, on_text=heard.append, tools=[])
    assert (reply.text, "".join(heard), len(heard)) == (ODD, ODD, 2)
    assert reply.cost == lines.endpoint.usage.cost == 5.0
    assert lines.requests[0]["stream_options"] == {"include_usage": True}
    assert lines.requests[0]["tools"] == []


def test_a_stream_that_breaks_off_is_asked_for_again(lines: Lines) -> None:
    whole = lines_of(EVENTS)
    lines.script = [lambda write: write(whole[:150]), lambda write: None, lambda write: write(whole)]
    assert lines.endpoint.converse(MESSAGES, stream=True).text == ODD
    assert (len(lines.requests), lines.endpoint.usage.retries, lines.endpoint.usage.requests) == (3, 2, 1)


def test_a_server_that_forgets_to_say_that_it_is_done_is_believed(lines: Lines) -> None:
    lines.script = [lambda write: write(lines_of(EVENTS).removesuffix(b"data: [DONE]\n\n"))]
    assert lines.endpoint.converse(MESSAGES, stream=True).prompt_tokens == 3


def test_one_that_only_keeps_the_line_open_is_given_up(lines: Lines) -> None:
    def pings(write: Write) -> None:
        for _ in range(40):
            write(b": ping\n\n")
            time.sleep(0.02)

    lines.script = [pings, lambda write: write(lines_of(EVENTS))]
    assert lines.endpoint.converse(MESSAGES, stream=True).text == ODD
    assert len(lines.requests) == 2


def test_a_slow_one_is_not(lines: Lines) -> None:
    """The timeout is that of a piece: the whole takes longer."""

    def slow(write: Write) -> None:
        for piece in EVENTS:
            write(b"data: " + json.dumps(piece).encode() + b"\n\n")
            time.sleep(0.08)
        write(b"data: [DONE]\n\n")

    lines.script = [slow]
    assert lines.endpoint.converse(MESSAGES, stream=True).text == ODD
    assert len(lines.requests) == 1


def test_one_that_goes_on_and_on_is_stopped(lines: Lines) -> None:
    def endless(write: Write) -> None:
        while True:
            write(b"data: " + json.dumps(event({"content": "x" * 1000})).encode() + b"\n\n")

    lines.script = [endless]
    reply = lines.endpoint.converse(MESSAGES, stream=True, characters=5000)
    assert (reply.finish_reason, len(reply.text)) == ("length", 6000)


def test_one_that_does_not_stream_is_understood(lines: Lines) -> None:
    lines.kind = "application/json"
    body = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    lines.script = [lambda write: write(json.dumps(body).encode())] * 2
    assert lines.endpoint.converse(MESSAGES, stream=True).text == "hi"
    assert lines.endpoint.converse(MESSAGES).text == "hi"


@pytest.mark.parametrize(
    ("data", "encoding", "complaint"),
    [(b"[" * 100_000, "", "not JSON"), (b"\x1f\x8b no gzip at all", "gzip", "cannot reach")],
)
def test_what_cannot_be_read_is_an_error_as_any_other(lines: Lines, data: bytes, encoding: str, complaint: str) -> None:
    lines.kind, lines.encoding = "application/json", encoding
    lines.script = [lambda write: write(data)] * 3
    with pytest.raises(EndpointError, match=complaint):
        lines.endpoint.converse(MESSAGES)
