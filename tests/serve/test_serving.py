"""The server as a whole: many clients, clients that go away, an end, and what it counts."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")

from serving import HEADERS, SOURCE, TOKEN, serving

from foretrace.engine import TokenPredictor, build_prompt, load_predictor
from foretrace.serve.model import Limits, ServedModel

IDS = {n: build_prompt(SOURCE.replace("x + 1", f"x * {n}"), "f", str(n)) for n in range(16)}


def get(url: str, path: str, **headers: str) -> Any:
    return httpx.get(url + path, headers=HEADERS | headers)


def metric(url: str, name: str) -> float:
    [line] = [line for line in get(url, "/metrics").text.splitlines() if line.startswith(f"foretrace_{name} ")]
    return float(line.split()[-1])


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_sixteen_clients_at_once_get_what_each_gets_alone(url: str, served: ServedModel) -> None:
    def ask(number: int) -> list[Any]:
        prompt, found = IDS[number], []
        ids = served.tokenizer.encode(prompt.segments)
        with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as client:
            for temperature in (0.0, 1.5):
                body = {"prompt": ids, "max_tokens": 60, "temperature": temperature, "seed": number, "logprobs": 1}
                found.append(client.post("/v1/completions", json=body).json()["choices"])
                stream = client.post("/v1/completions", json={**body, "stream": True}).text
                found.append("".join(json.loads(e[6:])["choices"][0]["text"] for e in stream.split("\n\n") if "{" in e))
            call = {"source": prompt.call.source, "entry": "f", "arguments": str(number)}
            found.append(client.post("/v1/traces/predict", json=call).text)
        return found

    alone = [ask(number) for number in IDS]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, IDS))
    assert together == alone
    assert [found[0][0]["text"] for found in alone] == [found[1] for found in alone]
    assert len({found[0][0]["text"] for found in alone}) == len(IDS)


def test_our_own_client_predicts_and_scores_through_it(
    url: str, served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
    remote, here = load_predictor(f"{url}/v1"), TokenPredictor(served.engine)
    prompt = IDS[3]
    ours, theirs = (list(p.steps(prompt, prompt.frames, budget=80)) for p in (remote, here))
    assert [step.frame for step in ours] == [step.frame for step in theirs]
    for step, other in zip(ours, theirs, strict=True):
        assert step.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert [v.margin for v in step.values] == pytest.approx([v.margin for v in other.values], abs=1e-4)
    frames = [*prompt.frames, *(step.frame for step in theirs)]
    for step, other in zip(remote.score(prompt, frames), here.score(prompt, frames), strict=True):
        assert step.logprob == pytest.approx(other.logprob, abs=1e-3)
    assert remote.events(prompt, prompt.frames) == pytest.approx(here.events(prompt, prompt.frames), abs=1e-5)
    ours_drawn, theirs_drawn = (list(p.steps(prompt, prompt.frames, budget=60, temperature=2.0)) for p in (remote, here))
    assert [step.frame for step in ours_drawn] == [step.frame for step in theirs_drawn]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/traces/predict"])
def test_a_client_that_goes_away_frees_its_place(url: str, served: ServedModel, path: str, stream: bool) -> None:
    body: dict[str, Any] = {"prompt": "x", "max_tokens": 4000, "ignore_eos": True, "n": 5}
    if "traces" in path:
        body = {"source": "def f(n):\n    while True:\n        n += 1\n", "entry": "f", "arguments": "0"}
    data, cancelled = json.dumps({**body, "stream": stream}).encode(), metric(url, "requests_cancelled_total")
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        connection.sendall(head.encode() + data)
        wait_until(lambda: served.batcher.running > 0)
        if stream:
            assert connection.recv(10).startswith(b"HTTP/1.1")
    wait_until(lambda: metric(url, "requests_cancelled_total") == cancelled + 1)
    wait_until(lambda: served.batcher.running + served.batcher.waiting == 0)


def test_the_end_lets_short_answers_finish_and_cuts_off_long_ones() -> None:
    long = {"prompt": "x", "max_tokens": 4000, "ignore_eos": True, "temperature": 0}
    answers: dict[str, Any] = {}

    def ask(name: str, body: dict[str, Any]) -> None:
        try:
            answers[name] = httpx.post(f"{url}/v1/completions", json=body, headers=HEADERS, timeout=60)
        except httpx.TransportError as error:
            answers[name] = error

    with serving(Limits(threads=1, places=32), grace=1.5) as (url, served):
        threads = [
            threading.Thread(target=ask, args=("short", {**long, "max_tokens": 20})),
            threading.Thread(target=ask, args=("long", {**long, "n": 8})),
            threading.Thread(target=ask, args=("stream", {**long, "n": 8, "stream": True})),
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: served.batcher.running + served.batcher.waiting > 12)
    for thread in threads:
        thread.join(20)
    assert answers["short"].status_code == 200
    assert (answers["long"].status_code, answers["long"].headers["retry-after"]) == (503, "5")
    *_, problem, end = [part for part in answers["stream"].text.split("\n\n") if part]
    assert ("being stopped" in problem, end) == (True, "data: [DONE]")


def test_the_token_is_asked_for_everywhere_but_for_health(url: str) -> None:
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    for path in ("/v1/models", "/metrics", "/openapi.json", "/v1/completions", "/nothing"):
        answer = httpx.get(url + path)
        assert answer.status_code == 401
        assert TOKEN not in answer.text


def test_foreign_names_and_pages_are_refused(url: str) -> None:
    assert get(url, "/v1/models", Host="evil.com").status_code == 403
    assert get(url, "/v1/models", Origin="http://evil.com").status_code == 403
    assert get(url, "/health", Host="evil.com").status_code == 403


def test_what_is_not_there(url: str) -> None:
    for path in ("/", "/v1", "/v1/chat/completions", "/../etc/passwd", "/v1/models/../../etc/passwd", "/v1/models/other"):
        answer = get(url, path)
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "not_found_error"
    answer = get(url, "/v1/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    big = httpx.post(f"{url}/v1/completions", content=b" " * (5 << 20), headers=HEADERS)
    assert big.status_code == 413


def test_what_is_counted(url: str) -> None:
    before = {name: metric(url, name) for name in ("prompt_tokens_total", "generated_tokens_total", "batch_size_count")}
    body = {"prompt": [5, 6, 7], "max_tokens": 4, "ignore_eos": True, "stream": True}
    for _ in range(2):
        assert httpx.post(f"{url}/v1/completions", json=body, headers=HEADERS).status_code == 200
    assert metric(url, "prompt_tokens_total") == before["prompt_tokens_total"] + 6
    assert metric(url, "generated_tokens_total") == before["generated_tokens_total"] + 8
    assert metric(url, "batch_size_count") >= before["batch_size_count"] + 8
    answer = get(url, "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert metric(url, "sequences_running") == metric(url, "sequences_waiting") == 0
    lines = answer.text.splitlines()
    assert any(line.startswith('foretrace_requests_total{path="/v1/completions",status="200"}') for line in lines)
    buckets = [int(line.split()[-1]) for line in lines if line.startswith("foretrace_request_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert f"foretrace_request_seconds_count {buckets[-1]}" in lines
    for path in ("/v1/secret", "/v1/models/other"):
        get(url, path)
    assert "secret" not in get(url, "/metrics").text
