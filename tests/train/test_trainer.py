"""Training: it learns, it resumes to the bit, its checkpoint is what it trained, and nothing that is finished gets lost."""

import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny_run import MODEL, TOKENIZER

from foretrace.errors import CheckpointError, FormatError, TrainingError, UsageError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.train.config import Optimizer, TrainConfig
from foretrace.train.device import choose_device, choose_dtype
from foretrace.train.trainer import Trainer


def metrics(run: TrainConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]


def losses(run: TrainConfig) -> list[float]:
    return [m["loss"] for m in metrics(run) if "loss" in m]


def aside(run: TrainConfig, name: str) -> TrainConfig:
    return replace(run, out=run.out.with_name(name))


class Killed(Exception):
    pass


def kill_at(step: int) -> Any:
    def report(record: dict[str, Any]) -> None:
        if record["step"] == step:
            raise Killed

    return report


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_falls(run: TrainConfig, optimizer: str) -> None:
    Trainer(MODEL, TOKENIZER, replace(run, optimizer=Optimizer(name=optimizer))).run()
    curve = losses(run)
    assert len(curve) == 20
    assert curve[-1] < 0.5 * curve[0]
    last = [m for m in metrics(run) if "val_loss" in m][-1]
    assert last["val_token_accuracy"] > 0.9
    assert set(last["val_loss_by_kind"]) == {"text", "value"}


def test_records_tell_losses_by_source_and_kind_and_speed(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, run).run()
    record = metrics(run)[0]
    assert set(record["loss_by_source"]) == {"first", "second"}
    assert set(record["loss_by_kind"]) == {"text", "value"}
    assert record["step"] == 1
    assert record["tokens"] > 64
    for name in ("lr", "grad_norm", "tokens_per_second", "mfu", "memory_gb", "data_share"):
        assert record[name] >= 0, name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_killed_run_resumes_to_the_bit(run: TrainConfig, optimizer: str) -> None:
    run = replace(run, optimizer=Optimizer(name=optimizer))
    whole = Trainer(MODEL, TOKENIZER, aside(run, "whole")).run()
    with pytest.raises(Killed):
        Trainer(MODEL, TOKENIZER, run, report=kill_at(11)).run()
    resumed = Trainer(MODEL, TOKENIZER, run).run()
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert losses(run) == losses(aside(run, "whole"))
    assert [m["step"] for m in metrics(run) if m.get("event") == "resumed"] == [7]


def test_recomputing_activations_changes_nothing(run: TrainConfig) -> None:
    plain = Trainer(MODEL, TOKENIZER, replace(run, steps=4)).run()
    again = replace(aside(run, "recomputed"), steps=4, hardware=replace(run.hardware, recompute=True))
    recomputed = Trainer(MODEL, TOKENIZER, again).run()
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(recomputed.state_dict()[name], tensor, atol=1e-6, rtol=0)


def test_a_batch_of_many_rows_is_the_mean_over_all_its_tokens(run: TrainConfig) -> None:
    """Two rows of 64 and one of 128 hold other documents, so compare with a gradient made by hand."""
    trainer = Trainer(MODEL, TOKENIZER, run)
    rows = trainer.batches._loader.next_batch()
    trainer._accumulate(rows)
    ours = {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}
    trainer.model.zero_grad()
    from foretrace.model.documents import Documents

    total, loss = 0, torch.zeros(())
    for row in rows:
        tokens = torch.from_numpy(row.tokens)
        logits = trainer.model(tokens, Documents.of(row.lengths))
        where = torch.from_numpy(row.weights.nonzero()[0])
        loss = loss + torch.nn.functional.cross_entropy(logits[where - 1], tokens[where], reduction="sum")
        total += len(where)
    (loss / total).backward()
    for name, parameter in trainer.model.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, atol=1e-6, rtol=1e-4)


def test_the_checkpoint_holds_the_trained_weights(run: TrainConfig) -> None:
    model = Trainer(MODEL, TOKENIZER, run).run()
    checkpoint = load_checkpoint(run.out / "checkpoint")
    assert checkpoint.config == MODEL
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(checkpoint.weights[name], tensor.detach().numpy(), atol=2e-3)


def test_a_stage_begins_from_weights_alone_or_with_the_optimisers_moments(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, run).run()
    first = replace(aside(run, "next"), steps=1, schedule=replace(run.schedule, lr=0.0))
    for place, moments in (("checkpoint", False), ("state", True)):
        trainer = Trainer(MODEL, TOKENIZER, replace(aside(first, place), init_from=run.out / place))
        assert trainer.step == 0
        assert bool(trainer.optimizers[0].state) is moments
        loaded = trainer.model.state_dict()["model.embed_tokens.weight"]
        saved = load_checkpoint(run.out / "checkpoint").weights["model.embed_tokens.weight"]
        np.testing.assert_allclose(loaded.numpy(), saved, atol=2e-3)


def test_a_damaged_state_is_a_clear_error(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, run).run()
    for file in (run.out / "state").rglob("*.safetensors"):
        file.write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="cannot resume"):
        Trainer(MODEL, TOKENIZER, replace(run, steps=30))


def test_the_state_of_another_run_is_refused(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, replace(run, steps=2)).run()
    with pytest.raises(CheckpointError, match=r"hidden_size was 32 and is 64"):
        Trainer(replace(MODEL, hidden_size=64), TOKENIZER, run)
    with pytest.raises(CheckpointError, match="another mixture"):
        Trainer(MODEL, TOKENIZER, replace(run, mixture=replace(run.mixture, seed=9)))


def test_weights_of_another_shape_are_refused(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, replace(run, steps=1)).run()
    other = replace(aside(run, "other"), init_from=run.out / "checkpoint")
    with pytest.raises(CheckpointError, match="another shape"):
        Trainer(replace(MODEL, intermediate_size=64), TOKENIZER, other)


def test_a_loss_that_is_no_number_ends_the_run_before_it_spoils_the_weights(run: TrainConfig) -> None:
    broken = replace(run, schedule=replace(run.schedule, lr=1e30, warmup_steps=0), save_every=1000)
    with pytest.raises(TrainingError, match="lower rate"):
        Trainer(MODEL, TOKENIZER, broken).run()
    again = Trainer(MODEL, TOKENIZER, run)
    assert again.step >= 1
    assert all(torch.isfinite(p).all() for p in again.model.parameters())


def test_asked_to_stop_it_saves_and_goes_on_later(run: TrainConfig) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingError, match="SIGTERM after step"):
        Trainer(MODEL, TOKENIZER, run, report=stop).run()
    assert Trainer(MODEL, TOKENIZER, run).step in (5, 6)


def test_a_full_disk_is_told_and_the_state_before_stands(run: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    Trainer(MODEL, TOKENIZER, replace(run, steps=7)).run()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*make room"):
        Trainer(MODEL, TOKENIZER, run).run()
    monkeypatch.undo()
    assert Trainer(MODEL, TOKENIZER, run).step == 7


def test_the_end_of_the_data_is_told(run: TrainConfig) -> None:
    sources = tuple(replace(source, max_epochs=1) for source in run.mixture.sources)
    once = replace(run, mixture=replace(run.mixture, sources=sources), steps=1000)
    with pytest.raises(TrainingError, match="the data ended after step"):
        Trainer(MODEL, TOKENIZER, once).run()
    assert Trainer(MODEL, TOKENIZER, once).step > 3


def test_a_damaged_shard_is_named(run: TrainConfig) -> None:
    file = next(run.mixture.sources[1].folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(FormatError, match=file.name):
        Trainer(MODEL, TOKENIZER, run)


def test_unknown_names_are_clear_errors(run: TrainConfig) -> None:
    with pytest.raises(UsageError, match="adamw, muon"):
        Trainer(MODEL, TOKENIZER, replace(run, optimizer=Optimizer(name="sgd")))
    with pytest.raises(UsageError, match="auto, cpu or cuda"):
        choose_device("tpu9")
    with pytest.raises(UsageError, match="float32 or bfloat16"):
        choose_dtype("int4", torch.device("cpu"))


def test_a_bucket_may_bound_what_global_layers_see(run: TrainConfig) -> None:
    mixture = replace(run.mixture, length_buckets=(10,))
    trainer = Trainer(MODEL, TOKENIZER, replace(run, mixture=mixture, horizons=(0, 7)))
    for _ in range(8):
        for row in next(trainer.batches):
            assert trainer._horizon(row) == (None if max(row.lengths) <= 10 else 7)


def test_it_shows_what_the_model_writes_on_its_own(run: TrainConfig) -> None:
    Trainer(MODEL, TOKENIZER, replace(run, samples=2)).run()
    samples = [json.loads(line) for line in (run.out / "samples.jsonl").read_text().splitlines()]
    assert [s["step"] for s in samples] == [10, 10, 20, 20]
    assert [m["sample_exact_frames"] for m in metrics(run) if "val_loss" in m][-1] > 0.5


def test_a_run_writes_only_into_its_folder(run: TrainConfig, tmp_path: Path) -> None:
    before = {p for p in tmp_path.rglob("*") if run.out not in p.parents}
    Trainer(MODEL, TOKENIZER, replace(run, steps=3)).run()
    assert {p for p in tmp_path.rglob("*") if run.out not in p.parents} - {run.out} == before
    assert {p.name for p in run.out.iterdir()} == {"metrics.jsonl", "state", "checkpoint", "run.json"}
