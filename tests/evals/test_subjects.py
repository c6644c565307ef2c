"""Who answers: engines, completions, controls. Servers are in test_endpoint_subject.py."""

import json
from pathlib import Path

import pytest
from toy_benchmark import plan, sums

from foretrace.engine import Engine, load
from foretrace.errors import UsageError
from foretrace.evals.run import carry_out
from foretrace.evals.subjects import Request, find_subject
from foretrace.evals.subjects.engine import EngineSubject, seed_of
from foretrace.evals.subjects.texts import answer_texts
from foretrace.evals.types import Question, Sampling

TEXT = "def f(x):\n    y = x + 1\n    return y\n"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load("tiny")


def test_a_text_ends_before_its_first_stop(engine: Engine) -> None:
    [whole] = answer_texts(engine, [Question(text=TEXT)], Sampling(max_tokens=20))
    assert whole.is_truncated
    assert (whole.tokens, whole.prompt_tokens > 5) == (20, True)
    middle = whole.text[len(whole.text) // 2 :][:3]
    [cut] = answer_texts(engine, [Question(text=TEXT, stop=("no such text", middle))], Sampling(max_tokens=20))
    assert cut.text == whole.text[: whole.text.index(middle)]
    assert not cut.is_truncated


def test_pieces_make_the_same_text_as_one_go(engine: Engine) -> None:
    sampling = Sampling(max_tokens=300)
    [answer] = answer_texts(engine, [Question(text=TEXT)], sampling)
    from foretrace.trace import Token

    tokenizer = engine.tokenizer
    [made] = engine.generate(
        [tokenizer.encode([Token.BEGIN_OF_TEXT, TEXT])], max_tokens=300, stop=[tokenizer.id_of(Token.END_OF_TEXT)]
    )
    assert answer.tokens == len(made.tokens)
    spelt = "".join(map(str, tokenizer.decode(made.tokens))).replace(Token.END_OF_TEXT.value, "")
    assert answer.text == spelt


def test_a_prompt_that_does_not_fit_is_no_answer(engine: Engine) -> None:
    [long, short] = answer_texts(
        engine,
        [Question(text="x = 1\n" * 5000), Question(text=TEXT)],
        Sampling(max_tokens=4),
    )
    assert (long.text, long.is_truncated, long.tokens) == ("", True, 0)
    assert short.tokens == 4


def test_what_nobody_can_be_asked_is_said(engine: Engine) -> None:
    with pytest.raises(UsageError, match="asks neither for a trace nor for a text"):
        answer_texts(engine, [Question()], Sampling())


def test_no_two_answers_are_drawn_alike() -> None:
    items = sums(3).load(None)
    seeds = {
        seed_of(Sampling(seed=seed), Request(item=item, sample=sample, question=Question()))
        for seed in range(2)
        for item in items
        for sample in range(4)
    }
    assert len(seeds) == 24


def test_an_engine_runs_and_its_weights_are_told(tmp_path: Path) -> None:
    subject = find_subject("tiny")
    assert isinstance(subject, EngineSubject)
    run = carry_out([plan(sums(3), max_tokens=5)], subject, tmp_path / "run")
    assert len(run.model["sha256"]) == 32
    assert [sample.tokens for sample in run.parts["sums.plain"].samples()] == [5, 5, 5]


def test_texts_from_elsewhere_are_scored(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    rows = [{"item": "sum-0", "text": "= 0"}, {"item": "sum-1", "texts": ["= 2", "= 3"]}, {"item": "sum-0", "text": "= 1"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = carry_out([plan(sums(3), samples=2, temperature=0.2)], find_subject(f"completions:{file}"), tmp_path / "run")
    found = {(sample.item, sample.sample): sample.reason for sample in run.parts["sums.plain"].samples()}
    assert found == {
        ("sum-0", 0): "right",
        ("sum-0", 1): "wrong",
        ("sum-1", 0): "right",
        ("sum-1", 1): "wrong",
        ("sum-2", 0): "unparsable",
        ("sum-2", 1): "unparsable",
    }


def test_a_run_can_be_scored_again(tmp_path: Path) -> None:
    first = carry_out([plan()], find_subject("control:copy"), tmp_path / "first")
    lines = first.parts["sums.plain"].folder / "samples.jsonl"
    second = carry_out([plan()], find_subject(f"completions:{lines}"), tmp_path / "second")
    verdicts = [[(s.item, s.raw, s.strict) for s in run.parts["sums.plain"].samples()] for run in (first, second)]
    assert verdicts[0] == verdicts[1]


def test_what_a_server_failed_at_is_no_answer_when_it_is_scored_again(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    rows = [{"item": f"sum-{n}", "sample": 0, "raw": "", "error": "the server answered 500"} for n in range(20)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = carry_out([plan(sums(20))], find_subject(f"completions:{file}"), tmp_path / "run")
    samples = run.parts["sums.plain"].samples()
    assert [(s.reason, s.error) for s in samples] == [("broken", "the server answered 500")] * 20


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("control:golden", "there is no control 'golden'"),
        ("completions:nowhere.jsonl", "there is no file of completions"),
        ("", "a model is one of"),
        ("no-such-model", "no-such-model"),
        ("http://localhost:1/v1,modle=x", "no option 'modle=x'"),
        ("http://localhost:1/v1,model=x,api=telepathy", "api is chat or completions"),
        ("http://localhost:1/v1,model=x,timeout=soon", "could not convert"),
        ("http://localhost:1/v1,model=x,system=nowhere.txt", "cannot be read"),
    ],
)
def test_models_that_are_none_are_told(model: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_subject(model)


def test_completions_of_other_items_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"item": "HumanEval/0", "text": "x"}\n')
    with pytest.raises(UsageError, match="it has 'HumanEval/0', and wanted are such as 'sum-0'"):
        carry_out([plan()], find_subject(f"completions:{file}"), tmp_path / "run")
    file.write_text('{"item": "sum-0", "text": 3}\n')
    with pytest.raises(UsageError, match="line 1: wanted"):
        find_subject(f"completions:{file}")
