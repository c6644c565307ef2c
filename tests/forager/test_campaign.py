"""Campaigns: every episode is run and graded once, whoever asks how often; what goes wrong is said, and hurts no other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from built_image import SHAPES, HostedImage, built_image, load_hosted, save
from model_server import ModelServer, Say, call
from small_image import needs_box

from foretrace.endpoint.threads import in_threads
from foretrace.errors import SandboxError, UsageError
from foretrace.forager.campaign import ELSEWHERE, ERROR, UNGRADED, Campaign, Work
from foretrace.forager.episodes import episode_name
from foretrace.forager.journal import Journal
from foretrace.forager.mutation.sampling import file_patch
from foretrace.forager.policies.gates import Oracle
from foretrace.forager.policies.named import read_policy
from foretrace.forager.runs import Run
from foretrace.forager.stats import stats_of
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.tasks.making import Order, make_tasks
from foretrace.repos.image import RepoImage

pytestmark = needs_box
WRONG = SHAPES.replace("a * b", "a + b")
RECTANGLES = "tests/test_shapes.py::test_rectangle[3]"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> RepoImage:
    return save(built_image(tmp_path_factory.mktemp("shapes")))


def instance_of(image: RepoImage, name: str = "shapes-1") -> Instance:
    return Instance(
        instance_id=name,
        repo="shapes",
        patch=file_patch("shapes.py", WRONG, SHAPES),
        problem_statement="Rectangles are wrong.",
        fail_to_pass=(RECTANGLES,),
        pass_to_pass=tuple(sorted(test for test in image.passing if "rectangle" not in test)),
        bug=file_patch("shapes.py", SHAPES, WRONG),
        image=image.digest,
        mutation={"operator": "binary_operator", "hints": "tests"},
    )


def campaign_of(image: RepoImage, folder: Path, *names: str, **settings: object) -> Campaign:
    instances = [instance_of(image, name) for name in names or ("shapes-1",)]
    run = Run.begin(folder / "run", instances, images={image.digest: str(image.folder)}, worlds=folder / "worlds")
    return Campaign(run=run, load=load_hosted, **settings)  # type: ignore[arg-type]


def work(policy: str, task: str = "shapes-1") -> Work:
    return Work(task=task, policy=read_policy(policy))


def test_gates_are_told_apart_and_nothing_is_done_twice(image: RepoImage, tmp_path: Path) -> None:
    campaign = campaign_of(image, tmp_path, "shapes-1", "shapes-2")
    works = [work(policy, task) for task in ("shapes-1", "shapes-2") for policy in ("oracle", "null", "random")]
    found = list(in_threads(campaign, works, threads=3))
    assert [(done.task, done.verdict) for done in found if done.policy != "random"] == [
        ("shapes-1", "resolved"),
        ("shapes-1", "empty"),
        ("shapes-2", "resolved"),
        ("shapes-2", "empty"),
    ]
    assert not any(done.is_solved or done.is_invalid for done in found if done.policy == "random")
    before = {path: path.read_bytes() for path in campaign.run.episodes.iterdir()}
    assert len(before) == 6
    again = list(in_threads(campaign, works, threads=3))
    assert [replace(done, was_there=False) for done in again] == found
    assert all(done.was_there for done in again)
    assert {path: path.read_bytes() for path in campaign.run.episodes.iterdir()} == before

    stats = stats_of(Run.open(campaign.run.folder))
    assert (stats.total.episodes, stats.total.graded, stats.total.solved) == (6, 6, 2)
    assert stats.by["policy"]["oracle"].rate == 1
    assert stats.by["operator"]["binary_operator"].episodes == stats.by["hints"]["tests"].episodes == 6
    assert stats.actions["last word"] == 6
    assert stats.actions["submit"] == 4
    assert stats.verdicts.total() == stats.endings.total() == 6
    assert stats.to_json()["by"]["repository"]["shapes"]["solved"] == 2


def test_grades_can_come_later(image: RepoImage, tmp_path: Path) -> None:
    campaign = campaign_of(image, tmp_path, grade=False)
    assert campaign(work("oracle")).verdict == UNGRADED
    [trajectory] = campaign.run.trajectories()
    assert trajectory.result is not None
    assert trajectory.result.grade is None
    graded = replace(campaign, grade=True)(work("oracle"))
    assert (graded.verdict, graded.was_there) == ("resolved", False)
    [trajectory] = campaign.run.trajectories()
    assert trajectory.result is not None
    assert trajectory.result.grade is not None
    assert trajectory.result.grade["fail_to_pass"] == {RECTANGLES: True}


def test_a_grade_is_tried_again_if_the_sandbox_fails(image: RepoImage, tmp_path: Path) -> None:
    failures = ["", "no more processes", "no space"]  # asked first for the prompt, then for each try of the grade

    class Flaky(HostedImage):
        """Fails twice."""

        def __getattribute__(self, name: str) -> Any:
            if name == "command" and failures and (told := failures.pop(0)):
                raise SandboxError(told)
            return super().__getattribute__(name)

    campaign = campaign_of(image, tmp_path, grade=False)
    assert campaign(work("oracle")).verdict == UNGRADED
    flaky = Flaky(**vars(load_hosted(str(image.folder))))
    campaign = replace(campaign, load=lambda folder: flaky, grade=True)
    assert campaign(work("oracle")).verdict == "resolved"
    assert not failures


def test_what_another_process_holds_is_left_to_it(image: RepoImage, tmp_path: Path) -> None:
    campaign = campaign_of(image, tmp_path, patience=0.1)
    task, _ = campaign.task(campaign.run.instances["shapes-1"])
    journal = Journal.claim(campaign.run.episodes, episode_name(task, Oracle(), 0))
    assert journal is not None
    with journal:
        held = campaign(work("oracle"))
    assert (held.verdict, held.is_invalid) == (ELSEWHERE, True)
    assert campaign(work("oracle")).is_solved


def test_problems_are_said(image: RepoImage, tmp_path: Path) -> None:
    campaign = campaign_of(image, tmp_path)
    (tmp_path / "none").mkdir()
    nothing = campaign(work(f"replay:{tmp_path / 'none'}"))
    assert (nothing.verdict, nothing.is_invalid) == (ERROR, True)
    assert "no finished episode of shapes-1" in nothing.reason
    other = replace(campaign, run=replace(campaign.run, images={}))
    assert "--images DIR" in other(work("oracle")).reason
    assert not list(campaign.run.episodes.iterdir())


def test_a_run_can_be_replayed(image: RepoImage, tmp_path: Path) -> None:
    campaign = campaign_of(image, tmp_path)
    campaign(work("oracle"))
    again = campaign(work(f"replay:{campaign.run.folder}"))
    assert again.is_solved
    assert again.turns == 4


def test_a_run_is_of_its_tasks(image: RepoImage, tmp_path: Path) -> None:
    campaign = campaign_of(image, tmp_path)
    with pytest.raises(UsageError, match="a run of other tasks"):
        campaign_of(image, tmp_path, "shapes-2")
    with pytest.raises(UsageError, match="is no run"):
        Run.open(tmp_path)
    campaign(work("oracle"))
    campaign(work("null"))
    assert Run.open(campaign.run.folder).instances == campaign.run.instances
    more = campaign_of(image, tmp_path, "shapes-1", "shapes-2")
    assert list(more.run.instances) == ["shapes-1", "shapes-2"]
    assert more(work("oracle")).was_there
    with pytest.raises(UsageError, match="a run of other tasks"):
        campaign_of(image, tmp_path, "shapes-1")
    campaign = more
    assert campaign.run.find("null").header.policy == {"name": "null"}
    with pytest.raises(UsageError, match="2 episodes have 'shapes'"):
        campaign.run.find("shapes")
    with pytest.raises(UsageError, match=r"no episode is called 'x'.*\n  shapes-1.null.0"):
        campaign.run.find("x")
    alone = Run.open(campaign.run.episodes)
    assert (alone.names(), alone.instances) == (campaign.run.names(), {})


def brain(messages: list[dict[str, object]]) -> Say:
    """Repairs rectangles, one call a turn."""
    calls = [
        call("bash", command="sed -i 's/return a + b/return a * b/' shapes.py && git diff > /tmp/fix.patch"),
        call("submit", path="/tmp/fix.patch"),
        Say("Done."),
    ]
    return calls[sum(message["role"] == "assistant" for message in messages)]


def test_a_model_on_a_server_that_fails_now_and_then(image: RepoImage, tmp_path: Path) -> None:
    pytest.importorskip("httpx")
    names = [f"shapes-{number}" for number in range(4)]
    campaign = campaign_of(image, tmp_path, *names)
    server = ModelServer(brain, ["429", "cut", "500", "html"])
    try:
        policy = f"{server.url},model=m,concurrency=4,prices=1+2"
        found = list(in_threads(campaign, [work(policy, name) for name in names], threads=4))
    finally:
        server.close()
    assert [done.verdict for done in found] == ["resolved"] * 4, found
    assert all(done.turns == 3 and done.cost > 0 for done in found)
    assert stats_of(campaign.run).by["policy"]["m"].solved == 4


def test_tasks_are_made_once(image: RepoImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretrace.forager.tasks.making.load_image", load_hosted)
    order = Order(place=str(image.folder), worlds=str(tmp_path / "worlds"), seed=4, count=1)
    first = make_tasks(order)
    assert (len(first.instances), first.problem) == (1, "")
    assert {one.mutation["hints"] for one in first.instances} == {"function"}
    whole = make_tasks(replace(order, worlds=str(tmp_path / "at once"), count=2))
    data = order.part.read_bytes()
    order.part.write_bytes(data + b'{"reason": "", "mark"')  # killed while it wrote
    (tmp_path / "worlds" / f"{image.name}.left.over").mkdir()
    other = f"{image.name}.0.at.work"  # of another image, whose name begins alike
    (tmp_path / "worlds" / other).mkdir()
    more = make_tasks(replace(order, count=2))
    assert more.instances == whole.instances
    assert more.rejected == whole.rejected
    assert order.part.read_bytes().startswith(data)
    worlds = {path.name for path in (tmp_path / "worlds").iterdir() if not path.name.startswith(".")}
    assert worlds == {other, *(one.instance_id for one in more.instances)}


def test_nothing_is_made_of_a_benchmark(image: RepoImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flask(folder: str) -> RepoImage:
        return replace(load_hosted(folder), origin=replace(image.origin, name="Flask"))

    monkeypatch.setattr("foretrace.forager.tasks.making.load_image", flask)
    made = make_tasks(Order(place=str(image.folder), worlds=str(tmp_path / "worlds")))
    assert (made.instances, made.problem) == (
        (),
        "Flask is pallets/flask of SWE-bench, or a fork of it: nothing is made of it",
    )
    histories = ((f"{tmp_path}/my/Django", "Django"), ("requests==2.0,2.1", "requests"))  # they are not even read
    for place, name in histories:
        made = make_tasks(Order(place=place, worlds=str(tmp_path / "worlds"), images=str(tmp_path / "images")))
        assert made.instances == ()
        assert made.problem.startswith(f"{name} is ")
