"""The door: framing, hostile bytes, who may do what, and clients that go away."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dap_client import TOKEN, WAIT, Client, Refused, SocketClient, serving
from dap_programs import write_programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foretrace.dap import protocol, server

FORETRACE = [sys.executable, "-m", "foretrace", "dap"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> dict[str, Path]:
    return {name: Path(path) for name, path in write_programs(tmp_path_factory.mktemp("dap")).items()}


@pytest.fixture(scope="module")
def port():
    with serving() as number:
        yield number


@pytest.fixture
def client(port):
    client = SocketClient(port)
    yield client
    client.close()


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def request(seq: int, command: str, **arguments: object) -> bytes:
    return framed(json.dumps({"seq": seq, "type": "request", "command": command, "arguments": arguments}).encode())


# -- framing -------------------------------------------------------------------------------------------


def test_messages_come_in_pieces_and_together(client) -> None:
    data = request(1, "initialize") + request(2, "threads") + request(3, "nonsense", text="ü\ud800")
    for at in range(0, len(data), 7):
        client.socket.sendall(data[at : at + 7])
    assert client.response(1)["supportsStepBack"] is True
    assert client.response(2) == {"threads": []}
    with pytest.raises(Refused, match="nonsense: nothing is debugged yet"):
        client.response(3)


def test_headers_may_be_in_any_case_and_name_a_type(client) -> None:
    body = json.dumps({"seq": 1, "type": "request", "command": "threads"}).encode()
    client.socket.sendall(b"content-type: application/json\r\nCONTENT-LENGTH:%d\r\n\r\n%b" % (len(body), body))
    assert client.response(1) == {"threads": []}


def test_numbers_count_what_is_sent(client) -> None:
    for seq in (1, 2, 3):
        client.socket.sendall(request(seq, "threads"))
    assert [client.read()["seq"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 60\r\n\r\n" + b"x" * 60,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"Content-Length: 99999999\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: \xb2\r\n\r\n",
        b"Content-Type: x\r\n\r\n",
        b"\r\n\r\n",
        b"x" * 100_000,
        framed(b"not json"),
        framed(b"[" * 100_000),
        framed(b"\xff\xfe"),
        framed(b"[1]"),
        framed(b'{"type": "event", "seq": 1, "event": "x"}'),
        framed(b'{"type": "request", "seq": "1", "command": "threads"}'),
    ],
)
def test_what_is_no_message_ends_the_connection(client, data) -> None:
    client.socket.sendall(data)
    try:
        assert client.read() is None
    except ConnectionResetError:
        pass  # what it had sent was not read to the end


def test_a_web_page_cannot_smuggle_a_message_in(client, programs) -> None:
    """A browser sends the body of a POST as it is, but its head first."""
    body = request(1, "initialize") + request(2, "launch", program=str(programs["letters"]), function="f", token=TOKEN)
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    client.socket.sendall(head.encode() + body)
    try:
        assert client.read() is None
    except ConnectionResetError:
        pass


@given(st.binary(max_size=200))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_harm_others(port, data) -> None:
    hostile = socket.create_connection(("127.0.0.1", port), WAIT)
    hostile.sendall(data)
    hostile.close()
    other = SocketClient(port)
    assert other.request("threads") == {"threads": []}
    other.close()


# -- who may do what -----------------------------------------------------------------------------------


def test_only_this_machine_can_connect() -> None:
    assert server.HOST == "127.0.0.1"


def test_a_token_must_be_known(client, programs) -> None:
    client.request("initialize")
    for token in ("", "wrong", "Secret", TOKEN + "x", "ü", "\ud800"):
        with pytest.raises(Refused, match="started with a token"):
            client.request("launch", program=str(programs["letters"]), function="f", token=token)
    with pytest.raises(Refused, match="nothing is debugged yet"):
        client.request("stackTrace", threadId=1)
    assert client.start(programs["letters"], token=TOKEN)["reason"] == "entry"


def test_attach_is_the_same_as_launch(client, programs) -> None:
    client.request("initialize")
    with pytest.raises(Refused, match="started with a token"):
        client.request("attach", program=str(programs["letters"]), function="f")
    client.request("attach", program=str(programs["letters"]), function="f", args="'r'", model="tiny", token=TOKEN)
    client.event("initialized")
    client.request("configurationDone")
    assert client.event("stopped")["reason"] == "entry"


def test_without_a_token_nothing_is_run_over_a_port(programs) -> None:
    with serving(token="") as port:
        client = SocketClient(port)
        client.request("initialize")
        common = {"program": str(programs["letters"]), "function": "f", "args": "'r'"}
        with pytest.raises(Refused, match=r"allowRun is refused: .* Start the server with --token"):
            client.request("launch", **common, allowRun=True)
        client.request("launch", **common)
        with pytest.raises(Refused, match="running is off"):
            client.console("real")
        client.close()


def test_clients_do_not_see_each_other(port, programs) -> None:
    one, other = SocketClient(port), SocketClient(port)
    one.start(programs["letters"])
    other.start(programs["raising"], args="-1")
    one.move("next")
    one.move("next")
    assert (one.line(), other.line()) == (10, 7)
    one.close()
    assert other.move("next")["reason"] == "step"
    other.close()


def is_served(port: int) -> bool:
    client = SocketClient(port)
    try:
        client.socket.sendall(request(1, "threads"))
        return client.read() is not None
    except ConnectionError:
        return False
    finally:
        client.close()


def test_there_is_room_for_so_many_clients() -> None:
    with serving() as port:
        clients = [SocketClient(port) for _ in range(server.MAX_CLIENTS)]
        for client in clients:
            client.request("threads")
        late = SocketClient(port)
        assert late.read() is None, "one more is sent away"
        clients[0].close()
        while not is_served(port):
            pass  # until the server has seen that one has gone
        for client in [*clients, late]:
            client.close()


def test_a_client_that_goes_away_ends_what_it_began(programs) -> None:
    """The server's thread ends within `serving`: a move that goes on would keep it."""
    with serving() as port:
        client = SocketClient(port)
        client.start(programs["long"], args="1000000", budget=10**6)
        slow = "sum([k % 7 for k in range(3000)]) < 0"
        client.request(
            "setBreakpoints", source={"path": str(programs["long"])}, breakpoints=[{"line": 4, "condition": slow}]
        )
        client.request("continue", threadId=1)
        client.event("progressStart")
        client.close()


def test_a_client_that_does_not_read_is_not_read_from(port) -> None:
    """What is sent to it would have to be kept; so the socket fills up, and it cannot send either."""
    client = SocketClient(port)
    client.socket.settimeout(1)
    data = request(1, "initialize") * 1000

    def send_all() -> None:
        for _ in range(2_000):
            client.socket.sendall(data)

    with pytest.raises(TimeoutError):
        send_all()
    client.close()


def test_too_many_requests_that_wait_are_refused(client, programs, monkeypatch) -> None:
    monkeypatch.setattr("foretrace.dap.inbox.MAX_WAITING", 3)
    client.start(programs["long"], args="1000000", budget=10**6)
    slow = "sum([k % 7 for k in range(3000)]) < 0"
    client.request("setBreakpoints", source={"path": str(programs["long"])}, breakpoints=[{"line": 4, "condition": slow}])
    client.request("continue", threadId=1)
    client.event("progressStart")
    sent = [client.send("evaluate", expression="n") for _ in range(4)]
    with pytest.raises(Refused, match="requests wait already"):
        client.response(sent[3])
    client.request("pause", threadId=1)
    assert client.response(sent[0])["result"] == "1000000"


# -- standard input and output -------------------------------------------------------------------------


def test_over_standard_output_come_only_messages(programs) -> None:
    """Also when the program that is run for real prints: the sandbox inherits no pipe of the editor's."""
    loud = programs["letters"].with_name("loud.py")
    loud.write_text("def f(c):\n    print('noise')\n    return c\n")
    with subprocess.Popen(FORETRACE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        client = Client(process.stdout, process.stdin.write)
        client.start(loud, args="1", runAtStart=True)
        assert client.move("continue")["description"] == "the prediction ends: returns 1"
        client.request("disconnect")
        while (message := client.read()) is not None:
            assert message["type"] == "event", "all that comes is messages, up to the end"


@pytest.mark.parametrize("data", [b"", request(1, "initialize"), b"Content-Length: 10\r\n\r\n{"])
def test_it_ends_when_the_editor_does(data) -> None:
    done = subprocess.run(FORETRACE, input=data, capture_output=True, timeout=WAIT)
    assert (done.returncode, done.stderr) == (0, b"")


def test_something_else_on_standard_input_is_a_usage_error() -> None:
    done = subprocess.run(FORETRACE, input=b"hello\r\n\r\n", capture_output=True, timeout=WAIT)
    assert done.returncode == 2
    assert b"error: no header of a message: 'hello'; an editor speaks the Debug Adapter Protocol here" in done.stderr


def test_on_a_terminal_it_says_what_it_is_for() -> None:
    leader, follower = os.openpty()
    done = subprocess.run(FORETRACE, stdin=follower, capture_output=True, timeout=WAIT)
    os.close(leader)
    os.close(follower)
    assert done.returncode == 2
    assert b"an editor starts this command" in done.stderr


@contextmanager
def running(*options: str) -> Iterator[str]:
    """The command, serving a port; what it says."""
    environment = {name: value for name, value in os.environ.items() if name != "FORETRACE_TOKEN"}
    with subprocess.Popen(
        [*FORETRACE, "--port", "0", *options], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process.stderr.readline()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.stderr.read() == "stopped.\n"
    assert process.returncode == 0


def told(line: str, name: str) -> str:
    return re.search(rf'"{name}": "?([\w-]+)"?', line)[1]


def test_the_command_draws_a_token_and_says_it(programs) -> None:
    with running() as line:
        client = SocketClient(int(told(line, "port")))
        client.request("initialize")
        with pytest.raises(Refused, match="started with a token"):
            client.request("launch", program=str(programs["letters"]), function="f", args="'r'")
        assert client.start(programs["letters"], token=told(line, "token"))["reason"] == "entry"
        client.close()


def test_a_token_that_the_user_gave_is_not_printed(programs) -> None:
    with running("--token", TOKEN) as line:
        assert "token" not in line
        client = SocketClient(int(told(line, "port")))
        assert client.start(programs["letters"], token=TOKEN)["reason"] == "entry"
        client.close()


def test_without_a_token_the_command_says_none_and_lets_nobody_run(programs) -> None:
    with running("--no-token") as line:
        assert "token" not in line
        client = SocketClient(int(told(line, "port")))
        with pytest.raises(Refused, match="allowRun is refused"):
            client.start(programs["letters"], token="")
        client.close()


def test_a_token_and_none_contradict_each_other() -> None:
    done = subprocess.run([*FORETRACE, "--port", "0", "--token", TOKEN, "--no-token"], capture_output=True, timeout=WAIT)
    assert done.returncode == 2
    assert b"contradict each other" in done.stderr


def test_a_port_that_is_taken_is_said(port) -> None:
    done = subprocess.run([*FORETRACE, "--port", str(port)], capture_output=True, timeout=WAIT)
    assert done.returncode == 2
    assert b"error: " in done.stderr


def test_the_limits_are_what_the_tests_assume() -> None:
    assert protocol.MAX_MESSAGE < 99_999_999
    assert threading.active_count() < 50
