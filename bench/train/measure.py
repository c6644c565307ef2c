"""One measurement, in a process of its own: `speed.py` starts it; the last line that it prints is JSON."""

import argparse
import json
from pathlib import Path
from typing import Any

from clock import Clock
from shapes import SHAPES
from task import Task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=["foretrace", "hugging_face", "nanochat", "matmul"])
    parser.add_argument("--shape", choices=SHAPES, default="1M")
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--checkout", type=Path)
    given = parser.parse_args()
    print(json.dumps(measured(given) | versions()))


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """What the contender did."""
    if given.contender == "matmul":
        return {"flops_per_second": peak(given.device)}
    clock = Clock(given.warmup, given.seconds, given.device)
    task = Task(
        model=SHAPES[given.shape],
        data=given.data,
        tokens=given.tokens,
        seed=given.seed,
        device=given.device,
        clock=clock,
        settings=given.settings,
        checkout=given.checkout,
    )
    extra = run(given.contender, task)
    return clock.result() | extra


def run(contender: str, task: Task) -> dict[str, Any]:
    """Imports the contender, which need not be installed where the others are, and lets it train."""
    if contender == "foretrace":
        import ours

        return ours.run(task)
    if contender == "hugging_face":
        from peers import hugging_face

        return hugging_face.run(task)
    from peers import nanochat

    return nanochat.run(task)


def peak(device: str) -> float:
    """The most that matrices are multiplied with here, in bfloat16: the best of some sizes."""
    import torch

    from foretrace.train.hardware import matmul_peak

    return matmul_peak(torch.device(device), torch.bfloat16, [(n, n, n) for n in (1024, 2048, 4096)], seconds=3)


def versions() -> dict[str, Any]:
    """Of what matters for speed."""
    import sys

    import torch

    found = {"torch": torch.__version__, "threads": torch.get_num_threads(), "python": sys.version.split()[0]}
    if "transformers" in sys.modules:
        found["transformers"] = sys.modules["transformers"].__version__
    return found


if __name__ == "__main__":
    main()
