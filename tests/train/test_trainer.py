"""Training: it learns, it resumes to the bit, and its checkpoint is what it trained."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from foretrace.data.shards import Document, shard_name, write_shard
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError, UsageError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.model.config import ModelConfig
from foretrace.train.schedule import warmup_stable_decay
from foretrace.train.trainer import TrainConfig, choose_device, choose_dtype, train

TOKENIZER = Tokenizer.train([], vocab_size=700)
MODEL = ModelConfig(
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


@pytest.fixture
def run(tmp_path: Path) -> TrainConfig:
    rng = np.random.default_rng(0)
    documents = []
    for _ in range(40):  # a document repeats one of four tokens: easy to learn
        documents.append(Document(np.full(rng.integers(5, 20), rng.integers(20, 24), dtype=np.uint16), 2))
    for name in ("train", "validation"):
        (tmp_path / name).mkdir()
        write_shard(tmp_path / name / shard_name(0), documents)
    return TrainConfig(
        data=tmp_path / "train",
        validation=tmp_path / "validation",
        out=tmp_path / "run",
        steps=20,
        tokens_per_batch=128,
        lr=1e-2,
        warmup_steps=2,
        decay_steps=5,
        device="cpu",
        dtype="float32",
        log_every=1,
        save_every=7,
        validate_every=10,
    )


def metrics(run: TrainConfig) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]


def losses(run: TrainConfig) -> list[float]:
    return [m["loss"] for m in metrics(run) if "loss" in m]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_falls(run: TrainConfig, optimizer: str) -> None:
    train(MODEL, TOKENIZER, replace(run, optimizer=optimizer))
    curve = losses(run)
    assert len(curve) == 20
    assert curve[-1] < 0.5 * curve[0]
    last = [m for m in metrics(run) if "val_loss" in m][-1]
    assert last["val_token_accuracy"] > 0.9


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_killed_run_resumes_to_the_bit(run: TrainConfig, optimizer: str) -> None:
    run = replace(run, optimizer=optimizer)
    whole = train(MODEL, TOKENIZER, replace(run, out=run.out.with_name("whole")))

    class Killed(Exception):
        pass

    def kill(record: dict[str, float]) -> None:
        if record["step"] == 11:
            raise Killed

    with pytest.raises(Killed):
        train(MODEL, TOKENIZER, run, report=kill)
    resumed = train(MODEL, TOKENIZER, run)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert losses(run) == losses(replace(run, out=run.out.with_name("whole")))


def test_the_checkpoint_holds_the_trained_weights(run: TrainConfig) -> None:
    model = train(MODEL, TOKENIZER, run)
    checkpoint = load_checkpoint(run.out / "checkpoint")
    assert checkpoint.config == MODEL
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(checkpoint.weights[name], tensor.detach().numpy(), atol=2e-3)


def test_a_damaged_state_is_a_clear_error(run: TrainConfig) -> None:
    train(MODEL, TOKENIZER, run)
    (run.out / "state" / "tensors.safetensors").write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="cannot resume"):
        train(MODEL, TOKENIZER, replace(run, steps=30))


def test_the_schedule_warms_up_holds_and_decays() -> None:
    factors = [warmup_stable_decay(i, steps=100, warmup_steps=10, decay_steps=20) for i in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10:80] == [1.0] * 70
    assert factors[80:] == sorted(factors[80:], reverse=True)
    assert 0 < factors[-1] < 0.05


def test_unknown_names_are_clear_errors(run: TrainConfig) -> None:
    with pytest.raises(UsageError, match="adamw, muon"):
        train(MODEL, TOKENIZER, replace(run, optimizer="sgd"))
    with pytest.raises(UsageError, match="auto, cpu or cuda"):
        choose_device("tpu9")
    with pytest.raises(UsageError, match="float32 or bfloat16"):
        choose_dtype("int4", torch.device("cpu"))
