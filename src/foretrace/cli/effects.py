"""What each step of a trace brought about, and where that can be seen.

A frame holds the state before its line runs, and readers expect a line's effect. So each line is shown with what has changed
by the next frame of its scope.

    effects(frames)[3]          # {'n': '1'}
    seen_at(frames)[3]          # 5: the frame that shows it, a call being between
"""

from collections.abc import Sequence

from foretrace.trace import Event, Frame

UNBOUND = "(unbound)"

Effect = dict[str, str]
"""Text by name; of what is returned or raised by the name of the event."""


def effects(frames: Sequence[Frame], history: Sequence[Frame] | None = None) -> list[Effect]:
    """What each step brought about: arguments of a call, locals that a line changed, a value that was returned or raised.

    Args:
        frames: of one call, in order.
        history: what stood there for the frames that follow, if that were others: of a re-anchored run, the real ones.

    """
    history = frames if history is None else history
    changed: list[Effect] = [{} for _ in frames]
    last: dict[int, int] = {}
    for index, (frame, left) in enumerate(zip(frames, history, strict=True)):
        if frame.value is not None:
            changed[index] = {frame.event.value: frame.value}
        elif frame.event is Event.CALL:
            changed[index] = dict(frame.state)
        elif frame.depth in last:
            changed[last[frame.depth]] |= _change(history[last[frame.depth]].state, frame.state)
        if left.locals is not None:
            last[left.depth] = index
    return changed


def seen_at(frames: Sequence[Frame]) -> list[int]:
    """The frame in which the effect of each step can be seen: the scope's next one that shows locals, or the step's own."""
    seen = list(range(len(frames)))
    last: dict[int, int] = {}
    for index, frame in enumerate(frames):
        if frame.locals is None:
            continue
        if frame.event is not Event.CALL and frame.depth in last and frames[last[frame.depth]].event is not Event.CALL:
            seen[last[frame.depth]] = index
        last[frame.depth] = index
    return seen


def _change(before: Effect, after: Effect) -> Effect:
    gone = dict.fromkeys((name for name in before if name not in after), UNBOUND)
    return {name: text for name, text in after.items() if before.get(name) != text} | gone
