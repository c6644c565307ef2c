"""Tokens a second of our sampler, and of a policy on a server that has the same weights. One JSON object.

    python bench/rl/policies.py src/foretrace/checkpoints/tiny http://127.0.0.1:8000/v1 --model tiny

Both take turns, `--rounds` times, with actions of `--tokens` tokens after prompts that nobody has seen; medians are of rounds.
The server has to run already, with as much context; `tests/rl/test_rl_vllm.py` has the flags that vLLM needs.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from foretrace.endpoint import Endpoint
from foretrace.model.checkpoint import load_checkpoint
from foretrace.rl.policies import Draw, LocalPolicy, Policy
from foretrace.rl.remote import EndpointPolicy, Handover


def speed(policy: Policy, prompts: list[list[int]], tokens: int) -> float:
    """Tokens a second over all the prompts together."""
    start = time.perf_counter()
    writings = [policy.begin(ids, Draw(seed=0, rollout=at, turn=0), limit=tokens, stop=()) for at, ids in enumerate(prompts)]
    while not all(writing.is_over for writing in writings):
        policy.advance()
    return sum(len(writing.tokens) for writing in writings) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    parser.add_argument("--model", required=True, help="its name on the server")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=32, help="sequences at a time")
    parser.add_argument("--prompt", type=int, default=100, help="tokens of each")
    parser.add_argument("--tokens", type=int, default=256)
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.folder)
    endpoint = Endpoint(options.url, model=options.model, chat=False, concurrency=options.width)
    handover = Handover(options.folder, checkpoint.config, checkpoint.tokenizer)  # never made
    policies: dict[str, Policy] = {
        "ours": LocalPolicy(checkpoint.config, checkpoint.weights),
        "server": EndpointPolicy(endpoint, handover, context=options.prompt + options.tokens),
    }
    found: dict[str, list[float]] = {name: [] for name in policies}
    rng = np.random.default_rng(0)
    for _ in range(options.rounds):
        for name, policy in policies.items():
            prompts = rng.integers(0, checkpoint.config.vocab_size, (options.width, options.prompt)).tolist()
            found[name].append(round(speed(policy, prompts, options.tokens)))
    medians = {name: statistics.median(speeds) for name, speeds in found.items()}
    print(json.dumps({"tokens_per_second": medians, "rounds": found, "options": vars(options)}, default=str))


if __name__ == "__main__":
    main()
