"""Two processes that learn together, as `torchrun` starts them: the same weights as one, and one feed for both."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import random_checkpoints
import rl_worker
from random_checkpoints import CONFIG, random_checkpoint

from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import UsageError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.rl.learner import Learning
from foretrace.rl.run import run
from foretrace.train.config import Parallel


def launch(folder: Path, out: str, updates: int = 3, tensor: int = 1) -> list[dict[str, Any]]:
    """What each of two processes found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folders = [str(Path(module.__file__ or "").parent) for module in (rl_worker, random_checkpoints)]
    paths = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, rl_worker.__file__, str(folder), out, str(updates), str(tensor)]
    running = []
    for rank in range(2):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
        with (folder / f"{out}.{rank}.log").open("w") as log:
            running.append(subprocess.Popen(command, env=os.environ | meeting | own, stdout=log, stderr=subprocess.STDOUT))
    try:
        codes = [process.wait(timeout=240) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0, 0], "\n".join((folder / f"{out}.{rank}.log").read_text()[-3000:] for rank in range(2))
    return [json.loads((folder / f"{out}.{rank}.json").read_text()) for rank in range(2)]


def records(folder: Path, out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process."""
    folder = tmp_path_factory.mktemp("rl")
    tokenizer = Tokenizer.train(
        ["ab" * 9], vocab_size=CONFIG.vocab_size + 1
    )  # two processes can share an even number of words
    random_checkpoint(folder / "start", replace(CONFIG, vocab_size=tokenizer.vocab_size), tokenizer=tokenizer)
    run(rl_worker.config(folder, "alone"), rl_worker.ENVIRONMENTS, rl_worker.source())
    return folder


@pytest.mark.parametrize("tensor", [1, 2])
def test_two_processes_learn_what_one_does(folder: Path, tensor: int) -> None:
    """Each with half of the rows, or with half of each matrix."""
    out = f"two-{tensor}"
    assert launch(folder, out, tensor=tensor) == [{"published": [[0, 1, 2, 3]]}, {"published": []}]
    one, two = (load_checkpoint(folder / name / "checkpoint").weights for name in ("alone", out))
    begun = load_checkpoint(folder / "start").weights
    for name, value in one.items():
        assert np.abs(value - begun[name]).max() > 1e-3
        np.testing.assert_allclose(value, two[name], atol=2e-3)
    for alone, shared in zip(records(folder, "alone"), records(folder, out), strict=True):
        for name in ("tokens", "entropy", "mismatch", "kl", "ratio", "objective", "grad_norm", "lag", "reward", "rows"):
            assert shared[name] == pytest.approx(alone[name], rel=2e-3, abs=1e-4), name


def test_what_ends_the_feed_ends_all(folder: Path) -> None:
    first, second = launch(folder, "failing", updates=4)
    assert "the disk is on fire" in first["error"]
    assert "rank 0: environment low, task 9: the disk is on fire" in second["error"]


def test_rows_are_not_cut() -> None:
    with pytest.raises(UsageError, match=r"parallel\.context"):
        Learning(parallel=Parallel(context=2))
