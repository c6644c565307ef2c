"""`foretrace serve` as a user starts it: what it prints, who may ask, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

COMMAND = [sys.executable, "-m", "foretrace", "serve"]


class Started:
    """A server in a process of its own, which has said that it is ready."""

    def __init__(self, *options: str, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if name not in ("FORETRACE_TOKEN", "OPENAI_API_KEY")}
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *options], env=clean | environment, stderr=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())
            if line == "ready\n":
                break
        self.url = re.search(r"http://\S+(?=/v1)", self.said[0])[0]  # type: ignore[index]

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read().splitlines()
        return code


@contextmanager
def started(*options: str, **environment: str) -> Iterator[Started]:
    server = Started(*options, **environment)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
        server.process.stderr.close()  # type: ignore[union-attr]


def failing(*options: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *options], env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_it_prints_a_token_answers_and_stops(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("def f(x):\n    return x + 1\n")
    with started() as server:
        assert server.said[0].startswith("tiny at http://127.0.0.1:")
        token = next(line for line in server.said if line.startswith("token: ")).removeprefix("token: ")
        assert httpx.get(f"{server.url}/v1/models").status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/v1/models", headers=headers).json()["data"][0]["id"] == "tiny"
        predicting = [sys.executable, "-m", "foretrace", "predict", f"{tmp_path / 'p.py'}::f", "--args", "41", "--json"]
        done = subprocess.run(
            [*predicting, "--model", f"{server.url}/v1"],
            env=os.environ | {"OPENAI_API_KEY": token},
            capture_output=True,
            text=True,
        )
        assert '"end": ' in done.stdout
        assert server.stop() == 0
        assert server.said[-1] == "stopped"


def test_a_given_token_is_not_printed_and_a_name_is_the_models() -> None:
    with started("tiny", "--name", "mine", FORETRACE_TOKEN="very-secret") as server:
        assert server.said[0].startswith("mine at ")
        assert "very-secret" not in "".join(server.said)
        headers = {"Authorization": "Bearer very-secret"}
        assert httpx.get(f"{server.url}/v1/models", headers=headers).json()["data"][0]["id"] == "mine"
        assert server.stop(signal.SIGTERM) == 0


def test_without_a_token_it_says_so() -> None:
    with started("--no-token", "--allow-host", "Proxy.example") as server:
        assert any(line.startswith("no token") for line in server.said)
        assert httpx.get(f"{server.url}/v1/models").status_code == 200
        assert httpx.get(f"{server.url}/v1/models", headers={"Host": "evil.com"}).status_code == 403
        assert httpx.get(f"{server.url}/v1/models", headers={"Host": "proxy.example:443"}).status_code == 200


def accepts(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/health").is_success)
    except httpx.TransportError:
        return False


def test_a_second_signal_cuts_off_what_still_runs() -> None:
    with started("--no-token") as server:
        body = {"prompt": "x", "max_tokens": 4000, "ignore_eos": True, "n": 64}
        outcome: list[Any] = []

        def ask() -> None:
            try:
                outcome.append(httpx.post(f"{server.url}/v1/completions", json=body, timeout=60).status_code)
            except httpx.TransportError as error:
                outcome.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while "sequences_running 0" in httpx.get(f"{server.url}/metrics").text:
            pass
        server.process.send_signal(signal.SIGINT)
        while accepts(server.url):  # it takes no more connections, but waits for the answer
            pass
        since = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - since < 5  # of the ten seconds that it would have given it
        asking.join(20)
        assert outcome != [200]
        assert not any("Traceback" in line or "Error" in line for line in server.said), server.said


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--no-token", "--host", "0.0.0.0"], 5, "leave out --no-token, or bind 127.0.0.1"),
        (["--no-token", "--token", "x"], 2, "contradict"),
        (["--token", "a b"], 2, "choose another"),
        (["no-such-model"], 2, "no model called 'no-such-model'"),
        (["torch:tiny"], 2, "use vLLM"),
        (["--host", "no.such.host.invalid"], 2, "no address"),
        (["--seconds", "0"], 2, "--seconds"),
    ],
)
def test_what_does_not_start(options: list[str], code: int, message: str) -> None:
    found, said = failing("--port", "0", *options)
    assert (found, message in said) == (code, True), said
    assert "Traceback" not in said


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = failing("--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "try another --port, or 0" in said


def test_without_what_it_needs_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from foretrace.cli.main import main; sys.argv = ['foretrace', 'serve']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, 'error: serving needs uvicorn: pip install "foretrace[serve]"\n')


def test_help_has_examples() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for part in (
        "foretrace serve runs/tiny/run/checkpoint --port 0",
        "FORETRACE_TOKEN",
        "--no-token",
        "Nothing is ever executed",
    ):
        assert part in done.stdout
