"""Training speed side by side: foretrace, Hugging Face's `Trainer` with `CwmForCausalLM`, and a trainer in nanochat's style.

    python bench/train/speed.py --rounds 3 --peers-python venv/bin/python --nanochat checkouts/nanochat
    python bench/train/speed.py --sweep hugging_face --shapes 10M --seconds 6 …       # which settings are its best
    python bench/train/report.py [results.jsonl …]                                    # its tables again

The peers' interpreter needs torch, numpy, safetensors, transformers and accelerate; foretrace is that of this tree everywhere.

Rules:
- Every measurement is a process of its own, with the same number of threads. Contenders take turns round by round (A B C A B C);
  the median of rounds and their spread are reported.
- All train on the same documents: programs synthesised, run and recorded by this package, tokenised once (`traces.py`).
- What counts is document tokens a second; padding is none. What is timed are whole optimiser steps (loading, forward, backward,
  clipping, optimiser) after warm-up. Compiling is reported beside, as part of the start.
- The same shape, tokens a step and precision: matrices multiplied in bfloat16, weights and moments in float32. The same optimiser,
  torch's fused AdamW; Muon, which nanochat uses, in rows of its own.
- Each contender has the settings that were measured to be its best (`contenders.py`), those of the C library's allocator included.
- Peak speed of a matrix product is measured in the same rounds. MFU is tokens a second times the FLOPs of a token of that shape
  (`foretrace.model.info`) over that peak, by one formula for all: what a contender computes without need, such as attention between documents,
  does not count for it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import traces
from contenders import NAMES, Contender, contender, sweep
from report import read, report
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from shapes import SHAPES

from foretrace.model.info import train_flops_per_token

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "runs" / "train-speed"
PATIENCE = 600
"""Seconds for one process."""


class Cell(NamedTuple):
    """One measurement to make."""

    shape: str
    tokens: int
    name: str
    contender: Contender


def main() -> None:
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    shards = (given.data or given.out / "data").resolve()
    traces.make(shards)
    lengths = traces.lengths(shards)
    costs = {shape: train_flops_per_token(SHAPES[shape], lengths) for shape in given.shapes}
    file = given.out / (f"sweep-{given.sweep}.jsonl" if given.sweep else "results.jsonl")
    rounds = [list(cells(given)) for _ in range(given.rounds)]
    columns = (TextColumn("{task.description:48}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with file.open("w", encoding="utf-8") as out, tempfile.TemporaryDirectory() as cache, Progress(*columns) as progress:
        task = progress.add_task("", total=sum(map(len, rounds)))
        for number, row in enumerate(rounds):
            peak = process(given, contender("foretrace", given.device), ["matmul"], cache)
            print(json.dumps({"round": number, "peak": peak}), file=out, flush=True)
            for cell in row:
                progress.update(task, description=f"{cell.shape} {cell.name}")
                result = measured(given, cell, shards, cache, number)
                about = cell._asdict() | {"contender": cell.contender.title, "settings": cell.contender.described()}
                about |= {"round": number, "device": given.device, "flops_per_token": costs[cell.shape]}
                print(json.dumps(about | result), file=out, flush=True)
                progress.advance(task)
    print(file, report(read(file)), sep="\n\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15, help="that are timed of each process")
    parser.add_argument("--warmup", type=int, default=3, help="optimiser steps before them")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["1M", "10M", "30M"])
    parser.add_argument("--tokens", nargs="+", type=int, help="of an optimiser step (default: 8192, on a GPU 131072)")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--sweep", choices=NAMES, help="try the settings of one contender instead")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each process")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--peers-python", type=Path, default=Path(sys.executable), help="their interpreter")
    parser.add_argument("--nanochat", type=Path, help="a checkout of it; without one it does not take part")
    parser.add_argument("--data", type=Path, help="folder of shards (default: made in the results' folder)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results")
    given = parser.parse_args()
    given.tokens = given.tokens or [131072 if given.device == "cuda" else 8192]
    return given


def cells(given: argparse.Namespace) -> Iterator[Cell]:
    """The measurements of one round."""
    if given.sweep:
        chosen = [(given.sweep, one) for one in sweep(given.sweep, given.device)]
    else:
        chosen = [(name, contender(name, given.device)) for name in given.contenders]
    for shape in given.shapes:
        for tokens in given.tokens:
            for name, one in chosen:
                if one.module != "nanochat" or given.nanochat:
                    yield Cell(shape, tokens, name, one)


def measured(given: argparse.Namespace, cell: Cell, shards: Path, cache: str, seed: int) -> dict[str, Any]:
    """What the contender says of its run, or why there is none."""
    settings = json.dumps(cell.contender.settings)
    options = [cell.contender.module, "--shape", cell.shape, "--tokens", str(cell.tokens), "--data", str(shards)]
    options += ["--seconds", str(given.seconds), "--warmup", str(given.warmup), "--seed", str(seed)]
    options += ["--settings", settings]
    if cell.contender.module == "nanochat":
        options += ["--checkout", str(given.nanochat.resolve())]
    return process(given, cell.contender, options, cache)


def process(given: argparse.Namespace, contender: Contender, options: list[str], cache: str) -> dict[str, Any]:
    """The last line that a fresh process prints; on failure, why."""
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    environment = os.environ | contender.environment | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(given.threads)}
    environment |= {"TORCHINDUCTOR_CACHE_DIR": cache, "HF_HUB_OFFLINE": "1"}
    python = str(given.peers_python.absolute()) if contender.peer else sys.executable
    command = [python, str(HERE / "measure.py"), *options, "--device", given.device]
    try:
        done = subprocess.run(command, env=environment, cwd=cache, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {PATIENCE} s"}
    if done.returncode:
        return {"failed": _reason(done.stderr) or f"exit code {done.returncode}"}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _reason(stderr: str) -> str:
    """The last line that names an error, or else the last line."""
    lines = stderr.strip().splitlines()
    return next((line for line in reversed(lines) if re.match(r"[\w.]*Error\b", line)), lines[-1] if lines else "")


if __name__ == "__main__":
    main()
