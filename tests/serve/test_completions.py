"""`/v1/completions` by the real `openai` client and by plain HTTP: what is said is what the engine says."""

import json
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")
openai = pytest.importorskip("openai")

from serving import HEADERS, SOURCE, TOKEN, serving

from foretrace.engine import build_prompt
from foretrace.serve.model import Limits, ServedModel
from foretrace.trace import Token, to_text

PROMPT = build_prompt(SOURCE, "f", "3")
TEXT = to_text(PROMPT.segments)
Answer = dict[str, Any]


@pytest.fixture
def client(url: str) -> Any:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0)


@pytest.fixture
def ids(served: ServedModel) -> list[int]:
    return served.tokenizer.encode(PROMPT.segments)


def ask(url: str, **body: Any) -> Any:
    return httpx.post(f"{url}/v1/completions", json={"temperature": 0, **body}, headers=HEADERS, timeout=60)


def choice(url: str, **body: Any) -> Answer:
    answer = ask(url, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["choices"][0])


def events(url: str, **body: Any) -> list[Answer]:
    """The objects of a stream, which must end as streams do."""
    answer = ask(url, stream=True, **body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def expected(served: ServedModel, ids: list[int], max_tokens: int, **settings: Any) -> list[int]:
    end = served.tokenizer.id_of(Token.END_OF_TEXT)
    return list(served.engine.generate([ids], max_tokens=max_tokens, stop=[end], **settings)[0].tokens)


# -- by the openai client ---------------------------------------------------------------------------------


def test_the_client_lists_the_models(client: Any) -> None:
    [model] = client.models.list().data
    assert (model.id, model.max_model_len) == ("tiny", 4096)
    assert client.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_a_text_is_continued_as_by_the_engine(client: Any, served: ServedModel, ids: list[int]) -> None:
    tokens = expected(served, ids, 25)
    answer = client.completions.create(model="tiny", prompt=TEXT, max_tokens=25, temperature=0)
    assert answer.choices[0].text == to_text(served.tokenizer.decode(tokens))
    assert (answer.choices[0].finish_reason, answer.object, answer.model) == ("length", "text_completion", "tiny")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        len(ids), 25, len(ids) + 25,
    )  # fmt: skip


def test_prompts_by_token_ids_and_several_at_once(client: Any, served: ServedModel, ids: list[int]) -> None:
    others = [ids, ids[:20], ids[:31]]
    answer = client.completions.create(
        model="tiny", prompt=others, max_tokens=9, temperature=0, extra_body={"return_token_ids": True}
    )
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert [c.token_ids for c in answer.choices] == [expected(served, other, 9) for other in others]
    assert [c.prompt_token_ids for c in answer.choices] == others
    texts = client.completions.create(model="tiny", prompt=["def f(", "x = "], max_tokens=3)
    assert len(texts.choices) == 2


def test_a_stream_says_what_the_whole_says(client: Any, served: ServedModel, ids: list[int]) -> None:
    stream = client.completions.create(
        model="tiny", prompt=ids, max_tokens=30, temperature=0, stream=True, stream_options={"include_usage": True},
        extra_body={"return_token_ids": True},
    )  # fmt: skip
    chunks = list(stream)
    parts = [chunk.choices[0] for chunk in chunks[:-1]]
    tokens = expected(served, ids, 30)
    assert [token for part in parts for token in part.token_ids] == tokens
    assert "".join(part.text for part in parts) == to_text(served.tokenizer.decode(tokens))
    assert [part.finish_reason for part in parts] == [None] * (len(parts) - 1) + ["length"]
    assert chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (len(ids), 30)
    assert len(parts) > 1  # it is one; how many depends on how busy the machine is
    assert len({chunk.id for chunk in chunks}) == 1


def test_refusals_are_the_clients_own_errors(client: Any, url: str) -> None:
    with pytest.raises(openai.BadRequestError, match="suffix") as raised:
        client.completions.create(model="tiny", prompt="x", suffix="y")
    assert raised.value.param == "suffix"
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="gpt-4", prompt="x")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{url}/v1", api_key="wrong").models.list()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "x"}])


# -- fields -----------------------------------------------------------------------------------------------


def test_where_it_ends(url: str, served: ServedModel, ids: list[int]) -> None:
    sep = served.tokenizer.id_of(Token.FRAME_SEP)
    whole = choice(url, prompt=ids, max_tokens=100)["text"]
    frame = choice(url, prompt=ids, max_tokens=100, stop_token_ids=[sep], return_token_ids=True)
    assert (frame["finish_reason"], frame["stop_reason"], frame["token_ids"][-1]) == ("stop", sep, sep)
    assert frame["text"] == whole.split("<|frame_sep|>")[0]
    shown = choice(url, prompt=ids, max_tokens=100, stop_token_ids=[sep], include_stop_str_in_output=True)
    assert shown["text"] == frame["text"] + "<|frame_sep|>"
    text = choice(url, prompt=ids, max_tokens=100, stop=["never", "y = "], return_token_ids=True)
    assert (text["finish_reason"], text["stop_reason"], text["text"]) == ("stop", "y = ", whole.split("y = ")[0])
    assert to_text(served.tokenizer.decode(text["token_ids"])) == text["text"] + "y = "
    end = choice(url, prompt=ids, max_tokens=1000)
    assert (end["finish_reason"], end["stop_reason"]) == ("stop", None)
    assert "<|end_of_text|>" not in end["text"]
    on = choice(url, prompt=ids, max_tokens=len(expected(served, ids, 1000)) + 2, ignore_eos=True, return_token_ids=True)
    assert on["finish_reason"] == "length"
    assert served.tokenizer.id_of(Token.END_OF_TEXT) in on["token_ids"][:-1]


def test_seeds(url: str, served: ServedModel, ids: list[int]) -> None:
    settings = {"prompt": ids, "max_tokens": 20, "temperature": 5.0, "top_p": 0.95}
    first, again = (ask(url, **settings, seed=7, n=3, return_token_ids=True).json()["choices"] for _ in range(2))
    assert [c["token_ids"] for c in first] == [c["token_ids"] for c in again]
    for number, made in enumerate(first):
        alone = expected(served, ids, 20, temperature=5.0, top_p=0.95, seed=7 + number)
        assert made["token_ids"] == alone
    assert len({c["text"] for c in first}) == 3
    assert choice(url, **settings, seed=-1)["text"]
    assert len({choice(url, **settings)["text"] for _ in range(4)}) > 1  # no seed, no repetition


def test_log_probabilities(url: str, served: ServedModel, ids: list[int]) -> None:
    [generation] = served.engine.generate([ids], max_tokens=6)
    made = choice(url, prompt=ids, max_tokens=6, logprobs=3, return_tokens_as_token_ids=True)["logprobs"]
    assert made["tokens"] == [f"token_id:{token}" for token in generation.tokens]
    assert made["token_logprobs"] == pytest.approx(generation.logprobs)
    assert [len(top) for top in made["top_logprobs"]] == [3] * 6
    for at, top in enumerate(made["top_logprobs"]):
        best = served.engine.top_next([*ids, *generation.tokens[:at]], 3)
        assert top == pytest.approx({f"token_id:{token}": value for token, value in best}, abs=1e-5)
    named = choice(url, prompt=ids, max_tokens=6, logprobs=0)
    assert "".join(named["logprobs"]["tokens"]) == named["text"]
    assert named["logprobs"]["text_offset"][:2] == [0, len(named["logprobs"]["tokens"][0])]
    assert named["logprobs"]["top_logprobs"][0].keys() == {named["logprobs"]["tokens"][0]}
    assert choice(url, prompt=ids, max_tokens=6)["logprobs"] is None


def test_the_prompt_echoed_and_scored(url: str, served: ServedModel, ids: list[int]) -> None:
    _, actual = served.engine.predict_next(ids)
    echoed = choice(url, prompt=ids, max_tokens=2, echo=True, logprobs=1, return_token_ids=True)
    assert echoed["text"].startswith(TEXT)
    found = echoed["logprobs"]["token_logprobs"]
    assert found[0] is None
    assert found[1 : len(ids)] == pytest.approx(actual.tolist(), abs=1e-5)
    assert len(found) == len(ids) + 2
    assert len(echoed["token_ids"]) == 2
    only = choice(url, prompt=ids, max_tokens=0, echo=True, logprobs=0)
    assert (only["text"], len(only["logprobs"]["tokens"]), only["finish_reason"]) == (TEXT, len(ids), "length")
    assert choice(url, prompt=ids, max_tokens=0)["text"] == ""
    scored = choice(url, prompt=ids, max_tokens=1, prompt_logprobs=2)["prompt_logprobs"]
    assert scored[0] is None
    assert [entry[str(token)]["logprob"] for token, entry in zip(ids[1:], scored[1:], strict=True)] == pytest.approx(
        actual.tolist(), abs=1e-5
    )
    assert all({1, 2} <= {each["rank"] for each in entry.values()} for entry in scored[1:])


def test_special_tokens_in_texts(url: str, served: ServedModel, ids: list[int]) -> None:
    assert choice(url, prompt=TEXT, max_tokens=1, return_token_ids=True)["prompt_token_ids"] == ids
    begin = served.tokenizer.id_of(Token.BEGIN_OF_TEXT)
    plain = served.tokenizer.encode(["x = 1"])
    for add, given in ((True, [begin, *plain]), (False, plain)):
        made = choice(url, prompt="x = 1", max_tokens=1, add_special_tokens=add, return_token_ids=True)
        assert made["prompt_token_ids"] == given
    with_names = choice(url, prompt=ids, max_tokens=12)["text"]
    without = choice(url, prompt=ids, max_tokens=12, skip_special_tokens=True)["text"]
    assert "<|" in with_names
    assert "<|" not in without


def test_streams_of_several_choices_with_everything(url: str, ids: list[int]) -> None:
    body = {"prompt": [ids, ids[:25]], "n": 2, "max_tokens": 12, "temperature": 1.0, "seed": 3, "logprobs": 2, "echo": True}
    whole = ask(url, **body).json()["choices"]
    parts: list[list[Answer]] = [[] for _ in whole]
    for each in events(url, **body):
        parts[each["choices"][0]["index"]].append(each["choices"][0])
    for made, pieces in zip(whole, parts, strict=True):
        assert "".join(piece["text"] for piece in pieces) == made["text"]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            assert [each for piece in pieces for each in piece["logprobs"][name]] == made["logprobs"][name]
        assert pieces[-1]["finish_reason"] == made["finish_reason"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": [5000]}, "prompt"),
        ({"prompt": "x", "max_tokens": 4096}, "max_tokens"),
        ({"prompt": [1] * 4096}, "prompt"),
        ({"prompt": ["x"] * 30, "n": 3}, "n"),
        ({"prompt": "x", "stream": True, "prompt_logprobs": 1}, "prompt_logprobs"),
        ({"prompt": "x", "stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_what_cannot_be_answered(url: str, body: Answer, param: str) -> None:
    answer = ask(url, **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_full_context_is_answered(url: str, served: ServedModel, ids: list[int]) -> None:
    long = (ids * 100)[: served.context - 1]
    made = choice(url, prompt=long, prompt_logprobs=0, return_token_ids=True)
    assert (len(made["token_ids"]), made["finish_reason"]) == (1, "length")
    assert len(made["prompt_logprobs"]) == len(long)


def test_a_full_line_and_too_slow_an_answer(ids: list[int]) -> None:
    with serving(Limits(places=1, queue=2, seconds=0.3, threads=1)) as (url, _):
        answer = ask(url, prompt=ids, n=3, max_tokens=5)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        slow = ask(url, prompt=ids, max_tokens=3900, ignore_eos=True)
        assert (slow.status_code, slow.json()["error"]["code"]) == (503, "time_limit")
        last = events(url, prompt=ids, max_tokens=3900, ignore_eos=True)[-1]
        assert last["error"]["code"] == "time_limit"
        assert ask(url, prompt=ids, n=2, max_tokens=5).status_code == 200  # and it goes on
