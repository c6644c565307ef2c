"""A campaign on a Ray cluster of three nodes, one of which is killed: every episode is there once, and none is lost."""

import os
from collections import Counter
from pathlib import Path

import pytest
from built_image import built_image, save
from small_image import needs_box
from test_campaign import campaign_of, work

import foretrace
from foretrace.data.pipeline.engines import on_ray
from foretrace.forager.runs import Run

ray = pytest.importorskip("ray", reason='needs pip install "foretrace[ray]"')
pytestmark = [needs_box, pytest.mark.slow]


def test_a_killed_node_loses_no_episode_and_doubles_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    image = save(built_image(tmp_path / "shapes"))
    here = Path(__file__).parent
    own = [Path(foretrace.__file__).parents[1], here, here.with_name("repos")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, own)))
    names = [f"shapes-{number}" for number in range(8)]
    campaign = campaign_of(image, tmp_path, *names)
    works = [work(policy, name) for policy in ("oracle", "null") for name in names]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
    found, is_killed = [], False
    try:
        for done in on_ray(campaign, works, address=cluster.address):
            found.append(done)
            if len(found) == 2:
                cluster.remove_node(nodes[1], allow_graceful=False)
                is_killed = True
        assert is_killed
        assert sum(node["Alive"] for node in ray.nodes()) == 2
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert Counter((done.policy, done.verdict) for done in found) == {("oracle", "resolved"): 8, ("null", "empty"): 8}
    run = Run.open(campaign.run.folder)
    assert run.names() == sorted(done.episode for done in found)
    assert not list(run.episodes.glob("*.part"))
    for trajectory in run.trajectories():
        assert trajectory.result is not None
        assert len(trajectory.steps) == trajectory.result.turns
        assert trajectory.result.grade is not None
