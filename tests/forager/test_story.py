"""What a trajectory tells: how tests stood, as pytest printed it, and which files were changed when."""

from dataclasses import replace

import pytest

from foretrace.forager import story as stories
from foretrace.forager.format import observation
from foretrace.forager.story import lines_of, marked_lines, output_of, story_of
from foretrace.forager.trajectory import Action, FileChange, Header, Step, Trajectory

PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x\n--- a\n+++ b\n\\ No newline at end of file\n"


def ran(output: str, number: int = 1) -> Step:
    shown = observation(output, turns=3, tokens=4)
    return Step(number=number, action=Action.call("bash", "pytest"), role="tool: bash", observation=shown)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("2 failed, 10 passed, 1 skipped in 0.52s", (10, 2, 1)),
        ("===== 1 failed, 2 errors in 61.20s (0:01:01) =====", (0, 3, 0)),
        ("12 passed, 3 xfailed, 1 xpassed, 4 warnings in 1.02s", (13, 0, 3)),
        ("1 error in 0.10s", (0, 1, 0)),
        ("193 passed in 2.00 s", (193, 0, 0)),
    ],
)
def test_pytests_summaries(line: str, counts: tuple[int, int, int]) -> None:
    seen = stories.tests_seen(ran(f"...F\n{line}"))
    assert seen is not None
    assert (seen.passed, seen.failed, seen.skipped) == counts


def test_the_last_summary_counts_and_failures_have_names() -> None:
    output = "1 failed in 0.1s\nFAILED tests/a.py::test_b[x y] - assert 1\nERROR tests/c.py\nFAILED tests/a.py::test_b\n2 failed in 1s"
    seen = stories.tests_seen(ran(output))
    assert seen is not None
    assert (seen.failed, seen.names) == (2, ("tests/a.py::test_b[x", "tests/c.py", "tests/a.py::test_b"))


@pytest.mark.parametrize("output", ["", "it passed in 3 s", "3 passed", "look: 3 passed in 2s there"])
def test_other_texts_tell_nothing(output: str) -> None:
    assert stories.tests_seen(ran(output)) is None


def test_only_commands_run_tests() -> None:
    viewed = replace(ran("3 passed in 2s"), action=Action.call("view", "log"))
    assert stories.tests_seen(viewed) is None
    assert output_of(viewed) == "3 passed in 2s"
    assert output_of(replace(viewed, observation="plain")) == "plain"


def test_lines_that_look_like_heads_are_lines() -> None:
    assert lines_of(PATCH) == (1, 1)
    assert [mark for mark, _ in marked_lines(PATCH)] == ["", "", "", "@", " ", "-", "+", ""]
    assert lines_of("") == (0, 0)


def test_lines_end_at_line_feeds_only() -> None:
    patch = "--- a/a.py\n+++ b/a.py\n@@ -1,1 +1,2 @@\n-x\r\n+y = 'a\u2028-b'\n+\x0c+c\n"
    assert lines_of(patch) == (2, 1)
    assert [line for _, line in marked_lines(patch)][3:] == ["-x", "+y = 'a\u2028-b'", "+\x0c+c"]


def test_files_over_time() -> None:
    changed = FileChange(path="/testbed/a.py", kind="changed", patch=PATCH)
    added = FileChange(path="/testbed/b.py", kind="added", patch="")
    steps = (
        replace(ran("1 failed in 1s"), changes=(changed, added)),
        ran("nothing", 2),
        replace(ran("1 passed in 1s", 3), changes=(changed,)),
        Step(number=4, action=Action(content="eh"), role="user", refused=True),
        Step(number=5, action=Action(content="Done.")),
    )
    story = story_of(Trajectory(Header(episode="e", task="t", policy={"name": "p"}, system="s", prompt="p"), steps))
    assert [(seen.step, seen.failed) for seen in story.tests] == [(1, 1), (3, 0)]
    assert [(file.path, [touch.step for touch in file.touches]) for file in story.files] == [
        ("/testbed/a.py", [1, 3]),
        ("/testbed/b.py", [1]),
    ]
    assert dict(story.actions) == {"bash": 3, "refused": 1, "last word": 1}
