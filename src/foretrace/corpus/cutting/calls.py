"""Which frames of a trace are one call's, and which calls go on with a generator that was suspended.

    calls = Calls(trace)
    calls.list[3].start, calls.list[3].end         # its frames, those of the calls within it included

Frames do not say which of several suspended generators a call resumes. It is the one of that function that was suspended
last at that line and whose locals were what they are now, or differ by names of the line itself (`yield (i := i + 1)`); if
there is none, the call's scope is unknown, and it is left out of every episode rather than guessed at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from foretrace.trace import Event, Frame, Trace

UNKNOWN = -1
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(slots=True)
class Call:
    """From a `call` frame to the `return` or `exception` that left the scope, or suspended it."""

    start: int
    """Index of its first frame."""
    end: int
    """Index after its last."""
    parent: int
    """Number of the call that it was made in; -1 for an outermost one."""
    scope: int
    """Number of the call that the scope began with: its own, but for a resumption."""
    is_complete: bool = False
    children: list[int] = field(default_factory=list)


class Calls:
    """All calls of a trace, numbered in the order in which they begin."""

    def __init__(self, trace: Trace) -> None:
        self.frames = trace.frames
        self.path = trace.header.path
        self.list: list[Call] = []
        self.at: dict[int, int] = {}
        """Number of the call that begins with a frame."""
        self.resumptions: dict[int, list[int]] = {}
        """Later calls of a scope, by the number of its first."""
        self._suspended: dict[tuple[str, str, int], list[tuple[int, dict[str, str]]]] = {}
        self._follow()

    def life(self, number: int) -> Iterator[Call]:
        """Calls of a scope from its first on, as far as they are whole."""
        for call in map(self.list.__getitem__, (number, *self.resumptions.get(number, ()))):
            if not call.is_complete:
                return
            yield call

    def path_of(self, frame: Frame) -> str:
        """The file of a frame."""
        return frame.path or self.path

    def _follow(self) -> None:
        open_calls: list[int] = []
        states: list[dict[str, str]] = []
        for index, frame in enumerate(self.frames):
            if frame.event is Event.CALL:
                number = len(self.list)
                parent = open_calls[-1] if open_calls else -1
                scope = self._resumed(frame) if frame.resumed else number
                self.list.append(Call(index, len(self.frames), parent, scope))
                self.at[index] = number
                if parent >= 0:
                    self.list[parent].children.append(number)
                if frame.resumed and scope != UNKNOWN:
                    self.resumptions.setdefault(scope, []).append(number)
                open_calls.append(number)
                states.append(frame.state)
            elif not open_calls:
                continue
            elif frame.event is Event.LINE:
                states[-1] = frame.state
            elif frame.event is Event.RETURN or frame.unwind:
                call, state = self.list[open_calls.pop()], states.pop()
                call.end, call.is_complete = index + 1, True
                if frame.suspended:
                    place = (self.path_of(frame), frame.function, frame.line)
                    self._suspended.setdefault(place, []).append((call.scope, state))

    def _resumed(self, frame: Frame) -> int:
        """The scope that a call goes on with."""
        candidates = self._suspended.get((self.path_of(frame), frame.function, frame.line), [])
        for names in (frozenset[str](), frozenset(_WORD.findall(frame.source))):
            for at in range(len(candidates) - 1, -1, -1):
                scope, state = candidates[at]
                if _without(state, names) == _without(frame.state, names):
                    del candidates[at]
                    return scope
        return UNKNOWN


def _without(state: dict[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: text for name, text in state.items() if name not in names} if names else state
