"""The pipeline on a Ray cluster of three nodes, one of which is killed: the same files as one machine makes."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

import foretrace
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make

ray = pytest.importorskip("ray", reason='needs pip install "foretrace[ray]"')
pytestmark = pytest.mark.slow


def prints(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.rglob("*") if f.is_file()}


def test_a_killed_node_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(Path(foretrace.__file__).parents[1]))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
    definition = Definition(sources=("synthesised:300",), subjects_per_shard=10, tries=0)
    killed = []

    def kill_one(stage: str, done: int, wanted: int, counted: Counter[str]) -> None:
        if stage == "execute" and done >= 4 and not killed:
            killed.append(done)
            cluster.remove_node(nodes[1], allow_graceful=False)

    try:
        make(definition, str(tmp_path / "cluster"), open_engine("ray", 0, cluster.address), kill_one)
        assert killed
        assert len(ray.nodes()) == 3
        assert sum(node["Alive"] for node in ray.nodes()) == 2
    finally:
        ray.shutdown()
        cluster.shutdown()
    make(definition, str(tmp_path / "alone"), open_engine("local", os.cpu_count() or 1))
    assert prints(tmp_path / "cluster") == prints(tmp_path / "alone")
