"""`/v1/traces`: predictions are those of the engine, with calibrated probabilities; scores are those of a session."""

import json
import re
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")

from serving import HEADERS, SOURCE, serving

from foretrace.debug.confidence import confidence_of
from foretrace.engine import Step, StopReason, TokenPredictor, build_prompt, predict
from foretrace.record import record_source
from foretrace.serve.model import Limits, ServedModel
from foretrace.trace import Outcome, read_jsonl, write_jsonl

CALL = {"source": SOURCE, "entry": "f", "arguments": "3"}
RAISES = "def f(n):\n    try:\n        n.x\n    except AttributeError:\n        n = 2\n    return n // 0\n"


def post(url: str, verb: str, /, **body: Any) -> Any:
    return httpx.post(f"{url}/v1/traces/{verb}", content=json.dumps(body), headers=HEADERS, timeout=60)


def recorded(tmp_path: Any, source: str = SOURCE, arguments: str = "3") -> tuple[Any, str]:
    trace = record_source(source, "f", arguments)
    with (tmp_path / "t.jsonl").open("w+") as file:
        write_jsonl(trace, file)
        file.seek(0)
        return trace, file.read()


@pytest.mark.parametrize("grammar", [False, True])
def test_a_prediction_is_the_engines(url: str, served: ServedModel, grammar: bool) -> None:
    answer = post(url, "predict", **CALL, grammar=grammar)
    assert answer.headers["content-type"].startswith("application/jsonl")
    [trace] = read_jsonl(answer.text.splitlines())
    expected = predict(served.engine, SOURCE, "f", "3", grammar=grammar)
    assert trace.frames == expected.frames
    assert (trace.header.outcome, trace.header.kind, trace.header.model) == (Outcome.RETURNED, "predicted", "tiny")
    assert (trace.header.source, trace.header.entry, trace.header.arguments) == (SOURCE, "f", {"x": "3"})


@pytest.mark.parametrize("source", [SOURCE, RAISES])
def test_its_probabilities_are_the_calibrated_ones(url: str, served: ServedModel, source: str) -> None:
    confidence = confidence_of("tiny")
    assert confidence.is_calibrated
    prompt = build_prompt(source, "f", "3")
    given = [Step(frame, 0.0, 0.0, 0.0, (), 0) for frame in prompt.frames]
    steps = [*given, *TokenPredictor(served.engine).steps(prompt, prompt.frames, budget=500)]
    lines = [json.loads(line) for line in post(url, "predict", source=source, entry="f", arguments="3").text.splitlines()]
    assert len(lines) == len(steps) + 2
    assert "p" not in lines[1]  # it is given
    for at, line in enumerate(lines[2:-1], 1):
        assert line["p"]["values"] == pytest.approx(dict(confidence.sure(steps, at, 0)), abs=1e-4)
        assert line["p"]["line"] == pytest.approx(confidence.line(steps, at, 0), abs=1e-4)
    assert lines[-1]["tokens"] == sum(step.tokens for step in steps)


def test_a_stream_is_the_same_line_by_line(url: str) -> None:
    whole = post(url, "predict", **CALL).text.splitlines()
    answer = post(url, "predict", **CALL, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = [part.split("\n") for part in answer.text.strip().split("\n\n")]
    assert [data.removeprefix("data: ") for _, data in found] == whole
    names = [name for name, _ in found]
    assert names == ["event: header", *["event: frame"] * (len(whole) - 2), "event: end"]


def test_a_budget_cuts_it(url: str) -> None:
    [trace] = read_jsonl(post(url, "predict", **CALL, max_tokens=20).text.splitlines())
    assert (trace.header.outcome, trace.header.detail) == (Outcome.TRUNCATED, "tokens")
    assert len(trace) > 1
    long = SOURCE + "\n" * 3 + "# a comment\n" * 2000  # more than the context holds
    [trace] = read_jsonl(post(url, "predict", source=long, entry="f", arguments="3").text.splitlines())
    assert (trace.header.detail, len(trace)) == (StopReason.CONTEXT, 1)


def test_a_real_trace_is_scored(url: str, served: ServedModel, tmp_path: Any) -> None:
    trace, text = recorded(tmp_path)
    answer = post(url, "score", trace=text).json()
    steps = TokenPredictor(served.engine).score(build_prompt(SOURCE, "f", "3"), trace.frames)
    assert (answer["frames"], answer["scored"], len(answer["steps"])) == (len(trace), len(steps), len(steps))
    assert answer["nats"] == pytest.approx(-sum(step.logprob for step in steps), abs=1e-3)
    for ours, step in zip(answer["steps"], steps, strict=True):
        assert (ours["ev"], ours["line"]) == (step.frame.event, step.frame.line)
        assert ours["nats"] == pytest.approx(-step.logprob, abs=1e-3)
        assert ours["values"] == pytest.approx({v.name: -v.logprob for v in step.values}, abs=1e-3)


def test_of_a_long_trace_what_fits_is_scored(url: str, tmp_path: Any) -> None:
    trace, text = recorded(
        tmp_path, "def f(n):\n    s = 0\n    while n:\n        s += n\n        n -= 1\n    return s\n", "400"
    )
    answer = post(url, "score", trace=text).json()
    assert answer["frames"] == len(trace)
    assert 20 < answer["scored"] < len(trace)
    assert answer["tokens"] <= 4096


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("predict", {"source": "def f(:", "entry": "f"}, "does not parse at line 1"),
        ("predict", {"source": "def f(): pass", "entry": "g"}, "no function 'g'"),
        ("predict", {"source": "def f(a): pass", "entry": "f", "arguments": "1, 2"}, "too many|positional"),
        ("predict", {"source": "def f(a): pass", "entry": "f", "arguments": "__import__('os')."}, "argument"),
        ("predict", {"source": "x = " + "(" * 5000, "entry": "f"}, "does not parse"),
        ("predict", {"source": "x\0", "entry": "f"}, "does not parse"),
        ("predict", {"source": "def f(): pass"}, "entry is missing"),
        ("predict", {"source": "def f(): pass", "entry": "f", "path": "/etc/passwd"}, "path is not known"),
        ("predict", {"source": "x" * 200_001, "entry": "f"}, "at most 200,000 characters"),
        ("score", {"trace": "{}"}, "line 1 is not part of a trace"),
        ("score", {"trace": "\n"}, "line 1"),
        ("score", {}, "trace is missing"),
    ],
)
def test_what_cannot_be_answered(url: str, path: str, body: dict[str, Any], message: str) -> None:
    for stream in (False, True) if path == "predict" else (None,):
        answer = post(url, path, **body, **({} if stream is None else {"stream": stream}))
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json"
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert re.search(message, error["message"])


def test_lone_surrogates_come_back(url: str, tmp_path: Any) -> None:
    _, text = recorded(tmp_path)
    answer = post(url, "score", trace=text.replace('"y"', '"y\\ud800"'))
    assert "y\ud800" in answer.json()["steps"][2]["values"]
    with_line = text.replace('"y"', '"y\u2028"')  # a line separator, but no end of a line
    assert "y\u2028" in post(url, "score", trace=with_line).json()["steps"][2]["values"]
    assert post(url, "predict", source="def f(x):\n    return '\ud800'\n", entry="f", arguments="1").status_code in (
        200,
        400,
    )


def test_two_traces_are_one_too_many(url: str, tmp_path: Any) -> None:
    _, text = recorded(tmp_path)
    assert "one trace" in post(url, "score", trace=text * 2).json()["error"]["message"]
    lines = text.splitlines(keepends=True)
    assert post(url, "score", trace="".join([lines[0], *lines[2:]])).status_code == 400  # it does not begin with a call
    assert post(url, "score", trace="".join(lines[:-1])).status_code == 400


def test_nothing_is_executed(url: str, tmp_path: Any) -> None:
    made = tmp_path / "made"
    source = f"open({str(made)!r}, 'w')\ndef f(x=open({str(made)!r}, 'w')):\n    open({str(made)!r}, 'w')\n    return x\n"
    for arguments in ("", f"open({str(made)!r}, 'w')"):
        assert post(url, "predict", source=source, entry="f", arguments=arguments, max_tokens=200).status_code == 200
    assert not made.exists()


def test_too_slow_an_answer() -> None:
    slow = {"source": "def f(n):\n    while True:\n        n += 1\n", "entry": "f", "arguments": "0"}
    with serving(Limits(traces=1, seconds=0.2, threads=1)) as (url, _):
        answer = post(url, "predict", **slow)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "time_limit")
        streamed = post(url, "predict", **slow, stream=True)
        assert streamed.status_code == 200
        assert streamed.text.strip().split("\n\n")[-1].startswith("event: error")


def test_more_traces_than_may_be_predicted_at_a_time() -> None:
    busy = {"prompt": "x", "max_tokens": 4000, "ignore_eos": True, "n": 16, "stream": True}
    limits = Limits(traces=1, threads=1, places=1)
    with (
        serving(limits) as (url, _),
        httpx.Client(headers=HEADERS, timeout=60) as client,
        ThreadPoolExecutor() as pool,
    ):
        with client.stream("POST", f"{url}/v1/completions", json=busy) as answer:
            next(answer.iter_lines())  # the only place is taken
            both = [pool.submit(post, url, "predict", **CALL) for _ in range(2)]
            [done], [waiting] = wait(both, timeout=30, return_when=FIRST_COMPLETED)
            refused = done.result()
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert waiting.result(30).status_code == 200  # now that the client has gone which was before it
        assert post(url, "predict", **CALL).status_code == 200
