"""A run on a Ray cluster of three nodes, of which one is killed: no update is lost, and it learns what one process does."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
ray = pytest.importorskip("ray", reason='needs pip install "foretrace[ray]"')
pytestmark = pytest.mark.slow

import random_checkpoints
from low_world import Low, make, reward, tasks
from random_checkpoints import random_checkpoint
from ray._private.state import actors

import foretrace
from foretrace.errors import TrainingError
from foretrace.rl.cluster import Cluster, cluster_feed
from foretrace.rl.collector import Collecting
from foretrace.rl.learner import Learning
from foretrace.rl.records import read_groups
from foretrace.rl.run import RunConfig, run
from foretrace.rl.source import Part, TaskSource
from foretrace.rl.types import Ending
from foretrace.train.schedule import Schedule

UPDATES = 24
ENVIRONMENTS = {"low": (Low(), reward)}


def config(folder: Path, out: str, updates: int = UPDATES) -> RunConfig:
    if not (folder / "start").exists():
        random_checkpoint(folder / "start")
    schedule = Schedule(kind="constant", lr=2e-2, warmup_steps=0)
    return RunConfig(
        start=folder / "start",
        out=folder / out,
        updates=updates,
        budget=700,
        ahead=4,
        collecting=Collecting(group_size=8, width=24, max_tokens=40, max_turns=2),
        learning=Learning(schedule=schedule, max_tokens=40, tokens_per_row=400),
        save_every=1000,
    )


@pytest.fixture(scope="module")
def cluster() -> Any:
    from ray.cluster_utils import Cluster as RayCluster

    folders = (Path(foretrace.__file__).parents[1], Path(__file__).parent, Path(random_checkpoints.__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", ":".join(map(str, folders)))
        patch.setenv("OMP_NUM_THREADS", "1")
        started = RayCluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 100 << 20})
        try:
            yield started
        finally:
            ray.shutdown()
            started.shutdown()


def rewards(folder: Path) -> list[float]:
    return [json.loads(line)["reward"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_killed_node_loses_no_update_and_the_curve_is_that_of_one_process(tmp_path: Path, cluster: Any) -> None:
    nodes = [cluster.add_node(num_cpus=2, object_store_memory=100 << 20) for _ in range(2)]
    chosen, source = config(tmp_path, "cluster"), TaskSource([Part(tasks=tasks())], seed=1)
    places = Cluster(address=cluster.address, samplers=2, environments=2)
    killed: list[int] = []

    def kill_one(record: dict[str, Any]) -> None:
        if record["step"] == 6:
            killed.append(record["step"])
            busy = {actor["Address"]["NodeID"] for actor in actors().values() if actor["State"] == "ALIVE"}
            cluster.remove_node(next(node for node in nodes if node.node_id in busy), allow_graceful=False)

    feed = cluster_feed(chosen, places, ENVIRONMENTS, make, source)
    run(chosen, ENVIRONMENTS, source, feed=feed, report=kill_one)
    assert killed
    until = time.monotonic() + 60
    while sum(node["Alive"] for node in ray.nodes()) > 2 and time.monotonic() < until:
        time.sleep(0.5)  # the run may be over before Ray has missed the node
    assert sum(node["Alive"] for node in ray.nodes()) == 2
    records = [json.loads(line) for line in (chosen.out / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(1, UPDATES + 1))
    assert records[0]["mismatch"] < 1e-3  # later ones have keys and values of older weights in them
    groups = list(read_groups(chosen.out / "rollouts.jsonl"))
    starts = Counter((g.task.id, g.rollouts[0].seed) for g in groups)
    assert max(starts.values()) == 1
    assert all(len(group.rollouts) == 8 for group in groups)
    whole = [len(r.rewards) == 2 or r.ending is Ending.LENGTH for group in groups for r in group.rollouts]
    assert all(whole)

    alone = config(tmp_path, "alone")
    run(alone, ENVIRONMENTS, TaskSource([Part(tasks=tasks())], seed=1))
    curves = [np.array(rewards(out)).reshape(-1, 6).mean(1) for out in (chosen.out, alone.out)]
    print("mean reward of six updates each: cluster", curves[0].round(3), "one process", curves[1].round(3))
    assert all(curve[-1] > curve[0] + 0.2 for curve in curves), curves
    assert np.abs(curves[0] - curves[1]).max() < 0.15, curves


def test_an_environment_that_fails_far_away_ends_the_run_and_says_where(tmp_path: Path, cluster: Any) -> None:
    cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
    for environments in (0, 1):
        chosen = config(tmp_path, f"broken-{environments}", updates=1)
        source = TaskSource([Part(tasks=tasks(is_broken=True))])
        places = Cluster(address=cluster.address, samplers=1, environments=environments)
        feed = cluster_feed(chosen, places, ENVIRONMENTS, make, source)
        with pytest.raises(TrainingError, match=r"environment low, task \d+, seed \d+, rollout \d+.*on fire"):
            run(chosen, ENVIRONMENTS, source, feed=feed)
