"""Cuts one call out of a trace as an episode: which of the calls within it are stepped into, and which are one step.

CWM (report, section 2.2) steps into a callee at random and else makes it an episode of its own, with a limit on the depth.
The draw of a call depends on the seed, the trace and the call alone: the same corpus is cut the same anywhere.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b

from foretrace.corpus.cutting.calls import UNKNOWN, Call, Calls
from foretrace.trace import Event

_NAMED = re.compile(r"(?:.*\.)?[^\W\d]\w*")
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_BYTES_A_LOCAL = 8
"""Of one that has not changed, as the wire writes it."""


class Kind(Enum):
    """What a call is to an episode."""

    FUNCTION = "function"
    """May be an episode, or stepped into."""
    NAMELESS = "nameless"
    """A lambda: may be stepped into."""
    PART = "part"
    """A comprehension, or the body of a class in a function: goes with the call that it is in."""
    FOREIGN = "foreign"
    """Of a test, a module or a top-level class: never in an episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutLimits:
    """Of one episode."""

    step_in: float
    depth: int
    """Levels of calls below the entry; 0: no limit."""
    events: int
    characters: int
    seed: int


@dataclass(slots=True)
class Cut:
    """One episode of a trace, as the indices of its frames."""

    root: int
    """Number of the call that it is of."""
    depth: int | None
    """The limit that it was cut with; None if there was none."""
    frames: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    """Of each frame in the episode: a generator may be resumed from another depth than it was begun at."""
    left_out: list[int] = field(default_factory=list)
    """Numbers of calls that are one step."""
    stepped_into: int = 0
    deepest: int = 0
    """Levels of calls below the entry."""
    characters: int = 0


class Walker:
    """Cuts episodes out of one trace."""

    def __init__(self, calls: Calls, name: str, can_show: Callable[[str, int], bool], limits: CutLimits) -> None:
        """Makes one for `calls`.

        Args:
            name: of the trace, unique in the corpus.
            can_show: whether the scope that begins at a line of a file may be in an episode.

        """
        self.calls, self._can_show, self._limits = calls, can_show, limits
        self._key = f"{limits.seed}\0{name}\0"
        self._kinds: dict[tuple[str, str, int], Kind] = {}

    def kind(self, call: Call) -> Kind:
        """What a call is, from its first frame."""
        frame = self.calls.frames[call.start]
        place = (self.calls.path_of(frame), frame.function, frame.line)
        if place not in self._kinds:
            self._kinds[place] = self._kind(frame.function, *place[::2], frame.source.lstrip().startswith("class "))
        return self._kinds[place]

    def is_entry(self, number: int) -> bool:
        """Whether a call may be an episode, or stepped into: the first of a named function's."""
        call = self.calls.list[number]
        return call.scope == number and self.kind(call) is Kind.FUNCTION

    def _kind(self, function: str, path: str, line: int, is_class: bool) -> Kind:
        last = function.rpartition(".")[2]
        if last == "<module>" or not self._can_show(path, line):
            return Kind.FOREIGN
        if last in _COMPREHENSIONS:
            return Kind.PART
        if is_class and not last.startswith("<"):
            return Kind.PART if "<locals>" in function else Kind.FOREIGN
        return Kind.FUNCTION if _NAMED.fullmatch(function.replace(".<locals>", "")) else Kind.NAMELESS

    def episode(self, root: int) -> Cut | None:
        """The episode of a call, less deep where it would be too long; None if it is too long by itself."""
        depth = self._limits.depth or None
        cut, is_whole = self._cut(root, depth)
        while not is_whole:
            if not cut.deepest:
                return None
            depth = cut.deepest - 1
            cut, is_whole = self._cut(root, depth)
        return cut

    def again(self, root: int, depth: int | None) -> Cut:
        """The same as before."""
        return self._cut(root, depth)[0]

    def _cut(self, root: int, depth: int | None) -> tuple[Cut, bool]:
        """An episode, and whether it stayed within the limits; if not, it is not whole."""
        cut, attempt = Cut(root, depth), _Attempt(root)
        for first in self.calls.life(root):
            index, attempt.levels[self.calls.at[first.start]] = first.start, 0
            base = self.calls.frames[index].depth
            while index < first.end:
                number = self.calls.at.get(index, UNKNOWN)
                if number != UNKNOWN and index != first.start:
                    level = self._level(number, attempt, depth)
                    if level is None:
                        cut.left_out.append(number)
                        index = self.calls.list[number].end
                        continue
                    attempt.levels[number] = level
                    cut.deepest = max(cut.deepest, level)
                    cut.stepped_into += self.is_entry(number)
                cut.frames.append(index)
                cut.depths.append(self.calls.frames[index].depth - base)
                cut.characters += self._size(index, attempt)
                if len(cut.frames) > self._limits.events or cut.characters > self._limits.characters:
                    return cut, False
                index += 1
        return cut, True

    def _level(self, number: int, attempt: "_Attempt", depth: int | None) -> int | None:
        """How deep a call is below the entry, or None: it is not stepped into."""
        call = self.calls.list[number]
        kind, above = self.kind(call), attempt.levels[call.parent]
        if call.scope != number:  # a generator goes on if its beginning was seen
            is_in = call.scope in attempt.scopes
            return (above if kind is Kind.PART else above + 1) if is_in else None
        if kind is Kind.FOREIGN:
            return None
        if kind is not Kind.PART:
            is_deep = depth is not None and above + 1 > depth
            if is_deep or not self._is_drawn(call) or not self._is_clear(call, attempt):
                return None
        attempt.scopes.add(number)
        return above if kind is Kind.PART else above + 1

    def _is_drawn(self, call: Call) -> bool:
        if self._limits.step_in >= 1:
            return True
        drawn = blake2b(f"{self._key}{call.start}".encode("utf-8", "surrogatepass"), digest_size=7).digest()
        return int.from_bytes(drawn, "big") < self._limits.step_in * 2**56

    def _is_clear(self, call: Call, attempt: "_Attempt") -> bool:
        """Whether its top-level name is no other file's in the same episode: names are all that tells functions apart."""
        frame = self.calls.frames[call.start]
        top = frame.function.split(".")[0]
        path = self.calls.path_of(frame)
        if not attempt.names:
            entry = self.calls.frames[self.calls.list[attempt.root].start]
            attempt.names[entry.function.split(".")[0]] = self.calls.path_of(entry)
        return attempt.names.setdefault(top, path) == path

    def _size(self, index: int, attempt: "_Attempt") -> int:
        """About how many characters a frame takes on the wire."""
        frame = self.calls.frames[index]
        if frame.event is Event.CALL:
            attempt.states.append({})
        state = frame.state
        if frame.locals is not None:
            before, attempt.states[-1] = attempt.states[-1], state
            shown = (len(n) + (_BYTES_A_LOCAL if before.get(n) == t else len(t)) for n, t in state.items())
            return len(frame.source) + sum(shown)
        if frame.event is Event.RETURN or frame.unwind:
            attempt.states.pop()
        return len(frame.source) + len(frame.value or "")

    def roots(self) -> Iterator[Cut | Call]:
        """All episodes of the trace, and the calls that could not be one."""
        calls = self.calls.list
        waiting = [number for number in range(len(calls) - 1, -1, -1) if calls[number].parent < 0]
        while waiting:
            number = waiting.pop()
            call = calls[number]
            is_entry = self.is_entry(number)
            cut = self.episode(number) if is_entry and call.is_complete else None
            if is_entry:
                yield cut or call
            if cut is not None:
                waiting += reversed(cut.left_out)
            elif call.scope == number or call.scope == UNKNOWN:
                waiting += reversed([*call.children, *self._later_children(number)])

    def _later_children(self, number: int) -> Iterator[int]:
        """Calls within the later calls of a scope that is no episode."""
        for resumption in self.calls.resumptions.get(number, ()):
            yield from self.calls.list[resumption].children


@dataclass(slots=True)
class _Attempt:
    root: int
    levels: dict[int, int] = field(default_factory=dict)
    """Of the calls in the episode."""
    scopes: set[int] = field(default_factory=set)
    """Numbers of the calls that scopes in the episode, but the entry's, began with."""
    names: dict[str, str] = field(default_factory=dict)
    """The file of each top-level name."""
    states: list[dict[str, str]] = field(default_factory=list)
