"""The verbs of the terminal debugger that only look. Those that ask the model say so in their help."""

import ast
from dataclasses import replace

from rich.text import Text

from foretrace.cli.debug_desk import Desk, Verb, locals_of
from foretrace.cli.debug_moves import whole
from foretrace.cli.debug_show import effect_of, show_step, value_line
from foretrace.cli.sureness import also_held, short
from foretrace.debug import Breakpoint, Moment
from foretrace.debug.doubts import may_raise, other_values
from foretrace.debug.view import effect, values
from foretrace.errors import UsageError
from foretrace.trace.syntax import UNREADABLE, parse

_AROUND = 5
_MOST_OTHERS = 5
_MOST_ODD = 5


def _list(desk: Desk, text: str) -> None:
    """Eleven source lines, with what each did when it last ran in this call."""
    session = desk.session
    source = session.branch.prompt.call.source.removesuffix("\n").split("\n")
    here = session.here.frame.line
    position, listed = desk.listed
    after = listed + _AROUND + 1 if position == session.position and listed else here
    middle = whole(text, "line", 1) if text else after
    start = max(middle - _AROUND, 1)
    stops = {item.line for item in session.breakpoints.items.values() if isinstance(item, Breakpoint)}
    last = min(start + 2 * _AROUND, len(source))
    done = _effects_so_far(session.here)
    for number in range(start, last + 1):
        mark = f"{'B' if number in stops else ' '}{'->' if number == here else '  '}"
        line = Text(f"{number:4}{mark} {source[number - 1]}")
        line.append(f"   {done[number]}" if done.get(number) else "", style="italic dim")
        desk.say(line)
    if last == len(source):
        desk.say("[end of the file]", style="dim")
    desk.listed = (session.position, last if last < len(source) else 0)


def _effects_so_far(moment: Moment) -> dict[int, str]:
    """What each line of this call did when it last ran, up to here."""
    timeline, done = moment.timeline, dict[int, str]()
    at: int | None = moment.position
    while at is not None and len(done) < 4 * _AROUND:
        line = timeline.frames[at].line
        if at != moment.position and line not in done:
            done[line] = effect_of(effect(replace(moment, position=at)))
        at = timeline.before(at)
    return done


def _where(desk: Desk, text: str) -> None:
    session = desk.session
    for at in reversed(session.here.stack):
        frame = session.branch.timeline.frames[at]
        mark = ">" if at == session.position else " "
        desk.say(f"{mark} {session.path}({frame.line}){frame.function}()   step {at}")
        desk.say(f"-> {frame.source.strip()}")


def _vars(desk: Desk, text: str) -> None:
    moment = desk.session.here
    rows = values(moment, 2_000)
    for row in rows:
        desk.say(value_line(row, moment))
    if not rows:
        desk.say("   no locals")


def _print(desk: Desk, text: str) -> None:
    """An expression over the predicted locals and, if they are known, the real ones."""
    if not text:
        raise UsageError("say what to print: p EXPRESSION")
    moment = desk.session.here
    line = Text(f"⇢ {moment.evaluate(text)}")
    if moment.real is not None:
        try:
            really = moment.evaluate(text, real=True)
            line.append(f"   {'=' if really == moment.evaluate(text) else '≠'} really {really}")
        except UsageError as error:  # reality is elsewhere, and has no such local
            line.append(f"   ≠ really: {error}")
    desk.say(line)


def _alternatives(desk: Desk, text: str) -> None:
    name, moment = text.strip(), desk.session.here
    held = other_values(moment, name, _MOST_OTHERS)
    desk.say(f"  {name or 'value'} ⇢ {moment.text(name)}")
    calibrated = name in moment.confidences
    real = moment.real.state.get(name) if moment.real and name else moment.real.value if moment.real else None
    told = also_held(held, calibrated, real)
    desk.say(f"  {told or 'the model held nothing else likely'}")
    if told and not calibrated:
        desk.say("  uncalibrated: likeliest first", style="dim")


def _who(desk: Desk, text: str) -> None:
    name, session = text.strip(), desk.session
    at = session.here.set_by(name)
    if at is None:
        desk.say(f"  {name}: the call was made with it")
        return
    frame = session.branch.timeline.frames[at]
    desk.say(f"  {name or 'value'}: step {at}, line {frame.line}: {frame.source.strip()}   (go there: j {at})")


def _why(desk: Desk, text: str) -> None:
    """Who set a value and from what, how sure it is and what that means, what else was held."""
    name, session = text.strip(), desk.session
    moment = session.here
    _who(desk, name)
    at = moment.set_by(name)
    if at is not None:
        used = [each for each in _names(session.branch.timeline.frames[at].source) if each in session.at(at).before]
        for each in used:
            desk.say(f"    from {each} ⇢ {short(session.at(at).before[each])}")
    if dots := moment.dots.get(name):
        sure = moment.confidences.get(name)
        desk.say(f"  {dots}{'' if sure is None else f' {sure:.0%}'}: {desk.model.confidence.meaning[dots]}")
        _alternatives(desk, name)


def _names(line: str) -> list[str]:
    """The names that a source line reads, as far as it parses by itself."""
    text = line.strip()
    for attempt in (text, f"{text} pass", f"if x: pass\n{text} pass"):
        try:
            tree = parse(attempt)
        except UNREADABLE:
            continue
        read = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        return list(dict.fromkeys(read))
    return []


def _events(desk: Desk, text: str) -> None:
    for event, share in sorted(desk.session.here.events().items(), key=lambda item: -item[1]):
        if share >= 0.001:
            desk.say(f"  {event or 'the end'}   {share:.0%} of the model's guesses")


def _may(desk: Desk, text: str) -> None:
    found = may_raise(desk.session)
    for doubt in found:
        likely = "" if doubt.probability is None else f"   p ≈ {doubt.probability:.2f}"
        desk.say(f"  step {doubt.position - 1}, line {doubt.line}: {doubt.text or 'an exception'}{likely}")
    if not found:
        desk.say("  nothing else was likely to be raised, so far")


def _branches(desk: Desk, text: str) -> None:
    session = desk.session
    for branch in session.branches:
        mark = ">" if branch is session.branch else " "
        parts = [f"{mark} {branch.id}  {branch.label}", f"{len(branch.timeline)} steps"]
        parts += [f"from {branch.parent.id}"] if branch.parent else []
        last = branch.timeline.frames[-1]
        if branch.finish is not None:
            parts.append(f"{last.event} {short(last.value, 40)}" if last.value is not None else str(branch.finish.reason))
        desk.say("   ".join(parts))


def _compare(desk: Desk, text: str) -> None:
    meeting = desk.session.compare(whole(text, "branch"))
    parts = "one is the beginning of the other" if meeting.first is None else f"they part at step {meeting.first}"
    again = f"; alike again from steps {meeting.rejoins[0]} and {meeting.rejoins[1]}" if meeting.rejoins else ""
    desk.say(f"  {parts}{again}")


def _score(desk: Desk, text: str) -> None:
    steps = desk.session.surprise()
    odd = sorted(range(1, len(steps)), key=lambda at: steps[at].logprob)[:_MOST_ODD]
    for at in odd:
        desk.say(
            f"  step {at}   line {steps[at].frame.line}   {steps[at].frame.source.strip()}   {-steps[at].logprob:.1f} nats"
        )


def _show(desk: Desk, text: str) -> None:
    show_step(desk)


LOOKS = (
    Verb((".",), "", "this step again", _show),
    Verb(("l", "list"), "[LINE]", "source lines, with what they did so far", _list),
    Verb(("w", "where"), "", "the stack", _where),
    Verb(("v", "vars"), "", "all values here, predicted and real", _vars),
    Verb(("p", "print"), "EXPRESSION", "its value; nothing is run", _print, locals_of),
    Verb(("a", "alts"), "[NAME]", "other values that the model held possible (asks it)", _alternatives, locals_of),
    Verb(("who",), "[NAME]", "which step gave a local its value", _who, locals_of),
    Verb(("why",), "[NAME]", "who set it from what, how sure it is, what else was held (asks the model)", _why, locals_of),
    Verb(("events",), "", "what the model held possible to come next (asks it)", _events),
    Verb(("may",), "", "which exceptions could have been raised so far (asks it)", _may),
    Verb(("branches",), "", "the ways in which this was told", _branches),
    Verb(("compare",), "NUMBER", "where this branch and another part and meet", _compare),
    Verb(("score",), "", "the steps of reality that surprise the model (asks it)", _score),
)
