"""The client against a real server on this machine that misbehaves on demand."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("httpx")

from foretrace.endpoint import Completion, Endpoint
from foretrace.endpoint.retries import Retries, seconds_of
from foretrace.errors import EndpointError, UsageError

QUICK = Retries(most=4, first_wait=0.01)
SECRET = "sk-secret-0123"


def answer(text: str = "hi", **more: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}
    return {"model": "m-1", "choices": [choice | more], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


class Server:
    """Answers with whatever `reply` makes of a request: a status, a body, headers."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.at_once = self.most_at_once = 0
        self.reply: Callable[[dict[str, Any]], tuple[int, Any, dict[str, str]]] = lambda body: (200, answer(), {})
        self._lock = threading.Lock()
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

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            self.requests.append(body)
            self.keys.append(handler.headers.get("Authorization"))
            self.paths.append(handler.path)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        status, content, headers = self.reply(body)
        with self._lock:
            self.at_once -= 1
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            handler.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(data))}).items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(data)
        except OSError:
            pass  # the client has given up


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    started = Server()
    yield started
    started.http.shutdown()
    started.http.server_close()


def failing(times: int, status: int, headers: dict[str, str] | None = None, body: Any = b"no") -> Callable[..., Any]:
    """A reply that fails at first."""
    left = [times]

    def reply(_: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        left[0] -= 1
        return (status, body, headers or {}) if left[0] >= 0 else (200, answer(), {})

    return reply


def test_a_completion_of_a_chat(server: Server) -> None:
    endpoint = Endpoint(server.url, model="m", temperature=0.5, max_tokens=7, seed=1, stop=("END",))
    assert endpoint.complete("hello") == Completion("hi", "stop", 3, 2, "m-1")
    assert server.paths == ["/v1/chat/completions"]
    assert server.keys == [f"Bearer {SECRET}"]
    messages = [{"role": "user", "content": "hello"}]
    assert server.requests == [
        {"model": "m", "temperature": 0.5, "max_tokens": 7, "seed": 1, "stop": ["END"], "messages": messages}
    ]
    endpoint.complete([{"role": "system", "content": "be brief"}, *messages])
    assert len(server.requests[1]["messages"]) == 2
    assert (endpoint.usage.requests, endpoint.usage.prompt_tokens, endpoint.usage.completion_tokens) == (2, 6, 4)


def test_a_completion_of_a_text(server: Server) -> None:
    endpoint = Endpoint(server.url + "/", model="m", chat=False)
    assert endpoint.complete("once").text == "hi"
    assert (server.paths, server.requests[0]) == (["/v1/completions"], {"model": "m", "prompt": "once"})
    with pytest.raises(UsageError, match="a text, not messages"):
        endpoint.complete([{"role": "user", "content": "x"}])


@pytest.mark.parametrize("chat", [True, False])
def test_logprobs(server: Server, chat: bool) -> None:
    found = {"content": [{"token": "h", "logprob": -0.5}]} if chat else {"tokens": ["h"], "token_logprobs": [-0.5]}
    server.reply = lambda body: (200, answer(logprobs=found), {})
    endpoint = Endpoint(server.url, model="m", chat=chat, logprobs=True)
    assert endpoint.complete("x").logprobs == (("h", -0.5),)
    server.reply = lambda body: (200, answer(), {})
    with pytest.raises(EndpointError, match=r"has no `logprobs`"):
        endpoint.complete("x")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_pass_is_tried_again(server: Server, status: int) -> None:
    server.reply = failing(3, status)
    endpoint = Endpoint(server.url, model="m", retries=QUICK)
    assert endpoint.complete("x").text == "hi"
    assert (len(server.requests), endpoint.usage.retries, endpoint.usage.requests) == (4, 3, 1)


def test_it_gives_up_in_the_end_and_says_why(server: Server) -> None:
    server.reply = failing(99, 500, body=b"the card is\n on fire")
    with pytest.raises(EndpointError, match=r"answered 500: the card is on fire \(tried 5 times\)"):
        Endpoint(server.url, model="m", retries=QUICK).complete("x")


def test_retry_after_is_honoured(server: Server) -> None:
    server.reply = failing(1, 429, {"Retry-After": "0.3"})
    start = time.monotonic()
    Endpoint(server.url, model="m", retries=QUICK).complete("x")
    assert 0.3 <= time.monotonic() - start < 2
    server.reply = failing(1, 429, {"Retry-After": "86400"})
    with pytest.raises(EndpointError, match="answered 429"):
        Endpoint(server.url, model="m", retries=QUICK).complete("x")


def test_retry_after_may_be_a_date() -> None:
    assert 8 < (seconds_of(formatdate(time.time() + 10, usegmt=True)) or 0) <= 10
    assert seconds_of(formatdate(time.time() - 10, usegmt=True)) == 0
    assert seconds_of("soon") is None
    assert seconds_of(None) is None


def test_waits_grow_and_end() -> None:
    retries = Retries(most=3, first_wait=1, longest_wait=2)
    assert all(0 <= (retries.wait_before(9 % 3, None) or 0) <= 1 for _ in range(50))
    assert max(retries.wait_before(2, None) or 0 for _ in range(300)) <= 2
    assert retries.wait_before(3, None) is None


def test_a_slow_server_is_given_up_and_asked_again(server: Server) -> None:
    calls = []

    def reply(_: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        calls.append(1)
        time.sleep(0.6 if len(calls) == 1 else 0)
        return 200, answer(), {}

    server.reply = reply
    assert Endpoint(server.url, model="m", timeout=0.2, retries=QUICK).complete("x").text == "hi"
    assert len(calls) == 2
    calls.clear()
    with pytest.raises(EndpointError, match=r"did not answer within 0\.2 s"):
        Endpoint(server.url, model="m", timeout=0.2, retries=Retries(most=0)).complete("x")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(EndpointError, match="cannot reach http://127"):
        Endpoint("http://127.0.0.1:9/v1", model="m", retries=Retries(most=1, first_wait=0.01)).complete("x")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_final(server: Server, status: int) -> None:
    server.reply = failing(99, status, body={"error": {"message": f"Incorrect API key: {SECRET}"}})
    with pytest.raises(EndpointError, match=f"answered {status}") as caught:
        Endpoint(server.url, model="m", retries=QUICK).complete("x")
    assert len(server.requests) == 1
    assert SECRET not in str(caught.value)
    assert ("$OPENAI_API_KEY, which is set" in str(caught.value)) == (status in (401, 403))


def test_the_key_is_never_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint(server.url, model="m")
    endpoint.complete("x")
    server.reply = lambda body: (200, f"<html>{SECRET}".encode(), {})
    with pytest.raises(EndpointError, match="not JSON") as caught:
        endpoint.complete("x")
    assert SECRET not in caplog.text + repr(endpoint) + str(caught.value)


def test_no_key_is_needed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    Endpoint(server.url, model="m").complete("x")
    assert server.keys == [None]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"choices": [{"mess', "something that is not JSON"),
        ([1], "the answer is not a JSON object"),
        ({"error": "x"}, "the answer has no `choices`, only 'error'"),
        ({"choices": []}, "`choices` are empty"),
        ({"choices": {}}, "`choices` of the answer is not a list"),
        ({"choices": [{"text": "x"}]}, r"`choices\[0\]` has no `message`"),
        ({"choices": [{"message": {"content": None}}]}, "`content` of .* is not a str but None"),
    ],
)
def test_nonsense_is_named(server: Server, body: Any, message: str) -> None:
    server.reply = lambda _: (200, body, {})
    with pytest.raises(EndpointError, match=message):
        Endpoint(server.url, model="m", retries=QUICK).complete("x")
    assert len(server.requests) == 1


def echo(body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    """Later prompts are answered sooner."""
    prompt = body["messages"][0]["content"]
    time.sleep(0.04 if int(prompt) % 3 == 0 else 0.005)
    return 200, answer(prompt), {}


def test_many_keep_their_order_and_are_not_too_many_at_once(server: Server) -> None:
    server.reply = echo
    endpoint = Endpoint(server.url, model="m", concurrency=4)
    texts = [c.text for c in endpoint.complete_many(map(str, range(40))) if isinstance(c, Completion)]
    assert texts == list(map(str, range(40)))
    assert 2 <= server.most_at_once <= 4


def test_threads_share_the_limit(server: Server) -> None:
    server.reply = echo
    endpoint = Endpoint(server.url, model="m", concurrency=2)
    threads = [threading.Thread(target=endpoint.complete, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.most_at_once <= 2
    assert endpoint.usage.requests == 8


def test_an_error_stands_in_its_place(server: Server) -> None:
    server.reply = lambda body: (400, b"no", {}) if body["messages"][0]["content"] == "2" else echo(body)
    found = list(Endpoint(server.url, model="m").complete_many(map(str, range(5))))
    assert [c.text if isinstance(c, Completion) else None for c in found] == ["0", "1", None, "3", "4"]
    assert isinstance(found[2], EndpointError)


def test_prompts_are_taken_as_needed(server: Server) -> None:
    taken = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield str(len(taken))

    server.reply = echo
    many = Endpoint(server.url, model="m", concurrency=2).complete_many(endless())
    assert isinstance(next(many), Completion)
    many.close()
    assert len(taken) <= 8


def test_the_cost_is_counted_and_limited(server: Server) -> None:
    endpoint = Endpoint(server.url, model="m", prices=(1.0, 2.0), cost_limit=10e-6)
    endpoint.complete("x")
    assert endpoint.usage.cost == pytest.approx(7e-6)
    endpoint.complete("x")
    with pytest.raises(EndpointError, match="cost limit is reached"):
        endpoint.complete("x")
    assert len(server.requests) == 2


def test_bad_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="starts with http"):
        Endpoint("localhost:8000", model="m")
    with pytest.raises(UsageError, match="at least one"):
        Endpoint("http://x", model="m", concurrency=0)
    with pytest.raises(UsageError, match="prices"):
        Endpoint("http://x", model="m", cost_limit=1)


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(UsageError, match=r'pip install "foretrace\[endpoint\]"'):
        Endpoint("http://x", model="m")
