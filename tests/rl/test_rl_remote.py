"""A policy on a real `foretrace serve` of this machine: the same tokens and log probabilities, and weights handed over."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx")

from random_checkpoints import random_checkpoint

from foretrace.endpoint import Endpoint
from foretrace.engine.kernel import best_forward
from foretrace.engine.sampling import log_softmax
from foretrace.errors import EndpointError
from foretrace.model.checkpoint import Checkpoint, load_checkpoint
from foretrace.rl.collector import Collecting, Collector
from foretrace.rl.policies import Draw
from foretrace.rl.remote import EndpointPolicy, Handover, vllm
from foretrace.rl.types import PlainStates, Task, Transition
from foretrace.serve.app import create_app
from foretrace.serve.guard import rules_for
from foretrace.serve.model import Limits, ServedModel
from foretrace.serve.run import Server, address_of, bind

STOP = frozenset(range(0, 700, 8))


class Turns(PlainStates):
    """Two actions of any length."""

    name = "turns"
    stop = STOP

    def start(self, task: Task, seed: int) -> Transition:
        return Transition(state=1, observation=(1, 20 + seed, 11))

    def step(self, state: Any, action: Any) -> Transition:
        return Transition(state=state + 1, observation=(9,), is_over=state == 2, outcome={"right": len(action) % 2 == 0})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Checkpoint]]:
    """The address of a server, and the folder that it serves."""
    checkpoint = random_checkpoint(tmp_path / "rl", dtype="float32")
    model = ServedModel.load(str(tmp_path / "rl"), Limits(reload=True), "rl")
    listening = bind("127.0.0.1", 0)
    rules = rules_for("127.0.0.1", port=listening.getsockname()[1], token=None, open_paths=())
    ready = threading.Event()
    server = Server(create_app(model, rules), ready=ready.set, end=model.close, grace=1.0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert ready.wait(20)
        yield f"{address_of(listening)}/v1", checkpoint
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


def policy_of(url: str, checkpoint: Checkpoint, **settings: Any) -> EndpointPolicy:
    endpoint = Endpoint(url, model="rl", chat=False)
    handover = Handover(checkpoint.folder, checkpoint.config, checkpoint.tokenizer)
    return EndpointPolicy(endpoint, handover, **({"context": 128, "piece": 5} | settings))


def written(policy: EndpointPolicy, ids: list[int], limit: int = 16, stop: Any = ()) -> Any:
    writing = policy.begin(ids, Draw(seed=3, rollout=0, turn=0), limit=limit, stop=stop)
    while not writing.is_over:
        policy.advance()
    return writing


def logprobs(checkpoint: Checkpoint, ids: list[int]) -> Any:
    forward = best_forward(checkpoint.config, checkpoint.weights)
    logits = forward.logits(forward.advance([ids], [forward.new_cache()]))
    return log_softmax(logits[:-1])[np.arange(len(ids) - 1), ids[1:]]


def test_log_probabilities_are_those_of_the_model_across_pieces(served: tuple[str, Checkpoint]) -> None:
    url, checkpoint = served
    writing = written(policy_of(url, checkpoint), [1, 2, 3])
    assert len(writing.tokens) == len(writing.logprobs) == len(writing.versions) == 16
    real = logprobs(checkpoint, [1, 2, 3, *writing.tokens])[2:]
    np.testing.assert_allclose(writing.logprobs, real, atol=1e-4)
    assert writing.tokens == written(policy_of(url, checkpoint), [1, 2, 3]).tokens  # drawn with the same seeds
    assert written(policy_of(url, checkpoint), list(range(127)), limit=50).tokens.__len__() == 1  # context
    stopped = written(policy_of(url, checkpoint), [1, 2, 3], limit=100, stop=STOP)
    assert [token in STOP for token in stopped.tokens] == [False] * (len(stopped.tokens) - 1) + [True]


def test_weights_are_handed_over_in_the_middle_of_an_action(served: tuple[str, Checkpoint], tmp_path: Path) -> None:
    url, checkpoint = served
    other = random_checkpoint(tmp_path / "other", seed=1, dtype="float32")
    policy = policy_of(url, checkpoint)
    writing = policy.begin([1, 2, 3], Draw(seed=3, rollout=0, turn=0), limit=16, stop=())
    while not writing.tokens:
        policy.advance()
    policy.load(other.weights, 7)
    while not writing.is_over:
        policy.advance()
    assert set(writing.versions) == {0, 7}
    assert writing.versions == sorted(writing.versions)
    for prompt in ([1, 2, 3], [4, 5, 6]):  # one that the older weights have seen, one that they have not
        after = written(policy, prompt)
        np.testing.assert_allclose(after.logprobs, logprobs(other, [*prompt, *after.tokens])[2:], atol=1e-4)
    name = "model.norm.weight"
    assert np.array_equal(load_checkpoint(checkpoint.folder).weights[name], other.weights[name])


def test_whole_groups_come_over_http(served: tuple[str, Checkpoint]) -> None:
    url, checkpoint = served
    config = Collecting(group_size=4, width=8, max_tokens=60, max_turns=2)
    worlds = {"turns": (Turns(), lambda transition, _: float(transition.outcome["right"]))}
    starts = [(Task(environment="turns", id=str(at), data={}), at) for at in range(3)]
    groups = list(Collector(worlds, policy_of(url, checkpoint), config).groups(starts))
    assert len(groups) == 3
    for rollout in (rollout for group in groups for rollout in group.rollouts):
        real = logprobs(checkpoint, rollout.tokens.tolist())
        written_by_policy = rollout.actions[1:]
        np.testing.assert_allclose(rollout.logprobs[1:][written_by_policy], real[written_by_policy], atol=1e-4)


def test_a_server_that_does_not_reload_says_so(served: tuple[str, Checkpoint]) -> None:
    url, checkpoint = served
    handover = Handover(checkpoint.folder, checkpoint.config, checkpoint.tokenizer, vllm(checkpoint.folder))
    endpoint = Endpoint(url, model="rl", chat=False)
    with pytest.raises(EndpointError, match=r"/pause.* answered 404"):
        EndpointPolicy(endpoint, handover, context=128).load(checkpoint.weights, 1)
