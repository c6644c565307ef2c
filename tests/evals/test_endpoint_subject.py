"""A model on a server under test, against a real server on this machine that says what a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import plan, sums

pytest.importorskip("httpx")

from foretrace.errors import UsageError
from foretrace.evals.run import carry_out
from foretrace.evals.subjects import find_subject
from foretrace.evals.summary import summarise

Body = dict[str, Any]


class Server:
    """Answers a chat or a completion with what `reply` makes of the request: a status and a choice."""

    def __init__(self) -> None:
        self.requests: list[Body] = []
        self.reply: Callable[[Body], tuple[int, Body]] = lambda body: (200, said(f"= {2 * number_of(body)}"))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.say(200, {"data": [{"id": "the-model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body | {"path": self.path})
                status, choice = outer.reply(body)
                usage = {"prompt_tokens": 100, "completion_tokens": 10}
                self.say(status, {"model": "the-model", "choices": [choice], "usage": usage})

            def say(self, status: int, content: Body) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


def said(text: str | None, finish: str = "stop", **more: Any) -> Body:
    return {"message": {"role": "assistant", "content": text} | more, "text": text, "finish_reason": finish}


def number_of(body: Body) -> int:
    return int(body["messages"][-1]["content"].rstrip("?").split()[-1] if "messages" in body else body["prompt"].split()[0])


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.http.shutdown()
    started.http.server_close()


def run(server: Server, folder: Path, more: str = "", **sampling: Any) -> Any:
    found = carry_out([plan(sums(6), **sampling)], find_subject(server.url + more), folder, workers=2)
    return found.parts["sums.plain"], found


def test_a_chat_is_asked_as_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("You think first.\n")
    more = f",system={tmp_path / 'system.txt'},thinking=yes,prices=1+10"
    part, found = run(server, tmp_path / "run", more, temperature=0.6, top_p=0.9, max_tokens=64, samples=2)
    assert summarise(part).unparsable.hits == 12  # the template began a thought that nobody ended
    request = server.requests[0]
    assert request["path"] == "/v1/chat/completions"
    assert request["messages"][0] == {"role": "system", "content": "You think first."}
    assert request["messages"][1]["content"].startswith("What is twice")
    settings = {key: request[key] for key in ("model", "temperature", "top_p", "max_tokens", "chat_template_kwargs")}
    assert settings == {
        "model": "the-model",
        "temperature": 0.6,
        "top_p": 0.9,
        "max_tokens": 64,
        "chat_template_kwargs": {"enable_thinking": True},
    }
    assert len({request["seed"] for request in server.requests}) == 12
    assert found.model["settings"]["system"] == "You think first."
    assert summarise(part).used == pytest.approx(
        {"prompt_tokens": 1200, "tokens": 120, "cost": 12 * (100 + 10 * 10) / 1e6, "seconds": 0, "score_seconds": 0}, abs=5
    )


def test_greedy_answers_come_in_whatever_order(server: Server, tmp_path: Path) -> None:
    part, _ = run(server, tmp_path / "run", ",concurrency=3")
    assert [sample.strict for sample in part.samples()] == [True] * 6
    assert not {"seed", "top_p", "chat_template_kwargs", "stop"} & server.requests[0].keys()


@pytest.mark.parametrize(
    ("choice", "raw", "strict"),
    [
        (lambda n: said(f"= {n}", reasoning_content="= 1?"), "<think>\n= 1?\n</think>\n= 4", True),
        (lambda n: said(f"= 1?\n</think>= {n}"), "<think>\n= 1?\n</think>= 4", True),
        (lambda n: said(f"<think>= 1?</think>= {n}"), "<think>= 1?</think>= 4", True),
        (lambda n: said(None, "length", reasoning_content=f"= {n}"), "<think>\n= 4", False),
        (lambda n: said(f"= {n}", "length"), "<think>\n= 4", False),
    ],
    ids=["beside", "opened by the template", "in the text", "cut, beside", "cut, in the text"],
)
def test_a_thought_is_kept_and_is_no_answer(
    server: Server, tmp_path: Path, choice: Callable[[int], Body], raw: str, strict: bool
) -> None:
    server.reply = lambda body: (200, choice(2 * number_of(body)))
    part, _ = run(server, tmp_path / "run", ",model=m,thinking=yes")
    [sample] = [sample for sample in part.samples() if sample.item == "sum-2"]
    assert (sample.raw, sample.strict, sample.truncated) == (raw, strict, not strict)


def test_completions_have_the_text_and_its_stops(server: Server, tmp_path: Path) -> None:
    part, _ = run(server, tmp_path / "run", ",api=completions,model=base")
    assert all(sample.strict for sample in part.samples())
    request = next(request for request in server.requests if request["prompt"] == "2 + 2")
    assert (request["path"], request["stop"], request["model"]) == ("/v1/completions", ["\n"], "base")


def test_what_a_server_refuses_is_asked_again_by_the_next_run(server: Server, tmp_path: Path) -> None:
    good = server.reply
    server.reply = lambda body: (400, {}) if number_of(body) == 3 else good(body)
    part, _ = run(server, tmp_path / "run", ",model=m")
    [broken] = [sample for sample in part.samples() if sample.is_broken]
    assert "answered 400" in broken.error
    assert summarise(part).passes["strict"][1].count == 5
    server.reply, asked = good, len(server.requests)
    part, _ = run(server, tmp_path / "run", ",model=m")
    assert len(server.requests) == asked + 1
    assert all(sample.strict for sample in part.samples())


def test_a_question_that_does_not_fit_is_the_models_failure(server: Server, tmp_path: Path) -> None:
    good = server.reply
    refusal = {"message": "This model's maximum context length is 512 tokens, however you requested 600"}
    server.reply = lambda body: (400, refusal) if number_of(body) == 3 else good(body)
    part, _ = run(server, tmp_path / "run", ",model=m")
    [failed] = [sample for sample in part.samples() if not sample.strict]
    assert (failed.item, failed.reason, failed.truncated, failed.error) == ("sum-3", "unparsable", True, "")
    assert summarise(part).passes["strict"][1].count == 6


def test_money_that_is_spent_ends_the_run(server: Server, tmp_path: Path) -> None:
    more = ",model=m,concurrency=1,prices=1000+1000,cost=0.3"  # 0.11 an answer
    found = carry_out([plan(sums(12))], find_subject(server.url + more), tmp_path / "run")
    samples = found.parts["sums.plain"].samples()
    assert sum(sample.strict for sample in samples) == 3
    assert "the cost limit is reached" in samples[-1].detail


@pytest.mark.parametrize("option", ["prices=inf", "prices=1+nan", "cost=nan", "cost=inf", "timeout=inf"])
def test_limits_are_finite(option: str) -> None:
    with pytest.raises(UsageError, match="is no finite number"):
        find_subject(f"http://localhost:1/v1,model=m,{option}")
