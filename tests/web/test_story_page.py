"""A trajectory as a page: all that happened is there, nothing that stands in it can be anything but text, and it needs no script."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from foretrace.forager.format import observation
from foretrace.forager.journal import Journal
from foretrace.forager.runs import Run
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.trajectory import Action, Ending, FileChange, Header, Loss, Result, Step, Trajectory
from foretrace.web.story import story_html, verdict_of

PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
EVIL = "</pre><script>alert(1)</script>\x1b[2J\u202e"


def step(number: int, tool: str, argument: str, output: str = "", **more: object) -> Step:
    shown = observation(output, turns=9, tokens=9)
    action = Action.call(tool, argument, f"I do step {number}.")
    return Step(number=number, action=action, role=f"tool: {tool}", observation=shown, **more)  # type: ignore[arg-type]


def episode(**result: object) -> Trajectory:
    changed = FileChange(path="/testbed/a.py", kind="changed", digest="0", patch=PATCH)
    steps = (
        step(1, "bash", "pytest", "1 failed, 2 passed in 0.1s", code=1, ok=False, seconds=1.25),
        step(2, "edit", "a.py\n…", "done", changes=(changed,), loss=Loss(observation=0)),
        Step(
            number=3, action=Action(content="eh?", problem="no"), role="user", observation="no call", refused=True, ok=False
        ),
        step(4, "bash", "pytest", "3 passed in 0.1s"),
        step(5, "submit", "p", submission=PATCH),
        Step(number=6, action=Action(content="Done.", thought="surely")),
    )
    header = Header(episode="t-1.search.0", task="t-1", policy={"name": "search"}, system="rules", prompt="fix it", repo="r")
    grade = {"verdict": "failed", "reason": "1 of 1 tests still fail", "fail_to_pass": {"test_a.py::test_b": False}}
    made = {"ending": Ending.SUBMITTED, "submission": PATCH, "turns": 6, "tokens": 1234, "seconds": 2.5, "grade": grade}
    return Trajectory(header, steps, Result(**(made | result)))  # type: ignore[arg-type]


def text_of(page: str) -> str:
    """What a reader sees, unfolded."""
    body = page[page.index("<body>") :]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def test_the_whole_story_is_told() -> None:
    page = story_html(episode())
    text = text_of(page)
    for told in (
        "t-1 ✗ not solved",
        "fix it",
        "rules",
        "I do step 1.",
        "✗ exit 1 2 passed, 1 failed 1.2 s",
        "changed a.py",
        "+x = 2",
        "says what cannot be carried out",
        "no call",
        "what it thought surely",
        "Done.",
        "1 of 1 tests still fail",
        "0 of 1 tests pass that had to pass again",
        "✗ test_a.py::test_b",
    ):
        assert told in text, told
    assert text.count("this answer is learnt") == 4
    assert text.count("this answer is masked: not learnt") == 1
    assert [int(number) for number in re.findall(r'<li id="s(\d+)"', page)] == [1, 2, 3, 4, 5, 6]


def test_tests_and_files_over_time() -> None:
    page = story_html(episode())
    assert re.findall(r'<a href="#s(\d)" title="(step \d: [^"]*)" class="run">', page) == [
        ("1", "step 1: 2 passed, 1 failed, 0 skipped"),
        ("4", "step 4: 3 passed, 0 failed, 0 skipped"),
    ]
    assert 'title="step 2: changed, +1 −1"' in page


def test_what_others_wrote_is_text() -> None:
    trajectory = episode(submission=EVIL, grade={"verdict": EVIL, "reason": EVIL, "fail_to_pass": {EVIL: True}})
    header = replace(trajectory.header, prompt=EVIL, system=EVIL, repo=EVIL, task=f'"{EVIL}', licence=EVIL)
    spoilt = [
        replace(step, action=replace(step.action, content=EVIL, argument=EVIL, thought=EVIL), observation=EVIL)
        for step in trajectory.steps
    ]
    files = FileChange(path=f"/testbed/{EVIL}", kind="added", patch=EVIL)
    spoilt[1] = replace(spoilt[1], changes=(files,))
    instance = Instance(
        instance_id="t-1", repo="r", patch=EVIL, problem_statement="", fail_to_pass=(), mutation={"what": EVIL, "path": EVIL}
    )
    page = story_html(Trajectory(header, tuple(spoilt), trajectory.result), instance, back="/")
    assert "<script" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page)
    assert page.count("&lt;script&gt;") > 10
    assert "script-src" not in page  # default-src 'none' stands for it
    assert "default-src &#x27;none&#x27;" in page


def test_the_answer_is_told_apart() -> None:
    instance = Instance(
        instance_id="t-1",
        repo="r",
        patch=PATCH,
        problem_statement="",
        fail_to_pass=(),
        mutation={"operator": "return_removed", "what": "return x removed", "path": "a.py", "line": 3},
    )
    text = text_of(story_html(episode(), instance))
    assert "The mistake: return x removed (return removed, a.py:3)" in text


@pytest.mark.parametrize(
    ("result", "verdict", "words"),
    [
        ({"grade": None}, "ungraded", "· not graded"),
        ({"grade": {"verdict": "resolved"}}, "resolved", "✓ solved"),
        ({"grade": None, "submission": "", "diff": PATCH}, "ungraded", "What was changed, and not submitted"),
    ],
)
def test_endings(result: dict[str, object], verdict: str, words: str) -> None:
    trajectory = episode(**result)
    assert verdict_of(trajectory) == verdict
    assert words in text_of(story_html(trajectory))


def test_an_episode_that_is_not_over() -> None:
    text = text_of(story_html(replace(episode(), result=None)))
    assert "· not finished" in text
    assert "The episode is not over." in text


# ---------------------------------------------------------------------------------------------------
# Served


@pytest.fixture
def run(tmp_path: Path) -> Run:
    trajectory = episode()
    assert trajectory.result is not None
    journal = Journal.claim(tmp_path, trajectory.header.episode)
    assert journal is not None
    with journal:
        journal.begin(trajectory.header)
        for one in trajectory.steps:
            journal.append(one)
        journal.finish(trajectory.result)
    return Run.open(tmp_path)


def test_a_run_is_served_behind_its_door(run: Run) -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("httpx")
    from starlette.testclient import TestClient

    from foretrace.serve.guard import rules_for
    from foretrace.web.stories import make_stories

    client = TestClient(make_stories(run, rules_for("127.0.0.1", port=80, token="t0ken", page=True)), "http://127.0.0.1")
    assert client.get("/").status_code == 401
    allowed = {"authorization": "Bearer t0ken"}
    index = client.get("/", headers=allowed)
    assert "1 episodes, 0 solved" in text_of(index.text)
    assert "frame-ancestors 'none'" in index.headers["content-security-policy"]
    [address] = re.findall(r'href="(/episodes/[^"]+)"', index.text)
    story = client.get(address, headers=allowed)
    assert "← all episodes" in text_of(story.text)
    assert "+x = 2" in text_of(story.text)
    for other in ("/episodes/none", "/episodes/..%2F..%2Fetc%2Fpasswd", "/other"):
        answer = client.get(other, headers=allowed)
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
