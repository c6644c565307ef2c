"""Real processes that share a run, over Gloo on the CPU: whatever is shared, the run is the same as that of one process."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import parallel_worker
from parallel_worker import STEPS, config_of, model_of, trainer_of
from tiny_run import TOKENIZER
from torch import Tensor

from foretrace.data.batch import PADDING, Batch
from foretrace.data.kinds import Kind
from foretrace.data.render import render
from foretrace.data.shards import Document, shard_name, write_shard
from foretrace.errors import UsageError
from foretrace.model.interchange import load_pretrained
from foretrace.model.transformer import CausalLM
from foretrace.record.program import record_program
from foretrace.train.config import Parallel
from foretrace.train.context import divisible, pieces_of
from foretrace.train.optimizer import make_optimizers
from foretrace.train.ranks import Axis, Ranks
from foretrace.train.rows import Row
from foretrace.train.state import load_tensors

CPU = torch.device("cpu")
Case = dict[str, Any]


# ---------------------------------------------------------------------------------------------------
# Starting processes


def case(out: str, does: str = "train", options: dict[str, Any] | None = None, **parallel: int) -> Case:
    return {"out": out, "does": does, "parallel": parallel, "options": options or {}}


def launch(processes: int, folder: Path, *cases: Case, patience: float = 240) -> dict[str, list[dict[str, Any]]]:
    """Runs cases one after the other; returns what each process found, by case."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    command = [sys.executable, parallel_worker.__file__, str(folder), json.dumps(cases)]
    logs = [folder / f"{cases[0]['out']}.{rank}.log" for rank in range(processes)]
    running = []
    for rank, log in enumerate(logs):
        environment = os.environ | meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"}
        with log.open("w") as stream:
            running.append(subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT))
    try:
        codes = [process.wait(timeout=patience) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0] * processes, "\n".join(log.read_text()[-3000:] for log in logs)
    names = [case["out"] for case in cases]
    return {name: [json.loads((folder / f"{name}.{r}.json").read_text()) for r in range(processes)] for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of random documents, most of which cross the borders of a rank's pieces; and runs of one process."""
    folder = tmp_path_factory.mktemp("parallel")
    rng = np.random.default_rng(0)
    for name, count in (("first", 40), ("second", 40), ("validation", 9)):
        (folder / name).mkdir()
        documents = [random_document(rng, int(length)) for length in rng.integers(5, 40, count)]
        write_shard(
            folder / name / shard_name(0), documents, vocab_size=TOKENIZER.vocab_size, tokenizer=TOKENIZER.fingerprint
        )
    trainer_of(folder, case("alone")).run()
    return folder


def random_document(rng: np.random.Generator, length: int) -> Document:
    kinds = np.full(length, Kind.TEXT, np.uint8)
    kinds[: length // 3] = Kind.PROMPT
    return Document(rng.integers(1, TOKENIZER.vocab_size, length).astype(np.uint16), kinds)


# ---------------------------------------------------------------------------------------------------
# Comparing runs


def records(folder: Path, out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / out / "metrics.jsonl").read_text().splitlines()]


def curve(folder: Path, out: str, key: str = "loss") -> list[float]:
    judged = "val_loss" if key.startswith("val_") else "loss"
    return [record[key] for record in records(folder, out) if judged in record]


def weights(folder: Path, out: str, options: dict[str, Any] | None = None) -> dict[str, Tensor]:
    """The weights that a run has saved, read by one process."""
    options = dict(options or {})
    model = CausalLM(model_of(options))
    parameters = dict(model.named_parameters())
    config = config_of(folder, out, {}, **options)
    load_tensors(config.out / "state", parameters, make_optimizers(model, config.optimizer, 0.0), Ranks())
    return parameters


def assert_equal_runs(
    folder: Path, out: str, options: dict[str, Any] | None = None, alone: str = "alone", atol: float = 1e-5
) -> None:
    for key in ("loss", "grad_norm", "val_loss", "val_token_accuracy", "val_exact_trace", "tokens"):
        ours, wanted = curve(folder, out, key), curve(folder, alone, key)
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=atol, err_msg=f"{out}: {key}")
    reference, exact = weights(folder, alone, options), atol <= 1e-5
    for name, found in weights(folder, out, options).items():
        difference = (found - reference[name]).abs()  # AdamW makes much of what is noise in tiny gradients
        assert (difference.max() if exact else difference.mean()) <= atol, f"{out}: {name} differs"


# ---------------------------------------------------------------------------------------------------
# Equality


FOUR = (
    case("data=4", data=4),
    case("data=2,tensor=2", data=2, tensor=2),
    case("data=2,context=2", data=2, context=2),
    case("context=2,tensor=2", context=2, tensor=2),
)
TWO = (case("data=2", data=2), case("context=2", context=2), case("tensor=2", tensor=2))


@pytest.fixture(scope="module")
def four(folder: Path) -> Path:
    """What four processes did: some runs, and the beginning of one."""
    launch(4, folder, *FOUR, case("moved", "some_steps", data=2, tensor=2))
    return folder


@pytest.mark.parametrize("out", [made["out"] for made in FOUR])
def test_four_processes_train_as_one(four: Path, out: str) -> None:
    assert_equal_runs(four, out)


def test_two_processes_train_as_one_and_go_on_with_what_four_began(four: Path) -> None:
    lost = case("lost", "lost", data=2)
    found = launch(2, four, *TWO, case("moved", "some_steps", context=2), lost)
    assert [found[out][0]["step"] for out in ("data=2", "context=2", "tensor=2", "moved")] == [STEPS, STEPS, STEPS, 4]
    for made in TWO:
        assert_equal_runs(four, made["out"])
    trainer_of(four, case("moved")).run()  # alone, to its end
    assert_equal_runs(four, "moved")
    messages = [process["message"] for process in found["lost"]]
    assert messages == ["another process failed first, rank 1: shard 7 is damaged", "shard 7 is damaged"]


def test_the_checkpoint_is_whole_whoever_trained_it(four: Path) -> None:
    _, tensors = load_pretrained(four / "data=2,tensor=2" / "checkpoint")
    for name, weight in weights(four, "data=2,tensor=2").items():
        torch.testing.assert_close(torch.from_numpy(tensors[name].to("float32")), weight, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "atol"),
    [
        ("tied", {"model": {"tie_word_embeddings": True}}, 1e-5),
        ("recomputed", {"hardware": {"recompute": True}}, 1e-5),
        ("compiled", {"hardware": {"compile": True, "recompute": True}}, 1e-5),
        ("muon", {"optimizer": "muon"}, 1e-4),  # orthogonalises in bfloat16
        ("bfloat16", {"hardware": {"dtype": "bfloat16"}}, 2e-3),
    ],
)
def test_what_else_a_run_may_have(folder: Path, name: str, options: dict[str, Any], atol: float) -> None:
    alone = f"alone {name}"
    trainer_of(folder, case(alone, options=options)).run()
    cases = [
        case(f"{name} data=4,reshard=0", options=options, data=4, reshard=0),
        case(f"{name} data=2,tensor=2", options=options, data=2, tensor=2),
        case(f"{name} context=4", options=options, context=4),
        case(f"{name} tensor=4", options=options, tensor=4),
    ]
    launch(4, folder, *cases, patience=1200)
    for made in cases:
        assert_equal_runs(folder, made["out"], options, alone, atol)


@pytest.mark.slow
def test_jepa_pairs_are_those_of_one_process(folder: Path) -> None:
    (folder / "traces").mkdir()
    source = "def power(base, exponent):\n    out = 1\n    for _ in range(exponent):\n        out *= base\n    return out\n"
    recorded = [record_program(source, "power", f"{n}, {n % 3}") for n in range(40)]
    documents = [render(TOKENIZER, trace) for trace in recorded]
    write_shard(
        folder / "traces" / shard_name(0), documents, vocab_size=TOKENIZER.vocab_size, tokenizer=TOKENIZER.fingerprint
    )
    jepa = {"weight": 2.0, "predictor_ids": [TOKENIZER.vocab_size - 1]}
    options = {"sources": ["traces"], "row": 700, "jepa": jepa}
    trainer_of(folder, case("alone jepa", options=options)).run()
    cases = [case("jepa data=2", options=options, data=2), case("jepa tensor=2", options=options, tensor=2)]
    launch(2, folder, *cases)
    for made in cases:
        assert_equal_runs(folder, made["out"], options, "alone jepa")
        for key in ("jepa_cosine", "jepa_variance"):
            ours, wanted = curve(folder, made["out"], key), curve(folder, "alone jepa", key)
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5, err_msg=key)


# ---------------------------------------------------------------------------------------------------
# Failing together


def test_what_happens_to_one_process_ends_all(folder: Path) -> None:
    narrow = {"model": {"num_key_value_heads": 1}}
    found = launch(
        2,
        folder,
        case("signalled", "signalled", data=2),
        case("poisoned", "poisoned", data=2),
        case("full disk", "full_disk", data=2),
        case("full disk of the first", "full_disk_of_the_first", data=2),
        case("narrow", options=narrow, tensor=2),
    )
    messages = {name: [process.get("message", "") for process in processes] for name, processes in found.items()}
    assert all("after step 2" in message for message in messages["signalled"])
    assert "SIGTERM" in messages["signalled"][1]
    assert "another process" in messages["signalled"][0]
    assert all("step 3" in message and "nan" in message for message in messages["poisoned"])
    assert all("No space left" in message for message in messages["full disk"])
    assert all("0.0 GB are free" in message for message in messages["full disk of the first"])
    assert all("num_key_value_heads=1" in message for message in messages["narrow"])


def test_what_was_finished_is_kept(folder: Path) -> None:
    for out, step in (("signalled", 2), ("poisoned", 2), ("full disk", 1)):
        trainer = trainer_of(folder, case(out))
        assert trainer.step == step
        trainer.batches.close()
        assert not (folder / out / "state.new").exists()


# ---------------------------------------------------------------------------------------------------
# Without processes


@pytest.mark.parametrize(
    ("world", "parallel", "message"),
    [
        (4, Parallel(tensor=3), r"tensor=3 makes 3 processes, but there are 4"),
        (4, Parallel(data=8), r"makes 8 processes, but there are 4"),
        (1, Parallel(context=2), r"makes 2 processes, but there are 1"),
        (4, Parallel(tensor=0), r"parallel.tensor=0 must be at least 1"),
    ],
)
def test_sizes_that_do_not_fit(monkeypatch: pytest.MonkeyPatch, world: int, parallel: Parallel, message: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(world))
    with pytest.raises(UsageError, match=message):
        Ranks.join(parallel, CPU)


def test_ranks_that_share_a_row_have_it_all_once_and_equal_work() -> None:
    pieces = [pieces_of(48, Axis(rank, 4)) for rank in range(4)]
    assert sorted(i for both in pieces for piece in both for i in piece) == list(range(48))
    assert len({sum(i + 1 for piece in both for i in piece) for both in pieces}) == 1


def test_the_rows_of_ranks_make_every_prediction_once() -> None:
    rng = np.random.default_rng(0)
    lengths = (7, 1, 20, 3)
    tokens, predicted = rng.integers(0, 99, 31), rng.random(31) < 0.7
    predicted[np.cumsum((0, *lengths[:-1]))] = False
    batch = Batch(tokens, lengths, np.full(31, Kind.TEXT, np.uint8), predicted.astype(np.float32), np.arange(4))
    whole = Row.of(batch, CPU)
    rows = [Row.of(batch, CPU, axis=Axis(rank, 2)) for rank in range(2)]
    assert [len(row.tokens) for row in rows] == [16, 16]
    for name in ("targets", "weights", "kinds", "owners"):
        found = torch.cat([getattr(row, name) for row in rows])
        assert sorted(found.tolist()) == sorted(getattr(whole, name).tolist()), name
    everywhere = set(_predictions(whole))
    for row in rows:
        assert set(_predictions(row)) <= everywhere


def _predictions(row: Row) -> list[tuple[int, int, int]]:
    """Target, document, and how far into it the token before it stands, of each prediction."""
    before = row.documents.positions[row.where]
    return list(zip(row.targets.tolist(), row.owners.tolist(), before.tolist(), strict=True))


def test_padding_is_a_document_of_its_own_and_never_predicted() -> None:
    batch = Batch(np.arange(5), (5,), np.full(5, Kind.TEXT, np.uint8), np.ones(5, np.float32), np.zeros(1, np.int64))
    padded = divisible(batch, Axis(0, 2))
    assert padded.lengths == (5, 3)
    assert padded.sources.tolist() == [0, PADDING]
    assert padded.weights.sum() == 5
    assert divisible(padded, Axis(0, 2)) is padded
