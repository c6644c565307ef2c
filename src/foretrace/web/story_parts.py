"""Parts of a story: a step, a diff, tests over time, files over time.

step_card(step), diff(patch), test_chart(story.tests), file_table(story.files, steps=12)
"""

from collections.abc import Sequence

from foretrace.data.markup import Markup, join, tag
from foretrace.forager.story import FileStory, TestsSeen, Touch, kind_of, marked_lines, output_of, tests_seen
from foretrace.forager.trajectory import Step
from foretrace.repos.plan import TESTBED

_LINES = 24
"""Of an output that are shown before it has to be unfolded."""
_NAMES = 12
_KINDS = {"+": "plus", "-": "minus", "@": "where", "": "head"}
_TITLES = {"bash": "runs", "view": "looks at", "create": "creates", "edit": "edits", "submit": "submits"}


def step_card(step: Step) -> Markup:
    """One step: what was said and done, what was answered, what it changed."""
    action, kind = step.action, kind_of(step)
    said = [tag("p", action.text, class_="said")] if action.text else []
    thought = [tag("details", tag("summary", "what it thought"), tag("pre", action.thought))] if action.thought else []
    called = [tag("pre", action.argument, class_="call")] if action.tool else []
    title = tag("span", _title(step), class_="title")
    head = tag(
        "div", tag("a", str(step.number), href=f"#s{step.number}", class_="number"), title, _facts(step), class_="head"
    )
    changes = [
        tag("div", tag("p", f"{c.kind} {_short(c.path)}", class_="path"), diff(c.patch), class_="change")
        for c in step.changes
    ]
    answered = [] if not step.role else [folded(output_of(step), "observation"), _learnt(step)]
    state = "refused" if step.refused else "ok" if step.ok else "bad"
    parts = [head, *thought, *said, *called, *answered, *changes]
    return tag("li", *parts, id=f"s{step.number}", class_=f"step {state} {kind.replace(' ', '-')}")


def _title(step: Step) -> str:
    if step.refused:
        return "says what cannot be carried out"
    if not step.action.tool:
        return "ends"
    return _TITLES.get(step.action.tool, step.action.tool)


def _facts(step: Step) -> Markup:
    """How it went: exit code, tests, seconds."""
    seen = tests_seen(step)
    chips = [("bad", f"✗ exit {step.code}")] if step.code else []
    chips += [("bad", step.status)] if step.status not in ("", "ok") else []
    chips += [("bad", "✗")] if not step.ok and not chips and not step.refused else []
    chips += [("bad" if seen.failed else "good", f"{seen.passed:,} passed, {seen.failed:,} failed")] if seen else []
    chips += [("", f"{step.seconds:.1f} s")] if step.seconds >= 0.05 else []
    return tag("span", *(tag("span", text, class_=f"chip {kind}".strip()) for kind, text in chips), class_="chips")


def _learnt(step: Step) -> Markup:
    told = "this answer is learnt" if step.loss.observation else "this answer is masked: not learnt"
    return tag("p", told, class_="learnt")


def folded(text: str, kind: str) -> Markup:
    """A text; of a long one the first lines, and the whole of it to be unfolded."""
    lines = text.split("\n")
    if len(lines) <= _LINES + 4:
        return tag("pre", text, class_=kind)
    summary = tag("summary", f"{len(lines) - _LINES:,} more lines")
    rest = tag("details", summary, tag("pre", "\n".join(lines[_LINES:]), class_=kind))
    return join(tag("pre", "\n".join(lines[:_LINES]), class_=kind), rest)


def diff(patch: str) -> Markup:
    """A patch, a line a row."""
    if not patch:
        return tag("p", "(no text, or too long to be shown)", class_="facts")
    rows = [tag("span", line + "\n", class_=_KINDS.get(sign)) for sign, line in marked_lines(patch)]
    return tag("pre", *rows, class_="diff")


# ---------------------------------------------------------------------------------------------------
# Over time


def test_chart(runs: Sequence[TestsSeen]) -> Markup:
    """A bar a test run, from the first step to the last: which share of its tests passed; above it how many failed."""
    legend = tag("p", tag("i", class_="pass"), " passed ", tag("i", class_="fail"), " failed, as printed", class_="legend")
    return tag("figure", tag("div", *map(_bar, runs), class_="chart"), legend, _last_names(runs))


def _bar(run: TestsSeen) -> Markup:
    told = f"step {run.step}: {run.passed:,} passed, {run.failed:,} failed, {run.skipped:,} skipped"
    parts = [("fail", run.failed), ("pass", run.passed)]
    stack = tag("span", *(tag("span", class_=name, style=f"flex:{n}") for name, n in parts if n), class_="stack")
    label = tag("small", f"✗ {run.failed}" if run.failed else f"✓ {run.passed}")
    return tag("a", label, stack, tag("small", str(run.step)), href=f"#s{run.step}", title=told, class_="run")


def _last_names(runs: Sequence[TestsSeen]) -> Markup:
    """The tests that failed last, if some did."""
    names = runs[-1].names if runs else ()
    if not names:
        return join()
    shown = [tag("li", name) for name in names[:_NAMES]]
    more = [tag("li", f"and {len(names) - _NAMES} more")] if len(names) > _NAMES else []
    return tag("details", tag("summary", f"still failing in step {runs[-1].step}"), tag("ul", *shown, *more, class_="tests"))


def file_table(stories: Sequence[FileStory], steps: int) -> Markup:
    """A row a file, a mark where a step changed it."""
    rows = [
        tag("tr", tag("td", _short(story.path), class_="path"), tag("td", _lane(story, steps)), _sum(story))
        for story in stories
    ]
    head = tag("tr", tag("th", "file"), tag("th", f"step 1 … {steps}"), tag("th", "lines"))
    return tag("div", tag("table", head, *rows), class_="scroll")


def _lane(story: FileStory, steps: int) -> Markup:
    marks = [_mark(touch, steps) for touch in story.touches]
    return tag("div", *marks, class_="lane")


def _mark(touch: Touch, steps: int) -> Markup:
    told = f"step {touch.step}: {touch.kind}, +{touch.added} −{touch.removed}"
    left = 100 * (touch.step - 1) / max(1, steps - 1)
    return tag("a", href=f"#s{touch.step}", title=told, aria_label=told, class_=touch.kind, style=f"left:{left:.1f}%")


def _short(path: str) -> str:
    """A path as the repository has it, if it is in there."""
    return path.removeprefix(f"{TESTBED}/")


def _sum(story: FileStory) -> Markup:
    added, removed = (sum(getattr(touch, name) for touch in story.touches) for name in ("added", "removed"))
    return tag("td", tag("span", f"+{added}", class_="plus"), " ", tag("span", f"−{removed}", class_="minus"))
