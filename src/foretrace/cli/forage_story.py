"""An episode as a story in a terminal: a line or two a step, then how tests and files stood over time.

    print_story(Console(), trajectory)
    print_step(Console(), trajectory.steps[3])

Nothing is told by colour alone.
"""

from rich.console import Console
from rich.text import Text

from foretrace.data.printable import on_one_line, printable
from foretrace.forager.story import FileStory, TestsSeen, marked_lines, output_of, story_of, tests_seen
from foretrace.forager.trajectory import Step, Trajectory
from foretrace.web.story import verdict_of

_SHOWN = 12
"""Lines of what an agent says that stand in a story."""
_STYLES = {"+": "green", "-": "red", "@": "cyan", "": "dim"}


def print_story(console: Console, trajectory: Trajectory) -> None:
    """All steps briefly."""
    header, result = trajectory.header, trajectory.result
    console.print(Text(on_one_line(header.episode), style="bold"))
    facts = [header.repo, str(header.policy.get("model") or header.policy["name"]), f"seed {header.seed}"]
    console.print(Text(" · ".join(filter(None, map(on_one_line, facts))), style="dim"), end="\n\n")
    for step in trajectory.steps:
        _print_brief(console, step)
    story = story_of(trajectory)
    if story.tests:
        console.print(Text("\ntests: ").append(" → ".join(map(_seen, story.tests))))
    for file in story.files:
        console.print(Text("file:  ").append(_touched(file)))
    if result is None:
        console.print("\nnot finished")
        return
    grade = result.grade or {}
    reason = f": {grade['reason']}" if grade.get("reason") else ""
    console.print(
        Text(f"\n{verdict_of(trajectory)}{reason} ({result.ending}, {result.turns} turns, {result.seconds:.1f} s)")
    )
    if result.submission:
        console.print(_patch(result.submission))


def print_step(console: Console, step: Step) -> None:
    """One step in full: what was said and done, what was answered, what changed."""
    learnt = f"action {'learnt' if step.loss.action else 'masked'}"
    learnt += f", observation {'learnt' if step.loss.observation else 'masked'}" if step.role else ""
    console.print(Text(f"step {step.number} ", style="bold").append(f"{_facts(step)}  {learnt}", style="dim"))
    if step.action.thought:
        console.print(Text(printable(step.action.thought), style="italic"))
    console.print(Text(printable(step.action.content)))
    if step.role:
        console.print(Text(f"\n{step.role}", style="bold"))
        console.print(Text(printable(step.observation)))
    for change in step.changes:
        console.print(Text(f"\n{change.kind} {printable(change.path)}", style="bold"))
        console.print(_patch(change.patch))


def _print_brief(console: Console, step: Step) -> None:
    action = step.action
    said = [line for line in printable(action.text).split("\n") if line.strip()]
    for line in said[:_SHOWN]:
        console.print(Text(f"    {line}", style="italic" if action.tool else ""))
    if not action.tool:
        return
    mark = "✓" if step.ok else "✗"
    first, *rest = printable(action.argument).strip().split("\n")
    more = f" … {len(rest)} more lines" if rest else ""
    title = Text(f"{step.number:3} {mark} ").append(action.tool, style="bold").append(f" {first}{more}")
    facts = _facts(step)
    title.truncate(max(20, console.width - len(facts) - 3), overflow="ellipsis")
    console.print(title.append(f"  {facts}" if facts else "", style="dim"))
    for change in step.changes:
        for sign, line in marked_lines(change.patch):
            if sign in ("+", "-"):
                console.print(Text(f"      {printable(line)}", style=_STYLES[sign]))


def _facts(step: Step) -> str:
    """How a step went, in few words."""
    seen = tests_seen(step)
    told = [step.status if step.status not in ("", "ok") else "", f"exit {step.code}" if step.code else ""]
    told += [_counts(seen)] if seen else []
    told += [f"{step.seconds:.1f} s"] if step.seconds >= 0.05 else []
    if step.refused:
        told.append(f"refused: {output_of(step)[:80]}")
    return on_one_line(", ".join(filter(None, told)))


def _counts(seen: TestsSeen) -> str:
    return f"{seen.passed:,} passed, {seen.failed:,} failed"


def _seen(seen: TestsSeen) -> str:
    return f"step {seen.step} {_counts(seen)}"


def _touched(file: FileStory) -> str:
    steps = ", ".join(f"{touch.step} (+{touch.added} −{touch.removed})" for touch in file.touches)
    return f"{printable(file.path)}: step {steps}"


def _patch(patch: str) -> Text:
    text = Text()
    for sign, line in marked_lines(printable(patch)):
        text.append(f"{line}\n", style=_STYLES.get(sign, ""))
    return text
