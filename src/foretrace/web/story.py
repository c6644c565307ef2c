"""A trajectory as one page that reads as a story: the issue, how tests and files stood over time, each step, the verdict.

    Path("story.html").write_text(story_html(trajectory, instance))

The page is plain HTML with its style in it: no script, no network, no server. What stands in it is other people's text, and
is escaped by `data.markup`. The same page is what the server shows (`stories.py`).
"""

from collections.abc import Sequence
from importlib.resources import files

from foretrace.data.markup import Markup, tag
from foretrace.forager.story import Story, story_of
from foretrace.forager.tasks.instance import Instance
from foretrace.forager.trajectory import Trajectory
from foretrace.web.story_parts import diff, file_table, step_card, test_chart

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TESTS_SHOWN = 200
WORDS = {
    "resolved": "solved",
    "failed": "not solved",
    "empty": "nothing submitted",
    "unapplied": "the patch does not apply",
    "broken": "not known: the sandbox broke",
    "ungraded": "not graded",
    "unfinished": "not finished",
}
"""Verdicts, as people say them."""


def story_html(trajectory: Trajectory, instance: Instance | None = None, *, back: str = "") -> str:
    """The page.

    Args:
        trajectory: finished or not.
        instance: its task, if that is known: then it is said what the mistake was, and what the right answer.
        back: address of a page that this one belongs to.

    """
    story, header = story_of(trajectory), trajectory.header
    body = tag(
        "main",
        *([tag("p", tag("a", "← all episodes", href=back), class_="back")] if back else []),
        _title(trajectory, story),
        _overview(trajectory, story),
        _told(header.prompt, header.system),
        tag("h2", "What happened"),
        tag("ol", *(step_card(step) for step in trajectory.steps), class_="steps"),
        *_end(trajectory, instance),
        _footer(trajectory),
    )
    return page(f"{header.task} · foretrace", body)


def page(title: str, body: Markup) -> str:
    """A whole document in the style of stories."""
    style = Markup("\n".join(_static(name) for name in ("theme.css", "story_steps.css", "story.css")))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="content-security-policy", content=POLICY),
        tag("title", title),
        tag("style", style),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def verdict_of(trajectory: Trajectory) -> str:
    """A key of `WORDS`."""
    if trajectory.result is None:
        return "unfinished"
    return str((trajectory.result.grade or {}).get("verdict", "ungraded"))


def badge(verdict: str) -> Markup:
    """A verdict, in words and with a mark."""
    mark = "✓" if verdict == "resolved" else "✗" if verdict in ("failed", "empty", "unapplied") else "·"
    kind = "good" if mark == "✓" else "bad" if mark == "✗" else "open"
    return tag("span", f"{mark} {WORDS.get(verdict, verdict)}", class_=f"badge {kind}")


def policy_of(trajectory: Trajectory) -> str:
    """Who acted."""
    policy = trajectory.header.policy
    return str(policy.get("model") or policy["name"])


def _title(trajectory: Trajectory, story: Story) -> Markup:
    header, result = trajectory.header, trajectory.result
    tiles = [("turns", f"{len(trajectory.steps)}"), ("files changed", f"{len(story.files)}")]
    tiles += [("test runs seen", f"{len(story.tests)}")]
    if result is not None:
        tiles += [("tokens", f"{result.tokens:,}"), ("seconds", f"{result.seconds:.1f}")]
        tiles += [("cost", f"{result.cost:.3f}")] if result.cost else []
    facts = " · ".join(filter(None, [header.repo, header.licence, f"by {policy_of(trajectory)}", f"seed {header.seed}"]))
    return tag(
        "header",
        tag("h1", header.task, " ", badge(verdict_of(trajectory))),
        tag("p", facts, class_="facts"),
        tag(
            "div", *(tag("div", tag("b", value), tag("span", name), class_="tile") for name, value in tiles), class_="tiles"
        ),
    )


def _overview(trajectory: Trajectory, story: Story) -> Markup:
    """Tests and files over time, side by side where there is room."""
    tests = [tag("h2", "Tests over time"), test_chart(story.tests)] if story.tests else []
    touched = [tag("h2", "Files over time"), file_table(story.files, len(trajectory.steps))] if story.files else []
    return tag("div", *(tag("section", *part) for part in (tests, touched) if part), class_="overview")


def _told(prompt: str, system: str) -> Markup:
    return tag(
        "section",
        tag("h2", "What was asked"),
        tag("pre", prompt, class_="said"),
        tag("details", tag("summary", "the rules that the agent was given"), tag("pre", system)),
    )


def _end(trajectory: Trajectory, instance: Instance | None) -> Sequence[Markup]:
    result = trajectory.result
    if result is None:
        return [tag("p", "The episode is not over.", class_="facts")]
    verdict, grade = verdict_of(trajectory), result.grade or {}
    reason = str(grade.get("reason") or "")
    parts = [tag("h2", "How it ended"), tag("p", badge(verdict), f" {result.ending}" + (f": {reason}" if reason else ""))]
    if result.submission:
        parts += [tag("h3", "The patch that was submitted"), diff(result.submission)]
    elif result.diff:
        parts += [tag("h3", "What was changed, and not submitted"), diff(result.diff)]
    for name, title in (("fail_to_pass", "had to pass again"), ("pass_to_pass", "had to go on passing")):
        parts += _tests(grade.get(name) or {}, title)
    if instance is not None:
        parts += _truth(instance)
    return [tag("section", *parts)]


def _tests(found: dict[str, bool], title: str) -> list[Markup]:
    """Tests that decided, those that failed first."""
    if not found:
        return []
    passed = sum(found.values())
    ordered = sorted(found.items(), key=lambda item: (item[1], item[0]))
    rows = [tag("li", f"{'✓' if ok else '✗'} {name}", class_="good" if ok else "bad") for name, ok in ordered[:_TESTS_SHOWN]]
    more = [tag("li", f"and {len(found) - _TESTS_SHOWN:,} more")] if len(found) > _TESTS_SHOWN else []
    summary = tag("summary", f"{passed:,} of {len(found):,} tests pass that {title}")
    return [tag("details", summary, tag("ul", *rows, *more, class_="tests"))]


def _truth(instance: Instance) -> list[Markup]:
    """What the agent was not told."""
    parts = []
    if what := instance.mutation.get("what"):
        operator = str(instance.mutation.get("operator", "")).replace("_", " ")
        place = f"{instance.mutation.get('path', '')}:{instance.mutation.get('line', '')}"
        parts.append(tag("p", f"The mistake: {what} ({operator}, {place})"))
    summary = tag("summary", "what the agent was not told: the mistake, and the right answer")
    return [tag("details", summary, *parts, diff(instance.patch))]


def _footer(trajectory: Trajectory) -> Markup:
    header = trajectory.header
    versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
    environment = header.environment.get("backend", "")
    told = [header.episode, f"image {header.image[:19]}", f"sandbox {environment}", versions]
    return tag(
        "footer", tag("p", " · ".join(filter(None, told))), tag("p", "All that is shown was recorded; no turn is made up.")
    )


def _static(name: str) -> str:
    return (files("foretrace.web") / "static" / name).read_text(encoding="utf-8")
