"""Samples: what is given, where the first difference is, and how much is right, on real traces."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import foretrace
from foretrace.data.chat import Message
from foretrace.data.kinds import Kind
from foretrace.data.render import render, render_chat, render_text
from foretrace.data.shards import Document
from foretrace.data.tokenizer import Tokenizer
from foretrace.model.config import ModelConfig
from foretrace.model.documents import Documents
from foretrace.model.transformer import CausalLM
from foretrace.train.samples import Generate, greedy, predict_samples

TOKENIZER = Tokenizer.train([], vocab_size=700)
SOURCE = "def f(n):\n    while n > 1:\n        n -= 1\n    return [n]\n"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Document:
    file = tmp_path_factory.mktemp("program") / "p.py"
    file.write_text(SOURCE)
    document = render(TOKENIZER, foretrace.record(f"{file}::f", 3))
    assert document is not None
    return document


def oracle(document: Document, wrong: int | None = None) -> Generate:
    """Knows how a document goes on, but for one token."""

    def generate(prompt: Sequence[int], max_tokens: int, stop: Collection[int]) -> list[int]:
        ids = document.tokens.tolist()
        assert list(prompt) == ids[: len(prompt)]
        if wrong is not None:
            ids[wrong] = 65
        return ids[len(prompt) : len(prompt) + max_tokens]

    return generate


def prompt_length(document: Document) -> int:
    return int(np.argmax(document.kinds != Kind.PROMPT))


def test_a_right_continuation(trace: Document) -> None:
    [record], shares = predict_samples(oracle(trace), TOKENIZER, [trace], max_tokens=1000)
    assert shares == {"sample_exact_frames": 1.0, "sample_exact": 1.0}
    sample = record["sample"]
    assert sample["first_difference"] is None
    assert sample["predicted"] == sample["real"]
    assert sample["real"][:3] == ["line  while n > 1:", "line  n -= 1", "line  while n > 1:  n = 2"]
    assert sample["real"][-2:] == ["return  return [n]  [1]", "<|end_of_text|>"]
    assert SOURCE.split("\n")[2] in sample["prompt"]
    assert sample["prompt"].endswith("<|frame_sep|>")
    assert json.loads(json.dumps(record)) == record


def test_the_first_difference_is_found(trace: Document) -> None:
    tokens = trace.tokens.tolist()
    returned = len(tokens) - 1 - tokens[::-1].index(TOKENIZER.encode(["1"])[0])  # the 1 of [1]
    [record], shares = predict_samples(oracle(trace, wrong=returned), TOKENIZER, [trace], max_tokens=1000)
    total = len(record["sample"]["real"])
    assert record["sample"]["first_difference"]["at"] == total - 2
    assert record["sample"]["first_difference"]["real"] == "return  return [n]  [1]"
    assert "[1]" not in record["sample"]["first_difference"]["predicted"]
    assert shares == {"sample_exact_frames": pytest.approx((total - 1) / total), "sample_exact": 0.0}


def test_a_frame_that_the_limit_cuts_is_not_judged(trace: Document) -> None:
    whole = predict_samples(oracle(trace), TOKENIZER, [trace], max_tokens=1000)[0][0]["sample"]["real"]
    for limit in range(1, 60):
        [record], shares = predict_samples(oracle(trace), TOKENIZER, [trace], max_tokens=limit)
        assert shares["sample_exact_frames"] == 1.0, limit
        assert len(record["sample"]["real"]) == 1 or record["sample"]["real"] == whole[: len(record["sample"]["real"])]


def test_nothing_predicted_is_nothing_right(trace: Document) -> None:
    [record], shares = predict_samples(lambda *_: [], TOKENIZER, [trace], max_tokens=1000)
    assert shares == {"sample_exact_frames": 0.0, "sample_exact": 0.0}
    assert record["sample"]["first_difference"] == {"at": 0, "predicted": None, "real": "line  while n > 1:"}


def test_broken_frames_are_shown_as_they_are(trace: Document) -> None:
    broken = TOKENIZER.encode([*TOKENIZER.decode(trace.tokens.tolist())[10:12], "{not json"])
    [record], _ = predict_samples(lambda *_: broken, TOKENIZER, [trace], max_tokens=1000)
    assert "{not json" in record["sample"]["predicted"][-1]


def test_a_context_that_is_learnt_is_given_all_the_same(trace: Document) -> None:
    learnt = Document(trace.tokens, np.where(np.arange(len(trace)) > 0, np.uint8(Kind.TEXT), trace.kinds))
    assert prompt_length(learnt) == 1
    [record], shares = predict_samples(oracle(learnt), TOKENIZER, [learnt], max_tokens=1000)
    assert shares["sample_exact"] == 1.0
    assert record["sample"]["real"][0] == "line  while n > 1:"


def test_a_text_goes_on_from_its_middle_line_by_line() -> None:
    [text] = render_text(TOKENIZER, "".join(f"x{i} = {i}\n" for i in range(40)))
    [record], shares = predict_samples(oracle(text), TOKENIZER, [text], max_tokens=1000)
    assert shares["sample_exact"] == 1.0
    assert record["sample"]["real"][-3:] == ["x38 = 38", "x39 = 39", "<|end_of_text|>"]


def test_a_chat_goes_on_for_one_turn() -> None:
    messages = [Message("user", "2 + 2?"), Message("assistant", "4"), Message("user", "1 + 1?"), Message("assistant", "2")]
    chat = render_chat(TOKENIZER, messages)
    assert chat is not None
    [record], _ = predict_samples(oracle(chat), TOKENIZER, [chat], max_tokens=1000)
    assert record["sample"]["real"] == ["4<|eot_id|>"]


def test_greedy_decoding_takes_the_likeliest_token_and_stops(trace: Document) -> None:
    config = ModelConfig(
        vocab_size=TOKENIZER.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=64,
        sliding_window=8,
    )
    model = CausalLM(config)
    model.reset_parameters(0)
    prompt = trace.tokens[:20].tolist()
    written = greedy(model)(prompt, 10, ())
    ids = torch.tensor(prompt + written)
    with torch.no_grad():
        best = model(ids, Documents.of([len(ids)])).argmax(-1)
    assert written == best[19:-1].tolist()
    assert greedy(model)(prompt, 10, (written[3],)) == written[: written.index(written[3]) + 1]
    assert len(greedy(model)(prompt, 1000, ())) == 64 - 20  # no room for more


def test_samples_of_the_packaged_model_are_mostly_right(trace: Document) -> None:
    from foretrace.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(Path(foretrace.__file__).parent / "checkpoints" / "tiny")
    model = CausalLM(checkpoint.config)
    model.load_state_dict({name: torch.from_numpy(w) for name, w in checkpoint.weights.items()})
    ids = checkpoint.tokenizer.encode(TOKENIZER.decode(trace.tokens.tolist()))
    start = len(checkpoint.tokenizer.encode(TOKENIZER.decode(trace.tokens[: prompt_length(trace)].tolist())))
    kinds = np.where(np.arange(len(ids)) < start, Kind.PROMPT, Kind.SOURCE).astype(np.uint8)
    document = Document(np.array(ids, dtype=np.uint16), kinds)
    _, shares = predict_samples(greedy(model), checkpoint.tokenizer, [document], max_tokens=40)
    assert shares["sample_exact_frames"] > 0.5
