"""The verbs of the terminal debugger that go somewhere, and those that say where to stop.

All of them are moves of `debug.walk`, which says what each does.
"""

import re
from collections.abc import Callable

from foretrace.cli.debug_desk import Desk, Verb, locals_of
from foretrace.cli.debug_show import effect_of, show_stop
from foretrace.cli.sureness import short
from foretrace.debug import Breakpoint, DataBreakpoint, Expression, Filters, Stop
from foretrace.debug.view import search, visits
from foretrace.errors import UsageError

_CONDITION = re.compile(
    r"(?P<place>.*?)(?:\s*\bhits\s+(?P<hits>[=<>%\s\d]+?))?(?:(?:^|\s+)if\s+(?P<condition>.+))?$", re.DOTALL
)
_MOST_HITS = 10
_MOST_DIGITS = 9


def whole(text: str, what: str, least: int = 0) -> int:
    """A number that the user wrote.

    Raises:
        UsageError: it is none, or too small.

    """
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) < least:
        raise UsageError(f"{short(text)!r} is no {what}; write a number from {least} on")
    return int(text)


def _move(go: Callable[[Desk], Stop]) -> Callable[[Desk, str], None]:
    """A move that can be repeated: `s 3`. It ends early where it does not get on."""

    def act(desk: Desk, text: str) -> None:
        for _ in range(whole(text, "number of times", 1) if text else 1):
            before = desk.session.position
            go(desk)
            if desk.session.position == before:
                break
        show_stop(desk)

    return act


def _once(go: Callable[[Desk, str], object]) -> Callable[[Desk, str], None]:
    def act(desk: Desk, text: str) -> None:
        go(desk, text)
        show_stop(desk)

    return act


def _goto(desk: Desk, text: str) -> None:
    line, *visit = text.split() or [""]
    desk.session.goto(whole(line, "line", 1), whole(visit[0], "visit", 1) if visit else None)


def _until(desk: Desk, text: str) -> None:
    condition = Expression(text)
    desk.session.until(lambda moment: condition.holds(moment.step.frame.state))


def _find(desk: Desk, text: str) -> None:
    """Lists the first steps, from here on, that say a text."""
    if not text:
        raise UsageError("say what to find: find TEXT")
    hits = search(desk.session, text, desk.session.position, _MOST_HITS)["hits"]
    for hit in hits:
        desk.say(f"  step {hit['position']}   line {hit['line']}   {', '.join(hit['where'])}")
    if not hits:
        known = len(desk.session.branch.timeline)
        desk.say(f"  nowhere from step {desk.session.position} to {known - 1}, the last that is known")


def _visits(desk: Desk, text: str) -> None:
    """Lists what a line did at each visit."""
    line = whole(text, "line", 1) if text else desk.session.here.frame.line
    found = visits(desk.session, line)
    for row in found["rows"]:
        here = ">" if row["position"] == desk.session.position else " "
        desk.say(f"{here} visit {row['visit']}   step {row['position']}   {effect_of(row['effect'])}".rstrip())
    if not found["visits"]:
        desk.say(f"  line {line} has not been visited so far")


def _break(desk: Desk, text: str) -> None:
    found = _CONDITION.fullmatch(text)
    assert found is not None
    if not text:
        _list_breakpoints(desk)
        return
    place = found["place"].strip()
    line = whole(place, "line", 1) if place else desk.session.here.frame.line
    where = Breakpoint(line=line, condition=found["condition"] or "", hits=(found["hits"] or "").strip())
    desk.say(f"breakpoint {desk.session.breakpoints.add(where)} at line {line}")


def _when(desk: Desk, text: str) -> None:
    found = _CONDITION.fullmatch(text)
    assert found is not None
    name = found["place"].strip()
    if not name.isidentifier():
        raise UsageError("say of which local: when NAME [if CONDITION]")
    where = DataBreakpoint(name=name, function=desk.session.here.frame.function, condition=found["condition"] or "")
    desk.say(f"breakpoint {desk.session.breakpoints.add(where)} where {name} of {where.function} changes")


def _list_breakpoints(desk: Desk) -> None:
    for item in desk.session.breakpoints.to_dicts():
        place = (
            f"line {item['line']}" if item["kind"] == "line" else f"{item['name']} of {item['function'] or 'any'} changes"
        )
        extra = "".join(f" {word} {item[key]}" for word, key in (("hits", "hits"), ("if", "condition")) if item.get(key))
        desk.say(f"  {item['number']}  {place}{extra}")
    filters = desk.session.breakpoints.filters
    caught = [name for name in ("exception", "divergence") if getattr(filters, name)]
    caught += [f"below {filters.confidence}"] if filters.confidence is not None else []
    if caught:
        desk.say(f"  catch  {', '.join(caught)}")
    if not desk.session.breakpoints.items and not caught:
        desk.say("  none; set one: break LINE, when NAME, catch exception")


def _clear(desk: Desk, text: str) -> None:
    for number in text.split():
        desk.session.breakpoints.remove(whole(number, "breakpoint", 1))
    if not text:
        desk.session.breakpoints.clear()


def _catch(desk: Desk, text: str) -> None:
    words, filters = text.split(), desk.session.breakpoints.filters
    match words:
        case []:
            _list_breakpoints(desk)
            return
        case ["off"]:
            filters = Filters()
        case ["exception"]:
            filters = Filters(exception=True, divergence=filters.divergence, confidence=filters.confidence)
        case ["divergence"]:
            filters = Filters(exception=filters.exception, divergence=True, confidence=filters.confidence)
        case ["below", share] if re.fullmatch(r"0?\.\d+|[01](\.0*)?", share):
            filters = Filters(exception=filters.exception, divergence=filters.divergence, confidence=float(share))
        case _:
            raise UsageError(f"{text!r} cannot be caught; what can: exception, divergence, below 0.8, off")
    desk.session.breakpoints.filters = filters
    _list_breakpoints(desk)
    if words[0] == "below" and not desk.model.confidence.is_calibrated:
        desk.say(
            f"  {desk.model.name} has no calibration, so no value is known to be less sure: foretrace calibrate makes one"
        )


MOVES = (
    Verb(("s", "step"), "[COUNT]", "to the next step, into calls", _move(lambda desk: desk.session.step())),
    Verb(("n", "next"), "[COUNT]", "to the next line of this function, over calls", _move(lambda desk: desk.session.over())),
    Verb(("o", "out"), "[COUNT]", "out of this function, to the caller", _move(lambda desk: desk.session.out())),
    Verb(("c", "continue"), "", "on to where something stops it, or to the end", _move(lambda desk: desk.session.run())),
    Verb(("b", "back"), "[COUNT]", "to the step before", _move(lambda desk: desk.session.back())),
    Verb(("bn",), "[COUNT]", "back to the line before in this function", _move(lambda desk: desk.session.back_over())),
    Verb(("bo",), "[COUNT]", "back out, to the line that called this function", _move(lambda desk: desk.session.back_out())),
    Verb(("rc",), "", "back to where something stops it", _move(lambda desk: desk.session.run(reverse=True))),
    Verb(("g", "goto"), "LINE [VISIT]", "to the next visit of a line, or to the k-th", _once(_goto)),
    Verb(("j", "jump"), "STEP", "to a step by its number", _once(lambda d, t: d.session.seek(whole(t, "step")))),
    Verb(("until",), "EXPRESSION", "on until it holds", _once(_until), locals_of),
    Verb(("]",), "", "on to where the prediction next goes wrong", _once(lambda d, _: d.session.to_slip())),
    Verb(("[",), "", "back to where it went wrong", _once(lambda d, _: d.session.to_slip(reverse=True))),
    Verb(("find",), "TEXT", "which steps, from here on, say a text", _find),
    Verb(("visits",), "[LINE]", "what a line did each time", _visits),
    Verb(("break",), "[LINE] [hits N] [if CONDITION]", "stop at a line; alone, list what stops a run", _break),
    Verb(("when",), "NAME [if CONDITION]", "stop where a local of this function changes", _when, locals_of),
    Verb(
        ("catch",),
        "exception | divergence | below 0.8 | off",
        "stop where one is predicted, where the prediction goes wrong, where a value is less sure",
        _catch,
        lambda desk: ["exception", "divergence", "below", "off"],
    ),
    Verb(
        ("clear",), "[NUMBER…]", "remove breakpoints, or all", _clear, lambda d: list(map(str, d.session.breakpoints.items))
    ),
)
