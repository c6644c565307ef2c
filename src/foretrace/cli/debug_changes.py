"""The verbs of the terminal debugger that change something. What is changed is on a branch of its own; the old one stays."""

import re
from pathlib import Path

import click

from foretrace.cli import options
from foretrace.cli.debug_desk import Desk, Verb, locals_of
from foretrace.cli.debug_moves import whole
from foretrace.cli.debug_show import show_stop
from foretrace.debug import save_session
from foretrace.engine.skip import WHAT
from foretrace.errors import RefusedError, UsageError
from foretrace.trace import Outcome

_ASSIGNMENT = re.compile(r"(?P<name>\w*)\s*(?:=(?!=)|\s)\s*(?P<text>.+)", re.DOTALL)
_TEMPERATURE = 0.8


def _set(desk: Desk, text: str) -> None:
    found = _ASSIGNMENT.fullmatch(text)
    if found is None:
        raise UsageError("say what to change, and to what: set NAME = EXPRESSION; set = EXPRESSION for what is returned")
    _told(desk, desk.session.set(found["name"], found["text"]).label)


def _pin(desk: Desk, text: str) -> None:
    _told(desk, desk.session.pin(text.strip()).label)


def _told(desk: Desk, label: str) -> None:
    desk.say(f"branch {desk.session.branch.id}: {label}", style="dim")
    show_stop(desk)


def _real(desk: Desk, text: str) -> None:
    """Runs the call, and says how that went beside the prediction."""
    if desk.run is None:
        raise RefusedError("running the program is off here (--no-run); a trace that is there already: --real FILE")
    trace = desk.session.run_for_real(desk.run)
    ended = trace.result if trace.header.outcome is Outcome.RETURNED else trace.exception or trace.header.detail
    desk.say(f"ran in a limited child process: {len(trace)} steps, {trace.header.outcome} {ended}")
    found = desk.session.difference
    if found is None or found.first is None:
        desk.say(f"all {len(desk.session.branch.timeline)} steps so far are right")
    else:
        first, name = found.first, f", {found.first.variable}" if found.first.variable else ""
        desk.say(f"first divergence so far: step {first.step}, {first.kind}{name}   (go there: j {first.step})")
    show_stop(desk)


def _anchor(desk: Desk, text: str) -> None:
    desk.session.anchor()
    _told(desk, f"{desk.session.branch.label}: each step is predicted from the real ones before it")


def _branch(desk: Desk, text: str) -> None:
    desk.session.select(whole(text, "branch"))
    show_stop(desk)


def _sample(desk: Desk, text: str) -> None:
    seed, *temperature = text.split() or [str(len(desk.session.branches))]
    warmth = _number(temperature[0]) if temperature else desk.session.branch.temperature or _TEMPERATURE
    _told(desk, desk.session.sample(whole(seed, "seed"), warmth).label)


def _reroll(desk: Desk, text: str) -> None:
    words = text.split()
    seed = whole(words.pop(0), "seed") if words and words[0].isdecimal() else len(desk.session.branches)
    keep = [word for word in words if word != "keep"]
    _told(desk, desk.session.reroll(seed, keep).label)


def _skip(desk: Desk, text: str) -> None:
    desk.session.skip(text.strip() or "line")
    show_stop(desk)


def _watch(desk: Desk, text: str) -> None:
    watches = desk.session.watches
    if text and text not in watches:
        watches.append(text)
    for number, expression in enumerate(watches, 1):
        desk.say(f"  {number}  {expression}")
    if not watches:
        desk.say("  none; add one: watch EXPRESSION")


def _unwatch(desk: Desk, text: str) -> None:
    watches = desk.session.watches
    if not text:
        watches.clear()
        return
    number = whole(text, "watch", 1)
    if number > len(watches):
        raise UsageError(f"there is no watch {number}; there are {len(watches)}")
    del watches[number - 1]


def _budget(desk: Desk, text: str) -> None:
    if text:
        try:
            desk.session.budget = options.parse_count(text.replace(",", ""))
        except click.BadParameter as error:
            raise UsageError(error.message) from error
    desk.say(f"  {desk.session.spent:,} of {desk.session.budget:,} tokens used")


def _save(desk: Desk, text: str) -> None:
    if not text:
        raise UsageError("say where to: save FILE")
    with Path(text).open("w", encoding="utf-8") as file:
        save_session(desk.session, file)
    desk.say(f"saved; go on later: foretrace debug --resume {text}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no temperature; write 0.8") from error


CHANGES = (
    Verb(("set",), "NAME = EXPRESSION", "change a value; what follows is predicted anew", _set, locals_of),
    Verb(("pin",), "[NAME]", "set a value to what it really is", _pin, locals_of),
    Verb(("real",), "", "run the call for real, in a limited child process, and compare", _real),
    Verb(("anchor",), "", "predict each step from the real ones before it", _anchor),
    Verb(("branch",), "NUMBER", "show another branch", _branch, lambda d: [str(b.id) for b in d.session.branches]),
    Verb(("sample",), "[SEED [TEMPERATURE]]", "draw what follows anew", _sample),
    Verb(("reroll",), "[SEED] [keep NAME…]", "have the model make up other arguments", _reroll),
    Verb(
        ("skip",),
        "[line | loop | call]",
        "leave out the line's calls, the rest of the loop, of the call",
        _skip,
        lambda _: [*WHAT],
    ),
    Verb(("watch",), "[EXPRESSION]", "show its value at each stop", _watch, locals_of),
    Verb(("unwatch",), "[NUMBER]", "no longer, or none", _unwatch),
    Verb(("budget",), "[TOKENS]", "how much may be predicted: 16k", _budget),
    Verb(("save",), "FILE", "write the session, to go on later", _save),
)
