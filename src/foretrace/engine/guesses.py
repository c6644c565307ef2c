"""What the next frame of a trace is likely to be: read off the program and off the frames before. Nothing is executed.

guesser = FrameGuesser(source)
guesser.learn(frame)                      # each frame in turn
guess = guesser.guess()                   # its event and line: those that came last time after the same line, or by
guesser.locals_of(guess)                  # control flow; its locals: those of the scope's frame before, but for what
                                          # the line changes
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from foretrace.engine.statements import Statements
from foretrace.trace import Event, Frame
from foretrace.trace.flow import Scope, scopes_of
from foretrace.trace.wire import UNCHANGED


@dataclass(frozen=True, slots=True)
class Text:
    """What is foreseen of a text."""

    start: str = ""
    whole: bool = False
    """Whether that is all of it."""


UNKNOWN = Text()


@dataclass(frozen=True, slots=True)
class Guess:
    """An event and a source line; None where nothing is likely."""

    event: Event | None = None
    """None: the trace ends."""
    line: str | None = None
    if_unchanged: tuple[str, str] | None = None
    """A name and the line that follows instead if its value is unchanged: a loop that has no more items."""


@dataclass(slots=True)
class _Scope:
    """An open scope: where it is, and what its locals were."""

    flow: Scope | None
    line: int
    state: Mapping[str, str] = field(default_factory=dict)
    event: Event = Event.CALL
    returned: str | None = None
    """What the last callee returned, since this scope's last frame with locals."""
    resumed: bool = False
    """Whether a callee was left since then: the next frame shows all locals."""


class FrameGuesser:
    """Follows the frames of one trace."""

    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")
        self._statements, self._flows = _read(source)
        functions = (scope for scope in self._flows.values() if scope.kind == "function")
        self._functions = {scope.name.rpartition(".")[2]: self._lines[scope.entries[0] - 1] for scope in functions}
        """Names of functions to the lines that their call frames show."""
        self._scopes: list[_Scope] = []
        self._followed: dict[tuple[int, Event, bool], tuple[Event, str]] = {}
        """A place (line, event, resumed) to the event and line that came after it last time."""
        self._changed: dict[int, frozenset[str]] = {}
        """A line to the names that it changed last time."""
        self._steps: dict[tuple[int, str], int] = {}
        """A line and a name to how much its integer grew last time."""
        self._passes: dict[tuple[int, int], int] = {}
        """Depth and head of a loop to the items that it has taken."""

    def learn(self, frame: Frame) -> None:
        """Takes the next frame."""
        if self._scopes:
            here = self._scopes[-1]
            self._followed[here.line, here.event, here.resumed] = frame.event, frame.source
        if frame.event is Event.CALL:
            del self._scopes[frame.depth :]
            self._scopes.append(_Scope(self._flows.get(frame.function), frame.line, frame.state))
            return
        if frame.depth + 1 < len(self._scopes):
            del self._scopes[frame.depth + 1 :]
            self._scopes[-1].resumed = True
        here = self._scopes[-1]
        if frame.event is Event.LINE:
            self._compare(here, frame)
            here.state, here.resumed, here.returned = frame.state, False, None
        if frame.event is Event.RETURN and len(self._scopes) > 1:
            self._scopes.pop()
            self._scopes[-1].resumed, self._scopes[-1].returned = True, frame.value
            return
        if frame.event is Event.RETURN:
            self._scopes.clear()
            return
        here.line, here.event = frame.line, frame.event

    def _compare(self, here: _Scope, frame: Frame) -> None:
        """Remembers what the line before has changed, and whether a loop goes on."""
        old = here.state
        changed = frozenset(name for name, text in frame.state.items() if old.get(name) != text)
        self._changed[here.line] = changed
        for name in changed:
            try:
                self._steps[here.line, name] = int(frame.state[name]) - int(old[name])
            except (ValueError, KeyError):
                self._steps.pop((here.line, name), None)
        if self._statements.loop(here.line):
            loop = (frame.depth, here.line)
            goes_on = self._flow(here)[:1] == [frame.line]
            self._passes[loop] = self._passes.get(loop, 0) + 1 if goes_on else 0

    # -- guessing --------------------------------------------------------------------------------------

    def guess(self) -> Guess:
        """The next event and line."""
        if not self._scopes:
            return Guess()
        here = self._scopes[-1]
        followed = self._followed.get((here.line, here.event, here.resumed))
        guess = Guess(*followed) if followed else self._by_flow(here)
        loop, flow = self._statements.loop(here.line), self._flow(here)
        if loop is None or not flow or guess.event is not Event.LINE or here.resumed:
            return guess
        variable, inside = loop
        after = self._text(next((line for line in flow if line not in inside), 0))
        if after is None or self._next_item(here) == "":
            return Guess(Event.LINE, after)
        return Guess(Event.LINE, self._text(flow[0]), (variable, after))

    def given(self, event: Event) -> Guess:
        """The next line, where the event is known to be this one."""
        here = self._scopes[-1] if self._scopes else None
        if here is None:
            return Guess(event)
        if event is Event.LINE:
            return Guess(event, self._text(next(iter(self._flow(here)), 0)))
        return (self._call(here) or Guess(event)) if event is Event.CALL else Guess(event, self._text(here.line))

    def locals_of(self, guess: Guess) -> dict[str, Text]:
        """Names and values that a call or line frame shows, in order."""
        here = self._scopes[-1] if self._scopes else None
        if guess.event is Event.CALL and guess.line is not None:
            function = next((name for name, line in self._functions.items() if line == guess.line), "")
            state = here.state if here else {}
            arguments = self._statements.arguments(here.line if here else 0, function, state)
            return {name: UNKNOWN if text is None else Text(text, True) for name, text in arguments.items()}
        if here is None:
            return {}
        may_change = self._changed.get(here.line, self._statements.changes(here.line))
        shown = {name: Text(text if here.resumed else UNCHANGED, True) for name, text in here.state.items()}
        shown |= {name: self._value(here, name) for name in here.state if name in may_change}
        new = (may_change | self._statements.changes(here.line)).difference(here.state) & self._statements.order.keys()
        return shown | {name: self._value(here, name) for name in sorted(new, key=self._statements.order.__getitem__)}

    def value_of(self, guess: Guess) -> Text:
        """What a return frame shows."""
        if guess.event is not Event.RETURN or not self._scopes:
            return UNKNOWN
        here = self._scopes[-1]
        text = self._statements.result(here.line, here.state, here.returned)
        return UNKNOWN if text is None else Text(text, True)

    @property
    def before(self) -> Mapping[str, str]:
        """The locals of the scope's last frame."""
        return self._scopes[-1].state if self._scopes else {}

    def _value(self, here: _Scope, name: str) -> Text:
        """What the line makes of a name."""
        old, line = here.state.get(name), here.line
        if (loop := self._statements.loop(line)) and loop[0] == name and (item := self._next_item(here)) is not None:
            return Text(item or UNCHANGED, True)
        text = self._statements.assigned(line, name, here.state, here.returned)
        if text is not None:
            return Text(UNCHANGED if text == old and not here.resumed else text, True)
        if old is None:
            return UNKNOWN
        step = self._steps.get((line, name))
        if step:
            try:
                return Text(str(int(old) + step), True)
            except ValueError:
                pass
        return Text(old[:-1]) if old[:1] in "[{('\"" else UNKNOWN  # what grows begins as before

    def _next_item(self, here: _Scope) -> str | None:
        """What a loop's variable is in its next pass, where that can be read; empty if there is none."""
        items = self._statements.items(here.line, here.state)
        taken = self._passes.get((len(self._scopes) - 1, here.line), 0)
        return None if items is None else items[taken] if taken < len(items) else ""

    def _by_flow(self, here: _Scope) -> Guess:
        """Where control can go from a line that was not seen yet, likeliest first."""
        if here.event is Event.EXCEPTION:
            handlers = here.flow.handlers.get(here.line) if here.flow else None
            if handlers:
                return Guess(Event.LINE, self._text(handlers[0]))
            return Guess(Event.EXCEPTION, self._text(self._scopes[-2].line)) if len(self._scopes) > 1 else Guess()
        if here.event is Event.LINE and not here.resumed and (call := self._call(here)):
            return call
        flow = self._flow(here)
        if self._statements.returns(here.line) or not flow:
            return Guess(Event.RETURN, self._text(here.line))
        return Guess(Event.LINE, self._text(flow[0]))

    def _call(self, here: _Scope) -> Guess | None:
        """The call of a function of the program that the line makes."""
        names = here.flow.calls.get(here.line, ()) if here.flow else ()
        return next((Guess(Event.CALL, self._functions[name]) for name in names if name in self._functions), None)

    def _flow(self, here: _Scope) -> list[int]:
        return here.flow.flow.get(here.line, []) if here.flow else []

    def _text(self, line: int) -> str | None:
        return self._lines[line - 1] if line else None


@lru_cache(maxsize=16)
def _read(source: str) -> tuple[Statements, dict[str, Scope]]:
    """The statements and, by name, the scopes of a source. Shared: change neither."""
    return Statements(source), {scope.name: scope for scope in reversed(scopes_of(source))}
