"""An OpenAI-compatible server that says what it is told to say, streams it in odd pieces, and misbehaves on demand."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    """A model's turn."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    """Names and arguments, which need not be JSON."""
    thought: str = ""
    finish_reason: str = ""

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.thought:
            message["reasoning_content"] = self.thought
        if self.calls:
            message["tool_calls"] = [
                {"id": f"id{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for number, (name, arguments) in enumerate(self.calls)
            ]
        return message

    @property
    def reason(self) -> str:
        return self.finish_reason or ("tool_calls" if self.calls else "stop")


def call(name: str, **arguments: Any) -> Say:
    """A turn that calls a function."""
    return Say(calls=((name, json.dumps(arguments)),))


Brain = Callable[[list[dict[str, Any]]], Say]


@dataclass
class ModelServer:
    """Answers with what `brain` makes of the messages; before that, with the faults that are left."""

    brain: Brain
    faults: list[str] = field(default_factory=list)
    """`429`, `500`, `timeout`, `cut`, `error`, `html`: one a request, in order."""

    def __post_init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answered = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.handle(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.requests.append(body)
            fault = self.faults.pop(0) if self.faults else ""
        try:
            self.answer(handler, body, fault)
        except OSError:
            pass  # the client has given up

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], fault: str) -> None:
        complaint = complaint_of(body["messages"])
        if fault == "timeout":
            time.sleep(0.6)
        if complaint:
            send(handler, 400, {"error": {"message": complaint}})
        elif fault.isdigit():
            send(handler, int(fault), {"error": {"message": "busy"}}, {"Retry-After": "0"})
        elif fault == "html":
            send(handler, 502, "<html>Bad gateway")
        else:
            self.say(handler, body, fault)

    def say(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], fault: str) -> None:
        said = self.brain(body["messages"])
        usage = {"prompt_tokens": size_of(body["messages"]), "completion_tokens": 7}
        if not body.get("stream"):
            content = {
                "choices": [{"message": said.message(), "finish_reason": said.reason}],
                "usage": usage,
                "model": "m-1",
            }
            send(handler, 200, content)
        else:
            stream(handler, said, usage, fault)
        with self.lock:
            self.answered += 1


def complaint_of(messages: list[dict[str, Any]]) -> str:
    """What a strict server finds wrong with a chat."""
    open_calls: list[str] = []
    for message in messages:
        if message["role"] == "tool" and "tool_call_id" in message:
            if message["tool_call_id"] not in open_calls:
                return "an answer to no call"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return f"calls without an answer: {open_calls}"
        for made in message.get("tool_calls") or []:
            try:
                json.loads(made["function"]["arguments"])
            except ValueError:
                return "arguments that are no JSON"
            open_calls.append(made["id"])
        if not message.get("content") and not message.get("tool_calls"):
            return "an empty message"
    return f"calls without an answer: {open_calls}" if open_calls else ""


def size_of(messages: list[dict[str, Any]]) -> int:
    return sum(len(json.dumps(message)) for message in messages) // 4


def send(handler: BaseHTTPRequestHandler, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
    data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    handler.send_response(status)
    kind = "text/html" if isinstance(content, str) else "application/json"
    for name, value in ({"Content-Type": kind, "Content-Length": str(len(data))} | (headers or {})).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def events_of(said: Say, usage: dict[str, int]) -> list[Any]:
    """The pieces of a turn: a few characters each."""
    message = said.message()
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning_content", "content"):
        text = message.get(name) or ""
        deltas += [{name: text[i : i + 5]} for i in range(0, len(text), 5)]
    for number, made in enumerate(message.get("tool_calls", [])):
        function = made["function"]
        deltas.append({"tool_calls": [{"index": number} | made | {"function": {"name": function["name"], "arguments": ""}}]})
        text = function["arguments"]
        deltas += [
            {"tool_calls": [{"index": number, "function": {"arguments": text[i : i + 7]}}]} for i in range(0, len(text), 7)
        ]
    events: list[Any] = [{"model": "m-1", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": said.reason}]})
    return [*events, {"choices": [], "usage": usage}]


def stream(handler: BaseHTTPRequestHandler, said: Say, usage: dict[str, int], fault: str) -> None:
    """Server-sent events in chunks that end wherever they like."""
    events = events_of(said, usage)
    lines = [
        ": hello\n\n",
        *(f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events),
        "data: [DONE]\n\n",
    ]
    if fault == "error":
        lines = [*lines[:3], 'data: {"error": {"message": "out of memory"}}\n\n']
    data = "".join(lines).encode()
    if fault == "cut":
        data = data[: len(data) // 2]
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for i in range(0, len(data), 41):
        piece = data[i : i + 41]
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    if fault == "cut":
        handler.close_connection = True
        return
    handler.wfile.write(b"0\r\n\r\n")
