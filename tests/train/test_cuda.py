"""Training on a CUDA GPU is training on a CPU, faster: `pytest -m gpu`."""

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from tiny_run import MODEL, TOKENIZER

from foretrace.errors import TrainingError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.train.config import Hardware, Jepa, Optimizer, TrainConfig
from foretrace.train.trainer import Trainer

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")]
EXACT = Hardware(device="cpu", dtype="float32", attention="sdpa-block")


@pytest.fixture
def run(run: TrainConfig) -> TrainConfig:
    """From weights made on a CPU: a GPU draws others."""
    begun = replace(run, out=run.out.with_name("begun"))
    trainer = Trainer(MODEL, TOKENIZER, begun)
    trainer.save()
    trainer.batches.close()
    return replace(run, init_from=begun.out / "checkpoint")


def trained(run: TrainConfig, name: str, **changed: object) -> tuple[list[float], TrainConfig]:
    run = replace(run, out=run.out.with_name(name), **changed)  # type: ignore[arg-type]
    Trainer(MODEL, TOKENIZER, run).run()
    return losses(run), run


def losses(run: TrainConfig) -> list[float]:
    lines = (run.out / "metrics.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, lines) if "loss" in record]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("attention", ["sdpa-block", "flex"])
def test_in_float32_the_curve_is_that_of_a_cpu(run: TrainConfig, attention: str, optimizer: str) -> None:
    run = replace(run, optimizer=Optimizer(name=optimizer))
    wanted, _ = trained(run, "cpu", hardware=EXACT)
    found, _ = trained(run, "cuda", hardware=replace(EXACT, device="cuda", attention=attention))
    # Muon orthogonalises in bfloat16, which CPU and GPU round differently
    assert found == pytest.approx(wanted, rel=2e-2 if optimizer == "muon" else 1e-3)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("attention", ["varlen", "flex", "sdpa-block"])
def test_in_bfloat16_it_learns_as_much(run: TrainConfig, attention: str, compiled: bool) -> None:
    wanted, _ = trained(run, "cpu", hardware=EXACT)
    fast = Hardware(device="cuda", dtype="bfloat16", attention=attention, compile=compiled)
    found, _ = trained(run, "cuda", hardware=fast)
    assert found == pytest.approx(wanted, rel=0.1, abs=0.05)


def test_a_run_goes_on_where_it_stopped(run: TrainConfig) -> None:
    run = replace(run, hardware=Hardware(device="cuda"))
    whole, _ = trained(run, "whole")
    stopped = Trainer(MODEL, TOKENIZER, run)
    for _ in range(8):
        stopped.advance()
    stopped.save()
    stopped.batches.close()
    resumed = Trainer(MODEL, TOKENIZER, run)
    resumed.run()
    assert losses(run) == pytest.approx(whole, rel=1e-2)  # sums on a GPU have no order
    for name, weight in load_checkpoint(run.out / "checkpoint").weights.items():
        kept = resumed.parameters[name].detach().cpu()
        torch.testing.assert_close(torch.from_numpy(weight), kept, atol=1e-3, rtol=1e-3)


def test_a_loss_that_is_no_number_ends_the_run(run: TrainConfig) -> None:
    trainer = Trainer(MODEL, TOKENIZER, replace(run, hardware=Hardware(device="cuda")))
    trainer.advance()
    with torch.no_grad():
        trainer.parameters["model.norm.weight"][0] = torch.nan
    with pytest.raises(TrainingError, match="lower rate"):
        trainer.advance()


def test_jepa_learns_there(run: TrainConfig) -> None:
    jepa = Jepa(predictors=1, predictor_ids=(TOKENIZER.vocab_size - 1,))
    found, _ = trained(run, "jepa", hardware=Hardware(device="cuda"), jepa=jepa)
    assert found[-1] < 0.5 * found[0]
