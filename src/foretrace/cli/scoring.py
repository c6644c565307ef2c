"""A real trace with a model's surprise beside each step, for people."""

from rich.text import Text

from foretrace.api.surprise import Odd, Surprise
from foretrace.cli.effects import effects, seen_at
from foretrace.cli.render import effect_text, make_console, print_title
from foretrace.cli.step_table import Row, print_steps
from foretrace.cli.sureness import short
from foretrace.engine import Step

_MOST_BARS = 10


def show(surprise: Surprise, top: int) -> None:
    """On standard output: each step with its effect and its surprise, what was oddest, and how much was expected.

    A line that was not expected, or that had an effect which was not, is marked `≠`.
    """
    console, steps = make_console(), surprise.steps
    frames = surprise.trace.frames[: len(steps)]
    changed, seen = effects(frames), seen_at(frames)
    makers = {frame: maker for maker, frame in reversed([*enumerate(seen)])}
    """The step whose effect each frame shows: the one before it of its scope, if there is one."""
    odd = {_row(each, makers) for each in surprise.odd}
    oddest = surprise.oddest(top)

    def row(index: int) -> Row:
        nats = _came(steps[index]) + (_did(steps[seen[index]]) if makers[seen[index]] == index else 0.0)
        cells = [Text(effect_text(changed[index], "=")), Text(bar(nats) if index else "")]  # the call is given
        return Row(index, frames[index], cells, "≠" if index in odd else "")

    print_title(console, surprise.trace, surprise.predictor.name)
    focus = _row(oddest[0], makers) if oddest else 0
    print_steps(console, ("effect", "surprise"), len(steps), row, focus=focus)
    for each in oddest:
        console.print(f"  {_told(surprise, each, _row(each, makers))}", soft_wrap=True)
    console.print(_summary(surprise), style="bold", soft_wrap=True)


def bar(nats: float) -> str:
    """A surprise as so many marks; one is a factor of e, ten are what was held 20,000 times unlikelier or more."""
    return "■" * min(round(nats), _MOST_BARS)


def _row(odd: Odd, makers: dict[int, int]) -> int:
    """The step beside which something odd is shown: a value's is the one that made it."""
    return odd.position if odd.name is None else makers.get(odd.position, odd.position)


def _came(step: Step) -> float:
    """How surprising it was that a step came, in nats."""
    return -(step.event_logprob + step.line_logprob)


def _did(step: Step) -> float:
    """How surprising the values are that a step shows."""
    return -sum(value.logprob for value in step.values)


def _told(surprise: Surprise, odd: Odd, row: int) -> str:
    """`step 22, line 4: n = 3   the model expected 2`."""
    frames = surprise.trace.frames
    name = "" if odd.name is None else f"{odd.name or frames[odd.position].event} = "
    expected = surprise.expected(odd)
    held = f"   the model expected {short(expected)}" if expected is not None else "   was not expected next"
    return f"step {row}, line {frames[row].line}: {name}{short(odd.text)}{held}"


def _summary(surprise: Surprise) -> str:
    """`38/40 lines and 101/116 values expected`, and how much was scored if not all."""
    (lines, all_lines), (values, all_values) = surprise.lines, surprise.values
    scored, steps = len(surprise.steps), len(surprise.trace)
    cut = "" if scored == steps else f" · only the first {scored:,} of {steps:,} steps fit the model's context"
    return f"  {lines}/{all_lines} lines and {values}/{all_values} values expected{cut}"
