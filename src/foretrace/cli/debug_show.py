"""How the terminal debugger shows a step: where it is, what is new there, and what is known about each value.

Predicted values stand after `⇢`, real ones after `=`; what is wrong is marked `≠`. The state is that before the line runs,
as debuggers have it.
"""

from typing import Any

from rich.text import Text

from foretrace.cli.debug_desk import Desk
from foretrace.cli.sureness import short
from foretrace.debug import Moment, Reason, Session, Stop, Verdict
from foretrace.debug.view import state, values
from foretrace.trace import Event

_SILENT = (Reason.STEP, Reason.GOTO, Reason.ENTRY)
"""Reasons that the user knows."""
_CHARACTERS = 160


def show_stop(desk: Desk) -> None:
    """Why the session stands here, if that is news, and the step."""
    stop = desk.session.stop
    if text := reason(desk.session, stop):
        desk.say(text, style="bold yellow")
    show_step(desk)


def reason(session: Session, stop: Stop) -> str:
    """`breakpoint 1: n: 1 → 2`; empty if it is what was asked for."""
    if stop.reason in _SILENT and not stop.breakpoints:
        return f"({stop.detail})" if stop.detail else ""
    numbers = " ".join(map(str, stop.breakpoints))
    text = f"{stop.reason} {numbers}".strip() + (f": {stop.detail}" if stop.detail else "")
    if stop.reason is Reason.BUDGET and session.branch.finish is None:
        text += f" (budget {4 * max(session.budget, 1024):,})"
    if stop.reason is Reason.FORMAT:
        text += " (foretrace debug --grammar predicts only lines that exist)"
    return text


def show_step(desk: Desk) -> None:
    """Three lines or more: the place, the source line, what is new."""
    moment = desk.session.here
    now = state(desk.session)
    desk.say(_place(desk.session, moment, now), style="bold")
    mark = "≠" if moment.comparison and moment.comparison.wrong_at(moment.position) else " "
    line = Text(f"->{mark} {moment.step.frame.source.strip()}")
    line.append(_event(moment), style="dim")
    desk.say(line)
    if moment.real and (moment.real.event, moment.real.source) != (moment.step.frame.event, moment.step.frame.source):
        desk.say(f"   really: {moment.real.event} {moment.real.source.strip()}   line {moment.real.line}")
    for row in values(moment, _CHARACTERS, only_new=True):
        desk.say(value_line(row, moment))
    for watch in now["watches"]:
        desk.say(f"   {watch['expression']} → {watch['value'] if watch['error'] is None else watch['error']}")


def _place(session: Session, moment: Moment, now: dict[str, Any]) -> str:
    frame = moment.step.frame
    parts = [f"step {moment.position}"]
    parts += [f"visit {now['visit']}"] if frame.event is Event.LINE and now["visit"] > 1 else []
    parts += [f"pass {loop['pass']} of loop {loop['line']}" for loop in now["loops"][:2]]
    parts += [f"on {moment.branch.label}"] if moment.branch.id else []
    line = frame.line or "not in the file"
    return f"> {session.path}({line}){frame.function}()  {' · '.join(parts)}"


def _event(moment: Moment) -> str:
    frame = moment.step.frame
    told = "" if frame.event is Event.LINE else f"   {frame.event}"
    sure = moment.line_confidence
    return told + (f"   {sure:.0%} sure to be here" if sure is not None and sure < 0.5 else "")


def value_line(row: dict[str, Any], moment: Moment) -> Text:
    """`   n ⇢ 2   ≠ = 3   ●○○ 40%`, from a row of `view.values`."""
    name = row["name"] or moment.step.frame.event.value
    text = Text(f"   {name} ")
    if row["text"] is None:
        text.append("(not predicted)", style="italic")
    elif row["given"]:
        text.append(f"= {row['text']}" + ("" if moment.position == 0 else "   (given)"))
    else:
        text.append(f"⇢ {row['text']}", style="italic")
    if row["verdict"] not in (None, Verdict.RIGHT):
        text.append(f"   ≠ really {row['real'] if row['real'] is not None else 'not there'}", style="bold red")
    elif row["verdict"] is Verdict.RIGHT and not row["given"]:
        text.append("   = really", style="dim")
    if row["dots"]:
        text.append(f"   {row['dots']}" + (f" {row['sure']:.0%}" if row["sure"] is not None else ""))
    return text


def effect_of(rows: list[dict[str, Any]]) -> str:
    """`⇢ n = 2, c = 'r'`, from `view.effect`; empty if the line does nothing that shows."""
    parts = [f"{row['name'] or 'value'} = {short(row['after'] or '(unbound)', 40)}" for row in rows]
    return f"⇢ {', '.join(parts)}" if parts else ""
