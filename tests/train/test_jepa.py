"""LLM-JEPA: the term is what the paper says, views leave the rest of a row alone, and a run with it resumes to the bit."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor
from torch.nn import functional as F

from foretrace.corpus import synthesise
from foretrace.data.batch import Batch
from foretrace.data.mixture import Mixture, Source
from foretrace.data.render import render
from foretrace.data.shards import Document, shard_name, write_shard
from foretrace.data.small import SmallTokenizer
from foretrace.data.special import PredictorToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import RecordError, UsageError
from foretrace.model.config import ModelConfig
from foretrace.model.documents import Documents
from foretrace.model.transformer import CausalLM
from foretrace.record.program import record_program
from foretrace.trace import Token
from foretrace.train.config import Hardware, Jepa, Parallel, TrainConfig
from foretrace.train.jepa import JepaObjective, Views
from foretrace.train.rows import Row
from foretrace.train.schedule import Schedule
from foretrace.train.trainer import Trainer
from foretrace.train.views import CUTS

TOKENIZER = SmallTokenizer.of([], vocab_size=700)
PREDICTORS = [TOKENIZER.id_of(token) for token in PredictorToken]
MODEL = ModelConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=2048,
    sliding_window=24,
)
CPU = torch.device("cpu")


def traces(count: int) -> list[Document]:
    documents: list[Document] = []
    seed = 0
    while len(documents) < count:
        program, seed = synthesise(seed), seed + 1
        try:
            document = render(TOKENIZER, record_program(program.source, program.entry, program.arguments), 600)
        except RecordError:
            continue
        if document is not None:
            documents.append(document)
    return documents


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return traces(24)


def row_of(documents: list[Document]) -> Batch:
    kinds = np.concatenate([d.kinds for d in documents])
    tokens = np.concatenate([d.tokens for d in documents]).astype(np.int64)
    weights = (kinds != 0).astype(np.float32)
    return Batch(tokens, tuple(map(len, documents)), kinds, weights, np.zeros(len(documents), np.int64))


@pytest.fixture
def row(documents: list[Document]) -> Batch:
    return row_of(documents[:4])


@pytest.fixture
def model() -> CausalLM:
    return CausalLM(MODEL)


def objective(config: Jepa, seed: int = 0) -> JepaObjective:
    return JepaObjective(config, TOKENIZER, hidden_size=MODEL.hidden_size, seed=seed, device=CPU)


def hidden_of(model: CausalLM, views: Views) -> Tensor:
    batch = views.batch
    hidden: Tensor = model.hidden(torch.from_numpy(batch.tokens), Documents.of(batch.lengths))
    return hidden


ALL = [Jepa(views=views, predictors=k) for views in CUTS for k in (0, 1, 3)]


def by_separate_passes(model: CausalLM, config: Jepa, batch: Batch) -> Tensor:
    """The term as the paper writes it: each view read alone."""
    distances = []
    start = 0
    for length in batch.lengths:
        tokens = batch.tokens[start : start + length]
        start += length
        for given, wanted in CUTS[config.views](tokens, TOKENIZER):
            stretches = np.concatenate([tokens[given], PREDICTORS[: config.predictors]]).astype(np.int64), tokens[wanted]
            ends = [model.hidden(torch.from_numpy(s), Documents.of((len(s),)))[-1] for s in stretches]
            distances.append(1 - F.cosine_similarity(*ends, dim=0))
    return config.weight * torch.stack(distances).mean()


def gradients(model: CausalLM, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("config", ALL)
def test_one_pass_is_the_same_as_a_pass_for_each_view(config: Jepa, model: CausalLM, row: Batch) -> None:
    config = replace(config, weight=0.7, pairs_per_document=1000, max_tokens=1000)
    jepa = objective(config)
    views = jepa.attach(row, step=3)
    term = jepa.loss(hidden_of(model, views), views, len(views))
    plain = by_separate_passes(model, config, row)
    torch.testing.assert_close(term, plain, atol=1e-5, rtol=1e-5)
    ours, theirs = gradients(model, term), gradients(model, plain)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("config", ALL)
def test_views_leave_the_row_as_it_was(config: Jepa, model: CausalLM, row: Batch) -> None:
    views = objective(config).attach(row, step=0)
    assert len(views)
    size = len(row.tokens)
    batch = views.batch
    np.testing.assert_array_equal(batch.tokens[:size], row.tokens)
    assert not batch.weights[size:].any()
    assert sum(batch.lengths) == len(batch.tokens) == len(batch.kinds) == len(batch.weights) == size + views.tokens
    assert len(batch.sources) == len(batch.lengths)
    hidden = hidden_of(model, Views(row))
    torch.testing.assert_close(hidden_of(model, views)[:size], hidden, atol=1e-5, rtol=1e-5)


def test_both_views_and_the_predictors_receive_gradients(model: CausalLM, row: Batch) -> None:
    jepa = objective(Jepa(views="next-state", predictors=2))
    views = jepa.attach(row, step=0)
    hidden = hidden_of(model, views)
    hidden.retain_grad()
    jepa.loss(hidden, views, len(views)).backward()
    reached = hidden.grad.abs().sum(1) > 0
    assert set(reached.nonzero()[:, 0].tolist()) == {*views.given.tolist(), *views.wanted.tolist()}
    embeddings = model.model.embed_tokens.weight.grad.abs().sum(1)
    assert (embeddings[PREDICTORS[:2]] > 0).all()
    assert not embeddings[PREDICTORS[2:]].any()


def test_the_prompt_is_not_read_twice_without_predictors(row: Batch) -> None:
    without = objective(Jepa(predictors=0)).attach(row, step=0)
    assert (without.given < len(row.tokens)).all()
    views = objective(Jepa(predictors=1)).attach(row, step=0)
    assert (views.given >= len(row.tokens)).all()
    assert (views.batch.tokens[views.given] == PREDICTORS[0]).all()
    prompts = sum(
        int(CUTS["call-result"](d, TOKENIZER)[0].given.stop) + 1 for d in np.split(row.tokens, np.cumsum(row.lengths)[:-1])
    )
    assert views.tokens == without.tokens + prompts


def test_what_is_drawn_depends_on_seed_step_and_row_alone(documents: list[Document]) -> None:
    config = Jepa(views="next-state", pairs_per_document=2)
    rows = [row_of(documents[:6]), row_of(documents[6:12])]

    def drawn(seed: int, step: int, rows: list[Batch]) -> list[list[int]]:
        jepa = objective(config, seed)
        return [jepa.attach(row, step).batch.tokens.tolist() for row in rows]

    assert drawn(0, 5, rows) == drawn(0, 5, rows)
    assert drawn(0, 5, rows) == drawn(0, 5, rows[::-1])[::-1]
    assert drawn(0, 5, rows) != drawn(0, 6, rows)
    assert drawn(0, 5, rows) != drawn(1, 5, rows)


def test_dropout_leaves_out_whole_steps_at_its_rate(documents: list[Document]) -> None:
    jepa = objective(Jepa(dropout=0.75))
    rows = [row_of(documents[:1]), row_of(documents[1:2])]
    assert all(len(objective(Jepa()).attach(row, 0)) for row in rows)
    used = [[len(jepa.attach(row, step)) > 0 for row in rows] for step in range(400)]
    assert all(first == second for first, second in used)
    assert 70 <= sum(first for first, _ in used) <= 130  # 100 wanted; 3.5 standard deviations
    assert all(jepa.attach(rows[0], step).batch is rows[0] for step in range(10) if not used[step][0])


def test_long_views_and_too_many_are_left_out(row: Batch) -> None:
    everything = objective(Jepa(views="next-state", pairs_per_document=1000, max_tokens=1000)).attach(row, 0)
    few = objective(Jepa(views="next-state", pairs_per_document=1)).attach(row, 0)
    assert len(few) == len(row.lengths) < len(everything)
    longest = max(everything.batch.lengths[len(row.lengths) :]) - 1
    short = objective(Jepa(views="next-state", pairs_per_document=1000, max_tokens=longest - 1)).attach(row, 0)
    assert 0 < len(short) < len(everything)


def test_the_term_is_a_mean_over_all_rows_of_a_step(model: CausalLM, documents: list[Document]) -> None:
    jepa = objective(Jepa(views="next-state", pairs_per_document=1000, max_tokens=1000))

    def term(*groups: list[Document]) -> Tensor:
        rows = [jepa.attach(row_of(group), 0) for group in groups]
        return sum(jepa.loss(hidden_of(model, views), views, sum(map(len, rows))) for views in rows)

    torch.testing.assert_close(term(documents[:2], documents[2:6]), term(documents[:6]))


def test_the_record_tells_collapse_from_spread(row: Batch) -> None:
    jepa = objective(Jepa(views="next-state", pairs_per_document=50))
    assert jepa.read() == {"jepa_pairs": 0, "jepa_tokens": 0}
    views = jepa.attach(row, 0)
    size = len(views.batch.tokens)
    same = torch.randn(1, 32, generator=torch.Generator().manual_seed(0)).expand(size, 32)
    jepa.loss(same, views, len(views))
    collapsed = jepa.read()
    assert collapsed["jepa_pairs"] == len(views)
    assert collapsed["jepa_tokens"] == views.tokens
    assert collapsed["jepa_cosine"] == pytest.approx(1, abs=1e-5)
    assert collapsed["jepa_loss"] == pytest.approx(0, abs=1e-5)
    assert collapsed["jepa_variance"] == pytest.approx(0, abs=1e-5)
    jepa.loss(torch.randn(size, 32, generator=torch.Generator().manual_seed(0)), views, len(views))
    spread = jepa.read()
    assert abs(spread["jepa_cosine"]) < 0.3
    assert spread["jepa_variance"] > 0.8


def test_predictors_are_tokens_of_the_vocabulary() -> None:
    old = SmallTokenizer(TOKENIZER.pieces, specials=tuple(Token))

    def make(config: Jepa, tokenizer: Tokenizer) -> JepaObjective:
        return JepaObjective(config, tokenizer, hidden_size=8, seed=0, device=CPU)

    with pytest.raises(UsageError, match="predictor_ids"):
        make(Jepa(predictors=1), old)
    with pytest.raises(UsageError, match="predictors=5"):
        make(Jepa(predictors=5), TOKENIZER)
    with pytest.raises(UsageError, match=f"below {old.vocab_size}"):
        make(Jepa(predictors=1, predictor_ids=(old.vocab_size,)), old)
    make(Jepa(predictors=0), old)
    make(Jepa(predictors=2, predictor_ids=(600, 601)), old)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"views": "text-code"}, "call-result, next-state"), ({"dropout": 1.0}, "dropout"), ({"weight": -1.0}, "weight")],
)
def test_a_configuration_without_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Jepa(**wrong)


# -- In the trainer -----------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, documents: list[Document]) -> TrainConfig:
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / shard_name(0), documents, vocab_size=TOKENIZER.vocab_size, tokenizer=TOKENIZER.fingerprint)
    return TrainConfig(
        mixture=Mixture(sources=(Source(name="traces", folder=folder),), tokens_per_row=640, rows_per_batch=2),
        out=tmp_path / "run",
        steps=8,
        schedule=Schedule(lr=1e-2, warmup_steps=2, decay_steps=4),
        hardware=Hardware(device="cpu", dtype="float32", attention="sdpa-block"),
        jepa=Jepa(views="next-state", predictors=1),
        log_every=1,
        save_every=3,
    )


def records(run: TrainConfig) -> list[dict[str, Any]]:
    """Of the steps; runs also write down when they were taken up again."""
    lines = (run.out / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if "loss" in record]


def test_training_brings_the_views_together(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, replace(run, steps=16)).run()
    curve = records(run)
    assert all(record["jepa_pairs"] > 0 and record["jepa_tokens"] > 0 for record in curve)
    assert curve[-1]["jepa_loss"] < 0.5 * curve[0]["jepa_loss"]
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert run.mixture.tokens_per_row * 2 * 16 >= curve[-1]["tokens"]  # views are not counted as tokens of the data


def test_with_no_weight_the_language_model_is_what_it_was(run: TrainConfig) -> None:
    with_views = replace(run, out=run.out.with_name("with"), jepa=Jepa(weight=0.0))
    without = replace(run, out=run.out.with_name("without"), jepa=None)
    models = [Trainer(MODEL, TOKENIZER, config).run() for config in (with_views, without)]
    losses = [[record["loss"] for record in records(config)] for config in (with_views, without)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert "jepa_loss" not in records(without)[0]
    one, other = (m.state_dict() for m in models)
    torch.testing.assert_close(one["model.norm.weight"], other["model.norm.weight"], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("jepa", [Jepa(views="next-state", dropout=0.4), Jepa(views="call-result", predictors=0)])
def test_a_killed_run_resumes_to_the_bit(run: TrainConfig, jepa: Jepa, kill_at: Callable[[int], Any]) -> None:
    run = replace(run, jepa=jepa)
    whole = replace(run, out=run.out.with_name("whole"))
    model = Trainer(MODEL, TOKENIZER, whole).run()
    with pytest.raises(KeyboardInterrupt):
        Trainer(MODEL, TOKENIZER, run, report=kill_at(5)).run()
    resumed = Trainer(MODEL, TOKENIZER, run).run()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    wanted = ("loss", "jepa_loss", "jepa_tokens", "jepa_variance")
    both = [[[record.get(name) for name in wanted] for record in records(config)] for config in (run, whole)]
    assert both[0] == both[1]


@pytest.fixture
def kill_at() -> Callable[[int], Any]:
    def make(step: int) -> Any:
        def report(record: dict[str, Any]) -> None:
            if record["step"] == step:
                raise KeyboardInterrupt

        return report

    return make


def test_what_does_not_go_with_it_is_refused(run: TrainConfig) -> None:
    with pytest.raises(UsageError, match="pad_rows"):
        replace(run, mixture=replace(run.mixture, pad_rows=True))
    with pytest.raises(UsageError, match="context"):
        replace(run, parallel=Parallel(context=2))


def test_a_row_on_the_device_predicts_nothing_in_views(row: Batch) -> None:
    views = objective(Jepa()).attach(row, 0)
    with_views, without = Row.of(views.batch, CPU), Row.of(row, CPU)
    assert torch.equal(with_views.where, without.where)
    assert torch.equal(with_views.owners, without.owners)
