"""The engine on a server, against a real server on this machine that answers as vLLM does, or as others do."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx")

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import Engine, FrameGrammar, Generation, TokenPredictor, build_prompt, load, load_predictor
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import EndpointError, UsageError
from foretrace.trace import Token, to_text

Body = dict[str, Any]
SOURCE = "def f(x):\n    y = x + 1\n    for i in range(2):\n        y = y * i\n    return y\n"
PROMPT = build_prompt(SOURCE, "f", "3")


class Served:
    """`tiny` behind HTTP, with vLLM's fields. `change` may make of an answer what another server would say."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.requests: list[Body] = []
        self.models: Any = {"data": [{"id": "tiny", "max_model_len": 4096}, {"id": "other", "max_model_len": 100}]}
        self.change: Callable[[Body], Any] = lambda answer: answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.say(outer.models)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                self.say(outer.change(outer.answer(body)))

            def say(self, content: Any) -> None:
                data = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def answer(self, body: Body) -> Body:
        ids = body["prompt"]
        settings = {name: body[name] for name in ("max_tokens", "temperature")} | {"stop": body.get("stop_token_ids", ())}
        [generation] = self.engine.generate([ids], seed=body.get("seed", 0), **settings)
        text = to_text(s for s in self.engine.tokenizer.decode(generation.tokens) if not isinstance(s, Token))
        choice = {
            "index": 0,
            "text": text,
            "token_ids": generation.tokens,
            "finish_reason": generation.finish,
            "stop_reason": generation.tokens[-1] if generation.finish == "stop" else None,
            "logprobs": self.logprobs(ids, generation, body["logprobs"]),
        }
        if "prompt_logprobs" in body:
            choice["prompt_logprobs"] = self.prompt_logprobs(ids)
        return {"model": "tiny", "choices": [choice], "usage": {"prompt_tokens": len(ids)}}

    def logprobs(self, ids: list[int], generation: Generation, count: int) -> Body:
        top = []
        for at, (token, logprob) in enumerate(zip(generation.tokens, generation.logprobs, strict=True)):
            likeliest = dict(self.engine.top_next([*ids, *generation.tokens[:at]], count)) | {token: logprob}
            top.append({f"token_id:{t}": value for t, value in likeliest.items()})
        tokens = [f"token_id:{token}" for token in generation.tokens]
        return {"tokens": tokens, "token_logprobs": generation.logprobs, "top_logprobs": top}

    def prompt_logprobs(self, ids: list[int]) -> list[Body | None]:
        best, actual = self.engine.predict_next(ids)
        entries: list[Body | None] = [None]
        for at, token in enumerate(ids[1:]):
            likeliest, logprob = self.engine.top_next(ids[: at + 1], 1)[0]
            assert likeliest == best[at]
            found = {token: float(actual[at]), likeliest: logprob}
            entries.append({str(t): {"logprob": value, "rank": 1, "decoded_token": "?"} for t, value in found.items()})
        return entries


@pytest.fixture(scope="module")
def tiny() -> Engine:
    return load("tiny")


@pytest.fixture
def server(tiny: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    started = Served(tiny)
    yield started
    started.http.shutdown()
    started.http.server_close()


def test_it_predicts_what_the_served_model_predicts(server: Served, tiny: Engine) -> None:
    ours = load_predictor(server.url).steps(PROMPT, PROMPT.frames, budget=60)
    theirs = TokenPredictor(tiny).steps(PROMPT, PROMPT.frames, budget=60)
    steps, expected = list(ours), list(theirs)
    assert [s.frame for s in steps] == [s.frame for s in expected]
    assert len(steps) >= 2
    assert ours.finish == theirs.finish
    for step, other in zip(steps, expected, strict=True):
        for value, reference in zip(step.values, other.values, strict=True):
            assert value.logprob == pytest.approx(reference.logprob, abs=1e-3)
            assert value.margin == pytest.approx(reference.margin, abs=1e-2)


def test_what_a_request_says(server: Served) -> None:
    engine = load(server.url)
    stops = [engine.tokenizer.id_of(Token.FRAME_SEP), engine.tokenizer.id_of(Token.END_OF_TEXT)]
    ids = engine.tokenizer.encode(PROMPT.segments)
    [first, second] = engine.generate([ids, ids], max_tokens=8, temperature=0.5, top_p=0.9, seed=7, stop=stops)
    assert (len(first.tokens), len(second.tokens)) == (8, 8)
    said = sorted(server.requests, key=lambda body: body["seed"])
    assert [body.pop("seed") for body in said] == [7, 8]
    assert said[0] == said[1] == {
        "model": "tiny", "prompt": ids, "max_tokens": 8, "temperature": 0.5, "top_p": 0.9, "stop_token_ids": sorted(stops),
        "logprobs": 2, "add_special_tokens": False, "skip_special_tokens": False, "spaces_between_special_tokens": False,
        "return_token_ids": True, "return_tokens_as_token_ids": True,
    }  # fmt: skip


def test_a_real_trace_is_scored_by_the_logprobs_of_the_prompt(server: Served, tiny: Engine) -> None:
    engine = load(server.url)
    ids = tiny.tokenizer.encode(PROMPT.segments)[-30:]
    for ours, theirs in zip(engine.predict_next(ids), tiny.predict_next(ids), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert server.requests[-1]["prompt_logprobs"] == 1


def test_next_tokens_and_what_stops_it(server: Served, tiny: Engine) -> None:
    engine = load(server.url)
    ids = tiny.tokenizer.encode(PROMPT.segments)
    ours, theirs = engine.top_next(ids, 5), tiny.top_next(ids, 5)
    assert [token for token, _ in ours] == [token for token, _ in theirs]
    np.testing.assert_allclose([p for _, p in ours], [p for _, p in theirs], atol=1e-4)
    assert engine.generate([ids], max_tokens=3)[0].finish == "length"
    small = load(f"{server.url},model=other,tokenizer=tiny")
    assert small.context_length == 99
    assert small.generate([(ids * 3)[:97]], max_tokens=9)[0].finish == "context"
    assert small.generate([(ids * 3)[:99]], max_tokens=9) == [Generation([], [], "context")]


def as_sglang(answer: Body) -> Body:
    """Tokens by their texts, and the token that it stopped at left out."""
    [choice] = answer["choices"]
    tokenizer = Tokenizer.load(packaged_checkpoints()["tiny"])

    def text(key: str) -> str:
        [segment] = tokenizer.decode([int(key.removeprefix("token_id:"))]) or [""]
        return str(segment)

    found = choice["logprobs"]
    found["top_logprobs"] = [{text(key): value for key, value in some.items()} for some in found["top_logprobs"]]
    choice["matched_stop"] = choice.pop("stop_reason")
    if choice["matched_stop"] is not None:
        choice["token_ids"].pop()
    choice.pop("prompt_logprobs", None)
    return answer


def test_a_server_that_names_tokens_by_their_texts(server: Served, tiny: Engine) -> None:
    server.change = as_sglang
    predictor = load_predictor(server.url)
    ours = list(predictor.steps(PROMPT, PROMPT.frames, budget=40))
    assert [s.frame for s in ours] == [s.frame for s in TokenPredictor(tiny).steps(PROMPT, PROMPT.frames, budget=40)]
    events = predictor.events(PROMPT, PROMPT.frames)
    assert max(events, key=events.__getitem__) is ours[0].frame.event
    with pytest.raises(EndpointError, match=r"predicts, but does not score\n  the reply has no prompt_logprobs"):
        predictor.score(PROMPT, PROMPT.frames)


def without(field: str) -> Callable[[Body], Body]:
    def change(answer: Body) -> Body:
        del answer["choices"][0][field]
        return answer

    return change


def replaced(**fields: Any) -> Callable[[Body], Body]:
    def change(answer: Body) -> Body:
        answer["choices"][0] |= fields
        return answer

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without("token_ids"),
            r"/v1 answers, but drops trace tokens\n  the reply has no <\|frame_sep\|>.*\n  I asked for skip_",
        ),
        (replaced(token_ids=None, text="<|line_sep|>{}"), r"answers, but gives no token ids\n  the reply is text only"),
        (without("logprobs"), r"answers, but gives no log-probabilities\n  I asked for logprobs"),
        (replaced(logprobs={"token_logprobs": [1.0]}), "in another form than vLLM's"),
        (replaced(logprobs={"token_logprobs": [-1.0], "top_logprobs": [{"token_id:3": -1.0}]}), "in another form"),
        (replaced(token_ids=[10**6] * 5), "a token that its tokenizer lacks"),
        (replaced(finish_reason="abort"), "broke off after 5 tokens"),
        (replaced(token_ids=[], stop_reason=None), "wrote no token"),
        (lambda answer: {"choices": []}, "answers, but no completion"),
        (lambda answer: ["?"], "answers, but no completion"),
    ],
)
def test_a_server_that_answers_something_else_is_a_clear_error(server: Served, change: Any, message: str) -> None:
    engine = load(server.url)
    server.change = change
    with pytest.raises(EndpointError, match=message) as caught:
        engine.generate([engine.tokenizer.encode(PROMPT.segments)], max_tokens=5)
    assert str(caught.value).startswith(server.url)


def test_a_server_that_scores_another_text(server: Served) -> None:
    engine = load(server.url)
    server.change = replaced(prompt_logprobs=[None, {"5": {"logprob": -1.0}}])
    with pytest.raises(EndpointError, match="scored another text than it was sent"):
        engine.predict_next([1, 2, 3])


@pytest.mark.parametrize(
    ("models", "options", "error", "message"),
    [
        ({"data": [{"id": "m", "max_model_len": 10}]}, "", UsageError, "no tokenizer of 'm', which http.* name the folder"),
        ({"data": [{"id": "m", "max_model_len": 10}]}, ",tokenizer=none", UsageError, "no tokenizer none"),
        ({"data": [{"id": "tiny"}]}, "", UsageError, "does not say how many tokens it takes; say it: .*context=32768"),
        ({"data": [{"id": "tiny"}]}, ",model=big", UsageError, "has no model 'big'; it serves: tiny"),
        ({"data": []}, "", EndpointError, "serves no model"),
        ({"error": "?"}, "", EndpointError, "lists no models"),
        ({"data": [{"id": "tiny"}]}, ",modell=big", UsageError, "no option 'modell=big'"),
    ],
)
def test_what_must_be_said_is_asked_for(server: Served, models: Any, options: str, error: Any, message: str) -> None:
    server.models = models
    with pytest.raises(error, match=message):
        load(server.url + options)


def test_options_say_what_a_server_does_not(server: Served) -> None:
    server.models = {"data": [{"id": "served"}]}
    engine = load(f"{server.url},model=served,tokenizer=tiny,context=500")
    assert (engine.context_length, engine.name) == (499, server.url)
    assert engine.tokenizer.vocab_size == 1024


def test_what_a_server_cannot_do(server: Served, tiny: Engine) -> None:
    engine = load(server.url)
    with pytest.raises(UsageError, match="cannot decode under the grammar"):
        engine.generate([[1]], max_tokens=1, grammars=[FrameGrammar(tiny.tokenizer, PROMPT)])
    with pytest.raises(UsageError, match="empty prompt"):
        engine.generate([[]], max_tokens=1)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(EndpointError, match=r"cannot reach http://127\.0\.0\.1:9/v1/models"):
        load("http://127.0.0.1:9/v1")
